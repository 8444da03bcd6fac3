/**
 * Every elementary function of the CUDA source, on the CPU, over the whole range of float32 against float64. There is no approximate
 * instruction in them, so that a GPU gives the same bits; NaN stays NaN. The worst seen are those of test/wasm/math.test.ts.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { functionTexts, type CudaFunction } from '../../targets/cuda/functions.js';
import { cases, samples, worstOf, type Case } from '../functions/cases.js';
import { scriptOf } from './emulate.js';
import { buildLibrary, missing, runner } from './library.js';

const all = Object.entries(cases) as [CudaFunction, Case][];
const kernel = (name: CudaFunction): string => `extern "C" __global__ void __launch_bounds__(64) ${name}_all(const float* __restrict__ x, float* __restrict__ y, int n) {
  const int id = blockIdx.x * 64 + threadIdx.x;
  if (id < n) y[id] = ssm_${name}(x[id]);
}
`;

describe.skipIf(missing !== undefined)(`elementary functions of CUDA against float64${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, () => {
  const x = samples();
  let library = '';
  beforeAll(async () => {
    library = await buildLibrary([{ prefix: '', source: [...functionTexts(new Set(all.map(([name]) => name))), ...all.map(([name]) => kernel(name))].join('\n') }]);
  }, 600_000);
  afterAll(() => {
    if (library !== '') rmSync(dirname(library), { recursive: true, force: true });
  });
  const evaluate = (name: CudaFunction, given: Float32Array): Float32Array => {
    const script = scriptOf([
      { allocate: 0, bytes: given.byteLength }, { write: 0, bytes: new Uint8Array(given.buffer) }, { allocate: 1, bytes: given.byteLength },
      { launch: `${name}_all`, grid: [Math.ceil(given.length / 64), 1], threads: 64, arguments: [[1, 0], [1, 1], [0, given.length]] }, { read: 1 },
    ]);
    const { status, stdout, stderr } = spawnSync(runner(library), [library], { input: script, maxBuffer: 2 ** 28 });
    expect([status, stderr.toString()]).toEqual([0, '']);
    return new Float32Array(new Uint8Array(stdout).buffer);
  };
  it.each(all)('%s', (name, c) => {
    const { tested, error, at, got, bound } = worstOf(c, x, evaluate(name, x));
    expect(tested).toBeGreaterThan(1000);
    expect(error, `at ${at}: ${got}`).toBeLessThanOrEqual(bound);
  });
  it.each(all.map(([name]) => name))('%s of NaN', (name) => {
    expect(evaluate(name, Float32Array.of(NaN))[0]).toBeNaN();
  });
});
