/**
 * A stage to its kernel on a machine with threads. A thread computes one point of the domain: in a flat stage of one row, in a stage in
 * the order of time of every step of its sequence, its states in memory of its own. Where a stage reduces along what lies contiguous,
 * a group of threads takes a point together.
 *
 * A chunked recurrence is three kernels: the summary of each chunk from a zero state, by a thread per chunk and point; the states that
 * chunks begin with, by a thread per element; and the second pass from these. A tile shorter than a chunk is the second pass alone, which
 * then takes its states from carry memory and leaves them there.
 */
import type { Cond, Grid, Groups, Int, Kernel, Value } from '../../../ir/kernel.js';
import { isNow, visitExpr } from '../../../ir/builder.js';
import type { Affine, DefinitionId, Expr, ExprOf, Index } from '../../../ir/program.js';
import type { Item, KeptState, Stage } from '../../../ir/stages.js';
import type { ChunkStep } from '../../chunk-step.js';
import type { Signs } from '../../sign.js';
import { Expressions, identity, num, type Task } from '../expressions.js';
import { iadd, icompare, imin, imul, int } from '../ints.js';
import type { Layout, StateStorage } from '../layout.js';
import { CHUNK, TYPICAL_CHUNKS, UNROLL } from '../limits.js';
import { affinePlace, Envs, placeKey, placeOf, type Env } from '../places.js';
import { threadShape } from '../storage.js';
import type { Part } from '../stage/storages.js';
import { Writer } from '../writer.js';
import { Access, BATCH, GROUP, THREAD } from './access.js';
import { cellOfAll, cellsOf, inSlot, laneStride, type Cells } from './cells.js';
import { stateLoops } from './loops.js';
import type { Threads } from './machine.js';
import { denseSplitOf, SharedStates } from './dense.js';
import { bindSet, countSets, PairStores, sideBySide } from './pairs.js';
import { bindPoint, countPoints, divide, domainOrder, pointOf } from './places.js';
import { GROUP_POINTS, placesOf, shareOf, splitOf, type Exchange, type Split } from './split.js';
import { stageShared, throughMemory } from './stage-shared.js';
import { GROUP_THREADS, lanesTogether } from './together.js';
import { tensorContraction, tensorTilingOf } from './tensor.js';
import { tileContraction, tilingOf } from './tiles.js';

interface Accumulating {
  readonly name: string;
  readonly item: Item;
  readonly op: string;
}
interface Kept extends Cells {
  readonly state: KeptState;
  readonly item: Item;
  /** In carry memory; `storage` is the chunk's, where there are chunks. */
  readonly home: StateStorage;
}
/** The product of a chunk's transitions, entry after entry. */
interface Products extends Cells {
  readonly step: ChunkStep;
}
/** Steps that a thread goes through: `from` to `to`, of a sequence of `length`. */
interface Span {
  readonly from: Int;
  readonly to: Int;
  readonly length: Int;
}

export function threadKernel(stage: Stage, entry: string, layout: Layout, machine: Threads, signs: Signs, part: Part = { kind: 'whole' }): Kernel {
  for (const through of ['memory', 'registers'] as const) {
    const kernel = new ThreadKernel(stage, layout, machine, signs, part, through).kernel(entry);
    if (kernel) return kernel;
  }
  return new ThreadKernel(stage, layout, machine, signs, part).kernel(entry) as Kernel;
}
/** Initial states and the identities of reductions over time, written to carry memory before the first step. */
export function beginKernels(stage: Stage, entry: (k: number) => string, layout: Layout, machine: Threads, signs: Signs): Kernel[] {
  const made: Kernel[] = [];
  // An element to a thread: nothing to share out.
  for (const s of stage.states) if (s.initial) made.push(new ThreadKernel(stage, layout, machine, signs, { kind: 'whole' }).beginState(entry(made.length), s, s.initial));
  for (const a of stage.accumulators) {
    const value = a.op === 'max' || a.op === 'min' ? identity(a.op) : 0;
    if (value !== 0) made.push(new ThreadKernel(stage, layout, machine, signs, { kind: 'whole' }).beginAccumulator(entry(made.length), a.def, value));
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
  readonly #split: Split | undefined;
  readonly #through: Exchange | undefined;
  readonly #unroll: number;
  readonly #kept: Kept[] = [];
  /** Where lanes read each other's states. */
  readonly #shared = new Map<Kept, SharedStates>();
  /** A thread computes two neighbours along the last index of its domain, whose results share words. */
  readonly #paired: boolean;
  readonly #stores: PairStores;
  /** Points side by side that a thread takes. */
  readonly #side: 1 | 2 | 4;
  /** Where the second of its two points stands. */
  #second: string | undefined;
  readonly #part: Part;
  readonly #products: Products | undefined;
  /** The chunk's number among all of the batch. */
  #chunk: Int | undefined;
  /** Nothing carries the states on from this chunk. */
  #isCut: Cond | undefined;

  /** `through`: states may be shared out among threads that tell each other through it. */
  constructor(stage: Stage, layout: Layout, machine: Threads, signs: Signs, part: Part, through?: Exchange) {
    this.#stage = stage;
    this.#through = through;
    this.#part = part;
    this.#layout = layout;
    this.#machine = machine;
    this.#items = new Map(stage.items.map((i) => [i.def, i]));
    const { lane, together } = threadShape(stage, machine.exchange);
    this.#lane = lane;
    this.#order = domainOrder(stage, lane);
    this.#paired = (part.kind === 'whole' || part.kind === 'apply') && stage.items.some((i) => stage.stored.has(i.def) && !i.inner.includes(i.indices.at(-1) as Index) && layout.isPaired(layout.of(i.def).buffer));
    const summed = part.kind === 'summary' ? part.step.products : [];
    const loops = stateLoops(stage, summed.length);
    const { size, copies, nested } = loops;
    const isDense = nested && part.kind === 'whole' && stage.order !== 'flat' && size > UNROLL;
    this.#split = !through || part.kind === 'carry' || this.#paired ? undefined
      : isDense ? denseSplitOf(stage, this.#order, loops, machine)
      : splitOf(stage, machine, through, part.kind === 'whole' ? 1 : TYPICAL_CHUNKS, summed);
    const { lanes = 1, dense } = this.#split ?? {};
    // A point's threads can do without a barrier where they hand each other registers.
    this.#lanes = together ? lanesTogether(stage, machine) : lanes;
    this.#side = this.#paired ? 2 : this.#lanes === 1 && stage.order === 'flat' ? sideBySide(stage, this.#order, lane, layout, machine) : 1;
    this.#unroll = dense || (!nested && (size / lanes) * copies <= machine.unroll) ? size : UNROLL;
    const written = new Set<string>();
    for (const id of stage.stored) written.add(layout.of(id).buffer);
    for (const s of stage.states) {
      const kept = this.#keep(s);
      this.#kept.push(kept);
      written.add(kept.own ?? kept.storage.buffer);
      if (this.#paired && kept.own !== undefined) written.add(second(kept.own));
    }
    this.#products = (part.kind === 'summary' || part.kind === 'carry') && part.step.products.length > 0 ? this.#productCells(part.step) : undefined;
    if (this.#products && part.kind === 'summary') written.add(this.#products.own ?? this.#products.storage.buffer);
    for (const a of stage.accumulators) written.add(layout.of(a.def).buffer);
    this.#w = new Writer(written, ['$R', '$B', '$T', '$l', '$g', '$b']);
    this.#access = new Access(stage.items.map((i) => i.body), layout, this.#w, this.#lanes, lane, (def) => this.#items.has(def));
    this.#stores = new PairStores(this.#access);
    this.#x = new Expressions({
      writer: this.#w, envs: this.#envs, lanes: this.#lanes, laneLoops: together, run: machine.wide ? 4 : 1, unroll: this.#unroll,
      ...(this.#split ? { split: { size: this.#split.size, places: placesOf(this.#split) } } : {}),
      item: (e) => (isNow(e.time) && !stage.accumulators.some((a) => a.def === e.def) ? this.#items.get(e.def) : undefined),
      load: (e, env) => this.#read(e, env),
      decays: (arg) => stage.anchor === 'scan' && signs.of(arg).nonPositive, increments: part.kind === 'summary',
    }, [...stage.items, ...summed]);
  }

  /** Undefined where the states can't be shared out so. */
  kernel(name: string): Kernel | undefined {
    const stage = this.#stage;
    const part = this.#part;
    if (part.kind === 'carry') return this.#carry(name, part.step);
    if (part.kind !== 'whole') return this.#chunks(name);
    if (stage.order !== 'flat') return this.#sequences(name);
    const inTime = stage.items.some((i) => this.#layout.program.definitions[i.def]?.time) && stage.phase === 'step';
    const isProduct = inTime && !this.#needsSequence() && this.#lanes === 1;
    const tensor = isProduct && !this.#paired ? tensorTilingOf(stage, this.#lane, this.#order, this.#items, this.#layout, this.#machine) : undefined;
    if (tensor) {
      const grid = tensorContraction(tensor, { stage, writer: this.#w, envs: this.#envs, access: this.#access, expressions: this.#x, rows: this.#access.scalar('R') });
      return this.#access.finish(name, this.#w.body, grid);
    }
    const tiling = isProduct ? tilingOf(stage, this.#lane, this.#order, this.#items, this.#layout, this.#machine, this.#paired ? 2 : 1) : undefined;
    if (tiling) {
      const grid = tileContraction(tiling, { stage, writer: this.#w, envs: this.#envs, access: this.#access, stores: this.#paired ? this.#stores : undefined, expressions: this.#x, rows: this.#access.scalar('R') });
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
    const points = this.#count();
    const number = this.#number();
    const { quotient, rest } = divide(number, points);
    const row = this.#w.int('row', quotient);
    this.#w.branch(icompare('lt', this.#first(row, points), rows), () => this.#compute(this.#points(this.#envs.root(this.#within('row', row, rows)), rest)), () => undefined);
    return this.#access.finish(name, this.#w.body, { ...this.#threads, groups: this.#groups(of, points), batches: 1 });
  }
  /** Rows known by sequence and step. */
  #steps(name: string): Kernel {
    const points = this.#count();
    const { quotient, rest } = divide(this.#number(), points);
    const own = this.#w.int('t', quotient);
    const length = this.#access.length();
    this.#w.branch(icompare('lt', this.#first(own, points), length), () => {
      const t = this.#within('t', own, length);
      this.#access.step = { t, length };
      const row = this.#w.int('row', iadd(imul(BATCH, this.#access.scalar('T')), t));
      this.#compute(this.#points(this.#envs.root(row), rest));
    }, () => undefined);
    return this.#access.finish(name, this.#w.body, { ...this.#threads, groups: this.#groups('T', points), batches: 'B' });
  }
  get #threads(): Pick<Grid, 'threads' | 'lanes' | 'neighbours'> {
    return { threads: GROUP_THREADS, lanes: this.#lanes, ...(this.#sharesBarriers ? { neighbours: true } : {}) };
  }
  /** A group has several points, whose threads meet at its barriers: each comes there, though it may have no point. */
  get #sharesBarriers(): boolean {
    return this.#machine.exchange === 1 && this.#lanes > 1 && this.#lanes < GROUP_THREADS;
  }
  /** Of a thread's row, or where barriers are shared of the group's first: what decides whether there is anything to do. */
  #first(row: Int, points: number): Int {
    return this.#sharesBarriers ? divide(imul(GROUP, GROUP_THREADS / this.#lanes), points).quotient : row;
  }
  /** Where barriers are shared a thread past the last of so many rows does what the last one's does, but for writing. */
  #within(name: string, row: Int, count: Int): Int {
    if (!this.#sharesBarriers) return row;
    this.#access.mine = icompare('lt', row, count);
    return this.#w.int(name, imin(row, iadd(count, int(-1))));
  }
  /** This thread's number among all that have points of their own; of threads that share one, theirs. */
  #number(): Int {
    if (this.#lanes === GROUP_THREADS) return GROUP;
    const own = this.#lanes === 1 ? THREAD : { kind: 'idiv' as const, left: THREAD, by: this.#lanes };
    return this.#w.int('id', iadd(imul(GROUP, GROUP_THREADS / this.#lanes), own));
  }
  #groups(of: Groups['of'], points: number): Groups {
    return { times: 1, of, each: points, per: GROUP_THREADS / this.#lanes };
  }
  #compute(points: readonly Env[]): void {
    this.#x.run(this.#stage.items.filter((i) => this.#stage.stored.has(i.def)).flatMap((item) => points.map((env, copy): Task => ({
      inner: item.inner, body: item.body, env, sink: (v, at) => this.#stores.store(item, v, at, copy, (f) => f()),
    }))));
  }
  /** Threads that a row takes, or what is one of it. */
  #count(): number {
    return countSets(this.#order, this.#side);
  }
  /** The points of the thread of this number. */
  #points(env: Env, number: Int): readonly Env[] {
    if (this.#side === 1) return [bindPoint(this.#w, this.#envs, env, this.#order, number)];
    const set = bindSet(this.#w, this.#envs, env, this.#order, number, this.#side);
    if (this.#paired) this.#second = placeKey(placeOf(set[1] as Env, this.#order.at(-1) as Index));
    return set;
  }
  /** A thread's memory for the point of an environment. */
  #ownOf(own: string, env: Env): string {
    return this.#second !== undefined && placeKey(placeOf(env, this.#order.at(-1) as Index)) === this.#second ? second(own) : own;
  }

  // --- stages in the order of time ----------------------------------------------------------------------------------------

  #sequences(name: string): Kernel | undefined {
    if (this.#split?.dense && this.#through === 'memory') return undefined;
    const points = this.#count();
    const { threads, per, share } = this.#group(points);
    const id = this.#w.int('id', iadd(imul(GROUP, per), share?.point ?? THREAD));
    const length = this.#access.length();
    this.#eachPoint(id, per, { from: int(0), to: length, length });
    const grid: Grid = { threads, lanes: this.#lanes, groups: { times: 1, of: 1, each: points, per }, batches: 'B' };
    return this.#staged(this.#access.finish(name, this.#w.body, grid), share?.lane);
  }
  /** Threads of a group, and points, and what of them a thread takes. */
  #group(points: number): { threads: number; per: number; share: ReturnType<typeof shareOf> | undefined } {
    const threads = this.#split?.dense ? this.#machine.exchange : this.#split ? Math.min(this.#machine.perGroup, Math.max(GROUP_THREADS, GROUP_POINTS * this.#lanes)) : Math.min(GROUP_THREADS, Math.max(1, points));
    // Neighbouring threads have neighbouring points: the lanes of one lie as far apart as those that tell each other may.
    const reach = this.#through === 'memory' ? threads : this.#machine.exchange;
    return { threads, per: threads / this.#lanes, share: this.#split && shareOf(threads, reach, this.#lanes) };
  }
  /** With what a group reads alike in its memory, and what its lanes tell each other there. */
  #staged(kernel: Kernel, lane: Int | undefined): Kernel | undefined {
    return lane && this.#through === 'memory' ? throughMemory(kernel, this.#machine, lane) : stageShared(kernel, this.#machine);
  }
  /** Groups for each chunk and tile of points; chunks stand at fixed steps of the tile. */
  #chunks(name: string): Kernel | undefined {
    const w = this.#w;
    const points = this.#count();
    const { threads, per, share } = this.#group(points);
    const tiles = Math.ceil(points / per);
    const { quotient, rest: tile } = divide(GROUP, tiles);
    const c = w.int('c', quotient);
    const from = w.int('start', imul(c, CHUNK));
    const length = this.#access.length();
    this.#chunk = w.int('chunk', iadd(imul(BATCH, this.#chunksOf(this.#access.scalar('T'))), c));
    const to = w.int('end', imin(length, iadd(from, int(CHUNK))));
    const short = this.#isShort();
    this.#isCut = this.#part.kind === 'apply' && this.#part.step.powers.length > 0
      ? { kind: 'ior', left: short, right: { kind: 'iand', left: icompare('lt', from, length), right: icompare('lt', length, iadd(from, int(CHUNK))) } }
      : short;
    this.#eachPoint(w.int('id', iadd(imul(tile, per), share?.point ?? THREAD)), per, { from, to, length });
    const grid: Grid = { threads, lanes: this.#lanes, groups: { times: tiles, of: 'T', each: 1, per: CHUNK, ...(this.#part.kind === 'summary' ? { from: CHUNK } : {}) }, batches: 'B' };
    return this.#staged(this.#access.finish(name, w.body, grid), share?.lane);
  }
  #chunksOf(steps: Int): Int {
    return this.#w.int('chunks', { kind: 'idiv', left: iadd(steps, int(CHUNK - 1)), by: CHUNK });
  }
  /** `per`: points of a group. */
  #eachPoint(id: Int, per: number, span: Span): void {
    const points = this.#count();
    const inside = icompare('lt', id, int(points));
    const always = (f: () => void): void => f();
    if (points % per === 0) this.#sequence(id, span, always);
    else if ([...this.#kept, ...(this.#products ? [this.#products] : [])].some((k) => k.own === undefined)) this.#w.branch(inside, () => this.#sequence(id, span, always), () => undefined);
    // A thread past the last point does what the last one does, but for writing: barriers are for all.
    else this.#sequence(this.#w.int('point', imin(id, int(points - 1))), span, (f) => this.#w.branch(inside, f, () => undefined));
  }
  /** The steps of one point; `mine` writes what threads without a point of their own must not. */
  #sequence(point: Int, { from, to, length }: Span, mine: (f: () => void) => void): void {
    const points = this.#points(this.#envs.root(BATCH), point);
    for (const env of points) this.#copyIn(env);
    const backward = this.#stage.order === 'backward';
    this.#shareFirst(backward ? iadd(to, int(-1)) : from);
    const accumulators = points.map((env) => this.#openAccumulators(env));
    const step = (t: Int): void => {
      this.#access.step = { t, length };
      const row = this.#w.int('row', iadd(imul(BATCH, this.#access.scalar('T')), t));
      this.#step(points.map((env) => this.#envs.atRow(env, row)), accumulators, mine);
      this.#access.step = undefined;
    };
    if (backward) this.#w.loop('t', iadd(to, int(-1)), iadd(from, int(-1)), -1, {}, step);
    else this.#w.loop('t', from, to, 1, {}, step);
    mine(() => points.forEach((env, k) => {
      this.#copyOut(env);
      for (const a of accumulators[k] as readonly Accumulating[]) this.#access.store(a.item, { kind: 'reg', name: a.name }, env);
    }));
  }
  #step(points: readonly Env[], accumulators: readonly (readonly Accumulating[])[], mine: (f: () => void) => void): void {
    const states = new Map(this.#kept.map((k) => [k.state.def, k]));
    const stores = (item: Item): boolean => this.#part.kind !== 'summary' && this.#stage.stored.has(item.def);
    const tasks: Task[] = this.#stage.items.filter((i) => stores(i) || states.has(i.def)).flatMap((item) => points.map((env, copy): Task => {
      const kept = states.get(item.def);
      return {
        inner: item.inner, body: item.body, env, last: kept !== undefined,
        sink: (v, at) => {
          const value = this.#w.let(v);
          if (stores(item)) this.#stores.store(item, value, at, copy, mine);
          if (kept) this.#storeState(kept, value, at);
        },
      };
    }));
    if (this.#part.kind === 'summary') for (const env of points) tasks.push(...this.#nextProducts(env));
    points.forEach((env, k) => { for (const a of accumulators[k] as readonly Accumulating[]) tasks.push({ inner: [], body: a.item.body, env, sink: (v) => {
      const old: Value = { kind: 'reg', name: a.name };
      this.#w.set(a.name, a.op === 'last' ? v : { kind: 'binary', op: a.op === 'sum' ? 'add' : (a.op as 'max' | 'min'), left: old, right: v });
    } }); });
    this.#x.run(tasks);
    for (const env of points) for (const k of this.#kept) if (!k.state.inPlace) this.#advance(k, env);
    if (this.#split?.dense) this.#w.barrier();
  }
  /** Before the first step: what it reads of the states that other lanes keep. */
  #shareFirst(t: Int): void {
    const split = this.#split;
    if (!split?.dense) return;
    for (const k of this.#kept) {
      const shared = new SharedStates(this.#w, this.#access, `${k.own}#shared`, { cells: k.all.cells, strides: k.all.strides, shared: k.shared ?? 0 }, split, this.#machine);
      this.#shared.set(k, shared);
      const { cells } = k.storage;
      shared.begin(t, Array.from({ length: cells }, (_, c) => [cellOfAll(split, k, c), this.#w.let({ kind: 'load', buffer: k.own as string, at: int(c + cells), access: 'uniform' })]));
    }
    this.#w.barrier();
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
    const home = this.#layout.state(this.#stage, state.def, cells, countPoints(this.#order), state.depth, state.inPlace);
    const storage = this.#part.kind === 'summary' ? this.#layout.chunkState(home, 'sum') : this.#part.kind === 'apply' ? this.#layout.chunkState(home, 'start') : home;
    const name = `${this.#layout.program.definitions[state.def]?.name ?? 'state'}#own`;
    return { state, item, home, ...cellsOf(sizes, storage, name, this.#unroll, this.#split) };
  }
  #productCells(step: ChunkStep): Products {
    const sizes = step.elementwise.map((i) => i.axis.size);
    const cells = sizes.reduce((n, s) => n * s, 1);
    const slots = step.products.length;
    const storage = this.#layout.chunkMemory(`${this.#stage.name}#products`, { cells, slots, row: cells * slots * countPoints(this.#order) });
    return { step, ...cellsOf(sizes, storage, '#products#own', this.#unroll, this.#split) };
  }
  /** Points are innermost: neighbouring threads have neighbouring elements. */
  #elementAt(storage: StateStorage, row: Int, env: Env, cell: Int): Int {
    const points = countPoints(this.#order);
    return iadd(imul(row, storage.row), imul(cell, points), pointOf(this.#order, (i) => placeOf(env, i).int));
  }
  /** In a row of a storage, of one of a thread's cells. */
  #cellAt(k: Cells, storage: StateStorage, row: Int, env: Env, cell: Int): Int {
    return this.#elementAt(storage, row, env, this.#split && cell.kind === 'int' ? int(cellOfAll(this.#split, k, cell.value)) : cell);
  }
  #loadFrom(k: Cells, storage: StateStorage, row: Int, env: Env, cell: Int): Value {
    const split = this.#split;
    const access: Extract<Value, { kind: 'load' }>['access'] = split ? { stride: int(laneStride(split, k) * countPoints(this.#order)), last: int(split.lanes - 1) } : 'uniform';
    return this.#w.let({ kind: 'load', buffer: this.#access.touch(storage.buffer, 'read'), at: this.#cellAt(k, storage, row, env, cell), access });
  }
  #storeTo(k: Cells, storage: StateStorage, row: Int, env: Env, cell: Int): void {
    const split = this.#split;
    const value = this.#w.let(this.#loadCell(k, env, cell));
    this.#w.store(this.#access.touch(storage.buffer, 'write'), this.#cellAt(k, storage, row, env, cell), value, split ? { stride: laneStride(split, k) * countPoints(this.#order), count: int(split.lanes) } : 'one');
  }
  #each(k: Cells, body: (cell: Int) => void): void {
    const count = k.storage.cells * k.storage.slots;
    if (k.unrolled) for (let c = 0; c < count; c++) body(int(c));
    else this.#w.loop('c', int(0), int(count), 1, {}, body);
  }
  #loadAt(buffer: string, at: Int): Value {
    return this.#w.let({ kind: 'load', buffer: this.#access.touch(buffer, 'read'), at, access: 'uniform' });
  }
  #storeAt(buffer: string, at: Int, value: Value): void {
    this.#w.store(this.#access.touch(buffer, 'write'), at, value, 'one');
  }
  /** What the steps begin with: of a whole recurrence the carried states, of a chunk's summary 0, of its second pass the states that it begins with. */
  #copyIn(env: Env): void {
    const all: readonly Cells[] = this.#part.kind === 'summary' && this.#products ? [...this.#kept, this.#products] : this.#kept;
    for (const k of all) if (k.own !== undefined) this.#access.memory(this.#ownOf(k.own, env), k.storage.cells * k.storage.slots, 'thread');
    if (this.#part.kind === 'summary') for (const k of all) this.#each(k, (cell) => this.#storeCell(k, env, cell, num(0)));
    else if (this.#part.kind === 'whole') this.#fromHome(env);
    else this.#w.branch(this.#isShort(), () => this.#fromHome(env), () => {
      for (const k of this.#kept) if (k.own !== undefined) this.#each(k, (cell) => this.#storeCell(k, env, cell, this.#loadFrom(k, k.storage, this.#chunk ?? BATCH, env, cell)));
    });
  }
  #copyOut(env: Env): void {
    if (this.#part.kind === 'whole') { this.#toHome(env); return; }
    // A product known at load is of a whole chunk: where the last is cut short this pass says what it ends with.
    if (this.#part.kind === 'apply') { this.#w.branch(this.#isCut as Cond, () => this.#toHome(env), () => undefined); return; }
    for (const k of [...this.#kept, ...(this.#products ? [this.#products] : [])]) {
      if (k.own !== undefined) this.#each(k, (cell) => this.#storeTo(k, k.storage, this.#chunk ?? BATCH, env, cell));
    }
  }
  #fromHome(env: Env): void {
    for (const k of this.#kept) if (this.#isAway(k)) this.#each(k, (cell) => this.#storeCell(k, env, cell, this.#loadFrom(k, k.home, BATCH, env, cell)));
  }
  #toHome(env: Env): void {
    for (const k of this.#kept) if (this.#isAway(k)) this.#each(k, (cell) => this.#storeTo(k, k.home, BATCH, env, cell));
  }
  #isAway(k: Kept): boolean {
    return k.own !== undefined || k.storage.buffer !== k.home.buffer;
  }
  /** A tile of less than a chunk has nothing to carry: its second pass is all there is to do. */
  #isShort(): Cond {
    return icompare('lt', this.#access.scalar('T'), int(CHUNK));
  }
  #cell(k: Kept, inner: readonly Int[], slot: Int): Int {
    return inSlot(this.#split, k, inner, iadd(slot, int(k.state.inPlace ? -1 : 0)));
  }
  #loadCell(k: Cells, env: Env, cell: Int): Value {
    if (k.own !== undefined) return { kind: 'load', buffer: this.#ownOf(k.own, env), at: cell, access: 'uniform' };
    return { kind: 'load', buffer: this.#access.touch(k.storage.buffer, 'read'), at: this.#elementAt(k.storage, this.#chunk ?? BATCH, env, cell), access: 'uniform' };
  }
  #storeCell(k: Cells, env: Env, cell: Int, value: Value): void {
    if (k.own !== undefined) this.#w.store(this.#ownOf(k.own, env), cell, value, 'one');
    else this.#storeAt(k.storage.buffer, this.#elementAt(k.storage, this.#chunk ?? BATCH, env, cell), value);
  }
  #storeState(k: Kept, value: Value, env: Env): void {
    const inner = k.item.inner.map((i) => placeOf(env, i).int);
    if (this.#access.step) this.#shared.get(k)?.after(this.#access.step.t, inner, value);
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
      if (k.unrolled) for (let c = 0; c < cells; c++) move(slot, int(c));
      else this.#w.loop('c', int(0), int(cells), 1, {}, (c) => move(slot, c));
    }
  }

  #read(e: ExprOf<'read'>, env: Env): Value {
    const kept = this.#kept.find((k) => k.state.def === e.def);
    const entry = this.#products?.step.products.findIndex((q) => q.def === e.def) ?? -1;
    if (this.#products && entry >= 0) {
      const inner = e.at.slice(e.at.length - this.#products.strides.length).map((a) => affinePlace(env, a).int);
      return this.#loadCell(this.#products, env, inSlot(this.#split, this.#products, inner, int(entry)));
    }
    if (!kept || isNow(e.time)) return this.#access.read(e, env);
    const places = kept.item.inner.map((i) => affinePlace(env, e.at[kept.item.indices.indexOf(i)] as Affine));
    const inner = places.map((p) => p.int);
    const shared = places[kept.shared ?? 0]?.lane === 0 ? this.#shared.get(kept) : undefined;
    if (shared && this.#access.step) return shared.before(this.#access.step.t, inner);
    const time = affinePlace(env, e.time as Affine).int;
    return this.#loadCell(kept, env, this.#cell(kept, inner, this.#stage.order === 'backward' ? time : imul(time, -1)));
  }

  // --- from chunk to chunk ------------------------------------------------------------------------------------------------

  /** The next product of the chunk's transitions: all entries are known before the first is stored. */
  #nextProducts(env: Env): Task[] {
    const p = this.#products;
    if (!p) return [];
    return p.step.products.map((q, entry): Task => ({
      inner: p.step.elementwise, body: q.body, env, last: true,
      sink: (v, at) => this.#storeCell(p, env, inSlot(this.#split, p, p.step.elementwise.map((i) => placeOf(at, i).int), int(entry)), v),
    }));
  }
  /** The states that each chunk begins with, an element to a thread: v ← v + (Q·v + F) from one chunk to the next. */
  #carry(name: string, step: ChunkStep): Kernel {
    const w = this.#w;
    const products = this.#products;
    const indices = [...step.elementwise, ...this.#order];
    const count = countPoints(indices);
    const length = this.#access.length();
    const perSequence = this.#chunksOf(this.#access.scalar('T'));
    const last = w.int('last', iadd(this.#chunksOf(length), int(-1)));
    const id = w.int('id', iadd(imul(GROUP, GROUP_THREADS), THREAD));
    w.branch(icompare('lt', id, int(count)), () => {
      const env = bindPoint(w, this.#envs, this.#envs.root(BATCH), indices, id);
      const of = step.components.map((c) => {
        const kept = this.#kept.find((k) => k.state.def === c.state.def) as Kept;
        const cell = this.#cell(kept, c.inner.map((i) => (typeof i === 'number' ? int(i) : placeOf(env, i).int)), int(c.lag));
        return { kept, cell, sum: this.#layout.chunkState(kept.home, 'sum'), start: this.#layout.chunkState(kept.home, 'start') };
      });
      const carried = of.map(({ kept, cell }) => w.variable('h', this.#loadAt(kept.home.buffer, this.#cellAt(kept, kept.home, BATCH, env, cell))));
      const state = (i: number): Value => ({ kind: 'reg', name: carried[i] as string });
      const elements = step.elementwise.map((i) => placeOf(env, i).int);
      w.loop('k', int(0), iadd(last, int(1)), 1, {}, (k) => {
        const c = this.#stage.order === 'backward' ? iadd(last, imul(k, -1)) : k;
        const chunk = w.int('chunk', iadd(imul(BATCH, perSequence), c));
        const next = of.map(({ cell, sum, start }, i): Value => {
          this.#storeAt(start.buffer, this.#elementAt(start, chunk, env, cell), state(i));
          let change = this.#loadAt(sum.buffer, this.#elementAt(sum, chunk, env, cell));
          step.products.forEach((q, entry) => {
            if (q.row !== i || !products) return;
            const factor = this.#loadAt(products.storage.buffer, this.#elementAt(products.storage, chunk, env, inSlot(this.#split, products, elements, int(entry))));
            change = w.let({ kind: 'muladd', left: factor, right: state(q.column), plus: change });
          });
          for (const part of ['low', 'high'] as const) for (const p of step.powers) {
            if (p.row === i) change = w.let({ kind: 'muladd', left: w.let(this.#access.read(p[part] as ExprOf<'read'>, env)), right: state(p.column), plus: change });
          }
          return w.let({ kind: 'binary', op: 'add', left: state(i), right: change });
        });
        carried.forEach((register, i) => w.set(register, next[i] as Value));
      });
      of.forEach(({ kept, cell }, i) => this.#storeAt(kept.home.buffer, this.#cellAt(kept, kept.home, BATCH, env, cell), state(i)));
    }, () => undefined);
    return this.#access.finish(name, w.body, { threads: GROUP_THREADS, lanes: 1, groups: { times: 1, of: 1, each: count, per: GROUP_THREADS, from: CHUNK }, batches: 'B' });
  }

  // --- before the first step ----------------------------------------------------------------------------------------------

  beginState(name: string, s: KeptState, initial: Expr): Kernel {
    const kept = this.#kept.find((k) => k.state === s) as Kept;
    return this.#eachElement(name, [...kept.item.inner, ...this.#order], (env) => this.#x.run([{ inner: [], body: initial, env, sink: (v) => {
      const value = this.#w.let(v);
      const inner = kept.item.inner.map((i) => placeOf(env, i).int);
      for (let slot = 1; slot <= s.depth; slot++) this.#w.store(this.#access.touch(kept.storage.buffer, 'write'), this.#cellAt(kept, kept.home, BATCH, env, this.#cell(kept, inner, int(slot))), value, 'one');
    } }]));
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

/** The memory of a thread's second point. */
const second = (own: string): string => `${own}#2`;
