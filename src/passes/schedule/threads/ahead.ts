/**
 * A product's slabs on machines that copy while they compute: a group's memory has two halves, and the next slab is under way during this
 * one's multiply-adds, with one barrier a slab. What depends on the row lies as it does in memory, the reduced axis contiguous, so that four of
 * its members are copied and read at once; what depends on the column lies column beside column.
 *
 * What a buffer doesn't hold as it is needed (a function of it, other numbers than float32) is computed and stored one slab ahead instead.
 */
import type { Int } from '../../../ir/kernel.js';
import type { Expr, Index } from '../../../ir/program.js';
import type { Expressions } from '../expressions.js';
import { iadd, icompare, imin, imul, int, ivar } from '../ints.js';
import type { Env, Envs } from '../places.js';
import type { Writer } from '../writer.js';
import { THREAD, type Access } from './access.js';
import { linear } from './linear.js';
import { divide } from './places.js';

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
  readonly lane: Index;
  /** The tile's first row and column, and rows in all. */
  readonly row0: Int;
  readonly column0: Int;
  readonly allRows: Int;
  /** Of an operand at a row. */
  readonly env: (row: Int) => Env;
}
interface Parts {
  readonly writer: Writer;
  readonly envs: Envs;
  readonly access: Access;
  readonly expressions: Expressions;
}

/** From one row of a slab to the next: four more than there is, so that neighbouring rows lie in different banks. */
export const rowStride = (depth: number): number => depth + 4;
/** Numbers of a slab's half. */
export const halfOf = (along: Operand['along'], rows: number, columns: number, depth: number): number => (along === 'row' ? rows * rowStride(depth) : depth * columns);
/** Halves that slabs take. */
export const halvesOf = (size: number, depth: number): number => (size > depth ? 2 : 1);

/** `compute` adds the members of a slab, which lies in this half of the memories; how many there are. */
export function slabsAhead(s: Slabs, p: Parts, compute: (half: Int, count: Int) => void): void {
  const { writer: w } = p;
  const { size, depth } = s;
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

/** One operand's part of a slab; past the end of rows, columns or the reduced axis the last one again, which nothing uses. */
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
  /** Four members, or columns, lie side by side at a multiple of four. */
  #isWide(): boolean {
    const { along, leaf } = this.#o;
    const { size, lane } = this.#s;
    const [row, k, column] = ['?row', '?k', '?column'];
    const element = this.#p.access.element(leaf, this.#at(ivar(row), ivar(k), ivar(column)));
    const address = element && linear(element.at);
    if (!address || (along === 'row' ? size : lane.axis.size) % 4 !== 0 || address.constant % 4 !== 0) return false;
    const side = along === 'row' ? k : column;
    return address.terms.get(side) === 1 && [...address.terms].every(([name, c]) => name === side || c % 4 === 0);
  }
  write(k0: Int, half: Int): void {
    const { writer: w, access, expressions } = this.#p;
    const { depth, size, rows, columns, lane, row0, column0, allRows } = this.#s;
    const { along, leaf, memory } = this.#o;
    const isRow = along === 'row';
    const width = this.#isWide() ? 4 : 1;
    w.loop('q', THREAD, int((depth * (isRow ? rows : columns)) / width), this.#s.threads, { unroll: true }, (q) => {
      const split = divide(q, (isRow ? depth : columns) / width);
      const [slow, fast] = [split.quotient, imul(split.rest, width)];
      const kk = w.int('kk', isRow ? fast : slow);
      const place = w.int('at', isRow ? slow : fast);
      const to = iadd(imul(half, halfOf(along, rows, columns, depth)), isRow ? iadd(imul(place, rowStride(depth)), kk) : iadd(imul(kk, columns), place));
      const inside = (e: Int, count: number, tile: number, by: number): Int => (count % tile === 0 ? e : imin(e, int(count - by)));
      const k = w.int('kx', inside(iadd(k0, kk), size, depth, isRow ? width : 1));
      const row = isRow ? w.int('from', imin(iadd(row0, place), iadd(allRows, int(-1)))) : int(0);
      const column = isRow ? int(0) : w.int('from', inside(iadd(column0, place), lane.axis.size, columns, width));
      const env = this.#at(row, k, column);
      const element = access.element(leaf, env);
      if (element) w.copy(memory, to, access.touch(element.buffer, 'read'), element.at, width);
      else w.store(memory, to, w.let(expressions.value(leaf, env)), 'one');
    });
  }
}
