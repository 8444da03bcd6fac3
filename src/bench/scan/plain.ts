/** The peer that anyone would write first: the scan as loops over typed arrays, with Math.exp. */
import type { Contestant } from '../contest.js';
import { normwiseError, type ScanProblem } from './problem.js';

export const plainName = 'TypeScript loop';

export function plainLoop(problem: ScanProblem): Contestant {
  return {
    name: plainName,
    prepare: async () => {
      const A = Float32Array.from(problem.aLog, (x) => -Math.exp(x));
      const y = new Float32Array(problem.y64.length);
      return { run: () => loop(problem, A, y), error: () => (loop(problem, A, y), normwiseError(y, problem.y64)) };
    },
  };
}

/** Only the mean of the chains has to be kept from step to step. */
function loop({ shape, dt, u, B, C }: ScanProblem, A: Float32Array, y: Float32Array): void {
  const { steps, channels, states, modalities } = shape;
  const mean = new Float32Array(channels * states);
  const next = new Float32Array(states);
  for (let t = 0; t < steps; t++) {
    for (let d = 0; d < channels; d++) {
      next.fill(0);
      const row = d * states;
      for (let m = 0; m < modalities; m++) {
        const step = t * modalities + m;
        const size = dt[step * channels + d]!;
        const drive = size * u[step * channels + d]!;
        const decays = (m * channels + d) * states;
        let out = 0;
        for (let n = 0; n < states; n++) {
          const h = Math.exp(size * A[decays + n]!) * mean[row + n]! + drive * B[step * states + n]!;
          out += C[step * states + n]! * h;
          next[n] = next[n]! + h;
        }
        y[step * channels + d] = out;
      }
      for (let n = 0; n < states; n++) mean[row + n] = next[n]! / modalities;
    }
  }
}
