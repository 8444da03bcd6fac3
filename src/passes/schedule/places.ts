/** What index variables stand for while a kernel is written. */
import type { Affine, Index } from '../../ir/program.js';
import type { Int } from '../../ir/kernel.js';
import { iadd, imul, int, intKey } from './ints.js';

/** An index's value: `int`, plus the number of the lane (times `stride`) if `lane`. Of a lane tile also its base and which of its vectors this is. */
export interface Place {
  readonly int: Int;
  readonly lane: boolean;
  readonly stride?: number;
  readonly tile?: { readonly base: Int; readonly vector: number };
}
/** Places of all indices in scope, and the row (batch·time) or time step. Interned: equal environments are the same object. */
export interface Env {
  readonly id: number;
  readonly places: ReadonlyMap<Index, Place>;
  /** b·T + t, or b where there is no time. */
  readonly row: Int;
}

export class Envs {
  readonly #table = new Map<string, Env>();
  #next = 0;
  root(row: Int): Env {
    return this.#intern(`row ${intKey(row)}`, () => ({ places: new Map(), row }));
  }
  bind(env: Env, index: Index, place: Place): Env {
    return this.#intern(`${env.id}|${index.id}=${placeKey(place)}`, () => ({ places: new Map(env.places).set(index, place), row: env.row }));
  }
  /** The same places in another row. */
  atRow(env: Env, row: Int): Env {
    return [...env.places].reduce<Env>((e, [i, p]) => this.bind(e, i, p), this.root(row));
  }
  #intern(key: string, make: () => Omit<Env, 'id'>): Env {
    const known = this.#table.get(key);
    if (known) return known;
    const made = { ...make(), id: this.#next++ };
    this.#table.set(key, made);
    return made;
  }
}
export const placeKey = (p: Place): string => `${intKey(p.int)}${p.lane ? `L${p.stride ?? ''}` : ''}`;
/** From one lane to the next. */
export const laneStep = (p: Place): number => (p.lane ? (p.stride ?? 1) : 0);
export const fixed = (value: number): Place => ({ int: int(value), lane: false });

export function placeOf(env: Env, index: Index): Place {
  const place = env.places.get(index);
  if (!place) throw new Error(`index ${index.name} has no place`);
  return place;
}
/** An affine expression under an environment: an integer and a multiple of the lane's number. */
export function affinePlace(env: Env, a: Affine): { int: Int; lane: number } {
  let sum: Int = int(a.constant);
  let lane = 0;
  for (const { index, coefficient } of a.terms) {
    const p = placeOf(env, index);
    sum = iadd(sum, imul(p.int, coefficient));
    lane += coefficient * laneStep(p);
  }
  return { int: sum, lane };
}
