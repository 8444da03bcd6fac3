/**
 * The GPU buffers for one batch and tiles of up to so many steps, where each buffer of the manifest lies in them, and the parameters and
 * bindings of every launch. The past of activations has two buffers: from tile to tile one is read while the other is written.
 */
import type { Launch, Manifest, GpuPlan } from '../manifest.js';
import { slotRows } from '../layout.js';
import type { Connection } from './connection.js';
import type { GpuBuffer, GpuEncoder, GpuPipeline } from './gpu.js';
import { usage } from './gpu.js';

/** Groups in one row of a dispatch; the kernels unfold it (targets/wgsl/print.ts). */
const FOLD = 32768;
/** Uniform blocks are bound at multiples of this. */
const ALIGN = 256;
const HEAD = 5;

type KernelLaunch = Extract<Launch, { kind: 'kernel' }>;
export interface FrameOf {
  readonly manifest: Manifest;
  readonly plan: GpuPlan;
  readonly connection: Connection;
  readonly constants: ReadonlyMap<number, GpuBuffer>;
  readonly pipelines: ReadonlyMap<string, GpuPipeline>;
}
interface Arena {
  readonly buffer: GpuBuffer;
  /** The other half of a past. */
  readonly other?: GpuBuffer;
}

/** Elements of each arena, and of each buffer its offset there. */
export interface Arrangement {
  readonly offsets: readonly number[];
  readonly sizes: readonly number[];
  /** Elements of the carry arena that are kept from step to step: its first. */
  readonly kept: number;
}

export function arrangement(manifest: Manifest, plan: GpuPlan, batch: number, steps: number): Arrangement {
  const sizes = plan.arenas.map(() => 0);
  const offsets = manifest.buffers.map(() => 0);
  let kept = 0;
  const take = (i: number, size: number): void => {
    const arena = plan.arenaOf[i] as number;
    offsets[i] = sizes[arena] as number;
    sizes[arena] = (sizes[arena] as number) + size;
  };
  manifest.buffers.forEach((b, i) => { if (b.kind === 'constant') take(i, b.size); });
  for (const kind of ['carry', 'batch', 'chunks'] as const) {
    manifest.buffers.forEach((b, i) => {
      if (b.kind === kind) take(i, batch * b.row * (b.kind === 'chunks' ? Math.ceil(steps / b.steps) : 1));
    });
    if (kind === 'carry') plan.arenas.forEach((a, k) => { if (a === 'carry') kept = sizes[k] as number; });
  }
  const rows = slotRows(manifest);
  const placed = new Map<number, number>();
  manifest.buffers.forEach((b, i) => {
    if (b.kind !== 'rows') return;
    const known = placed.get(b.slot);
    if (known !== undefined) { offsets[i] = known; return; }
    take(i, batch * steps * (rows[b.slot] as number));
    placed.set(b.slot, offsets[i] as number);
  });
  return { offsets, sizes, kept };
}

export class Frame {
  readonly batch: number;
  /** Steps of a tile at most. */
  readonly capacity: number;
  readonly arrangement: Arrangement;
  readonly #of: FrameOf;
  readonly #arenas: readonly (Arena | undefined)[];
  readonly #lengths: GpuBuffer;
  readonly #parameters: GpuBuffer;
  readonly #launches: readonly KernelLaunch[];
  readonly #groups = new Map<string, object>();
  /** Which half of the past is read now. */
  #half = 0;
  #written = '';

  private constructor(of: FrameOf, batch: number, capacity: number, arranged: Arrangement, arenas: readonly (Arena | undefined)[], lengths: GpuBuffer, parameters: GpuBuffer, launches: readonly KernelLaunch[]) {
    this.#of = of;
    this.batch = batch;
    this.capacity = capacity;
    this.arrangement = arranged;
    this.#arenas = arenas;
    this.#lengths = lengths;
    this.#parameters = parameters;
    this.#launches = launches;
  }
  /** @throws DeviceError SSM5502. */
  static async make(of: FrameOf, batch: number, capacity: number): Promise<Frame> {
    const { manifest, plan, connection } = of;
    const arranged = arrangement(manifest, plan, batch, capacity);
    const made: GpuBuffer[] = [];
    const storage = async (name: string, bytes: number): Promise<GpuBuffer> => {
      const buffer = await connection.storage(name, bytes);
      made.push(buffer);
      return buffer;
    };
    try {
      const arenas: (Arena | undefined)[] = [];
      for (const [a, kind] of plan.arenas.entries()) {
        const bytes = 4 * (arranged.sizes[a] as number);
        const name = largestIn(manifest, plan, a);
        if (kind === 'constants') arenas.push({ buffer: of.constants.get(a) as GpuBuffer });
        else arenas.push({ buffer: await storage(name, bytes), ...(kind === 'past' ? { other: await storage(name, bytes) } : {}) });
      }
      const launches = [...manifest.begin, ...manifest.step, ...manifest.finish].filter((l): l is KernelLaunch => l.kind === 'kernel');
      const lengths = await storage('lengths', 4 * batch);
      const parameters = await connection.buffer('parameters', ALIGN * Math.max(1, launches.length), usage.uniform | usage.copyTarget);
      return new Frame(of, batch, capacity, arranged, arenas, lengths, parameters, launches);
    } catch (error) {
      // Who asks again with less must find the room that this took.
      for (const buffer of made) connection.free(buffer);
      throw error;
    }
  }
  dispose(): void {
    const { connection, plan } = this.#of;
    this.#arenas.forEach((a, k) => {
      if (!a || plan.arenas[k] === 'constants') return;
      connection.free(a.buffer);
      if (a.other) connection.free(a.other);
    });
    connection.free(this.#lengths);
    connection.free(this.#parameters);
  }

  /** The GPU buffer of a buffer of the manifest, and its first byte there. */
  place(buffer: number): { readonly buffer: GpuBuffer; readonly offset: number } {
    const arena = this.#of.plan.arenaOf[buffer] as number;
    return { buffer: this.#now(arena), offset: 4 * (this.arrangement.offsets[buffer] as number) };
  }
  #now(arena: number): GpuBuffer {
    const a = this.#arenas[arena] as Arena;
    return this.#half === 1 && a.other ? a.other : a.buffer;
  }
  /** What is kept from step to step: the carries, and the past. */
  kept(): { readonly buffer: GpuBuffer; readonly bytes: number }[] {
    return keptBytes(this.#of.plan, this.arrangement).map(({ arena, bytes }) => ({ buffer: this.#now(arena), bytes }));
  }
  clear(encoder: GpuEncoder): void {
    this.#of.plan.arenas.forEach((kind, a) => { if (kind === 'carry' || kind === 'past') encoder.clearBuffer(this.#now(a)); });
  }

  /** The parameters and lengths of a tile of `steps`, before its launches are submitted. */
  prepare(steps: number, lengths: Int32Array<ArrayBuffer>): void {
    const { queue } = this.#of.connection.device;
    queue.writeBuffer(this.#lengths, 0, lengths);
    if (this.#written === `${steps}`) return;
    this.#written = `${steps}`;
    const words = new Int32Array((ALIGN / 4) * Math.max(1, this.#launches.length));
    const floats = new Float32Array(words.buffer);
    this.#launches.forEach((l, k) => {
      const at = (ALIGN / 4) * k;
      words.set([this.batch, steps, this.batch * steps, groupsOf(l, this.batch, steps)], at);
      floats[at + HEAD - 1] = Infinity;
      let field = at + HEAD;
      for (const a of l.arguments) if ('buffer' in a) words[field++] = this.arrangement.offsets[a.buffer] as number;
    });
    queue.writeBuffer(this.#parameters, 0, words);
  }
  /** Records the launches of one phase. */
  record(encoder: GpuEncoder, launches: readonly Launch[], steps: number): void {
    const mine = launches.filter((l): l is KernelLaunch => l.kind === 'kernel');
    if (mine.length === 0) return;
    const pass = encoder.beginComputePass();
    for (const l of mine) {
      const groups = groupsOf(l, this.batch, steps);
      if (groups === 0) continue;
      const { entry } = this.#entry(l);
      pass.setPipeline(this.#of.pipelines.get(entry) as GpuPipeline);
      pass.setBindGroup(0, this.#bindings(l));
      pass.dispatchWorkgroups(Math.min(groups, FOLD), Math.ceil(groups / FOLD), l.grid?.batches === 'B' ? this.batch : 1);
    }
    pass.end();
  }
  #entry(l: KernelLaunch): GpuPlan['entries'][string] {
    return this.#of.plan.entries[l.entry] as GpuPlan['entries'][string];
  }
  #bindings(l: KernelLaunch): object {
    const key = `${this.#launches.indexOf(l)}/${this.#half}`;
    const known = this.#groups.get(key);
    if (known) return known;
    const { entry, arenas, lengths } = this.#entry(l);
    const fields = HEAD + l.arguments.filter((a) => 'buffer' in a).length;
    const made = this.#of.connection.device.createBindGroup({
      layout: (this.#of.pipelines.get(entry) as GpuPipeline).getBindGroupLayout(0),
      entries: [
        { binding: 0, resource: { buffer: this.#parameters, offset: ALIGN * this.#launches.indexOf(l), size: Math.ceil(fields / 4) * 16 } },
        ...(lengths ? [{ binding: 1, resource: { buffer: this.#lengths } }] : []),
        ...arenas.map((a, k) => ({ binding: 2 + k, resource: { buffer: this.#now(a) } })),
      ],
    });
    this.#groups.set(key, made);
    return made;
  }

  /** The last rows of this tile become the past of the next: the other half of the past, from then on the one that is read. */
  moveOn(encoder: GpuEncoder, steps: number, lengths: Int32Array): void {
    const { manifest, plan } = this.#of;
    const moves = manifest.step.flatMap((l) => (l.kind === 'history' ? [l] : []));
    if (moves.length === 0) return;
    for (const { rows, carry, depth } of moves) {
      const spec = manifest.buffers[rows];
      const width = 4 * (spec && 'row' in spec ? spec.row : 0);
      const from = this.place(rows);
      const past = this.#arenas[plan.arenaOf[carry] as number] as Required<Arena>;
      const [old, next] = this.#half === 0 ? [past.buffer, past.other] : [past.other, past.buffer];
      const base = 4 * (this.arrangement.offsets[carry] as number);
      lengths.forEach((length, b) => {
        const n = Math.min(length, depth);
        const at = base + b * depth * width;
        if (n < depth) encoder.copyBufferToBuffer(old, at + n * width, next, at, (depth - n) * width);
        if (n > 0) encoder.copyBufferToBuffer(from.buffer, from.offset + (b * steps + length - n) * width, next, at + (depth - n) * width, n * width);
      });
    }
    this.#half = 1 - this.#half;
  }
}

/** The arenas that are kept, and how much of each. */
export function keptBytes(plan: GpuPlan, arranged: Arrangement): { readonly arena: number; readonly bytes: number }[] {
  return plan.arenas.flatMap((kind, arena) => {
    const bytes = 4 * (kind === 'carry' ? arranged.kept : kind === 'past' ? (arranged.sizes[arena] as number) : 0);
    return bytes > 0 ? [{ arena, bytes }] : [];
  });
}
function groupsOf({ grid }: KernelLaunch, batch: number, steps: number): number {
  if (!grid || steps < (grid.from ?? 0)) return 0;
  const of = grid.of === 'R' ? batch * steps : grid.of === 'T' ? steps : grid.of === 'B' ? batch : 1;
  return grid.times * Math.ceil((of * grid.each) / grid.per);
}
/** The name of the largest buffer in an arena: what to tell where there is no room for it. */
export function largestIn(manifest: Manifest, plan: GpuPlan, arena: number): string {
  const size = (i: number): number => { const b = manifest.buffers[i]; return !b ? 0 : 'row' in b ? b.row : b.size; };
  const mine = manifest.buffers.map((_, i) => i).filter((i) => plan.arenaOf[i] === arena);
  const largest = mine.reduce((best, i) => (size(i) > size(best) ? i : best), mine[0] ?? 0);
  return manifest.buffers[largest]?.name ?? 'a buffer';
}
