/**
 * A stage to its kernel on a machine with threads. A thread computes one point of the domain: in a flat stage of one row, in a stage in
 * the order of time of every step of its sequence, its states in memory of its own. Where a stage reduces along what lies contiguous,
 * a group of threads takes a point together.
 */
import type { Grid, Groups, Int, Kernel, Value } from '../../../ir/kernel.js';
import { visitExpr } from '../../../ir/builder.js';
import type { Affine, DefinitionId, Expr, ExprOf, Index } from '../../../ir/program.js';
import type { Item, KeptState, Stage } from '../../../ir/stages.js';
import type { Signs } from '../../sign.js';
import { Expressions, identity, num, type Task } from '../expressions.js';
import { iadd, icompare, imin, imul, int } from '../ints.js';
import { rowMajor, type Layout, type StateStorage } from '../layout.js';
import { UNROLL } from '../limits.js';
import { affinePlace, Envs, placeOf, type Env } from '../places.js';
import { shapeOf } from '../shape.js';
import { Writer } from '../writer.js';
import { Access, BATCH, GROUP, isNow, THREAD } from './access.js';
import type { Threads } from './machine.js';
import { bindPoint, countPoints, divide, domainOrder, pointOf } from './places.js';
import { stageShared } from './stage-shared.js';
import { tileContraction, tilingOf } from './tiles.js';

/** Threads of a group where nothing asks for another number. */
const GROUP_THREADS = 64;
/** Elements of its states that a thread keeps to itself; more stay in carry memory. */
const OWN_CELLS = 256;

interface Accumulating {
  readonly name: string;
  readonly item: Item;
  readonly op: string;
}
interface Kept {
  readonly state: KeptState;
  readonly item: Item;
  readonly storage: StateStorage;
  readonly strides: readonly number[];
  /** The thread's own copy, while it goes through the steps. */
  readonly own: string | undefined;
}

export function threadKernel(stage: Stage, entry: string, layout: Layout, machine: Threads, signs: Signs): Kernel {
  return new ThreadKernel(stage, layout, machine, signs).kernel(entry);
}
/** Initial states and the identities of reductions over time, written to carry memory before the first step. */
export function beginKernels(stage: Stage, entry: (k: number) => string, layout: Layout, machine: Threads, signs: Signs): Kernel[] {
  const made: Kernel[] = [];
  for (const s of stage.states) if (s.initial) made.push(new ThreadKernel(stage, layout, machine, signs).beginState(entry(made.length), s, s.initial));
  for (const a of stage.accumulators) {
    const value = a.op === 'max' || a.op === 'min' ? identity(a.op) : 0;
    if (value !== 0) made.push(new ThreadKernel(stage, layout, machine, signs).beginAccumulator(entry(made.length), a.def, value));
  }
  return made;
}

class ThreadKernel {
  readonly #stage: Stage;
  readonly #layout: Layout;
  readonly #machine: Threads;
  readonly #envs = new Envs();
  readonly #w: Writer;
  readonly #x: Expressions;
  readonly #access: Access;
  readonly #items: ReadonlyMap<DefinitionId, Item>;
  readonly #order: readonly Index[];
  readonly #lane: Index | undefined;
  /** Threads that take one point together; 1: each has its own. */
  readonly #lanes: number;
  readonly #kept: Kept[] = [];

  constructor(stage: Stage, layout: Layout, machine: Threads, signs: Signs) {
    this.#stage = stage;
    this.#layout = layout;
    this.#machine = machine;
    this.#items = new Map(stage.items.map((i) => [i.def, i]));
    const shape = shapeOf(stage, { lanes: 32, registers: 16 });
    this.#lane = shape.lane;
    const together = shape.laneLoops && stage.order === 'flat';
    this.#lanes = together ? GROUP_THREADS : 1;
    this.#order = domainOrder(stage, shape.lane);
    const written = new Set<string>();
    for (const id of stage.stored) written.add(layout.of(id).buffer);
    for (const s of stage.states) {
      const kept = this.#keep(s);
      this.#kept.push(kept);
      written.add(kept.own ?? kept.storage.buffer);
    }
    for (const a of stage.accumulators) written.add(layout.of(a.def).buffer);
    this.#w = new Writer(written, ['$R', '$B', '$T', '$l', '$g', '$b']);
    this.#access = new Access(stage, layout, this.#w, this.#lanes, shape.lane);
    this.#x = new Expressions({
      writer: this.#w, envs: this.#envs, lanes: this.#lanes, laneLoops: together, unroll: this.#unroll(),
      item: (e) => (isNow(e.time) && !stage.accumulators.some((a) => a.def === e.def) ? this.#items.get(e.def) : undefined),
      load: (e, env) => this.#read(e, env),
      decays: (arg) => stage.anchor === 'scan' && signs.of(arg).nonPositive,
    }, stage.items);
  }

  /** A scan's loops over states are unrolled while that makes few enough copies of their bodies. */
  #unroll(): number {
    const inner = new Set<number>();
    let small = 1;
    for (const item of this.#stage.items) visitExpr(item.body, (e) => {
      if (e.kind !== 'reduce' || e.over === 'time') return;
      if (e.over.axis.size > UNROLL) inner.add(e.over.axis.size);
      else small = Math.max(small, e.over.axis.size);
    });
    for (const item of this.#stage.items) for (const i of item.inner) {
      if (i.axis.size > UNROLL) inner.add(i.axis.size);
      else small = Math.max(small, i.axis.size);
    }
    const [only, ...more] = inner;
    if (this.#stage.anchor !== 'scan' || only === undefined || more.length > 0) return UNROLL;
    const nested = this.#stage.items.some((i) => i.inner.some((x) => x.axis.size === only) && hasReduceOf(i.body, only));
    return !nested && only * small <= this.#machine.unroll ? only : UNROLL;
  }

  kernel(name: string): Kernel {
    const stage = this.#stage;
    if (stage.order !== 'flat') return this.#sequences(name);
    const inTime = stage.items.some((i) => this.#layout.program.definitions[i.def]?.time) && stage.phase === 'step';
    const tiling = inTime && !this.#needsSequence() && this.#lanes === 1 ? tilingOf(stage, this.#lane, this.#order, this.#items, this.#layout, this.#machine) : undefined;
    if (tiling) {
      const grid = tileContraction(tiling, { stage, writer: this.#w, envs: this.#envs, access: this.#access, expressions: this.#x, rows: this.#access.scalar('R') });
      return this.#access.finish(name, this.#w.body, grid);
    }
    if (inTime && this.#needsSequence()) return this.#steps(name);
    return this.#rows(name, inTime ? 'R' : 'B');
  }
  /** A row alone isn't enough: it reads other steps, or what belongs to the sequence. */
  #needsSequence(): boolean {
    let found = false;
    for (const item of this.#stage.items) visitExpr(item.body, (e) => {
      if (e.kind !== 'read' || this.#items.has(e.def)) return;
      if (!isNow(e.time) || (!e.time && this.#layout.phase(e.def) !== 'load')) found = true;
    });
    return found;
  }

  // --- flat stages ------------------------------------------------------------------------------------------------------

  #rows(name: string, of: 'R' | 'B'): Kernel {
    const rows = this.#access.scalar(of);
    const points = countPoints(this.#order);
    const number = this.#number();
    const { quotient, rest } = divide(number, points);
    const row = this.#w.int('row', quotient);
    this.#w.branch(icompare('lt', row, rows), () => this.#compute(bindPoint(this.#w, this.#envs, this.#envs.root(row), this.#order, rest)), () => undefined);
    return this.#access.finish(name, this.#w.body, { threads: GROUP_THREADS, lanes: this.#lanes, groups: this.#groups(of, points), batches: 1 });
  }
  /** Rows known by sequence and step. */
  #steps(name: string): Kernel {
    const points = countPoints(this.#order);
    const { quotient, rest } = divide(this.#number(), points);
    const t = this.#w.int('t', quotient);
    const length = this.#access.length();
    this.#access.step = { t, length };
    this.#w.branch(icompare('lt', t, length), () => {
      const row = this.#w.int('row', iadd(imul(BATCH, this.#access.scalar('T')), t));
      this.#compute(bindPoint(this.#w, this.#envs, this.#envs.root(row), this.#order, rest));
    }, () => undefined);
    return this.#access.finish(name, this.#w.body, { threads: GROUP_THREADS, lanes: this.#lanes, groups: this.#groups('T', points), batches: 'B' });
  }
  /** This thread's number among all that have a point of their own; of a group that shares one, the group's. */
  #number(): Int {
    return this.#lanes > 1 ? GROUP : this.#w.int('id', iadd(imul(GROUP, GROUP_THREADS), THREAD));
  }
  #groups(of: Groups['of'], points: number): Groups {
    return { times: 1, of, each: points, per: this.#lanes > 1 ? 1 : GROUP_THREADS };
  }
  #compute(env: Env): void {
    this.#x.run(this.#stage.items.filter((i) => this.#stage.stored.has(i.def)).map((item): Task => ({
      inner: item.inner, body: item.body, env, sink: (v, at) => this.#access.store(item, v, at),
    })));
  }

  // --- stages in the order of time ----------------------------------------------------------------------------------------

  #sequences(name: string): Kernel {
    const points = countPoints(this.#order);
    const threads = Math.min(GROUP_THREADS, Math.max(1, points));
    const id = this.#w.int('id', iadd(imul(GROUP, threads), THREAD));
    const grid: Grid = { threads, lanes: 1, groups: { times: 1, of: 1, each: points, per: threads }, batches: 'B' };
    const length = this.#access.length();
    const inside = icompare('lt', id, int(points));
    if (points % threads === 0) this.#sequence(id, length, (f) => f());
    else if (this.#kept.some((k) => k.own === undefined)) this.#w.branch(inside, () => this.#sequence(id, length, (f) => f()), () => undefined);
    // A thread past the last point does what the last one does, but for writing: barriers are for all.
    else this.#sequence(this.#w.int('point', imin(id, int(points - 1))), length, (f) => this.#w.branch(inside, f, () => undefined));
    return stageShared(this.#access.finish(name, this.#w.body, grid), this.#machine);
  }
  /** All steps of one point; `mine` writes what threads without a point of their own must not. */
  #sequence(point: Int, length: Int, mine: (f: () => void) => void): void {
    const env = bindPoint(this.#w, this.#envs, this.#envs.root(BATCH), this.#order, point);
    for (const k of this.#kept) this.#copyIn(k, env);
    const accumulators = this.#openAccumulators(env);
    const backward = this.#stage.order === 'backward';
    const step = (t: Int): void => {
      this.#access.step = { t, length };
      const row = this.#w.int('row', iadd(imul(BATCH, this.#access.scalar('T')), t));
      const at = [...env.places].reduce<Env>((e, [i, p]) => this.#envs.bind(e, i, p), this.#envs.root(row));
      this.#step(at, accumulators, mine);
      this.#access.step = undefined;
    };
    if (backward) this.#w.loop('t', iadd(length, int(-1)), int(-1), -1, {}, step);
    else this.#w.loop('t', int(0), length, 1, {}, step);
    mine(() => {
      for (const k of this.#kept) this.#copyOut(k, env);
      for (const a of accumulators) this.#access.store(a.item, { kind: 'reg', name: a.name }, env);
    });
  }
  #step(env: Env, accumulators: readonly Accumulating[], mine: (f: () => void) => void): void {
    const states = new Map(this.#kept.map((k) => [k.state.def, k]));
    const tasks: Task[] = this.#stage.items.filter((i) => this.#stage.stored.has(i.def) || states.has(i.def)).map((item): Task => {
      const kept = states.get(item.def);
      return {
        inner: item.inner, body: item.body, env, last: kept !== undefined,
        sink: (v, at) => {
          const value = this.#w.let(v);
          if (this.#stage.stored.has(item.def)) mine(() => this.#access.store(item, value, at));
          if (kept) this.#storeState(kept, value, at);
        },
      };
    });
    for (const a of accumulators) tasks.push({ inner: [], body: a.item.body, env, sink: (v) => {
      const old: Value = { kind: 'reg', name: a.name };
      this.#w.set(a.name, a.op === 'last' ? v : { kind: 'binary', op: a.op === 'sum' ? 'add' : (a.op as 'max' | 'min'), left: old, right: v });
    } });
    this.#x.run(tasks);
    for (const k of this.#kept) if (!k.state.inPlace) this.#advance(k, env);
  }
  #openAccumulators(env: Env): Accumulating[] {
    return this.#stage.accumulators.map((a) => {
      const item = this.#items.get(a.def) as Item;
      const { at, buffer } = this.#access.target(item, env);
      return { name: this.#w.variable('acc', { kind: 'load', buffer: this.#access.touch(buffer, 'read'), at, access: 'uniform' }), item, op: a.op };
    });
  }

  // --- states -------------------------------------------------------------------------------------------------------------

  #keep(state: KeptState): Kept {
    const item = this.#stage.items.find((i) => i.def === state.def) as Item;
    const sizes = item.inner.map((i) => i.axis.size);
    const cells = sizes.reduce((n, s) => n * s, 1);
    const storage = this.#layout.state(this.#stage, state.def, cells, countPoints(this.#order), state.depth, state.inPlace);
    const name = `${this.#layout.program.definitions[state.def]?.name ?? 'state'}#own`;
    const own = cells * storage.slots <= OWN_CELLS ? name : undefined;
    return { state, item, storage, strides: rowMajor(sizes), own };
  }
  /** In carry memory points are innermost: neighbouring threads have neighbouring elements. */
  #carryAt(k: Kept, env: Env, cell: Int): Int {
    const points = countPoints(this.#order);
    return iadd(imul(BATCH, k.storage.row), imul(cell, points), pointOf(this.#order, (i) => placeOf(env, i).int));
  }
  #each(k: Kept, body: (cell: Int) => void): void {
    const count = k.storage.cells * k.storage.slots;
    if (this.#unrolled(k.item)) for (let c = 0; c < count; c++) body(int(c));
    else this.#w.loop('c', int(0), int(count), 1, {}, body);
  }
  /** Its cells are told apart when the kernel is compiled: they can be registers. */
  #unrolled(item: Item): boolean {
    return item.inner.every((i) => i.axis.size <= this.#unroll());
  }
  #copyIn(k: Kept, env: Env): void {
    if (k.own === undefined) return;
    const own = this.#access.memory(k.own, k.storage.cells * k.storage.slots, 'thread');
    this.#each(k, (cell) => this.#w.store(own, cell, this.#w.let({ kind: 'load', buffer: this.#access.touch(k.storage.buffer, 'read'), at: this.#carryAt(k, env, cell), access: 'uniform' }), 'one'));
  }
  #copyOut(k: Kept, env: Env): void {
    const { own } = k;
    if (own === undefined) return;
    this.#each(k, (cell) => this.#w.store(this.#access.touch(k.storage.buffer, 'write'), this.#carryAt(k, env, cell), this.#w.let({ kind: 'load', buffer: own, at: cell, access: 'uniform' }), 'one'));
  }
  #cell(k: Kept, inner: readonly Int[], slot: Int): Int {
    let at: Int = imul(iadd(slot, int(k.state.inPlace ? -1 : 0)), k.storage.cells);
    inner.forEach((p, d) => { at = iadd(at, imul(p, k.strides[d] as number)); });
    return at;
  }
  #loadCell(k: Kept, env: Env, cell: Int): Value {
    if (k.own !== undefined) return { kind: 'load', buffer: k.own, at: cell, access: 'uniform' };
    return { kind: 'load', buffer: this.#access.touch(k.storage.buffer, 'read'), at: this.#carryAt(k, env, cell), access: 'uniform' };
  }
  #storeCell(k: Kept, env: Env, cell: Int, value: Value): void {
    if (k.own !== undefined) this.#w.store(k.own, cell, value, 'one');
    else this.#w.store(this.#access.touch(k.storage.buffer, 'write'), this.#carryAt(k, env, cell), value, 'one');
  }
  #storeState(k: Kept, value: Value, env: Env): void {
    const inner = k.item.inner.map((i) => placeOf(env, i).int);
    if (!k.state.inPlace) { this.#storeCell(k, env, this.#cell(k, inner, int(0)), value); return; }
    const older = Array.from({ length: k.state.depth - 1 }, (_, d) => this.#w.let(this.#loadCell(k, env, this.#cell(k, inner, int(d + 1)))));
    older.forEach((v, d) => this.#storeCell(k, env, this.#cell(k, inner, int(d + 2)), v));
    this.#storeCell(k, env, this.#cell(k, inner, int(1)), value);
  }
  /** Slots move on by one step: the oldest is forgotten, the next becomes the last. */
  #advance(k: Kept, env: Env): void {
    const { cells } = k.storage;
    const move = (slot: number, c: Int): void => this.#storeCell(k, env, iadd(int(slot * cells), c), this.#w.let(this.#loadCell(k, env, iadd(int((slot - 1) * cells), c))));
    for (let slot = k.state.depth; slot >= 1; slot--) {
      if (this.#unrolled(k.item)) for (let c = 0; c < cells; c++) move(slot, int(c));
      else this.#w.loop('c', int(0), int(cells), 1, {}, (c) => move(slot, c));
    }
  }

  #read(e: ExprOf<'read'>, env: Env): Value {
    const kept = this.#kept.find((k) => k.state.def === e.def);
    if (!kept || isNow(e.time)) return this.#access.read(e, env);
    const inner = kept.item.inner.map((i) => affinePlace(env, e.at[kept.item.indices.indexOf(i)] as Affine).int);
    const time = affinePlace(env, e.time as Affine).int;
    return this.#loadCell(kept, env, this.#cell(kept, inner, this.#stage.order === 'backward' ? time : imul(time, -1)));
  }

  // --- before the first step ----------------------------------------------------------------------------------------------

  beginState(name: string, s: KeptState, initial: Expr): Kernel {
    const kept = this.#kept.find((k) => k.state === s) as Kept;
    return this.#eachElement(name, [...kept.item.inner, ...this.#order], (env) => {
      const value = this.#w.let(this.#x.value(initial, env));
      const inner = kept.item.inner.map((i) => placeOf(env, i).int);
      for (let slot = 1; slot <= s.depth; slot++) this.#w.store(this.#access.touch(kept.storage.buffer, 'write'), this.#carryAt(kept, env, this.#cell(kept, inner, int(slot))), value, 'one');
    });
  }
  beginAccumulator(name: string, def: DefinitionId, value: number): Kernel {
    const item = this.#items.get(def) as Item;
    return this.#eachElement(name, item.indices, (env) => this.#access.store(item, num(value), env));
  }
  #eachElement(name: string, indices: readonly Index[], body: (env: Env) => void): Kernel {
    const count = countPoints(indices);
    const id = this.#w.int('id', iadd(imul(GROUP, GROUP_THREADS), THREAD));
    this.#w.branch(icompare('lt', id, int(count)), () => body(bindPoint(this.#w, this.#envs, this.#envs.root(BATCH), indices, id)), () => undefined);
    return this.#access.finish(name, this.#w.body, { threads: GROUP_THREADS, lanes: 1, groups: { times: 1, of: 1, each: count, per: GROUP_THREADS }, batches: 'B' });
  }
}

function hasReduceOf(root: Expr, size: number): boolean {
  let found = false;
  visitExpr(root, (e) => { if (e.kind === 'reduce' && e.over !== 'time' && e.over.axis.size === size) found = true; });
  return found;
}
