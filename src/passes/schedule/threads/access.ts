/**
 * What a thread reads and writes: rows of activations, what belongs to a sequence, constants packed so that neighbouring threads read
 * neighbouring elements, the past of a sequence. Nothing is read outside a buffer.
 */
import { isNow } from '../../../ir/builder.js';
import type { Cond, Int, Kernel, LocalMemory, Narrow, Stored, Value } from '../../../ir/kernel.js';
import type { Affine, DefinitionId, Expr, ExprOf, Index } from '../../../ir/program.js';
import type { Item } from '../../../ir/stages.js';
import { element, lastMember, loadValue } from '../access.js';
import { num } from '../expressions.js';
import { iadd, iand, icompare, imax, imin, imul, int, ivar } from '../ints.js';
import { accessIndices, rowMajor, type Layout, type PackDimension, type PackedConstant } from '../layout.js';
import { LENGTHS } from '../limits.js';
import { Parameters } from '../parameters.js';
import { affinePlace, laneStep, placeOf, type Env } from '../places.js';
import { reachOf } from '../rows.js';
import type { Writer } from '../writer.js';

export const THREAD: Int = ivar('$l');
export const GROUP: Int = ivar('$g');
export const BATCH: Int = ivar('$b');

/** The step that a thread is at: of which sequence, and how long that is in this tile. */
export interface Step {
  readonly t: Int;
  readonly length: Int;
}

export class Access extends Parameters {
  readonly #reads: readonly Expr[];
  readonly #own: (def: DefinitionId) => boolean;
  readonly #layout: Layout;
  readonly #w: Writer;
  readonly #lanes: number;
  readonly #lane: Index | undefined;
  readonly #memories: LocalMemory[] = [];
  step: Step | undefined;
  /** Threads that store what they compute. */
  mine: Cond | undefined;

  /** `reads`: all that the kernel computes, of which it has `own` from elsewhere. */
  constructor(reads: readonly Expr[], layout: Layout, writer: Writer, lanes: number, lane: Index | undefined, own: (def: DefinitionId) => boolean = () => false) {
    super();
    this.#reads = reads;
    this.#own = own;
    this.#layout = layout;
    this.#w = writer;
    this.#lanes = lanes;
    this.#lane = lane;
  }
  memory(name: string, size: number, space: LocalMemory['space'], element?: Narrow): string {
    const known = this.#memories.filter((m) => m.name === name || m.name.startsWith(`${name}~`)).length;
    const own = known === 0 ? name : `${name}~${known + 1}`;
    this.#memories.push({ name: own, size, space, ...(element ? { element } : {}) });
    return own;
  }
  length(): Int {
    return this.#w.int('length', { kind: 'iload', buffer: this.touch(LENGTHS, 'read'), at: BATCH });
  }
  finish(name: string, body: Kernel['body'], grid: NonNullable<Kernel['grid']>): Kernel {
    return {
      name, precision: 'f32', body, grid, ...(this.#memories.length > 0 ? { memories: this.#memories } : {}),
      parameters: this.parameters((buffer) => (buffer === LENGTHS ? 'i32' : this.#layout.element(buffer))),
    };
  }

  // --- reads ------------------------------------------------------------------------------------------------------------

  read(e: ExprOf<'read'>, env: Env): Value {
    const storage = this.#layout.of(e.def);
    if (storage.kind === 'load') return this.#constant(e, env);
    const row = storage.kind === 'batch' && this.step ? BATCH : env.row;
    const { at, lane } = element(env, storage.strides, e.at, storage.offset);
    const load = (r: Int): Value => this.#load(storage.buffer, iadd(imul(r, storage.row), at), lane, env, e.at);
    return isNow(e.time) ? load(row) : this.#shifted(e, env, load);
  }
  #load(buffer: string, at: Int, lane: number, env: Env, indices: readonly Affine[]): Value {
    return loadLanes(this.touch(buffer, 'read'), at, lane, env, indices, this.#lanes);
  }
  /** Where a plain read lies of what is stored so; undefined of anything else. */
  element(e: Expr, env: Env, stored: Stored): { readonly buffer: string; readonly at: Int } | undefined {
    if (e.kind !== 'read' || !isNow(e.time) || this.#own(e.def)) return undefined;
    const value = this.read(e, env);
    return value.kind === 'load' && value.access === 'uniform' && this.#layout.element(value.buffer) === stored ? value : undefined;
  }
  /** Another step: in this tile, before it (the kept past), or outside the sequence (0). */
  #shifted(e: ExprOf<'read'>, env: Env, load: (row: Int) => Value): Value {
    const w = this.#w;
    const storage = this.#layout.of(e.def);
    if (!this.step) throw new Error('a shifted read outside of steps');
    const { t, length } = this.step;
    const time = w.int('when', iadd(t, affinePlace(env, e.time as Affine).int));
    const within = imin(imax(time, int(0)), iadd(length, int(-1)));
    const now = w.let(load(w.int('row', iadd(imul(BATCH, this.scalar('T')), within))));
    const inside: Value = { kind: 'from-cond', cond: iand(icompare('le', int(0), time), icompare('lt', time, length)) };
    let before: Value = num(0);
    if (this.#layout.phase(e.def) === 'step' && this.#readsPast()) {
      const past = this.#layout.history(e.def);
      if (past.depth > 0) {
        const slot = imin(imax(iadd(time, int(past.depth)), int(0)), int(past.depth - 1));
        const { at, lane } = element(env, storage.strides, e.at, storage.offset);
        const then = this.#load(past.buffer, iadd(imul(iadd(imul(BATCH, past.depth), slot), storage.row), at), lane, env, e.at);
        before = { kind: 'select', cond: { kind: 'from-cond', cond: icompare('lt', time, int(0)) }, then: w.let(then), else: num(0) };
      }
    }
    return { kind: 'select', cond: inside, then: now, else: w.let(before) };
  }
  #readsPast(): boolean {
    return reachOf(this.#reads, this.#own).past > 0;
  }
  /**
   * Row-major over the indices of the access, the lane index last: neighbouring threads read neighbouring elements. Where it reads at a number, all
   * members stand there, outermost: reads at others share the copy.
   */
  #constant(e: ExprOf<'read'>, env: Env): Value {
    const used = accessIndices(e.at);
    const order = this.#lane && used.includes(this.#lane) ? [...used.filter((i) => i !== this.#lane), this.#lane] : used;
    const isPlain = order.every((i) => e.at.filter((a) => a.terms.some((t) => t.index === i)).length === 1);
    if (!isPlain) return this.#natural(e, env);
    const own = this.#layout.program.definitions[e.def]?.indices ?? [];
    const numbered = e.at.flatMap((a, p) => (a.terms.length === 0 ? [p] : []));
    const sizes = [...numbered.map((p) => (own[p] as Index).axis.size), ...order.map((i) => i.axis.size)];
    const padded = sizes.map((s, k) => (k === sizes.length - 1 ? this.#layout.padded(s) : s));
    const strides = rowMajor(padded);
    const dimensions: PackDimension[] = sizes.map((size, k) => ({ size, stride: strides[k] as number }));
    const at = e.at.map((a, p): PackedConstant['at'][number] => ({
      constant: numbered.includes(p) ? 0 : a.constant,
      coefficients: [...numbered.map((q) => (p === q ? 1 : 0)), ...order.map((i) => a.terms.find((t) => t.index === i)?.coefficient ?? 0)],
    }));
    const packed = this.#layout.constant(e.def, dimensions, at, Math.max(1, padded.reduce((n, s) => n * s, 1)));
    let where: Int = int(numbered.reduce((n, p, k) => n + (e.at[p] as Affine).constant * (strides[k] as number), 0));
    let lane = 0;
    order.forEach((i, k) => {
      const place = placeOf(env, i);
      const stride = strides[numbered.length + k] as number;
      where = iadd(where, imul(place.int, stride));
      lane += laneStep(place) * stride;
    });
    return loadLanes(this.touch(packed.buffer, 'read'), where, lane, env, e.at, this.#lanes);
  }
  #natural(e: ExprOf<'read'>, env: Env): Value {
    const sizes = (this.#layout.program.definitions[e.def]?.indices ?? []).map((i) => i.axis.size);
    const strides = rowMajor(sizes);
    const at = sizes.map((_, p): PackedConstant['at'][number] => ({ constant: 0, coefficients: sizes.map((__, q) => (p === q ? 1 : 0)) }));
    const packed = this.#layout.constant(e.def, sizes.map((size, k) => ({ size, stride: strides[k] as number })), at, Math.max(1, sizes.reduce((n, s) => n * s, 1)));
    const place = element(env, strides, e.at, 0);
    return loadLanes(this.touch(packed.buffer, 'read'), place.at, place.lane, env, e.at, this.#lanes);
  }

  // --- writes -----------------------------------------------------------------------------------------------------------

  /** Where an item's element of this environment is stored. */
  target(item: Item, env: Env): { buffer: string; at: Int; lane: number } {
    const s = this.#layout.of(item.def);
    const row = s.kind === 'batch' && this.step ? BATCH : env.row;
    let at: Int = iadd(imul(row, s.row), int(s.offset));
    let lane = 0;
    item.indices.forEach((i, p) => {
      const place = placeOf(env, i);
      at = iadd(at, imul(place.int, s.strides[p] as number));
      lane += laneStep(place) * (s.strides[p] as number);
    });
    return { buffer: s.buffer, at, lane };
  }
  /** Its neighbours share a word, and are to be stored by `storePair`; by `store` where they are of one loop over the lanes of a group. */
  isPaired(item: Item): boolean {
    return !item.inner.includes(item.indices.at(-1) as Index) && this.#layout.isPaired(this.#layout.of(item.def).buffer);
  }
  /** An element and its neighbour, `env` being that of the first. */
  storePair(item: Item, first: Value, second: Value, env: Env): void {
    const { buffer, at } = this.target(item, env);
    this.#w.store(this.touch(buffer, 'write'), at, this.#w.let(first), 'one', { second: this.#w.let(second), ...this.#where });
  }
  store(item: Item, value: Value, env: Env): void {
    const { buffer, at, lane } = this.target(item, env);
    this.touch(buffer, 'write');
    if (lane === 0) { this.#w.store(buffer, at, value, 'one', this.#where); return; }
    const laned = item.indices.find((i) => placeOf(env, i).lane) as Index;
    const { int: base, stride = 1 } = placeOf(env, laned);
    const count = base.kind === 'int' ? Math.min(this.#lanes, Math.ceil((laned.axis.size - base.value) / stride)) : this.#lanes;
    this.#w.store(buffer, at, value, { stride: lane, count: int(count) }, this.#where);
  }
  get #where(): { readonly where?: Cond } {
    return this.mine ? { where: this.mine } : {};
  }
}

/** Lanes past the end of an axis read its last member. */
export function loadLanes(buffer: string, at: Int, lane: number, env: Env, indices: readonly Affine[], lanes: number): Value {
  if (lane === 0) return { kind: 'load', buffer, at, access: 'uniform' };
  const tail = accessIndices(indices).some((i) => { const p = placeOf(env, i); return p.lane && p.int.kind === 'int' && p.int.value + (lanes - 1) * laneStep(p) >= i.axis.size; });
  if (!tail && lane === 1) return { kind: 'load', buffer, at, access: 'vector' };
  if (!tail) return { kind: 'load', buffer, at, access: { stride: int(lane), last: int(lanes - 1) } };
  const value = loadValue(buffer, at, 2, () => lastMember(env, lanes, indices)) as Extract<Value, { kind: 'load' }>;
  const access = value.access as { stride: Int; last: Int };
  return { ...value, access: { stride: int(lane), last: access.last } };
}
