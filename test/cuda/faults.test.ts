/** What the emulation says of kernels that are wrong: each kind of fault is planted and found, and a kernel that is right has none. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileText, randomInputs } from '../random/agree.js';
import { emulate, scriptOf } from './emulate.js';
import { buildLibrary, kernelsOf, missing, runner } from './library.js';

/** Two warps; `x` and `y` hold 64 floats each. */
const kernel = (name: string, body: string): string => `extern "C" __global__ void __launch_bounds__(64) ${name}(const float* __restrict__ x, float* __restrict__ y) {
  __shared__ float s[64];
  const int lid = threadIdx.x;
${body}
}
`;
const planted: readonly (readonly [name: string, fault: string | undefined, body: string])[] = [
  ['right', undefined, '  s[lid] = x[lid];\n  __syncthreads();\n  y[lid] = s[63 - lid] + __shfl_xor_sync(0xffffffffu, x[lid], 1);'],
  ['unwritten', 'shared memory is read that was not written', '  if (lid != 5) s[lid] = x[lid];\n  __syncthreads();\n  y[lid] = s[63 - lid];'],
  ['race', 'shared memory is read that another thread wrote, with no barrier between', '  s[lid] = x[lid];\n  const float other = __shfl_xor_sync(0xffffffffu, x[lid], 1);\n  y[lid] = s[lid ^ 1] + other;'],
  ['rewritten', 'with no barrier between', '  for (int k = 0; k < 2; k++) {\n    s[lid] = x[lid] + k;\n    __syncthreads();\n    y[lid] = s[63 - lid];\n  }'],
  ['both', 'two threads write to shared memory, with no barrier between', '  s[lid / 2] = x[lid];\n  __syncthreads();\n  y[lid] = s[lid / 2];'],
  ['past', 'a read outside every buffer', '  y[lid] = x[lid + 1];'],
  ['beyond', 'a write outside every buffer', '  y[lid + 1] = x[lid];'],
  ['same', 'two threads write to one element of a buffer', '  y[lid / 2] = x[lid];'],
  ['alone', 'threads wait at a barrier or an exchange that others do not come to', '  if (lid > 0) __syncthreads();\n  y[lid] = x[lid];'],
  ['absent', 'an exchange with a thread that is not there', '  y[lid] = __shfl_xor_sync(0xffffffffu, x[lid], 64);'],
];
/** A scan whose group brings B and C into its memory. */
const scan = 'model M {\n  axis d = 64\n  axis n = 16\n  input x[t, d]\n  input b[t, n]\n  state h[t, d, n] = 0.5 * h[t-1, d, n] + b[t, n] * x[t, d]\n  output y[t, d] = sum(n: h[t, d, n])\n}\n';

describe.skipIf(missing !== undefined)(`faults that the emulation finds${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, () => {
  let library = '';
  const shipped = compileText(scan, 'auto', { cuda: true });
  const source = shipped.module?.cuda?.source ?? '';
  /** What keeps threads in step: each barrier, and each wait for copies. */
  const steps = [...source.matchAll(/^ +(__syncthreads\(\)|ssm_await<0>\(\));$/gm)].filter((m) => m.index > source.indexOf('extern "C"'));
  const without = ({ index, 0: line }: RegExpMatchArray): string => source.slice(0, index) + source.slice((index ?? 0) + line.length);
  beforeAll(async () => {
    library = await buildLibrary([
      { prefix: '', source: planted.map(([name, , body]) => kernel(name, body)).join('\n') },
      { prefix: 'whole_', source }, ...steps.map((m, k) => ({ prefix: `without${k}_`, source: without(m) })),
    ]);
  }, 600_000);
  afterAll(() => {
    if (library !== '') rmSync(dirname(library), { recursive: true, force: true });
  });
  it.each(planted)('%s: %s', (name, fault) => {
    const script = scriptOf([
      { allocate: 0, bytes: 256 }, { write: 0, bytes: new Uint8Array(256) }, { allocate: 1, bytes: 256 },
      { launch: name, grid: [2, 1], threads: 64, arguments: [[1, 0], [1, 1]] },
    ].map((c) => (fault === undefined && 'launch' in c ? { ...c, grid: [1, 1] } : c)));
    const { status, stderr } = spawnSync(runner(library), [library], { input: script });
    if (fault === undefined) expect([status, stderr.toString()]).toEqual([0, '']);
    else expect([status, stderr.toString()]).toEqual([1, expect.stringContaining(fault)]);
  });
  it('in the source that ships: none as it is, one without a barrier, or without a wait for copies', async () => {
    const made = shipped.module?.cuda;
    if (!made || !shipped.program) throw new Error('no kernels for CUDA');
    // More than one tile of what the group brings in.
    const job = { weights: new Map(), inputs: randomInputs(shipped.program, 2, 70, 1) };
    expect(kernelsOf(source).length).toBeGreaterThan(0);
    expect(steps.map((m) => m[1])).toEqual(expect.arrayContaining(['__syncthreads()', 'ssm_await<0>()']));
    await emulate(library, 'whole_', made, job);
    for (const [k, m] of steps.entries()) await expect(emulate(library, `without${k}_`, made, job), m[1]).rejects.toThrow(/shared memory/);
  });
});
