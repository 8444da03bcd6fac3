/** The coupled scan on CUDA, through the addon: its kernels alone, and whole runs. */
import type { Contestant, Work } from '../contest.js';
import { launchesOnCuda } from '../cuda.js';
import { compileSpec } from '../ours.js';
import { loadScan, type OnGpu } from './gpu.js';
import { selectiveSpec, selectiveTensors, selectiveWeights } from './ours.js';
import { normwiseError, type ScanProblem, type ScanShape } from './problem.js';

/** Inputs dt, u, B and C, the output, and A; an exponential for each modality, step, channel and state. */
export function scanWork({ steps, channels, states, modalities }: ScanShape): Work {
  const rows = steps * modalities;
  return { bytes: 4 * (rows * (3 * channels + 2 * states) + modalities * channels * states), exponentials: rows * channels * states };
}

export const launchesName = 'ssmc, CUDA, launches by events';
export function launchedScan(problem: ScanProblem): Contestant {
  return {
    name: launchesName,
    prepare: async () => {
      const { run, result, limits, close } = await launchesOnCuda(compileSpec(selectiveSpec(problem.shape), { cuda: true }).module, selectiveWeights(problem), selectiveTensors(problem), problem.shape.steps);
      return { run, error: async () => normwiseError(await result(), problem.y64), limits, close };
    },
  };
}

export const onCuda: OnGpu = {
  ours: 'ssmc, CUDA, run() with copies', separate: 'ssmc, CUDA, each modality alone (uncoupled)',
  load: (problem) => loadScan(problem, compileSpec(selectiveSpec(problem.shape), { cuda: true }).module, 'cuda'),
};
