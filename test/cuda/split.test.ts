/** States shared out among the lanes of a warp, against the interpreter: every way that a state can be read, kept, begun and given out. */
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileText, errors, problem, TOLERANCE, type Problem } from '../random/agree.js';
import { emulate } from './emulate.js';
import { buildLibrary, missing } from './library.js';

/** With sequences of 70, 7, 130 and 70 steps. That of seed 2 is one step, whose sums cancel: every float32 errs there by 5e-5. */
const SEEDS = [1, 3, 5, 6];
const head = (d: number, n: number): string => `  axis d = ${d}\n  axis n = ${n}\n  input x[t, d]\n  input b[t, n]\n  param a[d, n] = uniform(0.1, 0.9)\n`;
const plain = 'state h[t, d, n] = a[d, n] * h[t-1, d, n] + b[t, n] * x[t, d]';
/** Lanes that the scan is to have, its body, and what is special about it. */
const programs: readonly (readonly [name: string, lanes: number, body: string])[] = [
  ['runs of four', 4, `${head(5, 16)}  ${plain}\n  output y[t, d] = sum(n: h[t, d, n])\n`],
  ['no runs of four', 2, `${head(5, 12)}  ${plain}\n  output y[t, d] = sum(n: h[t, d, n])\n`],
  ['all lanes of a warp', 32, `${head(3, 128)}  ${plain}\n  output y[t, d] = sum(n: h[t, d, n])\n`],
  ['more points than a group has', 16, `${head(37, 64)}  ${plain}\n  output y[t, d] = mean(n: h[t, d, n])\n`],
  ['a maximum over the states', 4, `${head(5, 16)}  ${plain}\n  output y[t, d] = max(n: h[t, d, n]) + min(n: h[t, d, n])\n`],
  // Points of their own then: there is nothing to share out.
  ['the states given out', 1, `${head(5, 16)}  ${plain}\n  output y[t, d, n] = h[t, d, n] * h[t, d, n]\n`],
  ['an initial value', 4, `${head(5, 16)}  param g[d, n] = uniform(-1, 1)\n  initial h[d, n] = g[d, n]\n  ${plain}\n  output y[t, d] = sum(n: h[t, d, n])\n`],
  ['two steps back', 4, `${head(5, 16)}  state h[t, d, n] = a[d, n] * h[t-1, d, n] - 0.2 * h[t-2, d, n] + b[t, n] * x[t, d]\n  output y[t, d] = sum(n: h[t, d, n])\n`],
  ['backward', 4, `${head(5, 16)}  state h[t, d, n] = a[d, n] * h[t+1, d, n] + b[t, n] * x[t, d]\n  output y[t, d] = sum(n: h[t, d, n])\n`],
  ['two states', 4, `${head(5, 16)}  ${plain}\n  state g[t, d, n] = 0.3 * h[t-1, d, n] + 0.5 * g[t-1, d, n] + x[t, d]\n  output y[t, d] = sum(n: g[t, d, n] - h[t, d, n])\n`],
  ['the member\'s number', 4, `${head(5, 16)}  ${plain}\n  output y[t, d] = sum(n: (n + 1) * h[t, d, n])\n`],
  ['a part of a longer row', 4, '  axis d = 5\n  axis n = 16\n  axis w = 41\n  input x[t, d]\n  input r[t, w]\n  state h[t, d, n] = 0.7 * h[t-1, d, n] + r[t, n + 7] * x[t, d]\n  output y[t, d] = sum(n: r[t, n + 24] * h[t, d, n])\n'],
  ['coupled chains', 16, '  modalities m = one, two, three\n  axis i = m\n  axis d = 6\n  axis n = 64\n  input x[t, m, d]\n  input b[t, m, n]\n  param A[m, d, n] = uniform(0.1, 2)\n  input dt[t, m, d]\n  state h[t, m, d, n] = exp(-abs(dt[t, m, d]) * A[m, d, n]) * mean(i: h[t-1, i, d, n]) + b[t, m, n] * x[t, m, d]\n  output y[t, m, d] = sum(n: h[t, m, d, n])\n'],
  ['reduced over time', 4, `${head(5, 16)}  ${plain}\n  y[t, d] = sum(n: h[t, d, n])\n  output z[d] = max(t: y[t, d])\n`],
];

describe.skipIf(missing !== undefined)(`states shared out among lanes${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, () => {
  let library = '';
  const made = programs.map(([name, lanes, body], k): { name: string; lanes: number; prefix: string; problems: Problem[] } => {
    const compiled = compileText(`model M {\n${body}}\n`, 'auto', { cuda: true });
    return { name, lanes, prefix: `p${k}_`, problems: SEEDS.map((seed) => problem(compiled, seed)) };
  });
  beforeAll(async () => {
    library = await buildLibrary(made.map(({ prefix, problems }) => ({ prefix, source: problems[0]?.module.cuda?.source ?? '' })));
  }, 600_000);
  afterAll(() => {
    if (library !== '') rmSync(dirname(library), { recursive: true, force: true });
  });
  it.each(made)('$name: $lanes lanes', async ({ lanes, prefix, problems }) => {
    for (const { module, weights, inputs, lengths, reference } of problems) {
      if (!module.cuda) throw new Error('no kernels for CUDA');
      const scans = [...module.cuda.kernelOf].filter(([stage]) => stage.anchor === 'scan').map(([, k]) => k.grid?.lanes);
      expect(scans).toContain(lanes);
      for (const tile of [1, 7, 64, 1000]) {
        for (const { output, error } of errors(reference, await emulate(library, prefix, module.cuda, { weights, inputs, lengths, tile }))) expect(error, `${output}, tiles of ${tile}`).toBeLessThanOrEqual(TOLERANCE);
      }
    }
  }, 120_000);
});
