/** Float32 products whose slabs are copied ahead, against the interpreter: sizes that tiles divide and that they don't, every kind of operand. */
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { printKernel } from '../../src/ir/print-kernel.js';
import { compileText, errors, problem, TOLERANCE, type Problem } from '../random/agree.js';
import { emulate } from './emulate.js';
import { buildLibrary, missing } from './library.js';

/** With sequences of 70, 7, 130 and 70 steps. */
const SEEDS = [1, 2, 3, 5];
const product = (k: number, c: number, body = 'sum(k: w[c, k] * x[t, k])'): string => `  axis k = ${k}\n  axis c = ${c}\n  input x[t, k]\n  param w[c, k] = uniform(-1, 1)\n  output y[t, c] = ${body}\n`;
/** Rows and columns of a group's tile, the width of the copies of rows and columns (0: computed), the body. */
const programs: readonly (readonly [name: string, tile: readonly [number, number], copies: readonly number[], body: string])[] = [
  ['what tiles divide', [64, 64], [4, 4], product(64, 128)],
  ['a slab that is not full', [64, 64], [4, 4], product(36, 64)],
  ['a reduced axis that four does not divide', [64, 64], [1, 4], product(70, 64)],
  ['columns past the end, in fours', [64, 64], [4, 4], product(48, 116)],
  ['few columns', [64, 32], [4, 4], product(48, 36)],
  ['columns that four does not divide', [64, 32], [4, 1], product(48, 35)],
  ['one slab', [32, 32], [4, 4], product(12, 40)],
  ['a function of what is read', [64, 64], [0, 4], product(48, 64, 'sum(k: w[c, k] * silu(x[t, k]))')],
  ['two sums', [32, 64], [4, 4], product(48, 64, 'sum(k: w[c, k] * x[t, k]) * silu(sum(k: w[c, k] * x[t, k] * x[t, k]))')],
  ['matrices for each of three', [64, 64], [4, 4], '  modalities m = one, two, three\n  axis k = 48\n  axis c = 64\n  input x[t, m, k]\n  param w[m, c, k] = uniform(-1, 1)\n  param b[m, c] = uniform(-1, 1)\n  output y[t, m, c] = b[m, c] + mean(k: w[m, c, k] * x[t, m, k])\n'],
  ['a part of a row', [64, 64], [4, 4], '  axis k = 48\n  axis c = 64\n  axis w = 64\n  input x[t, w]\n  param p[c, k] = uniform(-1, 1)\n  output y[t, c] = sum(k: p[c, k] * x[t, k + 8])\n'],
  ['a part of a row that begins between fours', [64, 64], [1, 4], '  axis k = 48\n  axis c = 64\n  axis w = 64\n  input x[t, w]\n  param p[c, k] = uniform(-1, 1)\n  output y[t, c] = sum(k: p[c, k] * x[t, k + 9])\n'],
];

describe.skipIf(missing !== undefined)(`products${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, () => {
  let library = '';
  const made = programs.map(([name, tile, copies, body], k): { name: string; tile: readonly [number, number]; copies: readonly number[]; prefix: string; problems: Problem[] } => {
    const compiled = compileText(`model M {\n${body}}\n`, 'auto', { cuda: true });
    return { name, tile, copies, prefix: `p${k}_`, problems: SEEDS.map((seed) => problem(compiled, seed)) };
  });
  beforeAll(async () => {
    library = await buildLibrary(made.map(({ prefix, problems }) => ({ prefix, source: problems[0]?.module.cuda?.source ?? '' })));
  }, 600_000);
  afterAll(() => {
    if (library !== '') rmSync(dirname(library), { recursive: true, force: true });
  });
  it.each(made)('$name: tiles of $tile, copies of $copies', async ({ tile: [rows, columns], copies, prefix, problems }) => {
    for (const { module, weights, inputs, lengths, reference } of problems) {
      if (!module.cuda) throw new Error('no kernels for CUDA');
      const [kernel] = [...module.cuda.kernelOf].flatMap(([stage, k]) => (stage.anchor === 'contraction' ? [k] : []));
      if (!kernel) throw new Error('no product');
      expect(kernel.grid?.groups.per).toBe(rows);
      const text = printKernel(kernel);
      const width = (memory: string): number => Number(new RegExp(`copy \\${memory}.* width (\\d)`).exec(text)?.[1] ?? 0);
      expect([width('$rows'), width('$columns')]).toEqual(copies);
      expect(text.includes(`)%${columns / (copies[1] ?? 1)}`)).toBe(true);
      for (const tile of [1, 7, 1000]) {
        for (const { output, error } of errors(reference, await emulate(library, prefix, module.cuda, { weights, inputs, lengths, tile }))) expect(error, `${output}, tiles of ${tile}`).toBeLessThanOrEqual(TOLERANCE);
      }
    }
  }, 120_000);
});
