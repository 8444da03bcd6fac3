/** One memory and the kernels on it: tiles of steps, histories, and the kept state of whoever runs. Knows no users' types. */
import { gather, scatter } from './copies.js';
import { failure } from './errors.js';
import { constantsRange, ensure, runLayout, type Layout } from './layout.js';
import { callKernel, instantiate, type Exports, type WasmModule } from './load.js';
import type { BufferId, Launch, Manifest } from './manifest.js';
import type { Bound } from './tensors.js';
import { sizeOf } from './tensors.js';

/** Who has run last: its kept state is still in memory. */
export interface Occupant {
  /** Called before another takes the memory: `bytes` is a copy of what it must keep. */
  readonly evict: (bytes: Uint8Array) => void;
}

export class Engine {
  readonly manifest: Manifest;
  readonly #memory: WebAssembly.Memory;
  readonly #exports: Exports;
  #layout: Layout | undefined;
  #shape = { batch: 0, steps: 0 };
  #occupant: Occupant | undefined;

  constructor(manifest: Manifest, module: WasmModule, constants: Uint8Array) {
    this.manifest = manifest;
    this.#memory = new WebAssembly.Memory({ initial: 1 });
    const { from, to } = constantsRange(manifest);
    ensure(this.#memory, to);
    new Uint8Array(this.#memory.buffer).set(constants, from);
    this.#exports = instantiate(module, this.#memory);
  }
  get #floats(): Float32Array {
    return new Float32Array(this.#memory.buffer);
  }
  get bytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** Takes the memory for a batch and tiles of at most `steps`; whoever had it saves what it keeps. */
  enter(occupant: Occupant, batch: number, steps: number): void {
    const { kept } = this.#layout ?? { kept: { from: 0, to: 0 } };
    if (this.#occupant && this.#occupant !== occupant) this.#occupant.evict(new Uint8Array(this.#memory.buffer.slice(kept.from, kept.to)));
    this.#occupant = occupant;
    if (this.#layout && this.#shape.batch === batch && this.#shape.steps >= steps) return;
    const layout = runLayout(this.manifest, batch, steps);
    ensure(this.#memory, layout.bytes);
    this.#layout = layout;
    this.#shape = { batch, steps };
  }
  holds(occupant: Occupant): boolean {
    return this.#occupant === occupant;
  }
  leave(occupant: Occupant): void {
    if (this.#occupant === occupant) this.#occupant = undefined;
  }
  get #here(): Layout {
    if (!this.#layout) throw failure('SSM5203', { why: 'nothing has entered the memory' });
    return this.#layout;
  }
  /** Carries and what is alive for one call. */
  keep(): Uint8Array {
    const { kept } = this.#here;
    return new Uint8Array(this.#memory.buffer.slice(kept.from, kept.to));
  }
  restore(bytes: Uint8Array): void {
    new Uint8Array(this.#memory.buffer).set(bytes, this.#here.kept.from);
  }
  keptBytes(batch: number): number {
    const { kept } = runLayout(this.manifest, batch, 1);
    return kept.to - kept.from;
  }

  /** The state before the first step; inputs without time are placed first. */
  begin(inputs: readonly Bound[], rows: { from: number; count: number }): void {
    const { kept } = this.#here;
    new Uint8Array(this.#memory.buffer).fill(0, kept.from, kept.to);
    for (const { spec, data } of inputs) {
      if (spec.time) continue;
      const size = sizeOf(spec.shape);
      scatter(this.#floats, this.#address(spec.place.buffer), this.#row(spec.place.buffer), spec.place, data, rows.from * size, rows.count);
    }
    this.#run(this.manifest.begin, rows.count, 1, 0);
  }
  /** One tile: inputs in, kernels, outputs out. Row b of the batch is row `rows.from + b` of the tensors. */
  step(tile: { inputs: readonly Bound[]; outputs: readonly Bound[]; rows: { from: number; count: number }; time: number; at: number; steps: number; t0: number; lengths: Int32Array }): void {
    const { rows, time, at, steps } = tile;
    const inside = new Int32Array(this.#memory.buffer, this.#here.lengths, rows.count);
    for (let b = 0; b < rows.count; b++) inside[b] = Math.max(0, Math.min(steps, (tile.lengths[rows.from + b] as number) - at));
    const floats = this.#floats;
    for (const { spec, data } of tile.inputs) {
      if (!spec.time) continue;
      const { buffer } = spec.place;
      const row = this.#row(buffer);
      const size = sizeOf(spec.shape);
      for (let b = 0; b < rows.count; b++) {
        const n = inside[b] as number;
        const to = this.#address(buffer) + b * steps * row;
        scatter(floats, to, row, spec.place, data, ((rows.from + b) * time + at) * size, n);
        if (n < steps) blank(floats, to + n * row, row, spec.place, steps - n);
      }
    }
    this.#run(this.manifest.step, rows.count, steps, tile.t0);
    const now = this.#floats;
    for (const { spec, data } of tile.outputs) {
      if (!spec.time) continue;
      const { buffer } = spec.place;
      const row = this.#row(buffer);
      const size = sizeOf(spec.shape);
      for (let b = 0; b < rows.count; b++) gather(data, ((rows.from + b) * time + at) * size, now, this.#address(buffer) + b * steps * row, row, spec.place, inside[b] as number);
    }
  }
  /** Outputs without time, as if the sequence ended here. */
  finish(outputs: readonly Bound[], rows: { from: number; count: number }): void {
    this.#run(this.manifest.finish, rows.count, 1, 0);
    const floats = this.#floats;
    for (const { spec, data } of outputs) {
      if (spec.time) continue;
      const { buffer } = spec.place;
      gather(data, rows.from * sizeOf(spec.shape), floats, this.#address(buffer), this.#row(buffer), spec.place, rows.count);
    }
  }
  /** In floats. */
  #address(buffer: BufferId): number {
    return (this.#here.addresses[buffer] as number) / 4;
  }
  #row(buffer: BufferId): number {
    const b = this.manifest.buffers[buffer];
    return b && 'row' in b ? b.row : 0;
  }
  #run(launches: readonly Launch[], batch: number, steps: number, t0: number): void {
    const layout = this.#here;
    const scalars = { B: batch, T: steps, R: batch * steps, t0, lengths: layout.lengths };
    for (const l of launches) {
      if (l.kind === 'history') this.#history(l, batch, steps);
      else callKernel(l, this.#exports, layout.addresses, scalars);
    }
  }
  /** carry = the last `depth` rows of (carry ++ rows). */
  #history(l: Extract<Launch, { kind: 'history' }>, batch: number, steps: number): void {
    const floats = this.#floats;
    const row = this.#row(l.rows);
    const lengths = new Int32Array(this.#memory.buffer, this.#here.lengths, batch);
    for (let b = 0; b < batch; b++) {
      const n = lengths[b] as number;
      const carry = this.#address(l.carry) + b * l.depth * row;
      const rows = this.#address(l.rows) + b * steps * row;
      const kept = Math.max(0, l.depth - n);
      floats.copyWithin(carry, carry + (l.depth - kept) * row, carry + l.depth * row);
      floats.copyWithin(carry + kept * row, rows + (n - (l.depth - kept)) * row, rows + n * row);
    }
  }
}
/** Padded steps are zeros: what was there before could be anything. */
function blank(target: Float32Array, at: number, row: number, place: { runs: number; length: number; stride: number; offset: number }, count: number): void {
  for (let i = 0; i < count; i++) for (let r = 0; r < place.runs; r++) {
    const from = at + i * row + place.offset + r * place.stride;
    target.fill(0, from, from + place.length);
  }
}
