/**
 * The step of a stage's recurrence as a small matrix per channel, so that a chunk of steps can be summarised: from the state vector v
 * (every state, every lag that is read, every element that mixes with another) v' = T·v + f. The summary of a chunk from a zero state is f's
 * part, F; the product of its T is 1 + Q with Q' = Q + q + q·Q, q = T − 1, kept without the 1 so that slow decay keeps its accuracy.
 * Then chunks are carried by v ← v + (Q·v + F), exact by linearity. A product that is known at load is made then, in float64 (`chunk-power.ts`): what is
 * rounded of it would be the same in every chunk.
 *
 * Elements that only read their own are told apart by loops, not by the matrix: a diagonal state has a matrix of 1×1, `full` coupling of three chains
 * one of 3×3, a second order one of 2×2. A dense transition over a large axis would need a matrix of its size squared: it is refused.
 */
import { affineConstant, affineOf, affineSubstitute, plainIndex, reads, substitute, type Builder } from '../ir/builder.js';
import type { Affine, DefinitionId, Expr, Index, Program } from '../ir/program.js';
import type { Item, KeptState, Stage } from '../ir/stages.js';
import { AffineMaps, type Linear, type Term } from './affine.js';
import { isLoadTime, loadTimeDefinitions } from './pass.js';
import { CHUNK_MATRIX } from './schedule/limits.js';

/** One number of the state vector, per channel and per elementwise index: a state `lag` steps ago, at fixed values of the indices that mix. */
export interface Component {
  readonly state: KeptState;
  readonly lag: number;
  /** Per inner index of the state: the elementwise index that it is, or its value. */
  readonly inner: readonly (Index | number)[];
}
/** Q[row, column]: a number that the summary keeps for each channel and elementwise index. `def` stands for it in expressions only. */
export interface ProductEntry {
  readonly def: DefinitionId;
  readonly row: number;
  readonly column: number;
  /** Its next value. */
  readonly body: Expr;
}
/** An entry of a chunk's product that is known at load. */
export interface PowerEntry {
  readonly row: number;
  readonly column: number;
  readonly high: Expr;
  readonly low: Expr;
}
export interface ChunkStep {
  readonly kind: 'chunk-step';
  readonly components: readonly Component[];
  readonly elementwise: readonly Index[];
  /** Entries that are not always 0 and that steps make. */
  readonly products: readonly ProductEntry[];
  readonly powers: readonly PowerEntry[];
  /** T − 1, where it is known at load. */
  readonly fixed?: readonly { readonly row: number; readonly column: number; readonly value: Expr }[];
}
export interface NoChunkStep {
  readonly kind: 'none';
  /** Whether the recurrence is affine at all. */
  readonly affine: boolean;
  readonly why: string;
}

export function chunkStep(stage: Stage, program: Program, b: Builder): ChunkStep | NoChunkStep {
  const no = (why: string, affine = true): NoChunkStep => ({ kind: 'none', affine, why });
  if (stage.accumulators.length > 0) return no('it takes a reduction over time along, which goes from step to step');
  const members = new Map(stage.items.map((i) => [i.def, i]));
  for (const item of stage.items) for (const id of reads(item.body)) {
    const d = program.definitions[id];
    if (d?.kind === 'stack' && d.parts.some((p) => members.has(p))) return no('its modalities have recurrences of their own');
  }
  const maps = new AffineMaps(b, { equations: members, stacks: new Map() });
  const forms = new Map<DefinitionId, Linear>();
  for (const s of stage.states) {
    const form = maps.of(s.def);
    if (form.kind === 'obstacle') return no(form.why, false);
    forms.set(s.def, form);
  }
  const items = stage.states.map((s) => members.get(s.def) as Item);
  const classes = elementwiseClasses(items, forms);
  const components = stage.states.flatMap((s, k) => componentsOf(s, items[k] as Item, classes));
  if (components.length > CHUNK_MATRIX) {
    const mixing = [...new Set(items.flatMap((i) => i.inner.filter((x) => !classes.has(x)).map((x) => `\`${x.name}\` (${x.axis.size})`)))];
    const where = mixing.length > 0 ? `its elements mix along ${mixing.join(', ')}: ` : '';
    return no(`${where}a chunk's summary would be a matrix of ${components.length}×${components.length} per channel, and more than ${CHUNK_MATRIX}×${CHUNK_MATRIX} costs more than it saves`);
  }
  const rows = components.map((c) => rowOf(c, components, forms, members, classes, b));
  if (rows.some((r) => r === undefined)) return no('which element is read depends on the channel');
  const elementwise = (items[0]?.inner ?? []).flatMap((i) => (classes.has(i) ? [i] : []));
  const base = { kind: 'chunk-step' as const, components, elementwise };
  const fixed = fixedEntries(rows as Row[], program, b);
  const { power } = stage;
  if (!fixed || !power) return { ...base, products: productEntries(rows as Row[], program, stage.domain, elementwise, b), powers: [], ...(fixed ? { fixed } : {}) };
  const read = (def: DefinitionId, row: number, column: number): Expr => b.read(def, 'real', [affineConstant(row), affineConstant(column), ...power.at.map((i) => affineOf(i))]);
  const reach = reachable(rows as Row[]);
  const powers = components.flatMap((_, row) => components.flatMap((__, column): PowerEntry[] =>
    (row === column || reach[row]?.has(column) ? [{ row, column, high: read(power.high, row, column), low: read(power.low, row, column) }] : [])));
  return { ...base, products: [], powers, fixed };
}

/** Inner indices along which no element reads another, each with the first state's index of its class. */
export function elementwiseClasses(items: readonly Item[], forms: ReadonlyMap<DefinitionId, Linear>): ReadonlyMap<Index, Index> {
  const parent = new Map<Index, Index>();
  const find = (i: Index): Index => { let r = i; while (parent.has(r)) r = parent.get(r) as Index; return r; };
  const mixed = new Set<Index>();
  for (const item of items) for (const t of forms.get(item.def)?.terms ?? []) {
    const from = items.find((i) => i.def === t.from);
    from?.indices.forEach((theirs, p) => {
      if (!from.inner.includes(theirs)) return;
      const mine = plainIndex(t.at[p] as Affine);
      if (!mine || !item.inner.includes(mine)) { mixed.add(theirs); return; }
      const [x, y] = [find(mine), find(theirs)];
      if (x !== y) parent.set(x, y);
    });
  }
  const byRoot = new Map<Index, Index[]>();
  for (const item of items) for (const i of item.inner) byRoot.set(find(i), [...(byRoot.get(find(i)) ?? []), i]);
  const out = new Map<Index, Index>();
  for (const list of byRoot.values()) {
    const once = list.length === items.length && items.every((item) => list.filter((i) => item.inner.includes(i)).length === 1);
    if (!once || list.some((i) => mixed.has(i))) continue;
    const first = list.find((i) => items[0]?.inner.includes(i)) as Index;
    for (const i of list) out.set(i, first);
  }
  return out;
}
function componentsOf(state: KeptState, item: Item, classes: ReadonlyMap<Index, Index>): Component[] {
  let all: (Index | number)[][] = [[]];
  for (const i of item.inner) {
    const e = classes.get(i);
    all = all.flatMap((head) => (e ? [[...head, e]] : Array.from({ length: i.axis.size }, (_, k) => [...head, k])));
    // A matrix that is refused anyway needn't be counted to its end.
    if (all.length > 4096) break;
  }
  return Array.from({ length: state.depth }, (_, k) => all.map((inner): Component => ({ state, lag: k + 1, inner }))).flat();
}

/** Coefficients by column; `incremental`: a 1 on the diagonal is left out. */
interface Row {
  readonly entries: ReadonlyMap<number, readonly Expr[]>;
  readonly incremental: boolean;
}
function rowOf(c: Component, all: readonly Component[], forms: ReadonlyMap<DefinitionId, Linear>, members: ReadonlyMap<DefinitionId, Item>, classes: ReadonlyMap<Index, Index>, b: Builder): Row | undefined {
  const self = all.indexOf(c);
  const same = (x: Component, y: { readonly state: DefinitionId; readonly lag: number; readonly inner: readonly (Index | number)[] }): boolean =>
    x.state.def === y.state && x.lag === y.lag && x.inner.every((v, k) => v === y.inner[k]);
  if (c.lag > 1) {
    const before = all.findIndex((x) => same(x, { state: c.state.def, lag: c.lag - 1, inner: c.inner }));
    return { entries: new Map([[before, [b.const(1)]]]), incremental: false };
  }
  const item = members.get(c.state.def) as Item;
  const own = new Map<Index, Affine>(item.inner.map((i, k) => { const v = c.inner[k] as Index | number; return [i, typeof v === 'number' ? { constant: v, terms: [] } : affineOf(v)]; }));
  const entries = new Map<number, Expr[]>();
  for (const t of forms.get(c.state.def)?.terms ?? []) {
    const from = members.get(t.from) as Item;
    for (const read of mixedValues(t, from, own, classes)) {
      const inner = innerOf(read.at, from, classes);
      const column = inner && all.findIndex((x) => same(x, { state: t.from, lag: t.lag, inner }));
      if (column === undefined || column < 0) return undefined;
      const by = (i: Index): Affine | undefined => read.values.get(i) ?? own.get(i);
      const rest = t.bound.filter((i) => !read.values.has(i));
      const coefficient = rest.reduceRight((e, i) => b.reduce('sum', i, e), substitute(b, t.coefficient, by));
      entries.set(column, [...(entries.get(column) ?? []), coefficient]);
    }
  }
  const diagonal = entries.get(self) ?? [];
  const one = diagonal.findIndex((e) => e.kind === 'const' && e.value === 1);
  if (one < 0) return { entries, incremental: false };
  entries.set(self, diagonal.filter((_, k) => k !== one));
  return { entries, incremental: true };
}
/** A term for each value of its bound indices that pick a mixing element. */
function mixedValues(t: Term, from: Item, own: ReadonlyMap<Index, Affine>, classes: ReadonlyMap<Index, Index>): { values: ReadonlyMap<Index, Affine>; at: readonly Affine[] }[] {
  const picks = t.bound.filter((i) => from.indices.some((x, p) => from.inner.includes(x) && !classes.has(x) && t.at[p]?.terms.some((y) => y.index === i)));
  let all: Map<Index, Affine>[] = [new Map()];
  for (const i of picks) all = all.flatMap((m) => Array.from({ length: i.axis.size }, (_, k) => new Map(m).set(i, { constant: k, terms: [] })));
  return all.map((values) => ({ values, at: t.at.map((a) => affineSubstitute(a, (i) => values.get(i) ?? own.get(i))) }));
}
function innerOf(at: readonly Affine[], from: Item, classes: ReadonlyMap<Index, Index>): (Index | number)[] | undefined {
  const out: (Index | number)[] = [];
  for (const i of from.inner) {
    const a = at[from.indices.indexOf(i)] as Affine;
    const e = classes.get(i);
    if (e) out.push(e);
    else if (a.terms.length === 0) out.push(a.constant);
    else return undefined;
  }
  return out;
}

/** T − 1 entry by entry, if nothing of it has a t or an input. */
function fixedEntries(rows: readonly Row[], program: Program, b: Builder): ChunkStep['fixed'] {
  const loaded = loadTimeDefinitions(program);
  if (rows.some((r) => [...r.entries.values()].flat().some((e) => !isLoadTime(e, loaded)))) return undefined;
  return rows.flatMap((r, row) => rows.flatMap((_, column) => {
    const list = [...(r.entries.get(column) ?? []), ...(row === column && !r.incremental ? [b.const(-1)] : [])];
    return list.length === 0 ? [] : [{ row, column, value: list.reduce((x, y) => b.binary('add', x, y)) }];
  }));
}
/** Q[i, j] ← Q[i, j] + Σ_k q[i, k]·(Q[k, j] + δ[k, j]), or Σ_k T[i, k]·(Q[k, j] + δ[k, j]) − δ[i, j] where the row has no 1 to leave out. */
function productEntries(rows: readonly Row[], program: Program, domain: readonly Index[], elementwise: readonly Index[], b: Builder): ProductEntry[] {
  const reach = reachable(rows);
  const at = [...domain, ...elementwise].map((i) => affineOf(i));
  const ids = new Map<string, DefinitionId>();
  rows.forEach((_, i) => rows.forEach((__, j) => {
    if (i === j || reach[i]?.has(j)) ids.set(`${i},${j}`, (program.definitions.length + ids.size) as DefinitionId);
  }));
  const Q = (i: number, j: number): Expr | undefined => { const id = ids.get(`${i},${j}`); return id === undefined ? undefined : b.read(id, 'real', at, { constant: -1, terms: [] }); };
  return [...ids].map(([key, def]): ProductEntry => {
    const [i, j] = key.split(',').map(Number) as [number, number];
    const row = rows[i] as Row;
    const parts: Expr[] = [];
    for (const [k, list] of row.entries) for (const c of list) {
      const q = Q(k, j);
      const unit = c.kind === 'const' && c.value === 1;
      if (q) parts.push(unit ? q : b.binary('mul', c, q));
      if (k === j) parts.push(c);
    }
    const change = parts.length === 0 ? undefined : parts.reduce((x, y) => b.binary('add', x, y));
    const mine = Q(i, j) as Expr;
    if (row.incremental) return { def, row: i, column: j, body: change ? b.binary('add', mine, change) : mine };
    const next = change ?? b.const(0);
    return { def, row: i, column: j, body: i === j ? b.binary('sub', next, b.const(1)) : next };
  });
}
/** Per row the columns that a product of any number of steps can reach. */
function reachable(rows: readonly Row[]): Set<number>[] {
  const reach = rows.map((r) => new Set([...r.entries].filter(([, list]) => list.length > 0).map(([k]) => k)));
  for (let changed = true; changed;) {
    changed = false;
    for (const set of reach) for (const k of Array.from(set)) for (const j of reach[k] ?? []) if (!set.has(j)) { set.add(j); changed = true; }
  }
  return reach;
}
