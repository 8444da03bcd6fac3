/**
 * Each modality's part in the scores of examples/mex. With f = Σ_m K_m p_m and the units of the hidden layer that are on taken as they
 * are, score = b₂ + W₂ (on ⊙ (W₁ f + b₁)) is linear in f: so modality m gives W₂ (on ⊙ W₁ K_m p_m), the biases the rest, and the parts
 * sum to the score exactly.
 */
import type { Numbers } from './protocol.js';

/** What is asked of the interpreter for it. */
export const wanted = ['max_pool.out', 'fusion.K', 'head.0.y'] as const;
export interface Parts {
  /** [modality][score] */
  readonly parts: readonly (readonly number[])[];
  readonly rest: readonly number[];
}
/** Undefined where the model isn't made so. */
export function partsOf(traces: ReadonlyMap<string, Numbers>, weights: ReadonlyMap<string, Numbers>): Parts | undefined {
  const [pooled, share, hidden] = wanted.map((name) => traces.get(name));
  const [first, firstBias, second, secondBias] = ['head.0.weight', 'head.0.bias', 'head.2.weight', 'head.2.bias'].map((name) => weights.get(name));
  if (!pooled || !share || !hidden || !first || !firstBias || !second || !secondBias) return undefined;
  const [units = 0, width = 0] = first.shape;
  const scores = second.shape[0] ?? 0;
  const members = share.data.length;
  if (pooled.data.length !== members * width || hidden.data.length !== units) return undefined;
  const on = Array.from(hidden.data, (v) => (v > 0 ? 1 : 0));
  const through = (unit: (j: number) => number): number[] => Array.from({ length: scores }, (_, k) => on.reduce<number>((sum, o, j) => sum + o * (second.data[k * units + j] as number) * unit(j), 0));
  const parts = Array.from({ length: members }, (_, m) => through((j) => {
    let sum = 0;
    for (let c = 0; c < width; c++) sum += (first.data[j * width + c] as number) * (share.data[m] as number) * (pooled.data[m * width + c] as number);
    return sum;
  }));
  const rest = through((j) => firstBias.data[j] as number).map((v, k) => v + (secondBias.data[k] as number));
  return { parts, rest };
}
