/**
 * Matrix products on a machine with threads: a group computes a tile of rows × columns, each thread a few of both, over the reduced
 * axis in slabs that the group brings into its memory: what depends on the row, and what depends on the column, once each. Whatever
 * the stage does with the sums follows in the same kernel.
 *
 * Where there are no more rows than threads along them (a push of a step), a slab would serve too few to be worth its barriers: each
 * thread that has a row reads what it needs itself. The sums have the same order, so that how a sequence is cut changes no bit.
 */
import type { Cond, Int, Kernel, Value } from '../../../ir/kernel.js';
import type { DefinitionId, Expr, Index } from '../../../ir/program.js';
import type { Item, Stage } from '../../../ir/stages.js';
import { num, type Expressions, type Task } from '../expressions.js';
import { iadd, icompare, imin, imul, int, roundUp } from '../ints.js';
import type { Layout } from '../layout.js';
import type { Env, Envs } from '../places.js';
import type { Writer } from '../writer.js';
import { THREAD, type Access } from './access.js';
import { halfOf, halvesOf, rowStride, slabsAhead, type Operand } from './ahead.js';
import type { Threads } from './machine.js';
import { neighbour, type PairStores } from './pairs.js';
import { bindPoint, divide, tileOfGroup } from './places.js';
import { restored, stored, sumsOf, type Sum } from './sums.js';

export interface Tiling {
  readonly lane: Index;
  readonly outer: readonly Index[];
  readonly size: number;
  readonly sums: readonly Sum[];
  /** Threads along rows and along columns, and what each computes. */
  readonly threads: { readonly rows: number; readonly columns: number };
  readonly each: { readonly rows: number; readonly columns: number };
  /** Members of the reduced axis in a slab. */
  readonly depth: number;
  /** Columns of a thread lie side by side, and rows of a slab at multiples of four, for loads of four numbers. */
  readonly wide: boolean;
  /** The next slab is copied during this one's multiply-adds (ahead.ts). */
  readonly ahead: boolean;
}
interface Context {
  readonly stage: Stage;
  readonly writer: Writer;
  readonly envs: Envs;
  readonly access: Access;
  /** Where a thread's neighbouring columns are stored together. */
  readonly stores: PairStores | undefined;
  readonly expressions: Expressions;
  readonly rows: Int;
}

const COLUMNS = 4;
const ROWS = 4;
/** Members of the reduced axis that are worth larger tiles where copies are under way meanwhile: what a thread reads of the group's memory serves twice as many sums. */
const LONG = 32;
/** Accumulators of one thread at most. */
const REGISTERS = 64;

/** Groups that a core is to hold at once: threads enough that some multiply while others wait. */
const RESIDENT = 6;

/** How to tile a stage, if it is a product of rows and load-time columns; `together`: columns that one thread has to store at once. */
export function tilingOf(stage: Stage, lane: Index | undefined, order: readonly Index[], items: ReadonlyMap<DefinitionId, Item>, layout: Layout, machine: Threads, together: number): Tiling | undefined {
  const found = lane && sumsOf(stage, lane, order, items, layout);
  if (!found) return undefined;
  const { sums, size } = found;
  // Small groups: many of them fit a core, and a barrier waits for few.
  const threads = { rows: 8, columns: 8 };
  const ahead = machine.copies && together === 1;
  const large = ahead && size >= LONG;
  // A second set of columns where few of them would lie past the end; fewer where there are no more, and more rows instead.
  const enough = machine.wide ? COLUMNS : Math.min(COLUMNS, roundUp(Math.ceil(lane.axis.size / threads.columns), together));
  const columns = large && roundUp(lane.axis.size, 2 * COLUMNS * threads.columns) <= 1.25 * lane.axis.size ? 2 * COLUMNS : enough;
  const each = { rows: Math.max(1, Math.min(large || enough <= COLUMNS / 2 ? 2 * ROWS : ROWS, Math.floor(REGISTERS / columns / sums.length))), columns };
  const tile = { rows: threads.rows * each.rows, columns: threads.columns * columns };
  const slab = (along: 'row' | 'column', d: number): number => {
    if (ahead) return halvesOf(size, d) * halfOf(along, tile.rows, tile.columns, d, 'f32');
    return d * (along === 'row' ? tile.rows + padOf(machine.wide) : tile.columns);
  };
  const bytes = (d: number): number => 4 * sums.reduce((n, s) => n + s.rowLeaves.length * slab('row', d) + s.columnLeaves.length * slab('column', d), 0);
  const depth = [16, 8].find((d) => bytes(d) <= machine.sharedWorth) ?? (bytes(4) <= machine.shared ? 4 : undefined);
  if (depth === undefined) return undefined;
  return { lane, outer: order.filter((i) => i !== lane), size, sums, threads, each, depth, wide: machine.wide, ahead };
}

/** Beside a row of a slab: what is written down a column goes to different banks of the memory. */
const padOf = (wide: boolean): number => (wide ? 4 : 1);

export function tileContraction(t: Tiling, c: Context): NonNullable<Kernel['grid']> {
  return new Tile(t, c).write();
}

class Tile {
  readonly #t: Tiling;
  readonly #c: Context;
  readonly #tileRows: number;
  readonly #tileColumns: number;
  readonly #count: number;
  #row0: Int = int(0);
  #column0: Int = int(0);
  #ly: Int = int(0);
  #lx: Int = int(0);
  /** Where a thread's first row stands in the tile. */
  #first: Int = int(0);
  /** Each thread has one row at most; undefined where it never has more. */
  #few: Cond | undefined;

  constructor(t: Tiling, c: Context) {
    this.#t = t;
    this.#c = c;
    this.#tileRows = t.threads.rows * t.each.rows;
    this.#tileColumns = t.threads.columns * t.each.columns;
    this.#count = t.threads.rows * t.threads.columns;
  }

  write(): NonNullable<Kernel['grid']> {
    const { writer: w } = this.#c;
    const { lane, outer, threads } = this.#t;
    const { row, column, matrix, groups } = tileOfGroup(w, lane, outer, this.#tileRows, this.#tileColumns);
    this.#row0 = row;
    this.#column0 = column;
    const split = divide(THREAD, threads.columns);
    this.#ly = w.int('ly', split.quotient);
    this.#lx = w.int('lx', split.rest);
    const { each } = this.#t;
    if (each.rows > 1) this.#few = icompare('le', iadd(this.#c.rows, imul(this.#row0, -1)), int(threads.rows));
    this.#first = this.#t.ahead ? this.#ly : w.int('first', this.#few ? imul(this.#ly, { kind: 'iselect', cond: this.#few, then: int(1), else: int(each.rows) }) : this.#ly);
    const base = bindPoint(w, this.#c.envs, this.#c.envs.root(int(0)), outer, w.int('matrix', matrix));
    const accumulators = this.#sums(base);
    this.#epilogue(base, accumulators);
    return { threads: this.#count, lanes: 1, groups, batches: 1, ...(this.#t.ahead ? { resident: RESIDENT } : {}) };
  }
  #at(base: Env, row: Int): Env {
    return this.#c.envs.atRow(base, row);
  }
  get #rowStride(): number {
    return this.#tileRows + padOf(this.#t.wide);
  }
  #row(i: number): Int {
    return iadd(this.#row0, this.#first, int(i * this.#between));
  }
  /** Rows from one of a thread's to the next: neighbours read neighbours where the reduced axis is contiguous in the group's memory. */
  get #between(): number {
    return this.#t.ahead ? this.#t.threads.rows : 1;
  }
  /** A thread has row `i`. */
  #has(i: number): Cond {
    const { rows } = this.#c;
    return icompare('lt', this.#row(i), i > 0 && this.#few && !this.#t.ahead ? { kind: 'iselect', cond: this.#few, then: int(0), else: rows } : rows);
  }
  #column(j: number): Int {
    return iadd(this.#column0, this.#columnIn(j));
  }

  /** The same, or where that lies past the end the last one; of columns that end together, the last of these. */
  #inside(j: number): Int {
    const { size } = this.#t.lane.axis;
    if (size % this.#tileColumns === 0) return this.#column(j);
    if (this.#together === 1) return imin(this.#column(j), int(size - 1));
    const k = j % COLUMNS;
    return iadd(imin(this.#column(j - k), int(size - COLUMNS)), int(k));
  }
  /** Columns that lie side by side and are all there, or none of them. */
  get #together(): number {
    return this.#t.wide && this.#t.lane.axis.size % COLUMNS === 0 ? COLUMNS : 1;
  }

  /** Columns of a thread lie apart, so that neighbours read neighbours; in pairs where they are stored so, side by side where they are read so. */
  #columnIn(j: number): Int {
    const { columns } = this.#t.threads;
    if (this.#t.wide) return iadd(imul(this.#lx, COLUMNS), int(COLUMNS * columns * Math.floor(j / COLUMNS) + (j % COLUMNS)));
    if (!this.#c.stores) return iadd(this.#lx, int(j * columns));
    return iadd(imul(this.#lx, 2), int(2 * columns * Math.floor(j / 2) + (j % 2)));
  }

  /** Names of the accumulators, by sum, row and column. */
  #sums(base: Env): string[][][] {
    const { writer: w } = this.#c;
    const { sums, each } = this.#t;
    const accumulators = sums.map(() => Array.from({ length: each.rows }, () => Array.from({ length: each.columns }, () => w.variable('acc', num(0)))));
    const slabs = this.#t.ahead ? this.#ahead(accumulators, base) : this.#slabs(accumulators, base);
    if (this.#few) w.branch(this.#few, () => w.branch(this.#has(0), () => this.#alone(accumulators, base), () => undefined), slabs);
    else slabs();
    return accumulators;
  }
  /** Each slab brought, waited for, and added. */
  #slabs(accumulators: readonly string[][][], base: Env): () => void {
    const { writer: w, access } = this.#c;
    const { sums, each, size, depth } = this.#t;
    const rowMemory = new Map(sums.flatMap((s) => s.rowLeaves).map((leaf) => [leaf, access.memory('$rows', depth * this.#rowStride, 'group')]));
    const columnMemory = new Map(sums.flatMap((s) => s.columnLeaves).map((leaf) => [leaf, access.memory('$columns', depth * this.#tileColumns, 'group')]));
    return () => w.loop('k', int(0), int(size), depth, {}, (k0) => {
      w.barrier();
      for (const [leaf, memory] of rowMemory) this.#bring(leaf, memory, base, k0, 'row');
      for (const [leaf, memory] of columnMemory) this.#bring(leaf, memory, base, k0, 'column');
      w.barrier();
      w.branch(this.#has(0), () => w.loop('kk', int(0), size % depth === 0 ? int(depth) : imin(int(depth), iadd(int(size), imul(k0, -1))), 1, {}, (kk) => {
        this.#add(accumulators, each.rows, {
          row: (leaf, i) => this.#load(leaf, rowMemory.get(leaf) as string, iadd(imul(kk, this.#rowStride), imul(this.#ly, each.rows), int(i))),
          column: (leaf, j) => this.#load(leaf, columnMemory.get(leaf) as string, iadd(imul(kk, this.#tileColumns), this.#columnIn(j))),
        });
      }), () => undefined);
    });
  }
  /** The same with the next slab under way meanwhile; four members of a row are read at once. */
  #ahead(accumulators: readonly string[][][], base: Env): () => void {
    const { writer: w, envs, access, expressions } = this.#c;
    const { sums, each, size, depth, lane } = this.#t;
    const [rows, columns] = [this.#tileRows, this.#tileColumns];
    const operands = new Map(sums.flatMap((s) => [...s.rowLeaves.map((leaf) => [leaf, 'row'] as const), ...s.columnLeaves.map((leaf) => [leaf, 'column'] as const)].map(([leaf, along]): [Expr, Operand] => [leaf, {
      leaf, along, over: s.e.over as Index, memory: access.memory(along === 'row' ? '$rows' : '$columns', halvesOf(size, depth) * halfOf(along, rows, columns, depth, 'f32'), 'group'),
    }])));
    const compute = (half: Int, count: Int): void => {
      const at = (leaf: Expr, offset: Int): Value => {
        const { memory, along } = operands.get(leaf) as Operand;
        return this.#load(leaf, memory, iadd(imul(half, halfOf(along, rows, columns, depth, 'f32')), offset));
      };
      const member = (kk: Int): void => this.#add(accumulators, each.rows, {
        row: (leaf, i) => at(leaf, iadd(imul(iadd(this.#ly, int(i * this.#between)), rowStride(depth, 'f32')), kk)),
        column: (leaf, j) => at(leaf, iadd(imul(kk, columns), this.#columnIn(j))),
      });
      const four = size % 4 === 0;
      w.loop('kk', int(0), count, four ? 4 : 1, {}, (kk) => {
        if (four) w.loop('u', int(0), int(4), 1, { unroll: true }, (u) => member(iadd(kk, u)));
        else member(kk);
      });
    };
    const slabs = { operands: [...operands.values()], rows, columns, size, depth, lane, stored: 'f32' as const, threads: this.#count, row0: this.#row0, column0: this.#column0, allRows: this.#c.rows, env: (row: Int) => this.#at(base, row) };
    return () => slabsAhead(slabs, { writer: w, envs, access, expressions }, compute);
  }
  #load(leaf: Expr, buffer: string, at: Int): Value {
    const { writer: w } = this.#c;
    return w.let(restored(leaf, w.let({ kind: 'load', buffer, at, access: 'uniform' })));
  }
  /** The sums of a thread's only row, of what it reads itself. */
  #alone(accumulators: readonly string[][][], base: Env): void {
    const { writer: w, envs, expressions } = this.#c;
    const { lane, size, sums, each } = this.#t;
    const at = this.#at(base, w.int('row', this.#row(0)));
    const columns = Array.from({ length: each.columns }, (_, j) => w.int('column', this.#inside(j)));
    w.loop('k', int(0), int(size), 1, {}, (k) => {
      const value = (leaf: Expr, env: Env): Value => {
        const { e } = sums.find((s) => s.rowLeaves.includes(leaf) || s.columnLeaves.includes(leaf)) as Sum;
        return w.let(expressions.value(leaf, envs.bind(env, e.over as Index, { int: k, lane: false })));
      };
      this.#add(accumulators, 1, { row: (leaf) => value(leaf, at), column: (leaf, j) => value(leaf, envs.bind(at, lane, { int: columns[j] as Int, lane: false })) });
    });
  }
  /** One member of the reduced axis, to the sums of the first `rows` rows. */
  #add(accumulators: readonly string[][][], rows: number, leaf: { readonly row: (leaf: Expr, i: number) => Value; readonly column: (leaf: Expr, j: number) => Value }): void {
    const { sums, each } = this.#t;
    for (let i = 0; i < rows; i++) for (let j = 0; j < each.columns; j++) sums.forEach((s, q) => {
      const name = accumulators[q]?.[i]?.[j] as string;
      const plus: Value = { kind: 'reg', name };
      const value = (x: Expr): Value => this.#combine(x, (e) => (s.rowLeaves.includes(e) ? leaf.row(e, i) : s.columnLeaves.includes(e) ? leaf.column(e, j) : undefined));
      const { body } = s.e;
      this.#c.writer.set(name, body.kind === 'binary' && body.op === 'mul'
        ? { kind: 'muladd', left: value(body.left), right: value(body.right), plus }
        : { kind: 'binary', op: 'add', left: plus, right: value(body) });
    });
  }
  /** A sum's body over values of its leaves. */
  #combine(e: Expr, leaf: (e: Expr) => Value | undefined): Value {
    const w = this.#c.writer;
    const known = leaf(e);
    if (known) return known;
    const go = (x: Expr): Value => this.#combine(x, leaf);
    switch (e.kind) {
      case 'const': return num(e.value);
      case 'binary': if (e.op !== 'complex') return w.let({ kind: 'binary', op: e.op, left: go(e.left), right: go(e.right) }); break;
      case 'select': return w.let({ kind: 'select', cond: go(e.cond), then: go(e.then), else: go(e.else) });
      default:
    }
    throw new Error(`a sum's body holds \`${e.kind}\` above its leaves`);
  }
  /** A slab of a leaf into the group's memory; past the end of rows, columns or the reduced axis the last one again, which nothing uses. */
  #bring(leaf: Expr, memory: string, base: Env, k0: Int, along: 'row' | 'column'): void {
    const { writer: w, envs, rows, expressions } = this.#c;
    const { depth, size, lane, sums } = this.#t;
    const tile = along === 'row' ? this.#tileRows : this.#tileColumns;
    const over = sums.find((s) => s.rowLeaves.includes(leaf) || s.columnLeaves.includes(leaf))?.e.over as Index;
    w.loop('q', THREAD, int(depth * tile), this.#count, {}, (q) => {
      // Rows lie along the reduced axis, columns along themselves: neighbours read neighbours.
      const split = along === 'row' ? divide(q, depth) : divide(q, tile);
      const kk = w.int('kk', along === 'row' ? split.rest : split.quotient);
      const place = w.int('at', along === 'row' ? split.quotient : split.rest);
      const to = along === 'row' ? iadd(imul(kk, this.#rowStride), place) : iadd(imul(kk, tile), place);
      const where = along === 'row' ? imin(iadd(this.#row0, place), iadd(rows, int(-1))) : imin(iadd(this.#column0, place), int(lane.axis.size - 1));
      const row = along === 'row' ? w.int('from', where) : int(0);
      const k = iadd(k0, kk);
      let env = envs.bind(this.#at(base, row), over, { int: w.int('kx', size % depth === 0 ? k : imin(k, int(size - 1))), lane: false });
      if (along === 'column') env = envs.bind(env, lane, { int: w.int('from', where), lane: false });
      w.store(memory, to, w.let(stored(leaf, w.let(expressions.value(leaf, env)))), 'one');
    });
  }

  #epilogue(base: Env, accumulators: readonly string[][][]): void {
    const { writer: w, stage, expressions, access, stores, envs } = this.#c;
    const { each, lane, sums } = this.#t;
    const whole = lane.axis.size % this.#tileColumns === 0;
    for (let i = 0; i < each.rows; i++) w.branch(this.#has(i), () => {
      const at = this.#at(base, w.int('row', this.#row(i)));
      const compute = (columns: readonly number[]): void => {
        const points = columns.map((j) => {
          const first = w.int('column', this.#column(stores ? j - (j % 2) : j));
          return envs.bind(at, lane, { int: stores && j % 2 === 1 ? w.int('column', whole ? this.#column(j) : neighbour(first, lane)) : first, lane: false });
        });
        points.forEach((env, k) => sums.forEach((s, q) => {
          const total: Value = { kind: 'reg', name: accumulators[q]?.[i]?.[columns[k] as number] as string };
          w.note(expressions.reductionKey(s.e, env), s.e.op === 'mean' ? w.let({ kind: 'binary', op: 'div', left: total, right: num(this.#t.size) }) : total);
        }));
        expressions.run(points.flatMap((env, k) => stage.items.filter((x) => stage.stored.has(x.def)).map((item): Task => ({
          inner: item.inner, body: item.body, env, sink: (v, to) => (stores ? stores.store(item, v, to, k % 2, (f) => f()) : access.store(item, v, to)),
        }))));
      };
      const all = Array.from({ length: each.columns }, (_, j) => j);
      if (whole) compute(all);
      else if (stores) for (let j = 0; j < each.columns; j += 2) w.branch(icompare('lt', this.#column(j), int(lane.axis.size)), () => compute([j, j + 1]), () => undefined);
      else for (let j = 0; j < each.columns; j += this.#together) w.branch(icompare('lt', this.#column(j), int(lane.axis.size)), () => compute(all.slice(j, j + this.#together)), () => undefined);
    }, () => undefined);
  }
}
