/** A model on one GPU device: its kernels compiled, its constants uploaded; runs tiles of steps on frames. Lasts as long as the device. */
import { move } from '../copies.js';
import { loadLayout } from '../layout.js';
import type { GpuPlan, Manifest } from '../manifest.js';
import type { Job } from '../runner.js';
import { sizeOf, type Bound } from '../tensors.js';
import type { Connection } from './connection.js';
import { gpuFailure } from './errors.js';
import { arrangement, Frame, keptBytes, largestIn } from './frame.js';
import { MAP_READ, usage, type GpuBuffer, type GpuPipeline } from './gpu.js';

/** Operations of one dispatch, before it is known how fast the device is: a quarter of a second at 0.2 G a second. */
const FIRST_WORK = 5e7;
/** Milliseconds that a tile should take: a long one stops whatever else the GPU has to draw. */
const TILE_MS = 100;
/** Bytes read back with one map at most. */
const READ_BYTES = 128 * 2 ** 20;
/** Tiles begin at multiples of this: chunks of a chunked scan must not depend on how a sequence is cut. */
const UNIT = 64;

export interface SessionOf {
  readonly manifest: Manifest;
  readonly plan: GpuPlan;
  readonly wgsl: string;
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

export class Session {
  readonly connection: Connection;
  readonly #of: SessionOf;
  readonly #constants: ReadonlyMap<number, GpuBuffer>;
  readonly #pipelines: ReadonlyMap<string, GpuPipeline>;
  #read: GpuBuffer | undefined;
  #frame: Frame | undefined;
  /** Operations per dispatch that take about TILE_MS. */
  #work = FIRST_WORK;

  private constructor(connection: Connection, of: SessionOf, constants: ReadonlyMap<number, GpuBuffer>, pipelines: ReadonlyMap<string, GpuPipeline>) {
    this.connection = connection;
    this.#of = of;
    this.#constants = constants;
    this.#pipelines = pipelines;
  }
  /** @throws DeviceError SSM5501 to SSM5503. */
  static async open(connection: Connection, of: SessionOf): Promise<Session> {
    const [pipelines, constants] = [await compile(connection, of), await upload(connection, of)];
    return new Session(connection, of, constants, pipelines);
  }
  dispose(): void {
    this.connection.dispose();
  }
  frame(batch: number, capacity: number): Promise<Frame> {
    const { manifest, plan } = this.#of;
    return Frame.make({ manifest, plan, connection: this.connection, constants: this.#constants, pipelines: this.#pipelines }, batch, capacity);
  }

  /** Whole sequences, as many rows at once as fit. */
  async run(job: Job): Promise<void> {
    const { rows, capacity } = this.#fit(job);
    for (let from = 0; from < job.batch; from += rows) {
      const group = { from, count: Math.min(rows, job.batch - from) };
      let longest = 0;
      for (let b = 0; b < group.count; b++) longest = Math.max(longest, job.lengths[from + b] as number);
      if (this.#frame?.batch !== group.count || this.#frame.capacity < Math.min(capacity, longest)) {
        this.#frame?.dispose();
        this.#frame = undefined;
        this.#frame = await this.frame(group.count, Math.min(capacity, longest));
      }
      await this.steps(this.#frame, job, group, longest, true);
    }
  }
  /** Steps 0 to `time` of the rows, on a frame; `begin`: they are the first of their sequences. */
  async steps(frame: Frame, job: Job, rows: Rows, time: number, begin: boolean): Promise<void> {
    const { manifest } = this.#of;
    const { device } = this.connection;
    const pending: Reading[] = [];
    let used = 0;
    let started = !begin;
    for (let at = 0; at < time;) {
      const steps = this.#tile(frame, time - at);
      const last = at + steps >= time;
      const lengths = Int32Array.from({ length: rows.count }, (_, b) => Math.max(0, Math.min(steps, (job.lengths[rows.from + b] as number) - at)));
      const timed = job.outputs.filter((o) => o.spec.time || last);
      const bytes = timed.reduce((n, o) => n + this.#readBytes(o, rows.count, steps), 0);
      if (used > 0 && used + bytes > READ_BYTES) {
        await this.#readBack(pending.splice(0), rows, job, used);
        used = 0;
      }
      if (used === 0) await this.#ensureRead(Math.max(bytes, Math.min(READ_BYTES, job.outputs.reduce((n, o) => n + this.#readBytes(o, rows.count, time - at), 0))));
      const began = performance.now();
      await this.connection.scoped(manifest.model, 0, () => {
        if (begin && !started) {
          // Before anything is written there: what is written comes before what is only recorded.
          const clearing = device.createCommandEncoder();
          frame.clear(clearing);
          device.queue.submit([clearing.finish()]);
        }
        frame.prepare(steps, lengths);
        for (const bound of job.inputs) if (bound.spec.time ? true : !started) this.#write(frame, bound, rows, job, at, steps, lengths);
        const encoder = device.createCommandEncoder();
        if (!started) frame.record(encoder, manifest.begin, steps);
        frame.record(encoder, manifest.step, steps);
        if (last) frame.record(encoder, manifest.finish, steps);
        for (const bound of timed) {
          const { buffer, offset } = frame.place(bound.spec.place.buffer);
          const length = this.#readBytes(bound, rows.count, steps);
          encoder.copyBufferToBuffer(buffer, offset, this.#read as GpuBuffer, used, length);
          pending.push({ bound, at: used, first: at, steps });
          used += length;
        }
        frame.moveOn(encoder, steps, lengths);
        device.queue.submit([encoder.finish()]);
      });
      started = true;
      at += steps;
      if (at < time) {
        await this.connection.wait(device.queue.onSubmittedWorkDone());
        this.#learn(steps * rows.count, performance.now() - began);
      }
    }
    await this.#readBack(pending, rows, job, used);
  }

  /** Rows and steps at once, by what the device's limits let an arena hold. */
  #fit(job: Job): { rows: number; capacity: number } {
    const { manifest, plan } = this.#of;
    const limit = Math.min(this.connection.device.limits.maxStorageBufferBindingSize, this.connection.device.limits.maxBufferSize);
    const whole = manifest.notStreamable !== undefined;
    let longest = 1;
    for (const n of job.lengths) longest = Math.max(longest, n);
    const fits = (rows: number, steps: number): number => {
      const { sizes } = arrangement(manifest, plan, rows, steps);
      return sizes.findIndex((size, a) => plan.arenas[a] !== 'constants' && 4 * size > limit);
    };
    let capacity = longest;
    while (!whole && capacity > UNIT && fits(1, capacity) >= 0) capacity = Math.max(UNIT, Math.floor(capacity / 2 / UNIT) * UNIT);
    const tight = fits(1, capacity);
    if (tight >= 0) throw gpuFailure(5502, { name: largestIn(manifest, plan, tight), bytes: 4 * (arrangement(manifest, plan, 1, capacity).sizes[tight] as number) });
    // As many rows as one dispatch should take; at least one.
    let rows = Math.min(job.batch, 65535, Math.max(1, Math.floor(this.#work / Math.max(1, plan.work) / Math.min(capacity, UNIT))));
    while (rows > 1 && fits(rows, capacity) >= 0) rows = Math.floor(rows / 2);
    return { rows, capacity };
  }
  #tile(frame: Frame, left: number): number {
    if (this.#of.manifest.notStreamable !== undefined || left <= UNIT) return Math.min(left, frame.capacity);
    const steps = Math.floor(this.#work / Math.max(1, this.#of.plan.work) / frame.batch / UNIT) * UNIT;
    return Math.min(left, Math.max(UNIT, steps), frame.capacity < UNIT ? frame.capacity : Math.floor(frame.capacity / UNIT) * UNIT);
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
  async #ensureRead(bytes: number): Promise<void> {
    if (this.#read && this.#read.size >= bytes) return;
    if (this.#read) this.connection.free(this.#read);
    this.#read = undefined;
    this.#read = await this.connection.buffer('outputs', Math.max(bytes, 1024), usage.mapRead | usage.copyTarget);
  }
  async #readBack(readings: readonly Reading[], rows: Rows, job: Job, bytes: number): Promise<void> {
    const floats = await this.#map(bytes);
    if (!floats) return;
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
    this.#read?.unmap();
  }
  async #map(bytes: number): Promise<Float32Array | undefined> {
    const read = this.#read;
    if (!read || bytes === 0) return undefined;
    await this.connection.wait(read.mapAsync(MAP_READ, 0, bytes));
    return new Float32Array(read.getMappedRange(0, bytes));
  }

  #write(frame: Frame, { spec, data }: Bound, rows: Rows, job: Job, at: number, steps: number, lengths: Int32Array): void {
    const { buffer, offset } = frame.place(spec.place.buffer);
    const row = this.#row(spec.place.buffer);
    const size = sizeOf(spec.shape);
    const staged = this.#staged(spec.place.buffer, rows.count * (spec.time ? steps : 1) * row, job);
    for (let b = 0; b < rows.count; b++) {
      if (spec.time) move(false, staged.floats, b * steps * row, row, spec.place, data, ((rows.from + b) * job.time + at) * size, lengths[b] as number);
      else move(false, staged.floats, b * row, row, spec.place, data, (rows.from + b) * size, 1);
    }
    staged.left--;
    if (staged.left > 0) return;
    this.connection.device.queue.writeBuffer(buffer, offset, staged.floats);
    this.#staging.delete(spec.place.buffer);
  }
  /** Several tensors may share a buffer: it is written once, when all are in place. What none of them covers is 0. */
  readonly #staging = new Map<number, { floats: Float32Array<ArrayBuffer>; left: number }>();
  #staged(buffer: number, size: number, job: Job): { floats: Float32Array<ArrayBuffer>; left: number } {
    const known = this.#staging.get(buffer);
    if (known) return known;
    const made = { floats: new Float32Array(size), left: job.inputs.filter((i) => i.spec.place.buffer === buffer).length };
    this.#staging.set(buffer, made);
    return made;
  }

  // --- what a stream keeps ------------------------------------------------------------------------------------------------

  /** Reads what the frame keeps from step to step. */
  async keep(frame: Frame): Promise<Uint8Array> {
    const parts = frame.kept();
    const total = parts.reduce((n, p) => n + p.bytes, 0);
    if (total === 0) return new Uint8Array();
    await this.#ensureRead(total);
    await this.connection.scoped('state', total, () => {
      const encoder = this.connection.device.createCommandEncoder();
      let at = 0;
      for (const p of parts) {
        encoder.copyBufferToBuffer(p.buffer, 0, this.#read as GpuBuffer, at, p.bytes);
        at += p.bytes;
      }
      this.connection.device.queue.submit([encoder.finish()]);
    });
    const floats = await this.#map(total);
    const bytes = new Uint8Array((floats as Float32Array).slice().buffer);
    this.#read?.unmap();
    return bytes;
  }
  restore(frame: Frame, bytes: Uint8Array): void {
    let at = 0;
    for (const p of frame.kept()) {
      this.connection.device.queue.writeBuffer(p.buffer, 0, new Uint8Array(bytes.slice(at, at + p.bytes)));
      at += p.bytes;
    }
  }
}

/** Bytes that `keep` gives for a batch. */
export function stateBytes(manifest: Manifest, plan: GpuPlan, batch: number): number {
  return keptBytes(plan, arrangement(manifest, plan, batch, 1)).reduce((n, p) => n + p.bytes, 0);
}

/** All pipelines at once: drivers compile them in parallel. @throws DeviceError SSM5503 with the compiler's words. */
async function compile(connection: Connection, { manifest, plan, wgsl }: SessionOf): Promise<Map<string, GpuPipeline>> {
  const used = new Set([...manifest.begin, ...manifest.step, ...manifest.finish].flatMap((l) => (l.kind === 'kernel' ? [plan.entries[l.entry]?.entry ?? l.entry] : [])));
  return connection.scoped('pipelines', 0, async () => {
    const module = connection.device.createShaderModule({ code: wgsl, label: manifest.model });
    const pipelines = await connection.wait(Promise.allSettled([...used].map(async (entry) => [entry, await connection.device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: entry }, label: entry })] as const)));
    const failed = pipelines.find((p) => p.status === 'rejected');
    if (failed) {
      const { messages } = await connection.wait(module.getCompilationInfo());
      const first = messages.find((m) => m.type === 'error');
      throw gpuFailure(5503, { why: first ? `${entryAt(wgsl, first.lineNum)}: ${first.message}` : String((failed as PromiseRejectedResult).reason) }, (failed as PromiseRejectedResult).reason);
    }
    return new Map(pipelines.flatMap((p) => (p.status === 'fulfilled' ? [p.value] : [])));
  });
}
/** The kernel that a line of the module belongs to: its name has the definition of the spec in it. */
function entryAt(wgsl: string, line: number): string {
  const before = wgsl.split('\n').slice(0, line);
  return before.findLast((l) => l.startsWith('fn '))?.match(/^fn (\w+)/)?.[1] ?? 'the module';
}
async function upload(connection: Connection, { manifest, plan, constants }: SessionOf): Promise<Map<number, GpuBuffer>> {
  const { offsets, sizes } = arrangement(manifest, plan, 1, 1);
  const made = new Map<number, GpuBuffer>();
  const { addresses } = loadLayout(manifest);
  const first = manifest.buffers.findIndex((b) => b.kind === 'constant');
  for (const [a, kind] of plan.arenas.entries()) {
    if (kind !== 'constants') continue;
    const buffer = await connection.storage(largestIn(manifest, plan, a), 4 * (sizes[a] as number));
    made.set(a, buffer);
    await connection.scoped('constants', 4 * (sizes[a] as number), () => {
      const all = new Float32Array(sizes[a] as number);
      manifest.buffers.forEach((b, i) => {
        if (b.kind !== 'constant' || plan.arenaOf[i] !== a) return;
        const from = (addresses[i] as number) - (addresses[first] as number);
        all.set(new Float32Array(constants.buffer, constants.byteOffset + from, b.size), offsets[i] as number);
      });
      connection.device.queue.writeBuffer(buffer, 0, all);
    });
  }
  return made;
}
