/**
 * First-order recurrences in increment form: s' = s + ((a − 1)·s + f). The rounding of a near 1 is a systematic error of 2^-25 a step; the
 * increment is rounded relative to itself. Exact in real arithmetic, and of complex states as of real ones.
 *
 * A collapsed chain s = Σ v_m h_m with Σ v_m = 1 and h_m = a_m·s' + f_m becomes h_m = s' + g_m, g_m = (a_m − 1)·s' + f_m, s = s' + Σ v_m g_m.
 */
import { affineOf, mapExpr, substitute, visitExpr, type Builder } from '../ir/builder.js';
import type { Definition, DefinitionId, DefinitionOf, Expr, ExprOf, Index, Program } from '../ir/program.js';
import { isMixture } from './mixture.js';
import { factors, isLoadTime, loadTimeDefinitions, product, type Pass } from './pass.js';

type Equation = DefinitionOf<'equation'>;

export const increment: Pass = {
  name: 'increment',
  why: 'a decay near 1 is kept as its distance from 1, so that a long memory keeps its accuracy',
  run(program: Program, b: Builder): Program {
    const defs: Definition[] = [...program.definitions];
    const loaded = loadTimeDefinitions(program);
    for (const d of program.definitions) {
      if (d.kind !== 'equation' || !d.state) continue;
      const own = linear(d.body, d.id, d.indices, program, loaded, b);
      if (own) {
        defs[d.id] = { ...d, body: b.binary('add', own.state, own.change) };
        continue;
      }
      collapsed(defs, d, program, loaded, b);
    }
    return { ...program, definitions: defs };
  },
};

interface Linear {
  readonly state: Expr;
  /** (a − 1)·s + f. */
  readonly change: Expr;
}
/** a·s[t−1] + f with s read at its own place; a − 1 known exactly enough. */
function linear(body: Expr, state: DefinitionId, rest: readonly Index[] | undefined, program: Program, loaded: ReadonlySet<DefinitionId>, b: Builder): Linear | undefined {
  const terms = summands(body);
  const isState = (e: Expr): e is ExprOf<'read'> => e.kind === 'read' && e.def === state && e.time !== undefined && Math.abs(e.time.constant) === 1 && e.time.terms.length === 0
    && (rest === undefined || e.at.every((a, k) => a.constant === 0 && a.terms.length === 1 && a.terms[0]?.coefficient === 1 && a.terms[0].index === rest[k]));
  const withState = terms.filter((t) => readsState(t, state));
  const [term] = withState;
  if (!term || withState.length > 1) return undefined;
  const list = factors(term);
  const reads = list.filter(isState);
  const [read] = reads;
  if (!read || reads.length > 1 || list.some((f) => f !== read && readsState(f, state))) return undefined;
  const drive = terms.filter((t) => t !== term);
  const driven = drive.length === 0 ? undefined : drive.reduce((x, y) => b.binary('add', x, y));
  // A decay of 1 is no decay: the increment is the drive.
  if (list.length === 1) return { state: read, change: driven ?? b.const(0) };
  const minusOne = lessOne(product(b, list.filter((f) => f !== read)), program, loaded, b);
  if (!minusOne) return undefined;
  const step = b.binary('mul', minusOne, read);
  return { state: read, change: driven ? b.binary('add', step, driven) : step };
}
function summands(e: Expr): Expr[] {
  return e.kind === 'binary' && e.op === 'add' ? [...summands(e.left), ...summands(e.right)] : [e];
}
function readsState(e: Expr, state: DefinitionId): boolean {
  let found = false;
  visitExpr(e, (x) => { if (x.kind === 'read' && x.def === state) found = true; });
  return found;
}
function lessOne(a: Expr, program: Program, loaded: ReadonlySet<DefinitionId>, b: Builder): Expr | undefined {
  if (a.kind === 'unary' && a.op === 'exp') return b.unary('expm1', a.arg);
  if (a.kind === 'read' && !loaded.has(a.def) && a.time?.constant === 0 && a.time.terms.length === 0) {
    const d = program.definitions[a.def] as Definition;
    if (d.kind !== 'equation' || d.state || d.body.kind !== 'unary' || d.body.op !== 'exp') return undefined;
    const at = new Map(d.indices.map((i, k) => [i, a.at[k]]));
    return b.unary('expm1', substitute(b, d.body.arg, (i) => at.get(i)));
  }
  return isLoadTime(a, loaded) ? b.binary('sub', a, b.const(1)) : undefined;
}

/** s = Σ v_m h_m[t], Σ v = 1, every h_m = a_m·s[t−1] + f_m. */
function collapsed(defs: Definition[], s: Equation, program: Program, loaded: ReadonlySet<DefinitionId>, b: Builder): void {
  const outside = factors(s.body);
  const sums = outside.filter((f): f is ExprOf<'reduce'> => f.kind === 'reduce' && f.op === 'sum' && f.over !== 'time');
  const [sum] = sums;
  if (!sum || sums.length > 1) return;
  const inside = factors(sum.body);
  const reads = inside.filter((f): f is ExprOf<'read'> => f.kind === 'read' && f.time !== undefined);
  const [read] = reads;
  if (!read || reads.length > 1) return;
  const weights = [...outside.filter((f) => f !== sum), ...inside.filter((f) => f !== read)];
  if (!isMixture(weights, sum.over as Index, program, b)) return;
  const h = defs[read.def] as Definition;
  if (h.kind !== 'equation' || h.state) return;
  const step = linear(h.body, s.id, undefined, program, loaded, b);
  if (!step || step.state.kind !== 'read') return;
  // h must read s where s reads h: at the same element.
  const position = read.at.findIndex((a) => a.terms.some((t) => t.index === sum.over));
  const kept = h.indices.filter((_, k) => k !== position);
  if (!step.state.at.every((a, k) => a.constant === 0 && a.terms.length === 1 && a.terms[0]?.index === kept[k] && a.terms[0]?.coefficient === 1)) return;
  const id = defs.length as DefinitionId;
  const own = h.indices.map((i) => b.newIndex(i.name, i.axis));
  const image = new Map<Index, Index>(h.indices.map((i, k) => [i, own[k] as Index]));
  const g = b.read(id, h.type, h.indices.map((i) => affineOf(i)), { constant: 0, terms: [] });
  defs.push({
    kind: 'equation', id, name: `${h.name}#increment`, time: true, indices: own, type: h.type, span: h.span,
    body: substitute(b, step.change, (i) => { const x = image.get(i); return x && affineOf(x); }),
  });
  defs[h.id] = { ...h, body: b.binary('add', step.state, g) };
  const last = b.read(s.id, s.type, s.indices.map((i) => affineOf(i)), step.state.time);
  const changes = mapExpr(b, s.body, (e) => (e === read ? b.read(id, h.type, read.at, read.time) : e));
  defs[s.id] = { ...s, body: b.binary('add', last, changes) };
}
