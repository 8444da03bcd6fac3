/** A compiled model on its CPU build: the launches that the manifest lists, tile after tile, as a device would be given them. */
import { spawnSync } from 'node:child_process';
import type { CudaModule } from '../../src/compile.js';
import type { Doubles } from '../../src/cli/tensors.js';
import { compileModule, computeConstants, openWeights } from '../../src/runtime/load.js';
import { constantsRange, loadLayout } from '../../src/runtime/layout.js';
import { move } from '../../src/runtime/copies.js';
import type { BufferSpec, GpuPlan, Launch, Manifest, TensorSpec } from '../../src/runtime/manifest.js';
import { grownOf, launchedFor, narrowOf, widthOf } from '../../src/runtime/gpu/arrangement.js';
import { narrowed } from '../../src/runtime/gpu/halves.js';
import { sizeOf } from '../../src/runtime/tensors.js';
import { runner } from './library.js';

export interface Job {
  readonly weights: ReadonlyMap<string, Doubles>;
  readonly inputs: ReadonlyMap<string, Doubles>;
  readonly lengths?: readonly number[] | undefined;
  /** Steps of a tile; all of them where the model needs the future. */
  readonly tile?: number;
}
/** Before the names of the model's kernels in the library. */
export async function emulate(library: string, prefix: string, { manifest, load }: Pick<CudaModule, 'manifest' | 'load'>, job: Job): Promise<Map<string, { readonly shape: readonly number[]; readonly data: Float32Array }>> {
  const constants = computeConstants(manifest, await compileModule(load), await openWeights(Object.fromEntries(job.weights)));
  return new Emulation(library, prefix, manifest, constants, job).run();
}

const LENGTHS = -1;

/** What the program that follows scripts is told. */
export type Command =
  | { readonly allocate: number; readonly bytes: number }
  | { readonly write: number; readonly bytes: Uint8Array }
  /** An argument is [1, a buffer] or [0, an integer]. */
  | { readonly launch: string; readonly grid: readonly number[]; readonly threads: number; readonly arguments: readonly (readonly number[])[] }
  | { readonly read: number }
  /** Row bytes, depth, steps, and the steps of each sequence. */
  | { readonly move: number; readonly to: number; readonly width: number; readonly depth: number; readonly steps: number; readonly lengths: readonly number[] };
export function scriptOf(commands: readonly Command[]): Uint8Array {
  return Buffer.concat(commands.flatMap((c) => {
    const head = (letter: string, ...numbers: readonly number[]): Uint8Array[] => [Buffer.from(letter), new Uint8Array(Int32Array.from(numbers).buffer)];
    if ('allocate' in c) return head('A', c.allocate, c.bytes);
    if ('write' in c) return [...head('W', c.write, 0, c.bytes.length), c.bytes];
    if ('read' in c) return head('R', c.read);
    if ('move' in c) return head('H', c.move, c.to, c.width, c.depth, c.steps, c.lengths.length, ...c.lengths);
    return [...head('L', c.launch.length), Buffer.from(c.launch), new Uint8Array(Int32Array.from([...c.grid, c.threads, c.arguments.length, ...c.arguments.flat()]).buffer)];
  }));
}

class Emulation {
  readonly #script: Command[] = [];
  readonly #manifest: Manifest;
  readonly #job: Job;
  readonly #library: string;
  readonly #prefix: string;
  readonly #batch: number;
  readonly #time: number;
  readonly #lengths: readonly number[];
  readonly #tile: number;
  readonly #grown: ReadonlySet<number>;
  /** What is read back: a tensor, of which step on, how many. */
  readonly #readings: { readonly spec: TensorSpec; readonly first: number; readonly steps: number }[] = [];

  constructor(library: string, prefix: string, manifest: Manifest, constants: Uint8Array, job: Job) {
    this.#library = library;
    this.#prefix = prefix;
    this.#manifest = manifest;
    this.#grown = grownOf(manifest, constants, loadLayout(manifest).addresses);
    this.#job = job;
    const timed = manifest.inputs.find((i) => i.time);
    this.#batch = (manifest.inputs[0] ? job.inputs.get(manifest.inputs[0].name)?.shape[0] : undefined) ?? job.lengths?.length ?? 1;
    this.#time = (timed && job.inputs.get(timed.name)?.shape[1]) ?? 1;
    this.#lengths = job.lengths ?? Array.from({ length: this.#batch }, () => this.#time);
    this.#tile = manifest.notStreamable === undefined ? Math.min(job.tile ?? this.#time, this.#time) : this.#time;
    this.#allocate(constants);
  }
  #allocate(constants: Uint8Array): void {
    const { addresses } = loadLayout(this.#manifest);
    const { from } = constantsRange(this.#manifest);
    this.#script.push({ allocate: LENGTHS, bytes: 4 * this.#batch });
    this.#manifest.buffers.forEach((b, id) => {
      const size = this.#sizeOf(b);
      if (size < 0) return;
      this.#script.push({ allocate: id, bytes: widthOf(b) * size });
      const at = (addresses[id] as number) - from;
      if (b.kind === 'constant') this.#write(id, this.#stored(id, new Float32Array(constants.slice(at, at + 4 * b.size).buffer)));
      if (b.kind === 'carry') this.#write(id, new Uint8Array(widthOf(b) * size));
    });
  }
  #sizeOf(b: BufferSpec): number {
    if (b.kind === 'load') return -1;
    if (b.kind === 'constant') return b.size;
    const rows = b.kind === 'rows' ? this.#tile : b.kind === 'chunks' ? Math.ceil(this.#tile / b.steps) : 1;
    return this.#batch * rows * b.row;
  }
  /** As the buffer holds it. */
  #stored(id: number, floats: Float32Array<ArrayBuffer>): Uint8Array {
    return new Uint8Array(narrowed(floats, narrowOf(this.#manifest.buffers[id])).buffer);
  }
  #write(id: number, bytes: Uint8Array): void {
    this.#script.push({ write: id, bytes: bytes.slice() });
  }

  run(): Map<string, { shape: readonly number[]; data: Float32Array }> {
    const { inputs, outputs, begin, step, finish } = this.#manifest;
    this.#place(inputs.filter((i) => !i.time), 0, 1, []);
    // Smaller tiles are pushes, which convolutions have no part in.
    const convolved = this.#tile === (this.#manifest.notStreamable === undefined ? Math.min(this.#time, this.#manifest.gpu?.convolved ?? 0) : this.#time);
    let at = 0;
    while (at < this.#time) {
      const steps = Math.min(this.#tile, this.#time - at);
      const lengths = this.#lengths.map((n) => Math.max(0, Math.min(steps, n - at)));
      const last = at + steps >= this.#time;
      this.#write(LENGTHS, new Uint8Array(Int32Array.from(lengths).buffer));
      this.#place(inputs.filter((i) => i.time), at, steps, lengths);
      if (at === 0) this.#launches(begin, steps, lengths);
      this.#launches(step, steps, lengths, at === 0 && convolved ? (last && steps <= (this.#manifest.gpu?.convolved ?? steps) ? 0 : 1) : 2);
      if (last) this.#launches(finish, steps, lengths);
      for (const spec of outputs) if (spec.time || last) {
        this.#script.push({ read: spec.place.buffer });
        this.#readings.push({ spec, first: at, steps });
      }
      at += steps;
    }
    const { status, stdout, stderr, error } = spawnSync(runner(this.#library), [this.#library], { input: scriptOf(this.#script), maxBuffer: 2 ** 30 });
    if (status !== 0) throw new Error(`${error?.message ?? ''}${stderr.toString()}`);
    return this.#results(stdout);
  }
  /** Inputs into their buffers; several may share one. */
  #place(specs: readonly TensorSpec[], at: number, steps: number, lengths: readonly number[]): void {
    for (const buffer of new Set(specs.map((s) => s.place.buffer))) {
      const row = this.#row(buffer);
      const floats = new Float32Array(this.#batch * steps * row);
      for (const spec of specs.filter((s) => s.place.buffer === buffer)) {
        const data = Float32Array.from(this.#job.inputs.get(spec.name)?.data ?? []);
        const size = sizeOf(spec.shape);
        for (let b = 0; b < this.#batch; b++) {
          if (spec.time) move(false, floats, b * steps * row, row, spec.place, data, (b * this.#time + at) * size, lengths[b] as number);
          else move(false, floats, b * row, row, spec.place, data, b * size, 1);
        }
      }
      this.#write(buffer, this.#stored(buffer, floats));
    }
  }
  #row(buffer: number): number {
    const b = this.#manifest.buffers[buffer];
    return b && 'row' in b ? b.row : 0;
  }
  #launches(launches: readonly Launch[], steps: number, lengths: readonly number[], part = 2): void {
    const plan = this.#manifest.gpu as GpuPlan;
    for (const l of launches) {
      if (l.kind === 'history') this.#script.push({ move: l.rows, to: l.carry, width: widthOf(this.#manifest.buffers[l.rows]) * this.#row(l.rows), depth: l.depth, steps, lengths });
      if (l.kind !== 'kernel' || !l.grid || steps < (l.grid.from ?? 0) || !launchedFor(l, part, this.#grown)) continue;
      const of = { R: this.#batch * steps, T: steps, B: this.#batch, 1: 1 }[l.grid.of];
      const groups = l.grid.times * Math.ceil((of * l.grid.each) / l.grid.per);
      const { entry, threads = 1 } = plan.entries[l.entry] as GpuPlan['entries'][string];
      const scalars = { B: this.#batch, T: steps, R: this.#batch * steps, t0: 0, part: 2, lengths: LENGTHS };
      this.#script.push({
        launch: this.#prefix + entry, grid: [groups, l.grid.batches === 'B' ? this.#batch : 1], threads,
        arguments: l.arguments.map((a) => ('buffer' in a ? [1, a.buffer] : [a.scalar === 'lengths' ? 1 : 0, scalars[a.scalar]])),
      });
    }
  }
  #results(bytes: Buffer): Map<string, { shape: readonly number[]; data: Float32Array }> {
    const all = new Float32Array(new Uint8Array(bytes).buffer);
    const out = new Map(this.#manifest.outputs.map((spec) => {
      const shape = [this.#batch, ...(spec.time ? [this.#time] : []), ...spec.shape];
      return [spec.name, { shape, data: new Float32Array(sizeOf(shape)) }] as const;
    }));
    let from = 0;
    for (const { spec, first, steps } of this.#readings) {
      const row = this.#row(spec.place.buffer);
      const { data } = out.get(spec.name) as { data: Float32Array };
      const size = sizeOf(spec.shape);
      for (let b = 0; b < this.#batch; b++) {
        const n = Math.max(0, Math.min(steps, (this.#lengths[b] as number) - first));
        if (spec.time) move(true, all, from + b * steps * row, row, spec.place, data, (b * this.#time + first) * size, n);
        else move(true, all, from + b * row, row, spec.place, data, b * size, 1);
      }
      from += this.#sizeOf(this.#manifest.buffers[spec.place.buffer] as BufferSpec);
    }
    return out;
  }
}
