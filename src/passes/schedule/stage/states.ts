/** Accesses of what goes from step to step: states and, in the summary of a chunk, the product of its transitions. */
import type { Int, Value } from '../../../ir/kernel.js';
import type { Affine, Expr, ExprOf, Index } from '../../../ir/program.js';
import type { Item, KeptState } from '../../../ir/stages.js';
import type { ProductEntry } from '../../chunk-step.js';
import { lastMember, loadValue } from '../access.js';
import { num, type Expressions, type Task } from '../expressions.js';
import { iadd, imul, int } from '../ints.js';
import type { StateStorage } from '../layout.js';
import { affinePlace, placeOf, type Env } from '../places.js';
import type { StageContext } from './context.js';
import type { CellPlace } from './storages.js';

/** Below this a state is set to 0: 2^-100, far below any rounding error of what it is added to. */
const NOTHING = 2 ** -100;

/** Where indices of an element stand under an environment, its lanes one apart. */
const cellPlaces = (env: Env, indices: readonly Index[]): CellPlace[] => indices.map((i) => { const p = placeOf(env, i); return { int: p.int, lane: p.lane ? 1 : 0 }; });

export class States {
  readonly #c: StageContext;

  constructor(c: StageContext) {
    this.#c = c;
  }
  /** A read of a state at an earlier step (of a backward recurrence, a later one). */
  load(s: KeptState, e: ExprOf<'read'>, env: Env): Value {
    const c = this.#c;
    const item = c.items.get(s.def) as Item;
    const inner = item.inner.map((i) => affinePlace(env, e.at[item.indices.indexOf(i)] as Affine));
    const time = affinePlace(env, e.time as Affine).int;
    const slot = c.stage.order === 'backward' ? time : imul(time, -1);
    const { at, lane } = c.storages.stateElement(s, env, c.row(env), inner, slot);
    return loadValue(c.touch(c.storages.state(s).buffer, 'read'), at, lane, () => lastMember(env, c.lanes, e.at));
  }
  store(s: KeptState, item: Item, value: Value, env: Env): void {
    const c = this.#c;
    const inner = cellPlaces(env, item.inner);
    const buffer = c.touch(c.storages.state(s).buffer, 'write');
    const put = (slot: number, v: Value): void => {
      const { at, lane } = c.storages.stateElement(s, env, c.row(env), inner, int(slot));
      c.w.store(buffer, at, v, lane === 0 ? 'one' : 'vector');
    };
    if (!s.inPlace) { put(0, value); return; }
    const kept = c.w.let(value);
    const older = Array.from({ length: s.depth - 1 }, (_, k) => {
      const { at, lane } = c.storages.stateElement(s, env, c.row(env), inner, int(k + 1));
      return c.w.let({ kind: 'load', buffer: c.touch(buffer, 'read'), at, access: lane === 0 ? 'uniform' : 'vector' });
    });
    older.forEach((v, k) => put(k + 2, v));
    put(1, kept);
  }
  /** Slots move on by one step: the oldest is forgotten, the next becomes the last. */
  advance(s: KeptState, env: Env): void {
    const c = this.#c;
    const storage = c.storages.state(s);
    const base = c.storages.point(storage, env, c.row(env));
    const buffer = c.touch(storage.buffer, 'write');
    for (let slot = s.depth; slot >= 1; slot--) {
      c.w.loop('s', int(0), int(storage.cells), c.lanes, { lanes: true }, (k) => {
        c.touch(buffer, 'read');
        const from = c.w.let({ kind: 'load', buffer, at: iadd(base, int((slot - 1) * storage.cells), k), access: 'vector' });
        c.w.store(buffer, iadd(base, int(slot * storage.cells), k), from, 'vector');
      });
    }
  }
  /** What has decayed to nothing becomes 0. */
  flush(env: Env): void {
    const c = this.#c;
    for (const s of c.stage.states) {
      const storage = c.storages.state(s);
      const buffer = c.touch(storage.buffer, 'write');
      const base = c.storages.point(storage, env, c.row(env));
      c.w.loop('s', int(0), int(storage.cells * storage.slots), c.lanes, { lanes: true }, (k) => {
        c.touch(buffer, 'read');
        const old = c.w.let({ kind: 'load', buffer, at: iadd(base, k), access: 'vector' });
        const small: Value = { kind: 'binary', op: 'lt', left: { kind: 'unary', op: 'abs', arg: old }, right: num(NOTHING) };
        c.w.store(buffer, iadd(base, k), { kind: 'select', cond: small, then: num(0), else: old }, 'vector');
      });
    }
  }
  clear(storage: StateStorage, env: Env): void {
    const c = this.#c;
    const buffer = c.touch(storage.buffer, 'write');
    const base = c.storages.point(storage, env, c.row(env));
    c.w.loop('s', int(0), int(storage.cells * storage.slots), c.lanes, { lanes: true }, (k) => c.w.store(buffer, iadd(base, k), num(0), 'vector'));
  }
  /** What this chunk ends with is where the next tile goes on from. */
  keep(env: Env, sequence: Int): void {
    const c = this.#c;
    for (const s of c.stage.states) {
      const [from, to] = [c.storages.state(s), c.storages.home(s)];
      const [start, end] = [c.storages.point(from, env, c.row(env)), c.storages.point(to, env, sequence)];
      c.w.loop('s', int(0), int(from.cells * from.slots), c.lanes, { lanes: true }, (k) => {
        const value = c.w.let({ kind: 'load', buffer: c.touch(from.buffer, 'read'), at: iadd(start, k), access: 'vector' });
        c.w.store(c.touch(to.buffer, 'write'), iadd(end, k), value, 'vector');
      });
    }
  }
  /** What a state is before the first step, in every slot, an element after another. */
  begin(s: KeptState, initial: Expr, env: Env, x: Expressions): void {
    const c = this.#c;
    const item = c.items.get(s.def) as Item;
    x.run([{ inner: [], body: initial, env, sink: (v) => {
      const value = c.w.let(v);
      let at = env;
      let within: Int = int(0);
      const { lane } = c.shape;
      if (lane) {
        const tile = c.lanes * c.shape.vectors;
        const { int: l } = placeOf(env, lane);
        const base = imul({ kind: 'idiv', left: l, by: tile }, tile);
        within = { kind: 'imod', left: l, by: tile };
        at = c.envs.bind(env, lane, { int: l, lane: false, tile: { base, vector: 0 } });
      }
      const inner = item.inner.map((i) => ({ int: placeOf(env, i).int, lane: 0 }));
      for (let slot = 1; slot <= s.depth; slot++) {
        const buffer = c.touch(c.storages.state(s).buffer, 'write');
        c.w.store(buffer, iadd(c.storages.stateElement(s, at, c.row(at), inner, int(slot)).at, within), value, 'one');
      }
    } }]);
  }

  loadProduct(q: ProductEntry, e: ExprOf<'read'>, env: Env, elementwise: number): Value {
    const c = this.#c;
    const { buffer, at, lane } = c.storages.productElement(q, env, c.row(env), e.at.slice(e.at.length - elementwise).map((a) => affinePlace(env, a)));
    return loadValue(c.touch(buffer, 'read'), at, lane, () => lastMember(env, c.lanes, e.at));
  }
  /** The next product of a chunk's transitions, entry by entry: all are known before the first is stored. */
  products(env: Env): Task[] {
    const c = this.#c;
    if (c.part.kind !== 'summary') return [];
    const { products, elementwise } = c.part.step;
    return products.map((q): Task => ({
      inner: elementwise, body: q.body, env, last: true,
      sink: (v, under) => {
        const { buffer, at, lane } = c.storages.productElement(q, under, c.row(under), cellPlaces(under, elementwise));
        c.w.store(c.touch(buffer, 'write'), at, v, lane === 0 ? 'one' : 'vector');
      },
    }));
  }
}
