import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, mkdirSync, cpSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandLine } from './command-line.js';
import { readSafetensors, writeSafetensors } from '../../src/runtime/index.js';
import { normwise } from '../../src/cli/tensors.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'ssmc-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const ssmc = commandLine(folder);
const mex = join(root, 'examples/mex/mex.ssm');
const data = (name: string): string => join(root, 'examples/mex/data', name);

describe('ssmc', () => {
  beforeAll(() => {
    writeFileSync(join(folder, 'package.json'), '{}');
    writeFileSync(join(folder, 'small.ssm'), 'model Small {\n  axis c = 5\n  input x[t, c]\n  param a[c] = uniform(0, 0.9)\n  state h[t, c] = a[c] * h[t-1, c] + x[t, c]\n  output y[t, c] = h[t, c]\n}\n');
    writeFileSync(join(folder, 'bad.ssm'), 'model Bad {\n  axis c = 5\n  input x[t, c]\n  a[t, c] = q[t, c]\n  output y[t, c] = sofplus(x[t, c])\n}\n');
  });
  it('has help for itself and each command, and exit code 2 for wrong usage', async () => {
    expect((await ssmc('--help')).out).toContain('compile SPEC');
    for (const c of ['compile', 'check', 'run', 'verify', 'weights', 'explain']) expect(await ssmc(c, '--help')).toMatchObject({ code: 0, out: expect.stringContaining(`ssmc ${c}`) as string });
    expect(await ssmc('chek')).toMatchObject({ code: 2, err: expect.stringContaining('did you mean `check`?') as string });
    expect(await ssmc('check', 'small.ssm', '--jso')).toMatchObject({ code: 2, err: expect.stringContaining('did you mean --json?') as string });
    expect(await ssmc('check')).toMatchObject({ code: 2 });
    expect(await ssmc('compile', 'small.ssm', '--strategy', 'fast')).toMatchObject({ code: 2 });
  });
  it('reports every error with code, place and fix, and writes nothing', async () => {
    const r = await ssmc('compile', 'bad.ssm', '-o', 'bad-out');
    expect(r.code).toBe(1);
    expect(r.err).toContain('error[SSM2001]: `q` is not defined');
    expect(r.err).toContain('bad.ssm:4:13');
    expect(r.err).toContain('did you mean `softplus`?');
    expect(r.err).toContain('2 errors');
    expect(readdirSync(folder)).not.toContain('bad-out');
    const json = JSON.parse((await ssmc('check', 'bad.ssm', '--json')).out) as { diagnostics: { code: string; start: { line: number } }[] };
    expect(json.diagnostics.filter((d) => d.code === 'SSM2001')[0]?.start.line).toBe(4);
    expect(await ssmc('check', 'none.ssm')).toMatchObject({ code: 1 });
  });
  it('compiles, says when the output is stale, and keeps files that are not ours', async () => {
    mkdirSync(join(folder, 'gen'));
    writeFileSync(join(folder, 'gen', 'mine.txt'), 'mine');
    expect((await ssmc('compile', 'small.ssm', '--check')).code).toBe(1);
    expect((await ssmc('compile', 'small.ssm', '--relaxed')).code).toBe(0);
    const files = readdirSync(join(folder, 'gen')).sort();
    expect(files.filter((f) => f.endsWith('.wasm'))).toHaveLength(2);
    expect(files).toEqual(expect.arrayContaining(['mine.txt', 'small.d.ts', 'small.js']));
    expect((await ssmc('compile', 'small.ssm', '--relaxed', '--check')).code).toBe(0);
    expect((await ssmc('compile', 'small.ssm')).code).toBe(0);
    expect(readdirSync(join(folder, 'gen')).filter((f) => f.endsWith('.wasm'))).toHaveLength(1);
  });
  it('makes weights, checks them, runs and verifies', async () => {
    expect((await ssmc('weights', 'small.ssm')).out).toBe('a  [5]  uniform(0, 0.9)\n');
    expect((await ssmc('weights', 'small.ssm', '--init', '3', '--out', 'w.safetensors')).code).toBe(0);
    expect((await ssmc('weights', 'small.ssm', '--check', 'w.safetensors')).code).toBe(0);
    writeFileSync(join(folder, 'other.safetensors'), writeSafetensors({ A: { data: new Float32Array(5), shape: [5] } }));
    expect(await ssmc('weights', 'small.ssm', '--check', 'other.safetensors')).toMatchObject({ code: 1, out: expect.stringContaining('missing a [5]; nearest: A') as string });
    writeFileSync(join(folder, 'x.safetensors'), writeSafetensors({ x: { data: Float32Array.from({ length: 30 }, (_, k) => Math.sin(k)), shape: [2, 3, 5] } }));
    const files = ['--weights', 'w.safetensors', '--input', 'x.safetensors'];
    expect((await ssmc('run', 'small.ssm', ...files, '--output', 'y.safetensors')).code).toBe(0);
    expect((await ssmc('run', 'small.ssm', ...files, '--output', 'z.safetensors', '--device', 'interpreter', '--trace', 'h')).code).toBe(0);
    const tensor = (f: string, n: string): Float64Array => readSafetensors(new Uint8Array(readFileSync(join(folder, f)))).tensor(n).toFloat64();
    expect(normwise(tensor('y.safetensors', 'y'), tensor('z.safetensors', 'y'))).toBeLessThan(1e-6);
    expect([...tensor('z.safetensors', 'h')]).toEqual([...tensor('z.safetensors', 'y')]);
    expect(await ssmc('run', 'small.ssm', '--input', 'x.safetensors', '--output', 'q.safetensors')).toMatchObject({ code: 1, err: expect.stringContaining('ssmc weights') as string });
    expect(await ssmc('run', 'small.ssm', '--weights', 'other.safetensors', '--input', 'x.safetensors', '--output', 'q.safetensors')).toMatchObject({ code: 1, err: expect.stringContaining('lacks `a`') as string });
    expect(await ssmc('run', 'small.ssm', '--weights', 'x.safetensors', '--input', 'w.safetensors', '--output', 'q.safetensors')).toMatchObject({ code: 1 });
    expect(readdirSync(folder)).not.toContain('q.safetensors');
    for (const s of ['auto', 'chunked', 'step']) expect((await ssmc('verify', 'small.ssm', '--strategy', s)).code).toBe(0);
  });
  it('gives the logits of examples/mex from files', async () => {
    for (const [device, limit] of [['wasm', 1e-5], ['interpreter', 1e-9]] as const) {
      const r = await ssmc('run', mex, '--weights', data('coupled.safetensors'), '--input', data('parity-coupled.safetensors'), '--output', `${device}.safetensors`, '--device', device);
      expect(r).toMatchObject({ code: 0 });
      const got = readSafetensors(new Uint8Array(readFileSync(join(folder, `${device}.safetensors`)))).tensor('logits').toFloat64();
      const want = readSafetensors(new Uint8Array(readFileSync(data('parity-coupled.safetensors')))).tensor('logits_f64').toFloat64();
      expect(normwise(got, want)).toBeLessThan(limit);
    }
  });
  it('explains: one scan for three chains, bytes near the least', async () => {
    const text = (await ssmc('explain', mex)).out;
    expect(text).toContain('one scan for 3 chains');
    writeFileSync(join(folder, 'wide.ssm'), 'model Wide {\n  modalities m = a, b, d\n  axis d = 1536\n  axis n = 16\n  input dt[t, m, d]\n  input B[t, m, n]\n  input C[t, m, n]\n  input u[t, m, d]\n  param A_log[m, d, n] = log(n + 1)\n  A[m, d, n] = -exp(A_log[m, d, n])\n  state h[t, m, d, n] = exp(dt[t, m, d] * A[m, d, n]) * mean(i: h[t-1, i, d, n]) + dt[t, m, d] * B[t, m, n] * u[t, m, d]\n  output y[t, m, d] = sum(n: C[t, m, n] * h[t, m, d, n])\n}\n');
    const e = JSON.parse((await ssmc('explain', 'wide.ssm', '--batch', '8', '--length', '4096', '--json')).out) as { stages: { anchor: string; bytes: number; must: number; materialised: number; scans?: { run: number; chains: number } }[] };
    const scan = e.stages.find((s) => s.anchor === 'scan');
    expect(scan?.scans).toEqual({ chains: 3, run: 1 });
    expect(scan?.must).toBeLessThan(1.85e9);
    expect((scan?.bytes ?? Infinity) / (scan?.must ?? 0)).toBeLessThan(1.2);
    expect(scan?.materialised).toBeGreaterThan(20e9);
    expect((await ssmc('explain', mex, '--after', 'collapse-coupling')).out).toContain('#chain');
    expect((await ssmc('explain', 'small.ssm', '--after', 'split-complex')).out).toContain('unchanged');
    expect((await ssmc('explain', 'small.ssm', '--kernels')).out).toContain('kernel ');
  });
  it('explains what a run and a push cost on WebGPU', async () => {
    const { out, code } = await ssmc('explain', mex, '--target', 'wgsl', '--length', '64');
    expect(code).toBe(0);
    expect(out).toMatch(/^a run +\d+ dispatches, .* moved, .* asked for.*; .* barriers; .* operations, .* exponentials$/m);
    expect(out).toMatch(/^a push +\d+ dispatches, /m);
    const json = JSON.parse((await ssmc('explain', mex, '--target', 'wgsl', '--json')).out) as { run: { dispatches: number }; kernels: { run: { dispatches: number } }[] };
    expect(json.run.dispatches).toBe(json.kernels.reduce((n, k) => n + k.run.dispatches, 0));
    const kernels = (await ssmc('explain', mex, '--target', 'wgsl', '--kernels')).out;
    expect(kernels).toContain(' threads in ');
    expect(kernels).toContain('@compute @workgroup_size(');
  });
  it('leaves the old module or the new one when it is killed', async () => {
    const where = join(folder, 'killed');
    cpSync(join(folder, 'small.ssm'), join(folder, 'kill.ssm'));
    const cli = join(root, 'dist/src/cli/main.js');
    const compileAt = (step?: string): number | null => spawnSync(process.execPath, [cli, 'compile', 'kill.ssm', '-o', where], { cwd: folder, env: { ...process.env, ...(step ? { SSMC_KILL_AT: step } : {}) } }).status;
    expect(compileAt()).toBe(0);
    const module = (): { js: string; refers: string } => { const js = readFileSync(join(where, 'small.js'), 'utf8'); return { js, refers: /small\.[0-9a-f]{8}\.wasm/.exec(js)?.[0] ?? '' }; };
    const old = module();
    writeFileSync(join(folder, 'kill.ssm'), readFileSync(join(folder, 'small.ssm'), 'utf8').replace('a[c] * h', 'a[c] * 0.5 * h'));
    for (const step of ['written small.d.ts', 'renamed small.d.ts', 'written small.js', 'renamed small.js']) {
      expect(compileAt(step)).toBeNull();
      const now = module();
      expect(readdirSync(where)).toContain(now.refers);
      expect(step === 'renamed small.js' ? now.js !== old.js : now.js === old.js).toBe(true);
    }
    expect(compileAt()).toBe(0);
    expect(readdirSync(where).filter((f) => f.startsWith('.ssmc'))).toEqual([]);
    expect(readdirSync(where).filter((f) => f.endsWith('.wasm'))).toEqual([module().refers]);
  });
});
