/**
 * A stage to its kernel. Rows are independent in a flat stage; in a stage in the order of time each sequence runs from its first step
 * to its last, its states in carry memory, which a tile of channels keeps in the nearest cache.
 */
import type { Int, Kernel, Value } from '../../ir/kernel.js';
import type { Affine, DefinitionId, Expr, ExprOf, Index } from '../../ir/program.js';
import type { Item, KeptState, Stage } from '../../ir/stages.js';
import { visitExpr } from '../../ir/builder.js';
import type { ChunkStep, Component, ProductEntry } from '../chunk-step.js';
import type { Signs } from '../sign.js';
import { element, lastMember, loadConstant, loadScratch, loadValue, type AccessShape } from './access.js';
import { Expressions, identity, num, type Task } from './expressions.js';
import { iadd, iand, icompare, imax, imin, imul, int, ivar } from './ints.js';
import { rowMajor, type Layout, type StateStorage } from './layout.js';
import { CHUNK, LENGTHS, UNROLL } from './limits.js';
import { affinePlace, Envs, placeOf, type Env } from './places.js';
import { shapeOf, type Machine, type Shape } from './shape.js';
import { Writer } from './writer.js';

/** Steps between two looks for states that have decayed to nothing: subnormal numbers are slow on most CPUs. */
const FLUSH = 16;
/** Below this a state is set to 0: 2^-100, far below any rounding error of what it is added to. */
const NOTHING = 2 ** -100;

const isNow = (time: Affine | undefined): boolean => !time || (time.constant === 0 && time.terms.length === 0);

/**
 * The whole recurrence; or, of a chunked one, the summary of each chunk from a zero state, the states that chunks begin with, and the
 * second pass from these.
 */
export type Part = { readonly kind: 'whole' } | { readonly kind: 'summary' | 'carry' | 'apply'; readonly step: ChunkStep };

export function stageKernel(stage: Stage, entry: string, layout: Layout, machine: Machine, signs: Signs, part: Part = { kind: 'whole' }): Kernel {
  return new StageKernel(stage, layout, machine, signs, part).kernel(entry);
}
/** Writes what stands before the first step into carry memory: initial states, and the identities of reductions over time. */
export function beginKernel(stage: Stage, entry: string, layout: Layout, machine: Machine, signs: Signs): Kernel | undefined {
  const kernel = new StageKernel(stage, layout, machine, signs, { kind: 'whole' }).begin(entry);
  return kernel.body.length > 0 ? kernel : undefined;
}

/** The register of a reduction over time, and of a sum what its last addition rounded away. */
interface OpenAccumulator {
  readonly name: string;
  readonly lost?: string;
  readonly item: Item;
  readonly op: string;
  readonly vector: number;
}

class StageKernel {
  readonly #stage: Stage;
  readonly #layout: Layout;
  readonly #lanes: number;
  readonly #shape: Shape;
  readonly #envs = new Envs();
  readonly #w: Writer;
  readonly #x: Expressions;
  readonly #access: AccessShape;
  readonly #items: ReadonlyMap<DefinitionId, Item>;
  readonly #used = new Map<string, 'read' | 'write' | 'read-write'>();
  readonly #scalars = new Set<string>();
  /** Inside the loop over steps: the step, the sequence's number and length; and whether every shifted read is inside the sequence. */
  #step: { t: Int; b: Int; length: Int; inside: boolean } | undefined;
  readonly #load: boolean;
  readonly #part: Part;
  /** Inside a chunk: its number among all chunks of the batch. */
  #chunk: Int | undefined;

  constructor(stage: Stage, layout: Layout, machine: Machine, signs: Signs, part: Part) {
    this.#stage = stage;
    this.#part = part;
    this.#layout = layout;
    this.#lanes = machine.lanes;
    this.#load = stage.phase === 'load';
    this.#shape = shapeOf(stage, machine);
    this.#items = new Map(stage.items.map((i) => [i.def, i]));
    const tile = this.#lanes * this.#shape.vectors;
    this.#access = { lanes: this.#lanes, tile, domain: stage.domain, laneIndex: this.#shape.lane, unroll: UNROLL };
    const written = new Set<string>();
    for (const id of stage.stored) written.add(layout.of(id).buffer);
    for (const s of stage.states) {
      written.add(this.#state(s).buffer);
      if (part.kind === 'carry') written.add(this.#chunkState(s, 'start').buffer);
    }
    const products = part.kind === 'summary' ? part.step.products : [];
    for (const q of products) written.add(this.#product(q).buffer);
    for (const a of stage.accumulators) {
      written.add(layout.of(a.def).buffer);
      if (a.op === 'sum') written.add(layout.lost(a.def));
    }
    this.#w = new Writer(written, ['$R', '$B', '$T', '$t0']);
    this.#x = new Expressions({
      writer: this.#w, envs: this.#envs, lanes: this.#lanes, laneLoops: this.#shape.laneLoops, unroll: this.#load ? 1 : UNROLL,
      item: (e) => (isNow(e.time) && !(this.#accumulates(e.def)) ? this.#items.get(e.def) : undefined),
      load: (e, env) => this.#loadRead(e, env),
      decays: (arg) => stage.anchor === 'scan' && signs.of(arg).nonPositive,
    }, [...stage.items, ...products]);
  }
  #accumulates(def: DefinitionId): boolean {
    return this.#stage.accumulators.some((a) => a.def === def);
  }
  #scalar(name: 'R' | 'B' | 'T' | 't0'): Int {
    this.#scalars.add(`$${name}`);
    return ivar(`$${name}`);
  }
  #touch(buffer: string, how: 'read' | 'write'): string {
    const before = this.#used.get(buffer);
    this.#used.set(buffer, before && before !== how ? 'read-write' : how);
    return buffer;
  }

  kernel(name: string): Kernel {
    const stage = this.#stage;
    if (this.#load) this.#domain(this.#envs.root(int(0)), (env) => this.#x.run(this.#tasks(env)));
    else if (stage.phase === 'begin' || stage.phase === 'finish' || !this.#inTime()) this.#flat(this.#inTime() ? this.#scalar('R') : this.#scalar('B'));
    else if (stage.order === 'flat' && this.#needsSequence()) this.#perStep();
    else if (stage.order === 'flat') this.#flat(this.#scalar('R'));
    else if (this.#part.kind === 'carry') this.#carry(this.#part.step);
    else this.#sequences();
    return this.#finish(name);
  }
  #finish(name: string): Kernel {
    return {
      name, precision: this.#load ? 'f64' : 'f32', body: this.#w.body,
      parameters: [
        ...[...this.#used].map(([buffer, access]) => ({ kind: 'buffer' as const, name: buffer, access, element: this.#element(buffer) })),
        ...[...this.#scalars].map((s) => ({ kind: 'scalar' as const, name: s })),
      ],
    };
  }
  #element(buffer: string): 'f32' | 'f64' | 'i32' {
    if (buffer === LENGTHS) return 'i32';
    return this.#load && this.#layout.buffers[this.#layout.id(buffer)]?.kind === 'load' ? 'f64' : 'f32';
  }
  #inTime(): boolean {
    return this.#stage.order !== 'flat' || this.#stage.items.some((i) => this.#layout.program.definitions[i.def]?.time);
  }
  /** A row alone isn't enough: it reads other steps, or what belongs to the sequence. */
  #needsSequence(): boolean {
    let found = false;
    for (const item of this.#stage.items) visitExpr(item.body, (e) => {
      if (e.kind !== 'read' || this.#items.has(e.def)) return;
      if (!isNow(e.time)) found = true;
      if (!e.time && this.#layout.phase(e.def) !== 'load') found = true;
    });
    return found;
  }

  // --- loops ------------------------------------------------------------------------------------------------------------

  #flat(rows: Int): void {
    const { rows: tall } = this.#shape;
    if (tall === 1) {
      this.#w.loop('r', int(0), rows, 1, { parallel: true }, (r) => this.#domain(this.#envs.root(r), (env) => this.#x.run(this.#tasks(env))));
      return;
    }
    // Weights of a column tile stay in the nearest cache while rows pass by.
    this.#domain(this.#envs.root(int(0)), (_, bind) => {
      const body = (r: Int, count: number): void => {
        const envs = Array.from({ length: count }, (__, k) => bind(this.#envs.root(iadd(r, int(k)))));
        this.#x.run(envs.flatMap((e) => this.#tasks(e)));
      };
      const whole = this.#w.int('whole', { kind: 'imul', factors: [{ kind: 'idiv', left: rows, by: tall }, int(tall)] });
      this.#w.loop('r', int(0), whole, tall, { parallel: true }, (r) => body(r, tall));
      this.#w.loop('r', whole, rows, 1, { parallel: true }, (r) => body(r, 1));
    });
  }
  /** Steps in any order, but known by sequence and time. */
  #perStep(): void {
    this.#eachSequence((b, length) => {
      this.#w.loop('t', int(0), length, 1, { parallel: true }, (t) => this.#atStep(b, t, length, (env) => this.#domain(env, (inner) => this.#x.run(this.#tasks(inner)))));
    });
  }
  #eachSequence(body: (b: Int, length: Int) => void): void {
    this.#w.loop('b', int(0), this.#scalar('B'), 1, { parallel: true }, (b) => {
      this.#touch(LENGTHS, 'read');
      body(b, this.#w.int('len', { kind: 'iload', buffer: LENGTHS, at: b }));
    });
  }
  /** Near the ends of a sequence shifted reads fall outside it: there they are guarded, elsewhere they are plain. */
  #atStep(b: Int, t: Int, length: Int, body: (env: Env) => void): void {
    const reach = this.#reach();
    const row = this.#w.int('row', iadd(imul(b, this.#scalar('T')), t));
    const run = (inside: boolean): void => {
      this.#step = { t, b, length, inside };
      body(this.#envs.root(row));
      this.#step = undefined;
    };
    if (reach.past === 0 && reach.future === 0) { run(true); return; }
    const early = icompare('le', int(reach.past), t);
    const late = icompare('lt', t, iadd(length, int(-reach.future)));
    this.#w.branch(iand(early, late), () => run(true), () => run(false));
  }
  #reach(): { past: number; future: number } {
    let past = 0;
    let future = 0;
    for (const item of this.#stage.items) visitExpr(item.body, (e) => {
      if (e.kind !== 'read' || !e.time || this.#items.has(e.def)) return;
      let low = e.time.constant;
      let high = e.time.constant;
      for (const { index, coefficient } of e.time.terms) {
        low += Math.min(0, coefficient * (index.axis.size - 1));
        high += Math.max(0, coefficient * (index.axis.size - 1));
      }
      past = Math.max(past, -low);
      future = Math.max(future, high);
    });
    return { past, future };
  }

  #sequences(): void {
    this.#eachSequence((b, length) => {
      this.#domain(this.#envs.root(b), (_, bind) => {
        const env = bind(this.#envs.root(b));
        const accumulators = this.#openAccumulators(env);
        const step = (t: Int): void => this.#atStep(b, t, length, (at) => this.#stepBody(bind(at), accumulators));
        if (this.#part.kind !== 'whole') this.#chunks(b, length, env, step);
        else if (this.#stage.states.length > 0) this.#blocks(b, length, env, step);
        else if (this.#stage.order === 'backward') this.#w.loop('t', iadd(length, int(-1)), int(-1), -1, {}, step);
        else this.#w.loop('t', int(0), length, 1, {}, step);
        this.#closeAccumulators(env, accumulators);
      });
    });
  }
  /** Blocks of steps at fixed times, so that the answer doesn't depend on how a sequence is cut; after each, what decayed to nothing is cleared. */
  #blocks(b: Int, length: Int, env: Env, step: (t: Int) => void): void {
    const w = this.#w;
    const backward = this.#stage.order === 'backward';
    const shift = backward ? int(0) : w.int('shift', { kind: 'imod', left: this.#scalar('t0'), by: FLUSH });
    const count = w.int('blocks', { kind: 'idiv', left: iadd(length, shift, int(FLUSH - 1)), by: FLUSH });
    w.loop('q', int(0), count, 1, {}, (q) => {
      const edge = iadd(imul(q, FLUSH), imul(shift, -1));
      if (backward) {
        const end = w.int('end', iadd(length, imul(q, -FLUSH)));
        const start = w.int('start', imax(int(0), iadd(end, int(-FLUSH))));
        w.loop('t', iadd(end, int(-1)), iadd(start, int(-1)), -1, {}, step);
        this.#flush(b, env);
      } else {
        const end = w.int('end', imin(length, iadd(edge, int(FLUSH))));
        w.loop('t', w.int('start', imax(int(0), edge)), end, 1, {}, step);
        w.branch(icompare('eq', end, iadd(edge, int(FLUSH))), () => this.#flush(b, env), () => undefined);
      }
    });
  }
  /** Chunks stand at fixed steps of the tile; a backward one is gone through from its end. */
  #chunks(b: Int, length: Int, env: Env, step: (t: Int) => void): void {
    const w = this.#w;
    const { perSequence, count } = this.#chunkCount(length);
    w.loop('c', int(0), count, 1, { parallel: true }, (c) => {
      this.#chunk = w.int('chunk', iadd(imul(b, perSequence), c));
      if (this.#part.kind === 'summary') {
        for (const s of this.#stage.states) this.#clear(this.#state(s), env, b);
        for (const q of this.#part.step.products) this.#clear(this.#product(q), env, b);
      }
      const end = w.int('end', imin(length, iadd(imul(c, CHUNK), int(CHUNK))));
      if (this.#stage.order === 'backward') w.loop('t', iadd(end, int(-1)), iadd(imul(c, CHUNK), int(-1)), -1, {}, step);
      else w.loop('t', imul(c, CHUNK), end, 1, {}, step);
      this.#chunk = undefined;
    });
  }
  #chunkCount(length: Int): { perSequence: Int; count: Int } {
    const chunks = (steps: Int): Int => ({ kind: 'idiv', left: iadd(steps, int(CHUNK - 1)), by: CHUNK });
    return { perSequence: this.#w.int('chunks', chunks(this.#scalar('T'))), count: this.#w.int('count', chunks(length)) };
  }
  #clear(storage: StateStorage, env: Env, b: Int): void {
    const buffer = this.#touch(storage.buffer, 'write');
    const base = this.#point(storage, env, b);
    this.#w.loop('s', int(0), int(storage.cells * storage.slots), this.#lanes, { lanes: true }, (k) => this.#w.store(buffer, iadd(base, k), num(0), 'vector'));
  }
  /** The next product of a chunk's transitions, entry by entry: all are known before the first is stored. */
  #products(env: Env): Task[] {
    if (this.#part.kind !== 'summary') return [];
    const { products, elementwise } = this.#part.step;
    return products.map((q): Task => ({
      inner: elementwise, body: q.body, env, last: true,
      sink: (v, at) => {
        const { buffer, place } = this.#productElement(q, at, elementwise.map((i) => { const p = placeOf(at, i); return { int: p.int, lane: p.lane ? 1 : 0 }; }));
        this.#w.store(this.#touch(buffer, 'write'), place.at, v, place.lane === 0 ? 'one' : 'vector');
      },
    }));
  }
  /** The state that each chunk starts with: v ← v + (Q·v + F) from one chunk to the next. */
  #carry(step: ChunkStep): void {
    this.#eachSequence((b, length) => {
      const { perSequence, count } = this.#chunkCount(length);
      this.#domain(this.#envs.root(b), (_, bind) => {
        for (const env of this.#copies(bind(this.#envs.root(b)))) {
          this.#eachElement(step.elementwise, env, (at) => this.#carryElement(step, at, b, perSequence, count));
        }
      });
    });
  }
  #carryElement(step: ChunkStep, env: Env, b: Int, perSequence: Int, count: Int): void {
    const w = this.#w;
    const laned = this.#shape.lane !== undefined;
    const load = (buffer: string, at: Int): Value => w.let({ kind: 'load', buffer: this.#touch(buffer, 'read'), at, access: laned ? 'vector' : 'uniform' });
    const store = (buffer: string, at: Int, v: Value): void => w.store(this.#touch(buffer, 'write'), at, v, laned ? 'vector' : 'one');
    const place = (c: Component, storage: StateStorage): { buffer: string; at: Int } => {
      const inner = c.inner.map((i) => ({ int: typeof i === 'number' ? int(i) : placeOf(env, i).int, lane: 0 }));
      return { buffer: storage.buffer, at: this.#stateElement(c.state, env, inner, int(c.lag), storage).at };
    };
    const home = step.components.map((c) => place(c, this.#state(c.state)));
    const carried = home.map((h) => w.variable('h', load(h.buffer, h.at)));
    w.loop('c', int(0), count, 1, {}, (k) => {
      const c = this.#stage.order === 'backward' ? iadd(count, imul(k, -1), int(-1)) : k;
      this.#chunk = w.int('chunk', iadd(imul(b, perSequence), c));
      const next = step.components.map((component, i): Value => {
        const start = place(component, this.#chunkState(component.state, 'start'));
        const h: Value = { kind: 'reg', name: carried[i] as string };
        store(start.buffer, start.at, h);
        const sum = place(component, this.#chunkState(component.state, 'sum'));
        let change = load(sum.buffer, sum.at);
        for (const q of step.products) {
          if (q.row !== i) continue;
          const { buffer, place: from } = this.#productElement(q, env, step.elementwise.map((x) => ({ int: placeOf(env, x).int, lane: 0 })));
          change = w.let({ kind: 'muladd', left: load(buffer, from.at), right: { kind: 'reg', name: carried[q.column] as string }, plus: change });
        }
        return w.let({ kind: 'binary', op: 'add', left: h, right: change });
      });
      carried.forEach((name, i) => w.set(name, next[i] as Value));
      this.#chunk = undefined;
    });
    home.forEach((h, i) => store(h.buffer, h.at, { kind: 'reg', name: carried[i] as string }));
  }
  #chunkState(s: KeptState, which: 'sum' | 'start'): StateStorage {
    return this.#layout.chunkState(this.#carryState(s), which);
  }
  #product(q: ProductEntry): StateStorage {
    const step = this.#part.kind === 'whole' ? undefined : this.#part.step;
    const { cells } = this.#cellsOf(step?.elementwise ?? [], this.#shape.lane !== undefined);
    return this.#layout.chunkMemory(`${this.#stage.name}#product.${q.row}.${q.column}`, { cells, slots: 1, row: cells * this.#points() });
  }
  #productElement(q: ProductEntry, env: Env, inner: readonly { int: Int; lane: number }[]): { buffer: string; place: { at: Int; lane: number } } {
    const storage = this.#product(q);
    const { strides } = this.#cellsOf(this.#part.kind === 'whole' ? [] : this.#part.step.elementwise, this.#shape.lane !== undefined);
    return { buffer: storage.buffer, place: this.#cell(this.#point(storage, env, this.#step?.b ?? env.row), strides, inner, env, this.#shape.lane !== undefined) };
  }
  #flush(b: Int, env: Env): void {
    for (const s of this.#stage.states) {
      const storage = this.#state(s);
      const buffer = this.#touch(storage.buffer, 'write');
      const base = this.#point(storage, env, b);
      this.#w.loop('s', int(0), int(storage.cells * storage.slots), this.#lanes, { lanes: true }, (k) => {
        this.#touch(buffer, 'read');
        const old = this.#w.let({ kind: 'load', buffer, at: iadd(base, k), access: 'vector' });
        const small: Value = { kind: 'binary', op: 'lt', left: { kind: 'unary', op: 'abs', arg: old }, right: num(NOTHING) };
        this.#w.store(buffer, iadd(base, k), { kind: 'select', cond: small, then: num(0), else: old }, 'vector');
      });
    }
  }

  /** Loops over the domain, the lane tile innermost; `bind` gives the same point under another row. */
  #domain(root: Env, body: (env: Env, bind: (root: Env) => Env) => void): void {
    const outer = this.#stage.domain.filter((i) => i !== this.#shape.lane);
    const binds: ((e: Env) => Env)[] = [];
    const bind = (e: Env): Env => binds.reduce((x, f) => f(x), e);
    const rest = (k: number): void => {
      const index = outer[k];
      if (index) {
        this.#w.loop(`${safe(index.name)}_`, int(0), int(index.axis.size), 1, { parallel: true }, (i) => {
          binds.push((e) => this.#envs.bind(e, index, { int: i, lane: false }));
          rest(k + 1);
          binds.pop();
        });
      } else if (this.#shape.lane) this.#laneTiles(this.#shape.lane, (v) => { binds.push(v); body(bind(root), bind); binds.pop(); });
      else body(bind(root), bind);
    };
    rest(0);
  }
  #vectors = [0];
  #laneTiles(lane: Index, body: (bind: (e: Env) => Env) => void): void {
    const { vectors } = this.#shape;
    const tile = this.#lanes * vectors;
    const { size } = lane.axis;
    const whole = Math.floor(size / tile) * tile;
    const at = (base: Int, count: number): void => {
      this.#vectors = Array.from({ length: count }, (_, k) => k);
      body((e) => this.#envs.bind(e, lane, { int: base, lane: true, tile: { base, vector: 0 } }));
    };
    this.#w.loop(`${safe(lane.name)}_`, int(0), int(whole), tile, { lanes: true, parallel: true }, (base) => at(base, vectors));
    if (whole < size) at(int(whole), Math.ceil((size - whole) / this.#lanes));
  }
  /** One environment per vector of the lane tile. */
  #copies(env: Env): Env[] {
    const { lane } = this.#shape;
    if (!lane) return [env];
    const base = placeOf(env, lane).int;
    return this.#vectors.map((v) => (v === 0 ? env : this.#envs.bind(env, lane, { int: iadd(base, int(v * this.#lanes)), lane: true, tile: { base, vector: v } })));
  }

  // --- before the first step ---------------------------------------------------------------------------------------------

  begin(name: string): Kernel {
    this.#w.loop('b', int(0), this.#scalar('B'), 1, { parallel: true }, (b) => {
      for (const s of this.#stage.states) if (s.initial) this.#beginState(s, s.initial, b);
      for (const a of this.#stage.accumulators) {
        const value = a.op === 'max' || a.op === 'min' ? identity(a.op) : 0;
        if (value !== 0) this.#eachElement((this.#items.get(a.def) as Item).indices, this.#envs.root(b), (env) => this.#storeItem(this.#items.get(a.def) as Item, num(value), env));
      }
    });
    return this.#finish(name);
  }
  #beginState(s: KeptState, initial: Expr, b: Int): void {
    const item = this.#items.get(s.def) as Item;
    this.#eachElement(item.indices, this.#envs.root(b), (env) => this.#x.run([{ inner: [], body: initial, env, sink: (v) => {
      const value = this.#w.let(v);
      let at = env;
      let within: Int = int(0);
      const { lane } = this.#shape;
      if (lane) {
        const tile = this.#lanes * this.#shape.vectors;
        const { int: l } = placeOf(env, lane);
        const base = imul({ kind: 'idiv', left: l, by: tile }, tile);
        within = { kind: 'imod', left: l, by: tile };
        at = this.#envs.bind(env, lane, { int: l, lane: false, tile: { base, vector: 0 } });
      }
      const inner = item.inner.map((i) => ({ int: placeOf(env, i).int, lane: 0 }));
      for (let slot = 1; slot <= s.depth; slot++) {
        const buffer = this.#touch(this.#state(s).buffer, 'write');
        this.#w.store(buffer, iadd(this.#stateElement(s, at, inner, int(slot)).at, within), value, 'one');
      }
    } }]));
  }
  #eachElement(indices: readonly Index[], root: Env, body: (env: Env) => void): void {
    const rest = (k: number, env: Env): void => {
      const index = indices[k];
      if (!index) { body(env); return; }
      this.#w.loop(`${safe(index.name)}_`, int(0), int(index.axis.size), 1, {}, (i) => rest(k + 1, this.#envs.bind(env, index, { int: i, lane: false })));
    };
    rest(0, root);
  }

  // --- tasks and stores -------------------------------------------------------------------------------------------------

  #tasks(env: Env): Task[] {
    return this.#copies(env).flatMap((e) => this.#stage.items.filter((i) => this.#stage.stored.has(i.def)).map((item): Task => ({
      inner: item.inner, body: item.body, env: e, sink: (v, at) => this.#storeItem(item, v, at),
    })));
  }
  #stepBody(env: Env, accumulators: readonly OpenAccumulator[]): void {
    const kept = new Map(this.#stage.states.map((s) => [s.def, s]));
    const copies = this.#copies(env);
    const stores = (item: Item): boolean => this.#part.kind !== 'summary' && this.#stage.stored.has(item.def);
    const tasks: Task[] = copies.flatMap((e) => this.#stage.items.filter((i) => stores(i) || kept.has(i.def)).map((item): Task => {
      const state = kept.get(item.def);
      return {
        inner: item.inner, body: item.body, env: e, last: state !== undefined,
        sink: (v, at) => {
          if (stores(item)) this.#storeItem(item, v, at);
          if (state) this.#storeState(state, item, v, at);
        },
      };
    }));
    tasks.push(...copies.flatMap((e) => this.#products(e)));
    for (const a of accumulators) {
      const copy = copies[a.vector] as Env;
      tasks.push({ inner: [], body: a.item.body, env: copy, sink: (v) => {
        if (a.lost) this.#addTo(a.name, a.lost, v);
        else this.#w.set(a.name, a.op === 'max' || a.op === 'min' ? { kind: 'binary', op: a.op, left: { kind: 'reg', name: a.name }, right: v } : v);
      } });
    }
    this.#x.run(tasks);
    for (const s of this.#stage.states) if (!s.inPlace) this.#advance(s, env);
  }
  /**
   * Kahan's sum: what an addition rounds away is taken into the next. A plain sum of many steps loses more than a model may. What isn't
   * finite has lost nothing.
   */
  #addTo(sum: string, lost: string, v: Value): void {
    const w = this.#w;
    // Named here, not by `let`: what reads a variable must not leave the loop that sets it.
    const binary = (op: 'add' | 'sub', left: Value, right: Value): Value => ({ kind: 'reg', name: w.variable('sum', { kind: 'binary', op, left, right }) });
    const before: Value = { kind: 'reg', name: sum };
    const add = binary('sub', v, { kind: 'reg', name: lost });
    const after = binary('add', before, add);
    const over = binary('sub', binary('sub', after, before), add);
    w.set(lost, { kind: 'select', cond: { kind: 'binary', op: 'lt', left: { kind: 'unary', op: 'abs', arg: over }, right: num(Infinity) }, then: over, else: num(0) });
    w.set(sum, after);
  }
  #openAccumulators(env: Env): OpenAccumulator[] {
    return this.#copies(env).flatMap((e, vector) => this.#stage.accumulators.map((a) => {
      const item = this.#items.get(a.def) as Item;
      const { at, lane, buffer } = this.#target(item, e);
      this.#touch(buffer, 'read');
      const load = (from: string): Value => ({ kind: 'load', buffer: from, at, access: lane === 1 ? 'vector' : 'uniform' });
      const open = { name: this.#w.variable('acc', load(buffer)), item, op: a.op, vector };
      return a.op === 'sum' ? { ...open, lost: this.#w.variable('lost', load(this.#touch(this.#layout.lost(a.def), 'read'))) } : open;
    }));
  }
  #closeAccumulators(env: Env, accumulators: readonly OpenAccumulator[]): void {
    for (const a of accumulators) {
      const copy = this.#copies(env)[a.vector] as Env;
      this.#storeItem(a.item, { kind: 'reg', name: a.name }, copy);
      if (!a.lost) continue;
      const { at, lane } = this.#target(a.item, copy);
      this.#w.store(this.#touch(this.#layout.lost(a.item.def), 'write'), at, { kind: 'reg', name: a.lost }, lane === 1 ? 'vector' : 'one');
    }
  }
  #target(item: Item, env: Env): { buffer: string; at: Int; lane: number } {
    const s = this.#layout.of(item.def);
    let at: Int = s.kind === 'load' ? int(s.offset) : iadd(imul(env.row, s.row), int(s.offset));
    let lane = 0;
    item.indices.forEach((i, p) => {
      const place = placeOf(env, i);
      at = iadd(at, imul(place.int, s.strides[p] as number));
      if (place.lane) lane += s.strides[p] as number;
    });
    return { buffer: s.buffer, at, lane };
  }
  #storeItem(item: Item, value: Value, env: Env): void {
    const { buffer, at, lane } = this.#target(item, env);
    this.#touch(buffer, 'write');
    if (lane === 0) this.#w.store(buffer, at, value, 'one');
    else if (lane === 1) this.#w.store(buffer, at, value, 'vector');
    else this.#scatter(buffer, at, lane, value, item, env);
  }
  #scatter(buffer: string, at: Int, stride: number, value: Value, item: Item, env: Env): void {
    const laned = item.indices.find((i) => placeOf(env, i).lane) as Index;
    const kept = this.#w.let(value);
    for (let l = 0; l < this.#lanes; l++) {
      const cond = icompare('lt', iadd(placeOf(env, laned).int, int(l)), int(laned.axis.size));
      this.#w.branch(cond, () => this.#w.store(buffer, iadd(at, int(l * stride)), { kind: 'lane-of', arg: kept, lane: int(l) }, 'one'), () => undefined);
    }
  }

  // --- states -----------------------------------------------------------------------------------------------------------

  #cells(item: Item): { strides: readonly number[]; cells: number } {
    return this.#cellsOf(item.inner, this.#hasLane(item));
  }
  #hasLane(item: Item): boolean {
    return this.#shape.lane !== undefined && item.indices.includes(this.#shape.lane);
  }
  #cellsOf(inner: readonly Index[], laned: boolean): { strides: readonly number[]; cells: number } {
    const sizes = inner.map((i) => i.axis.size);
    if (laned) {
      const tile = this.#lanes * this.#shape.vectors;
      return { strides: rowMajor(sizes).map((s) => s * tile), cells: sizes.reduce((n, s) => n * s, 1) * tile };
    }
    const order = this.#shape.laneLoops ? sizes.map((s, k) => (k === sizes.length - 1 ? Math.ceil(s / this.#lanes) * this.#lanes : s)) : sizes;
    const cells = order.reduce((n, s) => n * s, 1);
    return { strides: rowMajor(order), cells: Math.ceil(cells / this.#lanes) * this.#lanes };
  }
  /** Points of the domain, lane tiles as one. */
  #points(): number {
    const tile = this.#lanes * this.#shape.vectors;
    return this.#stage.domain.reduce((n, i) => n * (i === this.#shape.lane ? Math.ceil(i.axis.size / tile) : i.axis.size), 1);
  }
  /** Where this part of the recurrence keeps a state: in carry memory, or of its chunk the sum from zero, or the running state. */
  #state(s: KeptState): StateStorage {
    switch (this.#part.kind) {
      case 'whole': case 'carry': return this.#carryState(s);
      case 'summary': return this.#chunkState(s, 'sum');
      case 'apply': return this.#chunkState(s, 'start');
    }
  }
  #carryState(s: KeptState): StateStorage {
    const item = this.#stage.items.find((i) => i.def === s.def) as Item;
    return this.#layout.state(this.#stage, s.def, this.#cells(item).cells, this.#points(), s.depth, s.inPlace);
  }
  /** Where a domain point's slots begin. */
  #point(storage: StateStorage, env: Env, b: Int): Int {
    const block = storage.cells * storage.slots;
    const tile = this.#lanes * this.#shape.vectors;
    let at: Int = imul(this.#chunk ?? b, storage.row);
    let stride = block;
    for (const i of this.#stage.domain.toReversed()) {
      const place = placeOf(env, i);
      if (i === this.#shape.lane) {
        // base is a multiple of the tile: base / tile · block is exact.
        at = iadd(at, block % tile === 0 ? imul(place.tile?.base ?? place.int, (stride / tile)) : int(0));
        stride *= Math.ceil(i.axis.size / tile);
      } else {
        at = iadd(at, imul(place.int, stride));
        stride *= i.axis.size;
      }
    }
    return at;
  }
  #stateElement(s: KeptState, env: Env, inner: readonly { int: Int; lane: number }[], slot: Int, storage = this.#state(s)): { at: Int; lane: number } {
    const item = this.#items.get(s.def) as Item;
    const { strides, cells } = this.#cells(item);
    const first = s.inPlace ? 1 : 0;
    const base = iadd(this.#point(storage, env, this.#step?.b ?? env.row), imul(iadd(slot, int(-first)), cells));
    return this.#cell(base, strides, inner, env, this.#hasLane(item));
  }
  #cell(base: Int, strides: readonly number[], inner: readonly { int: Int; lane: number }[], env: Env, laned: boolean): { at: Int; lane: number } {
    let at = base;
    let lane = 0;
    inner.forEach((p, k) => { at = iadd(at, imul(p.int, strides[k] as number)); lane += p.lane * (strides[k] as number); });
    if (laned) {
      at = iadd(at, int((placeOf(env, this.#shape.lane as Index).tile?.vector ?? 0) * this.#lanes));
      lane += 1;
    }
    return { at, lane };
  }
  #loadState(s: KeptState, e: ExprOf<'read'>, env: Env): Value {
    const item = this.#items.get(s.def) as Item;
    const inner = item.inner.map((i) => affinePlace(env, e.at[item.indices.indexOf(i)] as Affine));
    const time = affinePlace(env, e.time as Affine).int;
    const slot = this.#stage.order === 'backward' ? time : imul(time, -1);
    const { at, lane } = this.#stateElement(s, env, inner, slot);
    return loadValue(this.#touch(this.#state(s).buffer, 'read'), at, lane, () => lastMember(env, this.#lanes, e.at));
  }
  #storeState(s: KeptState, item: Item, value: Value, env: Env): void {
    const inner = item.inner.map((i) => { const p = placeOf(env, i); return { int: p.int, lane: p.lane ? 1 : 0 }; });
    const buffer = this.#touch(this.#state(s).buffer, 'write');
    const put = (slot: number, v: Value): void => {
      const { at, lane } = this.#stateElement(s, env, inner, int(slot));
      this.#w.store(buffer, at, v, lane === 0 ? 'one' : 'vector');
    };
    if (!s.inPlace) { put(0, value); return; }
    const kept = this.#w.let(value);
    const older = Array.from({ length: s.depth - 1 }, (_, k) => {
      const { at, lane } = this.#stateElement(s, env, inner, int(k + 1));
      return this.#w.let({ kind: 'load', buffer: this.#touch(buffer, 'read'), at, access: lane === 0 ? 'uniform' : 'vector' });
    });
    older.forEach((v, k) => put(k + 2, v));
    put(1, kept);
  }
  /** Slots move on by one step: the oldest is forgotten, the next becomes the last. */
  #advance(s: KeptState, env: Env): void {
    const storage = this.#state(s);
    const base = this.#point(storage, env, this.#step?.b ?? env.row);
    const buffer = this.#touch(storage.buffer, 'write');
    for (let slot = s.depth; slot >= 1; slot--) {
      this.#w.loop('s', int(0), int(storage.cells), this.#lanes, { lanes: true }, (k) => {
        this.#touch(buffer, 'read');
        const from = this.#w.let({ kind: 'load', buffer, at: iadd(base, int((slot - 1) * storage.cells), k), access: 'vector' });
        this.#w.store(buffer, iadd(base, int(slot * storage.cells), k), from, 'vector');
      });
    }
  }

  // --- reads ------------------------------------------------------------------------------------------------------------

  #loadRead(e: ExprOf<'read'>, env: Env): Value {
    const state = this.#stage.states.find((s) => s.def === e.def);
    if (state && !isNow(e.time)) return this.#loadState(state, e, env);
    const product = this.#part.kind === 'summary' ? this.#part.step.products.find((q) => q.def === e.def) : undefined;
    if (product && this.#part.kind === 'summary') return this.#loadProduct(product, e, env, this.#part.step.elementwise.length);
    const storage = this.#layout.of(e.def);
    if (storage.kind === 'load') {
      if (!this.#load) return this.#touched(loadConstant(this.#layout, e, env, this.#access));
      return this.#touched(loadScratch(storage, e, env, this.#lanes));
    }
    const row = storage.kind === 'batch' && this.#step ? this.#step.b : env.row;
    const { at, lane } = element(env, storage.strides, e.at, storage.offset);
    const last = (): Int => lastMember(env, this.#lanes, e.at);
    if (isNow(e.time)) return this.#touched(loadValue(storage.buffer, iadd(imul(row, storage.row), at), lane, last));
    return this.#shifted(e, env, at, lane, last);
  }
  #loadProduct(q: ProductEntry, e: ExprOf<'read'>, env: Env, elementwise: number): Value {
    const { buffer, place } = this.#productElement(q, env, e.at.slice(e.at.length - elementwise).map((a) => affinePlace(env, a)));
    return loadValue(this.#touch(buffer, 'read'), place.at, place.lane, () => lastMember(env, this.#lanes, e.at));
  }
  #touched(v: Value): Value {
    if (v.kind === 'load') this.#touch(v.buffer, 'read');
    return v;
  }
  /** Another step: in this tile, before it (the kept past), or outside the sequence (0). */
  #shifted(e: ExprOf<'read'>, env: Env, at: Int, lane: number, last: () => Int): Value {
    const storage = this.#layout.of(e.def);
    const step = this.#step;
    if (!step) throw new Error('a shifted read outside the loop over steps');
    const offset = affinePlace(env, e.time as Affine).int;
    const rows = (shift: Int): Value => this.#touched(loadValue(storage.buffer, iadd(imul(shift, storage.row), at), lane, last));
    if (step.inside) return rows(iadd(env.row, offset));
    const time = this.#w.int('when', iadd(step.t, offset));
    const within = imin(imax(time, int(0)), iadd(step.length, int(-1)));
    const now = this.#w.let(rows(this.#w.int('row', iadd(imul(step.b, this.#scalar('T')), within))));
    const inside: Value = { kind: 'from-cond', cond: iand(icompare('le', int(0), time), icompare('lt', time, step.length)) };
    let before: Value = num(0);
    if (this.#layout.phase(e.def) === 'step' && this.#reach().past > 0) {
      const past = this.#layout.history(e.def);
      if (past.depth > 0) {
        const slot = imin(imax(iadd(time, int(past.depth)), int(0)), int(past.depth - 1));
        const then = this.#touched(loadValue(past.buffer, iadd(imul(iadd(imul(step.b, past.depth), slot), storage.row), at), lane, last));
        before = { kind: 'select', cond: { kind: 'from-cond', cond: icompare('lt', time, int(0)) }, then, else: num(0) };
      }
    }
    return { kind: 'select', cond: inside, then: now, else: this.#w.let(before) };
  }
}

const safe = (name: string): string => name.replace(/[^A-Za-z0-9]/g, '_');
