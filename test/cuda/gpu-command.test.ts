/** `npm run test:gpu` from end to end on the test driver: the table that it writes is marked, and whatever fails or is skipped ends it with status 1. */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing, root, tools, type Tools } from './driver/tools.js';
import { isEmulated, placed, tableOf, type Found } from './gpu/table.mjs';

const page = join(root, 'targets/cuda/README.md');
const built = join(root, 'dist/src/cli/main.js');

describe.skipIf(missing !== undefined)(`npm run test:gpu, on a driver for tests${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, () => {
  let t: Tools;
  let folder = '';
  const spec = (): string => join(folder, 'tiny.ssm');
  /** In its folder a page to write to, and a stand-in for nvcc before all others on the path. */
  beforeAll(async () => {
    expect(existsSync(built), 'it takes the built package: npm run build').toBe(true);
    t = await tools();
    folder = mkdtempSync(join(tmpdir(), 'ssmc-gpu-command-'));
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    await build({ entryPoints: [join(import.meta.dirname, 'driver/compiler.ts')], bundle: true, platform: 'node', format: 'esm', outfile: join(bin, 'nvcc.mjs'), define: { 'import.meta.dirname': JSON.stringify(import.meta.dirname) }, logLevel: 'error' });
    writeFileSync(join(bin, 'nvcc'), `#!/bin/sh\nexec "${process.execPath}" "${join(bin, 'nvcc.mjs')}" "$@"\n`);
    chmodSync(join(bin, 'nvcc'), 0o755);
    writeFileSync(spec(), 'model Tiny {\n  axis c = 3\n  input x[t, c]\n  param a[c] = uniform(0.1, 0.9)\n  state h[t, c] = a[c] * h[t-1, c] + x[t, c]\n  output y[t, c] = h[t, c]\n}\n');
  }, 600_000);
  afterAll(() => {
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  });
  const command = (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<{ readonly status: number | null; readonly words: string }> => new Promise((resolve) => {
    const { VITEST: _, VITEST_WORKER_ID: __, VITEST_POOL_ID: ___, NODE_ENV: ____, ...outer } = process.env;
    const child = spawn(process.execPath, [join(import.meta.dirname, 'gpu/gpu.mjs'), ...args], {
      env: { ...outer, PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`, SSMC_CUDA_DRIVER: t.driver, SSMC_TEST_KERNELS: join(folder, 'kernels'), COUNT: '2', ...env }, stdio: ['ignore', 'pipe', 'pipe'],
    });
    let words = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (d: Buffer) => { words += d.toString(); });
    child.on('close', (status) => resolve({ status, words }));
  });
  const copy = (): string => {
    const path = join(folder, 'README.md');
    writeFileSync(path, readFileSync(page));
    return path;
  };

  it('runs all of it, and writes a table in which every row says that it is emulation', async () => {
    const before = readFileSync(page, 'utf8');
    const path = copy();
    const { status, words } = await command(['--readme', path, '--bench', 'scan/cuda-short', spec()]);
    expect(words).toContain('all agree; the table is in');
    expect(status).toBe(0);
    for (const strategy of ['auto', 'serial', 'chunked', 'convolution', 'step']) expect(words).toMatch(new RegExp(`agrees  \\S*tiny.ssm, ${strategy}: `));
    const table = readFileSync(path, 'utf8').split(/<!-- hardware: (?:begin|end) -->/)[1] ?? '';
    const lines = table.trim().split('\n');
    expect(lines[0]).toMatch(/^\*\*EMULATION: /);
    expect(table).not.toContain('Nothing has run on a GPU yet');
    expect(table).toMatch(/Test device 0, compute capability 9, .*at most 16\.0 GB\/s and 32\.0 G exponentials\/s/);
    const rows = lines.filter((l) => l.startsWith('|') && !/^\| (on|---) \|/.test(l)).map((l) => l.slice(2, -2).split(' | '));
    expect(rows.every(([on]) => on === 'EMULATION')).toBe(true);
    // The spec in five strategies; two random programs, streams, a device that is lost.
    expect(rows.slice(0, 2).map(([, , passed, of]) => [passed, of])).toEqual([['5', '5'], ['4', '4']]);
    const bench = new Map(rows.slice(2).map(([, name, contestant, ...cells]) => [`${name}: ${contestant}`, cells]));
    const [ms, ratio, bytes, exponentials, error] = bench.get('scan/cuda-short: ssmc, CUDA, launches by events') ?? [];
    // The driver's clock counts events: a millisecond between two.
    expect([ms, ratio, bytes, exponentials]).toEqual(['1.00', '1.00', '0.184 (1.2 %)', '0.197 (0.6 %)']);
    expect(Number(error)).toBeLessThan(1e-5);
    expect(bench.get('scan/cuda-short: ssmc, CUDA, run() with copies')).toHaveLength(5);
    for (const peer of ['PyTorch, best loop, on CUDA', 'mamba_ssm, selective_scan_cuda per modality (uncoupled)']) expect(bench.get(`scan/cuda-short: ${peer}`)?.[0]).toMatch(/^not measured: /);
    expect(readFileSync(page, 'utf8')).toBe(before);
  }, 900_000);
  it('does not write the test driver\'s figures where a GPU\'s belong', async () => {
    const { status, words } = await command([spec()]);
    expect([status, words.trim()]).toEqual([1, 'nothing was run: this is the test driver, and the table is for GPUs; --readme names another page']);
  }, 600_000);
  it('ends with status 1 and no table where a spec is not there, nor a bench', async () => {
    const path = copy();
    const { status, words } = await command(['--readme', path, '--bench', 'scan/cuda-none', join(folder, 'absent.ssm')], { COUNT: '0' });
    expect(status).toBe(1);
    expect(words).toMatch(/FAILED {2}\S*absent.ssm, auto: /);
    expect(words).toMatch(/FAILED {2}the benches: there is no bench `scan\/cuda-none`/);
    expect(words).toContain('no table is written');
    expect(readFileSync(path, 'utf8')).toBe(readFileSync(page, 'utf8'));
  }, 600_000);
  it('ends with status 1 where kernels can\'t be had', async () => {
    const path = copy();
    const { status, words } = await command(['--readme', path, spec()], { SSMC_TEST_KERNELS: '/dev/null' });
    expect(status).toBe(1);
    expect(words).toMatch(/^nothing was run: .*nvcc makes no cubin for sm_90/);
    expect(readFileSync(path, 'utf8')).toBe(readFileSync(page, 'utf8'));
  }, 600_000);
  it('ends with status 1 where there is no driver', async () => {
    const { status, words } = await command(['--readme', copy(), spec()], { SSMC_CUDA_DRIVER: '/no/driver.so' });
    expect(status).toBe(1);
    expect(words).toMatch(/^nothing was run: there is no CUDA driver/);
  }, 600_000);
});

describe('the table', () => {
  const found = (device: string): Found => ({ device, node: '20', nvcc: 'nvcc', checks: [{ name: 'a', passed: 1, of: 1 }], benches: [{ name: 'scan', device: { name: device, bytesPerSecond: 2e12, exponentialsPerSecond: 0 }, rows: [{ name: 'us', ms: 1.2345, ratio: 1, bytesPerSecond: 1e12, exponentialsPerSecond: 3e9 }, { name: 'peer | other', skipped: 'no such\nthing' }] }] });
  it('says GPU of a GPU alone', () => {
    expect(isEmulated('NVIDIA H100 80GB HBM3, compute capability 9')).toBe(false);
    expect(tableOf(found('NVIDIA H100 80GB HBM3'))).not.toContain('EMULATION');
    expect(tableOf(found('Test device 0, compute capability 9'))).not.toContain('| GPU |');
  });
  it('has figures and why there are none', () => {
    expect(tableOf(found('NVIDIA H100'))).toContain('| GPU | scan | us | 1.23 | 1.00 | 1000 (50.0 %) | 3.00 |  |\n| GPU | scan | peer \\| other | not measured: no such thing |');
  });
  it('takes the place of the one before, in a page that has a place', () => {
    const once = placed('a\n<!-- hardware: begin -->\nold\n<!-- hardware: end -->\nb', 'new');
    expect(once).toBe('a\n<!-- hardware: begin -->\nnew\n<!-- hardware: end -->\nb');
    expect(placed(once, 'newer')).toBe('a\n<!-- hardware: begin -->\nnewer\n<!-- hardware: end -->\nb');
    expect(() => placed('no place', 'x')).toThrow(/has no <!-- hardware: begin -->/);
  });
});
