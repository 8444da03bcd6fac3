/**
 * What drives a time-invariant recurrence, taken apart: Σ over `bound` of coefficient · x, the coefficient known at load and x the signal that
 * is convolved. Exact: multiplication distributes over addition.
 */
import { affineOf, freeIndices, mapExpr, substitute, type Builder } from '../../ir/builder.js';
import type { Affine, DefinitionId, Expr, ExprOf, Index } from '../../ir/program.js';
import type { Item } from '../../ir/stages.js';
import { isLoadTime } from '../pass.js';

export interface Driven {
  readonly bound: readonly Index[];
  readonly coefficient: Expr;
  /** 1 where the drive is the same at every step. */
  readonly x: Expr;
}

/** Products of sums are multiplied out up to this many terms; beyond it the product is a signal of its own. */
const TERMS = 16;

export class Drives {
  readonly #b: Builder;
  readonly #loaded: ReadonlySet<DefinitionId>;
  readonly #items: ReadonlyMap<DefinitionId, Item>;

  constructor(b: Builder, loaded: ReadonlySet<DefinitionId>, items: ReadonlyMap<DefinitionId, Item>) {
    this.#b = b;
    this.#loaded = loaded;
    this.#items = items;
  }
  of(e: Expr): Driven[] {
    const b = this.#b;
    if (isLoadTime(e, this.#loaded)) return [{ bound: [], coefficient: e, x: b.const(1) }];
    const one = (x: Expr): Driven[] => [{ bound: [], coefficient: b.const(1), x: this.#written(x) }];
    switch (e.kind) {
      case 'read': {
        const inside = inlined(e, this.#items, b);
        return inside ? this.of(inside) : one(e);
      }
      case 'unary': return e.op === 'neg' ? scaled(this.of(e.arg), (c) => b.unary('neg', c)) : one(e);
      case 'binary': return this.#binary(e) ?? one(e);
      case 'reduce': return this.#sum(e) ?? one(e);
      default: return one(e);
    }
  }
  /** With all that the stage computes of this step written in: a signal is computed where nothing else of the stage is. */
  #written(x: Expr): Expr {
    return mapExpr(this.#b, x, (e) => {
      const inside = e.kind === 'read' ? inlined(e, this.#items, this.#b) : undefined;
      return inside ? this.#written(inside) : e;
    });
  }
  #binary(e: ExprOf<'binary'>): Driven[] | undefined {
    const b = this.#b;
    const known = (x: Expr): boolean => isLoadTime(x, this.#loaded);
    switch (e.op) {
      case 'add': return [...this.of(e.left), ...this.of(e.right)];
      case 'sub': return [...this.of(e.left), ...scaled(this.of(e.right), (c) => b.unary('neg', c))];
      case 'div': return known(e.right) ? scaled(this.of(e.left), (c) => b.binary('div', c, e.right)) : undefined;
      case 'mul': {
        const left = this.of(e.left);
        const right = this.of(e.right);
        if (left.length * right.length > TERMS) return undefined;
        return left.flatMap((l) => right.map((r): Driven => ({ bound: [...l.bound, ...r.bound], coefficient: times(b, l.coefficient, r.coefficient), x: times(b, l.x, r.x) })));
      }
      default: return undefined;
    }
  }
  #sum(e: ExprOf<'reduce'>): Driven[] | undefined {
    const b = this.#b;
    const { over } = e;
    if ((e.op !== 'sum' && e.op !== 'mean') || over === 'time' || over.axis.ragged) return undefined;
    const fresh = b.newIndex(over.name, over.axis);
    const share = e.op === 'mean' ? b.const(1 / over.axis.size) : b.const(1);
    return this.of(substitute(b, e.body, (i) => (i === over ? affineOf(fresh) : undefined))).map((d): Driven => {
      const coefficient = times(b, share, d.coefficient);
      // A signal without the index is the same for all of its members.
      return freeIndices(d.x).has(fresh) ? { ...d, bound: [...d.bound, fresh], coefficient } : { ...d, coefficient: b.reduce('sum', fresh, coefficient) };
    });
  }
}

function scaled(list: readonly Driven[], f: (c: Expr) => Expr): Driven[] {
  return list.map((d) => ({ ...d, coefficient: f(d.coefficient) }));
}
export function times(b: Builder, x: Expr, y: Expr): Expr {
  if (x.kind === 'const' && x.value === 1) return y;
  return y.kind === 'const' && y.value === 1 ? x : b.binary('mul', x, y);
}
/** The body of a stage's own item that is read at this step. */
export function inlined(e: ExprOf<'read'>, items: ReadonlyMap<DefinitionId, Item>, b: Builder): Expr | undefined {
  const item = items.get(e.def);
  if (!item || !e.time || e.time.constant !== 0 || e.time.terms.length > 0) return undefined;
  const image = new Map<Index, Affine>(item.indices.map((i, p) => [i, e.at[p] as Affine]));
  return substitute(b, item.body, (i) => image.get(i));
}
