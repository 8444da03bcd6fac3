/** The coupled scan on CUDA, through the addon. */
import { compileSpec } from '../ours.js';
import { loadScan, type OnGpu } from './gpu.js';
import { selectiveSpec } from './ours.js';

export const onCuda: OnGpu = {
  ours: 'ssmc, CUDA, run() with copies', separate: 'ssmc, CUDA, each modality alone (uncoupled)',
  load: (problem) => loadScan(problem, compileSpec(selectiveSpec(problem.shape), { cuda: true }).module, 'cuda'),
};
