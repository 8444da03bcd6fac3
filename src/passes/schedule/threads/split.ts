/**
 * A scan's states shared out among threads that exchange registers: `lanes` of them take a point together, each a part of the state, and what
 * sums over the state is exchanged. For states that are too many for one thread's registers, and for points that are too few to fill the
 * machine. It is chosen for the machine and a typical batch, not for the batch at hand: bits must not depend on that.
 *
 * Member n of the axis lies with lane ⌊n / run⌋ mod lanes: runs of four are read at once.
 */
import { plainIndex, visitExpr } from '../../../ir/builder.js';
import type { Expr, ExprOf, Index } from '../../../ir/program.js';
import type { Stage } from '../../../ir/stages.js';
import type { Place } from '../places.js';
import { countPoints } from './places.js';
import type { Threads } from './machine.js';

export interface Split {
  /** Axes of this many members are shared out: that of the states, and what runs along them. */
  readonly size: number;
  readonly lanes: number;
  /** Members side by side in one lane. */
  readonly run: number;
}
/** Rows of a batch that a machine is to be filled with. */
const TYPICAL_BATCH = 8;
/** Registers for states and their coefficients, of the 255 that a thread may have. */
const CELLS = 96;
/** States that a lane has at least: fewer, and exchanging takes longer than stepping. */
const LEAST = 4;

/** How to share out the axis of `size` members, `copies` coefficients to each; undefined: not at all. */
export function splitOf(stage: Stage, order: readonly Index[], size: number, copies: number, machine: Threads): Split | undefined {
  if (machine.exchange === 1 || !isSplittable(stage, size)) return undefined;
  const points = countPoints(order) * TYPICAL_BATCH;
  let lanes = 1;
  const fits = (n: number): boolean => size % n === 0 && size / n >= LEAST && n <= machine.exchange;
  while (fits(2 * lanes) && ((size / lanes) * (1 + copies) > CELLS || 2 * points * lanes <= machine.toFill)) lanes *= 2;
  return lanes > 1 ? { size, lanes, run: size % (4 * lanes) === 0 ? 4 : 1 } : undefined;
}
/** Every part of the stage takes member n of the axis by itself, or sums over all of them. */
function isSplittable(stage: Stage, size: number): boolean {
  const along = (i: Index): boolean => i.axis.size === size && !stage.domain.includes(i);
  const own = new Set(stage.items.map((i) => i.def));
  // What this stage makes is read where it was made; of anything else, a part of a longer axis will do.
  const plain = ({ def, at }: ExprOf<'read'>): boolean => {
    const used = at.filter((a) => a.terms.some((t) => along(t.index)));
    return used.length <= 1 && used.every((a) => (own.has(def) ? plainIndex(a) !== undefined : a.terms.length === 1 && a.terms[0]?.coefficient === 1));
  };
  let ok = true;
  const visit = (e: Expr): void => {
    if (e.kind === 'read') ok &&= plain(e);
    if (e.kind === 'reduce' && (e.over === 'time' || (e.op === 'last' && along(e.over)))) ok = false;
  };
  for (const item of stage.items) {
    if (item.inner.filter(along).length > 1 || stage.domain.some((i) => i.axis.size === size && item.inner.includes(i))) return false;
    visitExpr(item.body, visit);
  }
  for (const s of stage.states) {
    const item = stage.items.find((i) => i.def === s.def);
    if (!item?.inner.some(along)) return false;
  }
  return ok;
}

/** The places that one lane's members stand at, in order. */
export function placesOf({ size, lanes, run }: Split): Place[] {
  return Array.from({ length: size / lanes }, (_, k) => ({ int: { kind: 'int', value: memberOf({ size, lanes, run }, k) }, lane: true, stride: run }));
}
/** The k-th member of lane 0. */
export const memberOf = ({ lanes, run }: Split, k: number): number => Math.floor(k / run) * lanes * run + (k % run);
/** Which of its lane's members a member of lane 0 is. */
export const numberOf = ({ lanes, run }: Split, member: number): number => Math.floor(member / (lanes * run)) * run + (member % run);
