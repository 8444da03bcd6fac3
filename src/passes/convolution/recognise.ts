/**
 * A stage as a convolution. Its states are v_t = T·v_{t−1} + Σ_s b_s·x_s[t], its readouts r_t = c_r·v_{t−1} + Σ_s d_rs·x_s[t], with T, b, c and d
 * known at load, and nothing else sees a state: then
 *
 *   r_t = Σ_s Σ_j k^{rs}_j x_s[t−j],   k^{rs}_0 = d_rs,   k^{rs}_j = c_r·T^{j−1}·b_s,
 *
 * exactly, plus c_r·T^t·v_{−1} where the states before the first step are not 0 but known at load; a recurrence that runs backward is the same in the reversed order of steps. For coupled chains T has the coupling in it; for those of rank one the stage has
 * the collapsed chain for its state, and M readouts of M signals.
 *
 * States are told apart by domain (channels), by elementwise indices, along which no element reads another, and by what mixes.
 */
import { affineOf, affineValue, freeIndices, plainIndex, reads, substitute, type Builder } from '../../ir/builder.js';
import type { Affine, Definition, DefinitionId, Expr, Index, Program } from '../../ir/program.js';
import type { Item, Stage } from '../../ir/stages.js';
import { AffineMaps, type Linear, type Term } from '../affine.js';
import { elementwiseClasses } from '../chunk-step.js';
import { isLoadTime, loadTimeDefinitions } from '../pass.js';
import { Drives, inlined, type Driven } from './drive.js';

/** A state `lag` steps ago (ahead, if it runs backward); its elements along `mixing` read each other. */
export interface Slot {
  readonly state: DefinitionId;
  readonly lag: number;
  readonly mixing: readonly Index[];
}
/** A signal over its own indices and the domain's. */
export interface Source {
  readonly x: Expr;
  readonly own: readonly Index[];
}
/** A linear function of the states and of what drives them, over its own indices and the domain's. */
export interface Readout {
  readonly e: Expr;
  readonly own: readonly Index[];
}
/** A coefficient over the domain, the elementwise indices, and those of its row and column: of a slot `mixing`, else `own`. */
export interface Entry {
  readonly row: number;
  readonly column: number;
  readonly value: Expr;
}
export interface Convolution {
  readonly kind: 'convolution';
  readonly elementwise: readonly Index[];
  readonly slots: readonly Slot[];
  readonly sources: readonly Source[];
  readonly readouts: readonly Readout[];
  /** Slot by slot; the column's indices are `columns` of its slot. */
  readonly transition: readonly Entry[];
  readonly columns: readonly (readonly Index[])[];
  /** Slot by 0: what stands before the first step. */
  readonly initial: readonly Entry[];
  /** Slot by source. */
  readonly drive: readonly Entry[];
  /** Readout by slot. */
  readonly readout: readonly Entry[];
  /** Readout by source. */
  readonly through: readonly Entry[];
  /** What the stage stores, readouts written as `read(k, at)`. */
  readonly epilogue: (read: (readout: number, own: readonly Affine[]) => Expr) => ReadonlyMap<DefinitionId, Expr>;
}
export interface NoConvolution {
  readonly kind: 'none';
  readonly why: string;
}

/** Signals and readouts of their own that a channel may have: there is a kernel for each pair. */
export const MAX_OWN = 8;

class Refused extends Error {}
const refuse = (why: string): never => { throw new Refused(why); };

export function recognise(stage: Stage, program: Program, b: Builder): Convolution | NoConvolution {
  try {
    return new Recogniser(stage, program, b).run();
  } catch (error) {
    if (error instanceof Refused) return { kind: 'none', why: error.message };
    throw error;
  }
}

class Recogniser {
  readonly #stage: Stage;
  readonly #program: Program;
  readonly #b: Builder;
  readonly #loaded: ReadonlySet<DefinitionId>;
  readonly #items: ReadonlyMap<DefinitionId, Item>;
  readonly #maps: AffineMaps;
  readonly #drives: Drives;
  readonly #sources: Source[] = [];
  readonly #readouts: Readout[] = [];
  readonly #probes: { role: 'source' | 'readout'; nth: number; index: Index }[] = [];
  readonly #columns = new Map<number, readonly Index[]>();
  #classes: ReadonlyMap<Index, Index> = new Map();
  #slots: readonly Slot[] = [];

  constructor(stage: Stage, program: Program, b: Builder) {
    this.#stage = stage;
    this.#program = program;
    this.#b = b;
    this.#loaded = loadTimeDefinitions(program);
    this.#items = new Map(stage.items.map((i) => [i.def, i]));
    this.#maps = new AffineMaps(b, { equations: this.#items, stacks: new Map() });
    this.#drives = new Drives(b, this.#loaded, this.#items);
  }
  #name(id: DefinitionId): string {
    return (this.#program.definitions[id] as Definition).name;
  }
  #item(id: DefinitionId): Item {
    return this.#items.get(id) as Item;
  }

  run(): Convolution {
    const stage = this.#stage;
    if (stage.states.some((s) => s.initial && !isLoadTime(s.initial, this.#loaded))) refuse('an input says from which state it starts, and kernels are made of weights alone');
    if (stage.accumulators.length > 0) refuse('it takes a reduction over time along, which goes from step to step');
    for (const item of stage.items) for (const id of reads(item.body)) {
      const d = this.#program.definitions[id];
      if (d?.kind === 'stack' && d.parts.some((p) => this.#items.has(p))) refuse('its modalities have recurrences of their own');
    }
    const forms = new Map<DefinitionId, Linear>(stage.states.map((s) => [s.def, this.#form(s.def)]));
    const items = stage.states.map((s) => this.#item(s.def));
    this.#classes = elementwiseClasses(items, forms);
    this.#slots = stage.states.flatMap((s) => Array.from({ length: s.depth }, (_, k): Slot => ({
      state: s.def, lag: k + 1, mixing: this.#item(s.def).inner.filter((i) => !this.#classes.has(i)),
    })));
    const transition = this.#slots.flatMap((slot, row) => this.#transitions(slot, row, forms));
    const drive = this.#slots.flatMap((slot, row) => (slot.lag === 1 ? this.#driven(forms.get(slot.state)?.rest).map((e) => ({ ...e, row, value: this.#canonical(e.value, slot.state) })) : []));
    const initial = this.#slots.flatMap((slot, row) => stage.states.flatMap((s) => (s.def === slot.state && s.initial ? [{ row, column: 0, value: this.#canonical(s.initial, s.def) }] : [])));
    const bodies = new Map<DefinitionId, Expr>();
    for (const id of stage.stored) bodies.set(id, this.#split(this.#item(id).body));
    const { readout, through } = this.#outputs();
    if (this.#readouts.length === 0) refuse('nothing reads its states');
    if (this.#sources.length === 0) refuse('nothing drives it');
    return {
      kind: 'convolution', elementwise: [...new Set(this.#classes.values())], slots: this.#slots, sources: this.#sources,
      readouts: this.#readouts, transition, initial, columns: this.#slots.map((_, k) => this.#columnsOf(k)), drive, readout, through,
      epilogue: (read) => new Map([...bodies].map(([id, body]) => [id, this.#filled(body, read)])),
    };
  }
  #form(id: DefinitionId): Linear {
    const form = this.#maps.of(id);
    if (form.kind === 'obstacle') return refuse(`it is not affine: ${form.why}`);
    for (const t of form.terms) if (!isLoadTime(t.coefficient, this.#loaded)) refuse(`the transition of \`${this.#name(id)}\` isn't known at load time: it changes with t or with an input`);
    return form;
  }

  // --- transitions ------------------------------------------------------------------------------------------------------

  #columnsOf(slot: number): readonly Index[] {
    const known = this.#columns.get(slot);
    if (known) return known;
    const made = (this.#slots[slot] as Slot).mixing.map((i) => this.#b.newIndex(i.name, i.axis));
    this.#columns.set(slot, made);
    return made;
  }
  #transitions(slot: Slot, row: number, forms: ReadonlyMap<DefinitionId, Linear>): Entry[] {
    const b = this.#b;
    if (slot.lag > 1) {
      const column = this.#slots.findIndex((s) => s.state === slot.state && s.lag === slot.lag - 1);
      const same = slot.mixing.map((i, k) => b.binary('eq', b.index(i), b.index(this.#columnsOf(column)[k] as Index)));
      return [{ row, column, value: same.reduce((e, c) => b.select(c, e, b.const(0)), b.const(1)) }];
    }
    const byColumn = new Map<number, Expr>();
    for (const t of forms.get(slot.state)?.terms ?? []) {
      const column = this.#slots.findIndex((s) => s.state === t.from && s.lag === t.lag);
      const value = this.#canonical(this.#entry(t, this.#columnsOf(column)), slot.state);
      const before = byColumn.get(column);
      byColumn.set(column, before ? b.binary('add', before, value) : value);
    }
    return [...byColumn].map(([column, value]) => ({ row, column, value }));
  }
  /**
   * The coefficient of one element of what a term reads: its mixing indices stand at `columns`, its elementwise ones at their class, its
   * domain at the domain.
   */
  #entry(t: Term, columns: readonly Index[]): Expr {
    const b = this.#b;
    const from = this.#item(t.from);
    const mixing = from.inner.filter((i) => !this.#classes.has(i));
    const targets = from.indices.map((i): Index => (mixing.includes(i) ? (columns[mixing.indexOf(i)] as Index) : (this.#classes.get(i) ?? i)));
    const named = new Map<Index, Index>();
    t.at.forEach((a, p) => {
      const i = plainIndex(a);
      if (i && t.bound.includes(i) && !named.has(i)) named.set(i, targets[p] as Index);
    });
    const by = (i: Index): Affine | undefined => { const c = named.get(i); return c && affineOf(c); };
    let value = substitute(b, t.coefficient, by);
    t.at.forEach((a, p) => {
      const target = targets[p] as Index;
      const i = plainIndex(a);
      if (i && (named.get(i) === target || i === target || this.#classes.get(i) === target)) return;
      if (this.#stage.domain.includes(target)) refuse('its channels read each other');
      const here = affineValue(b, { constant: a.constant, terms: a.terms.map((x) => ({ ...x, index: named.get(x.index) ?? x.index })) });
      value = b.select(b.binary('eq', b.index(target), here), value, b.const(0));
    });
    return t.bound.filter((i) => !named.has(i)).reduceRight((e, i) => b.reduce('sum', i, e), value);
  }
  /** A state's own elementwise indices by those of their class. */
  #canonical(e: Expr, state: DefinitionId): Expr {
    const own = new Set(this.#item(state).inner);
    return substitute(this.#b, e, (i) => { const c = own.has(i) ? this.#classes.get(i) : undefined; return c && affineOf(c); });
  }

  // --- signals ----------------------------------------------------------------------------------------------------------

  /** Per signal the coefficient with which it drives. */
  #driven(rest: Expr | undefined): { column: number; value: Expr }[] {
    if (!rest) return [];
    const sums = new Map<number, Expr>();
    for (const d of this.#drives.of(rest)) {
      const { column, value } = this.#signal(d, true) as { column: number; value: Expr };
      const before = sums.get(column);
      sums.set(column, before ? this.#b.binary('add', before, value) : value);
    }
    return [...sums].map(([column, value]) => ({ column, value }));
  }
  /** The source that x is, with the coefficient over the source's own indices; where there is none yet one is made, if that is wanted. */
  #signal(d: Driven, make: boolean): { column: number; value: Expr } | undefined {
    const b = this.#b;
    const free = [...freeIndices(d.x)].filter((i) => !this.#stage.domain.includes(i));
    const own = free.sort((x, y) => x.id - y.id);
    const probes = own.map((i, k) => this.#probe('source', i, own, k));
    const image = new Map(own.map((i, k) => [i, probes[k] as Index]));
    const x = substitute(b, d.x, (i) => { const p = image.get(i); return p && affineOf(p); });
    let column = this.#sources.findIndex((s) => s.x === x);
    if (column < 0) {
      if (!make) return undefined;
      column = this.#sources.length;
      this.#sources.push({ x, own: probes });
      if (this.#sources.reduce((n, s) => n + size(s.own), 0) > MAX_OWN) refuse(`more than ${MAX_OWN} signals drive each channel: there would be a kernel for each`);
    }
    // A bound index is the source's own; another's element is picked.
    const value = own.reduce((e, i) => {
      const p = image.get(i) as Index;
      return d.bound.includes(i) ? substitute(b, e, (x2) => (x2 === i ? affineOf(p) : undefined)) : b.select(b.binary('eq', b.index(i), b.index(p)), e, b.const(0));
    }, d.coefficient);
    return { column, value };
  }
  /** The index that stands for the k-th of `own` in every source (or readout), so that equal ones are the same expression. */
  #probe(role: 'source' | 'readout', i: Index, own: readonly Index[], k: number): Index {
    const nth = own.slice(0, k).filter((x) => x.axis === i.axis).length;
    const known = this.#probes.find((p) => p.role === role && p.nth === nth && p.index.axis === i.axis);
    if (known) return known.index;
    const index = this.#b.newIndex(i.name, i.axis);
    this.#probes.push({ role, nth, index });
    return index;
  }

  // --- readouts ---------------------------------------------------------------------------------------------------------

  /** The expression with its largest linear parts written as markers; the marker is the part itself, found again when it is filled. */
  readonly #marks = new Map<Expr, { readout: number; own: readonly Index[]; rest: Expr | undefined }>();
  #split(root: Expr): Expr {
    const visit = (e: Expr): Expr => {
      if (this.#marks.has(e) || !this.#touches(e)) return e;
      const form = this.#isApart(e) ? undefined : this.#maps.ofExpr(e);
      if (form?.kind === 'linear' && form.terms.length > 0 && form.terms.every((t) => isLoadTime(t.coefficient, this.#loaded))) {
        this.#mark(e, form);
        return e;
      }
      if (e.kind === 'read') {
        const inside = inlined(e, this.#items, this.#b);
        return inside ? visit(inside) : refuse('its states are read from elsewhere in time');
      }
      return this.#rebuilt(e, visit);
    };
    return visit(root);
  }
  /** A sum with what no signal drives, as of a readout and a gate's own branch: the rest alone is a readout, which others may share. */
  #isApart(e: Expr): boolean {
    if (e.kind !== 'binary' || (e.op !== 'add' && e.op !== 'sub')) return false;
    const other = [e.left, e.right].filter((side) => !this.#touches(side));
    return other.length === 1 && other.every((side) => this.#drives.of(side).every((d) => this.#signal(d, false) === undefined));
  }
  #rebuilt(e: Expr, visit: (e: Expr) => Expr): Expr {
    const b = this.#b;
    switch (e.kind) {
      case 'unary': return b.unary(e.op, visit(e.arg));
      case 'binary': return b.binary(e.op, visit(e.left), visit(e.right));
      case 'power': return b.power(visit(e.base), e.exponent);
      case 'select': return b.select(visit(e.cond), visit(e.then), visit(e.else));
      case 'reduce': return b.reduce(e.op, e.over, visit(e.body));
      default: return e;
    }
  }
  #touches(e: Expr): boolean {
    return [...reads(e)].some((id) => this.#items.has(id));
  }
  #mark(e: Expr, form: Linear): void {
    const b = this.#b;
    const free = [...freeIndices(e)].filter((i) => !this.#stage.domain.includes(i)).sort((x, y) => x.id - y.id);
    const probes = free.map((i, k) => this.#probe('readout', i, free, k));
    const canonical = substitute(b, e, (i) => { const k = free.indexOf(i); return k >= 0 ? affineOf(probes[k] as Index) : undefined; });
    let readout = this.#readouts.findIndex((r) => r.e === canonical);
    if (readout < 0) {
      readout = this.#readouts.length;
      this.#readouts.push({ e: canonical, own: probes });
      if (this.#readouts.reduce((n, r) => n + size(r.own), 0) > MAX_OWN) refuse(`more than ${MAX_OWN} numbers are read from each channel's states: there would be a kernel for each`);
    }
    const remaining = form.rest ? this.#drives.of(form.rest).filter((d) => this.#signal(d, false) === undefined) : [];
    const rests = remaining.map((d) => d.bound.reduceRight((x, i) => b.reduce('sum', i, x), b.binary('mul', d.coefficient, d.x)));
    this.#marks.set(e, { readout, own: free, rest: rests.length > 0 ? rests.reduce((x, y) => b.binary('add', x, y)) : undefined });
  }
  #filled(root: Expr, read: (readout: number, own: readonly Affine[]) => Expr): Expr {
    const visit = (e: Expr): Expr => {
      const mark = this.#marks.get(e);
      if (mark) {
        const value = read(mark.readout, mark.own.map((i) => affineOf(i)));
        return mark.rest ? this.#b.binary('add', value, mark.rest) : value;
      }
      return this.#touches(e) ? this.#rebuilt(e, visit) : e;
    };
    return visit(root);
  }
  #outputs(): { readout: Entry[]; through: Entry[] } {
    const b = this.#b;
    const readout: Entry[] = [];
    const through: Entry[] = [];
    this.#readouts.forEach(({ e }, row) => {
      const form = this.#maps.ofExpr(e);
      if (form.kind === 'obstacle') return;
      const sums = new Map<number, Expr>();
      for (const t of form.terms) {
        const column = this.#slots.findIndex((s) => s.state === t.from && s.lag === t.lag);
        if (column < 0) refuse('its states are read further back than it keeps them');
        const value = this.#entry(t, (this.#slots[column] as Slot).mixing);
        const before = sums.get(column);
        sums.set(column, before ? b.binary('add', before, value) : value);
      }
      for (const [column, value] of sums) readout.push({ row, column, value });
      const known = new Map<number, Expr>();
      for (const d of form.rest ? this.#drives.of(form.rest) : []) {
        const s = this.#signal(d, false);
        if (!s) continue;
        const before = known.get(s.column);
        known.set(s.column, before ? b.binary('add', before, s.value) : s.value);
      }
      for (const [column, value] of known) through.push({ row, column, value });
    });
    return { readout, through };
  }
}
const size = (indices: readonly Index[]): number => indices.reduce((n, i) => n * i.axis.size, 1);
