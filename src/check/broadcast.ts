/**
 * Which axes arrays without indices share in one expression. Axes of the same identity are one; an array's others pair in order with those
 * that the arrays before it have and it lacks, if sizes agree: a residual around a layer that made its own output axis is elementwise,
 * not an outer sum. Modalities and ragged features have an identity beyond their size, and never pair.
 */
import type { Axis, DefinitionId } from '../ir/program.js';
import type { Entity } from './scope.js';

export type ArrayEntity = Extract<Entity, { kind: 'array' }>;
export interface Broadcast {
  readonly axes: readonly Axis[];
  /** For each array's definition, the axis of the result in which each of its own stands. */
  readonly places: ReadonlyMap<DefinitionId, ReadonlyMap<Axis, Axis>>;
  /** The first array whose axes can't be paired, with what it has too much and what the others have left. */
  readonly misfit?: { readonly array: ArrayEntity; readonly own: readonly Axis[]; readonly others: readonly Axis[] };
}

export function broadcast(arrays: readonly ArrayEntity[]): Broadcast {
  const axes: Axis[] = [];
  const places = new Map<DefinitionId, ReadonlyMap<Axis, Axis>>();
  for (const array of arrays) {
    if (places.has(array.def)) continue;
    const own = array.axes.filter((a) => isPlain(a) && !axes.includes(a));
    const others = axes.filter((a) => isPlain(a) && !array.axes.includes(a));
    const place = new Map(array.axes.map((a) => [a, a]));
    if (own.length > 0 && others.length > 0) {
      if (own.length !== others.length || own.some((a, k) => !interchangeable(a, others[k] as Axis))) return { axes, places, misfit: { array, own, others } };
      own.forEach((a, k) => { place.set(a, others[k] as Axis); });
    }
    places.set(array.def, place);
    for (const a of place.values()) if (!axes.includes(a)) axes.push(a);
  }
  return { axes, places };
}

/** Told apart by nothing but their names. */
export function interchangeable(a: Axis, b: Axis): boolean {
  return isPlain(a) && isPlain(b) && a.size === b.size;
}
function isPlain(a: Axis): boolean {
  return a.labels === undefined && a.ragged === undefined;
}
export function withSizes(axes: readonly Axis[]): string {
  return axes.map((a) => `\`${a.name}\` (${a.size})`).join(', ');
}
