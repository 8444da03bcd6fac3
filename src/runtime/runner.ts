/** What a loaded model runs on: one implementation per kind of device. It is given checked tensors, and fills outputs. */
import type { Bound } from './tensors.js';

export interface DeviceReport {
  readonly name: 'wasm' | 'webgpu' | 'cuda';
  /** Of wasm: whether the build with relaxed SIMD was taken. */
  readonly relaxed?: boolean;
  /** Of webgpu and cuda: what the device says of itself. */
  readonly adapter?: string;
  /** Of webgpu: the features that the kernels taken make use of. */
  readonly features?: readonly string[];
  /** Devices that would have been preferred, and why each was not taken. */
  readonly passedOver: readonly { readonly device: string; readonly why: string }[];
}
/** A checked batch: inputs, and zeroed outputs to be filled. */
export interface Job {
  readonly inputs: readonly Bound[];
  readonly outputs: readonly Bound[];
  readonly batch: number;
  readonly time: number;
  readonly lengths: Int32Array;
}
export interface Runner {
  readonly device: Omit<DeviceReport, 'passedOver'>;
  /** Bytes in use. */
  readonly bytes: () => number;
  run(job: Job): Promise<void>;
  /** A sequence that is fed in pieces. */
  sequence(batch: number): Sequence;
  dispose(): void;
}
export interface Sequence {
  readonly steps: number;
  /** After an error it is as it was before. */
  push(job: Job): Promise<void>;
  /** All that is kept from step to step. */
  save(): Uint8Array;
  /** Bytes that `save` gives. */
  readonly keptBytes: number;
  restore(state: Uint8Array, steps: number, started: boolean): void;
  readonly started: boolean;
  reset(): void;
  dispose(): void;
}
