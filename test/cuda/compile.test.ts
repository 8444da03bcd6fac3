/** `ssmc compile --target cuda`: what is written with nvcc on the path and without, and what is refused. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandLine } from '../cli/command-line.js';
import { version } from './nvcc.js';

const folder = mkdtempSync(join(tmpdir(), 'ssmc-cuda-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const ssmc = commandLine(folder);
interface Plan {
  readonly source: string;
  readonly options: readonly string[];
  readonly images: readonly { readonly arch: string; readonly ptx: string; readonly cubin: string }[];
}
const planIn = (name: string): Plan => JSON.parse(readFileSync(join(folder, name, readdirSync(join(folder, name)).find((f) => f.endsWith('.cuda.json')) ?? ''), 'utf8')) as Plan;

describe('ssmc compile --target cuda', () => {
  beforeAll(() => writeFileSync(join(folder, 'small.ssm'), 'model Small {\n  axis c = 5\n  input x[t, c]\n  param a[c] = uniform(0, 0.9)\n  state h[t, c] = a[c] * h[t-1, c] + x[t, c]\n  output y[t, c] = h[t, c]\n}\n'));
  it('without nvcc: the source alone, and says so', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = folder;
    try {
      expect(await ssmc('compile', 'small.ssm', '--target', 'cuda', '-o', 'alone')).toMatchObject({ code: 0, err: expect.stringContaining('nvcc is not on the path') as string });
    } finally {
      process.env['PATH'] = path;
    }
    const { source, options, images } = planIn('alone');
    expect(images).toEqual([]);
    expect(options).toContain('--fmad=false');
    const text = readFileSync(join(folder, 'alone', source), 'utf8');
    expect(text).toMatch(/extern "C" __global__ void __launch_bounds__\(5, 1\) k\d+_y\(/);
    // NVRTC has no headers of the host.
    expect(text).not.toMatch(/^#include/m);
  });
  it.skipIf(version === undefined)(`with nvcc: PTX and machine code for each architecture, and the same again is current${version === undefined ? ' (skipped: nvcc is not on the path)' : ''}`, async () => {
    const asked = ['compile', 'small.ssm', '--target', 'cuda', '--arch', 'sm_80', '--arch', 'sm_90', '-o', 'images'];
    expect(await ssmc(...asked)).toMatchObject({ code: 0 });
    const { images } = planIn('images');
    expect(images.map((i) => i.arch)).toEqual(['sm_80', 'sm_90']);
    for (const { arch, ptx, cubin } of images) {
      expect(readFileSync(join(folder, 'images', ptx), 'latin1')).toContain(`.target ${arch}`);
      expect([...readFileSync(join(folder, 'images', cubin)).subarray(0, 4)]).toEqual([0x7f, 0x45, 0x4c, 0x46]);
    }
    expect((await ssmc(...asked, '--check')).code).toBe(0);
    // One architecture in place of two: what nothing needs any more is gone.
    expect((await ssmc('compile', 'small.ssm', '--target', 'cuda', '--arch', 'sm_90', '-o', 'images')).code).toBe(0);
    expect(readdirSync(join(folder, 'images')).filter((f) => f.includes('sm_80'))).toEqual([]);
    expect(await ssmc('compile', 'small.ssm', '--target', 'cuda', '--arch', 'sm_999', '-o', 'images')).toMatchObject({ code: 2, err: expect.stringContaining('sm_999') as string });
  }, 300_000);
  it('refuses what is no architecture, one that is too old, and one without CUDA', async () => {
    for (const [arch, why] of [['hopper', 'such as sm_80'], ['sm_75', 'sm_80 or later']] as const) {
      expect(await ssmc('compile', 'small.ssm', '--target', 'cuda', '--arch', arch)).toMatchObject({ code: 2, err: expect.stringContaining(why) as string });
    }
    expect(await ssmc('compile', 'small.ssm', '--arch', 'sm_90')).toMatchObject({ code: 2, err: expect.stringContaining('--target cuda') as string });
  });
});
