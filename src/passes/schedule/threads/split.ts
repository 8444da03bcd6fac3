/**
 * A scan's states shared out among threads: `lanes` of them take a point together, each a part of the state. What sums over the state goes through
 * the group's memory once per tile of steps (`deferred.ts`) where no later step needs it, else through registers at once, on machines that exchange
 * them. For states that are too many for one thread's registers, and for points that are too few to fill the machine. It is chosen for the
 * machine and a typical batch, not for the batch at hand: bits must not depend on that.
 *
 * Member n of the axis lies with lane ⌊n / run⌋ mod lanes: runs of four are read at once.
 */
import { plainIndex, visitExpr } from '../../../ir/builder.js';
import type { Int } from '../../../ir/kernel.js';
import type { Expr, ExprOf, Index } from '../../../ir/program.js';
import type { Stage } from '../../../ir/stages.js';
import { iadd, imul } from '../ints.js';
import type { ProductEntry } from '../../chunk-step.js';
import { TYPICAL_BATCH, UNROLL } from '../limits.js';
import type { Place } from '../places.js';
import { THREAD } from './access.js';
import { countPoints } from './places.js';
import { stateLoops } from './loops.js';
import type { Threads } from './machine.js';

export interface Split {
  /** Axes of this many members are shared out: that of the states, and what runs along them. */
  readonly size: number;
  readonly lanes: number;
  /** Members side by side in one lane. */
  readonly run: number;
  /** Each step takes all states of the last one (dense.ts). */
  readonly dense?: true;
}
/** What lanes tell each other goes through. */
export type Exchange = 'memory' | 'registers';
/** Registers for states and their coefficients, of the 255 that a thread may have. */
const CELLS = 96;
/** Points of a group, that share what it brings into its memory. */
export const GROUP_POINTS = 16;
/** States that a lane has at least: fewer, and exchanging takes longer than stepping. */
const LEAST = 4;

/** How to share out a scan's states; undefined: not at all. `chunks`: so many of a sequence run side by side; `products` of a chunk's summary. */
export function splitOf(stage: Stage, machine: Threads, through: Exchange, chunks = 1, products: readonly ProductEntry[] = []): Split | undefined {
  const { size, copies, nested } = stateLoops(stage, products.length);
  const most = through === 'registers' ? machine.exchange : Math.max(machine.exchange, machine.perGroup / GROUP_POINTS);
  if (nested || stage.order === 'flat' || size <= UNROLL || !isSplittable(stage, size, products)) return undefined;
  const points = countPoints(stage.domain) * TYPICAL_BATCH * chunks;
  // Where registers aren't exchanged, a group's lanes are dearer than idle threads.
  const toFill = machine.exchange > 1 ? machine.toFill : 0;
  let lanes = 1;
  const fits = (n: number): boolean => size % n === 0 && size / n >= LEAST && n <= most;
  while (fits(2 * lanes) && ((size / lanes) * (1 + copies) > CELLS || 2 * points * lanes <= toFill)) lanes *= 2;
  // A lane's members are told apart when the kernel is compiled: a loop over them would take those of all lanes.
  return lanes > 1 && (size / lanes) * copies <= machine.unroll ? { size, lanes, run: size % (4 * lanes) === 0 ? 4 : 1 } : undefined;
}
/** Every part of the stage takes member n of the axis by itself, or sums over all of them. */
function isSplittable(stage: Stage, size: number, products: readonly ProductEntry[]): boolean {
  const along = (i: Index): boolean => i.axis.size === size && !stage.domain.includes(i);
  const own = new Set(stage.items.map((i) => i.def));
  // What this stage makes is read where it was made; of anything else, a part of a longer axis will do.
  const plain = ({ def, at }: ExprOf<'read'>): boolean => {
    const used = at.filter((a) => a.terms.some((t) => along(t.index)));
    return used.length <= 1 && used.every((a) => (own.has(def) ? plainIndex(a) !== undefined : a.terms.length === 1 && a.terms[0]?.coefficient === 1));
  };
  let ok = true;
  const visit = (e: Expr): void => {
    if (e.kind === 'read') ok &&= plain(e) && !e.time?.terms.some((t) => along(t.index));
    if (e.kind === 'reduce' && (e.over === 'time' || (e.op === 'last' && along(e.over)))) ok = false;
  };
  for (const item of stage.items) {
    if (item.inner.filter(along).length > 1 || stage.domain.some((i) => i.axis.size === size && item.inner.includes(i))) return false;
    visitExpr(item.body, visit);
  }
  for (const q of products) visitExpr(q.body, visit);
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
/**
 * Of each `reach` threads of a group the first are lane 0 of as many points, the next lane 1: which of the group's points a thread takes part in, and
 * as which lane.
 */
export function shareOf(threads: number, reach: number, lanes: number): { readonly point: Int; readonly lane: Int } {
  const per = reach / lanes;
  const among: Int = reach === threads ? THREAD : { kind: 'imod', left: THREAD, by: reach };
  const point: Int = { kind: 'imod', left: THREAD, by: per };
  return { point: reach === threads ? point : iadd(imul({ kind: 'idiv', left: THREAD, by: reach }, per), point), lane: { kind: 'idiv', left: among, by: per } };
}
