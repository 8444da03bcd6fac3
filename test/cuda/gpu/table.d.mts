import type { ContestResult } from '../../../src/bench/contest.js';

export interface Found {
  readonly device: string;
  readonly node: string;
  /** What compiled the kernels. */
  readonly nvcc: string;
  readonly checks: readonly { readonly name: string; readonly passed: number; readonly of: number }[];
  readonly benches: readonly Pick<ContestResult, 'name' | 'device' | 'rows'>[];
}
export function isEmulated(device: string): boolean;
export function tableOf(found: Found): string;
export function placed(page: string, table: string): string;
