/** How a run is cut: rows of the batch that run together, and tiles of steps, so that no dispatch takes long and every arena fits a binding. */
import type { GpuPlan, Manifest } from '../manifest.js';
import { gpuFailure } from './errors.js';
import { arenaBytes, arrangement, largestIn } from './arrangement.js';

/** Operations of one dispatch, before it is known how fast the device is: a quarter of a second at 0.2 G a second. */
export const FIRST_WORK = 5e7;
/** Tiles begin at multiples of this: chunks of a chunked scan must not depend on how a sequence is cut. */
const UNIT = 64;

export interface SlicesOf {
  readonly manifest: Manifest;
  readonly plan: GpuPlan;
}

/** Rows and steps at once, by what an arena can hold. `work`: operations that one dispatch should take. @throws DeviceError SSM5502 */
export function slicesThatFit({ manifest, plan }: SlicesOf, mostBytes: number, work: number, batch: number, longest: number): { rows: number; capacity: number } {
  const whole = manifest.notStreamable !== undefined;
  const tight = (rows: number, steps: number): number => {
    const arranged = arrangement(manifest, plan, rows, steps);
    return plan.arenas.findIndex((kind, a) => kind !== 'constants' && arenaBytes(arranged, a) > mostBytes);
  };
  const least = Math.max(UNIT, Math.min(longest, plan.convolved ?? 0));
  let capacity = longest;
  while (!whole && capacity > least && tight(1, capacity) >= 0) capacity = Math.max(least, Math.floor(capacity / 2 / UNIT) * UNIT);
  const over = tight(1, capacity);
  if (over >= 0) throw gpuFailure(5502, { name: largestIn(manifest, plan, over), bytes: arenaBytes(arrangement(manifest, plan, 1, capacity), over) });
  // As many rows as one dispatch should take; at least one.
  let rows = Math.min(batch, 65535, Math.max(1, Math.floor(work / Math.max(1, plan.work) / Math.min(capacity, least))));
  while (rows > 1 && tight(rows, capacity) >= 0) rows = Math.floor(rows / 2);
  return { rows, capacity };
}
/** Steps of the next tile of `rows` rows with `left` steps to go: all of them, or a multiple of UNIT. `first`: of a run. */
export function tileSteps({ manifest, plan }: SlicesOf, work: number, rows: number, capacity: number, left: number, first: boolean): number {
  if (manifest.notStreamable !== undefined) return left;
  if (first && plan.convolved !== undefined) return Math.min(left, plan.convolved);
  const most = Math.min(capacity, Math.max(UNIT, Math.floor(work / Math.max(1, plan.work) / rows)));
  return left <= most || most < UNIT ? Math.min(left, most) : Math.floor(most / UNIT) * UNIT;
}
