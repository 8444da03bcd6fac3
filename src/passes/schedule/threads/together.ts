/**
 * How many threads take a point together, in a stage that reduces along what lies contiguous. Those of a machine that hands registers on are a warp. Others
 * meet at barriers, which cost the same however many points a group has: a point has few threads then, side by side, so that they read side by side, and
 * more where each would have many members to go through. The length at hand is what decides, never the number of rows.
 */
import { visitExpr } from '../../../ir/builder.js';
import type { Stage } from '../../../ir/stages.js';
import type { Threads } from './machine.js';

/** Threads of a group where nothing asks for another number. */
export const GROUP_THREADS = 64;
/** Neighbours whose elements are one read of memory. */
const LEAST = 8;
/** Members of an axis that one thread goes through, where a group has threads for that. */
const MEMBERS = 32;

export function lanesTogether(stage: Stage, machine: Threads): number {
  if (machine.exchange > 1) return Math.min(GROUP_THREADS, machine.exchange);
  const longest = Math.max(...sizesOf(stage));
  let lanes = LEAST;
  while (lanes < GROUP_THREADS && longest > MEMBERS * lanes) lanes *= 2;
  return lanes;
}
/** Of the axes that the stage goes through at each point. */
function sizesOf({ items }: Stage): number[] {
  const sizes = items.flatMap((item) => item.inner.map((i) => i.axis.size));
  for (const item of items) visitExpr(item.body, (e) => { if (e.kind === 'reduce' && e.over !== 'time') sizes.push(e.over.axis.size); });
  return sizes;
}
