/** The sums of a product: over one axis, of parts that depend on the row alone or on the column alone. */
import { children, freeIndices, visitExpr } from '../../../ir/builder.js';
import type { Value } from '../../../ir/kernel.js';
import type { DefinitionId, Expr, ExprOf, Index } from '../../../ir/program.js';
import type { Item, Stage } from '../../../ir/stages.js';
import type { Layout } from '../layout.js';
import { num } from '../expressions.js';
import { UNROLL } from '../limits.js';

/** Σ over k of an expression of what depends on the row, on the column, or on neither. */
export interface Sum {
  readonly e: ExprOf<'reduce'>;
  readonly rowLeaves: readonly Expr[];
  readonly columnLeaves: readonly Expr[];
}

/** Of a stage that is a product of rows and load-time columns, which `lane` numbers: all its sums, which have one length. */
export function sumsOf(stage: Stage, lane: Index, order: readonly Index[], items: ReadonlyMap<DefinitionId, Item>, layout: Layout): { readonly sums: readonly Sum[]; readonly size: number } | undefined {
  if (stage.anchor !== 'contraction' || stage.items.some((i) => i.inner.length > 0)) return undefined;
  const sums: Sum[] = [];
  let plain = true;
  for (const item of stage.items) visitExpr(item.body, (e) => {
    if (e.kind !== 'reduce' || e.over === 'time' || e.over.axis.size <= UNROLL) return;
    // A sum inside another has an index that no tile binds.
    const alone = [...freeIndices(e)].every((i) => order.includes(i));
    const sum = alone && (e.op === 'sum' || e.op === 'mean') ? leaves(e, lane, items, layout) : undefined;
    if (sum) sums.push(sum);
    else plain = false;
  });
  const size = (sums[0]?.e.over as Index | undefined)?.axis.size ?? 0;
  if (!plain || sums.length === 0 || sums.some((s) => (s.e.over as Index).axis.size !== size)) return undefined;
  return { sums, size };
}

/** The largest parts of a sum's body that depend on the row alone, and on the column alone. */
function leaves(e: ExprOf<'reduce'>, lane: Index, items: ReadonlyMap<DefinitionId, Item>, layout: Layout): Sum | undefined {
  const row = new Set<Expr>();
  const column = new Set<Expr>();
  const depends = (x: Expr): { row: boolean; column: boolean; k: boolean } => {
    let onRow = false;
    visitExpr(x, (r) => { if (r.kind === 'read' && layout.phase(r.def) !== 'load') onRow = true; });
    const free = freeIndices(x);
    return { row: onRow, column: free.has(lane), k: free.has(e.over as Index) };
  };
  let ok = true;
  const visit = (x: Expr): void => {
    if (x.kind === 'reduce' || (x.kind === 'read' && items.has(x.def))) { ok = false; return; }
    const on = depends(x);
    if (!on.k) { if (on.row || on.column) ok &&= x.kind === 'const' || children(x).length === 0; return; }
    if (on.row && !on.column) row.add(x);
    else if (on.column && !on.row) column.add(x);
    else if (on.row) {
      if (children(x).length === 0) ok = false;
      children(x).forEach(visit);
    }
  };
  visit(e.body);
  return ok && row.size > 0 && column.size > 0 ? { e, rowLeaves: [...row], columnLeaves: [...column] } : undefined;
}

/** A leaf's value as memory holds it: of a condition 1 or 0. */
export const stored = (leaf: Expr, value: Value): Value => (leaf.type === 'bool' ? { kind: 'select', cond: value, then: num(1), else: num(0) } : value);
/** What `stored` was given. */
export const restored = (leaf: Expr, value: Value): Value => (leaf.type === 'bool' ? { kind: 'binary', op: 'ne', left: value, right: num(0) } : value);
