/** Reads of what a stage doesn't compute itself: constants, other stages' rows, their past, and its own states. */
import { isNow } from '../../../ir/builder.js';
import type { Value } from '../../../ir/kernel.js';
import type { ExprOf } from '../../../ir/program.js';
import type { AccessShape } from '../access.js';
import { UNROLL } from '../limits.js';
import type { Env } from '../places.js';
import { reachOf, type Reach } from '../rows.js';
import type { StageContext } from './context.js';
import type { States } from './states.js';

export class Reads {
  readonly #c: StageContext;
  readonly #states: States;
  readonly #access: AccessShape;
  readonly reach: Reach;

  constructor(c: StageContext, states: States) {
    this.#c = c;
    this.#states = states;
    this.#access = { lanes: c.lanes, tile: c.lanes * c.shape.vectors, domain: c.stage.domain, laneIndex: c.shape.lane, unroll: UNROLL };
    this.reach = reachOf(c.stage.items.map((i) => i.body), (def) => c.items.has(def));
  }
  load(e: ExprOf<'read'>, env: Env): Value {
    const c = this.#c;
    const state = c.stage.states.find((s) => s.def === e.def);
    if (state && !isNow(e.time)) return this.#states.load(state, e, env);
    if (c.part.kind === 'summary') {
      const product = c.part.step.products.find((q) => q.def === e.def);
      if (product) return this.#states.loadProduct(product, e, env, c.part.step.elementwise.length);
    }
    return c.read(e, env, this.#access, this.reach);
  }
}
