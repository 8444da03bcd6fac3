/**
 * Expressions of a stage to values of a kernel. Reductions over long axes become loops: all that can run at once share one loop, so a
 * tile of outputs is one loop over k, and the readouts of all modalities one loop over the state. What doesn't depend on the loop
 * leaves it (see writer.ts).
 */
import { children, freeIndices } from '../../ir/builder.js';
import type { Expr, ExprOf, Index, ReduceOp } from '../../ir/program.js';
import type { KernelUnary, Value } from '../../ir/kernel.js';
import type { Item } from '../../ir/stages.js';
import { iadd, imin, int, intKey, ivar } from './ints.js';
import { affinePlace, fixed, placeKey, placeOf, type Env, type Envs, type Place } from './places.js';
import type { Writer } from './writer.js';

/** One value to compute, for all its inner indices, and what becomes of it. Sinks run when every value of the scope is known. */
export interface Task {
  readonly inner: readonly Index[];
  readonly body: Expr;
  readonly env: Env;
  readonly sink: (value: Value, env: Env) => void;
  /** Overwrites what others of its level read: its loop comes last. */
  readonly last?: boolean;
}
interface Reduction {
  readonly key: string;
  readonly e: ExprOf<'reduce'>;
  readonly env: Env;
  readonly level: number;
}
/** What a stage tells the lowering of its expressions. */
export interface Context {
  readonly writer: Writer;
  readonly envs: Envs;
  readonly lanes: number;
  /** Loops directly under the domain go over lanes. */
  readonly laneLoops: boolean;
  /** Members side by side that a lane takes in such loops at most; none: one. */
  readonly run?: number;
  readonly unroll: number;
  /** Axes of `size` members that are shared out among the lanes: where one lane's members stand. */
  readonly split?: { readonly size: number; readonly places: readonly Place[] };
  /** A read of an item of this stage at this step. */
  readonly item: (e: ExprOf<'read'>) => Item | undefined;
  readonly load: (e: ExprOf<'read'>, env: Env) => Value;
  /** The argument of an exponential is at most 0, and it decays a state. */
  readonly decays: (arg: Expr) => boolean;
  /** What a decay takes from 1 is wanted for itself too: no sum hides it. */
  readonly increments?: boolean;
}

/** Chains of operations side by side: fewer leave a processor waiting for results, more don't fit the registers. */
const CHAINS = 4;
export const num = (value: number): Value => ({ kind: 'number', value });
const free = new WeakMap<Expr, readonly Index[]>();
function freeOf(e: Expr): readonly Index[] {
  let found = free.get(e);
  if (!found) {
    found = [...freeIndices(e)].sort((a, b) => a.id - b.id);
    free.set(e, found);
  }
  return found;
}

export class Expressions {
  readonly #c: Context;
  readonly #use = new Map<Expr, number>();
  /** Increments of decays whose sums with the state are wanted too. */
  readonly #changes = new Set<Expr>();
  #depth = 0;

  constructor(context: Context, items: readonly { readonly body: Expr }[]) {
    this.#c = context;
    const seen = new Set<Expr>();
    const visit = (e: Expr): void => {
      this.#use.set(e, (this.#use.get(e) ?? 0) + 1);
      if (seen.has(e)) return;
      seen.add(e);
      for (const kid of children(e)) visit(kid);
      const change = context.increments ? undefined : this.#decayedSum(e);
      if (change) this.#changes.add(change);
    };
    for (const item of items) visit(item.body);
  }
  /** s + g, g = (2^x − 1)·s + f with a state s, x ≤ 0: returns g. */
  #decayedSum(e: Expr): Expr | undefined {
    if (e.kind !== 'binary' || e.op !== 'add') return undefined;
    for (const [s, g] of [[e.left, e.right], [e.right, e.left]] as const) {
      if (s.kind !== 'read' || this.#c.item(s)) continue;
      const body = this.#through(g);
      if (this.#change(body)?.state.def === s.def) return body;
    }
    return undefined;
  }
  #through(e: Expr): Expr {
    const item = e.kind === 'read' ? this.#c.item(e) : undefined;
    return item ? item.body : e;
  }
  /** The parts of (2^x − 1)·s + f. */
  #change(e: Expr): { exponent: Expr; state: ExprOf<'read'>; plus: Expr | undefined } | undefined {
    const sides = e.kind === 'binary' && e.op === 'add' ? ([[e.left, e.right], [e.right, e.left]] as const) : ([[e, undefined]] as const);
    for (const [step, plus] of sides) {
      if (step.kind !== 'binary' || step.op !== 'mul') continue;
      for (const [less, s] of [[step.left, step.right], [step.right, step.left]] as const) {
        if (less.kind === 'unary' && less.op === 'exp2m1' && s.kind === 'read' && !this.#c.item(s) && this.#c.decays(less.arg)) return { exponent: less.arg, state: s, plus };
      }
    }
    return undefined;
  }
  /** 2^x·s + f, s's place being that of `at`. */
  #decay(g: Expr, env: Env, at: Value | undefined): Extract<Value, { kind: 'decay' }> | undefined {
    const c = this.#changes.has(g) ? this.#change(g) : undefined;
    if (!c) return undefined;
    const state = this.value(c.state, env);
    if (at && !(at.kind === 'reg' && state.kind === 'reg' && at.name === state.name)) return undefined;
    return { kind: 'decay', exponent: this.value(c.exponent, env), state, plus: c.plus ? this.value(c.plus, env) : num(0) };
  }
  #binaryDecay(e: ExprOf<'binary'>, env: Env): Value | undefined {
    if (e.op !== 'add') return undefined;
    // The change alone: what the step adds to the state.
    const own = this.#decay(e, env, undefined);
    if (own) return { kind: 'binary', op: 'sub', left: this.#c.writer.let(own), right: own.state };
    const g = this.#decayedSum(e);
    if (!g) return undefined;
    const [s, change] = this.#through(e.left) === g ? [e.right, e.left] : [e.left, e.right];
    const item = change.kind === 'read' ? this.#c.item(change) : undefined;
    return this.#decay(g, item && change.kind === 'read' ? this.#itemEnv(change, item, env) : env, this.value(s, env));
  }

  // --- loops ------------------------------------------------------------------------------------------------------------

  /** Computes all tasks in the current scope. */
  run(tasks: readonly Task[]): void {
    const flat = tasks.flatMap((t) => this.#expand(t));
    const pending = new Map<string, Reduction>();
    const leaves: Task[] = [];
    const maps: { task: Task; index: Index; level: number }[] = [];
    for (const t of flat) {
      const index = t.inner[0];
      if (index === undefined) {
        this.#collect(t.body, t.env, pending);
        leaves.push(t);
      } else {
        const probe = this.#c.envs.bind(t.env, index, { int: ivar(`?${index.id}`), lane: false });
        maps.push({ task: t, index, level: this.#collect(t.body, probe, pending) });
      }
    }
    const deepest = Math.max(-1, ...[...pending.values()].map((r) => r.level), ...maps.map((m) => m.level));
    for (let level = 0; level <= deepest; level++) {
      const loops = new Map<string, { size: number; reductions: Reduction[]; maps: { task: Task; index: Index }[]; last: boolean }>();
      const loopOf = (index: Index, last: boolean): { size: number; reductions: Reduction[]; maps: { task: Task; index: Index }[]; last: boolean } => {
        const key = `${index.axis.size}`;
        const entry = loops.get(key) ?? { size: index.axis.size, reductions: [], maps: [], last: false };
        entry.last ||= last;
        loops.set(key, entry);
        return entry;
      };
      for (const r of pending.values()) if (r.level === level) loopOf(r.e.over as Index, false).reductions.push(r);
      for (const m of maps) {
        const at = m.task.last ? deepest : m.level;
        if (at === level) loopOf(m.index, m.task.last === true).maps.push(m);
      }
      for (const loop of [...loops.values()].sort((x, y) => Number(x.last) - Number(y.last))) this.#loop(loop.size, loop.reductions, loop.maps);
    }
    const values = leaves.map((t) => this.value(t.body, t.env));
    leaves.forEach((t, k) => t.sink(values[k] as Value, t.env));
  }

  #expand(t: Task): Task[] {
    const small = t.inner.find((i) => i.axis.size <= this.#c.unroll);
    if (!small) return [t];
    const inner = t.inner.filter((i) => i !== small);
    return this.#members(small).flatMap((place) => this.#expand({ ...t, inner, env: this.#c.envs.bind(t.env, small, place) }));
  }

  /** Where the members of an unrolled axis stand that this thread takes. */
  #members(index: Index, isShared = this.#c.split?.size === index.axis.size): readonly Place[] {
    return isShared ? (this.#c.split?.places ?? []) : members(index).map(fixed);
  }
  /** A sum over members that lanes share out; one for each of a lane's own members takes all. */
  #isShared(e: ExprOf<'reduce'>, env: Env): boolean {
    return this.#c.split?.size === (e.over as Index).axis.size && !freeOf(e).some((i) => env.places.get(i)?.lane);
  }
  /** Finds the loops that an expression needs first, and says how many levels of them come before it. */
  #collect(root: Expr, rootEnv: Env, pending: Map<string, Reduction>): number {
    const seen = new Map<string, number>();
    const visit = (e: Expr, env: Env): number => {
      const at = `${e.id}|${env.id}`;
      const known = seen.get(at);
      if (known !== undefined) return known;
      let level = 0;
      if (e.kind === 'reduce') level = this.#collectReduction(e, env, pending, visit);
      else if (e.kind === 'read') {
        const item = this.#c.item(e);
        if (item) level = visit(item.body, this.#itemEnv(e, item, env));
      } else for (const kid of children(e)) level = Math.max(level, visit(kid, env));
      seen.set(at, level);
      return level;
    };
    return visit(root, rootEnv);
  }
  #collectReduction(e: ExprOf<'reduce'>, env: Env, pending: Map<string, Reduction>, visit: (e: Expr, env: Env) => number): number {
    const over = e.over as Index;
    if (e.op === 'last') return visit(e.body, this.#c.envs.bind(env, over, fixed(over.axis.size - 1)));
    if (over.axis.size <= this.#c.unroll) return Math.max(0, ...this.#members(over, this.#isShared(e, env)).map((place) => visit(e.body, this.#c.envs.bind(env, over, place))));
    const key = this.reductionKey(e, env);
    const known = pending.get(key);
    if (known) return known.level + 1;
    if (this.#c.writer.noted(key)) return 0;
    const level = visit(e.body, this.#c.envs.bind(env, over, { int: ivar(`?${over.id}`), lane: false }));
    // It depends on the variable of a loop still to be opened: it stays inside, what it needs from outside is known now.
    if (key.includes('?')) return level;
    pending.set(key, { key, e, env, level });
    return level + 1;
  }
  /** Under which a reduction's value is noted once its loop has run. */
  reductionKey(e: ExprOf<'reduce'>, env: Env): string {
    return `red ${e.id} ${freeOf(e).map((i) => `${i.id}=${placeKey(placeOf(env, i))}`).join(' ')} @${intKey(env.row)}`;
  }

  #loop(size: number, reductions: readonly Reduction[], maps: readonly { task: Task; index: Index }[]): void {
    const { writer, envs, run = 1 } = this.#c;
    const lanes = this.#c.laneLoops && this.#depth === 0 ? this.#c.lanes : 1;
    const wide = lanes > 1 ? ([run, run / 2].find((n) => n >= 2 && size >= n * lanes && size % n === 0) ?? 1) : 1;
    // Of each reduction one for each member that a lane takes in a round.
    const accumulators = reductions.map((r) => Array.from({ length: wide }, () => writer.variable('acc', num(identity(r.e.op)))));
    const once = (places: readonly Place[], mask: Value | undefined): void => {
      const tasks = places.flatMap((place, n): Task[] => reductions.map((r, k) => ({
        inner: [], body: r.e.body, env: envs.bind(r.env, r.e.over as Index, place),
        sink: () => undefined, accumulate: { name: accumulators[k]?.[n] as string, op: r.e.op, mask },
      } as Task)));
      for (const m of maps) for (const place of places) tasks.push({ ...m.task, inner: m.task.inner.slice(1), env: envs.bind(m.task.env, m.index, place) });
      this.#depth++;
      this.#body(tasks);
      this.#depth--;
    };
    let done = 0;
    // Not unrolled: engines keep one base register per address of a load that splats, and soon run out.
    for (const each of wide > 1 ? [wide, 1] : [1]) {
      const step = each * lanes;
      const end = Math.floor(size / step) * step;
      writer.loop('k', int(done), int(end), step, { lanes: lanes > 1 }, (k) => once(Array.from({ length: each }, (_, n) => ({ int: iadd(k, int(n)), lane: lanes > 1, ...(each > 1 ? { stride: each } : {}) })), undefined));
      done = end;
    }
    if (done < size) once([{ int: int(done), lane: true }], { kind: 'binary', op: 'lt', left: { kind: 'lane' }, right: num(size - done) });
    reductions.forEach((r, k) => {
      const all = (accumulators[k] as string[]).map((name): Value => ({ kind: 'reg', name }));
      let value = all.reduce((sum, v) => writer.let(this.#joined(r.e.op, sum, v)));
      if (lanes > 1) value = writer.let({ kind: 'reduce-lanes', op: r.e.op === 'mean' ? 'sum' : (r.e.op as 'sum' | 'max' | 'min'), arg: value, count: int(lanes) });
      if (r.e.op === 'mean') value = writer.let({ kind: 'binary', op: 'div', left: value, right: num(size) });
      writer.note(r.key, value);
    });
  }
  #joined(op: ReduceOp, left: Value, right: Value): Value {
    return { kind: 'binary', op: op === 'max' || op === 'min' ? op : 'add', left, right };
  }
  /** Runs the tasks of one iteration; reductions accumulate in the order of their members. */
  #body(tasks: readonly Task[]): void {
    const plain: Task[] = [];
    const sums: (Task & { accumulate: { name: string; op: ReduceOp; mask: Value | undefined } })[] = [];
    for (const t of tasks) {
      if ('accumulate' in t) sums.push(t as (typeof sums)[number]);
      else plain.push(t);
    }
    const pending = new Map<string, Reduction>();
    for (const t of tasks) if (t.inner.length === 0) this.#collect(t.body, t.env, pending);
    if (pending.size > 0 || plain.some((t) => t.inner.length > 0)) {
      this.run([...sums.map((t): Task => ({ ...t, inner: [], sink: (v) => this.#accumulate(t.accumulate, v) })), ...plain]);
      return;
    }
    for (const group of this.#together(sums)) {
      const changes = group.map((t) => this.#changed(t));
      group.forEach((t, k) => this.#c.writer.set(t.accumulate.name, changes[k] as Value));
    }
    const values = plain.map((t) => this.value(t.body, t.env));
    plain.forEach((t, k) => t.sink(values[k] as Value, t.env));
  }
  /** The same value of several vectors of a lane tile, first: their chains of operations are independent and share what is uniform. */
  #together<T extends Task>(tasks: readonly T[]): T[][] {
    const groups = new Map<string, T[]>();
    for (const t of tasks) {
      const key = `${t.body.id} ${freeOf(t.body).map((i) => { const p = placeOf(t.env, i); return p.tile ? `${i.id}` : `${i.id}=${placeKey(p)}`; }).join(' ')} @${intKey(t.env.row)}`;
      groups.set(key, [...(groups.get(key) ?? []), t]);
    }
    const out: T[][] = [];
    for (const group of groups.values()) {
      const last = out.at(-1);
      if (last && last.length + group.length <= CHAINS) last.push(...group);
      else out.push(group);
    }
    return out;
  }
  #changed(t: Task & { accumulate: { name: string; op: ReduceOp; mask: Value | undefined } }): Value {
    const { accumulate: a, body, env } = t;
    if ((a.op === 'sum' || a.op === 'mean') && !a.mask && body.kind === 'binary' && body.op === 'mul') {
      return { kind: 'muladd', left: this.value(body.left, env), right: this.value(body.right, env), plus: { kind: 'reg', name: a.name } };
    }
    return this.#accumulated(a, this.value(body, env));
  }
  #accumulated(a: { name: string; op: ReduceOp; mask: Value | undefined }, v: Value): Value {
    const value: Value = a.mask ? { kind: 'select', cond: a.mask, then: v, else: num(identity(a.op)) } : v;
    return this.#joined(a.op, { kind: 'reg', name: a.name }, value);
  }
  #accumulate(a: { name: string; op: ReduceOp; mask: Value | undefined }, v: Value): void {
    this.#c.writer.set(a.name, this.#accumulated(a, v));
  }
  // --- values -----------------------------------------------------------------------------------------------------------

  #itemEnv(e: ExprOf<'read'>, item: Item, env: Env): Env {
    let result = env;
    item.indices.forEach((index, p) => {
      if (!item.inner.includes(index)) return;
      const at = e.at[p];
      if (!at) return;
      const [term] = at.terms;
      const place = term && at.terms.length === 1 && term.coefficient === 1 && at.constant === 0 ? placeOf(env, term.index) : { ...affinePlace(env, at), lane: affinePlace(env, at).lane === 1 };
      result = this.#c.envs.bind(result, index, place);
    });
    return result;
  }

  value(e: Expr, env: Env): Value {
    const { writer } = this.#c;
    if (e.kind === 'const') return num(e.value);
    const key = `val ${e.id} ${env.id}`;
    const known = writer.noted(key);
    if (known) return known;
    const made = writer.let(this.#make(e, env));
    writer.note(key, made);
    return made;
  }
  #make(e: Expr, env: Env): Value {
    switch (e.kind) {
      case 'const': return num(e.value);
      case 'index': {
        const p = placeOf(env, e.index);
        const base: Value = p.int.kind === 'int' ? num(p.int.value) : { kind: 'from-int', value: p.int };
        return p.lane ? { kind: 'binary', op: 'add', left: this.#c.writer.let(base), right: p.stride === undefined ? { kind: 'lane' } : this.#c.writer.let({ kind: 'binary', op: 'mul', left: { kind: 'lane' }, right: num(p.stride) }) } : base;
      }
      case 'read': {
        const item = this.#c.item(e);
        return item ? this.value(item.body, this.#itemEnv(e, item, env)) : this.#c.load(e, env);
      }
      case 'unary': return this.#unary(e, env);
      case 'binary': return this.#binary(e, env);
      case 'power': return this.#power(this.value(e.base, env), e.exponent);
      case 'select': return { kind: 'select', cond: this.value(e.cond, env), then: this.value(e.then, env), else: this.value(e.else, env) };
      case 'reduce': return this.#reduce(e, env);
    }
  }
  #unary(e: ExprOf<'unary'>, env: Env): Value {
    const arg = this.value(e.arg, env);
    if (e.op === 'relu') return { kind: 'binary', op: 'max', left: arg, right: num(0) };
    if (e.op === 're' || e.op === 'conj') return arg;
    if (e.op === 'im') return num(0);
    const decays = (e.op === 'exp2' || e.op === 'exp2m1') && this.#c.decays(e.arg);
    const op: KernelUnary = decays ? (e.op === 'exp2' ? 'exp2_decay' : 'exp2m1_decay') : e.op;
    return { kind: 'unary', op, arg };
  }
  #binary(e: ExprOf<'binary'>, env: Env): Value {
    if (e.op === 'complex') throw new Error('complex values must be split before scheduling');
    const decay = this.#binaryDecay(e, env);
    if (decay) return decay;
    if (e.op === 'add' || e.op === 'sub') {
      const product = (x: Expr): x is ExprOf<'binary'> => x.kind === 'binary' && x.op === 'mul' && (this.#use.get(x) ?? 0) === 1;
      if (product(e.right) && e.op === 'add') return this.#muladd(e.right, e.left, env);
      if (product(e.left) && e.op === 'add') return this.#muladd(e.left, e.right, env);
    }
    return { kind: 'binary', op: e.op, left: this.value(e.left, env), right: this.value(e.right, env) };
  }
  #muladd(product: ExprOf<'binary'>, plus: Expr, env: Env): Value {
    return { kind: 'muladd', left: this.value(product.left, env), right: this.value(product.right, env), plus: this.value(plus, env) };
  }
  #power(base: Value, exponent: number): Value {
    const { writer } = this.#c;
    if (exponent < 0) return { kind: 'binary', op: 'div', left: num(1), right: writer.let(this.#power(base, -exponent)) };
    if (exponent === 0) return num(1);
    if (exponent === 1) return base;
    const half = writer.let(this.#power(base, Math.floor(exponent / 2)));
    const square = writer.let({ kind: 'binary', op: 'mul', left: half, right: half });
    return exponent % 2 === 0 ? square : { kind: 'binary', op: 'mul', left: square, right: base };
  }
  #reduce(e: ExprOf<'reduce'>, env: Env): Value {
    const over = e.over as Index;
    const at = (place: Place): Env => this.#c.envs.bind(env, over, place);
    if (e.op === 'last') return this.value(e.body, at(fixed(over.axis.size - 1)));
    if (over.axis.size > this.#c.unroll) {
      const value = this.#c.writer.noted(this.reductionKey(e, env));
      if (!value) throw new Error('a reduction was not scheduled before its use');
      return value;
    }
    const { writer } = this.#c;
    let total: Value | undefined;
    const isShared = this.#isShared(e, env);
    for (const k of this.#members(over, isShared)) {
      if (total && (e.op === 'sum' || e.op === 'mean') && e.body.kind === 'binary' && e.body.op === 'mul') {
        total = writer.let({ kind: 'muladd', left: this.value(e.body.left, at(k)), right: this.value(e.body.right, at(k)), plus: total });
        continue;
      }
      const v = this.value(e.body, at(k));
      total = total ? writer.let(this.#joined(e.op, total, v)) : v;
    }
    if (total && isShared) {
      total = writer.let({ kind: 'reduce-lanes', op: e.op === 'max' || e.op === 'min' ? e.op : 'sum', arg: total, count: int(this.#c.lanes) });
    }
    const result = total ?? num(0);
    return e.op === 'mean' ? { kind: 'binary', op: 'div', left: result, right: num(over.axis.size) } : result;
  }
}

export function identity(op: ReduceOp): number {
  return op === 'max' ? -Infinity : op === 'min' ? Infinity : 0;
}
export const members = (i: Index): number[] => Array.from({ length: i.axis.size }, (_, k) => k);
/** Lanes of a vector that stand for members: the rest is padding. */
export const lastLane = (lanes: number, size: number, base: Place['int']): Place['int'] => imin(int(lanes - 1), iadd(int(size - 1), { kind: 'imul', factors: [base, int(-1)] }));
