/** From stages to kernels, buffers and the order of launches: everything that a target has to emit, and that the runtime has to know. */
import type { BufferSpec, Launch, LaunchArgument } from '../../runtime/manifest.js';
import type { Cond, Grid, Kernel, Stored } from '../../ir/kernel.js';
import type { Definition, DefinitionId } from '../../ir/program.js';
import type { Convolved, Phase, Stage, StageGraph } from '../../ir/stages.js';
import type { Builder } from '../../ir/builder.js';
import { chunkStep } from '../chunk-step.js';
import { bindingTimes } from '../binding-times.js';
import { Signs } from '../sign.js';
import { boundDecay } from './bound-decay.js';
import { beginHistoryKernel } from './carry-kernels.js';
import { geometryOf, growsOf } from './convolution/geometry.js';
import { impulseKernel } from './convolution/impulse.js';
import { convolutionKernel } from './convolution/kernel.js';
import { spectraKernel, twiddleKernel } from './convolution/spectra.js';
import { Layout } from './layout.js';
import { condVars, iand, icompare, int, ivar } from './ints.js';
import { LENGTHS } from './limits.js';
import { planRows } from './memory.js';
import { packLaunch } from './pack.js';
import type { Machine } from './shape.js';
import { SharedKernels } from './share-kernels.js';
import { planStorage, type StorageChoice } from './storage.js';
import { beginKernel, stageKernel } from './stage-kernel.js';
import type { Part } from './stage/storages.js';
import { beginHistoryKernel as beginThreadHistory } from './threads/around.js';
import { threadConvolution } from './threads/convolution.js';
import { beginKernels, threadKernel } from './threads/thread-kernel.js';

export interface Schedule {
  /** What is to be emitted: stages whose kernels differ only in their buffers share one. */
  readonly kernels: readonly Kernel[];
  /** The kernel of each stage that has one, with the stage's own buffers. */
  readonly kernelOf: ReadonlyMap<Stage, Kernel>;
  /** All of them in their order, where a stage has several. */
  readonly kernelsOf: ReadonlyMap<Stage, readonly Kernel[]>;
  readonly layout: Layout;
  readonly buffers: readonly BufferSpec[];
  readonly launches: Readonly<Record<Phase, readonly Launch[]>>;
  /** What activations are stored as and why, where it was asked to be other than float32. */
  readonly storage: readonly StorageChoice[];
}

/** Load-time kernels compute one float64 element at a time, with the functions of the host. */
const host: Machine = { lanes: 1, registers: 16 };

/** `stored`: what activations and constants are to be stored as, where the machine can. */
export function schedule(graph: StageGraph, machine: Machine, builder: Builder, stored: Stored = 'f32'): Schedule {
  const { phase } = bindingTimes(graph.program);
  const storing = planStorage(graph, machine.storage, stored);
  const layout = new Layout(graph, machine.lanes, phase, storing);
  const signs = new Signs(graph.program);
  const work = new Scheduler(graph, layout, machine, signs, builder);
  return { ...work.run(), storage: storing.choices };
}

/** Of a tile that begins a sequence which is given whole: what a convolution is made for. Elsewhere, and where states are wanted after it, its recurrence. */
const PART = '$part';
const STEPS = '$T';
const WITHIN: Cond = icompare('lt', ivar(PART), int(2));
const AFTER: Cond = icompare('lt', int(0), ivar(PART));
/** A machine with threads is not given the kernel to run; one with lanes asks in it. `grows`: where the weights say whether a convolution's kernels do. */
function when(part: NonNullable<Grid['part']>, grows: string, { whole, length }: Convolved, kernel: Kernel): Kernel {
  if (kernel.grid) return { ...kernel, grid: { ...kernel.grid, part, grows } };
  // Of a sequence that is longer than the kernels its own kernel leaves be what recurrences have answered.
  const after: Cond = whole ? icompare('lt', int(length), ivar(STEPS)) : AFTER;
  const cond: Cond = part === 'within' ? iand(WITHIN, flagged(grows, 0)) : { kind: 'ior', left: after, right: flagged(grows, 1) };
  const scalars = [PART, STEPS].filter((name) => condVars(cond).has(name) && !kernel.parameters.some((p) => p.name === name));
  const parameters: Kernel['parameters'] = [...kernel.parameters, { kind: 'buffer', name: grows, access: 'read', element: 'f32' }, ...scalars.map((name) => ({ kind: 'scalar' as const, name }))];
  return { ...kernel, parameters, body: [{ kind: 'if', cond, then: kernel.body, else: [] }] };
}
/** A launch for some devices of the machine's kind alone. */
const on = (devices: NonNullable<Grid['on']>, kernel: Kernel): Kernel => (kernel.grid ? { ...kernel, grid: { ...kernel.grid, on: devices } } : kernel);
/** What the weights say of a convolution's growth: it is known when they are bound. */
const flagged = (buffer: string, flag: 0 | 1): Cond => ({
  kind: 'all', mask: { kind: 'binary', op: 'eq', left: { kind: 'load', buffer, at: int(0), access: 'uniform' }, right: { kind: 'number', value: flag } }, ...(flag === 1 ? { rare: true } : {}),
});

class Scheduler {
  readonly #graph: StageGraph;
  readonly #layout: Layout;
  readonly #machine: Machine;
  readonly #signs: Signs;
  readonly #shared = new SharedKernels();
  #count = 0;
  readonly #kernelOf = new Map<Stage, Kernel>();
  readonly #twiddles = new Set<number>();
  readonly #kernelsOf = new Map<Stage, readonly Kernel[]>();

  readonly #builder: Builder;

  constructor(graph: StageGraph, layout: Layout, machine: Machine, signs: Signs, builder: Builder) {
    this.#builder = builder;
    this.#graph = graph;
    this.#layout = layout;
    this.#machine = machine;
    this.#signs = signs;
  }

  run(): Omit<Schedule, 'storage'> {
    const { program } = this.#graph;
    const layout = this.#layout;
    for (const port of program.inputs) layout.of(port.def);
    const staged: Record<Phase, { kernel: Kernel }[]> = { load: [], begin: [], step: [], finish: [] };
    const launches: Record<Phase, Launch[]> = { load: [], begin: [], step: [], finish: [] };
    const inverses: { at: number; launch: Launch }[] = [];
    for (const stage of this.#graph.stages) {
      const only = stage.items[0];
      const d = only && program.definitions[only.def];
      if (d?.kind === 'inverse') {
        inverses.push({ at: staged.load.length, launch: this.#inverse(d.id, d.matrix, d.name) });
        continue;
      }
      for (const kernel of this.#stage(stage)) staged[stage.phase].push({ kernel });
      if (stage.convolved) for (const kernel of this.#tables(stage, stage.convolved)) staged.load.push({ kernel });
    }
    const begins = this.#begins();
    staged.load.forEach(({ kernel }, k) => {
      for (const i of inverses) if (i.at === k) launches.load.push(i.launch);
      launches.load.push(this.#launch(kernel));
    });
    for (const i of inverses) if (i.at >= staged.load.length) launches.load.push(i.launch);
    launches.load.push(...layout.packed.map((packed) => packLaunch(packed, layout)));
    // Initial values may read what is computed of inputs without time.
    launches.begin.push(...staged.begin.map((s) => this.#launch(s.kernel)), ...begins);
    launches.finish.push(...staged.finish.map((s) => this.#launch(s.kernel)));
    launches.step.push(...this.#steps(staged.step.map((s) => s.kernel)));
    const outputs = new Set(program.outputs.map((o) => layout.of(o.def).buffer));
    const inputs = new Set(program.inputs.map((i) => layout.of(i.def).buffer));
    // With threads the past is moved on when all of a tile is done.
    if (this.#machine.threads) for (const h of layout.histories.values()) outputs.add(h.rows);
    planRows(layout, [...staged.step, ...staged.finish].map((s) => s.kernel), inputs, outputs);
    return { kernels: this.#shared.kernels, kernelOf: this.#kernelOf, kernelsOf: this.#kernelsOf, layout, buffers: layout.buffers, launches };
  }

  #stage(stage: Stage): Kernel[] {
    const machine = stage.phase === 'load' ? host : this.#machine;
    const made: Kernel[] = [];
    const threads = stage.phase === 'load' ? undefined : this.#machine.threads;
    const write = (part: Part): void => {
      const entry = this.#entry(stage, part.kind === 'whole' || part.kind === 'apply' ? '' : part.kind);
      made.push(threads ? threadKernel(stage, entry, this.#layout, threads, this.#signs, part) : boundDecay(stageKernel(stage, entry, this.#layout, machine, this.#signs, part)));
    };
    const step = stage.strategy?.name === 'chunked' ? chunkStep(stage, this.#graph.program, this.#builder) : undefined;
    if (step?.kind === 'chunk-step') {
      const few = stage.strategy?.fewSerial ? this.#entry(stage, 'serial') : undefined;
      if (few !== undefined && threads) made.push(on('few', threadKernel(stage, few, this.#layout, threads, this.#signs)));
      for (const kind of ['summary', 'carry', 'apply'] as const) write({ kind, step });
      if (few !== undefined) made.splice(1, made.length, ...made.slice(1).map((k) => on('many', k)));
    } else write({ kind: 'whole' });
    if (stage.convolved) {
      const grows = growsOf(stage.name, this.#layout, this.#machine.lanes);
      const { convolved } = stage;
      const recurrence = made.map((k) => when('after', grows, convolved, k));
      made.splice(0, made.length, ...recurrence, ...this.#convolution(stage, convolved).map((k) => when('within', grows, convolved, k)));
    }
    for (const kernel of made) this.#shared.of(kernel);
    this.#kernelsOf.set(stage, made);
    this.#kernelOf.set(stage, made.at(-1) as Kernel);
    return made;
  }
  #convolution(stage: Stage, convolved: Convolved): Kernel[] {
    const g = geometryOf(stage.name, convolved, this.#layout, this.#machine);
    const { threads } = this.#machine;
    if (threads) return threadConvolution((part) => this.#entry(stage, part), g, convolved, this.#layout, threads);
    return [convolutionKernel(this.#entry(stage, 'convolution'), g, convolved, this.#layout)];
  }
  /** What makes the kernels and spectra of a convolution when weights are bound; twiddles once for all. */
  #tables(stage: Stage, convolved: Convolved): Kernel[] {
    const g = geometryOf(stage.name, convolved, this.#layout, this.#machine);
    const sizes = g.levels.map((l) => l.size).filter((n) => !this.#twiddles.has(n));
    for (const n of sizes) this.#twiddles.add(n);
    const made = [
      ...sizes.map((n) => twiddleKernel(`k${this.#count++}_twiddles_${n}`, n, this.#layout)),
      impulseKernel(this.#entry(stage, 'impulse'), g, convolved, this.#layout), spectraKernel(this.#entry(stage, 'spectra'), g, convolved, this.#layout),
    ];
    for (const kernel of made) this.#shared.of(kernel);
    return made;
  }
  #entry(stage: Stage, part = ''): string {
    return `k${this.#count++}_${stage.name.replace(/[^A-Za-z0-9]/g, '_')}${part && `_${part}`}`;
  }
  #launch(kernel: Kernel): Launch {
    const args = kernel.parameters.map((p): LaunchArgument =>
      p.kind === 'scalar' ? { scalar: p.name.slice(1) as 'B' | 'T' | 'R' | 't0' | 'part' } : p.name === LENGTHS ? { scalar: 'lengths' } : { buffer: this.#layout.id(p.name) });
    const { grid } = kernel;
    return { kind: 'kernel', entry: this.#shared.of(kernel).name, arguments: args, ...(grid ? { grid: { ...grid.groups, batches: grid.batches, ...(grid.part ? { part: grid.part } : {}), ...(grid.grows === undefined ? {} : { grows: this.#layout.id(grid.grows) }), ...(grid.on ? { on: grid.on } : {}) } } : {}) };
  }
  /** Each past is moved on once its last reader of this tile is done. */
  #steps(kernels: readonly Kernel[]): Launch[] {
    const out: Launch[] = kernels.map((k) => this.#launch(k));
    const uses = (k: Kernel, buffer: string): boolean => k.parameters.some((p) => p.kind === 'buffer' && p.name === buffer);
    const moves = [...this.#layout.histories].map(([carry, h]) => {
      const after = kernels.findLastIndex((k) => uses(k, carry) || uses(k, h.rows));
      return { after, launch: { kind: 'history', rows: this.#layout.id(h.rows), carry: this.#layout.id(carry), depth: h.depth } as Launch };
    });
    moves.sort((a, b) => b.after - a.after);
    for (const m of moves) out.splice(m.after + 1, 0, m.launch);
    return out;
  }
  #begins(): Launch[] {
    const out: Launch[] = [];
    const add = (kernel: Kernel | undefined): void => {
      if (kernel) out.push(this.#launch(kernel));
    };
    const { threads } = this.#machine;
    if (threads) {
      for (const stage of this.#graph.stages) for (const k of beginKernels(stage, () => `begin${this.#count++}`, this.#layout, threads, this.#signs)) add(k);
      for (const [buffer, h] of this.#layout.histories) {
        const d = this.#graph.program.definitions[h.def];
        if (d?.kind === 'equation') add(beginThreadHistory(buffer, h.depth, d, `begin${this.#count++}`, this.#layout));
      }
      return out;
    }
    for (const stage of this.#graph.stages) add(beginKernel(stage, `begin${this.#count++}`, this.#layout, this.#machine, this.#signs));
    for (const [buffer, h] of this.#layout.histories) {
      const d = this.#graph.program.definitions[h.def];
      if (d?.kind === 'equation') add(beginHistoryKernel(buffer, h.depth, d, `begin${this.#count++}`, this.#layout, this.#machine.lanes));
    }
    return out;
  }
  #inverse(id: DefinitionId, matrix: DefinitionId, name: string): Launch {
    const d = this.#graph.program.definitions[id] as Definition;
    const size = d.indices.at(-1)?.axis.size ?? 1;
    const all = d.indices.reduce((n, i) => n * i.axis.size, 1);
    return { kind: 'inverse', from: this.#layout.id(this.#layout.of(matrix).buffer), to: this.#layout.id(this.#layout.of(id).buffer), count: all / (size * size), size, name };
  }
}
