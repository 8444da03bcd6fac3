/** Reads of what a stage doesn't compute itself: constants, other stages' rows, their past, and its own states. */
import type { Int, Value } from '../../../ir/kernel.js';
import type { Affine, ExprOf } from '../../../ir/program.js';
import { visitExpr } from '../../../ir/builder.js';
import { element, lastMember, loadConstant, loadScratch, loadValue, type AccessShape } from '../access.js';
import { num } from '../expressions.js';
import { iadd, iand, icompare, imax, imin, imul, int } from '../ints.js';
import { UNROLL } from '../limits.js';
import { affinePlace, type Env } from '../places.js';
import { isNow, type StageContext } from './context.js';
import type { States } from './states.js';

export class Reads {
  readonly #c: StageContext;
  readonly #states: States;
  readonly #access: AccessShape;

  constructor(c: StageContext, states: States) {
    this.#c = c;
    this.#states = states;
    this.#access = { lanes: c.lanes, tile: c.lanes * c.shape.vectors, domain: c.stage.domain, laneIndex: c.shape.lane, unroll: UNROLL };
  }
  load(e: ExprOf<'read'>, env: Env): Value {
    const c = this.#c;
    const state = c.stage.states.find((s) => s.def === e.def);
    if (state && !isNow(e.time)) return this.#states.load(state, e, env);
    if (c.part.kind === 'summary') {
      const product = c.part.step.products.find((q) => q.def === e.def);
      if (product) return this.#states.loadProduct(product, e, env, c.part.step.elementwise.length);
    }
    const storage = c.layout.of(e.def);
    if (storage.kind === 'load') return c.touched(c.load ? loadScratch(storage, e, env, c.lanes) : loadConstant(c.layout, e, env, this.#access));
    const row = storage.kind === 'batch' && c.step ? c.step.b : env.row;
    const { at, lane } = element(env, storage.strides, e.at, storage.offset);
    const last = (): Int => lastMember(env, c.lanes, e.at);
    if (isNow(e.time)) return c.touched(loadValue(storage.buffer, iadd(imul(row, storage.row), at), lane, last));
    return this.#shifted(e, env, at, lane, last);
  }
  /** Another step: in this tile, before it (the kept past), or outside the sequence (0). */
  #shifted(e: ExprOf<'read'>, env: Env, at: Int, lane: number, last: () => Int): Value {
    const c = this.#c;
    const storage = c.layout.of(e.def);
    const step = c.step;
    if (!step) throw new Error('a shifted read outside the loop over steps');
    const offset = affinePlace(env, e.time as Affine).int;
    const rows = (shift: Int): Value => c.touched(loadValue(storage.buffer, iadd(imul(shift, storage.row), at), lane, last));
    if (step.inside) return rows(iadd(env.row, offset));
    const time = c.w.int('when', iadd(step.t, offset));
    const within = imin(imax(time, int(0)), iadd(step.length, int(-1)));
    const now = c.w.let(rows(c.w.int('row', iadd(imul(step.b, c.scalar('T')), within))));
    const inside: Value = { kind: 'from-cond', cond: iand(icompare('le', int(0), time), icompare('lt', time, step.length)) };
    let before: Value = num(0);
    if (c.layout.phase(e.def) === 'step' && this.reach().past > 0) {
      const past = c.layout.history(e.def);
      if (past.depth > 0) {
        const slot = imin(imax(iadd(time, int(past.depth)), int(0)), int(past.depth - 1));
        const then = c.touched(loadValue(past.buffer, iadd(imul(iadd(imul(step.b, past.depth), slot), storage.row), at), lane, last));
        before = { kind: 'select', cond: { kind: 'from-cond', cond: icompare('lt', time, int(0)) }, then, else: num(0) };
      }
    }
    return { kind: 'select', cond: inside, then: now, else: c.w.let(before) };
  }
  /** How many steps back and ahead other stages' rows are read. */
  reach(): { past: number; future: number } {
    let past = 0;
    let future = 0;
    for (const item of this.#c.stage.items) visitExpr(item.body, (e) => {
      if (e.kind !== 'read' || !e.time || this.#c.items.has(e.def)) return;
      let low = e.time.constant;
      let high = e.time.constant;
      for (const { index, coefficient } of e.time.terms) {
        low += Math.min(0, coefficient * (index.axis.size - 1));
        high += Math.max(0, coefficient * (index.axis.size - 1));
      }
      past = Math.max(past, -low);
      future = Math.max(future, high);
    });
    return { past, future };
  }
}
