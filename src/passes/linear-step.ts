/**
 * The step of a recurrence, s' = s + q·s + f with q and f free of the states, from the bodies of its stage: what a chunk needs to know
 * to be summarised. The summary of a chunk from a zero state is f's part, F; the product of its transitions is 1 + Q with
 * Q' = Q + q + q·Q, kept without the 1 so that slow decay keeps its accuracy.
 *
 * Derived for states that read just their own last value, element by element, as coupled chains do once they are collapsed.
 */
import { plainIndex, substitute, type Builder } from '../ir/builder.js';
import type { Affine, Expr, Index } from '../ir/program.js';
import type { Item, KeptState, Stage } from '../ir/stages.js';

export interface LinearState {
  readonly state: KeptState;
  /** transition − 1, over the item's indices. */
  readonly transition: Expr;
}

/** Per state its transition; or a sentence on why chunks can't be summarised. */
export function linearStep(stage: Stage, b: Builder): readonly LinearState[] | string {
  if (stage.order === 'backward') return 'it runs backward in time';
  const out: LinearState[] = [];
  const items = new Map(stage.items.map((i) => [i.def, i]));
  for (const state of stage.states) {
    const item = items.get(state.def);
    if (!item) return 'a state has no equation';
    if (state.depth > 1) return 'it reads more than one step of its past';
    const slope = new Slope(b, items, state, item).of(item.body, (i) => ({ constant: 0, terms: [{ index: i, coefficient: 1 }] }));
    if (typeof slope === 'string') return slope;
    if (slope === undefined) return 'a state does not depend on its past';
    out.push({ state, transition: slope.minusOne ?? b.binary('sub', slope.value ?? b.const(0), b.const(1)) });
  }
  return out;
}

/** d(body)/d(state). `minusOne`: the slope is 1 + that. Both absent can't be. */
interface Slopes {
  readonly value?: Expr;
  readonly minusOne?: Expr;
}
type Result = Slopes | undefined | string;

class Slope {
  readonly #b: Builder;
  readonly #items: ReadonlyMap<number, Item>;
  readonly #state: KeptState;
  readonly #own: Item;
  constructor(b: Builder, items: ReadonlyMap<number, Item>, state: KeptState, own: Item) {
    this.#b = b;
    this.#items = items;
    this.#state = state;
    this.#own = own;
  }

  /** `at` maps the indices of the expression to those of the state's own left side. */
  of(e: Expr, at: (i: Index) => Affine): Result {
    const b = this.#b;
    switch (e.kind) {
      case 'const': case 'index': return undefined;
      case 'read': return this.#read(e, at);
      case 'binary': return this.#binary(e, at);
      case 'unary': {
        const inner = this.of(e.arg, at);
        if (inner === undefined || typeof inner === 'string') return inner;
        return e.op === 'neg' ? { value: b.unary('neg', this.#value(inner)) } : `\`${e.op}\` of a state is not affine`;
      }
      case 'power': return this.of(e.base, at) === undefined ? undefined : 'a power of a state is not affine';
      case 'select': {
        if (this.of(e.cond, at) !== undefined) return 'a choice that depends on a state is not affine';
        const x = this.of(e.then, at);
        const y = this.of(e.else, at);
        if (typeof x === 'string') return x;
        if (typeof y === 'string') return y;
        if (!x && !y) return undefined;
        return { value: b.select(this.#moved(e.cond, at), x ? this.#value(x) : b.const(0), y ? this.#value(y) : b.const(0)) };
      }
      case 'reduce': {
        if (e.over === 'time') return 'it reduces over time';
        const inner = this.of(e.body, (i) => (i === e.over ? { constant: 0, terms: [{ index: i, coefficient: 1 }] } : at(i)));
        if (inner === undefined || typeof inner === 'string') return inner;
        if (e.op !== 'sum') return `\`${e.op}\` over states is not affine`;
        return { value: b.reduce('sum', e.over, this.#value(inner)) };
      }
    }
  }
  #value(s: Slopes): Expr {
    return s.value ?? this.#b.binary('add', this.#b.const(1), s.minusOne ?? this.#b.const(0));
  }
  #moved(e: Expr, at: (i: Index) => Affine): Expr {
    return substitute(this.#b, e, at);
  }
  #read(e: Extract<Expr, { kind: 'read' }>, at: (i: Index) => Affine): Result {
    const now = !e.time || (e.time.constant === 0 && e.time.terms.length === 0);
    const item = this.#items.get(e.def);
    if (!item) return undefined;
    if (now) {
      const images = new Map(item.indices.map((i, k) => [i, e.at[k] as Affine]));
      const through = (i: Index): Affine => {
        const image = item.inner.includes(i) ? images.get(i) : undefined;
        if (!image) return at(i);
        const plain = plainIndex(image);
        return plain ? at(plain) : image;
      };
      return this.of(item.body, through);
    }
    if (e.def !== this.#state.def) return this.#isState(e.def) ? 'its states read one another' : undefined;
    const same = e.at.every((a, p) => {
      const i = plainIndex(a);
      const image = i && plainIndex(at(i));
      return image !== undefined && image === this.#own.indices[p];
    });
    return same ? { minusOne: this.#b.const(0) } : 'it mixes the elements of its state';
  }
  #isState(def: number): boolean {
    const item = this.#items.get(def);
    return item !== undefined;
  }
  #binary(e: Extract<Expr, { kind: 'binary' }>, at: (i: Index) => Affine): Result {
    const b = this.#b;
    const x = this.of(e.left, at);
    const y = this.of(e.right, at);
    if (typeof x === 'string') return x;
    if (typeof y === 'string') return y;
    if (!x && !y) return undefined;
    switch (e.op) {
      case 'add':
        if (x && y) {
          if (x.minusOne && y.value) return { minusOne: b.binary('add', x.minusOne, y.value) };
          if (y.minusOne && x.value) return { minusOne: b.binary('add', y.minusOne, x.value) };
          return { value: b.binary('add', this.#value(x), this.#value(y)) };
        }
        return x ?? y;
      case 'sub':
        if (x && y) return { value: b.binary('sub', this.#value(x), this.#value(y)) };
        return x ?? { value: b.unary('neg', this.#value(y as Slopes)) };
      case 'mul': {
        if (x && y) return 'a product of states is not affine';
        const slope = (x ?? y) as Slopes;
        const factor = this.#moved(x ? e.right : e.left, at);
        return { value: slope.minusOne?.kind === 'const' && slope.minusOne.value === 0 ? factor : b.binary('mul', this.#value(slope), factor) };
      }
      case 'div':
        return y ? 'a division by a state is not affine' : { value: b.binary('div', this.#value(x as Slopes), this.#moved(e.right, at)) };
      default: return `\`${e.op}\` of a state is not affine`;
    }
  }
}
