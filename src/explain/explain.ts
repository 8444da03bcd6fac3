/**
 * What the compiler did with a model, and what its stages cost: data, which the command line prints.
 *
 * Bytes are those between memory and a cache that holds a tile of steps: each activation that a stage reads or writes counts once per
 * run, its states once per tile. `must` leaves out the states' part: what any kernel of this stage has to move.
 */
import type { CompiledModule } from '../compile.js';
import type { Index } from '../ir/program.js';
import type { Stage } from '../ir/stages.js';
import { countKernel } from './count.js';

export interface StageReport {
  readonly name: string;
  readonly anchor: Stage['anchor'];
  readonly phase: Stage['phase'];
  /** `t→, d(256)`: time and the parallel axes. */
  readonly domain: string;
  readonly computes: readonly string[];
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** Scans over time that its recurrence takes, and the chains of the source that they stand for. */
  readonly scans?: { readonly chains: number; readonly run: number };
  readonly strategy?: string;
  readonly why?: string;
  readonly weighed?: NonNullable<Stage['strategy']>['weighed'];
  readonly kernel?: string;
  readonly bytes: number;
  readonly must: number;
  /** What it would move with every intermediate value of each step in memory. */
  readonly materialised: number;
  readonly arithmetic: number;
  readonly exponentials: number;
}
export interface Explanation {
  readonly model: string;
  readonly batch: number;
  readonly length: number;
  readonly stages: readonly StageReport[];
  readonly loadStages: number;
  readonly kernels: number;
  /** Memory of activations for one tile of the batch, of states, and of constants, in bytes. */
  readonly memory: { readonly rows: number; readonly carry: number; readonly constants: number };
  readonly tile: number;
  readonly wasmBytes: number;
}

export function explain(module: CompiledModule, sizes: { readonly batch: number; readonly length: number }): Explanation {
  const { graph, manifest } = module;
  const run = graph.stages.filter((s) => s.phase !== 'load');
  const slots = new Map<number, number>();
  for (const b of manifest.buffers) if (b.kind === 'rows') slots.set(b.slot, Math.max(slots.get(b.slot) ?? 0, b.row));
  const tile = manifest.notStreamable ? sizes.length : Math.min(sizes.length, manifest.tile);
  const sum = (kind: 'carry' | 'constant'): number => manifest.buffers.reduce((n, b) => n + (b.kind === kind ? 4 * (b.kind === 'constant' ? b.size : b.row) : 0), 0);
  return {
    model: manifest.model, ...sizes, stages: run.map((s) => stageReport(module, s, sizes, tile)),
    loadStages: graph.stages.length - run.length, kernels: module.kernels.length, tile,
    memory: { rows: [...slots.values()].reduce((a, b) => a + b, 0) * 4 * sizes.batch * tile, carry: sum('carry') * sizes.batch, constants: sum('constant') },
    wasmBytes: module.wasm.length,
  };
}

function stageReport(module: CompiledModule, stage: Stage, sizes: { batch: number; length: number }, tile: number): StageReport {
  const { graph, schedule } = module;
  const name = (id: number): string => graph.program.definitions[id]?.name ?? '';
  const kernel = module.kernelOf.get(stage);
  const counts = kernel && countKernel(kernel, { batch: sizes.batch, steps: sizes.length }, 4);
  const kinds = new Map(schedule.buffers.map((b) => [b.name, b]));
  const size = (buffer: string): number => {
    const b = kinds.get(buffer);
    if (!b) return 0;
    switch (b.kind) {
      case 'rows': return 4 * b.row * sizes.batch * sizes.length;
      case 'batch': return 4 * b.row * sizes.batch;
      case 'carry': return 4 * b.row * sizes.batch * Math.ceil(sizes.length / tile);
      case 'chunks': return 4 * b.row * sizes.batch * Math.ceil(sizes.length / b.steps);
      case 'constant': case 'load': return 4 * b.size;
    }
  };
  const touched = (kernel?.parameters ?? []).flatMap((p) => (p.kind === 'buffer' && kinds.has(p.name) ? [p] : []));
  const isState = (buffer: string): boolean => kinds.get(buffer)?.kind === 'carry' || kinds.get(buffer)?.kind === 'chunks';
  const moved = (p: { name: string; access: string }): number => size(p.name) * (p.access === 'read-write' ? 2 : 1);
  const bytes = touched.reduce((n, p) => n + moved(p), 0);
  const must = touched.reduce((n, p) => n + (isState(p.name) ? 0 : moved(p)), 0);
  const elements = (indices: readonly Index[]): number => indices.reduce((n, i) => n * i.axis.size, 1) * 4 * sizes.batch * sizes.length;
  const onChip = stage.anchor === 'scan' ? stage.items.filter((i) => !stage.stored.has(i.def)).reduce((n, i) => n + 2 * elements(i.indices), 0) : 0;
  return {
    name: stage.name, anchor: stage.anchor, phase: stage.phase, domain: domainText(stage), computes: stage.items.map((i) => name(i.def)),
    reads: touched.filter((p) => p.access !== 'write').map((p) => p.name), writes: touched.filter((p) => p.access !== 'read').map((p) => p.name),
    ...(stage.anchor === 'scan' ? { scans: scans(module, stage) } : {}),
    ...(stage.strategy ? { strategy: stage.strategy.name, why: stage.strategy.why, weighed: stage.strategy.weighed ?? [] } : {}), ...(kernel ? { kernel: kernel.name } : {}),
    bytes, must, materialised: must + onChip, arithmetic: counts?.arithmetic ?? 0, exponentials: counts?.exponentials ?? 0,
  };
}
/** Chains are counted along modality axes: how many of them advance in time in the source, and how many do now. */
function scans(module: CompiledModule, stage: Stage): { chains: number; run: number } {
  const defs = module.graph.program.definitions;
  const labelled = (indices: readonly Index[]): number => indices.reduce((n, i) => (i.axis.labels ? n * i.axis.size : n), 1);
  // The two halves of a complex state are one scan.
  const halves = stage.states.some((s) => (defs[s.def]?.name ?? '').endsWith('#im')) ? 2 : 1;
  const run = stage.states.reduce((n, s) => n + labelled(defs[s.def]?.indices ?? []) * ties(module, stage, s.def), 0) / halves;
  const chains = stage.items.filter((i) => { const d = defs[i.def]; return d?.kind === 'equation' && (d.state !== undefined || stage.states.some((s) => s.def === d.id)); });
  const source = chains.filter((i) => !(defs[i.def]?.name ?? '').includes('#chain'));
  const inner = stage.items.filter((i) => source.includes(i)).reduce((n, i) => Math.max(n, labelled(defs[i.def]?.indices ?? [])), 0);
  const widest = stage.items.reduce((n, i) => Math.max(n, labelled(i.indices)), 1);
  return { chains: Math.max(run, inner, widest), run };
}
/** A collapsed coupling of rank r keeps a chain for each of r functionals: the index that its states lack. */
function ties(module: CompiledModule, stage: Stage, chain: number): number {
  const defs = module.graph.program.definitions;
  const name = defs[chain]?.name ?? '';
  if (!name.includes('#chain')) return 1;
  const axes = new Set(stage.items.filter((i) => i.def !== chain && !(defs[i.def]?.name ?? '').includes('#chain')).flatMap((i) => (defs[i.def]?.indices ?? []).map((x) => x.axis)));
  return (defs[chain]?.indices ?? []).reduce((n, i) => (axes.has(i.axis) ? n : n * i.axis.size), 1);
}
export function domainText(stage: Stage): string {
  const time = stage.order === 'forward' ? ['t→'] : stage.order === 'backward' ? ['t←'] : stage.phase === 'step' ? ['t'] : [];
  return [...time, ...stage.domain.map((i) => `${i.name}(${i.axis.size})`)].join(', ') || '·';
}
