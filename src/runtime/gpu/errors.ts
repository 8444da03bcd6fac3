/** What can go wrong on a GPU, beside the messages of src/runtime/errors.ts: a model that runs on wasm alone doesn't carry them. */
import { worded, type Arguments, type SsmcError } from '../errors.js';

export const gpuMessages = {
  5009: 'the model stores `{name}` as {type}, which ends at {limit}, but the weights make it {value}: compile it with float32 storage',
  5111: 'input `{name}` is stored as {type}, which ends at {limit}, but has {value}: scale it, or compile the model with float32 storage',
  5207: '{device} cannot be used here: {why}',
  5306: 'the stream has a push under way: expected it to be waited for before {what}',
  5307: 'the stream cannot go on: its {device} device is gone, and its state is laid out for that device alone ({why})',
  5501: 'the GPU device was lost ({why}): this call has no result, the next one takes a new device',
  5502: 'the GPU has no {bytes} bytes for `{name}`',
  5503: 'the GPU refused a command: {why}',
  5504: 'no GPU device after {tries} tries: {why}',
  5505: 'the GPU computes wrong results: {why}',
  5510: 'the CUDA addon cannot be used here: {why}',
  5511: 'there is no CUDA driver: {why}',
  5512: 'there is no CUDA device: {why}',
  5513: 'the CUDA driver is too old: {why}',
  5514: 'there are no kernels for the CUDA device: {why}',
} as const;
export type GpuCode = keyof typeof gpuMessages;

/** The error of this code, to be thrown. */
export function gpuFailure<C extends GpuCode>(code: C, args: Arguments<(typeof gpuMessages)[C]>, cause?: unknown): SsmcError {
  return worded(code, gpuMessages[code], args, cause);
}
