/** A matrix product as a layer computes it, y[t, o] = Σ_c W[o, c] x[t, c], and its answer in float64. */
import { filled, numbers } from '../scan/problem.js';

export interface ProductShape {
  readonly rows: number;
  readonly from: number;
  readonly to: number;
}
export interface ProductProblem {
  readonly shape: ProductShape;
  /** [rows, from] */
  readonly x: Float32Array;
  /** [to, from], as PyTorch stores a Linear. */
  readonly weight: Float32Array;
  /** [from, to]: the same, for those who want it so. */
  readonly transposed: Float32Array;
  /** [rows, to] */
  readonly y64: Float64Array;
}

export const flopsOf = ({ rows, from, to }: ProductShape): number => 2 * rows * from * to;

export function productProblem(shape: ProductShape): ProductProblem {
  const { rows, from, to } = shape;
  const random = numbers(777);
  const centred = (): number => 2 * random() - 1;
  const x = filled(rows * from, centred);
  const weight = filled(to * from, centred);
  const transposed = Float32Array.from({ length: from * to }, (_, i) => weight[(i % to) * from + Math.floor(i / to)] as number);
  const y64 = new Float64Array(rows * to);
  for (let t = 0; t < rows; t++) {
    for (let o = 0; o < to; o++) {
      let sum = 0;
      for (let c = 0; c < from; c++) sum += (weight[o * from + c] as number) * (x[t * from + c] as number);
      y64[t * to + o] = sum;
    }
  }
  return { shape, x, weight, transposed, y64 };
}
