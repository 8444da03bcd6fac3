/**
 * Time-invariant recurrences: sums over what a step makes of its state are sums over the state, with coefficients known at load.
 *
 * A readout Σ_n C_n·h_n with h_n = s_n + (q_n·s_n + b_n·x) is Σ_n (C_n + C_n·q_n)·s_n + (Σ_n C_n·b_n)·x: h itself is never made. A collapsed
 * chain s + Σ_m v_m·(q_m·s + b_m·x_m) is s + ((Σ_m v_m·q_m)·s + Σ_m (v_m·b_m)·x_m). Exact: multiplication distributes over addition.
 */
import { affineOf, children, freeIndices, rebuild, substitute, visitExpr, type Builder } from '../ir/builder.js';
import type { Definition, DefinitionId, DefinitionOf, Expr, ExprOf, Index, Program } from '../ir/program.js';
import { factors, isLoadTime, loadTimeDefinitions, mapBodies, type Pass } from './pass.js';

/** known·rest; without rest a load-time number. */
interface Term {
  readonly known: Expr;
  readonly rest?: Expr;
}

export const foldInvariant: Pass = {
  name: 'fold-invariant',
  why: 'where a recurrence is time-invariant, its readouts and couplings read the state through coefficients known at load',
  run(program: Program, b: Builder): Program {
    const loaded = loadTimeDefinitions(program);
    const steps = new Map(program.definitions.flatMap((d) => (isStep(d) ? [[d.id, d] as const] : [])));
    if (steps.size === 0) return program;
    const visit = (e: Expr): Expr => {
      const sum = weightedSum(e, b);
      return (sum && fold(sum, steps, loaded, b)) ?? rebuild(b, e, children(e).map(visit));
    };
    return mapBodies(program, (e, d) => (loaded.has(d.id) ? e : visit(e)));
  },
};

/** A sum, a constant in front of it taken in. */
function weightedSum(e: Expr, b: Builder): ExprOf<'reduce'> | undefined {
  if (e.kind === 'reduce') return e;
  if (e.kind !== 'binary' || e.op !== 'mul' || e.left.kind !== 'const' || e.right.kind !== 'reduce' || e.right.op !== 'sum') return undefined;
  const inside = b.reduce('sum', e.right.over, b.binary('mul', e.left, e.right.body));
  return inside.kind === 'reduce' ? inside : undefined;
}
const isShifted = (e: Expr): boolean => e.kind === 'read' && e.time !== undefined && (e.time.constant !== 0 || e.time.terms.length > 0);
/** Computed point by point from what other steps and definitions are: it can be replaced by its body. */
function isStep(d: Definition): d is DefinitionOf<'equation'> {
  if (d.kind !== 'equation' || d.state || !d.time || d.type !== 'real') return false;
  let pointwise = true;
  visitExpr(d.body, (e) => { if (e.kind === 'reduce') pointwise = false; });
  return pointwise;
}

function fold(e: ExprOf<'reduce'>, steps: ReadonlyMap<DefinitionId, DefinitionOf<'equation'>>, loaded: ReadonlySet<DefinitionId>, b: Builder): Expr | undefined {
  const { over } = e;
  if (e.op !== 'sum' || over === 'time' || over.axis.ragged || e.type !== 'real') return undefined;
  const terms = expand(e.body, steps, loaded, b);
  if (!terms || terms.length < 2) return undefined;
  const free = (x: Expr | undefined): boolean => x === undefined || !freeIndices(x).has(over);
  const states = terms.filter((t) => t.rest && isShifted(t.rest));
  const chain = states.some((t) => free(t.rest));
  const readout = states.length > 0 && terms.every((t) => free(t.rest) || states.includes(t));
  return chain || readout ? gather(terms, over, free, b) : undefined;
}
function gather(terms: readonly Term[], over: Index, free: (x: Expr | undefined) => boolean, b: Builder): Expr {
  const groups = new Map<Expr | undefined, Expr>();
  for (const t of terms) {
    const before = groups.get(t.rest);
    groups.set(t.rest, before ? b.binary('add', before, t.known) : t.known);
  }
  const parts = [...groups].map(([rest, known]) => {
    if (!rest) return b.reduce('sum', over, known);
    return free(rest) ? b.binary('mul', rest, b.reduce('sum', over, known)) : b.reduce('sum', over, b.binary('mul', known, rest));
  });
  return parts.reduce((x, y) => b.binary('add', x, y));
}

/** As a sum of terms, steps replaced by what they are; undefined where none of them is time-invariant, or something isn't a sum of products. */
function expand(root: Expr, steps: ReadonlyMap<DefinitionId, DefinitionOf<'equation'>>, loaded: ReadonlySet<DefinitionId>, b: Builder): Term[] | undefined {
  let inlined = false;
  const times = (x: Term, y: Term): Term => {
    const rest = x.rest && y.rest ? b.binary('mul', x.rest, y.rest) : (x.rest ?? y.rest);
    const known = x.known.kind === 'const' && x.known.value === 1 ? y.known : y.known.kind === 'const' && y.known.value === 1 ? x.known : b.binary('mul', x.known, y.known);
    return { known, ...(rest ? { rest } : {}) };
  };
  const visit = (e: Expr): Term[] => {
    if (isLoadTime(e, loaded)) return [{ known: e }];
    if (e.kind === 'binary' && e.op === 'add') return [...visit(e.left), ...visit(e.right)];
    if (e.kind === 'binary' && e.op === 'sub') return [...visit(e.left), ...visit(e.right).map((t) => ({ ...t, known: b.unary('neg', t.known) }))];
    if (e.kind === 'unary' && e.op === 'neg') return visit(e.arg).map((t) => ({ ...t, known: b.unary('neg', t.known) }));
    if (e.kind === 'binary' && e.op === 'mul') {
      return factors(e).map(visit).reduce((x, y) => x.flatMap((s) => y.map((t) => times(s, t))));
    }
    const step = e.kind === 'read' && !isShifted(e) ? steps.get(e.def) : undefined;
    if (e.kind === 'read' && step) {
      const at = new Map(step.indices.map((i, k) => [i, e.at[k] ?? affineOf(i)]));
      const inside = visit(substitute(b, step.body, (i) => at.get(i)));
      if (inside.some((t) => t.rest && isShifted(t.rest))) {
        inlined = true;
        return inside;
      }
    }
    return [{ known: b.const(1), rest: e }];
  };
  const terms = visit(root);
  return inlined ? terms : undefined;
}
