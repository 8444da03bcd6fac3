/** What the addon's failures mean to users. */
import { SsmcError, reason } from '../errors.js';
import { gpuFailure } from '../gpu/errors.js';
import type { NativeError } from './native.js';

/** `name` and `bytes`: of what is largest in what was asked for. */
export function cudaFailure(error: unknown, name: string, bytes: number): Error {
  if (error instanceof SsmcError) return error;
  const why = reason(error);
  switch ((error as Partial<NativeError> | undefined)?.kind) {
    case 'no-driver': return gpuFailure(5511, { why }, error);
    case 'no-device': return gpuFailure(5512, { why }, error);
    case 'too-old': return gpuFailure(5513, { why }, error);
    case 'no-kernels': return gpuFailure(5514, { why }, error);
    case 'out-of-memory': return gpuFailure(5502, { name, bytes }, error);
    case 'lost': return gpuFailure(5501, { why }, error);
    case 'disposed': return gpuFailure(5504, { tries: 0, why }, error);
    default: return gpuFailure(5503, { why }, error);
  }
}
export const isLoss = (error: unknown): boolean => (error as Partial<NativeError> | undefined)?.kind === 'lost';
