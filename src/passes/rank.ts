/**
 * Products that fall apart between rows and columns: T[row, column] = Σ_tie left[row, tie]·right[column, tie]. It sees through sums that
 * stand in the product or in a definition that is read, so that K = U·Vᵀ is of the rank that it is written with.
 */
import { affineOf, freeIndices, substitute, type Builder } from '../ir/builder.js';
import type { Affine, Definition, Expr, Index, Program } from '../ir/program.js';
import { factors, product } from './pass.js';

export interface Separated {
  readonly left: Expr;
  readonly right: Expr;
  /** Summed over, beside the columns. */
  readonly tie: readonly Index[];
}

/** How many sums and definitions may be opened on the way. */
const DEPTH = 3;

/** `left` has no column, `right` no row. */
export function separate(program: Program, list: readonly Expr[], rows: ReadonlySet<Index>, columns: ReadonlySet<Index>, b: Builder): Separated | undefined {
  const left: Expr[] = [];
  const right: Expr[] = [];
  const tie: Index[] = [];
  const sort = (f: Expr, depth: number): boolean => {
    const free = [...freeIndices(f)];
    const column = free.some((i) => columns.has(i));
    if (!column || !free.some((i) => rows.has(i))) { (column ? right : left).push(f); return true; }
    const opened = depth > 0 ? openSum(program, f, b) : undefined;
    if (!opened) return false;
    tie.push(...opened.over);
    return opened.factors.every((x) => sort(x, depth - 1));
  };
  return list.every((f) => sort(f, DEPTH)) ? { left: product(b, left), right: product(b, right), tie } : undefined;
}
/** sum(r: U·V), as it stands or as the definition that is read: its factors, under a binder of their own. */
function openSum(program: Program, f: Expr, b: Builder): { readonly over: readonly Index[]; readonly factors: readonly Expr[] } | undefined {
  if (f.kind === 'reduce' && f.op === 'sum' && f.over !== 'time' && !f.over.axis.ragged) {
    const { over } = f;
    const fresh = b.newIndex(over.name, over.axis);
    return { over: [fresh], factors: factors(substitute(b, f.body, (i) => (i === over ? affineOf(fresh) : undefined))) };
  }
  if (f.kind !== 'read') return undefined;
  const d = program.definitions[f.def] as Definition;
  if (d.kind !== 'equation' || d.state || (d.time && (f.time?.constant !== 0 || f.time.terms.length > 0))) return undefined;
  const image = new Map<Index, Affine>(d.indices.map((i, k) => [i, f.at[k] as Affine]));
  return { over: [], factors: factors(substitute(b, d.body, (i) => image.get(i))) };
}
