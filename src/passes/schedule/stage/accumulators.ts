/** Reductions over time: in registers while steps pass, in carry memory between tiles. */
import type { Value } from '../../../ir/kernel.js';
import type { Item } from '../../../ir/stages.js';
import { num, type Task } from '../expressions.js';
import type { Env } from '../places.js';
import type { StageContext } from './context.js';

/** The register of a reduction over time, and of a sum what its last addition rounded away. */
export interface OpenAccumulator {
  readonly name: string;
  readonly lost?: string;
  readonly item: Item;
  readonly op: string;
  readonly vector: number;
}
/** `copies`: an environment for each vector of the lane tile. */
export function openAccumulators(c: StageContext, copies: readonly Env[]): OpenAccumulator[] {
  return copies.flatMap((env, vector) => c.stage.accumulators.map((a) => {
    const item = c.items.get(a.def) as Item;
    const { at, lane, buffer } = c.target(item, env);
    c.touch(buffer, 'read');
    const load = (from: string): Value => ({ kind: 'load', buffer: from, at, access: lane === 1 ? 'vector' : 'uniform' });
    const open = { name: c.w.variable('acc', load(buffer)), item, op: a.op, vector };
    return a.op === 'sum' ? { ...open, lost: c.w.variable('lost', load(c.touch(c.layout.lost(a.def), 'read'))) } : open;
  }));
}
/** Takes a step's value in. */
export function accumulate(c: StageContext, a: OpenAccumulator, copies: readonly Env[]): Task {
  return { inner: [], body: a.item.body, env: copies[a.vector] as Env, sink: (v) => {
    if (a.lost) addTo(c, a.name, a.lost, v);
    else c.w.set(a.name, a.op === 'max' || a.op === 'min' ? { kind: 'binary', op: a.op, left: { kind: 'reg', name: a.name }, right: v } : v);
  } };
}
/**
 * Kahan's sum: what an addition rounds away is taken into the next. A plain sum of many steps loses more than a model may. What isn't
 * finite has lost nothing.
 */
function addTo({ w }: StageContext, sum: string, lost: string, v: Value): void {
  // Named here, not by `let`: what reads a variable must not leave the loop that sets it.
  const binary = (op: 'add' | 'sub', left: Value, right: Value): Value => ({ kind: 'reg', name: w.variable('sum', { kind: 'binary', op, left, right }) });
  const before: Value = { kind: 'reg', name: sum };
  const add = binary('sub', v, { kind: 'reg', name: lost });
  const after = binary('add', before, add);
  const over = binary('sub', binary('sub', after, before), add);
  w.set(lost, { kind: 'select', cond: { kind: 'binary', op: 'lt', left: { kind: 'unary', op: 'abs', arg: over }, right: num(Infinity) }, then: over, else: num(0) });
  w.set(sum, after);
}
export function closeAccumulators(c: StageContext, accumulators: readonly OpenAccumulator[], copies: readonly Env[]): void {
  for (const a of accumulators) {
    const env = copies[a.vector] as Env;
    c.store(a.item, { kind: 'reg', name: a.name }, env);
    if (!a.lost) continue;
    const { at, lane } = c.target(a.item, env);
    c.w.store(c.touch(c.layout.lost(a.item.def), 'write'), at, { kind: 'reg', name: a.lost }, lane === 1 ? 'vector' : 'one');
  }
}
