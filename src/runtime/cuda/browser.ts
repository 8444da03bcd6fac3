/** In the place of index.ts where bundlers build for browsers: there is no CUDA there. */
import { gpuFailure } from '../gpu/errors.js';
import type { DeviceSource } from '../model.js';

export function cuda(): DeviceSource {
  return { name: 'cuda', load: () => Promise.reject(gpuFailure(5510, { why: 'this is not Node' })) };
}
