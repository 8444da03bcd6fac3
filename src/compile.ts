/**
 * The compiler, read from top to bottom: check, rewrite, fuse, schedule, emit. Pure: it touches no file and no device.
 */
import { check, type SourceHost } from './check/index.js';
import { Diagnostics, type Diagnostic } from './diagnostics/diagnostic.js';
import { countKernel } from './explain/count.js';
import { Builder } from './ir/builder.js';
import type { Kernel, Stored } from './ir/kernel.js';
import type { Definition, Program } from './ir/program.js';
import type { Stage, StageGraph, Strategy } from './ir/stages.js';
import { verifyKernel } from './ir/verify-kernel.js';
import { verifyProgram } from './ir/verify-program.js';
import { chooseStrategies } from './passes/choose-strategy.js';
import { normalForms, type Recurrences } from './passes/normal-form.js';
import { extractReadouts } from './passes/extract-readouts.js';
import { extractTimeReductions } from './passes/extract-time-reductions.js';
import { fuse } from './passes/fuse.js';
import {
  base2, collapseCoupling, foldInvariant, hoistLoadTime, increment, lateInitial, meansToSums, mergeContractions, readPastEnd, reassociate, simplify, splitComplex, splitRagged, stabilityReport, twoParts, type Pass, type StabilityReport,
} from './passes/index.js';
import { buildManifest } from './passes/schedule/build-manifest.js';
import { originOfBuffer, originsOf, originTexts } from './passes/schedule/origins.js';
import { schedule, type Schedule } from './passes/schedule/schedule.js';
import { withoutInitialisers } from './passes/pass.js';
import type { Interval } from './passes/interval.js';
import type { GpuEntry, GpuPlan, Manifest } from './runtime/manifest.js';
import { loadLayout, memoryLimit, runLayout } from './runtime/layout.js';
import { version } from './version.js';
import { cuda } from '../targets/cuda/index.js';
import { wasm } from '../targets/wasm/index.js';
import type { Capabilities } from '../targets/target.js';
import { wgsl } from '../targets/wgsl/index.js';
import { overLimit } from '../targets/wgsl/limits.js';

export type { SourceHost } from './check/index.js';

/** In order. Each keeps the meaning that the interpreter gives, up to rounding. */
export const passes: readonly Pass[] = [
  lateInitial,
  simplify,
  collapseCoupling,
  increment,
  splitRagged,
  splitComplex,
  meansToSums,
  mergeContractions,
  extractReadouts,
  extractTimeReductions,
  base2,
  foldInvariant,
  twoParts,
  readPastEnd,
  hoistLoadTime,
  reassociate,
];

export interface CompileOptions {
  /** SHA-256 of the spec and all it imports, hex: stands in the module. */
  readonly specHash: string;
  /** Which model of the file, where it has several. */
  readonly model?: string;
  readonly strategy?: 'auto' | Strategy;
  /** Also a module with relaxed SIMD. */
  readonly relaxed?: boolean;
  /** A recurrence that may grow without bound is an error. */
  readonly denyUnstable?: boolean;
  /** Also kernels for WebGPU; `where-it-fits`: a model beyond its limits goes without, with a warning. */
  readonly webgpu?: boolean | 'where-it-fits';
  /** What those of WebGPU store activations and constants as (default f32); arithmetic and states stay float32. */
  readonly storage?: Stored;
  /** Also kernels for CUDA. */
  readonly cuda?: boolean;
  /** Where the elements of each stored tensor lie: sharpens the stability bounds. */
  readonly weights?: Pick<ReadonlyMap<string, Interval>, 'get'>;
  /** Sees the program before the first pass ('check') and after each. */
  readonly onPass?: (name: string, why: string, program: Program) => void;
}
/** What a device with threads is given beside the kernels' source: a manifest of its own, and the load-time kernels, which run on the host. */
export interface GpuModule {
  readonly manifest: Manifest;
  readonly load: Uint8Array;
  readonly kernels: readonly Kernel[];
  readonly kernelOf: ReadonlyMap<Stage, Kernel>;
  /** With the strategies that suit this machine. */
  readonly graph: StageGraph;
  readonly schedule: Schedule;
}
export interface WebgpuModule extends GpuModule {
  readonly wgsl: string;
  /** The same for adapters with more features, the best first. */
  readonly variants: readonly { readonly features: readonly string[]; readonly wgsl: string }[];
}
export interface CudaModule extends GpuModule {
  /** CUDA C++ for nvcc or NVRTC. */
  readonly source: string;
}
export interface CompiledModule {
  readonly manifest: Manifest;
  readonly wasm: Uint8Array;
  readonly relaxed?: Uint8Array;
  readonly webgpu?: WebgpuModule;
  readonly cuda?: CudaModule;
  readonly kernels: readonly Kernel[];
  readonly kernelOf: ReadonlyMap<Stage, Kernel>;
  readonly graph: StageGraph;
  readonly schedule: Schedule;
  readonly stability: readonly StabilityReport[];
  /** The normal form of every recurrence as the user wrote it, simplified. */
  readonly recurrences: Recurrences;
}
export interface Compilation {
  readonly diagnostics: readonly Diagnostic[];
  /** The checked program, before any pass: what the interpreter runs. */
  readonly program?: Program;
  readonly builder: Builder;
  /** Absent when there are errors. */
  readonly module?: CompiledModule;
}

/** Compiles the model of a spec. Mistakes of the user are diagnostics; only a bug of the compiler throws. */
export function compile(entry: string, host: SourceHost, options: CompileOptions): Compilation {
  const builder = new Builder();
  const diagnostics = new Diagnostics();
  const { program } = check(entry, host, builder, diagnostics, options.model === undefined ? {} : { model: options.model });
  if (!program || diagnostics.hasErrors) return { diagnostics: diagnostics.list, builder };
  const stability = stabilityReport(program, builder, diagnostics, options.weights, { deny: options.denyUnstable ?? false });
  if (diagnostics.hasErrors) return { diagnostics: diagnostics.list, program, builder };
  verifyProgram(program);
  options.onPass?.('check', 'the program as it is meant', program);
  const running = withoutInitialisers(program, builder);
  const source = simplify.run(running, builder);
  const recurrences: Recurrences = { program: source, forms: normalForms(source, builder) };
  const fused = fuse(rewrite(running, builder, options.onPass), builder);
  const graph = chooseStrategies(fused, wasm.caps, builder, options.strategy ?? 'auto', diagnostics, recurrences, stability);
  if (diagnostics.hasErrors) return { diagnostics: diagnostics.list, program, builder };
  const scheduled = schedule(graph, wasm.caps, builder);
  for (const kernel of scheduled.kernels) verifyKernel(kernel);
  const manifest = buildManifest(graph, scheduled, { compiler: version, spec: options.specHash });
  checkMemory(manifest, program, diagnostics);
  if (diagnostics.hasErrors) return { diagnostics: diagnostics.list, program, builder };
  const gpuOptions: GpuOptions = { ...options, work: workOf(scheduled), source: (file) => (file === entry ? host.read(entry) : host.std.get(file) ?? host.read(file)) };
  const webgpu = options.webgpu ? compileWebgpu(fused, recurrences, builder, gpuOptions, diagnostics) : undefined;
  if (diagnostics.hasErrors) return { diagnostics: diagnostics.list, program, builder };
  const forCuda = options.cuda ? compileCuda(fused, recurrences, builder, gpuOptions) : undefined;
  const module: CompiledModule = {
    manifest,
    wasm: wasm.emit(scheduled.kernels, { relaxed: false }),
    ...(options.relaxed ? { relaxed: wasm.emit(scheduled.kernels, { relaxed: true }) } : {}),
    ...(webgpu ? { webgpu } : {}),
    ...(forCuda ? { cuda: forCuda } : {}),
    kernels: scheduled.kernels, kernelOf: scheduled.kernelOf, graph, schedule: scheduled, stability, recurrences,
  };
  return { diagnostics: diagnostics.list, program, builder, module };
}

/** Operations per row of the stage that takes most of them, an exponential counted as ten. */
function workOf(scheduled: Schedule): number {
  const steps = 64;
  const rows = [...scheduled.kernelOf].filter(([stage]) => stage.phase === 'step').map(([, kernel]) => {
    const { arithmetic, exponentials } = countKernel(kernel, { batch: 1, steps }, wasm.caps.lanes);
    return (arithmetic + 10 * exponentials) / steps;
  });
  return Math.ceil(Math.max(1, ...rows));
}
interface GpuOptions extends CompileOptions {
  /** Operations per row of the step that takes most. */
  readonly work: number;
  readonly source: (file: string) => string | undefined;
}
function compileWebgpu(fused: StageGraph, recurrences: Recurrences, builder: Builder, options: GpuOptions, diagnostics: Diagnostics): WebgpuModule | undefined {
  const { graph, scheduled, pasts } = onThreads(wgsl.caps, fused, recurrences, builder, options);
  const module = wgsl.emit(scheduled.kernels, scheduled.buffers, pasts);
  const excess = overLimit(scheduled.kernels, scheduled.buffers, module);
  if (excess) {
    const origin = excess.kernel === undefined ? originOfBuffer(graph, excess.buffer ?? '') : originsOf(graph, scheduled).get(excess.kernel);
    const { span } = origin ?? (graph.program.definitions[0] as Definition);
    diagnostics[options.webgpu === 'where-it-fits' ? 'warning' : 'error']('SSM4201', span, excess);
    return undefined;
  }
  return { ...gpuModule(graph, scheduled, module, options), wgsl: module.text, variants: module.variants.map(({ features, text }) => ({ features, wgsl: text })) };
}
function compileCuda(fused: StageGraph, recurrences: Recurrences, builder: Builder, options: GpuOptions): CudaModule {
  const { graph, scheduled, pasts } = onThreads(cuda.caps, fused, recurrences, builder, options);
  const module = cuda.emit(scheduled.kernels, scheduled.buffers, pasts);
  return { ...gpuModule(graph, scheduled, module, options), source: module.text };
}
function onThreads(machine: Capabilities, fused: StageGraph, recurrences: Recurrences, builder: Builder, options: CompileOptions): { graph: StageGraph; scheduled: Schedule; pasts: ReadonlySet<number> } {
  // What forbids a strategy forbids it on every machine, and has been said.
  const graph = chooseStrategies(fused, machine, builder, options.strategy ?? 'auto', new Diagnostics(), recurrences);
  const scheduled = schedule(graph, machine, builder, options.storage ?? 'f32');
  for (const kernel of scheduled.kernels) verifyKernel(kernel);
  return { graph, scheduled, pasts: new Set(scheduled.launches.step.flatMap((l) => (l.kind === 'history' ? [l.carry] : []))) };
}
function gpuModule(graph: StageGraph, scheduled: Schedule, module: Pick<GpuPlan, 'arenas' | 'arenaOf' | 'align'> & { entries: ReadonlyMap<string, GpuEntry> }, { work, source, specHash }: GpuOptions): GpuModule {
  const manifest = buildManifest(graph, scheduled, { compiler: version, spec: specHash });
  const convolved = graph.stages.find((s) => s.convolved)?.convolved?.length;
  return {
    manifest: { ...manifest, gpu: { arenas: module.arenas, ...(module.align === undefined ? {} : { align: module.align }), arenaOf: module.arenaOf, work, ...(convolved === undefined ? {} : { convolved }), entries: Object.fromEntries(module.entries), origins: originTexts(graph, scheduled, source) } },
    load: wasm.emit(scheduled.kernels.filter((k) => !k.grid), { relaxed: false }), kernels: scheduled.kernels, kernelOf: scheduled.kernelOf, graph, schedule: scheduled,
  };
}

/** What no batch or length is small enough for is refused here, at what takes most; the rest when it is run. */
function checkMemory(manifest: Manifest, program: Program, diagnostics: Diagnostics): void {
  const limit = memoryLimit;
  const needs = [[loadLayout(manifest).bytes, 'when weights are bound'], [runLayout(manifest, 1, 1).bytes, 'for one step']] as const;
  const over = needs.find(([bytes]) => bytes > limit);
  if (!over) return;
  const elements = (d: Definition): number => d.indices.reduce((n, i) => n * i.axis.size, 1);
  const largest = program.definitions.reduce((a, b) => (elements(b) > elements(a) ? b : a));
  diagnostics.error('SSM4102', largest.span, { bytes: over[0], limit, when: over[1] }, [{ text: `\`${largest.name}\` has ${elements(largest)} elements` }]);
}

export function rewrite(program: Program, builder: Builder, onPass?: CompileOptions['onPass']): Program {
  let current = program;
  for (const pass of passes) {
    current = pass.run(current, builder);
    verifyProgram(current);
    onPass?.(pass.name, pass.why, current);
  }
  return current;
}
