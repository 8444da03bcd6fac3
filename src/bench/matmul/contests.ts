/** The four projections of the paper's block (width 128, expand 2, state 64, rank 16) over 500 rows. */
import type { Bench, Contest } from '../contest.js';
import { race } from '../rounds.js';
import { ourName, ourProduct } from './ours.js';
import { flopsOf, productProblem, type ProductShape } from './problem.js';
import { peak, peakName, torchProduct } from './processes.js';
import { tfjsName, tfjsProduct } from './tfjs.js';

export const projections = {
  in_proj: { rows: 500, from: 128, to: 512 },
  x_proj: { rows: 500, from: 256, to: 144 },
  dt_proj: { rows: 500, from: 16, to: 256 },
  out_proj: { rows: 500, from: 256, to: 128 },
} as const satisfies Readonly<Record<string, ProductShape>>;

export function productContest(shape: ProductShape): Omit<Contest, 'name' | 'title'> {
  const problem = productProblem(shape);
  return {
    ours: ourName, flops: flopsOf(shape), contestants: [ourProduct(problem), peak(problem), tfjsProduct(problem), torchProduct(problem)],
    goals: [{ peer: peakName, ours: ourName, atLeast: 0.8 }, { peer: tfjsName, ours: ourName, atLeast: 1.1 }],
    notes: ['ours: the launches over rows in memory, weights packed at load; tfjs: matMul on tensors of its memory; the peak: as many multiplications and additions, on registers alone, eight times the best of eight pieces'],
  };
}

export const matmulBenches: readonly Bench[] = Object.entries(projections).map(([name, shape]) =>
  race(`matmul/${name}`, `product of ${shape.rows}x${shape.from} and ${shape.from}x${shape.to}`, () => productContest(shape)));
