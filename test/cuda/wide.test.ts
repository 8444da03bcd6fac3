/** Pointwise stages and norms that take four numbers at once, against the interpreter: sizes that they divide and that they don't. */
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileText, errors, problem, TOLERANCE, type Problem } from '../random/agree.js';
import { emulate } from './emulate.js';
import { buildLibrary, missing } from './library.js';

/** With sequences of 70, 7, 130 and 70 steps. */
const SEEDS = [1, 2, 3, 5];
const norm = (name: string, c: number): string => `  axis c = ${c}\n  input x[t, c]\n  output y = ${name}(x)\n`;
const head = '  modalities m = one, two, three\n  axis c = 96\n  input x[t, m, c]\n  param w[m, c] = uniform(-1, 1)\n';
/** Groups of how many points, of how many lanes each, the body. */
const programs: readonly (readonly [name: string, points: number, lanes: number, body: string])[] = [
  ['a norm of fours', 2, 32, norm('LayerNorm', 256)], ['of fours and what is left over', 2, 32, norm('LayerNorm', 172)], ['of twos', 2, 32, norm('RmsNorm', 66)],
  ['of fewer than lanes', 2, 32, norm('RmsNorm', 20)], ['of an odd number', 2, 32, norm('RmsNorm', 131)],
  ['a softmax', 2, 32, '  axis c = 140\n  input x[t, c]\n  output y[t, c] = exp(x[t, c] - max(c: x[t, c])) / sum(c: exp(x[t, c] - max(c: x[t, c])))\n'],
  ['four points a thread', 64, 1, `${head}  output y[t, m, c] = silu(x[t, m, c]) * w[m, c]\n`],
  ['of earlier steps', 64, 1, `${head}  axis k = 4\n  param v[m, c, k] = uniform(-1, 1)\n  output y[t, m, c] = silu(sum(k: v[m, c, k] * x[t - 3 + k, m, c]))\n`],
  ['of the next channel', 64, 1, '  axis c = 256\n  axis w = 260\n  input x[t, w]\n  output y[t, c] = x[t, c] * x[t, c + 1] + x[t, c + 4]\n'],
  ['a sum for each', 64, 1, `${head}  axis n = 12\n  input z[t, m, n]\n  param v[m, n, c] = uniform(-1, 1)\n  y[t, m, c] = x[t, m, c] * max(n: v[m, n, c] * z[t, m, n])\n  output o[t, m, c] = y[t, m, c]\n`],
];
/** Points that a thread takes: the names of those that take one. */
const ones = new Set(['of the next channel']);

describe.skipIf(missing !== undefined)(`four at once${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, () => {
  let library = '';
  const made = programs.map(([name, points, lanes, body], k): { name: string; points: number; lanes: number; prefix: string; problems: Problem[] } => {
    const compiled = compileText(`import LayerNorm, RmsNorm from "std"\nmodel M {\n${body}}\n`, 'auto', { cuda: true });
    return { name, points, lanes, prefix: `p${k}_`, problems: SEEDS.map((seed) => problem(compiled, seed)) };
  });
  beforeAll(async () => {
    library = await buildLibrary(made.map(({ prefix, problems }) => ({ prefix, source: problems[0]?.module.cuda?.source ?? '' })));
  }, 600_000);
  afterAll(() => {
    if (library !== '') rmSync(dirname(library), { recursive: true, force: true });
  });
  it.each(made)('$name', async ({ name, points, lanes, prefix, problems }) => {
    for (const { module, weights, inputs, lengths, reference } of problems) {
      if (!module.cuda) throw new Error('no kernels for CUDA');
      const [[stage, kernel] = []] = [...module.cuda.kernelOf].filter(([, k]) => k.grid);
      expect([kernel?.grid?.lanes, kernel?.grid?.groups.per]).toEqual([lanes, points]);
      const all = stage?.domain.reduce((n, i) => n * i.axis.size, 1) ?? 0;
      expect(kernel?.grid?.groups.each).toBe(lanes === 1 && !ones.has(name) ? all / 4 : all);
      for (const tile of [1, 7, 1000]) {
        for (const { output, error } of errors(reference, await emulate(library, prefix, module.cuda, { weights, inputs, lengths, tile }))) expect(error, `${output}, tiles of ${tile}`).toBeLessThanOrEqual(TOLERANCE);
      }
    }
  }, 120_000);
});
