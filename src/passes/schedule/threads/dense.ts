/**
 * A dense transition's states shared out among threads: each lane of a point has a few rows of the matrix in its registers, and computes their
 * states. What the others made is read in the group's memory, which has two halves: a step reads the states of the last one in one half and
 * leaves its own in the other, so that one barrier a step is enough; a group is as many threads as exchange registers, for which it costs little.
 */
import type { Int, Value } from '../../../ir/kernel.js';
import { visitExpr } from '../../../ir/builder.js';
import type { ExprOf, Index } from '../../../ir/program.js';
import type { Stage } from '../../../ir/stages.js';
import { iadd, imul, int } from '../ints.js';
import type { Writer } from '../writer.js';
import { THREAD, type Access } from './access.js';
import type { StateLoops } from './loops.js';
import type { Threads } from './machine.js';
import { countPoints, divide } from './places.js';
import type { Split } from './split.js';

/** Elements of the matrices that a thread keeps in registers. */
const ELEMENTS = 128;
/** Rows of a batch that a machine is to be filled with. */
const TYPICAL_BATCH = 8;

/** How to share out states of `size` members that each step multiplies by matrices; undefined: not at all. */
export function denseSplitOf(stage: Stage, order: readonly Index[], { size }: StateLoops, machine: Threads): Split | undefined {
  if (machine.exchange === 1 || !isDense(stage, size)) return undefined;
  const points = countPoints(order) * TYPICAL_BATCH;
  const fits = (lanes: number): boolean => size % lanes === 0 && lanes <= machine.exchange;
  let lanes = 1;
  while (fits(2 * lanes) && ((size / lanes) * size > ELEMENTS || 2 * points * lanes <= machine.toFill)) lanes *= 2;
  return lanes > 1 && (size / lanes) * size <= ELEMENTS ? { size, lanes, run: size % (4 * lanes) === 0 ? 4 : 1, dense: true } : undefined;
}
/** Every state has one axis of this size, which it is computed along, one member after another, from all of those of the last step; nothing else is long. */
function isDense(stage: Stage, size: number): boolean {
  const along = (i: Index): boolean => i.axis.size === size && !stage.domain.includes(i);
  const own = new Set(stage.items.map((i) => i.def));
  let ok = stage.states.length > 0 && stage.states.every((s) => s.depth === 1 && !s.inPlace && stage.items.find((i) => i.def === s.def)?.inner.some(along));
  for (const item of stage.items) {
    if (item.inner.filter(along).length > 1) return false;
    visitExpr(item.body, (e) => {
      if (e.kind === 'reduce' && (e.over === 'time' || e.op === 'last')) ok = false;
      if (e.kind === 'read') ok &&= isPlain(e, along, own.has(e.def));
    });
  }
  return ok;
}
/** What this stage makes is read where it was made, all of it; of anything else, along each axis a part of a longer one will do. */
function isPlain({ at, time }: ExprOf<'read'>, along: (i: Index) => boolean, own: boolean): boolean {
  const used = at.filter((a) => a.terms.some((t) => along(t.index)));
  // Lanes are all at one step.
  if (time?.terms.some((t) => along(t.index))) return false;
  return used.every((a) => a.terms.length === 1 && a.terms[0]?.coefficient === 1 && (!own || a.constant === 0)) && (!own || used.length <= 1);
}

/** A state's values of the last step and of this one, of each of a group's points, in its memory. */
export class SharedStates {
  readonly #w: Writer;
  readonly #memory: string;
  readonly #strides: readonly number[];
  readonly #cells: number;
  /** Which of the group's points a thread is of; and from lane 0's place to its own. */
  readonly #point: Int;
  readonly #lane: Int;

  /** `cells` elements by `strides`, of which axis `shared` is the one that lanes share out. */
  constructor(w: Writer, access: Access, name: string, shape: { readonly cells: number; readonly strides: readonly number[]; readonly shared: number }, { lanes, run }: Split, machine: Threads) {
    const apart = machine.exchange / lanes;
    this.#w = w;
    this.#cells = shape.cells;
    this.#strides = shape.strides;
    this.#memory = access.memory(name, 2 * shape.cells * apart, 'group');
    w.mutable(this.#memory);
    const { quotient, rest } = divide(THREAD, apart);
    this.#point = w.int('mine', rest);
    this.#lane = imul(w.int('lane', quotient), run * (shape.strides[shape.shared] as number));
  }
  #at(half: Int, cell: Int): Int {
    return iadd(imul(this.#point, 2 * this.#cells), imul(half, this.#cells), cell);
  }
  #cell(members: readonly Int[]): Int {
    return members.reduce<Int>((at, p, d) => iadd(at, imul(p, this.#strides[d] as number)), int(0));
  }
  /** What any lane's members were before step `t`. */
  before(t: Int, members: readonly Int[]): Value {
    return { kind: 'load', buffer: this.#memory, at: this.#at(divide(t, 2).rest, this.#cell(members)), access: 'uniform' };
  }
  /** What this lane's member, given by that of lane 0, is after step `t`. */
  after(t: Int, members: readonly Int[], value: Value): void {
    this.#w.store(this.#memory, this.#at(iadd(int(1), imul(divide(t, 2).rest, -1)), iadd(this.#cell(members), this.#lane)), value, 'one');
  }
  /** What this lane's cells, given by those of lane 0, are before the first step, `t`. */
  begin(t: Int, cells: readonly (readonly [cell: number, value: Value])[]): void {
    for (const [cell, value] of cells) this.#w.store(this.#memory, this.#at(divide(t, 2).rest, iadd(int(cell), this.#lane)), value, 'one');
  }
}
