/** A scan's loops over states, as far as they decide how many of them a thread writes out. */
import { visitExpr } from '../../../ir/builder.js';
import type { Expr } from '../../../ir/program.js';
import type { Stage } from '../../../ir/stages.js';
import { UNROLL } from '../limits.js';

export interface StateLoops {
  /** Members that they go over: of all of them, or none is told. */
  readonly size: number;
  /** Copies of each round's work. */
  readonly copies: number;
  /** One is within another. */
  readonly nested: boolean;
}
/** `products`: of a chunk's transitions, entry by entry. */
export function stateLoops(stage: Stage, products = 0): StateLoops {
  const inner = new Set<number>();
  let small = Math.max(1, products);
  for (const item of stage.items) visitExpr(item.body, (e) => {
    if (e.kind !== 'reduce' || e.over === 'time') return;
    if (e.over.axis.size > UNROLL) inner.add(e.over.axis.size);
    else small = Math.max(small, e.over.axis.size);
  });
  for (const item of stage.items) for (const i of item.inner) {
    if (i.axis.size > UNROLL) inner.add(i.axis.size);
    else small = Math.max(small, i.axis.size);
  }
  const [only, ...more] = inner;
  if (stage.anchor !== 'scan' || only === undefined || more.length > 0) return { size: UNROLL, copies: 0, nested: false };
  return { size: only, copies: small, nested: stage.items.some((i) => i.inner.some((x) => x.axis.size === only) && hasReduceOf(i.body, only)) };
}
function hasReduceOf(root: Expr, size: number): boolean {
  let found = false;
  visitExpr(root, (e) => { if (e.kind === 'reduce' && e.over !== 'time' && e.over.axis.size === size) found = true; });
  return found;
}
