/**
 * A product's slabs on machines that copy while they compute: a group's memory has two halves, and the next slab is under way during this
 * one's multiply-adds, with one barrier a slab. What depends on the row lies as it does in memory, the reduced axis contiguous, so that four of
 * its members are copied and read at once; what depends on the column lies column beside column.
 *
 * What a buffer doesn't hold as it is needed (a function of it, numbers of another type) is computed and stored one slab ahead instead.
 *
 * A memory of two bytes an element is read as tiles of 16 by 16 (tensor.ts): members past the end of the reduced axis are 0 in it.
 */
import type { Cond, Int, Stored } from '../../../ir/kernel.js';
import type { Expr, Index } from '../../../ir/program.js';
import { num, type Expressions } from '../expressions.js';
import { iadd, icompare, imax, imin, imul, int, ivar } from '../ints.js';
import type { Env, Envs } from '../places.js';
import type { Writer } from '../writer.js';
import { THREAD, type Access } from './access.js';
import { linear } from './linear.js';
import { divide } from './places.js';
import { stored as inMemory } from './sums.js';

/** A part of a sum's body that depends on rows, or on columns. */
export interface Operand {
  readonly leaf: Expr;
  readonly over: Index;
  readonly along: 'row' | 'column';
  readonly memory: string;
}
export interface Slabs {
  readonly operands: readonly Operand[];
  /** Rows and columns of the group's tile, members of the reduced axis in all and in a slab, threads. */
  readonly rows: number;
  readonly columns: number;
  readonly size: number;
  readonly depth: number;
  readonly threads: number;
  readonly stored: Stored;
  readonly lane: Index;
  /** The tile's first row and column, and rows in all. */
  readonly row0: Int;
  readonly column0: Int;
  readonly allRows: Int;
  /** Of an operand at a row. */
  readonly env: (row: Int) => Env;
  /** Rows of the tile that are wanted, by their place in it; all where nothing is said. */
  readonly wanted?: (place: Int) => Cond;
}
interface Parts {
  readonly writer: Writer;
  readonly envs: Envs;
  readonly access: Access;
  readonly expressions: Expressions;
}

/** Elements of the longest copy. */
const longest = (stored: Stored): 4 | 8 => (stored === 'f32' ? 4 : 8);
/** From one row of a slab to the next: a copy's length more than there is, so that neighbouring rows lie in different banks. */
export const rowStride = (depth: number, stored: Stored): number => depth + longest(stored);
/** From one member to the next of what depends on the column: tiles are read across eight members at once. */
export const memberStride = (columns: number, stored: Stored): number => (stored === 'f32' ? columns : columns + longest(stored));
/** Numbers of a slab's half. */
export const halfOf = (along: Operand['along'], rows: number, columns: number, depth: number, stored: Stored): number => (along === 'row' ? rows * rowStride(depth, stored) : depth * memberStride(columns, stored));
/** Halves that slabs take. */
export const halvesOf = (size: number, depth: number): number => (size > depth ? 2 : 1);
/** Members of a tile: what a memory of two bytes an element has whole ones of. */
export const TILE = 16;
const membersOf = ({ size, stored }: Slabs): number => (stored === 'f32' ? size : TILE * Math.ceil(size / TILE));

/** `compute` adds the members of a slab, which lies in this half of the memories; how many there are. */
export function slabsAhead(s: Slabs, p: Parts, compute: (half: Int, count: Int) => void): void {
  const { writer: w } = p;
  const { depth } = s;
  const size = membersOf(s);
  const bring = (k0: Int, half: Int): void => { for (const o of s.operands) new Bringing(s, p, o).write(k0, half); };
  for (const o of s.operands) w.mutable(o.memory);
  bring(int(0), int(0));
  w.commit();
  if (halvesOf(size, depth) === 1) {
    w.await(0);
    w.barrier();
    compute(int(0), int(size));
    return;
  }
  w.loop('k', int(0), int(size), depth, {}, (k0) => {
    const half = w.int('half', { kind: 'imod', left: { kind: 'idiv', left: k0, by: depth }, by: 2 });
    // A slab is there, and nobody reads the other half any more.
    w.await(0);
    w.barrier();
    const next = iadd(k0, int(depth));
    w.branch(icompare('lt', next, int(size)), () => bring(next, w.int('other', iadd(int(1), imul(half, -1)))), () => undefined);
    w.commit();
    compute(half, size % depth === 0 ? int(depth) : imin(int(depth), iadd(int(size), imul(k0, -1))));
  });
}

/** One operand's part of a slab; past the end of rows, columns or the reduced axis the last one again, which nothing uses, or 0. */
class Bringing {
  readonly #s: Slabs;
  readonly #p: Parts;
  readonly #o: Operand;

  constructor(s: Slabs, p: Parts, o: Operand) {
    this.#s = s;
    this.#p = p;
    this.#o = o;
  }
  #at(row: Int, k: Int, column: Int): Env {
    const { envs } = this.#p;
    const { lane, env } = this.#s;
    const at = envs.bind(env(row), this.#o.over, { int: k, lane: false });
    return this.#o.along === 'column' ? envs.bind(at, lane, { int: column, lane: false }) : at;
  }
  /** Members, or columns, that lie side by side at a multiple of so many; 0: nothing can be copied. */
  #width(): 0 | 1 | 2 | 4 | 8 {
    const { along, leaf } = this.#o;
    const { size, lane, stored } = this.#s;
    const [row, k, column] = ['?row', '?k', '?column'];
    const element = this.#p.access.element(leaf, this.#at(ivar(row), ivar(k), ivar(column)), stored);
    if (!element) return 0;
    const address = linear(element.at);
    const side = along === 'row' ? k : column;
    const lies = (by: number): boolean => address?.terms.get(side) === 1 && address.constant % by === 0 && [...address.terms].every(([name, c]) => name === side || c % by === 0);
    if (stored === 'f32') return (along === 'row' ? size : lane.axis.size) % 4 === 0 && lies(4) ? 4 : 1;
    return lies(8) ? 8 : lies(2) ? 2 : 0;
  }
  /** Elements of a copy that are in the operand: the rest of a tile is 0. */
  #count(width: number, k: Int, column: Int): Int | undefined {
    const { size, depth, columns, lane, stored } = this.#s;
    if (stored === 'f32') return undefined;
    const inside = (at: Int, end: number): Int => imax(imin(int(width), iadd(int(end), imul(at, -1))), int(0));
    if (this.#o.along === 'row') return size % depth === 0 ? undefined : inside(k, size);
    const across = lane.axis.size % columns === 0 ? undefined : inside(column, lane.axis.size);
    return size % depth === 0 ? across : { kind: 'iselect', cond: icompare('lt', k, int(size)), then: across ?? int(width), else: int(0) };
  }
  write(k0: Int, half: Int): void {
    const { writer: w } = this.#p;
    const { depth, rows, columns, stored, threads, wanted } = this.#s;
    const { along } = this.#o;
    const isRow = along === 'row';
    const copied = this.#width();
    const width = Math.max(1, copied);
    w.loop('q', THREAD, int((depth * (isRow ? rows : columns)) / width), threads, { unroll: true }, (q) => {
      const split = divide(q, (isRow ? depth : columns) / width);
      const [slow, fast] = [split.quotient, imul(split.rest, width)];
      const kk = w.int('kk', isRow ? fast : slow);
      const place = w.int('at', isRow ? slow : fast);
      const to = iadd(imul(half, halfOf(along, rows, columns, depth, stored)), isRow ? iadd(imul(place, rowStride(depth, stored)), kk) : iadd(imul(kk, memberStride(columns, stored)), place));
      const put = (): void => this.#put(to, copied, iadd(k0, kk), place);
      if (isRow && wanted) w.branch(wanted(place), put, () => undefined);
      else put();
    });
  }
  #put(to: Int, copied: 0 | 1 | 2 | 4 | 8, member: Int, place: Int): void {
    const { writer: w, access, expressions } = this.#p;
    const { depth, size, columns, lane, row0, column0, allRows, stored } = this.#s;
    const { along, leaf, memory } = this.#o;
    const width = Math.max(1, copied);
    // A copy begins inside, all of it where nothing says how much of it is.
    const inside = (e: Int, count: number, tile: number, by: number): Int => (count % tile === 0 ? e : imin(e, int(stored === 'f32' ? count - by : by * Math.floor((count - 1) / by))));
    const k = w.int('kx', inside(member, size, depth, along === 'row' ? width : 1));
    const row = along === 'row' ? w.int('from', imin(iadd(row0, place), iadd(allRows, int(-1)))) : int(0);
    const beside = iadd(column0, place);
    const column = along === 'row' ? int(0) : w.int('from', inside(beside, lane.axis.size, columns, width));
    const env = this.#at(row, k, column);
    const element = copied === 0 ? undefined : access.element(leaf, env, stored);
    if (element && copied !== 0) {
      w.copy(memory, to, access.touch(element.buffer, 'read'), element.at, copied, this.#count(copied, member, beside));
      return;
    }
    const value = w.let(inMemory(leaf, w.let(expressions.value(leaf, env))));
    w.store(memory, to, stored === 'f32' || size % depth === 0 ? value : w.let({ kind: 'select', cond: w.let({ kind: 'from-cond', cond: icompare('lt', member, int(size)) }), then: value, else: num(0) }), 'one');
  }
}
