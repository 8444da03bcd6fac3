/** Convex mixtures: weights that can't be negative and sum to 1 along an axis, as `mean`'s, `softmax`'s, and f / Σ f of one's own. */
import { affineOf, freeIndices, isNow, substitute, type Builder } from '../ir/builder.js';
import type { Definition, Expr, Index, Program } from '../ir/program.js';
import { Signs } from './sign.js';

/** Whether the product of the weights, all of them free of states, sums to 1 over the index. */
export function isMixture(weights: readonly Expr[], over: Index, program: Program, b: Builder): boolean {
  const constant = weights.reduce((n, w) => n * (w.kind === 'const' ? w.value : 1), 1);
  const others = weights.filter((w) => w.kind !== 'const');
  if (others.length === 0) return Math.abs(constant * over.axis.size - 1) < 1e-12;
  const [w] = others;
  return others.length === 1 && constant === 1 && w !== undefined && isNormalised(w, over, program, b);
}
function isNormalised(w: Expr, over: Index, program: Program, b: Builder): boolean {
  if (w.kind === 'read') {
    const d = program.definitions[w.def] as Definition;
    const places = w.at.flatMap((a, k) => (a.terms.some((t) => t.index === over) ? [k] : []));
    const [p] = places;
    if (p === undefined || places.length > 1 || d.kind !== 'equation' || d.state || !isNow(w.time)) return false;
    const [term] = w.at[p]?.terms ?? [];
    return w.at[p]?.terms.length === 1 && w.at[p]?.constant === 0 && term?.coefficient === 1 && isNormalised(d.body, d.indices[p] as Index, program, b);
  }
  if (w.kind !== 'binary' || w.op !== 'div') return false;
  const total = totalOf(w.right, over, program, b);
  return total !== undefined && substitute(b, total.body, (i) => (i === total.over ? affineOf(over) : undefined)) === w.left && new Signs(program).of(w.left).nonNegative;
}
/** What is summed, and along what: a sum that is the same for all members of `over`, written in or in an equation of its own. */
function totalOf(e: Expr, over: Index, program: Program, b: Builder): { readonly body: Expr; readonly over: Index } | undefined {
  if (freeIndices(e).has(over)) return undefined;
  if (e.kind === 'reduce') return e.op === 'sum' && e.over !== 'time' ? { body: e.body, over: e.over } : undefined;
  if (e.kind !== 'read' || !isNow(e.time)) return undefined;
  const d = program.definitions[e.def] as Definition;
  if (d.kind !== 'equation' || d.state || d.body.kind !== 'reduce') return undefined;
  const at = new Map(d.indices.map((i, k) => [i, e.at[k]]));
  return totalOf(substitute(b, d.body, (i) => at.get(i)), over, program, b);
}
