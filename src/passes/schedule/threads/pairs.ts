/** Two neighbouring points of a thread: where elements share a word, both are computed by the thread that writes it. */
import type { Value } from '../../../ir/kernel.js';
import type { Index } from '../../../ir/program.js';
import type { Item } from '../../../ir/stages.js';
import type { Int } from '../../../ir/kernel.js';
import { iadd, imin, imul, int } from '../ints.js';
import { placeKey, placeOf, type Env, type Envs } from '../places.js';
import type { Writer } from '../writer.js';
import type { Access } from './access.js';
import { bindPoint, divide, safe } from './places.js';

/** Points of a domain, counted in pairs along its last index. */
export function countPairs(order: readonly Index[]): number {
  return order.reduce((n, i, k) => n * (k === order.length - 1 ? Math.ceil(i.axis.size / 2) : i.axis.size), 1);
}
/** The two points of a pair's number. Past the end of an odd axis the second is the first again: it goes to the padding. */
export function bindPair(w: Writer, envs: Envs, env: Env, order: readonly Index[], number: Int): readonly [Env, Env] {
  const lane = order.at(-1) as Index;
  const others = order.slice(0, -1);
  const { quotient, rest } = divide(number, Math.ceil(lane.axis.size / 2));
  const base = others.length > 0 ? bindPoint(w, envs, env, others, w.int('rest', quotient)) : env;
  const first = w.int(safe(lane.name), imul(others.length > 0 ? rest : number, 2));
  const second = w.int(safe(lane.name), neighbour(first, lane));
  return [envs.bind(base, lane, { int: first, lane: false }), envs.bind(base, lane, { int: second, lane: false })];
}
/** The next member, or of the last of an odd number itself. */
export const neighbour = (first: Int, lane: Index): Int => (lane.axis.size % 2 === 0 ? iadd(first, int(1)) : imin(iadd(first, int(1)), int(lane.axis.size - 1)));

/** Keeps the first value of a pair until the second is known, and then stores both. */
export class PairStores {
  readonly #access: Access;
  readonly #waiting = new Map<string, { readonly value: Value; readonly env: Env }>();

  constructor(access: Access) {
    this.#access = access;
  }
  /** `copy`: 0 for the first of the two; `mine` writes what a thread without points of its own must not. */
  store(item: Item, value: Value, env: Env, copy: number, mine: (f: () => void) => void): void {
    if (!this.#access.isPaired(item)) { mine(() => this.#access.store(item, value, env)); return; }
    const key = `${item.def} ${item.inner.map((i) => placeKey(placeOf(env, i))).join(' ')}`;
    if (copy === 0) { this.#waiting.set(key, { value, env }); return; }
    const first = this.#waiting.get(key);
    if (!first) throw new Error('the second of a pair comes before its first');
    this.#waiting.delete(key);
    mine(() => this.#access.storePair(item, first.value, value, first.env));
  }
}
