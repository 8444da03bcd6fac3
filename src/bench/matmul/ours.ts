/** A product as the smallest model that has one. */
import type { Contestant } from '../contest.js';
import { compileSpec, inMemory } from '../ours.js';
import { normwiseError } from '../scan/problem.js';
import type { ProductProblem, ProductShape } from './problem.js';

export const productSpec = ({ from, to }: ProductShape): string => `model Product {
  axis c = ${from}
  axis o = ${to}
  param weight[o, c] = uniform(-1, 1)
  input x[t, c]
  output y[t, o] = sum(c: weight[o, c] * x[t, c])
}
`;
export const ourName = 'ssmc, wasm simd128';

export function ourProduct(problem: ProductProblem): Contestant {
  const { shape, x, weight, y64 } = problem;
  return {
    name: ourName,
    prepare: async () => {
      const { run, result } = await inMemory(compileSpec(productSpec(shape)).module, { weight: { data: weight, shape: [shape.to, shape.from] } }, { x }, shape.rows);
      return { run, error: () => normwiseError(result(), y64) };
    },
  };
}
