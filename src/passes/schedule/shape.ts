/**
 * The shape of a stage's loops on a machine: which index goes over the lanes, how large a tile each thread computes, and in which
 * order the loops stand.
 */
import { freeIndices, plainIndex, visitExpr } from '../../ir/builder.js';
import type { Expr, Index, UnaryOp } from '../../ir/program.js';
import type { Item, Stage } from '../../ir/stages.js';
import { UNROLL } from './limits.js';
import type { StorageTypes } from '../../ir/kernel.js';
import type { Costs } from '../convolution/cost.js';
import type { Threads } from './threads/machine.js';

export interface Machine {
  readonly lanes: number;
  /** Vector registers: what a tile of accumulators has to fit in. */
  readonly registers: number;
  /** Of a machine whose lanes are threads of their own. */
  readonly threads?: Threads;
  /** What it can store beside float32. */
  readonly storage?: StorageTypes;
  readonly costs?: Costs;
}
export interface Shape {
  /** The domain index on the lanes; none: loops right under the domain go over lanes, or nothing does. */
  readonly lane: Index | undefined;
  readonly laneLoops: boolean;
  /** Vectors of lanes, and rows, that one iteration computes. */
  readonly vectors: number;
  readonly rows: number;
}

export function shapeOf(stage: Stage, machine: Machine): Shape {
  const scalar: Shape = { lane: undefined, laneLoops: false, vectors: 1, rows: 1 };
  if (machine.lanes === 1) return scalar;
  const lane = laneIndex(stage);
  const rows = stage.anchor === 'contraction' && stage.order === 'flat' ? Math.max(1, Math.floor(machine.registers / 4)) : 1;
  if (lane && !(stage.anchor !== 'scan' && lane.axis.size < machine.lanes && hasLaneLoop(stage))) {
    const wide = (stage.anchor === 'contraction' || (stage.anchor === 'scan' && elementaryFunctions(stage))) && lane.axis.size > machine.lanes;
    return { lane, laneLoops: false, vectors: wide ? 2 : 1, rows };
  }
  return hasLaneLoop(stage) ? { ...scalar, laneLoops: true } : scalar;
}

/**
 * Each element of its state takes an exponential or another function: long chains, of which two vectors keep a thread busy. Without them the
 * registers are the limit: one vector's coefficients, inputs and readouts fill them.
 */
function elementaryFunctions(stage: Stage): boolean {
  let found = false;
  for (const item of stage.items) visitExpr(item.body, (e) => {
    if (e.kind === 'unary' && !cheap.has(e.op) && [...freeIndices(e)].some((i) => !stage.domain.includes(i))) found = true;
  });
  return found;
}
const cheap: ReadonlySet<UnaryOp> = new Set<UnaryOp>(['neg', 'not', 'abs', 'relu', 'floor', 'ceil', 're', 'im', 'conj']);

/** The last index of what is stored, if it is a domain index and no row reduction asks for the lanes instead. */
function laneIndex(stage: Stage): Index | undefined {
  const wanted = stage.items.filter((i) => stage.stored.has(i.def) || stage.accumulators.some((a) => a.def === i.def));
  const last = (wanted.length > 0 ? wanted : stage.items).map((i) => i.indices.at(-1));
  const timed = indicesOfTime(stage.items.map((i) => i.body));
  const domain = stage.domain.filter((d) => !timed.has(d));
  const candidates = domain.filter((d) => last.includes(d));
  const best = candidates.at(-1) ?? (stage.anchor === 'scan' ? domain.at(-1) : undefined);
  if (!best) return undefined;
  if (stage.anchor === 'contraction' || stage.anchor === 'scan' || stage.accumulators.length > 0) return best;
  return rowReduction(stage.items, best, timed) ? undefined : best;
}
/**
 * Indices by which a read's step differs: `k` of x[t - k]. Lanes don't go along them, since all lanes of a kernel are at one step, and ask once whether it is inside
 * the sequence.
 */
export function indicesOfTime(bodies: readonly Expr[]): ReadonlySet<Index> {
  const found = new Set<Index>();
  for (const body of bodies) visitExpr(body, (e) => { if (e.kind === 'read' && e.time) for (const { index } of e.time.terms) found.add(index); });
  return found;
}
/** A sum along the contiguous index of what it reads, which the lanes would have to gather. */
function rowReduction(items: readonly Item[], lane: Index, timed: ReadonlySet<Index>): boolean {
  let along = 0;
  let across = 0;
  for (const item of items) visitExpr(item.body, (e) => {
    if (e.kind !== 'reduce' || e.over === 'time' || e.over.axis.size <= UNROLL || timed.has(e.over)) return;
    const over = e.over;
    visitExpr(e.body, (r) => {
      if (r.kind !== 'read' || r.at.length === 0) return;
      const last = plainIndex(r.at.at(-1) as (typeof r.at)[number]);
      if (last === over) along++;
      if (last === lane) across++;
    });
  });
  return along > across;
}
/** Loops that lanes can go over: all that are no lists of a few members, or none. */
function hasLaneLoop(stage: Stage): boolean {
  const loops = new Set(stage.items.flatMap((i) => i.inner));
  for (const item of stage.items) visitExpr(item.body, (e) => { if (e.kind === 'reduce' && e.over !== 'time') loops.add(e.over); });
  const long = [...loops].filter((i) => i.axis.size > UNROLL);
  const timed = indicesOfTime(stage.items.map((i) => i.body));
  return long.length > 0 && !long.some((i) => timed.has(i));
}
