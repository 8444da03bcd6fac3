/** CUDA: loaded by a generated module when it is tried, in Node. The driver, and NVRTC where it is needed, are opened at run time. */
import { reason, SsmcError } from '../errors.js';
import { gpuFailure } from '../gpu/errors.js';
import { runOn } from '../gpu/runner.js';
import type { DeviceSource } from '../model.js';
import { openCuda, type CudaOpening, type CudaSource } from './open.js';

export type { CudaPlan, CudaSource } from './open.js';

/** The device of a generated module. */
export function cuda(source: CudaSource): DeviceSource {
  return {
    name: 'cuda',
    load: async (weights, options, reference) => {
      let opening: CudaOpening | undefined;
      try {
        opening = await openCuda(source, weights, options);
        return await runOn(opening, opening.open(), reference);
      } catch (error) {
        await opening?.abandon();
        if (error instanceof SsmcError && /^SSM5[05]/.test(error.code)) throw error;
        throw gpuFailure(5207, { device: 'cuda', why: reason(error) }, error);
      }
    },
  };
}
