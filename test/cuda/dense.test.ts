/** States that a dense matrix takes from step to step, shared out among the lanes of a warp, against the interpreter. */
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileText, errors, problem, TOLERANCE, type Problem } from '../random/agree.js';
import { emulate } from './emulate.js';
import { buildLibrary, missing } from './library.js';

/** With sequences of 70, 7, 130 and 70 steps. */
const SEEDS = [1, 3, 5, 6];
const head = (d: number, n: number): string => `  axis d = ${d}\n  axis n = ${n}\n  axis k = ${n}\n  input x[t, d]\n  param A[d, n, k] = uniform(-${1 / n}, ${1 / n})\n  param b[d, n] = uniform(-1, 1)\n`;
const plain = 'state h[t, d, n] = sum(k: A[d, n, k] * h[t-1, d, k]) + b[d, n] * x[t, d]';
const out = '  output y[t, d] = sum(n: h[t, d, n])\n';
/** Lanes that the scan is to have, its body, and what is special about it. */
const programs: readonly (readonly [name: string, lanes: number, body: string])[] = [
  ['two rows a lane', 32, `${head(5, 64)}  ${plain}\n${out}`],
  ['a row a lane', 32, `${head(5, 32)}  ${plain}\n${out}`],
  ['points that share a warp', 4, `${head(7, 12)}  ${plain}\n${out}`],
  ['as many points as rows', 16, `${head(16, 16)}  ${plain}\n${out}`],
  ['more points than a group has', 16, `${head(37, 16)}  ${plain}\n${out}`],
  // Its matrix fits no registers.
  ['too many rows', 1, `${head(2, 96)}  ${plain}\n${out}`],
  ['an initial value', 16, `${head(5, 16)}  param g[d, n] = uniform(-1, 1)\n  initial h[d, n] = g[d, n]\n  ${plain}\n${out}`],
  ['backward', 16, `${head(5, 16)}  ${plain.replace('t-1', 't+1')}\n${out}`],
  ['its own member too', 16, `${head(5, 16)}  state h[t, d, n] = 0.9 * h[t-1, d, n] - sum(k: A[d, n, k] * h[t-1, d, k]) + b[d, n] * x[t, d]\n${out}`],
  ['a sum over what was', 16, `${head(5, 16)}  state h[t, d, n] = sum(k: A[d, n, k] * h[t-1, d, k]) - 0.1 * b[d, n] * sum(k: b[d, k] * h[t-1, d, k]) + b[d, n] * x[t, d]\n${out}`],
  ['a matrix of each step', 16, `${head(5, 16)}  input z[t, n]\n  state h[t, d, n] = sum(k: A[d, n, k] * z[t, k] * h[t-1, d, k]) + b[d, n] * x[t, d]\n${out}`],
  ['two states', 16, `${head(5, 16)}  ${plain}\n  state g[t, d, n] = sum(k: A[d, k, n] * h[t-1, d, k]) + 0.5 * g[t-1, d, n] + x[t, d]\n  output y[t, d] = sum(n: g[t, d, n] - h[t, d, n])\n`],
  ['coupled chains', 16, '  modalities m = one, two, three\n  axis d = 6\n  axis n = 16\n  axis k = 16\n  input x[t, m, d]\n  param A[m, d, n, k] = uniform(-0.05, 0.05)\n  state h[t, m, d, n] = sum(k: A[m, d, n, k] * mean(m: h[t-1, m, d, k])) + x[t, m, d]\n  output y[t, m, d] = sum(n: h[t, m, d, n])\n'],
  ['reduced over time', 16, `${head(5, 16)}  ${plain}\n  y[t, d] = sum(n: h[t, d, n])\n  output z[d] = max(t: y[t, d])\n`],
];

describe.skipIf(missing !== undefined)(`dense states${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, () => {
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
