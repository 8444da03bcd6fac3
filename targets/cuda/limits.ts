/**
 * What every GPU of compute capability 8.0 and later grants. Indices of elements are 32 bits wide. One row and one step of a model keep
 * within that, since every model also has to fit WebAssembly's memory of 4 GiB; the runtime cuts batches and time so that the rest does:
 * no buffer has more than `elements` of them, which leaves room for the threads that stand past the last one.
 */
import { groupMemoryBytes, type Kernel } from '../../src/ir/kernel.js';

export const limits = { threads: 256, sharedBytes: 48 * 1024, elements: 2 ** 31 - 2 ** 16, batch: 65535 } as const;

/** What a group's memories take, the one of sums over its threads included. */
export function sharedBytes(kernel: Kernel): number {
  const { lanes = 1 } = kernel.grid ?? {};
  return groupMemoryBytes(kernel) + (lanes > 32 ? lanes / 8 : 0);
}
