/**
 * A stage to its kernel. Rows are independent in a flat stage; in a stage in the order of time each sequence runs from its first step
 * to its last, its states in carry memory, which a tile of channels keeps in the nearest cache.
 */
import type { Int, Kernel } from '../../ir/kernel.js';
import type { Item, Stage } from '../../ir/stages.js';
import { isNow, visitExpr } from '../../ir/builder.js';
import type { ChunkStep } from '../chunk-step.js';
import type { Signs } from '../sign.js';
import { Expressions, identity, num, type Task } from './expressions.js';
import { iadd, icompare, imax, imin, imul, int } from './ints.js';
import type { Layout } from './layout.js';
import { CHUNK, UNROLL } from './limits.js';
import type { Env } from './places.js';
import type { Machine } from './shape.js';
import { accumulate, closeAccumulators, openAccumulators, type OpenAccumulator } from './stage/accumulators.js';
import { carryElement } from './stage/carry.js';
import { StageContext } from './stage/context.js';
import { Domain } from './stage/domain.js';
import { Reads } from './stage/reads.js';
import { States } from './stage/states.js';
import type { Part } from './stage/storages.js';

/** Steps between two looks for states that have decayed to nothing: subnormal numbers are slow on most CPUs. */
const FLUSH = 16;

export function stageKernel(stage: Stage, entry: string, layout: Layout, machine: Machine, signs: Signs, part: Part = { kind: 'whole' }): Kernel {
  return new StageKernel(stage, layout, machine, signs, part).kernel(entry);
}
/** Writes what stands before the first step into carry memory: initial states, and the identities of reductions over time. */
export function beginKernel(stage: Stage, entry: string, layout: Layout, machine: Machine, signs: Signs): Kernel | undefined {
  const kernel = new StageKernel(stage, layout, machine, signs, { kind: 'whole' }).begin(entry);
  return kernel.body.length > 0 ? kernel : undefined;
}

class StageKernel {
  readonly #c: StageContext;
  readonly #domain: Domain;
  readonly #states: States;
  readonly #reads: Reads;
  readonly #x: Expressions;

  constructor(stage: Stage, layout: Layout, machine: Machine, signs: Signs, part: Part) {
    const c = new StageContext(stage, layout, machine, part);
    this.#c = c;
    this.#domain = new Domain(c);
    this.#states = new States(c);
    this.#reads = new Reads(c, this.#states);
    const accumulated = new Set(stage.accumulators.map((a) => a.def));
    this.#x = new Expressions({
      writer: c.w, envs: c.envs, lanes: c.lanes, laneLoops: c.shape.laneLoops, unroll: c.load ? 1 : UNROLL,
      item: (e) => (isNow(e.time) && !accumulated.has(e.def) ? c.items.get(e.def) : undefined),
      load: (e, env) => this.#reads.load(e, env),
      decays: (arg) => stage.anchor === 'scan' && signs.of(arg).nonPositive, increments: part.kind === 'summary',
    }, [...stage.items, ...(part.kind === 'summary' ? part.step.products : [])]);
  }

  kernel(name: string): Kernel {
    const c = this.#c;
    const { stage, part } = c;
    if (c.load) this.#domain.each(c.envs.root(int(0)), (env) => this.#x.run(this.#tasks(env)));
    else if (stage.phase === 'begin' || stage.phase === 'finish' || !this.#inTime()) this.#flat(this.#inTime() ? c.scalar('R') : c.scalar('B'));
    else if (stage.order === 'flat' && this.#needsSequence()) this.#perStep();
    else if (stage.order === 'flat') this.#flat(c.scalar('R'));
    else if (part.kind === 'carry') this.#carry(part.step);
    else this.#sequences();
    return c.kernel(name);
  }
  #inTime(): boolean {
    const { stage, layout } = this.#c;
    return stage.order !== 'flat' || stage.items.some((i) => layout.program.definitions[i.def]?.time);
  }
  /** A row alone isn't enough: it reads other steps, or what belongs to the sequence. */
  #needsSequence(): boolean {
    const { stage, items, layout } = this.#c;
    let found = false;
    for (const item of stage.items) visitExpr(item.body, (e) => {
      if (e.kind !== 'read' || items.has(e.def)) return;
      if (!isNow(e.time)) found = true;
      if (!e.time && layout.phase(e.def) !== 'load') found = true;
    });
    return found;
  }
  #tasks(env: Env): Task[] {
    const { stage } = this.#c;
    return this.#domain.copies(env).flatMap((e) => stage.items.filter((i) => stage.stored.has(i.def)).map((item): Task => ({
      inner: item.inner, body: item.body, env: e, sink: (v, at) => this.#c.store(item, v, at),
    })));
  }

  // --- steps in any order -----------------------------------------------------------------------------------------------

  #flat(rows: Int): void {
    const { w, envs, shape: { rows: tall } } = this.#c;
    if (tall === 1) {
      w.loop('r', int(0), rows, 1, { parallel: true }, (r) => this.#domain.each(envs.root(r), (env) => this.#x.run(this.#tasks(env))));
      return;
    }
    // Weights of a column tile stay in the nearest cache while rows pass by.
    this.#domain.each(envs.root(int(0)), (_, bind) => {
      const body = (r: Int, count: number): void => {
        const several = Array.from({ length: count }, (__, k) => bind(envs.root(iadd(r, int(k)))));
        this.#x.run(several.flatMap((e) => this.#tasks(e)));
      };
      const whole = w.int('whole', { kind: 'imul', factors: [{ kind: 'idiv', left: rows, by: tall }, int(tall)] });
      w.loop('r', int(0), whole, tall, { parallel: true }, (r) => body(r, tall));
      w.loop('r', whole, rows, 1, { parallel: true }, (r) => body(r, 1));
    });
  }
  /** Known by sequence and time. */
  #perStep(): void {
    this.#c.sequences((b, length) => {
      this.#c.w.loop('t', int(0), length, 1, { parallel: true }, (t) => this.#atStep(b, t, length, (env) => this.#domain.each(env, (inner) => this.#x.run(this.#tasks(inner)))));
    });
  }
  #atStep(b: Int, t: Int, length: Int, body: (env: Env) => void): void {
    this.#c.atStep(b, t, length, this.#reads.reach, body);
  }

  // --- steps in the order of time ---------------------------------------------------------------------------------------

  #sequences(): void {
    const c = this.#c;
    c.sequences((b, length) => {
      this.#domain.each(c.envs.root(b), (_, bind) => {
        const env = bind(c.envs.root(b));
        const accumulators = openAccumulators(c, this.#domain.copies(env));
        const step = (t: Int): void => this.#atStep(b, t, length, (at) => this.#stepBody(bind(at), accumulators));
        if (c.part.kind !== 'whole') this.#chunks(b, length, env, step);
        else if (c.stage.states.length > 0) this.#blocks(length, env, step);
        else if (c.stage.order === 'backward') c.w.loop('t', iadd(length, int(-1)), int(-1), -1, {}, step);
        else c.w.loop('t', int(0), length, 1, {}, step);
        closeAccumulators(c, accumulators, this.#domain.copies(env));
      });
    });
  }
  /** Blocks of steps at fixed times, so that the answer doesn't depend on how a sequence is cut; after each, what decayed to nothing is cleared. */
  #blocks(length: Int, env: Env, step: (t: Int) => void): void {
    const c = this.#c;
    const { w } = c;
    const backward = c.stage.order === 'backward';
    const shift = backward ? int(0) : w.int('shift', { kind: 'imod', left: c.scalar('t0'), by: FLUSH });
    const count = w.int('blocks', { kind: 'idiv', left: iadd(length, shift, int(FLUSH - 1)), by: FLUSH });
    w.loop('q', int(0), count, 1, {}, (q) => {
      const edge = iadd(imul(q, FLUSH), imul(shift, -1));
      if (backward) {
        const end = w.int('end', iadd(length, imul(q, -FLUSH)));
        const start = w.int('start', imax(int(0), iadd(end, int(-FLUSH))));
        w.loop('t', iadd(end, int(-1)), iadd(start, int(-1)), -1, {}, step);
        this.#states.flush(env);
      } else {
        const end = w.int('end', imin(length, iadd(edge, int(FLUSH))));
        w.loop('t', w.int('start', imax(int(0), edge)), end, 1, {}, step);
        w.branch(icompare('eq', end, iadd(edge, int(FLUSH))), () => this.#states.flush(env), () => undefined);
      }
    });
  }
  /** Chunks stand at fixed steps of the tile; a backward one is gone through from its end. */
  #chunks(b: Int, length: Int, env: Env, step: (t: Int) => void): void {
    const c = this.#c;
    const { w, part, storages } = c;
    const { perSequence, count } = this.#chunkCount(length);
    w.loop('c', int(0), count, 1, { parallel: true }, (k) => {
      c.chunk = w.int('chunk', iadd(imul(b, perSequence), k));
      if (part.kind === 'summary') {
        for (const s of c.stage.states) this.#states.clear(storages.state(s), env);
        for (const q of part.step.products) this.#states.clear(storages.product(q), env);
      }
      const end = w.int('end', imin(length, iadd(imul(k, CHUNK), int(CHUNK))));
      if (c.stage.order === 'backward') w.loop('t', iadd(end, int(-1)), iadd(imul(k, CHUNK), int(-1)), -1, {}, step);
      else w.loop('t', imul(k, CHUNK), end, 1, {}, step);
      // A product known at load is of a whole chunk: where the last is cut short the second pass says what it ends with.
      if (part.kind === 'apply' && part.step.powers.length > 0) w.branch(icompare('lt', length, iadd(imul(k, CHUNK), int(CHUNK))), () => this.#states.keep(env, b), () => undefined);
      c.chunk = undefined;
    });
  }
  #chunkCount(length: Int): { perSequence: Int; count: Int } {
    const { w } = this.#c;
    const chunks = (steps: Int): Int => ({ kind: 'idiv', left: iadd(steps, int(CHUNK - 1)), by: CHUNK });
    return { perSequence: w.int('chunks', chunks(this.#c.scalar('T'))), count: w.int('count', chunks(length)) };
  }
  #carry(step: ChunkStep): void {
    const c = this.#c;
    c.sequences((b, length) => {
      const { perSequence, count } = this.#chunkCount(length);
      this.#domain.each(c.envs.root(b), (_, bind) => {
        for (const env of this.#domain.copies(bind(c.envs.root(b)))) {
          this.#domain.members(step.elementwise, env, (at) => carryElement(c, this.#reads, step, at, b, perSequence, count));
        }
      });
    });
  }
  #stepBody(env: Env, accumulators: readonly OpenAccumulator[]): void {
    const c = this.#c;
    const { stage } = c;
    const kept = new Map(stage.states.map((s) => [s.def, s]));
    const copies = this.#domain.copies(env);
    const stores = (item: Item): boolean => c.part.kind !== 'summary' && stage.stored.has(item.def);
    const tasks: Task[] = copies.flatMap((e) => stage.items.filter((i) => stores(i) || kept.has(i.def)).map((item): Task => {
      const state = kept.get(item.def);
      return {
        inner: item.inner, body: item.body, env: e, last: state !== undefined,
        sink: (v, at) => {
          if (stores(item)) c.store(item, v, at);
          if (state) this.#states.store(state, item, v, at);
        },
      };
    }));
    tasks.push(...copies.flatMap((e) => this.#states.products(e)));
    for (const a of accumulators) tasks.push(accumulate(c, a, copies));
    this.#x.run(tasks);
    for (const s of stage.states) if (!s.inPlace) this.#states.advance(s, env);
  }

  // --- before the first step ---------------------------------------------------------------------------------------------

  begin(name: string): Kernel {
    const c = this.#c;
    c.w.loop('b', int(0), c.scalar('B'), 1, { parallel: true }, (b) => {
      const root = c.envs.root(b);
      for (const s of c.stage.states) {
        const { initial } = s;
        if (initial) this.#domain.members((c.items.get(s.def) as Item).indices, root, (env) => this.#states.begin(s, initial, env, this.#x));
      }
      for (const a of c.stage.accumulators) {
        const value = a.op === 'max' || a.op === 'min' ? identity(a.op) : 0;
        const item = c.items.get(a.def) as Item;
        if (value !== 0) this.#domain.members(item.indices, root, (env) => c.store(item, num(value), env));
      }
    });
    return c.kernel(name);
  }
}
