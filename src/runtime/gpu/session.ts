/** A model on one GPU: its constants uploaded, its sequences run as tiles of steps on frames. Lasts as long as the device. */
import { move } from '../copies.js';
import { loadLayout } from '../layout.js';
import type { GpuPlan, Manifest, Narrow, TensorSpec } from '../manifest.js';
import type { Job } from '../runner.js';
import { sizeOf, type Bound } from '../tensors.js';
import { arenaBytes, arrangement, grownOf, largestIn, narrowOf } from './arrangement.js';
import { gpuFailure } from './errors.js';
import { Frame } from './frame.js';
import { isTooLarge, narrowed, narrowTypes } from './halves.js';
import type { Command, Machine } from './machine.js';
import { FIRST_WORK, slicesThatFit, tileSteps } from './slices.js';

/** Milliseconds that a tile should take: a long one stops whatever else the GPU has to draw. */
const TILE_MS = 100;
/** Bytes read back at once at most. */
const READ_BYTES = 128 * 2 ** 20;

export interface GpuModel {
  readonly manifest: Manifest;
  readonly plan: GpuPlan;
  /** The constants' bytes, as the load-time kernels left them. */
  readonly constants: Uint8Array;
}
/** Rows of a batch that run together, at a point of their sequences. */
interface Rows {
  readonly from: number;
  readonly count: number;
}
interface Reading {
  readonly bound: Bound;
  readonly at: number;
  /** Where it was read at: of outputs with time the step and how many. */
  readonly first: number;
  readonly steps: number;
}
/** Steps 0 to `time` of rows, on a frame. */
export interface Piece {
  readonly job: Job;
  readonly rows: Rows;
  readonly time: number;
  /** They are the first of their sequences. */
  readonly begin: boolean;
  /** More will follow: what is kept is read too. */
  readonly keep?: boolean;
  /** They are all of their sequences: a run's. */
  readonly whole?: boolean;
}

export class Session<B> {
  readonly machine: Machine<B>;
  readonly #of: GpuModel;
  readonly #constants: ReadonlyMap<number, B>;
  readonly #grown: ReadonlySet<number>;
  #frame: Frame<B> | undefined;
  /** Operations per dispatch that take about TILE_MS. */
  #work = FIRST_WORK;

  private constructor(machine: Machine<B>, of: GpuModel, constants: ReadonlyMap<number, B>) {
    this.machine = machine;
    this.#of = of;
    this.#constants = constants;
    this.#grown = grownOf(of.manifest, of.constants, loadLayout(of.manifest).addresses);
  }
  /** On a machine that has the model's kernels. @throws DeviceError SSM5501 to SSM5503. */
  static async open<B>(machine: Machine<B>, of: GpuModel): Promise<Session<B>> {
    return new Session(machine, of, await upload(machine, of));
  }
  dispose(): void {
    this.machine.dispose();
  }
  frame(batch: number, capacity: number): Promise<Frame<B>> {
    const { manifest, plan } = this.#of;
    return Frame.make({ manifest, plan, machine: this.machine, constants: this.#constants, grown: this.#grown }, batch, capacity);
  }

  /** Whole sequences, as many rows at once as fit. */
  async run(job: Job): Promise<void> {
    const { rows, capacity } = slicesThatFit(this.#of, this.machine.mostBytes, this.#work, job.batch, job.lengths.reduce((a, b) => Math.max(a, b), 1));
    for (let from = 0; from < job.batch; from += rows) {
      const group = { from, count: Math.min(rows, job.batch - from) };
      let longest = 0;
      for (let b = 0; b < group.count; b++) longest = Math.max(longest, job.lengths[from + b] as number);
      if (this.#frame?.batch !== group.count || this.#frame.capacity < Math.min(capacity, longest)) {
        this.#frame?.dispose();
        this.#frame = undefined;
        this.#frame = await this.frame(group.count, Math.min(capacity, longest));
      }
      try {
        await this.steps(this.#frame, { job, rows: group, time: longest, begin: true, whole: true });
      } catch (error) {
        // What a command that failed left in it isn't known.
        await this.machine.settle();
        this.#frame.dispose();
        this.#frame = undefined;
        throw error;
      }
    }
  }
  /** What is kept afterwards, where it is asked for. */
  async steps(frame: Frame<B>, { job, rows, time, begin, keep = false, whole = false }: Piece): Promise<Uint8Array> {
    const { manifest } = this.#of;
    const { machine } = this;
    const pending: Reading[] = [];
    const kept = keep ? frame.kept().reduce((n, p) => n + p.bytes, 0) : 0;
    let used = 0;
    let started = !begin;
    // Rows of what was submitted and isn't known to have ended.
    const submitted: number[] = [];
    for (let at = 0; at < time;) {
      const steps = tileSteps(this.#of, this.#work, frame.batch, frame.capacity, time - at, whole && at === 0);
      const last = at + steps >= time;
      // What convolutions' kernels don't reach is run by states too.
      const part = !whole || at > 0 ? 2 : last && steps <= (this.#of.plan.convolved ?? steps) ? 0 : 1;
      const lengths = Int32Array.from({ length: rows.count }, (_, b) => Math.max(0, Math.min(steps, (job.lengths[rows.from + b] as number) - at)));
      const timed = job.outputs.filter((o) => o.spec.time || last);
      const bytes = timed.reduce((n, o) => n + this.#readBytes(o, rows.count, steps), 0);
      if (used > 0 && used + bytes > READ_BYTES) {
        await this.#readBack(pending.splice(0), rows, job, used);
        submitted.length = 0;
        used = 0;
      }
      if (used === 0) await machine.reserve(kept + Math.max(bytes, Math.min(READ_BYTES, job.outputs.reduce((n, o) => n + this.#readBytes(o, rows.count, time - at), 0))));
      const name = [steps, frame.half, started, last, used, part].join();
      const commands: Command<B>[] = started ? [] : frame.clear();
      commands.push(...(frame.equipment?.prepare(steps) ?? []), { kind: 'write', buffer: frame.lengths, offset: 0, data: lengths });
      const staged = this.#stage(job.inputs.filter((i) => i.spec.time || !started), rows, job, at, steps, lengths);
      for (const [buffer, data] of staged) commands.push({ kind: 'write', ...frame.place(buffer), data: narrowed(data, narrowOf(manifest.buffers[buffer])) });
      if (!started) commands.push(...frame.launch(manifest.begin, steps));
      commands.push(...frame.launch(manifest.step, steps, part));
      if (last) commands.push(...frame.launch(manifest.finish, steps, part));
      const read = (from: B, offset: number, length: number): void => {
        commands.push({ kind: 'read', from, offset, into: used, bytes: length });
        used += length;
      };
      for (const bound of timed) {
        const { buffer, offset } = frame.place(bound.spec.place.buffer);
        pending.push({ bound, at: used, first: at, steps });
        read(buffer, offset, this.#readBytes(bound, rows.count, steps));
      }
      commands.push(...frame.moveOn(steps, lengths));
      if (last && keep) for (const p of frame.kept()) read(p.buffer, 0, p.bytes);
      await machine.submit(commands, keep ? { frame, name } : undefined);
      started = true;
      at += steps;
      submitted.push(steps * rows.count);
      if (at < time) for (const ms of await machine.finished()) this.#learn(submitted.shift() as number, ms);
    }
    return this.#readBack(pending, rows, job, used, kept);
  }

  #learn(rows: number, ms: number): void {
    const rate = (rows * this.#of.plan.work) / Math.max(1, ms);
    this.#work = Math.min(this.#work * 4, Math.max(FIRST_WORK / 16, rate * TILE_MS));
  }

  #row(buffer: number): number {
    const b = this.#of.manifest.buffers[buffer];
    return b && 'row' in b ? b.row : 0;
  }
  #readBytes({ spec }: Bound, rows: number, steps: number): number {
    return 4 * rows * (spec.time ? steps : 1) * this.#row(spec.place.buffer);
  }
  /** The outputs; and the last `kept` of the bytes, for whoever wants them. */
  async #readBack(readings: readonly Reading[], rows: Rows, job: Job, bytes: number, kept = 0): Promise<Uint8Array> {
    if (bytes === 0) return new Uint8Array();
    const floats = await this.machine.fetch(bytes);
    for (const { bound, at, first, steps } of readings) {
      const { spec, data } = bound;
      const row = this.#row(spec.place.buffer);
      const size = sizeOf(spec.shape);
      for (let b = 0; b < rows.count; b++) {
        if (!spec.time) move(true, floats, at / 4 + b * row, row, spec.place, data, (rows.from + b) * size, 1);
        else {
          const n = Math.max(0, Math.min(steps, (job.lengths[rows.from + b] as number) - first));
          move(true, floats, at / 4 + b * steps * row, row, spec.place, data, ((rows.from + b) * job.time + first) * size, n);
        }
      }
    }
    const rest = new Uint8Array(floats.slice((bytes - kept) / 4, bytes / 4).buffer);
    this.machine.release();
    return rest;
  }
  /** What is written to each buffer. Several tensors may share one; what none of them covers is 0. */
  #stage(inputs: readonly Bound[], rows: Rows, job: Job, at: number, steps: number, lengths: Int32Array): Map<number, Float32Array<ArrayBuffer>> {
    const staged = new Map<number, Float32Array<ArrayBuffer>>();
    for (const { spec, data } of inputs) {
      const type = narrowOf(this.#of.manifest.buffers[spec.place.buffer]);
      if (type) demandRange(type, spec, data, rows, job, at, lengths);
      const row = this.#row(spec.place.buffer);
      const size = sizeOf(spec.shape);
      const floats = staged.get(spec.place.buffer) ?? new Float32Array(rows.count * (spec.time ? steps : 1) * row);
      staged.set(spec.place.buffer, floats);
      for (let b = 0; b < rows.count; b++) {
        if (spec.time) move(false, floats, b * steps * row, row, spec.place, data, ((rows.from + b) * job.time + at) * size, lengths[b] as number);
        else move(false, floats, b * row, row, spec.place, data, (rows.from + b) * size, 1);
      }
    }
    return staged;
  }

  /** Puts back what `steps` kept. */
  async restore(frame: Frame<B>, bytes: Uint8Array): Promise<void> {
    let at = 0;
    const commands = frame.kept().map((p): Command<B> => {
      const data = new Float32Array(bytes.slice(at, at + p.bytes).buffer as ArrayBuffer);
      at += p.bytes;
      return { kind: 'write', buffer: p.buffer, offset: 0, data };
    });
    if (commands.length > 0) await this.machine.submit(commands);
  }
}

/** @throws InputError SSM5111 where a value of these steps is past what its type holds. */
function demandRange(type: Narrow, { name, time, shape }: TensorSpec, data: Float32Array, rows: Rows, job: Job, at: number, lengths: Int32Array): void {
  const size = sizeOf(shape);
  for (let b = 0; b < rows.count; b++) {
    const from = (time ? (rows.from + b) * job.time + at : rows.from + b) * size;
    const value = data.subarray(from, from + (time ? (lengths[b] as number) : 1) * size).find((x) => isTooLarge(x, type));
    if (value !== undefined) throw gpuFailure(5111, { name, value, type: narrowTypes[type].name, limit: narrowTypes[type].largest });
  }
}

async function upload<B>(machine: Machine<B>, { manifest, plan, constants }: GpuModel): Promise<Map<number, B>> {
  const arranged = arrangement(manifest, plan, 1, 1);
  const { offsets, sizes, types } = arranged;
  const made = new Map<number, B>();
  const { addresses } = loadLayout(manifest);
  const first = manifest.buffers.findIndex((b) => b.kind === 'constant');
  for (const [a, kind] of plan.arenas.entries()) {
    if (kind !== 'constants') continue;
    const buffer = await machine.allocate(largestIn(manifest, plan, a), arenaBytes(arranged, a));
    made.set(a, buffer);
    const type = types[a];
    const all = new Float32Array(sizes[a] as number);
    manifest.buffers.forEach((b, i) => {
      if (b.kind !== 'constant' || plan.arenaOf[i] !== a) return;
      const from = (addresses[i] as number) - (addresses[first] as number);
      const values = new Float32Array(constants.buffer, constants.byteOffset + from, b.size);
      const value = type && values.find((x) => isTooLarge(x, type));
      if (type && value !== undefined) throw gpuFailure(5009, { name: b.name.replace(/#packed.*$/, ''), value, type: narrowTypes[type].name, limit: narrowTypes[type].largest });
      all.set(values, offsets[i] as number);
    });
    await machine.submit([{ kind: 'write', buffer, offset: 0, data: narrowed(all, type) }]);
  }
  return made;
}
