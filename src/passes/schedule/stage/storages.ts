/**
 * Where a stage's recurrence keeps what goes from step to step: its states in carry memory and, of a chunked one, each chunk's sum from a zero
 * state, the state that it starts with and the product of its transitions. Addresses only; `states.ts` writes the accesses.
 */
import type { Int } from '../../../ir/kernel.js';
import type { Index } from '../../../ir/program.js';
import type { Item, KeptState, Stage } from '../../../ir/stages.js';
import type { ChunkStep, ProductEntry } from '../../chunk-step.js';
import { iadd, imul, int } from '../ints.js';
import { rowMajor, type Layout, type StateStorage } from '../layout.js';
import { placeOf, type Env } from '../places.js';
import type { Shape } from '../shape.js';

/**
 * The whole recurrence; or, of a chunked one, the summary of each chunk from a zero state, the states that chunks begin with, and the
 * second pass from these.
 */
export type Part = { readonly kind: 'whole' } | { readonly kind: 'summary' | 'carry' | 'apply'; readonly step: ChunkStep };

/** Where an index stands inside its block of cells, and how far apart neighbouring lanes are. */
export interface CellPlace {
  readonly int: Int;
  readonly lane: number;
}
/** An element, and how far apart the lanes read it. */
export interface Element {
  readonly at: Int;
  readonly lane: number;
}

export class Storages {
  readonly #stage: Stage;
  readonly #layout: Layout;
  readonly #lanes: number;
  readonly #shape: Shape;
  readonly #part: Part;

  constructor(stage: Stage, layout: Layout, lanes: number, shape: Shape, part: Part) {
    this.#stage = stage;
    this.#layout = layout;
    this.#lanes = lanes;
    this.#shape = shape;
    this.#part = part;
  }
  /** Where this part of the recurrence keeps a state: in carry memory, or of its chunk the sum from zero, or the running state. */
  state(s: KeptState): StateStorage {
    switch (this.#part.kind) {
      case 'whole': case 'carry': return this.home(s);
      case 'summary': return this.chunkState(s, 'sum');
      case 'apply': return this.chunkState(s, 'start');
    }
  }
  chunkState(s: KeptState, which: 'sum' | 'start'): StateStorage {
    return this.#layout.chunkState(this.home(s), which);
  }
  product(q: ProductEntry): StateStorage {
    const { cells } = this.#cellsOf(this.#elementwise(), this.#shape.lane !== undefined);
    return this.#layout.chunkMemory(`${this.#stage.name}#product.${q.row}.${q.column}`, { cells, slots: 1, row: cells * this.#points() });
  }

  /** Where the slots of `env`'s domain point begin, in a row: a sequence's, or a chunk's. */
  point(storage: StateStorage, env: Env, row: Int): Int {
    const block = storage.cells * storage.slots;
    const tile = this.#lanes * this.#shape.vectors;
    let at: Int = imul(row, storage.row);
    let stride = block;
    for (const i of this.#stage.domain.toReversed()) {
      const place = placeOf(env, i);
      if (i === this.#shape.lane) {
        // base is a multiple of the tile: base / tile · block is exact.
        at = iadd(at, block % tile === 0 ? imul(place.tile?.base ?? place.int, (stride / tile)) : int(0));
        stride *= Math.ceil(i.axis.size / tile);
      } else {
        at = iadd(at, imul(place.int, stride));
        stride *= i.axis.size;
      }
    }
    return at;
  }
  stateElement(s: KeptState, env: Env, row: Int, inner: readonly CellPlace[], slot: Int, storage = this.state(s)): Element {
    const item = this.#stage.items.find((i) => i.def === s.def) as Item;
    const { strides, cells } = this.#cells(item);
    const first = s.inPlace ? 1 : 0;
    const base = iadd(this.point(storage, env, row), imul(iadd(slot, int(-first)), cells));
    return this.#cell(base, strides, inner, env, this.#hasLane(item));
  }
  productElement(q: ProductEntry, env: Env, row: Int, inner: readonly CellPlace[]): Element & { readonly buffer: string } {
    const storage = this.product(q);
    const laned = this.#shape.lane !== undefined;
    const { strides } = this.#cellsOf(this.#elementwise(), laned);
    return { buffer: storage.buffer, ...this.#cell(this.point(storage, env, row), strides, inner, env, laned) };
  }

  /** Where the state lies between tiles. */
  home(s: KeptState): StateStorage {
    const item = this.#stage.items.find((i) => i.def === s.def) as Item;
    return this.#layout.state(this.#stage, s.def, this.#cells(item).cells, this.#points(), s.depth, s.inPlace);
  }
  #elementwise(): readonly Index[] {
    return this.#part.kind === 'whole' ? [] : this.#part.step.elementwise;
  }
  #hasLane(item: Item): boolean {
    return this.#shape.lane !== undefined && item.indices.includes(this.#shape.lane);
  }
  #cells(item: Item): { strides: readonly number[]; cells: number } {
    return this.#cellsOf(item.inner, this.#hasLane(item));
  }
  #cellsOf(inner: readonly Index[], laned: boolean): { strides: readonly number[]; cells: number } {
    const sizes = inner.map((i) => i.axis.size);
    if (laned) {
      const tile = this.#lanes * this.#shape.vectors;
      return { strides: rowMajor(sizes).map((s) => s * tile), cells: sizes.reduce((n, s) => n * s, 1) * tile };
    }
    const order = this.#shape.laneLoops ? sizes.map((s, k) => (k === sizes.length - 1 ? Math.ceil(s / this.#lanes) * this.#lanes : s)) : sizes;
    const cells = order.reduce((n, s) => n * s, 1);
    return { strides: rowMajor(order), cells: Math.ceil(cells / this.#lanes) * this.#lanes };
  }
  /** Points of the domain, lane tiles as one. */
  #points(): number {
    const tile = this.#lanes * this.#shape.vectors;
    return this.#stage.domain.reduce((n, i) => n * (i === this.#shape.lane ? Math.ceil(i.axis.size / tile) : i.axis.size), 1);
  }
  #cell(base: Int, strides: readonly number[], inner: readonly CellPlace[], env: Env, laned: boolean): Element {
    let at = base;
    let lane = 0;
    inner.forEach((p, k) => { at = iadd(at, imul(p.int, strides[k] as number)); lane += p.lane * (strides[k] as number); });
    if (laned) {
      at = iadd(at, int((placeOf(env, this.#shape.lane as Index).tile?.vector ?? 0) * this.#lanes));
      lane += 1;
    }
    return { at, lane };
  }
}
