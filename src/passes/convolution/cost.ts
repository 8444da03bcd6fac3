/**
 * What a step of a channel costs as a scan and as a convolution, in nanoseconds of one thread of the machine. A scan's cost is its arithmetic; a
 * convolution's doesn't depend on the state's size: taps of a block and products of spectra for each pair of signal and readout, transforms
 * for each signal and readout. The constants are measured (`ssmc bench convolution`), and only their ratios matter.
 */
import { children, reads } from '../../ir/builder.js';
import type { DefinitionId, Expr, Index } from '../../ir/program.js';
import type { Item, Stage } from '../../ir/stages.js';
import { BLOCKS } from '../schedule/convolution/geometry.js';
import type { Convolution } from './recognise.js';

/** Nanoseconds, per channel and step. */
export interface Costs {
  /** An addition or a multiplication in a scan's loops. */
  readonly operation: number;
  /** The direct sum over a block, for a pair. */
  readonly taps: number;
  /** A transform of each size of block, forward or back. */
  readonly transforms: readonly [number, number];
  /** One product of spectra. */
  readonly product: number;
}
/** A function counts as so many operations. */
const FUNCTION = 10;
const functions: ReadonlySet<string> = new Set(['exp', 'expm1', 'exp2', 'exp2m1', 'log', 'log1p', 'sqrt', 'rsqrt', 'sigmoid', 'silu', 'softplus', 'gelu', 'tanh', 'sin', 'cos']);
/** The length that the choice is made for: it is made once, and the costs' ratio changes little with the length. */
export const TYPICAL_LENGTH = 4096;

/** Elements over these indices. */
export const size = (indices: readonly Index[]): number => indices.reduce((n, i) => n * i.axis.size, 1);

export function scanCost(stage: Stage, costs: Costs): number {
  return costs.operation * neededFor(stage, [...stage.stored, ...stage.states.map((s) => s.def)]).reduce((n, item) => n + size(item.inner) * operations(item.body), 0);
}
/** The items of a stage that these are computed from, themselves included. */
export function neededFor(stage: Stage, roots: readonly DefinitionId[]): readonly Item[] {
  const items = new Map(stage.items.map((i) => [i.def, i]));
  const needed = new Map<DefinitionId, Item>();
  const need = (id: DefinitionId): void => {
    const item = items.get(id);
    if (!item || needed.has(id)) return;
    needed.set(id, item);
    for (const r of reads(item.body)) need(r);
  };
  for (const id of roots) need(id);
  return [...needed.values()];
}
/** Common subexpressions once, those of `seen` not at all, sums as often as they have terms; a function as so many. */
export function operations(root: Expr, seen = new Set<Expr>(), each = FUNCTION): number {
  const visit = (e: Expr): number => {
    if (seen.has(e)) return 0;
    seen.add(e);
    const inside = children(e).reduce((n, k) => n + visit(k), 0);
    switch (e.kind) {
      case 'const': case 'index': case 'read': return 0;
      case 'reduce': return (e.over === 'time' ? 1 : e.over.axis.size) * (1 + inside);
      case 'unary': return inside + (functions.has(e.op) ? each : 1);
      default: return inside + 1;
    }
  };
  return visit(root);
}
/** `zero`: what readouts are taken for, which cost nothing to read. */
export function convolutionCost(stage: Stage, c: Convolution, length: number, costs: Costs, zero: Expr): number {
  const inputs = c.sources.reduce((n, s) => n + size(s.own), 0);
  const outputs = c.readouts.reduce((n, r) => n + size(r.own), 0);
  const [block, above] = BLOCKS;
  const steps = Math.min(length, above);
  const far = length > above;
  const products = (steps / block - 1) / 2 + (far ? (length / above - 1) / 2 : 0);
  const transforms = costs.transforms[0] + (far ? costs.transforms[1] : 0);
  return inputs * outputs * (costs.taps + costs.product * products) + (inputs + outputs) * transforms + costs.operation * pointwise(stage, c, zero);
}
/** Operations of what signals are made of and answers go into: a scan has them in its loops. */
function pointwise(stage: Stage, c: Convolution, zero: Expr): number {
  const inner = new Map(stage.items.map((i) => [i.def, i.inner]));
  const answers = [...c.epilogue(() => zero)].reduce((n, [id, body]) => n + size(inner.get(id) ?? []) * operations(body), 0);
  return answers + c.sources.reduce((n, s) => n + size(s.own) * operations(s.x), 0);
}
