/** What users touch: the generated module in Node on the test driver, by NVRTC and by what was compiled; `ssmc run` and `verify`; and bundles for browsers, which leave CUDA out. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { numbers } from '../runtime/small.js';
import { buildKernels, imageFile, missing, root, tools, type BuiltKernels, type Tools } from './driver/tools.js';
import { small } from './load.js';

const cli = join(root, 'dist/src/cli/main.js');
const why = missing ?? (existsSync(cli) ? undefined : 'built package: npm run build');

describe.skipIf(why !== undefined)(`CUDA in Node${why === undefined ? '' : ` (skipped: there is no ${why})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ssmc-cuda-module-'));
  let t: Tools;
  let kernels: BuiltKernels;
  let env: Record<string, string>;
  /** Without nvcc on the path, with the test driver in the real one's place. */
  const node = (args: readonly string[], more: Readonly<Record<string, string>> = {}): { status: number | null; stdout: string; stderr: string } => spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', env: { ...env, ...more } });
  beforeAll(async () => {
    t = await tools();
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(root, join(folder, 'node_modules', 'ssmc'));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(folder, 'small.ssm'), small);
    env = { HOME: folder, PATH: '/no/nvcc' };
    expect(node([cli, 'compile', 'small.ssm', '--target', 'wasm', '--target', 'cuda'])).toMatchObject({ status: 0, stderr: expect.stringContaining('nvcc is not on the path') as string });
    const source = readdirSync(join(folder, 'gen')).find((f) => f.endsWith('.cu')) as string;
    kernels = await buildKernels(readFileSync(join(folder, 'gen', source), 'utf8'));
    env = { ...env, SSMC_CUDA_DRIVER: t.driver, SSMC_NVRTC: t.nvrtc, SSMC_TEST_IMAGE: imageFile(kernels.image('sm_80')) };
    writeFileSync(join(folder, 'weights.mjs'), '');
    expect(node([cli, 'weights', 'small.ssm', '--init', '1', '--out', 'w.safetensors']).status).toBe(0);
    writeFileSync(join(folder, 'use.mjs'), `import { Small } from './gen/small.js';
      const x = Float32Array.from(${JSON.stringify([...numbers(15, 1)])});
      const model = await Small.load({ weights: 'w.safetensors', device: process.argv[2] ?? 'auto' });
      const { y } = await model.run({ x });
      const stream = model.stream();
      const parts = [];
      for (let k = 0; k < 5; k++) parts.push(...(await stream.push({ x: x.slice(3 * k, 3 * k + 3) })).y.data);
      console.log(JSON.stringify({ device: model.device, y: [...y.data], same: parts.every((v, k) => v === y.data[k]) }));
      model.dispose();`);
  }, 600_000);
  afterAll(() => {
    kernels?.dispose();
    rmSync(folder, { recursive: true, force: true });
  });
  const used = (more: Readonly<Record<string, string>> = {}, device = 'auto'): { device: { name: string; passedOver: { device: string; why: string }[] }; y: number[]; same: boolean } => {
    const { status, stdout, stderr } = node(['use.mjs', device], more);
    expect([status, stderr]).toEqual([0, '']);
    return JSON.parse(stdout) as ReturnType<typeof used>;
  };

  it('is preferred by auto, its kernels compiled by NVRTC', () => {
    const found = used();
    expect(found).toMatchObject({ device: { name: 'cuda', passedOver: [] }, same: true });
    const { y } = used({}, 'wasm');
    found.y.forEach((v, k) => { expect(v).toBeCloseTo(y[k] as number, 5); });
  });
  it('is passed over with the reason: no driver, no kernels that it takes', () => {
    expect(used({ SSMC_CUDA_DRIVER: '/no/libcuda.so.1' }).device).toMatchObject({ name: 'wasm', passedOver: [{ device: 'cuda', why: expect.stringMatching(/^SSM5511: there is no CUDA driver: \/no\/libcuda/) as string }] });
    expect(used({ SSMC_NVRTC: '/no/libnvrtc.so' }).device).toMatchObject({ name: 'wasm', passedOver: [{ device: 'cuda', why: expect.stringMatching(/^SSM5514: there are no kernels for the CUDA device: none were compiled, the device is sm_90; NVRTC is not here/) as string }] });
    expect(node(['use.mjs', 'cuda'], { SSMC_CUDA_DRIVER: '/no/libcuda.so.1' })).toMatchObject({ status: 1, stderr: expect.stringContaining('SSM5511') as string });
  });
  it('takes what was compiled for its generation, else PTX', () => {
    const plan = readdirSync(join(folder, 'gen')).find((f) => f.endsWith('.cuda.json')) as string;
    const path = join(folder, 'gen', plan);
    const text = readFileSync(path, 'utf8');
    const parsed = JSON.parse(text) as { images: object[] };
    for (const arch of ['sm_80', 'sm_90']) {
      writeFileSync(join(folder, 'gen', `${arch}.cubin`), kernels.image(arch));
      writeFileSync(join(folder, 'gen', `${arch}.ptx`), kernels.image(`ptx-${arch}`));
    }
    const compiled = (...archs: string[]): void => writeFileSync(path, JSON.stringify({ ...parsed, images: archs.map((arch) => ({ arch, ptx: `${arch}.ptx`, cubin: `${arch}.cubin` })) }));
    compiled('sm_80', 'sm_90');
    expect(used({ SSMC_NVRTC: '/no/libnvrtc.so' }).device.name).toBe('cuda');
    compiled('sm_80');
    expect(used({ SSMC_NVRTC: '/no/libnvrtc.so' }).device.name).toBe('cuda');
    writeFileSync(path, text);
  });
  it('ssmc run and verify', () => {
    expect(node([cli, 'verify', 'small.ssm', '--device', 'cuda', '--seed', '3'])).toMatchObject({ status: 0, stdout: expect.stringMatching(/^cuda {2}y {2}\d\.\d\de-\d\ncuda {2}z {2}\d/) as string });
    expect(node([cli, 'verify', 'small.ssm', '--device', 'cuda'], { SSMC_CUDA_DRIVER: '/no/libcuda.so.1' })).toMatchObject({ status: 1, stderr: expect.stringContaining('SSM5511') as string });
    writeFileSync(join(folder, 'x.mjs'), `import { writeSafetensors } from 'ssmc/runtime'; import { writeFileSync } from 'node:fs'; writeFileSync('x.safetensors', writeSafetensors(new Map([['x', { shape: [1, 5, 3], data: new Float32Array(15).fill(0.5) }]])));`);
    expect(node(['x.mjs']).status).toBe(0);
    const run = (device: string): unknown => JSON.parse(node([cli, 'run', 'small.ssm', '--weights', 'w.safetensors', '--input', 'x.safetensors', '--output', 'y.safetensors', '--device', device, '--json']).stdout);
    expect(run('cuda')).toMatchObject({ device: 'cuda', outputs: { y: [1, 5, 3] } });
    expect(run('auto')).toMatchObject({ device: 'cuda', passedOver: [] });
  });
  it('browsers get none of it', async () => {
    const entry = join(folder, 'page.mjs');
    writeFileSync(entry, `import { Small } from './gen/small.js'; globalThis.go = () => Small.load({ weights: {} });`);
    const { outputFiles, errors, warnings } = await build({ entryPoints: [entry], bundle: true, format: 'esm', platform: 'browser', splitting: true, outdir: join(folder, 'out'), write: false, logLevel: 'silent' });
    expect([errors, warnings]).toEqual([[], []]);
    const text = outputFiles.map((f) => f.text).join('\n');
    expect(text).toContain('this is not Node');
    expect(text).not.toMatch(/createRequire|prebuilds|libcuda|libnvrtc/);
  });
});
