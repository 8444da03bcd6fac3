/**
 * What a session asks of a GPU: memory, and commands that run in the order in which they stand. WebGPU and CUDA each have one. It is not a
 * model: what lies in its buffers is the session's affair.
 */
import type { Launch } from '../manifest.js';
import type { DeviceReport } from '../runner.js';
import type { Frame } from './frame.js';

export type KernelLaunch = Extract<Launch, { kind: 'kernel' }>;

export type Command<B> =
  | { readonly kind: 'clear'; readonly buffer: B; readonly bytes: number }
  | { readonly kind: 'write'; readonly buffer: B; readonly offset: number; readonly data: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> }
  | { readonly kind: 'copy'; readonly from: B; readonly offset: number; readonly to: B; readonly into: number; readonly bytes: number }
  /** `half`: which of the two pasts is read. */
  | { readonly kind: 'launch'; readonly frame: Frame<B>; readonly launch: KernelLaunch; readonly steps: number; readonly half: number }
  /** To byte `into` of what `fetch` gives. */
  | { readonly kind: 'read'; readonly from: B; readonly offset: number; readonly into: number; readonly bytes: number };

export interface Machine<B> {
  readonly name: DeviceReport['name'];
  /** What the device says of itself. */
  readonly adapter: string;
  /** What its kernels make use of, beyond what every device of its kind has. */
  readonly features?: readonly string[];
  readonly isLost: boolean;
  /** Bytes in use. */
  readonly bytes: number;
  /** Of the largest buffer. */
  readonly mostBytes: number;
  /** Dispose frees it. @throws DeviceError SSM5502 with the name of what is largest in it. */
  allocate(name: string, bytes: number): Promise<B>;
  free(buffer: B): void;
  /** What launches on a frame need besides its buffers. */
  equip(frame: Frame<B>): Promise<Equipment<B>>;
  /**
   * Hands over commands. Those of two calls of the same frame and the same `again` differ in the data of their writes alone, so what is
   * made of them may be kept.
   * @throws DeviceError SSM5501 to SSM5503.
   */
  submit(commands: readonly Command<B>[], again?: { readonly frame: Frame<B>; readonly name: string }): Promise<void>;
  /** Waits until there is room to submit more, and tells of the submissions that ended since the last time how many milliseconds each took, in their order. */
  finished(): Promise<readonly number[]>;
  /** Room for what is read until the next `fetch`. */
  reserve(bytes: number): Promise<void>;
  /** Waits for all that was submitted, whatever comes of it, and tells how long each took of what ended well since the last time, where it is known. */
  settle(): Promise<readonly number[]>;
  /** Waits likewise, and gives what was read, until `release`; how long that took is forgotten. */
  fetch(bytes: number): Promise<Float32Array>;
  release(): void;
  dispose(): void;
}
export interface Equipment<B> {
  /** What must run before launches on tiles of `steps`. */
  prepare(steps: number): readonly Command<B>[];
  dispose(): void;
}
