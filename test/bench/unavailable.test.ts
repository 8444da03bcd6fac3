/** Where tools are missing, peers are skipped with a word why. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { measure } from '../../src/bench/rounds.js';
import { launchesName } from '../../src/bench/scan/cuda.js';
import { cudaContest, scanContest } from '../../src/bench/scan/contests.js';
import { cudaNames, nativeNames, torchNames } from '../../src/bench/scan/processes.js';
import { scanProblem } from '../../src/bench/scan/problem.js';

vi.mock('node:child_process', async (actual) => ({ ...(await actual<typeof import('node:child_process')>()), spawnSync: () => ({ status: 127, stdout: '', stderr: '' }) }));
vi.mock('onnxruntime-node', () => {
  throw new Error('Cannot find package');
});

describe('a contest on a machine without compiler, PyTorch and ONNX Runtime', () => {
  it('is held among those who are here', async () => {
    const contest = scanContest(scanProblem({ steps: 9, channels: 8, states: 3, modalities: 3 }), [{ peer: nativeNames.scalar, ours: 'ssmc, wasm simd128', atLeast: 4 }]);
    const result = await measure({ name: 'scan', title: '', ...contest }, { rounds: 1, cap: 0 });
    const skipped = Object.fromEntries(result.rows.map((r) => [r.name, r.skipped]));
    for (const name of Object.values(nativeNames)) expect(skipped[name]).toBe('no C++ compiler here');
    for (const name of Object.values(torchNames)) expect(skipped[name]).toBe('no python3 here that imports torch');
    expect(skipped['onnxruntime-node']).toContain('no onnxruntime-node here');
    expect(skipped['ssmc, wasm relaxed SIMD']).toMatch(/^(this engine has no relaxed SIMD|our own child processes need the built package)$/);
    expect(result.rows.filter((r) => r.skipped === undefined).map((r) => r.name)).toEqual(expect.arrayContaining(['ssmc, wasm simd128', 'TypeScript loop']));
    expect(result.goals[0]?.met).toBeUndefined();
  });
});

describe('a contest on CUDA where there is no driver, PyTorch or mamba_ssm', () => {
  afterEach(() => vi.unstubAllEnvs());
  it('says so in each row, and nothing is measured', async () => {
    vi.stubEnv('SSMC_CUDA_DRIVER', '/no/libcuda.so.1');
    const result = await measure({ name: 'scan', title: '', ...cudaContest(scanProblem({ steps: 9, channels: 8, states: 3, modalities: 3 })) }, { rounds: 1, cap: 0 });
    const skipped = new Map(result.rows.map((r) => [r.name, r.skipped]));
    expect(skipped.get(launchesName)).toMatch(/^SSM551[01]: /);
    for (const name of Object.values(cudaNames)) expect(skipped.get(name)).toBe('no python3 here that imports torch');
    expect([...skipped.values()]).not.toContain(undefined);
    expect(result.rows.some((r) => r.ms !== undefined || r.bytesPerSecond !== undefined)).toBe(false);
    expect(result.goals.every((g) => g.met === undefined)).toBe(true);
    expect(result.device).toBeUndefined();
  });
});
