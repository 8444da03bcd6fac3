/** Products of tiles, on the CPU: sizes that tiles divide and that they don't, each kind of operand, streams; against the interpreter as test/cuda/halves.test.ts has it. */
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { roundNarrow } from '../../src/cli/halves.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { printKernel } from '../../src/ir/print-kernel.js';
import type { Narrow } from '../../src/runtime/manifest.js';
import { compileText, errors, problem, TOLERANCE, type Problem } from '../random/agree.js';
import { emulate } from './emulate.js';
import { buildLibrary, missing } from './library.js';

/** With sequences of 70, 7 and 130 steps. */
const SEEDS = [1, 2, 3];
const product = (k: number, c: number, body = 'sum(k: w[c, k] * x[t, k])'): string => `  axis k = ${k}\n  axis c = ${c}\n  input x[t, k]\n  param w[c, k] = uniform(-1, 1)\n  output y[t, c] = ${body}\n`;
/** Rows of a group's tile, the width of the copies of rows and columns (0: computed), the body. */
const programs: readonly (readonly [name: string, rows: number, copies: readonly number[], body: string])[] = [
  ['what tiles divide', 64, [8, 8], product(64, 128)],
  ['a tile that is not full', 64, [8, 8], product(40, 64)],
  ['a reduced axis of an odd number', 64, [8, 8], product(35, 40)],
  ['few columns, of which the last copy is a part', 64, [8, 8], product(48, 36)],
  ['one slab, with an epilogue', 64, [8, 8], product(16, 32, 'silu(0.5 + sum(k: w[c, k] * x[t, k])) * sum(k: w[c, k] * x[t, k])')],
  ['a function of what is read', 64, [0, 8], product(48, 64, 'sum(k: w[c, k] * relu(x[t, k]))')],
  ['two sums', 64, [8, 8], '  axis k = 48\n  axis c = 64\n  input x[t, k]\n  input z[t, k]\n  param w[c, k] = uniform(-1, 1)\n  param v[c, k] = uniform(-1, 1)\n  output y[t, c] = sum(k: w[c, k] * x[t, k]) * tanh(sum(k: v[c, k] * z[t, k]))\n'],
  ['four sums', 32, [8, 8], '  axis k = 48\n  axis c = 64\n  input x[t, k]\n  input z[t, k]\n  param w[c, k] = uniform(-1, 1)\n  param v[c, k] = uniform(-1, 1)\n  output y[t, c] = tanh(sum(k: w[c, k] * x[t, k])) * tanh(sum(k: v[c, k] * z[t, k])) + sin(sum(k: v[c, k] * x[t, k])) * cos(sum(k: w[c, k] * z[t, k]))\n'],
  ['matrices for each of three', 64, [8, 8], '  modalities m = one, two, three\n  axis k = 48\n  axis c = 64\n  input x[t, m, k]\n  param w[m, c, k] = uniform(-1, 1)\n  param b[m, c] = uniform(-1, 1)\n  output y[t, m, c] = b[m, c] + mean(k: w[m, c, k] * x[t, m, k])\n'],
  ['a part of a row', 64, [8, 8], '  axis k = 48\n  axis c = 64\n  axis w = 64\n  input x[t, w]\n  param p[c, k] = uniform(-1, 1)\n  output y[t, c] = sum(k: p[c, k] * x[t, k + 8])\n'],
  ['a part of a row that begins at a pair', 64, [2, 8], '  axis k = 48\n  axis c = 64\n  axis w = 64\n  input x[t, w]\n  param p[c, k] = uniform(-1, 1)\n  output y[t, c] = sum(k: p[c, k] * x[t, k + 10])\n'],
  ['a part of a row that begins between pairs', 64, [0, 8], '  axis k = 45\n  axis c = 64\n  axis w = 64\n  input x[t, w]\n  param p[c, k] = uniform(-1, 1)\n  output y[t, c] = sum(k: p[c, k] * x[t, k + 9])\n'],
];
const compiled = (body: string, storage: Narrow): ReturnType<typeof compileText> => compileText(`model M {\n${body}}\n`, 'auto', { cuda: true, storage });
const contraction = ({ module }: Problem): NonNullable<ReturnType<typeof compileText>['module']>['kernels'][number] => {
  const [kernel] = [...(module.cuda?.kernelOf ?? [])].flatMap(([stage, k]) => (stage.anchor === 'contraction' ? [k] : []));
  if (!kernel) throw new Error('no product');
  return kernel;
};

describe.skipIf(missing !== undefined)(`products of tiles${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, () => {
  let library = '';
  const made = (['f16', 'bf16'] as const).flatMap((storage) => programs.map(([name, rows, copies, body], k) => {
    const of = compiled(body, storage);
    return { name, storage, rows, copies, prefix: `${storage}_${k}_`, problems: SEEDS.map((seed) => problem(of, seed)) };
  }));
  const first = made[0] as (typeof made)[number];
  const source = first.problems[0]?.module.cuda?.source ?? '';
  /** A wrong element of a tile, of the sums, a line too many, a missing barrier or wait: each is one change of what ships. */
  const planted: readonly (readonly [name: string, wrong: string])[] = [
    ['another line', source.replace('lid % 16 * ', '(lid + 1) % 16 * ')],
    ['the other eight', source.replace('lid % 32 / 16 * 8', '(1 - lid % 32 / 16) * 8')],
    ['half a line further', source.replace('lid % 32 / 16 * 8', 'lid % 32 / 16 * 8 + 4')],
    ['turned', source.replace('ssm_load_turned(&', 'ssm_load_tile(&')],
    ['quarters exchanged', source.replace(/ssm_y0\.a, ssm_y0\.b/, 'ssm_y0.b, ssm_y0.a')],
    ['columns exchanged', source.replace(/ssm_y0\.a, ssm_y0\.b/, 'ssm_y0.c, ssm_y0.d')],
    ['sums exchanged', source.replace(/ssm_multiply_f16\((\w+), (\w+), (\w+), (\w+), ssm_x0/, 'ssm_multiply_f16($1, $3, $2, $4, ssm_x0')],
    ['no wait', source.replace(/(extern "C"[\s\S]*?)ssm_await<0>\(\);/, '$1')],
    ['no barrier', source.replace(/(extern "C"[\s\S]*?)__syncthreads\(\);/, '$1')],
  ];
  beforeAll(async () => {
    library = await buildLibrary([
      ...made.map(({ prefix, problems }) => ({ prefix, source: problems[0]?.module.cuda?.source ?? '' })),
      ...planted.map(([, wrong], k) => ({ prefix: `wrong${k}_`, source: wrong })),
    ]);
  }, 600_000);
  afterAll(() => {
    if (library !== '') rmSync(dirname(library), { recursive: true, force: true });
  });
  it.each(made)('$storage, $name: rows of $rows, copies of $copies', async ({ storage, rows, copies, prefix, problems }) => {
    for (const p of problems) {
      const { module, weights, inputs, lengths } = p;
      if (!module.cuda) throw new Error('no kernels for CUDA');
      const kernel = contraction(p);
      expect(kernel.grid?.groups.per).toBe(rows);
      const text = printKernel(kernel);
      expect(text).toMatch(/\) \+= \$rows\[.*\] \. \$columns\[/);
      const width = (memory: string): number => Number(new RegExp(`copy \\${memory}.* width (\\d)`).exec(text)?.[1] ?? 0);
      expect([width('$rows'), width('$columns')]).toEqual(copies);
      // Of what is stored the products are exact: the sums are float32's.
      const exact = interpret(module.cuda.graph.program, weights, inputs, {
        ...(lengths ? { lengths } : {}), stored: (d, data) => { if (d.name in { x: 1, z: 1, w: 1, v: 1, p: 1, b: 1 }) roundNarrow(data, storage); },
      }).outputs;
      const bits: string[] = [];
      for (const tile of [1, 7, 40, 1000]) {
        const got = await emulate(library, prefix, module.cuda, { weights, inputs, lengths, tile });
        for (const { output, error } of errors(exact, got)) expect(error, `${output}, tiles of ${tile}`).toBeLessThanOrEqual(TOLERANCE);
        bits.push(Buffer.concat([...got.values()].map(({ data }) => Buffer.from(data.buffer))).toString('hex'));
      }
      // However a sequence is cut, and pushed step by step.
      expect(new Set(bits).size).toBe(1);
    }
  }, 120_000);
  it.each(planted.map(([name], k) => [name, k] as const))('a fault is found: %s', async (_, k) => {
    expect(planted[k]?.[1]).not.toBe(source);
    const { module, weights, inputs, lengths, reference } = first.problems[0] as Problem;
    if (!module.cuda) throw new Error('no kernels for CUDA');
    const out = await emulate(library, `wrong${k}_`, module.cuda, { weights, inputs, lengths }).catch((error: unknown) => error);
    if (out instanceof Error) expect(out.message).toContain('shared memory');
    else for (const { error } of errors(reference, out as Map<string, { data: Float32Array }>)) expect(error).toBeGreaterThan(0.1);
  }, 120_000);
});

describe('which products are of tiles', () => {
  const isOfTiles = (body: string, storage: 'f32' | Narrow): boolean => printKernel(contraction(problem(compileText(`model M {\n${body}}\n`, 'auto', { cuda: true, storage }), 0))).includes('+= $rows');
  it.each([
    ['as they are stored', product(32, 32), true, true],
    ['fewer than sixteen members', product(15, 32), false, false],
    ['fewer than sixteen columns', product(32, 15), false, false],
    ['no larger than what is read', product(32, 32, 'sum(k: w[c, k] * silu(x[t, k]))'), true, true],
    ['what may be larger', product(32, 32, 'sum(k: w[c, k] * (x[t, k] * x[t, k]))'), false, true],
    ['a sum', product(32, 32, 'sum(k: w[c, k] * (x[t, k] + 1))'), false, true],
    ['an exponential', product(32, 32, 'sum(k: w[c, k] * exp(x[t, k]))'), false, true],
    ['what is kept as it was computed', '  axis k = 32\n  axis c = 32\n  input x[t, k]\n  param w[c, k] = 1\n  param a[k] = 0.5\n  state h[t, k] = a[k] * h[t-1, k] + x[t, k]\n  output z[t, k] = h[t, k] + 1\n  output y[t, c] = sum(k: w[c, k] * z[t, k])\n', false, false],
  ])('%s', (_, body, f16, bf16) => {
    expect([isOfTiles(body, 'f32'), isOfTiles(body, 'f16'), isOfTiles(body, 'bf16')]).toEqual([false, f16, bf16]);
  });
});
