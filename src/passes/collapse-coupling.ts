/**
 * Coupled chains to fewer chains. Where a recurrence reads its states only through linear functionals s = Σ_i v_i h^i of one step, these
 * are first-order chains themselves: s_t = Σ_i v_i h^i_t, and h_t is pointwise in s_{t−1}. Exact: linearity is all it takes. With one
 * functional (`sum`, `mean`, `softmax`: rank one) M chains become one scan, whatever M is; with r functionals, r.
 *
 * v may vary with the elements that the chain keeps, and with an index that ties it to what stands before the sum: K = Σ_r u_r v_rᵀ, however it is
 * written, is Σ_r u_r Σ_i v_{ri} h^i, whose functionals are r chains. A state that is also read otherwise gains nothing and stays.
 */
import { affineConstant, affineOf, children, dependencies, freeIndices, mapExpr, plainIndex, substitute, visitExpr, type Builder } from '../ir/builder.js';
import { components } from '../ir/components.js';
import type { Affine, Definition, DefinitionId, DefinitionOf, Expr, ExprOf, Index, Program } from '../ir/program.js';
import { factors, product, type Pass } from './pass.js';
import { separate } from './rank.js';

type Equation = DefinitionOf<'equation'>;
/** Σ over `over` of v·h[t ∓ lag, at]. */
interface Site {
  readonly over: Index;
  readonly h: ExprOf<'read'>;
  readonly position: number;
  readonly v: Expr;
  /** Indices of v that the chain doesn't keep: it gets them too. */
  readonly extras: readonly Index[];
  /** Equal for equal functionals. */
  readonly key: string;
}

export const collapseCoupling: Pass = {
  name: 'collapse-coupling',
  why: 'M coupled chains become one scan where their coupling has rank one, r scans for rank r',
  run(program: Program, b: Builder): Program {
    const defs: Definition[] = [...program.definitions];
    const groups = components(defs.map((d) => d.id), (id) => dependencies(defs[id] as Definition));
    for (const group of groups) collapse(program, defs, group, b);
    return { ...program, definitions: defs };
  },
};

function collapse(program: Program, defs: Definition[], group: readonly DefinitionId[], b: Builder): void {
  const bodies = new Map<DefinitionId, Expr>();
  for (const id of group) {
    const d = defs[id] as Definition;
    if (d.kind === 'equation') bodies.set(id, mapExpr(b, d.body, (e) => lowRank(program, e, group, b) ?? e));
  }
  const found = new Map<string, { first: Site; read: Map<Expr, Site> }>();
  for (const body of bodies.values()) visitExpr(body, (e) => {
    const site = siteOf(e, group, b);
    if (!site) return;
    const entry = found.get(site.key) ?? { first: site, read: new Map<Expr, Site>() };
    entry.read.set(e, site);
    found.set(site.key, entry);
  });
  const images = new Map<Expr, Expr>();
  for (const h of group) {
    const d = defs[h] as Definition;
    if (d.kind !== 'equation') continue;
    const own = [...found.values()].filter((x) => x.first.h.def === h);
    const chains = own.reduce((n, x) => n + elements(d.indices.filter((_, k) => k !== x.first.position)) * elements(x.first.extras), 0);
    const within = new Set(own.flatMap((x) => [...x.read.keys()]));
    if (own.length === 0 || chains >= elements(d.indices) || [...bodies.values()].some((body) => readsOtherwise(body, h, within))) continue;
    for (const { first, read } of own) {
      const chain = addChain(defs, d, first, b);
      for (const [e, site] of read) images.set(e, b.read(chain, e.type, [...site.extras.map((i) => affineOf(i)), ...site.h.at.filter((_, k) => k !== site.position)], site.h.time));
    }
  }
  if (images.size === 0) return;
  for (const [id, body] of bodies) defs[id] = { ...(defs[id] as Equation), body: mapExpr(b, body, (e) => images.get(e) ?? e) };
  for (const id of group) dropState(defs, id);
}
const elements = (indices: readonly Index[]): number => indices.reduce((n, i) => n * i.axis.size, 1);
/** h at another step, outside these sums. */
function readsOtherwise(root: Expr, h: DefinitionId, within: ReadonlySet<Expr>): boolean {
  let found = false;
  const visit = (e: Expr): void => {
    if (within.has(e) || found) return;
    if (e.kind === 'read' && e.def === h && e.time && (e.time.constant !== 0 || e.time.terms.length > 0)) found = true;
    for (const kid of children(e)) visit(kid);
  };
  visit(root);
  return found;
}

/** A sum over i of one product with h[t ∓ lag, …, i, …] in it: its factors, and where i stands. */
interface Sum {
  readonly over: Index;
  readonly h: ExprOf<'read'>;
  readonly position: number;
  readonly rest: readonly Expr[];
}
function sumOf(e: Expr, group: readonly DefinitionId[], b: Builder): Sum | undefined {
  if (e.kind !== 'reduce' || (e.op !== 'sum' && e.op !== 'mean') || e.over === 'time' || e.over.axis.ragged) return undefined;
  const over = e.over;
  const list = factors(e.body);
  const reads = list.filter((f): f is ExprOf<'read'> => f.kind === 'read' && group.includes(f.def) && f.time !== undefined);
  const [h] = reads;
  if (!h || reads.length > 1 || !h.time || h.time.terms.length > 0 || h.time.constant === 0) return undefined;
  const position = h.at.findIndex((a) => plainIndex(a) === over);
  if (position < 0 || h.at.some((a, k) => k !== position && a.terms.some((t) => t.index === over))) return undefined;
  const share = e.op === 'mean' ? [b.const(1 / over.axis.size)] : [];
  return { over, h, position, rest: [...share, ...list.filter((f) => f !== h)] };
}
/** Indices that the chain keeps: those at which h is read plainly, but for the one summed. */
function keptAt(s: Sum): ReadonlyMap<Index, number> {
  const out = new Map<Index, number>();
  s.h.at.forEach((a, k) => { const i = plainIndex(a); if (i && k !== s.position && !out.has(i)) out.set(i, k); });
  return out;
}
function siteOf(e: Expr, group: readonly DefinitionId[], b: Builder): Site | undefined {
  const s = sumOf(e, group, b);
  if (!s) return undefined;
  const v = product(b, s.rest);
  let timed = false;
  visitExpr(v, (x) => { if (x.kind === 'read' && (x.time || group.includes(x.def))) timed = true; });
  if (timed) return undefined;
  const kept = keptAt(s);
  const extras = [...freeIndices(v)].filter((i) => i !== s.over && !kept.has(i)).sort((x, y) => x.id - y.id);
  const canonical = substitute(b, v, (i) => affineOf(i === s.over ? probe(b, i.axis, 'over') : kept.has(i) ? probe(b, i.axis, `${kept.get(i)}`) : extras.includes(i) ? probe(b, i.axis, `extra${extras.indexOf(i)}`) : i));
  return { over: s.over, h: s.h, position: s.position, v, extras, key: `${s.h.def}:${s.position}:${canonical.id}` };
}
/** sum(i: K[m, i]·h) with K = Σ_r u[m, r]·v[i, r] and r smaller than i: sum(r: u·sum(i: v·h)). */
function lowRank(program: Program, e: Expr, group: readonly DefinitionId[], b: Builder): Expr | undefined {
  const swapped = e.kind === 'reduce' && e.op === 'sum' && e.over !== 'time' && e.body.kind === 'reduce' && e.body.op === 'sum' && e.body.over !== 'time' && !e.body.over.axis.ragged ? e.body : undefined;
  const s = sumOf(swapped ? b.reduce('sum', (e as ExprOf<'reduce'>).over, swapped.body) : e, group, b);
  if (!s) return undefined;
  const inner = swapped ? [swapped.over as Index] : [];
  if (s.h.at.some((a) => a.terms.some((t) => inner.includes(t.index)))) return undefined;
  const kept = keptAt(s);
  const rows = new Set(s.rest.flatMap((f) => [...freeIndices(f)]).filter((i) => i !== s.over && !kept.has(i) && !inner.includes(i)));
  const found = separate(program, s.rest, rows, new Set([s.over]), b);
  const tie = found && [...inner, ...found.tie].filter((i) => freeIndices(found.left).has(i) || freeIndices(found.right).has(i));
  if (!found || !tie || tie.length === 0 || elements(tie) >= s.over.axis.size) return undefined;
  const functional = b.reduce('sum', s.over, product(b, [...factors(found.right).filter((f) => !(f.kind === 'const' && f.value === 1)), s.h]));
  const body = found.left.kind === 'const' && found.left.value === 1 ? functional : b.binary('mul', found.left, functional);
  return tie.reduceRight((x, i) => b.reduce('sum', i, x), body);
}
const probes = new WeakMap<Builder, Map<string, Index>>();
const axisNumbers = new WeakMap<Index['axis'], number>();
let axes = 0;
/** One index per axis and role, to tell equal weights by. */
function probe(b: Builder, axis: Index['axis'], role: string): Index {
  if (!axisNumbers.has(axis)) axisNumbers.set(axis, axes++);
  const table = probes.get(b) ?? new Map<string, Index>();
  probes.set(b, table);
  const key = `${role}:${axisNumbers.get(axis)}`;
  const known = table.get(key) ?? b.newIndex('i', axis);
  table.set(key, known);
  return known;
}

function addChain(defs: Definition[], h: Equation, f: Site, b: Builder): DefinitionId {
  const id = defs.length as DefinitionId;
  const kept = h.indices.filter((_, k) => k !== f.position);
  const own = kept.map((i) => b.newIndex(i.name, i.axis));
  const extras = f.extras.map((i) => b.newIndex(i.name, i.axis));
  const over = b.newIndex('i', (h.indices[f.position] as Index).axis);
  const element = (k: number): Index => (k === f.position ? over : (own[kept.indexOf(h.indices[k] as Index)] as Index));
  const plain = new Map<Index, Index>([[f.over, over], ...f.extras.map((i, k) => [i, extras[k] as Index] as const)]);
  f.h.at.forEach((a, k) => { const i = plainIndex(a); if (i && k !== f.position && !plain.has(i)) plain.set(i, element(k)); });
  const v = substitute(b, f.v, (i): Affine | undefined => { const x = plain.get(i); return x && affineOf(x); });
  const weighted = (e: Expr): Expr => (v.kind === 'const' && v.value === 1 ? e : b.binary('mul', v, e));
  const body = b.reduce('sum', over, weighted(b.read(h.id, h.type, h.indices.map((_, k) => affineOf(element(k))), affineConstant(0))));
  const image = new Map(h.indices.map((i, k) => [i, element(k)]));
  const initial = h.state?.initial && b.reduce('sum', over, weighted(substitute(b, h.state.initial, (i) => { const x = image.get(i); return x && affineOf(x); })));
  const number = defs.filter((d) => d.name.startsWith(`${h.name}#chain`)).length;
  defs.push({
    kind: 'equation', id, name: `${h.name}#chain${number === 0 ? '' : number + 1}`, time: true, indices: [...extras, ...own], type: h.type, span: h.span, body,
    state: { direction: h.state?.direction ?? 'forward', ...(initial ? { initial } : {}) },
  });
  return id;
}
/** What no one reads at another step any more is no state. */
function dropState(defs: Definition[], id: DefinitionId): void {
  const d = defs[id] as Definition;
  if (d.kind !== 'equation' || !d.state) return;
  let shifted = false;
  for (const r of defs) if (r.kind === 'equation') visitExpr(r.body, (e) => { if (e.kind === 'read' && e.def === id && e.time && (e.time.constant !== 0 || e.time.terms.length > 0)) shifted = true; });
  if (shifted) return;
  const { state: _, ...rest } = d;
  defs[id] = rest;
}
