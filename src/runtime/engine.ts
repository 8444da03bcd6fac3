/** One memory and the kernels on it: tiles of steps, histories, and the kept state of whoever runs. Knows no users' types. */
import { move } from './copies.js';
import { constantsRange, ensure, runLayout } from './layout.js';
import { callKernel, instantiate, type WasmModule } from './load.js';
import type { BufferId, Launch, Manifest } from './manifest.js';
import type { Bound } from './tensors.js';
import { sizeOf } from './tensors.js';

/** Who has run last: its kept state is still in memory. */
export interface Occupant {
  /** Called before another takes the memory: `bytes` is a copy of what it must keep. */
  readonly evict: (bytes: Uint8Array) => void;
}

/** Rows `from` to `from + count` of a batch. */
export interface Rows {
  readonly from: number;
  readonly count: number;
}
/** Steps `at` to `at + steps` of tensors that have `time` of them; `t0` steps came before. */
interface Tile {
  readonly rows: Rows;
  readonly time: number;
  readonly at: number;
  readonly steps: number;
  readonly lengths: Int32Array;
}

export interface Engine {
  readonly bytes: () => number;
  /** Takes the memory for a batch and tiles of at most `steps`; whoever had it saves what it keeps. */
  readonly enter: (occupant: Occupant, batch: number, steps: number) => void;
  readonly holds: (occupant: Occupant) => boolean;
  readonly leave: (occupant: Occupant) => void;
  /** A copy of the carries and of what is alive for one call. */
  readonly keep: () => Uint8Array;
  readonly restore: (bytes: Uint8Array) => void;
  readonly keptBytes: (batch: number) => number;
  /** The state before the first step; inputs without time are placed first. */
  readonly begin: (inputs: readonly Bound[], rows: Rows) => void;
  /** One tile: inputs in, kernels, outputs out. Row b of the batch is row `rows.from + b` of the tensors. */
  readonly step: (tile: Tile & { readonly inputs: readonly Bound[]; readonly outputs: readonly Bound[]; readonly t0: number; readonly part: number | boolean }) => void;
  /** Outputs without time, as if the sequence ended here. */
  readonly finish: (outputs: readonly Bound[], rows: Rows) => void;
}

/** A closure, not a class: a third less code once minified. */
export function makeEngine(manifest: Manifest, module: WasmModule, constants: Uint8Array): Engine {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const { from, to } = constantsRange(manifest);
  ensure(memory, to);
  new Uint8Array(memory.buffer).set(constants, from);
  const exports = instantiate(module, memory);
  let layout = runLayout(manifest, 0, 0);
  let shape = { batch: 0, steps: 0 };
  let inside: Occupant | undefined;

  const kept = (): Uint8Array => new Uint8Array(memory.buffer).subarray(layout.kept.from, layout.kept.to);
  const keep = (): Uint8Array => kept().slice();
  const floats = (): Float32Array => new Float32Array(memory.buffer);
  const lengthsOf = (count: number): Int32Array => new Int32Array(memory.buffer, layout.lengths, count);
  /** In floats. */
  const addressOf = (buffer: BufferId): number => (layout.addresses[buffer] as number) / 4;
  const rowOf = (buffer: BufferId): number => (manifest.buffers[buffer] as { readonly row?: number }).row ?? 0;

  /** Tensors to their places or, `out`, from there: those with time for a tile, those without where there is none. */
  function moveAll(out: boolean, bounds: readonly Bound[], rows: Rows, tile?: Tile): void {
    const { time, at, steps } = tile ?? { time: 1, at: 0, steps: 1 };
    const all = floats();
    const lengths = lengthsOf(rows.count);
    for (const { spec: { place, shape, time: timed }, data } of bounds) {
      if (timed !== !!tile) continue;
      const row = rowOf(place.buffer);
      const size = sizeOf(shape);
      for (let b = 0; b < rows.count; b++) {
        const n = tile ? lengths[b] as number : 1;
        const to = addressOf(place.buffer) + b * steps * row;
        move(out, all, to, row, place, data, ((rows.from + b) * time + at) * size, n);
        // Padded steps are zeros: what was there before could be anything.
        if (!out && n < steps) move(out, all, to + n * row, row, place, new Float32Array((steps - n) * size), 0, steps - n);
      }
    }
  }
  function runAll(launches: readonly Launch[], batch: number, steps = 1, tile?: { readonly t0: number; readonly part: number | boolean }): void {
    const { addresses, lengths } = layout;
    for (const l of launches) {
      if (l.kind === 'history') history(l, batch, steps);
      else if (l.kind === 'kernel') callKernel(l, exports, addresses, { ...tile, B: batch, T: steps, R: batch * steps, lengths } as Readonly<Record<string, number>>);
    }
  }
  /** carry = the last `depth` rows of (carry ++ rows). */
  function history(l: Extract<Launch, { kind: 'history' }>, batch: number, steps: number): void {
    const all = floats();
    const row = rowOf(l.rows);
    const depth = l.depth * row;
    lengthsOf(batch).forEach((length, b) => {
      const n = length * row;
      const carry = addressOf(l.carry) + b * depth;
      const rows = addressOf(l.rows) + b * steps * row;
      const kept = Math.max(0, depth - n);
      all.copyWithin(carry, carry + depth - kept, carry + depth);
      all.copyWithin(carry + kept, rows + n - depth + kept, rows + n);
    });
  }

  return {
    bytes: () => memory.buffer.byteLength,
    enter(occupant, batch, steps) {
      if (inside !== occupant) {
        inside?.evict(keep());
        inside = undefined;
      }
      if (shape.batch !== batch || shape.steps < steps) {
        const next = runLayout(manifest, batch, steps);
        ensure(memory, next.bytes);
        layout = next;
        shape = { batch, steps };
      }
      inside = occupant;
    },
    holds: (occupant) => inside === occupant,
    leave(occupant) {
      if (inside === occupant) inside = undefined;
    },
    keep,
    restore: (bytes) => kept().set(bytes),
    keptBytes(batch) {
      const { kept } = runLayout(manifest, batch, 1);
      return kept.to - kept.from;
    },
    begin(inputs, rows) {
      kept().fill(0);
      moveAll(false, inputs, rows);
      runAll(manifest.begin, rows.count);
    },
    step(tile) {
      const { rows, at, steps } = tile;
      lengthsOf(rows.count).forEach((_, b, inside) => (inside[b] = Math.max(0, Math.min(steps, (tile.lengths[rows.from + b] as number) - at))));
      moveAll(false, tile.inputs, rows, tile);
      runAll(manifest.step, rows.count, steps, tile);
      moveAll(true, tile.outputs, rows, tile);
    },
    finish(outputs, rows) {
      runAll(manifest.finish, rows.count);
      moveAll(true, outputs, rows);
    },
  };
}
