/** Counts what a kernel does: loads and stores, arithmetic, exponentials. By its text, for given sizes; nothing is run. */
import type { Cond, Int, Kernel, Stmt, Value } from '../ir/kernel.js';

export interface Counts {
  /** Elements, per buffer. */
  readonly loads: ReadonlyMap<string, number>;
  readonly stores: ReadonlyMap<string, number>;
  /** Additions, multiplications, comparisons …, per lane. */
  readonly arithmetic: number;
  /** Exponentials and logarithms, per lane. */
  readonly exponentials: number;
}
export interface Sizes {
  readonly batch: number;
  readonly steps: number;
}

/** Functions, by how many exponentials or logarithms each needs. */
const exponentials: Readonly<Record<string, number>> = {
  exp: 1, exp2: 1, expm1: 1, exp2m1: 1, exp2_decay: 1, exp2m1_decay: 1, log: 1, log1p: 1, sin: 1, cos: 1, tanh: 1, sigmoid: 1, silu: 1, softplus: 2, gelu: 1,
};

export function countKernel(kernel: Kernel, sizes: Sizes, lanes: number): Counts {
  return new Counter(kernel, sizes, kernel.precision === 'f64' ? 1 : lanes).run();
}

class Counter {
  readonly #kernel: Kernel;
  readonly #lanes: number;
  readonly #scalars: ReadonlyMap<string, number>;
  readonly #steps: number;
  readonly #loads = new Map<string, number>();
  readonly #stores = new Map<string, number>();
  #arithmetic = 0;
  #exponentials = 0;

  constructor(kernel: Kernel, sizes: Sizes, lanes: number) {
    this.#kernel = kernel;
    this.#lanes = lanes;
    this.#steps = sizes.steps;
    this.#scalars = new Map([['$B', sizes.batch], ['$T', sizes.steps], ['$R', sizes.batch * sizes.steps], ['$t0', 0]]);
  }
  run(): Counts {
    this.#list(this.#kernel.body, new Map(this.#scalars), 1);
    return { loads: this.#loads, stores: this.#stores, arithmetic: this.#arithmetic, exponentials: this.#exponentials };
  }

  #list(stmts: readonly Stmt[], outer: ReadonlyMap<string, number>, times: number): void {
    const env = new Map(outer);
    for (const s of stmts) {
      switch (s.kind) {
        case 'for': this.#loop(s, env, times); break;
        case 'int': env.set(s.name, this.#int(s.value, env)); break;
        case 'let': case 'var': case 'set': this.#value(s.value, times); break;
        case 'store':
          this.#value(s.value, times);
          this.#stores.set(s.buffer, (this.#stores.get(s.buffer) ?? 0) + times * (s.lanes === 'vector' ? this.#lanes : 1));
          break;
        case 'if': this.#list(this.#cond(s.cond, env) ? s.then : s.else, env, times); break;
        case 'comment': break;
      }
    }
  }
  #loop(s: Extract<Stmt, { kind: 'for' }>, env: Map<string, number>, times: number): void {
    const from = this.#int(s.from, env);
    const to = this.#int(s.to, env);
    const trips = Math.max(0, Math.ceil((to - from) / s.step));
    if (trips === 0) return;
    if (!bounds(s.body).has(s.name)) {
      this.#list(s.body, new Map(env).set(s.name, from + Math.floor(trips / 2) * s.step), times * trips);
      return;
    }
    for (let k = 0, v = from; k < trips; k++, v += s.step) this.#list(s.body, new Map(env).set(s.name, v), times);
  }
  #value(v: Value, times: number): void {
    switch (v.kind) {
      case 'number': case 'reg': case 'lane': case 'from-int': case 'from-cond': return;
      case 'load': this.#loads.set(v.buffer, (this.#loads.get(v.buffer) ?? 0) + times * (v.access === 'uniform' ? 1 : this.#lanes)); return;
      case 'unary':
        this.#value(v.arg, times);
        this.#exponentials += (exponentials[v.op] ?? 0) * times * this.#lanes;
        if (!exponentials[v.op]) this.#arithmetic += times * this.#lanes;
        return;
      case 'binary': this.#value(v.left, times); this.#value(v.right, times); break;
      case 'select': this.#value(v.cond, times); this.#value(v.then, times); this.#value(v.else, times); break;
      case 'muladd': this.#value(v.left, times); this.#value(v.right, times); this.#value(v.plus, times); this.#arithmetic += times * this.#lanes; break;
      case 'decay':
        this.#value(v.exponent, times); this.#value(v.state, times); this.#value(v.plus, times);
        this.#exponentials += times * this.#lanes;
        this.#arithmetic += 2 * times * this.#lanes;
        break;
      case 'reduce-lanes': case 'lane-of': this.#value(v.arg, times); break;
    }
    this.#arithmetic += times * this.#lanes;
  }
  #int(e: Int, env: ReadonlyMap<string, number>): number {
    switch (e.kind) {
      case 'int': return e.value;
      case 'ivar': return env.get(e.name) ?? 0;
      case 'iadd': return e.terms.reduce((n, t) => n + this.#int(t, env), 0);
      case 'imul': return e.factors.reduce((n, t) => n * this.#int(t, env), 1);
      case 'imin': return Math.min(this.#int(e.left, env), this.#int(e.right, env));
      case 'imax': return Math.max(this.#int(e.left, env), this.#int(e.right, env));
      case 'idiv': return Math.floor(this.#int(e.left, env) / e.by);
      case 'imod': return this.#int(e.left, env) % e.by;
      case 'iselect': return this.#cond(e.cond, env) ? this.#int(e.then, env) : this.#int(e.else, env);
      // The one integer buffer holds the lengths of the sequences.
      case 'iload': return this.#steps;
    }
  }
  #cond(c: Cond, env: ReadonlyMap<string, number>): boolean {
    // What masks guard is the common case: every lane passes.
    if (c.kind === 'all') return true;
    if (c.kind !== 'icompare') return c.kind === 'iand' ? this.#cond(c.left, env) && this.#cond(c.right, env) : this.#cond(c.left, env) || this.#cond(c.right, env);
    const a = this.#int(c.left, env);
    const b = this.#int(c.right, env);
    return c.op === 'lt' ? a < b : c.op === 'le' ? a <= b : c.op === 'eq' ? a === b : a !== b;
  }
}

const memo = new WeakMap<readonly Stmt[], ReadonlySet<string>>();
/** Variables that decide how often something inside runs, named integers followed. */
function bounds(stmts: readonly Stmt[]): ReadonlySet<string> {
  const known = memo.get(stmts);
  if (known) return known;
  const found = new Set<string>();
  const ints = new Map<string, Set<string>>();
  const add = (e: Int): void => { for (const n of names(e)) { found.add(n); for (const m of ints.get(n) ?? []) found.add(m); } };
  for (const s of stmts) {
    if (s.kind === 'int') {
      const all = new Set(names(s.value));
      for (const n of Array.from(all)) for (const m of ints.get(n) ?? []) all.add(m);
      ints.set(s.name, all);
    } else if (s.kind === 'for') {
      add(s.from);
      add(s.to);
      for (const n of bounds(s.body)) { found.add(n); for (const m of ints.get(n) ?? []) found.add(m); }
    } else if (s.kind === 'if') {
      const arms = [...bounds(s.then), ...bounds(s.else)];
      for (const n of arms) { found.add(n); for (const m of ints.get(n) ?? []) found.add(m); }
    }
  }
  memo.set(stmts, found);
  return found;
}
function names(e: Int): string[] {
  switch (e.kind) {
    case 'int': return [];
    case 'ivar': return [e.name];
    case 'iadd': return e.terms.flatMap(names);
    case 'imul': return e.factors.flatMap(names);
    case 'imin': case 'imax': return [...names(e.left), ...names(e.right)];
    case 'idiv': case 'imod': return names(e.left);
    case 'iselect': return [...names(e.then), ...names(e.else)];
    case 'iload': return names(e.at);
  }
}
