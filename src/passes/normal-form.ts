/**
 * The affine normal form of every recurrence of a program: inside a group of definitions that need each other's past,
 *
 *   h^a_t = Σ_b Σ_lag T^{ab,lag}_t h^b_{t∓lag} + f^a_t,
 *
 * with T and f free of the group. States are the members that are read at another step; what else the group has is written in. It
 * is derived from the program alone, so it holds before the passes and after each of them. A complex recurrence is one of complex numbers
 * before `split-complex`, and a real one of twice the states after it. A backward recurrence has the same form, its lags counted ahead.
 *
 * More than one step of past is the companion form: `depth` blocks per pair, where the step of the vector (h_{t-1}, …, h_{t-depth}) shifts.
 */
import { affineOf, affineValue, dependencies, isNow, plainIndex, readsTime, substitute, visitExpr, type Builder } from '../ir/builder.js';
import { components } from '../ir/components.js';
import type { Affine, Axis, Definition, DefinitionId, Expr, Index, Program } from '../ir/program.js';
import { AffineMaps, ownIndex, type Member, type Obstacle, type Term } from './affine.js';
import { factors, isLoadTime, loadTimeDefinitions } from './pass.js';
import { separate } from './rank.js';

export type { Term } from './affine.js';

/** With what a value changes: not at all once weights are bound, with the sequence's inputs that have no t, or from step to step. */
export type Varies = 'load' | 'sequence' | 'step';

/** One product of a factored block: T[row, column] = Σ_tie left · right, with `left` free of the columns that mix and `right` of the rows. */
export interface Factor {
  readonly left: Expr;
  readonly right: Expr;
  /** Summed over, besides the columns: the rank that this factor adds is the product of their sizes. */
  readonly tie: readonly Index[];
  /** The columns: bound indices of `at`, or none where one fixed element is read. */
  readonly columns: readonly Index[];
  readonly at: readonly Affine[];
}
/** How a state depends on another's past. */
export type Structure =
  /** Not at all. */
  | { readonly kind: 'zero' }
  /** Each element on the one at its own indices. */
  | { readonly kind: 'diagonal' }
  /** Along these axes through `rank` linear functionals only, fewer than they have elements; elementwise in the others. */
  | { readonly kind: 'factored'; readonly along: readonly Axis[]; readonly rank: number; readonly factors: readonly Factor[] }
  /** Along these axes each element on every one; elementwise in the others. */
  | { readonly kind: 'dense'; readonly along: readonly Axis[] };

/** T^{ab} at one lag. */
export interface Block {
  readonly to: DefinitionId;
  readonly from: DefinitionId;
  readonly lag: number;
  readonly structure: Structure;
  /** T·h = Σ_terms Σ_bound coefficient · from[t ∓ lag, at], over the indices of `to`. */
  readonly terms: readonly Term[];
  readonly varies: Varies;
}
export interface AffineState {
  readonly def: DefinitionId;
  readonly indices: readonly Index[];
  readonly type: 'real' | 'complex';
  /** f, over `indices`; absent: 0. */
  readonly drive?: Expr;
  readonly driveVaries: Varies;
  /** What stands before the first step, over `indices`; absent: 0. */
  readonly initial?: Expr;
  /** One per state it may read and lag, zero blocks included. */
  readonly blocks: readonly Block[];
}
interface Recurrence {
  readonly direction: 'forward' | 'backward';
  /** All definitions of the group, what they need at the same step first. */
  readonly members: readonly DefinitionId[];
}
export interface AffineForm extends Recurrence {
  readonly kind: 'affine';
  readonly states: readonly AffineState[];
  /** The largest lag. */
  readonly depth: number;
  /** No T has a t: the recurrence is a convolution. */
  readonly timeInvariant: boolean;
}
/** It runs step by step: this subterm of this member forbids the scan. */
export interface NotAffineForm extends Recurrence {
  readonly kind: 'not-affine';
  readonly states: readonly DefinitionId[];
  readonly within: DefinitionId;
  readonly subterm: Expr;
  readonly why: string;
}
export type NormalForm = AffineForm | NotAffineForm;

/** The forms of a program's recurrences, and what they are written in. */
export interface Recurrences {
  readonly program: Program;
  readonly forms: readonly NormalForm[];
}

export function normalForms(program: Program, b: Builder): readonly NormalForm[] {
  const defs = program.definitions;
  const def = (id: DefinitionId): Definition => defs[id] as Definition;
  const times = new Times(program);
  return components(defs.map((d) => d.id), (id) => dependencies(def(id))).flatMap((group) => {
    const first = group[0] as DefinitionId;
    if (group.length === 1 && !dependencies(def(first)).has(first)) return [];
    return [groupForm(program, group, times, b)];
  });
}

function groupForm(program: Program, group: readonly DefinitionId[], times: Times, b: Builder): NormalForm {
  const defs = group.map((id) => program.definitions[id] as Definition);
  const equations = new Map<DefinitionId, Member>(defs.flatMap((d) => (d.kind === 'equation' ? [[d.id, { indices: d.indices, body: d.body }] as const] : [])));
  const stacks = new Map(defs.flatMap((d) => (d.kind === 'stack' ? [[d.id, d.parts] as const] : [])));
  const maps = new AffineMaps(b, { equations, stacks });
  const states = carriers(defs, stacks);
  const direction = defs.some((d) => d.kind === 'equation' && d.state?.direction === 'backward') ? 'backward' : 'forward';
  const common: Recurrence = { direction, members: sameStepOrder(defs) };
  const forms = states.map((id) => [id, maps.of(id)] as const);
  const blocked = forms.find((f): f is readonly [DefinitionId, Obstacle] => f[1].kind === 'obstacle');
  if (blocked) {
    const [id, { subterm, why }] = blocked;
    return { kind: 'not-affine', ...common, states, within: equationOf(equations, subterm) ?? id, subterm, why };
  }
  const depth = Math.max(1, ...forms.flatMap(([, f]) => (f.kind === 'linear' ? f.terms.map((t) => t.lag) : [])));
  const done = forms.map(([id, f]): AffineState => {
    const d = program.definitions[id] as Definition;
    const terms = f.kind === 'linear' ? f.terms : [];
    const rest = f.kind === 'linear' ? f.rest : undefined;
    const initial = d.kind === 'equation' ? d.state?.initial : undefined;
    return {
      def: id, indices: d.indices, type: d.type === 'complex' ? 'complex' : 'real', driveVaries: rest ? times.varies(rest) : 'load',
      ...(rest ? { drive: rest } : {}), ...(initial ? { initial } : {}),
      blocks: states.flatMap((from) => Array.from({ length: depth }, (_, k) => blockOf(program, d, from, k + 1, terms, times, b))),
    };
  });
  return { kind: 'affine', ...common, states: done, depth, timeInvariant: done.every((s) => s.blocks.every((x) => x.varies !== 'step')) };
}
/** The members that the group reads at another step, of stacks the parts. */
function carriers(defs: readonly Definition[], stacks: ReadonlyMap<DefinitionId, readonly DefinitionId[]>): DefinitionId[] {
  const inGroup = new Set(defs.map((d) => d.id));
  const found = new Set<DefinitionId>();
  for (const d of defs) if (d.kind === 'equation') visitExpr(d.body, (e) => {
    if (e.kind !== 'read' || !inGroup.has(e.def) || !e.time || isNow(e.time)) return;
    for (const id of stacks.get(e.def) ?? [e.def]) found.add(id);
  });
  return defs.map((d) => d.id).filter((id) => found.has(id));
}
function sameStepOrder(defs: readonly Definition[]): DefinitionId[] {
  const ids = defs.map((d) => d.id);
  const now = (id: DefinitionId): DefinitionId[] => {
    const d = defs.find((x) => x.id === id);
    if (d?.kind === 'stack') return [...d.parts];
    const out: DefinitionId[] = [];
    if (d?.kind === 'equation') visitExpr(d.body, (e) => { if (e.kind === 'read' && isNow(e.time)) out.push(e.def); });
    return out;
  };
  return components(ids, now).flat();
}
function equationOf(equations: ReadonlyMap<DefinitionId, Member>, subterm: Expr): DefinitionId | undefined {
  for (const [id, m] of equations) {
    let found = false;
    visitExpr(m.body, (e) => { if (e === subterm) found = true; });
    if (found) return id;
  }
  return undefined;
}

// --- structure ----------------------------------------------------------------------------------------------------------

function blockOf(program: Program, to: Definition, from: DefinitionId, lag: number, all: readonly Term[], times: Times, b: Builder): Block {
  const terms = all.filter((t) => t.from === from && t.lag === lag);
  const source = program.definitions[from] as Definition;
  return { to: to.id, from, lag, terms, structure: structureOf(program, to, source, terms, b), varies: terms.map((t) => times.varies(t.coefficient)).reduce(later, 'load') };
}
function structureOf(program: Program, to: Definition, from: Definition, terms: readonly Term[], b: Builder): Structure {
  if (terms.length === 0) return { kind: 'zero' };
  // A position is kept where every term reads it at the same own index.
  const kept = from.indices.map((_, p): Index | undefined => {
    const own = terms.map((t) => ownIndex(t.at[p] as Affine, to.indices));
    const [first] = own;
    if (!first || own.some((o) => o !== first)) return undefined;
    return to.id === from.id && first !== to.indices[p] ? undefined : first;
  });
  const mixing = from.indices.flatMap((_, p) => (kept[p] ? [] : [p]));
  if (mixing.length === 0 && terms.every((t) => t.bound.length === 0)) return { kind: 'diagonal' };
  if (mixing.length === 0) return { kind: 'diagonal' };
  const along = mixing.map((p) => (from.indices[p] as Index).axis);
  const rows = to.indices.filter((i) => !kept.includes(i) && from.indices.some((f, p) => !kept[p] && f.axis === i.axis));
  const list: Factor[] = [];
  for (const t of terms) {
    const factor = factored(program, t, mixing, rows, b);
    if (!factor) return { kind: 'dense', along };
    list.push(factor);
  }
  const rank = list.reduce((n, f) => n + f.tie.reduce((x, i) => x * i.axis.size, 1), 0);
  const size = along.reduce((n, a) => n * a.size, 1);
  return rank < size ? { kind: 'factored', along, rank, factors: list } : { kind: 'dense', along };
}
/** left(row, tie)·right(column, tie), if the term's coefficient falls apart so. */
function factored(program: Program, t: Term, mixing: readonly number[], rows: readonly Index[], b: Builder): Factor | undefined {
  const columns = t.bound.filter((i) => mixing.some((p) => t.at[p]?.terms.some((x) => x.index === i)));
  if (mixing.some((p) => t.at[p]?.terms.some((x) => rows.includes(x.index)))) return undefined;
  const found = separate(program, factors(t.coefficient), new Set(rows), new Set(columns), b);
  return found && { left: found.left, right: found.right, tie: [...t.bound.filter((i) => !columns.includes(i)), ...found.tie], columns, at: t.at };
}

/** Fresh indices over a state's elements, to name the columns of T by. */
export function columnsOf(state: Pick<AffineState, 'indices'>, b: Builder): readonly Index[] {
  const images = new Map<Index, Index>();
  for (const i of state.indices) images.set(i, b.newIndex(i.name, i.axis, i.governor && (images.get(i.governor) ?? i.governor)));
  return state.indices.map((i) => images.get(i) as Index);
}
/** T^{ab} element by element: an expression over the indices of `to` and the columns, which stand for the indices of `from`. */
export function entry(block: Block, columns: readonly Index[], b: Builder): Expr {
  const parts = block.terms.map((t) => {
    const named = new Map<Index, Index>();
    t.at.forEach((a, p) => {
      const i = plainIndex(a);
      if (i && t.bound.includes(i) && !named.has(i)) named.set(i, columns[p] as Index);
    });
    const by = (i: Index): Affine | undefined => { const c = named.get(i); return c && affineOf(c); };
    let value = substitute(b, t.coefficient, by);
    t.at.forEach((a, p) => {
      const i = plainIndex(a);
      if (i && named.get(i) === columns[p]) return;
      const here = affineValue(b, { constant: a.constant, terms: a.terms.map((x) => ({ ...x, index: named.get(x.index) ?? x.index })) });
      value = b.select(b.binary('eq', b.index(columns[p] as Index), here), value, b.const(0));
    });
    return t.bound.filter((i) => !named.has(i)).reduceRight((e, i) => b.reduce('sum', i, e), value);
  });
  return parts.length === 0 ? b.const(0) : parts.reduce((x, y) => b.binary('add', x, y));
}

// --- binding times ------------------------------------------------------------------------------------------------------

class Times {
  readonly #loaded: ReadonlySet<DefinitionId>;
  constructor(program: Program) {
    this.#loaded = loadTimeDefinitions(program);
  }
  varies(e: Expr): Varies {
    return isLoadTime(e, this.#loaded) ? 'load' : readsTime(e) ? 'step' : 'sequence';
  }
}
const order: readonly Varies[] = ['load', 'sequence', 'step'];
const later = (x: Varies, y: Varies): Varies => (order.indexOf(x) >= order.indexOf(y) ? x : y);
