/** `--storage f16` and `bf16` on the command line: compiled, explained, run and verified. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { commandLine } from '../cli/command-line.js';
import { readSafetensors, writeSafetensors } from '../../src/runtime/index.js';
import { numbers } from '../runtime/small.js';
import { missing } from './device.js';

const folder = mkdtempSync(join(tmpdir(), 'ssmc-f16-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const ssmc = commandLine(folder);
writeFileSync(join(folder, 'small.ssm'), 'model Small {\n  axis c = 6\n  input x[t, c]\n  param w[c] = uniform(0.5, 1)\n  u[t, c] = w[c] * x[t, c]\n  v[t, c] = u[t, c] + u[t - 1, c]\n  output y[c] = max(t: v[t, c])\n}\n');

describe('--storage f16', () => {
  it('writes a module for every adapter and one for shader-f16 beside it, and is said where it can\'t be', async () => {
    expect((await ssmc('compile', 'small.ssm', '--storage', 'f16')).code).toBe(0);
    const files = readdirSync(join(folder, 'gen'));
    const named = (pattern: RegExp): string => files.find((f) => pattern.test(f)) ?? '';
    expect(readFileSync(join(folder, 'gen', named(/^small\.[0-9a-f]{8}\.wgsl$/)), 'utf8')).toContain('array<u32>');
    expect(readFileSync(join(folder, 'gen', named(/^small\.shader-f16\.[0-9a-f]{8}\.wgsl$/)), 'utf8')).toContain('array<f16>');
    expect(readFileSync(join(folder, 'gen', 'small.js'), 'utf8')).toContain('features: ["shader-f16"]');
    // What is stale is taken away.
    expect((await ssmc('compile', 'small.ssm')).code).toBe(0);
    expect(readdirSync(join(folder, 'gen')).filter((f) => f.includes('f16'))).toEqual([]);
    for (const wrong of [['compile', 'small.ssm', '--target', 'wasm'], ['explain', 'small.ssm'], ['run', 'small.ssm', '--input', 'x', '--output', 'y', '--device', 'wasm']]) {
      for (const type of ['f16', 'bf16']) expect(await ssmc(...wrong, '--storage', type)).toMatchObject({ code: 2, err: expect.stringContaining(`--storage ${type} is for`) as string });
    }
  });
  it('explains what is stored as what, and why', async () => {
    const { out } = await ssmc('explain', 'small.ssm', '--target', 'wgsl', '--storage', 'f16');
    expect(out).toContain('stored     u as f16: rounded when it is stored\n');
    expect(out).toContain('stored     x as f16: rounded when it is stored\n');
    expect((await ssmc('explain', 'small.ssm', '--target', 'wgsl')).out).not.toContain('stored ');
    expect((await ssmc('explain', 'small.ssm', '--target', 'cuda', '--storage', 'bf16')).out).toContain('stored     u as bf16: rounded when it is stored\n');
    writeFileSync(join(folder, 'wide.ssm'), 'model Wide {\n  axis k = 32\n  axis c = 64\n  input x[t, k]\n  param w[c, k] = uniform(0.5, 1)\n  output y[t, c] = sum(k: w[c, k] * x[t, k])\n}\n');
    const tensor = async (storage: string): Promise<boolean> => (await ssmc('explain', 'wide.ssm', '--target', 'cuda', '--storage', storage)).out.includes('of workgroup memory, products on tensor cores\n');
    expect([await tensor('f32'), await tensor('f16'), await tensor('bf16')]).toEqual([false, true, true]);
  });
  it.skipIf(missing !== undefined).each([['f16', 2 ** -10, 4e-3], ['bf16', 2 ** -7, 3e-2]] as const)('%s is run and judged by a loop that stores so', async (type, least, most) => {
    const { code, out } = await ssmc('verify', 'small.ssm', '--storage', type, '--device', 'webgpu', '--device', 'wasm', '--json');
    expect(code).toBe(0);
    const { results } = JSON.parse(out) as { results: { device: string; error: number; limit: number }[] };
    const [wasm, webgpu] = ['wasm', 'webgpu'].map((d) => results.find((r) => r.device === d));
    expect(wasm?.limit).toBe(1e-5);
    expect(webgpu?.limit).toBeGreaterThanOrEqual(least);
    expect(webgpu?.error).toBeGreaterThan(1e-5);
    await ssmc('weights', 'small.ssm', '--init', '0', '--out', 'w.safetensors');
    writeFileSync(join(folder, 'x.safetensors'), writeSafetensors(new Map([['x', { shape: [1, 5, 6], data: numbers(30, 1) }]])));
    for (const [storage, output] of [['f32', 'a'], [type, 'b']] as const) expect((await ssmc('run', 'small.ssm', '--weights', 'w.safetensors', '--input', 'x.safetensors', '--output', output, '--device', 'webgpu', '--storage', storage)).code).toBe(0);
    const [a, b] = ['a', 'b'].map((f) => readSafetensors(new Uint8Array(readFileSync(join(folder, f)))).tensor('y').toFloat32());
    const apart = Math.max(...(a ?? []).map((v, i) => Math.abs(v - (b?.[i] ?? NaN))));
    expect(apart).toBeGreaterThan(1e-6);
    expect(apart).toBeLessThan(most);
  });
});
