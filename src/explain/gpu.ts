/**
 * What a run and a push cost on a machine with threads, kernel by kernel and in sum: data, which the command line prints.
 *
 * `moved` counts each element of a buffer that a launch reads or writes once: no kernel of this stage can move less. `asked` counts what all
 * its threads load and store, before any cache and before loads of one element by neighbouring threads become one.
 */
import type { CudaModule, GpuModule, WebgpuModule } from '../compile.js';
import { groupMemoryBytes, type Grid, type Kernel } from '../ir/kernel.js';
import { visitStmts } from '../ir/map-kernel.js';
import type { Phase, Stage } from '../ir/stages.js';
import { arenaBytes, arrangement, groupsOf, launchedFor, widthOf } from '../runtime/gpu/arrangement.js';
import { manifestFor } from '../runtime/gpu/suited.js';
import { FIRST_WORK, slicesThatFit, tileSteps } from '../runtime/gpu/slices.js';
import { FOLD } from '../runtime/webgpu/gpu.js';
import type { BufferSpec, GpuPlan, LaunchGrid } from '../runtime/manifest.js';
import type { StorageChoice } from '../passes/schedule/storage.js';
import { countKernel, type Waits } from './count.js';
import { domainText } from './explain.js';

export interface Cost {
  readonly dispatches: number;
  /** Bytes. */
  readonly moved: number;
  readonly asked: number;
  /** Of the group's own memory, bytes. */
  readonly shared: number;
  readonly barriers: number;
  readonly arithmetic: number;
  readonly exponentials: number;
}
export interface KernelReport {
  readonly name: string;
  /** Its name in the module: kernels that do the same to other buffers share one. */
  readonly entry: string;
  readonly stage?: string;
  readonly anchor?: Stage['anchor'];
  readonly domain?: string;
  readonly strategy?: string;
  readonly why?: string;
  /** The other ways to run its recurrence; with the first of its stage's kernels. */
  readonly weighed?: NonNullable<Stage['strategy']>['weighed'];
  readonly phase: Exclude<Phase, 'load'>;
  /** Groups of the first tile's dispatch, by x, y, z; not launched: 0. */
  readonly grid: readonly [x: number, y: number, z: number];
  readonly workgroup: number;
  /** Bytes. */
  readonly workgroupMemory: number;
  /** Its products are of tiles, by a warp together. */
  readonly tensor?: true;
  /** Of one run, all of its tiles together. */
  readonly run: Cost;
  /** Of a push of one step, after the first. */
  readonly push: Cost;
}
export interface GpuExplanation {
  readonly model: string;
  readonly batch: number;
  readonly length: number;
  /** A run as the runtime cuts it before it knows how fast the device is: rows of the batch, and steps of each tile. */
  readonly slices: readonly { readonly rows: number; readonly tiles: readonly number[] }[];
  readonly stages: number;
  readonly pipelines: number;
  readonly source: { readonly language: string; readonly bytes: number };
  readonly memory: { readonly rows: number; readonly carry: number; readonly constants: number };
  /** Bytes that the host writes and reads in a run, and in a push with its copy of the state. */
  readonly host: { readonly run: number; readonly push: number };
  readonly kernels: readonly KernelReport[];
  /** What each activation is stored as, where something other than float32 was asked for. */
  readonly storage: readonly StorageChoice[];
  readonly run: Cost;
  /** Absent where the model can't be streamed. */
  readonly push?: Cost;
}

const NOTHING: Cost = { dispatches: 0, moved: 0, asked: 0, shared: 0, barriers: 0, arithmetic: 0, exponentials: 0 };
/** Kernels are taken not to grow. */
const NEVER: ReadonlySet<number> = new Set();
/** How a device is launched on: bytes of one binding that each grants, groups in a row of a dispatch, what sums over threads keep in a group's memory, and where they wait. */
interface Device {
  readonly language: string;
  readonly mostBytes: number;
  readonly fold: number;
  readonly sumBytes: (grid: Pick<Grid, 'lanes' | 'threads'>) => number;
  readonly waits?: Waits;
}
/** Every thread writes what it has, and, of many lanes, one in eight what it has joined. */
const webgpu: Device = { language: 'WGSL', mostBytes: 128 * 2 ** 20, fold: FOLD, sumBytes: ({ lanes, threads }) => (lanes > 8 ? 4.5 * threads : lanes > 1 ? 4 * threads : 0) };
/** An index reaches so many elements; threads of a warp exchange registers. */
const cuda: Device = { language: 'CUDA C++', mostBytes: 4 * (2 ** 31 - 2 ** 16), fold: 2 ** 31 - 1, sumBytes: ({ lanes }) => (lanes > 32 ? lanes / 8 : 0), waits: { sum: (lanes) => (lanes > 32 ? 2 : 0), shown: 0 } };

/** `on`: a device that many threads fill, or one that few do. */
export function explainGpu(module: WebgpuModule | CudaModule, sizes: { readonly batch: number; readonly length: number }, on: NonNullable<LaunchGrid['on']> = 'many'): GpuExplanation {
  const { schedule, graph } = module;
  const manifest = manifestFor(on, module.manifest);
  const plan = manifest.gpu as GpuPlan;
  const device = 'wgsl' in module ? webgpu : cuda;
  const source = 'wgsl' in module ? module.wgsl : module.source;
  const { rows, capacity } = slicesThatFit({ manifest, plan }, device.mostBytes, FIRST_WORK, sizes.batch, sizes.length);
  const slices = Array.from({ length: Math.ceil(sizes.batch / rows) }, (_, k) => {
    const count = Math.min(rows, sizes.batch - k * rows);
    const tiles: number[] = [];
    for (let left = sizes.length; left > 0; left -= tiles.at(-1) as number) tiles.push(tileSteps({ manifest, plan }, FIRST_WORK, count, capacity, left, left === sizes.length));
    return { rows: count, tiles };
  });
  const stageOf = new Map([...schedule.kernelsOf].flatMap(([stage, kernels]) => kernels.map((k) => [k.name, stage] as const)));
  const first = new Set([...schedule.kernelsOf.values()].map((kernels) => kernels[0]?.name));
  const byName = new Map(module.kernels.map((k) => [k.name, k]));
  const count = memoised((kernel, batch, steps) => costOf(kernel, module, device, batch, steps));
  const kernels = (['begin', 'step', 'finish'] as const).flatMap((phase) => manifest[phase].flatMap((l): KernelReport[] => {
    const kernel = l.kind === 'kernel' ? byName.get(l.entry) : undefined;
    if (l.kind !== 'kernel' || !kernel?.grid) return [];
    const stage = stageOf.get(kernel.name);
    const partOf = ({ tiles }: (typeof slices)[number], k: number): number => (k > 0 ? 2 : tiles.length > 1 || (tiles[0] ?? 0) > (plan.convolved ?? Infinity) ? 1 : 0);
    const run = slices.flatMap((s) => (phase === 'step' ? s.tiles.filter((_, k) => launchedFor(l, partOf(s, k), NEVER)) : [(phase === 'begin' ? s.tiles[0] : s.tiles.at(-1)) as number]).map((steps) => count(kernel, s.rows, steps)));
    const slice = slices[0] as (typeof slices)[number];
    return [{
      name: kernel.name, entry: plan.entries[kernel.name]?.entry ?? kernel.name, phase,
      ...(stage ? { stage: stage.name, anchor: stage.anchor, domain: domainText(stage), ...(stage.strategy ? { strategy: stage.strategy.name, why: stage.strategy.why, ...(first.has(kernel.name) ? { weighed: stage.strategy.weighed ?? [] } : {}) } : {}) } : {}),
      grid: dispatchOf(kernel, device, slice.rows, slice.tiles[0] as number), workgroup: kernel.grid.threads, workgroupMemory: groupBytes(kernel, device), ...(multiplies(kernel) ? { tensor: true as const } : {}),
      run: sum(run), push: phase === 'begin' || !launchedFor(l, 2, NEVER) ? NOTHING : count(kernel, sizes.batch, 1),
    }];
  }));
  const arranged = arrangement(manifest, plan, (slices[0] as (typeof slices)[number]).rows, Math.min(capacity, sizes.length));
  const bytes = (kinds: readonly GpuPlan['arenas'][number][]): number => plan.arenas.reduce((n, a, k) => n + (kinds.includes(a) ? arenaBytes(arranged, k) * (a === 'past' ? 2 : 1) : 0), 0);
  return {
    model: manifest.model, ...sizes, slices, stages: graph.stages.filter((s) => s.phase !== 'load').length,
    pipelines: new Set(kernels.map((k) => k.entry)).size, source: { language: device.language, bytes: new TextEncoder().encode(source).length },
    memory: { rows: bytes(['rows']), carry: bytes(['carry', 'past']), constants: bytes(['constants']) },
    host: { run: hostBytes(module, sizes.batch, sizes.length, false), push: hostBytes(module, sizes.batch, 1, true) },
    kernels, storage: schedule.storage, run: sum(kernels.map((k) => k.run)), ...(manifest.notStreamable === undefined ? { push: sum(kernels.map((k) => k.push)) } : {}),
  };
}
function sum(costs: readonly Cost[]): Cost {
  return costs.reduce((a, b) => ({
    dispatches: a.dispatches + b.dispatches, moved: a.moved + b.moved, asked: a.asked + b.asked, shared: a.shared + b.shared,
    barriers: a.barriers + b.barriers, arithmetic: a.arithmetic + b.arithmetic, exponentials: a.exponentials + b.exponentials,
  }), NOTHING);
}
function memoised(count: (kernel: Kernel, batch: number, steps: number) => Cost): typeof count {
  const known = new Map<string, Cost>();
  return (kernel, batch, steps) => {
    const key = `${kernel.name} ${batch} ${steps}`;
    const cost = known.get(key) ?? count(kernel, batch, steps);
    known.set(key, cost);
    return cost;
  };
}

function costOf(kernel: Kernel, { schedule }: GpuModule, { waits }: Device, batch: number, steps: number): Cost {
  if (groups(kernel, batch, steps) === 0) return NOTHING;
  const counts = countKernel(kernel, { batch, steps }, 1, waits);
  const specs = new Map(schedule.buffers.map((b) => [b.name, b]));
  const spaces = new Map((kernel.memories ?? []).map((m) => [m.name, m.space]));
  const narrow = new Set((kernel.memories ?? []).flatMap((m) => (m.element ? [m.name] : [])));
  const inSpace = (space: 'thread' | 'group' | undefined): number =>
    [counts.loads, counts.stores].flatMap((of) => [...of]).reduce((n, [buffer, elements]) => n + (spaces.get(buffer) === space ? elements * (narrow.has(buffer) ? 2 : widthOf(specs.get(buffer))) : 0), 0);
  const moved = kernel.parameters.reduce((n, p) => {
    const spec = p.kind === 'buffer' ? specs.get(p.name) : undefined;
    return n + (spec && p.kind === 'buffer' ? elementsOf(spec, batch, steps) * widthOf(spec) * (p.access === 'read-write' ? 2 : 1) : 0);
  }, 0);
  return { dispatches: 1, moved, asked: inSpace(undefined), shared: inSpace('group'), barriers: counts.barriers, arithmetic: counts.arithmetic, exponentials: counts.exponentials };
}
function elementsOf(b: BufferSpec, batch: number, steps: number): number {
  switch (b.kind) {
    case 'rows': return b.row * batch * steps;
    case 'batch': case 'carry': return b.row * batch;
    case 'chunks': return b.row * batch * Math.ceil(steps / b.steps);
    case 'constant': case 'load': return b.size;
  }
}
const groups = ({ grid }: Kernel, batch: number, steps: number): number => groupsOf(grid ? { grid: { ...grid.groups, batches: grid.batches } } : {}, batch, steps);
function dispatchOf(kernel: Kernel, { fold }: Device, batch: number, steps: number): KernelReport['grid'] {
  const all = groups(kernel, batch, steps);
  return [Math.min(all, fold), Math.ceil(all / fold), kernel.grid?.batches === 'B' ? batch : 1];
}
function multiplies({ body }: Kernel): boolean {
  let found = false;
  visitStmts(body, (s) => { found ||= s.kind === 'multiply'; });
  return found;
}
function groupBytes(kernel: Kernel, { sumBytes }: Device): number {
  return groupMemoryBytes(kernel) + (kernel.grid ? sumBytes(kernel.grid) : 0);
}
function hostBytes({ manifest }: GpuModule, batch: number, steps: number, state: boolean): number {
  const of = (tensors: typeof manifest.inputs): number => [...new Set(tensors.map((t) => t.place.buffer))].reduce((n, id) => n + widthOf(manifest.buffers[id]) * elementsOf(manifest.buffers[id] as BufferSpec, batch, steps), 0);
  const kept = manifest.buffers.reduce((n, b) => n + (b.kind === 'carry' ? widthOf(b) * b.row * batch : 0), 0);
  return of(manifest.inputs) + of(manifest.outputs) + (state ? kept : 0);
}
