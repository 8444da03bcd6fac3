/**
 * A target: what a machine can do, and how kernels become its code. It is not a device: emission touches no hardware, no file system
 * and no clock, and no pass asks for a target's name.
 */
import type { Kernel, StorageTypes } from '../src/ir/kernel.js';
import type { Costs } from '../src/passes/convolution/cost.js';
import type { Threads } from '../src/passes/schedule/threads/machine.js';

export interface Capabilities {
  /** Values per vector register. */
  readonly lanes: number;
  /** Vector registers that a tile of accumulators may take. */
  readonly registers: number;
  /** Of a machine whose lanes are threads of their own. */
  readonly threads?: Threads;
  /** What it can store beside float32. */
  readonly storage?: StorageTypes;
  /** What convolutions and scans cost, where they are to be weighed. */
  readonly costs?: Costs;
}
export interface Target<Options> {
  readonly name: string;
  readonly caps: Capabilities;
  readonly emit: (kernels: readonly Kernel[], options: Options) => Uint8Array;
}
