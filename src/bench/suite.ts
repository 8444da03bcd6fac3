/** Every bench, in the order in which they run. */
import type { Bench } from './contest.js';
import { fft } from './convolution/fft.js';
import { grid } from './convolution/grid.js';
import { load } from './convolution/load.js';
import { figureBenches } from './figures.js';
import { matmulBenches } from './matmul/contests.js';
import { modelBenches } from './models/contests.js';
import { scanBenches } from './scan/contests.js';

export const suite: readonly Bench[] = [...scanBenches, fft, load, grid, ...matmulBenches, ...modelBenches, ...figureBenches];

/** `scan` picks all that begin with `scan/`; undefined where a name picks nothing. */
export function pick(benches: readonly Bench[], name: string): readonly Bench[] | undefined {
  const found = benches.filter((b) => b.name === name || [`${name}/`, `${name}-`].some((stem) => b.name.startsWith(stem)));
  return found.length === 0 ? undefined : found;
}
