/**
 * Matrix products of what is stored in two bytes, where a warp can multiply tiles of it (`machine.tensor`): four warps of a group compute 32 rows
 * by 32 columns each, or half as many of either, over slabs that are copied ahead (ahead.ts). Sums are float32, and what the stage does with them
 * follows in the same kernel.
 *
 * Each operand is read by tiles as it is stored. One that is computed from what is stored is rounded once more, as an activation of its own is: in bfloat16
 * always; in float16 only where it is no larger than what it is computed from, since a sum's part may not be infinite that isn't in float32.
 *
 * A push of few rows goes the same way, its other rows not computed, because sums of tiles have an order of their own: how a sequence is cut changes no bit.
 */
import type { Cond, Int, Kernel, Narrow, Stmt, Tiles, Value } from '../../../ir/kernel.js';
import { children } from '../../../ir/builder.js';
import type { DefinitionId, Expr, Index } from '../../../ir/program.js';
import type { Item, Stage } from '../../../ir/stages.js';
import { num, type Expressions, type Task } from '../expressions.js';
import { iadd, icompare, imul, int, roundUp } from '../ints.js';
import type { Layout } from '../layout.js';
import type { Env, Envs } from '../places.js';
import type { Writer } from '../writer.js';
import { THREAD, type Access } from './access.js';
import { halfOf, halvesOf, memberStride, rowStride, slabsAhead, TILE, type Operand } from './ahead.js';
import type { Threads } from './machine.js';
import { bindPoint, divide, tileOfGroup } from './places.js';
import { sumsOf, type Sum } from './sums.js';

interface Product {
  readonly sum: Sum;
  readonly row: Expr;
  readonly column: Expr;
}
export interface TensorTiling {
  readonly lane: Index;
  readonly outer: readonly Index[];
  readonly size: number;
  readonly stored: Narrow;
  readonly products: readonly Product[];
  /** Tiles of a warp. */
  readonly each: { readonly rows: number; readonly columns: number };
  /** Members of the reduced axis in a slab. */
  readonly depth: number;
}
interface Context {
  readonly stage: Stage;
  readonly writer: Writer;
  readonly envs: Envs;
  readonly access: Access;
  readonly expressions: Expressions;
  readonly rows: Int;
}

/** Warps of a group along rows and along columns, and the threads of one. */
const WARPS = 2;
const WARP = 32;
/** Registers for sums of one thread at most. */
const REGISTERS = 64;

/** How to tile a stage for products of tiles, if all its sums are such. */
export function tensorTilingOf(stage: Stage, lane: Index | undefined, order: readonly Index[], items: ReadonlyMap<DefinitionId, Item>, layout: Layout, machine: Threads): TensorTiling | undefined {
  const stored = layout.wanted;
  if (stored === 'f32' || !machine.tensor?.includes(stored) || !machine.copies) return undefined;
  const found = lane && lane.axis.size >= TILE ? sumsOf(stage, lane, order, items, layout) : undefined;
  if (!found || found.size < TILE) return undefined;
  const products = found.sums.map((s) => productOf(s, stored, layout));
  if (!products.every((p) => p !== undefined)) return undefined;
  // A second tile of columns where that leaves no more of them past the end.
  const columns = lane && roundUp(lane.axis.size, 2 * WARPS * TILE) === roundUp(lane.axis.size, WARPS * TILE) ? 2 : 1;
  const perTile = (TILE * TILE) / WARP;
  const rows = [2, 1].find((r) => products.length * r * columns * perTile <= REGISTERS);
  if (!lane || rows === undefined) return undefined;
  const { size } = found;
  const tile = { rows: WARPS * TILE * rows, columns: WARPS * TILE * columns };
  const bytes = (d: number): number => 2 * products.length * halvesOf(size, d) * (halfOf('row', tile.rows, tile.columns, d, stored) + halfOf('column', tile.rows, tile.columns, d, stored));
  const depth = [2 * TILE, TILE].find((d) => bytes(d) <= machine.shared);
  if (depth === undefined) return undefined;
  return { lane, outer: order.filter((i) => i !== lane), size, stored, products, each: { rows, columns }, depth };
}

/** Σ row · column, both as they are stored or to be rounded so. */
function productOf(sum: Sum, stored: Narrow, layout: Layout): Product | undefined {
  const { body } = sum.e;
  const [row, ...rows] = sum.rowLeaves;
  const [column, ...columns] = sum.columnLeaves;
  if (!row || !column || rows.length + columns.length > 0 || body.kind !== 'binary' || body.op !== 'mul') return undefined;
  if (!((body.left === row && body.right === column) || (body.left === column && body.right === row))) return undefined;
  return mayBeRounded(row, stored, layout) && mayBeRounded(column, stored, layout) ? { sum, row, column } : undefined;
}
/** Functions whose value is no larger than their argument, or than 1. */
const bounded: ReadonlySet<string> = new Set(['neg', 'abs', 'relu', 'sigmoid', 'silu', 'gelu', 'tanh']);
/** An expression's value can stand in the type that its reads are stored in. */
function mayBeRounded(e: Expr, stored: Narrow, layout: Layout): boolean {
  const go = (x: Expr): boolean => mayBeRounded(x, stored, layout);
  switch (e.kind) {
    case 'read': return (layout.phase(e.def) === 'load' ? layout.constantElement(e.def) : layout.element(layout.of(e.def).buffer)) === stored;
    case 'reduce': return false;
    case 'const': return stored === 'bf16' || Math.abs(e.value) <= 1;
    case 'unary': return (stored === 'bf16' || bounded.has(e.op)) && go(e.arg);
    case 'binary': return (stored === 'bf16' || e.op === 'min' || e.op === 'max') && go(e.left) && go(e.right);
    case 'select': return go(e.then) && go(e.else);
    default: return stored === 'bf16' && children(e).every(go);
  }
}

export function tensorContraction(t: TensorTiling, c: Context): NonNullable<Kernel['grid']> {
  return new TensorTile(t, c).write();
}

class TensorTile {
  readonly #t: TensorTiling;
  readonly #c: Context;
  readonly #tileRows: number;
  readonly #tileColumns: number;
  #row0: Int = int(0);
  #column0: Int = int(0);
  /** Where a warp's rows and columns begin in the tile. */
  #warpRow: Int = int(0);
  #warpColumn: Int = int(0);

  constructor(t: TensorTiling, c: Context) {
    this.#t = t;
    this.#c = c;
    this.#tileRows = WARPS * TILE * t.each.rows;
    this.#tileColumns = WARPS * TILE * t.each.columns;
  }

  write(): NonNullable<Kernel['grid']> {
    const { writer: w, envs } = this.#c;
    const { lane, outer, each } = this.#t;
    const { row, column, matrix, groups } = tileOfGroup(w, lane, outer, this.#tileRows, this.#tileColumns);
    this.#row0 = row;
    this.#column0 = column;
    const warp = divide(w.int('warp', divide(THREAD, WARP).quotient), WARPS);
    this.#warpRow = w.int('wy', imul(warp.quotient, TILE * each.rows));
    this.#warpColumn = w.int('wx', imul(warp.rest, TILE * each.columns));
    const base = bindPoint(w, envs, envs.root(int(0)), outer, w.int('matrix', matrix));
    const sums = this.#sums(base);
    this.#epilogue(base, sums);
    return { threads: WARPS * WARPS * WARP, lanes: 1, groups, batches: 1 };
  }
  #at(base: Env, row: Int): Env {
    return this.#c.envs.atRow(base, row);
  }
  /** A warp whose rows begin here has any. */
  #hasRows(first: Int): Cond {
    return icompare('lt', iadd(this.#row0, first), this.#c.rows);
  }

  /** Names of the registers, by product, row tile and column tile. */
  #sums(base: Env): Extract<Stmt, { kind: 'multiply' }>['sums'][] {
    const { writer: w, envs, access, expressions, rows } = this.#c;
    const { products, size, depth, lane, stored, each } = this.#t;
    const sums = products.map(() => times(each.rows, () => times(each.columns, () => times((TILE * TILE) / WARP, () => w.variable('acc', num(0))))));
    const halves = halvesOf(size, depth);
    const half = { row: halfOf('row', this.#tileRows, this.#tileColumns, depth, stored), column: halfOf('column', this.#tileRows, this.#tileColumns, depth, stored) };
    const operand = (leaf: Expr, along: 'row' | 'column', { e }: Sum): Operand => ({ leaf, along, over: e.over as Index, memory: access.memory(along === 'row' ? '$rows' : '$columns', halves * half[along], 'group', stored) });
    const operands = products.map((p) => ({ row: operand(p.row, 'row', p.sum), column: operand(p.column, 'column', p.sum) }));
    const [along, across] = [rowStride(depth, stored), memberStride(this.#tileColumns, stored)];
    const whole = TILE * each.rows;
    slabsAhead({
      operands: operands.flatMap((o) => [o.row, o.column]), rows: this.#tileRows, columns: this.#tileColumns, size, depth, lane, stored, threads: WARPS * WARPS * WARP,
      row0: this.#row0, column0: this.#column0, allRows: rows, env: (row) => this.#at(base, row),
      // Of each warp that has rows all: its tiles are read whole.
      wanted: (place) => this.#hasRows(imul(divide(place, whole).quotient, whole)),
    }, { writer: w, envs, access, expressions }, (which, count) => w.branch(this.#hasRows(this.#warpRow), () => w.loop('kk', int(0), count, TILE, count.kind === 'int' ? { unroll: true } : {}, (kk) => {
      operands.forEach((o, p) => {
        const row: Tiles = { memory: o.row.memory, stride: along, at: times(each.rows, (i) => iadd(imul(which, half.row), imul(iadd(this.#warpRow, int(TILE * i)), along), kk)) };
        const column: Tiles = { memory: o.column.memory, stride: across, at: times(each.columns, (j) => iadd(imul(which, half.column), imul(kk, across), this.#warpColumn, int(TILE * j))) };
        w.multiply(sums[p] as (typeof sums)[number], row, column);
      });
    }), () => undefined));
    return sums;
  }

  /** A thread has eight elements of a tile: two rows, and of each two columns side by side, twice. */
  #epilogue(base: Env, sums: readonly (readonly (readonly (readonly string[])[])[])[]): void {
    const { writer: w, envs, stage, expressions, access, rows } = this.#c;
    const { lane, each, products, size } = this.#t;
    const inWarp = w.int('lw', divide(THREAD, WARP).rest);
    const g = w.int('g', divide(inWarp, 4).quotient);
    const column0 = w.int('first', iadd(this.#column0, this.#warpColumn, imul(divide(inWarp, 4).rest, 2)));
    for (let i = 0; i < each.rows; i++) for (const lower of [0, 1]) {
      const row = w.int('row', iadd(this.#row0, this.#warpRow, g, int(TILE * i + 8 * lower)));
      w.branch(icompare('lt', row, rows), () => {
        const at = this.#at(base, row);
        for (let j = 0; j < each.columns; j++) for (const right of [0, 1]) for (const beside of [0, 1]) {
          const column = w.int('column', iadd(column0, int(TILE * j + 8 * right + beside)));
          const compute = (): void => {
            const env = envs.bind(at, lane, { int: column, lane: false });
            products.forEach(({ sum: { e } }, p) => {
              const total: Value = { kind: 'reg', name: sums[p]?.[i]?.[j]?.[4 * right + 2 * lower + beside] as string };
              w.note(expressions.reductionKey(e, env), e.op === 'mean' ? w.let({ kind: 'binary', op: 'div', left: total, right: num(size) }) : total);
            });
            expressions.run(stage.items.filter((x) => stage.stored.has(x.def)).map((item): Task => ({ inner: item.inner, body: item.body, env, sink: (v, to) => access.store(item, v, to) })));
          };
          if (lane.axis.size % this.#tileColumns === 0) compute();
          else w.branch(icompare('lt', column, int(lane.axis.size)), compute, () => undefined);
        }
      }, () => undefined);
    }
  }
}

const times = <T>(n: number, f: (k: number) => T): T[] => Array.from({ length: n }, (_, k) => f(k));
