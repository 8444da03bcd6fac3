/**
 * Neighbouring points of a thread: two where elements share a word, so that both are computed by the thread that writes it; four where one
 * load brings four numbers.
 */
import type { Value } from '../../../ir/kernel.js';
import { visitExpr } from '../../../ir/builder.js';
import type { DefinitionId, Index } from '../../../ir/program.js';
import type { Item, Stage } from '../../../ir/stages.js';
import type { Int } from '../../../ir/kernel.js';
import { iadd, imin, imul, int } from '../ints.js';
import type { Layout } from '../layout.js';
import { placeKey, placeOf, type Env, type Envs } from '../places.js';
import type { Writer } from '../writer.js';
import type { Access } from './access.js';
import type { Threads } from './machine.js';
import { bindPoint, countPoints, divide, safe } from './places.js';

/** Rows that a machine is to be filled with: eight sequences of some length. */
const TYPICAL_ROWS = 1024;

/** Points side by side that a thread of a flat stage takes, where nothing asks for two: enough threads have to be left, and fours begin at multiples of four. */
export function sideBySide(stage: Stage, order: readonly Index[], lane: Index | undefined, layout: Layout, machine: Threads): 1 | 4 {
  if (!machine.wide || !lane || lane.axis.size % 4 !== 0 || (countPoints(order) / 4) * TYPICAL_ROWS < machine.toFill) return 1;
  const own = new Set(stage.items.map((i) => i.def));
  const beginsAtFour = (def: DefinitionId, strides: readonly number[], constants: readonly number[]): boolean => {
    const { kind, row, offset } = layout.of(def);
    return kind === 'load' || (row % 4 === 0 && (offset + constants.reduce((sum, c, k) => sum + c * (strides[k] as number), 0)) % 4 === 0 && strides.slice(0, -1).every((s) => s % 4 === 0));
  };
  let all = stage.items.every((i) => !stage.stored.has(i.def) || beginsAtFour(i.def, layout.of(i.def).strides, []));
  for (const item of stage.items) visitExpr(item.body, (e) => {
    if (e.kind === 'read' && !own.has(e.def) && e.at.at(-1)?.terms.some((t) => t.index === lane)) all &&= beginsAtFour(e.def, layout.of(e.def).strides, e.at.map((a) => a.constant));
  });
  return all ? 4 : 1;
}
/** Points of a domain, counted in so many along its last index. */
export function countSets(order: readonly Index[], each: number): number {
  return order.reduce((n, i, k) => n * (k === order.length - 1 ? Math.ceil(i.axis.size / each) : i.axis.size), 1);
}
/** The points of a set's number. Past the end of an odd axis the second of two is the first again: it goes to the padding. */
export function bindSet(w: Writer, envs: Envs, env: Env, order: readonly Index[], number: Int, each: 2 | 4): readonly Env[] {
  const lane = order.at(-1) as Index;
  const others = order.slice(0, -1);
  const { quotient, rest } = divide(number, Math.ceil(lane.axis.size / each));
  const base = others.length > 0 ? bindPoint(w, envs, env, others, w.int('rest', quotient)) : env;
  const first = w.int(safe(lane.name), imul(others.length > 0 ? rest : number, each));
  const next = (k: number): Int => (each === 2 ? neighbour(first, lane) : iadd(first, int(k)));
  return Array.from({ length: each }, (_, k) => envs.bind(base, lane, { int: k === 0 ? first : w.int(safe(lane.name), next(k)), lane: false }));
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
