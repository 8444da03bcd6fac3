/**
 * Counts what a kernel does: loads and stores, arithmetic, exponentials, barriers. By its text, for given sizes; nothing is run, and
 * nothing is estimated: threads and rounds of loops are counted many at a time where they do the same, and divided where they don't.
 */
import { mapStmts } from '../ir/map-kernel.js';
import { isNarrow, type Grid, type Int, type Kernel, type Stmt, type Value } from '../ir/kernel.js';
import { groupsOf } from '../runtime/gpu/arrangement.js';
import { decide, numberOf, point, rangeOf, Undecided, type Env, type Range } from './ranges.js';

export interface Counts {
  /** Elements, per buffer: all that lanes and threads ask for, those of the group's and the thread's own memory among them. */
  readonly loads: ReadonlyMap<string, number>;
  readonly stores: ReadonlyMap<string, number>;
  /** Additions, multiplications, comparisons …, per lane. */
  readonly arithmetic: number;
  /** Exponentials and logarithms, per lane. */
  readonly exponentials: number;
  /** Of all groups together, those inside a reduction over a group's threads among them. */
  readonly barriers: number;
}
export interface Sizes {
  readonly batch: number;
  readonly steps: number;
}

/** Functions, by how many exponentials or logarithms each needs. */
const exponentials: Readonly<Record<string, number>> = {
  exp: 1, exp2: 1, expm1: 1, exp2m1: 1, exp2_decay: 1, exp2m1_decay: 1, log: 1, log1p: 1, sin: 1, cos: 1, tanh: 1, sigmoid: 1, silu: 1, softplus: 2, gelu: 1,
};

/** Where threads wait for each other beside the barriers of the kernel's text: at a sum over so many lanes, and where they show each other what shares a word. */
export interface Waits {
  readonly sum: (lanes: number) => number;
  readonly shown: number;
}
/** Through a group's memory: when what is to be read is there, and when it has been read, or a second time what is to be read. */
const throughMemory: Waits = { sum: () => 2, shown: 2 };

export function countKernel(kernel: Kernel, sizes: Sizes, lanes: number, waits: Waits = throughMemory): Counts {
  const perStatement = kernel.grid || kernel.precision === 'f64' ? 1 : lanes;
  return new Counter(kernel, sizes, perStatement, waits).run();
}

class Tally implements Counts {
  readonly loads = new Map<string, number>();
  readonly stores = new Map<string, number>();
  arithmetic = 0;
  exponentials = 0;
  barriers = 0;

  load(buffer: string, n: number): void {
    this.loads.set(buffer, (this.loads.get(buffer) ?? 0) + n);
  }
  store(buffer: string, n: number): void {
    this.stores.set(buffer, (this.stores.get(buffer) ?? 0) + n);
  }
  add(other: Counts): void {
    for (const [b, n] of other.loads) this.load(b, n);
    for (const [b, n] of other.stores) this.store(b, n);
    this.arithmetic += other.arithmetic;
    this.exponentials += other.exponentials;
    this.barriers += other.barriers;
  }
}

class Counter {
  readonly #kernel: Kernel;
  readonly #lanes: number;
  readonly #sizes: Sizes;
  readonly #waits: Waits;
  /** Of a thread or a group: every thread stores there for itself. */
  readonly #memories: ReadonlySet<string>;
  #tally = new Tally();

  constructor(kernel: Kernel, sizes: Sizes, lanes: number, waits: Waits) {
    this.#waits = waits;
    this.#kernel = kernel;
    this.#lanes = lanes;
    this.#sizes = sizes;
    this.#memories = new Set((kernel.memories ?? []).map((m) => m.name));
  }
  run(): Counts {
    const { batch, steps } = this.#sizes;
    const env = new Map([['$B', batch], ['$T', steps], ['$R', batch * steps], ['$t0', 0], ['$part', 0]].map(([k, v]) => [k as string, point(v as number)]));
    const { grid, body } = this.#kernel;
    if (grid) this.#grid(grid, body, env);
    else this.#list(body, env, 1);
    return this.#tally;
  }
  /** Threads, groups and rows of the batch are loops around the kernel. */
  #grid(grid: Grid, body: readonly Stmt[], env: Env): void {
    const { batch, steps } = this.#sizes;
    const over = (name: string, count: number, inner: (e: Env, times: number) => void) => (e: Env, times: number): void => this.#rounds({ name, first: 0, step: 1, trips: count }, e, times, inner);
    const groups = groupsOf({ grid: { ...grid.groups, batches: grid.batches } }, batch, steps);
    const rows = grid.batches === 'B' ? batch : 1;
    const by = dividesGroup(body);
    if (by === undefined || groups % by !== 0) {
      over('$b', rows, over('$g', groups, over('$l', grid.threads, (e, times) => this.#list(body, e, times))))(env, 1);
      return;
    }
    // Groups in rows and columns of tiles: those at the edge are many, but alike.
    const split = mapStmts(body, { int: (e) => ((e.kind === 'idiv' || e.kind === 'imod') && isGroup(e.left) ? { kind: 'ivar', name: e.kind === 'idiv' ? '$g/' : '$g%' } : undefined) });
    over('$b', rows, over('$g/', groups / by, over('$g%', by, over('$l', grid.threads, (e, times) => this.#list(split, e, times)))))(env, 1);
  }

  #list(stmts: readonly Stmt[], outer: Env, times: number): void {
    const env = new Map(outer);
    const { steps } = this.#sizes;
    const tally = this.#tally;
    for (const s of stmts) {
      switch (s.kind) {
        case 'for': this.#loop(s, env, times); break;
        case 'int': env.set(s.name, rangeOf(s.value, env, steps)); break;
        case 'let': case 'var': case 'set': this.#value(s.value, times); break;
        case 'store':
          this.#value(s.value, times);
          if (s.second) this.#value(s.second, times);
          if (this.#isShown(s)) this.#wait(times, this.#waits.shown);
          if (s.where && !decide(s.where, env, steps)) break;
          tally.store(s.buffer, times * (s.lanes === 'vector' ? this.#lanes : (this.#memories.has(s.buffer) ? 1 : this.#share(s.lanes)) * (s.second ? 2 : 1)));
          break;
        case 'if': this.#list(decide(s.cond, env, steps) ? s.then : s.else, env, times); break;
        case 'copy':
          tally.load(s.buffer, times * (s.count ? numberOf(s.count, env, steps) : s.width));
          tally.store(s.memory, times * s.width);
          break;
        // A product and a sum for each of a tile's elements and members, shared out among a warp.
        case 'multiply': {
          const [rows, columns] = [s.row.at.length, s.column.at.length];
          tally.arithmetic += (times * 2 * 16 ** 3 * rows * columns) / 32;
          tally.load(s.row.memory, (times * 16 ** 2 * rows) / 32);
          tally.load(s.column.memory, (times * 16 ** 2 * columns) / 32);
          break;
        }
        case 'commit': case 'await': break;
        case 'barrier': this.#wait(times, 1); break;
        case 'comment': break;
      }
    }
  }
  #wait(times: number, barriers: number): void {
    this.#tally.barriers += (times / (this.#kernel.grid?.threads ?? 1)) * barriers;
  }
  /** A point's lanes are not those of a warp, which hands registers on. */
  get #areAtBarriers(): boolean {
    const { lanes, threads, neighbours } = this.#kernel.grid ?? { lanes: 1, threads: 1 };
    return lanes > 1 && (lanes === threads || neighbours === true);
  }
  /** Two lanes have what shares a word. */
  #isShown(s: Extract<Stmt, { kind: 'store' }>): boolean {
    return this.#areAtBarriers && !s.second && this.#kernel.parameters.some((p) => p.kind === 'buffer' && p.name === s.buffer && isNarrow(p.element));
  }
  /** Where threads are lanes, one of them stores for all. */
  #share(lanes: Extract<Stmt, { kind: 'store' }>['lanes']): number {
    const all = this.#kernel.grid?.lanes ?? 1;
    if (all === 1 || lanes === 'vector') return 1;
    if (lanes === 'one') return 1 / all;
    return Math.min(all, numberOf(lanes.count, new Map(), this.#sizes.steps)) / all;
  }
  #loop(s: Extract<Stmt, { kind: 'for' }>, env: Env, times: number): void {
    const { steps } = this.#sizes;
    const [a, b] = [rangeOf(s.from, env, steps), rangeOf(s.to, env, steps)];
    const trips = (from: number, to: number): number => Math.max(0, Math.ceil((to - from) / s.step));
    const count = trips(a.low, b.low);
    if ([trips(a.low, b.high), trips(a.high, b.low), trips(a.high, b.high)].some((n) => n !== count)) throw new Undecided(new Set([...a.on, ...b.on]));
    this.#rounds({ name: s.name, first: a, step: s.step, trips: count }, env, times, (e, n) => this.#list(s.body, e, n));
  }
  /** All rounds at once, where they do the same; else each half. */
  #rounds(loop: { readonly name: string; readonly first: Range | number; readonly step: number; readonly trips: number }, env: Env, times: number, body: (env: Env, times: number) => void): void {
    const { name, step, trips } = loop;
    if (trips === 0) return;
    const first = typeof loop.first === 'number' ? point(loop.first) : loop.first;
    const more = (trips - 1) * step;
    const range: Range = { low: first.low + Math.min(0, more), high: first.high + Math.max(0, more), on: trips > 1 ? new Set([...first.on, name]) : first.on };
    const before = this.#tally;
    this.#tally = new Tally();
    try {
      body(new Map(env).set(name, range), times * trips);
      before.add(this.#tally);
      this.#tally = before;
    } catch (error) {
      this.#tally = before;
      if (!(error instanceof Undecided) || trips === 1 || !error.on.has(name)) throw error;
      const half = Math.ceil(trips / 2);
      this.#rounds({ ...loop, trips: half }, env, times, body);
      const rest: Range = { low: first.low + half * step, high: first.high + half * step, on: first.on };
      this.#rounds({ ...loop, first: rest, trips: trips - half }, env, times, body);
    }
  }
  #value(v: Value, times: number): void {
    const tally = this.#tally;
    switch (v.kind) {
      case 'number': case 'reg': case 'lane': case 'from-int': case 'from-cond': return;
      case 'load': tally.load(v.buffer, times * (v.access === 'uniform' ? 1 : this.#lanes)); return;
      case 'unary':
        this.#value(v.arg, times);
        tally.exponentials += (exponentials[v.op] ?? 0) * times * this.#lanes;
        if (!exponentials[v.op]) tally.arithmetic += times * this.#lanes;
        return;
      case 'binary': this.#value(v.left, times); this.#value(v.right, times); break;
      case 'select': this.#value(v.cond, times); this.#value(v.then, times); this.#value(v.else, times); break;
      case 'muladd': this.#value(v.left, times); this.#value(v.right, times); this.#value(v.plus, times); tally.arithmetic += times * this.#lanes; break;
      case 'decay':
        this.#value(v.exponent, times); this.#value(v.state, times); this.#value(v.plus, times);
        tally.exponentials += times * this.#lanes;
        tally.arithmetic += 2 * times * this.#lanes;
        break;
      case 'reduce-lanes': {
        this.#value(v.arg, times);
        if (this.#areAtBarriers) this.#wait(times, this.#waits.sum(this.#kernel.grid?.lanes ?? 1));
        break;
      }
      case 'lane-of': this.#value(v.arg, times); break;
    }
    tally.arithmetic += times * this.#lanes;
  }
}

const isGroup = (e: Int): boolean => e.kind === 'ivar' && e.name === '$g';
/** What the group's number is divided by everywhere, if it is used in no other way. */
function dividesGroup(body: readonly Stmt[]): number | undefined {
  const by = new Set<number>();
  let used = 0;
  let divided = 0;
  const seen = (e: Int): undefined => {
    if (isGroup(e)) used++;
    if ((e.kind === 'idiv' || e.kind === 'imod') && isGroup(e.left)) {
      divided++;
      by.add(e.by);
    }
  };
  mapStmts(body, { int: seen });
  return by.size === 1 && used === divided ? [...by][0] : undefined;
}
