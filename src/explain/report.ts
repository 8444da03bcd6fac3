/** All that a report of a compiled model shows, as data: on any target the same. */
import type { CompiledModule, WebgpuModule } from '../compile.js';
import type { Kernel } from '../ir/kernel.js';
import { printKernel } from '../ir/print-kernel.js';
import type { Stage } from '../ir/stages.js';
import type { StabilityReport } from '../passes/stability.js';
import { widthOf } from '../runtime/gpu/arrangement.js';
import type { Manifest } from '../runtime/manifest.js';
import { explain } from './explain.js';
import { explainGpu, type GpuExplanation } from './gpu.js';
import type { RecurrenceReport } from './recurrences.js';
import type { RooflineMachine, Work } from './roofline.js';

export interface Representation {
  readonly name: string;
  readonly why: string;
  readonly text: string;
}
/** A stage, or on a machine with threads a kernel of one. */
export interface ReportStage extends Work {
  readonly title: string;
  readonly anchor: string;
  readonly domain: string;
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  readonly computes: readonly string[];
  readonly kernel?: string;
  readonly scans?: { readonly chains: number; readonly run: number };
  readonly strategy?: { readonly name: string; readonly why: string; readonly weighed: readonly { readonly name: string; readonly possible: boolean; readonly why: string }[] };
  /** Seconds in one run, where it was measured. */
  readonly measured?: number;
}
/** What is in memory while a stage runs, in bytes. */
export interface MemoryStep {
  readonly constants: number;
  readonly states: number;
  readonly activations: number;
}
export interface Report {
  readonly model: string;
  readonly target: 'wasm' | 'wgsl';
  readonly compiler: string;
  readonly batch: number;
  readonly length: number;
  /** Steps that are in memory together. */
  readonly tile: number;
  readonly machine: RooflineMachine;
  readonly sources: readonly { readonly path: string; readonly text: string }[];
  readonly representations: readonly Representation[];
  readonly stages: readonly ReportStage[];
  readonly recurrences: readonly RecurrenceReport[];
  readonly stability: readonly StabilityReport[];
  /** One per stage. */
  readonly memory: readonly MemoryStep[];
  readonly kernels: readonly { readonly name: string; readonly text: string }[];
  /** How the measured times were taken; absent where nothing ran. */
  readonly ran?: string;
}
export interface ReportOptions {
  readonly batch: number;
  readonly length: number;
  readonly machine: RooflineMachine;
  readonly sources: Report['sources'];
  readonly representations: readonly Representation[];
  readonly recurrences: readonly RecurrenceReport[];
  /** By stage name. */
  readonly measured?: ReadonlyMap<string, number>;
  readonly ran?: string;
}

export function reportOf(module: CompiledModule, options: ReportOptions): Report {
  const { batch, length, machine, sources, representations, recurrences, measured, ran } = options;
  const { webgpu } = module;
  const { manifest, kernels } = webgpu ?? module;
  const gpu = webgpu && explainGpu(webgpu, options);
  const stages = (webgpu && gpu ? gpuStages(webgpu, gpu) : wasmStages(module, options)).map((s): ReportStage => {
    const time = measured?.get(s.title);
    return time === undefined ? s : { ...s, measured: time };
  });
  const tile = gpu ? Math.max(...gpu.slices.flatMap((s) => s.tiles)) : manifest.notStreamable === undefined ? Math.min(length, manifest.tile) : length;
  const rows = gpu ? Math.max(...gpu.slices.map((s) => s.rows)) : batch;
  return {
    model: manifest.model, target: webgpu ? 'wgsl' : 'wasm', compiler: manifest.compiler, batch, length, tile, machine, sources, representations, stages, recurrences, stability: module.stability,
    memory: memoryOf(manifest, stages, rows, tile), kernels: kernels.map((k) => ({ name: k.name, text: printKernel(k) })), ...(ran === undefined ? {} : { ran }),
  };
}
function wasmStages(module: CompiledModule, sizes: ReportOptions): ReportStage[] {
  return explain(module, sizes).stages.map((s) => ({
    title: s.name, anchor: s.anchor, domain: s.domain, reads: s.reads, writes: s.writes, computes: s.computes, bytes: s.bytes, arithmetic: s.arithmetic, exponentials: s.exponentials,
    ...(s.kernel === undefined ? {} : { kernel: s.kernel }), ...(s.scans ? { scans: s.scans } : {}),
    ...(s.strategy === undefined ? {} : { strategy: { name: s.strategy, why: s.why ?? '', weighed: s.weighed ?? [] } }),
  }));
}
function gpuStages(module: WebgpuModule, { kernels }: GpuExplanation): ReportStage[] {
  const byName = new Map(module.kernels.map((k) => [k.name, k]));
  const stageOf = new Map(module.graph.stages.map((s) => [s.name, s]));
  const buffers = new Set(module.schedule.buffers.map((b) => b.name));
  const named = (stage: Stage | undefined): string[] => stage?.items.map((i) => module.graph.program.definitions[i.def]?.name ?? '') ?? [];
  const touched = (k: Kernel | undefined, without: 'read' | 'write'): string[] => (k?.parameters ?? []).flatMap((p) => (p.kind === 'buffer' && buffers.has(p.name) && p.access !== without ? [p.name] : []));
  return kernels.map((k) => {
    const stage = k.stage === undefined ? undefined : stageOf.get(k.stage);
    const kernel = byName.get(k.name);
    const strategy = stage?.strategy;
    return {
      title: k.name, anchor: k.anchor ?? 'begin', domain: k.domain ?? '·', reads: touched(kernel, 'write'), writes: touched(kernel, 'read'), computes: named(stage), kernel: k.entry,
      bytes: k.run.moved, arithmetic: k.run.arithmetic, exponentials: k.run.exponentials,
      ...(strategy ? { strategy: { name: strategy.name, why: strategy.why, weighed: strategy.weighed ?? [] } } : {}),
    };
  });
}
/** Activations live from the stage that writes them first to the one that reads them last. */
function memoryOf(manifest: Manifest, stages: readonly ReportStage[], batch: number, steps: number): MemoryStep[] {
  const bytes = (kinds: readonly string[]): number => manifest.buffers.reduce((n, b) => (kinds.includes(b.kind) ? n + widthOf(b) * ('size' in b ? b.size : b.row * batch) : n), 0);
  const constants = bytes(['constant']);
  const states = bytes(['carry']);
  const last = stages.length - 1;
  const lives = manifest.buffers.flatMap((b) => {
    if (b.kind !== 'rows' && b.kind !== 'chunks' && b.kind !== 'batch') return [];
    const at = stages.flatMap((s, k) => (s.reads.includes(b.name) || s.writes.includes(b.name) ? [k] : []));
    const first = at[0];
    if (first === undefined) return [];
    // Inputs are there from the beginning, outputs to the end.
    const written = stages.findIndex((s) => s.writes.includes(b.name));
    const read = stages.findLastIndex((s) => s.reads.includes(b.name));
    const rows = b.kind === 'rows' ? steps : b.kind === 'chunks' ? Math.ceil(steps / b.steps) : 1;
    return [{ from: written < 0 ? 0 : written, to: read < written ? last : read, bytes: widthOf(b) * b.row * batch * rows }];
  });
  return stages.map((_, k) => ({ constants, states, activations: lives.reduce((n, l) => (l.from <= k && k <= l.to ? n + l.bytes : n), 0) }));
}
