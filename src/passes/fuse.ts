/**
 * Forms stages: what is computed together, in one pass over memory.
 *
 * 1. A definition with one reader moves into it where that repeats no work (activations, gates, skips, residual sums).
 * 2. A recurrence takes in whatever reads its states along axes that would otherwise have to be stored (the readout sum over n), and
 *    then pointwise readers of those: states stay on chip, and nothing of size time × channels × state exists.
 * 3. What a recurrence alone reads, and pointwise at the same step, joins it.
 * 4. A reduction along a row (a norm's mean and variance) joins the stage that reads it, so that a row is handled while it is in cache.
 *
 * Exact: only the place where an expression is evaluated changes.
 */
import { affineOf, children, dependencies, isNow, mapExpr, plainIndex, reads, substitute, visitExpr, type Builder } from '../ir/builder.js';
import type { Affine, Definition, DefinitionId, DefinitionOf, Expr, ExprOf, Index, Program } from '../ir/program.js';
import type { Accumulator, Item, KeptState, Stage, StageGraph } from '../ir/stages.js';
import { affineRange, bindingTimes } from './binding-times.js';
import { components } from '../ir/components.js';
import { UNROLL } from './schedule/limits.js';

type Equation = DefinitionOf<'equation'>;

/** A stage while it is being formed: the definitions in it, and which of their indices are the domain's. */
interface Draft {
  readonly members: DefinitionId[];
  readonly recurrent: boolean;
  /** Per member, the class of each index position; classes that every member has exactly once are the domain. */
}

export function fuse(input: Program, b: Builder): StageGraph {
  const program = broadcastLoadTimeOutputs(input, b);
  const times = bindingTimes(program);
  const work = new Fusion(program, b, times.phase);
  work.inlineSingleUses();
  const stages = work.stages(times.wholeSequence !== undefined);
  return {
    program: work.program(), stages, history: work.history(),
    ...(times.wholeSequence ? { wholeSequence: times.wholeSequence } : {}),
  };
}

/** An output that no input reaches still has one value per row of the batch. */
function broadcastLoadTimeOutputs(program: Program, b: Builder): Program {
  const { phase } = bindingTimes(program);
  const definitions = [...program.definitions];
  const outputs = program.outputs.map((o) => {
    const d = definitions[o.def] as Definition;
    if (phase.get(o.def) !== 'load') return o;
    const id = definitions.length as DefinitionId;
    const indices = d.indices.map((i) => b.newIndex(i.name, i.axis));
    definitions.push({ kind: 'equation', id, name: `${d.name}#out`, time: false, indices, type: d.type, span: d.span, body: b.read(d.id, d.type, indices.map((i) => affineOf(i))) });
    return { ...o, def: id };
  });
  return { ...program, definitions, outputs };
}

const expensive = new Set(['exp', 'expm1', 'exp2', 'exp2m1', 'log', 'log1p', 'sqrt', 'rsqrt', 'sigmoid', 'silu', 'softplus', 'gelu', 'tanh', 'sin', 'cos']);

/** Operations of an expression; Infinity where it reduces. */
function cost(root: Expr): number {
  let ops = 0;
  visitExpr(root, (e) => {
    if (e.kind === 'reduce') ops = Infinity;
    else if (e.kind === 'unary') ops += expensive.has(e.op) ? 20 : 1;
    else if (e.kind === 'binary') ops += e.op === 'div' ? 4 : 1;
    else if (e.kind === 'power') ops += Math.abs(e.exponent);
    else if (e.kind === 'select') ops += 1;
  });
  return ops;
}

class Fusion {
  readonly #b: Builder;
  readonly #defs: Definition[];
  readonly #source: Program;
  readonly #phase: Map<DefinitionId, 'load' | 'begin' | 'step' | 'finish'>;
  readonly #outputs: ReadonlySet<DefinitionId>;
  readonly #inlined = new Set<DefinitionId>();
  readonly #draftOf = new Map<DefinitionId, Draft>();
  /** The component (recurrence) of each run-time definition. */
  #component = new Map<DefinitionId, number>();
  #recurrent = new Set<DefinitionId>();
  #readers = new Map<DefinitionId, Set<DefinitionId>>();

  constructor(program: Program, b: Builder, phase: ReadonlyMap<DefinitionId, 'load' | 'begin' | 'step' | 'finish'>) {
    this.#b = b;
    this.#source = program;
    this.#defs = [...program.definitions];
    this.#phase = new Map(phase);
    for (const d of program.definitions) if (!this.#phase.has(d.id)) this.#phase.set(d.id, 'load');
    this.#outputs = new Set(program.outputs.map((o) => o.def));
    this.#analyse();
  }

  #def(id: DefinitionId): Definition {
    return this.#defs[id] as Definition;
  }
  #runtime(id: DefinitionId): boolean {
    return this.#phase.get(id) !== 'load';
  }
  #live(): Definition[] {
    return this.#defs.filter((d) => !this.#inlined.has(d.id));
  }
  program(): Program {
    return { ...this.#source, definitions: this.#defs };
  }

  #analyse(): void {
    this.#readers = new Map();
    for (const d of this.#live()) {
      for (const dep of dependencies(d)) {
        const set = this.#readers.get(dep) ?? new Set();
        set.add(d.id);
        this.#readers.set(dep, set);
      }
    }
    const nodes = this.#live().map((d) => d.id);
    const groups = components(nodes, (id) => dependencies(this.#def(id)));
    this.#component = new Map();
    this.#recurrent = new Set();
    groups.forEach((group, k) => {
      for (const id of group) this.#component.set(id, k);
      const first = group[0] as DefinitionId;
      if (group.length > 1 || dependencies(this.#def(first)).has(first)) for (const id of group) this.#recurrent.add(id);
    });
  }

  // --- 1: inlining ------------------------------------------------------------------------------------------------------

  inlineSingleUses(): void {
    for (let changed = true; changed;) {
      changed = false;
      for (const { id } of this.#live()) {
        // As it is now: what it reads may have moved into it.
        const d = this.#def(id);
        if (d.kind !== 'equation' || !this.#runtime(d.id) || this.#outputs.has(d.id) || this.#recurrent.has(d.id)) continue;
        if (d.body.kind === 'reduce' && d.body.over === 'time') continue;
        if (!this.#inlinable(d)) continue;
        for (const reader of this.#readers.get(d.id) ?? []) this.#inlineInto(this.#def(reader), d);
        this.#inlined.add(d.id);
        this.#analyse();
        changed = true;
      }
    }
  }

  #inlinable(d: Equation): boolean {
    const readers = [...(this.#readers.get(d.id) ?? [])].map((id) => this.#def(id));
    if (readers.length === 0) return false;
    const price = cost(d.body);
    if (!readers.every((r) => r.kind === 'equation' && r.state?.initial === undefined && this.#readsPlainly(r, d.id, price <= 1))) return false;
    // A phase keeps its own work: what is known before the steps is not repeated in each of them.
    if (price > 0 && readers.some((r) => this.#phase.get(r.id) !== this.#phase.get(d.id))) return false;
    // Another operand for every reader would cost more than the operation saves.
    const operands = [...reads(d.body)].filter((x) => this.#runtime(x)).length;
    if (price <= 1 && operands <= 1) return true;
    return readers.length === 1 && this.#repeatsNothing(readers[0] as Equation, d, price);
  }

  /** All reads are at this very step, and outside a reduction over time unless cheap. */
  #readsPlainly(reader: Definition, id: DefinitionId, cheap: boolean): boolean {
    if (reader.kind !== 'equation') return false;
    let ok = true;
    visitExpr(reader.body, (e) => {
      if (e.kind === 'read' && e.def === id && e.time && (e.time.constant !== 0 || e.time.terms.length > 0)) ok = false;
      if (e.kind === 'reduce' && e.over === 'time' && !cheap && reads(e.body).has(id) && !this.#def(id).time) ok = false;
    });
    return ok;
  }

  #repeatsNothing(reader: Equation, d: Equation, price: number): boolean {
    let count = 0;
    let ok = true;
    const visit = (e: Expr, bound: readonly Index[]): void => {
      if (e.kind === 'read' && e.def === d.id) {
        count++;
        const used = e.at.map(plainIndex);
        if (used.some((i) => i === undefined)) ok = false;
        if (bound.length > 0 && price === Infinity) ok = false;
        // Under a reduction, every index of the reader must be an index of the read, else the work repeats along it.
        if (!this.#recurrent.has(reader.id) && ![...reader.indices, ...bound].every((i) => used.includes(i))) ok = false;
      }
      const inner = e.kind === 'reduce' && e.over !== 'time' ? [...bound, e.over] : bound;
      for (const kid of children(e)) visit(kid, inner);
    };
    visit(reader.body, []);
    if (this.#recurrent.has(reader.id)) {
      // Hoisting takes care of inner axes; only the axes that stay parallel matter, and those are the ones all members have.
      const own = this.#domainAxes(reader);
      return ok && count > 0 && price !== Infinity && own.every((axis) => d.indices.some((i) => i.axis === axis));
    }
    return ok && count === 1 && !(price === Infinity && hasReduce(reader.body));
  }
  /** Axes along which the reader's recurrence has nothing to mix, roughly: those of every member. */
  #domainAxes(reader: Equation): Index['axis'][] {
    const group = [...this.#component].filter(([, k]) => k === this.#component.get(reader.id)).map(([id]) => this.#def(id));
    return reader.indices.map((i) => i.axis).filter((axis) => group.every((g) => g.indices.some((i) => i.axis === axis)));
  }

  #inlineInto(reader: Definition, d: Equation): void {
    if (reader.kind !== 'equation') return;
    const body = mapExpr(this.#b, reader.body, (e) => {
      if (e.kind !== 'read' || e.def !== d.id) return e;
      const image = new Map<Index, Affine>(d.indices.map((i, k) => [i, e.at[k] as Affine]));
      return substitute(this.#b, freshBinders(this.#b, d.body), (i) => image.get(i));
    });
    this.#defs[reader.id] = { ...reader, body };
  }

  // --- 2 to 4: stages --------------------------------------------------------------------------------------------------

  stages(whole: boolean): Stage[] {
    const drafts: Draft[] = [];
    const draftOf = this.#draftOf;
    const place = (draft: Draft): void => { drafts.push(draft); for (const id of draft.members) draftOf.set(id, draft); };
    const order = components(this.#live().map((d) => d.id), (id) => dependencies(this.#def(id)));
    for (const group of order) {
      const ids = group.filter((id) => ['equation', 'inverse'].includes(this.#def(id).kind));
      if (ids.length === 0 || draftOf.has(ids[0] as DefinitionId)) continue;
      if (this.#recurrent.has(ids[0] as DefinitionId)) place(this.#recurrence(ids));
      else place({ members: [ids[0] as DefinitionId], recurrent: false });
    }
    this.#joinRows(drafts, draftOf);
    this.#joinSignals(drafts, draftOf);
    const alive = drafts.filter((d) => d.members.length > 0);
    return this.#ordered(alive, whole).map((d) => this.#finish(d, whole));
  }

  /** The group, and what has to be or may be computed with it. */
  #recurrence(group: readonly DefinitionId[]): Draft {
    const members = [...group];
    const descendants = new Set<DefinitionId>(group);
    const reach = (id: DefinitionId): void => {
      for (const r of this.#readers.get(id) ?? []) if (!descendants.has(r)) { descendants.add(r); reach(r); }
    };
    for (const id of group) reach(id);
    for (let changed = true; changed;) {
      changed = false;
      const current = this.#domainClasses(members);
      for (const id of descendants) {
        const d = this.#def(id);
        if (members.includes(id) || this.#draftOf.has(id) || d.kind !== 'equation' || !d.time || this.#recurrent.has(id)) continue;
        const direct = [...dependencies(d)];
        if (direct.some((dep) => descendants.has(dep) && !members.includes(dep))) continue;
        if (!direct.some((dep) => members.includes(dep)) || !this.#readsKept(d, members, group)) continue;
        const next = this.#domainClasses([...members, id]);
        const must = this.#readsStateAlongInner(d, members, group) && next.size >= Math.min(1, current.size);
        const pointwise = !hasReduceOverLarge(d.body) && next.size === current.size && current.size > 0;
        if (!must && !pointwise) continue;
        members.push(id);
        changed = true;
        break;
      }
    }
    return { members, recurrent: true };
  }
  /** Of the members it reads this step, or steps of the past that the recurrence itself keeps. */
  #readsKept(d: Equation, members: readonly DefinitionId[], group: readonly DefinitionId[]): boolean {
    const kept = new Map<DefinitionId, Set<number>>();
    for (const id of group) {
      const g = this.#def(id);
      if (g.kind === 'equation') visitExpr(g.body, (e) => {
        if (e.kind === 'read' && e.time && e.time.terms.length === 0 && e.time.constant !== 0 && group.includes(e.def)) kept.set(e.def, (kept.get(e.def) ?? new Set()).add(e.time.constant));
      });
    }
    let ok = true;
    visitExpr(d.body, (e) => {
      if (e.kind !== 'read' || !members.includes(e.def) || !e.time) return;
      if (e.time.terms.length > 0 || (e.time.constant !== 0 && !kept.get(e.def)?.has(e.time.constant))) ok = false;
    });
    return ok;
  }
  #readsNow(d: Equation, members: readonly DefinitionId[]): boolean {
    let ok = true;
    visitExpr(d.body, (e) => {
      if (e.kind === 'read' && members.includes(e.def) && e.time && (e.time.constant !== 0 || e.time.terms.length > 0)) ok = false;
    });
    return ok;
  }
  /** It sums a member of the recurrence along an axis that its own left side lacks: storing that member would cost its whole size. */
  #readsStateAlongInner(d: Equation, members: readonly DefinitionId[], group: readonly DefinitionId[]): boolean {
    return [...dependencies(d)].some((dep) => members.includes(dep) && group.includes(dep) && size(this.#def(dep)) > size(d));
  }

  /**
   * Classes of index positions that are read plainly throughout, and that every member has exactly once: along these, members are
   * independent. Returned as class → per member the index.
   */
  #domainClasses(members: readonly DefinitionId[]): Map<string, Map<DefinitionId, Index>> {
    const parent = new Map<string, string>();
    const mixed = new Set<string>();
    const find = (k: string): string => { let r = k; while (parent.has(r)) r = parent.get(r) as string; return r; };
    const union = (x: string, y: string): void => {
      const a = find(x);
      const c = find(y);
      if (a === c) return;
      parent.set(a, c);
      if (mixed.has(a)) mixed.add(c);
    };
    const key = (id: DefinitionId, position: number): string => `${id}:${position}`;
    for (const id of members) {
      const d = this.#def(id);
      if (d.kind !== 'equation') continue;
      visitExpr(d.body, (e) => {
        if (e.kind !== 'read' || !members.includes(e.def)) return;
        e.at.forEach((a, p) => {
          const i = plainIndex(a);
          const q = i ? d.indices.indexOf(i) : -1;
          if (q >= 0) union(key(e.def, p), key(id, q));
          else mixed.add(find(key(e.def, p)));
        });
      });
    }
    const classes = new Map<string, Map<DefinitionId, Index>>();
    const bad = new Set<string>();
    for (const id of members) {
      this.#def(id).indices.forEach((i, p) => {
        const root = find(key(id, p));
        const entry = classes.get(root) ?? new Map<DefinitionId, Index>();
        if (entry.has(id)) bad.add(root);
        entry.set(id, i);
        classes.set(root, entry);
      });
    }
    for (const [root, entry] of classes) if (mixed.has(root) || bad.has(root) || entry.size !== members.length) classes.delete(root);
    return classes;
  }

  /** A row reduction moves into the stage of its readers. */
  #joinRows(drafts: Draft[], draftOf: Map<DefinitionId, Draft>): void {
    for (const draft of drafts.toReversed()) {
      const id = draft.members[0];
      if (draft.recurrent || draft.members.length !== 1 || id === undefined) continue;
      const d = this.#def(id);
      if (d.kind !== 'equation' || this.#outputs.has(id) || !this.#runtime(id) || !hasReduce(d.body) || isTimeReduction(d)) continue;
      if (isContraction(d, this.#phase)) continue;
      const readers = [...(this.#readers.get(id) ?? [])];
      const target = readers[0] === undefined ? undefined : draftOf.get(readers[0]);
      if (!target || target.recurrent || !readers.every((r) => draftOf.get(r) === target)) continue;
      if (!target.members.every((m) => this.#joins(this.#def(m), d))) continue;
      const classes = this.#domainClasses([...target.members, id]);
      if (classes.size !== d.indices.length) continue;
      target.members.unshift(id);
      draft.members.length = 0;
      draftOf.set(id, target);
    }
  }
  /** What a recurrence alone reads, element for element at the same step, is computed at its points: a signal that drives it and is read out too. */
  #joinSignals(drafts: Draft[], draftOf: Map<DefinitionId, Draft>): void {
    for (const draft of drafts.toReversed()) {
      const id = draft.members[0];
      if (draft.recurrent || draft.members.length !== 1 || id === undefined) continue;
      const d = this.#def(id);
      if (d.kind !== 'equation' || !d.time || this.#outputs.has(id) || this.#phase.get(id) !== 'step' || hasReduce(d.body) || readsOtherSteps(d.body)) continue;
      const readers = [...(this.#readers.get(id) ?? [])];
      const target = readers[0] === undefined ? undefined : draftOf.get(readers[0]);
      if (!target?.recurrent || !readers.every((r) => draftOf.get(r) === target && this.#readsNow(this.#def(r) as Equation, [id]))) continue;
      const classes = this.#domainClasses([...target.members, id]);
      if (classes.size !== d.indices.length || classes.size !== this.#domainClasses(target.members).size) continue;
      target.members.unshift(id);
      draft.members.length = 0;
      draftOf.set(id, target);
    }
  }
  #joins(reader: Definition, d: Equation): boolean {
    return reader.kind === 'equation' && reader.time === d.time && this.#phase.get(reader.id) === this.#phase.get(d.id) && !isTimeReduction(reader)
      && !isContraction(reader, this.#phase) && this.#readsNow(reader, [d.id]) && size(reader) >= size(d);
  }

  #ordered(drafts: readonly Draft[], whole: boolean): Draft[] {
    const draftOf = new Map<DefinitionId, Draft>();
    for (const d of drafts) for (const id of d.members) draftOf.set(id, d);
    const done = new Set<Draft>();
    const out: Draft[] = [];
    const visit = (d: Draft): void => {
      if (done.has(d)) return;
      done.add(d);
      for (const id of d.members) for (const dep of dependencies(this.#def(id))) {
        const from = this.#throughStacks(dep).map((x) => draftOf.get(x));
        for (const f of from) if (f && f !== d) visit(f);
      }
      out.push(d);
    };
    for (const d of drafts) visit(d);
    // Where time isn't cut, what needs the whole sequence takes its place among the steps' stages.
    const rank = { load: 0, begin: 1, step: 2, finish: whole ? 2 : 3 } as const;
    const phaseOf = (d: Draft): number => rank[this.#phase.get(d.members[0] as DefinitionId) ?? 'step'];
    return out.map((d, k) => ({ d, k })).sort((x, y) => phaseOf(x.d) - phaseOf(y.d) || x.k - y.k).map((x) => x.d);
  }
  #throughStacks(id: DefinitionId): DefinitionId[] {
    const d = this.#def(id);
    return d.kind === 'stack' ? d.parts.flatMap((p) => this.#throughStacks(p)) : [id];
  }

  #finish(draft: Draft, whole: boolean): Stage {
    const members = draft.members;
    const last = this.#def(members.at(-1) as DefinitionId);
    const classes = this.#domainClasses(members);
    const domainOf = new Map<DefinitionId, Map<Index, Index>>(members.map((id) => [id, new Map()]));
    const domain: Index[] = [];
    for (const index of last.indices) {
      const entry = [...classes.values()].find((c) => c.get(last.id) === index);
      if (!entry) continue;
      domain.push(index);
      for (const [id, own] of entry) domainOf.get(id)?.set(own, index);
    }
    const items = this.#inOrder(members).map((id): Item => {
      const d = this.#def(id);
      const map = domainOf.get(id) as Map<Index, Index>;
      const body = d.kind === 'equation' ? (isTimeReduction(d) ? (d.body as ExprOf<'reduce'>).body : d.body) : this.#b.const(0);
      return {
        def: id, indices: d.indices.map((i) => map.get(i) ?? i), inner: d.indices.filter((i) => !map.has(i)),
        body: substitute(this.#b, body, (i) => { const image = map.get(i); return image && affineOf(image); }),
      };
    });
    const accumulators = members.map((id) => this.#def(id)).filter(isTimeReduction).map((d): Accumulator => ({ def: d.id, op: ((d as Equation).body as ExprOf<'reduce'>).op as Accumulator['op'] }));
    const stored = new Set(members.filter((id) => this.#isStored(id, members) && !accumulators.some((a) => a.def === id)));
    const states = draft.recurrent ? this.#states(members, items) : [];
    const natural = this.#phase.get(last.id) ?? 'step';
    const phase = accumulators.length > 0 || (whole && natural === 'finish') ? 'step' : natural;
    const backward = members.some((id) => { const d = this.#def(id); return d.kind === 'equation' && d.state?.direction === 'backward'; });
    const anchor = draft.recurrent ? 'scan' : accumulators.length > 0 ? 'time-reduction' : members.some((id) => isContraction(this.#def(id), this.#phase)) ? 'contraction'
      : members.some((id) => { const d = this.#def(id); return d.kind === 'equation' && hasReduce(d.body); }) ? 'reduction' : 'pointwise';
    return {
      name: (members.find((id) => this.#isStored(id, members)) !== undefined ? this.#def(members.findLast((id) => this.#isStored(id, members)) as DefinitionId) : last).name,
      anchor, phase, order: draft.recurrent || accumulators.length > 0 ? (backward ? 'backward' : 'forward') : 'flat',
      domain, items, stored, states, accumulators,
    };
  }
  /** Same-step dependencies first. */
  #inOrder(members: readonly DefinitionId[]): DefinitionId[] {
    const done = new Set<DefinitionId>();
    const out: DefinitionId[] = [];
    const visit = (id: DefinitionId): void => {
      if (done.has(id)) return;
      done.add(id);
      const d = this.#def(id);
      if (d.kind === 'equation') visitExpr(d.body, (e) => {
        if (e.kind === 'read' && members.includes(e.def) && isNow(e.time)) visit(e.def);
      });
      out.push(id);
    };
    for (const id of members) visit(id);
    return out;
  }
  #isStored(id: DefinitionId, members: readonly DefinitionId[]): boolean {
    if (this.#outputs.has(id)) return true;
    for (const r of this.#readers.get(id) ?? []) {
      if (!members.includes(r)) return true;
    }
    return false;
  }
  #states(members: readonly DefinitionId[], items: readonly Item[]): KeptState[] {
    const depth = new Map<DefinitionId, number>();
    const mixing = new Set<DefinitionId>();
    /** Read at this step at another element: computed there and then, and so are the states whose past they read. */
    const onTheWay = new Set<DefinitionId>();
    const looped = (i: Index): boolean => i.axis.size > UNROLL;
    const past = (e: Expr): e is ExprOf<'read'> => e.kind === 'read' && e.time !== undefined && (e.time.constant !== 0 || e.time.terms.length > 0);
    // Inside a loop over elements, a member is read at another element than the loop's.
    const crosses = (item: Item, target: Item, e: ExprOf<'read'>): boolean => e.at.some((a, p) => {
      const own = target.indices[p] as Index;
      if (!target.inner.includes(own) || !looped(own)) return false;
      const i = plainIndex(a);
      return !i || (!item.inner.includes(i) && item.inner.some(looped));
    });
    for (const item of items) visitExpr(item.body, (e) => {
      if (e.kind !== 'read' || !e.time || !members.includes(e.def)) return;
      const target = items.find((x) => x.def === e.def) as Item;
      if (past(e)) {
        const range = affineRange(e.time);
        depth.set(e.def, Math.max(depth.get(e.def) ?? 0, Math.abs(range.low), Math.abs(range.high)));
      }
      if (crosses(item, target, e)) (past(e) ? mixing : onTheWay).add(e.def);
    });
    // A set's iteration sees what is added meanwhile.
    for (const id of onTheWay) visitExpr((items.find((x) => x.def === id) as Item).body, (e) => {
      if (e.kind === 'read' && e.time && members.includes(e.def)) (past(e) ? mixing : onTheWay).add(e.def);
    });
    const shapes = new Set(items.filter((x) => depth.has(x.def)).map((x) => x.inner.filter(looped).map((i) => i.axis.size).join('x')));
    return [...depth].map(([def, d]) => {
      const definition = this.#def(def) as Equation;
      const item = items.find((x) => x.def === def) as Item;
      const deep = item.inner.filter(looped).length > 1;
      const initial = definition.state?.initial;
      const mapped = initial && substitute(this.#b, initial, (i) => { const k = definition.indices.indexOf(i); return k >= 0 ? affineOf(item.indices[k] as Index) : undefined; });
      return { def, depth: d, inPlace: !mixing.has(def) && shapes.size === 1 && !deep, ...(mapped ? { initial: mapped } : {}) };
    });
  }

  /** What later stages read of the past of stored definitions and inputs. */
  history(): ReadonlyMap<DefinitionId, number> {
    const depth = new Map<DefinitionId, number>();
    for (const d of this.#live()) {
      if (d.kind !== 'equation') continue;
      visitExpr(d.body, (e) => {
        if (e.kind !== 'read' || !e.time) return;
        const low = affineRange(e.time).low;
        const own = this.#recurrent.has(e.def) && this.#draftOf.get(e.def) === this.#draftOf.get(d.id);
        if (low < 0 && !own) for (const id of this.#throughStacks(e.def)) depth.set(id, Math.max(depth.get(id) ?? 0, -low));
      });
    }
    return depth;
  }
}

function isTimeReduction(d: Definition): boolean {
  return d.kind === 'equation' && d.body.kind === 'reduce' && d.body.over === 'time';
}
function hasReduce(root: Expr): boolean {
  let found = false;
  visitExpr(root, (e) => { if (e.kind === 'reduce') found = true; });
  return found;
}
function readsOtherSteps(root: Expr): boolean {
  let found = false;
  visitExpr(root, (e) => { if (e.kind === 'read' && e.time && (e.time.constant !== 0 || e.time.terms.length > 0)) found = true; });
  return found;
}
function hasReduceOverLarge(root: Expr): boolean {
  let found = false;
  visitExpr(root, (e) => { if (e.kind === 'reduce' && (e.over === 'time' || e.over.axis.size > UNROLL)) found = true; });
  return found;
}
const size = (d: Definition): number => d.indices.reduce((n, i) => n * i.axis.size, 1);

/** sum(k: W · x) with W known at load time and dependent on an index of the left side that x lacks. */
export function isContraction(d: Definition, phase: ReadonlyMap<DefinitionId, string>): boolean {
  if (d.kind !== 'equation') return false;
  let found = false;
  visitExpr(d.body, (e) => {
    if (e.kind !== 'reduce' || e.over === 'time' || e.op !== 'sum' || e.over.axis.size <= UNROLL) return;
    const over = e.over;
    visitExpr(e.body, (w) => {
      if (w.kind !== 'read' || phase.get(w.def) !== 'load') return;
      const used = w.at.flatMap((a) => a.terms.map((t) => t.index));
      if (used.includes(over) && d.indices.some((i) => used.includes(i))) found = true;
    });
  });
  return found;
}

/** The same expression with bound variables of its own, so that two copies in one body can't clash. */
function freshBinders(b: Builder, root: Expr): Expr {
  return mapExpr(b, root, (e) => {
    if (e.kind !== 'reduce' || e.over === 'time') return e;
    const over = e.over;
    const fresh = b.newIndex(over.name, over.axis);
    return b.reduce(e.op, fresh, substitute(b, e.body, (i) => (i === over ? affineOf(fresh) : undefined)));
  });
}
