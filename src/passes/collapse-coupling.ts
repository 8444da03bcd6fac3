/**
 * Coupled chains to fewer chains. Where a recurrence reads its states only through linear functionals s = Σ_i v_i h^i of one step, these
 * are first-order chains themselves: s_t = Σ_i v_i h^i_t, and h_t is pointwise in s_{t−1}. Exact: linearity is all it takes. With one
 * functional (`sum`, `mean`, `softmax`: rank one) M chains become one scan, whatever M is; with r functionals, r.
 */
import { affineConstant, affineOf, freeIndices, mapExpr, plainIndex, substitute, visitExpr, type Builder } from '../ir/builder.js';
import { components } from '../ir/components.js';
import { dependencies } from '../ir/builder.js';
import type { Definition, DefinitionId, DefinitionOf, Expr, ExprOf, Index, Program } from '../ir/program.js';
import { factors, product, type Pass } from './pass.js';

type Equation = DefinitionOf<'equation'>;
interface Functional {
  readonly of: DefinitionId;
  readonly position: number;
  readonly key: string;
  /** v over a canonical index. */
  readonly weight: (i: Index) => Expr;
}

export const collapseCoupling: Pass = {
  name: 'collapse-coupling',
  why: 'M coupled chains become one scan where their coupling has rank one, r scans for rank r',
  run(program: Program, b: Builder): Program {
    const defs: Definition[] = [...program.definitions];
    const groups = components(defs.map((d) => d.id), (id) => dependencies(defs[id] as Definition));
    for (const group of groups) collapse(defs, group, b);
    return { ...program, definitions: defs };
  },
};

function collapse(defs: Definition[], group: readonly DefinitionId[], b: Builder): void {
  const found = new Map<string, { functional: Functional; read: Set<Expr> }>();
  for (const id of group) {
    const d = defs[id] as Definition;
    if (d.kind === 'equation') visitExpr(d.body, (e) => {
      const f = functionalOf(e, group, b);
      if (!f) return;
      const entry = found.get(f.key) ?? { functional: f, read: new Set<Expr>() };
      entry.read.add(e);
      found.set(f.key, entry);
    });
  }
  const images = new Map<Expr, Expr>();
  for (const h of group) {
    const d = defs[h] as Definition;
    if (d.kind !== 'equation') continue;
    const own = [...found.values()].filter((x) => x.functional.of === h);
    const size = own[0] ? (d.indices[own[0].functional.position] as Index).axis.size : 0;
    if (own.length === 0 || own.length >= size) continue;
    for (const { functional, read } of own) {
      const chain = addChain(defs, d, functional, b);
      for (const e of read) images.set(e, readChain(b, chain, e as ExprOf<'reduce'>, functional));
    }
  }
  if (images.size === 0) return;
  for (const d of defs.slice()) {
    if (d.kind !== 'equation' || !group.includes(d.id)) continue;
    defs[d.id] = { ...d, body: mapExpr(b, d.body, (e) => images.get(e) ?? e) };
  }
  for (const id of group) dropState(defs, id);
}

/** sum(i: v[i] · h[t−1, …, i, …]) with v free of time and of every other index. */
function functionalOf(e: Expr, group: readonly DefinitionId[], b: Builder): Functional | undefined {
  if (e.kind !== 'reduce' || (e.op !== 'sum' && e.op !== 'mean') || e.over === 'time') return undefined;
  const over = e.over;
  const list = factors(e.body);
  const reads = list.filter((f): f is ExprOf<'read'> => f.kind === 'read' && group.includes(f.def) && f.time !== undefined);
  const [h] = reads;
  if (!h || reads.length > 1 || !h.time || h.time.terms.length > 0 || h.time.constant === 0) return undefined;
  const position = h.at.findIndex((a) => plainIndex(a) === over);
  if (position < 0 || h.at.some((a, k) => k !== position && a.terms.some((t) => t.index === over))) return undefined;
  const share = e.op === 'mean' ? [b.const(1 / over.axis.size)] : [];
  const v = product(b, [...share, ...list.filter((f) => f !== h)]);
  let fixed = [...freeIndices(v)].every((i) => i === over);
  visitExpr(v, (x) => { if (x.kind === 'read' && x.time) fixed = false; });
  if (!fixed) return undefined;
  const weight = (i: Index): Expr => substitute(b, v, (x) => (x === over ? affineOf(i) : undefined));
  const probe = canonical(b, over.axis);
  return { of: h.def, position, key: `${h.def}:${position}:${weight(probe).id}`, weight };
}
const probes = new WeakMap<Builder, Map<Index['axis'], Index>>();
/** One index per axis, to tell equal weights by. */
function canonical(b: Builder, axis: Index['axis']): Index {
  const table = probes.get(b) ?? new Map<Index['axis'], Index>();
  probes.set(b, table);
  const known = table.get(axis) ?? b.newIndex('i', axis);
  table.set(axis, known);
  return known;
}
function addChain(defs: Definition[], h: Equation, f: Functional, b: Builder): DefinitionId {
  const id = defs.length as DefinitionId;
  const kept = h.indices.filter((_, k) => k !== f.position);
  const own = kept.map((i) => b.newIndex(i.name, i.axis));
  const over = b.newIndex('i', (h.indices[f.position] as Index).axis);
  const at = h.indices.map((i, k) => affineOf(k === f.position ? over : (own[kept.indexOf(i)] as Index)));
  const weighted = (e: Expr): Expr => { const v = f.weight(over); return v.kind === 'const' && v.value === 1 ? e : b.binary('mul', v, e); };
  const body = b.reduce('sum', over, weighted(b.read(h.id, h.type, at, affineConstant(0))));
  const image = new Map(h.indices.map((i, k) => [i, k === f.position ? over : (own[kept.indexOf(i)] as Index)]));
  const initial = h.state?.initial && b.reduce('sum', over, weighted(substitute(b, h.state.initial, (i) => { const x = image.get(i); return x && affineOf(x); })));
  const number = defs.filter((d) => d.name.startsWith(`${h.name}#chain`)).length;
  defs.push({
    kind: 'equation', id, name: `${h.name}#chain${number === 0 ? '' : number + 1}`, time: true, indices: own, type: h.type, span: h.span, body,
    state: { direction: h.state?.direction ?? 'forward', ...(initial ? { initial } : {}) },
  });
  return id;
}
function readChain(b: Builder, chain: DefinitionId, e: ExprOf<'reduce'>, f: Functional): Expr {
  const h = factors(e.body).find((x): x is ExprOf<'read'> => x.kind === 'read' && x.def === f.of && x.time !== undefined) as ExprOf<'read'>;
  return b.read(chain, e.type, h.at.filter((_, k) => k !== f.position), h.time);
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
