/** Scans whose exponents are usually small, and sometimes far below what 2^x can be: both loops, and steps that pass from one to the other. */
import { describe, expect, it } from 'vitest';
import { interpret } from '../../src/interpreter/interpret.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { printKernel } from '../../src/ir/print-kernel.js';
import { normwise } from '../../src/cli/tensors.js';
import { loadModel } from '../../src/runtime/index.js';
import { compileText } from '../random/agree.js';

const STEPS = 40;
const D = 7;
const spec = (states: number): string => `model Scan {
  modalities m = a, b
  axis i = m
  axis d = ${D}
  axis n = ${states}
  param A_log[m, d, n] = log(n + 1)
  input dt[t, m, d]
  fact dt > 0
  input u[t, m, d]
  state h[t, m, d, n] = exp(-dt[t, m, d] * exp(A_log[m, d, n])) * mean(i: h[t-1, i, d, n]) + dt[t, m, d] * u[t, m, d]
  output y[t, m, d] = sum(n: h[t, m, d, n])
}`;

describe('the clamp of decays', () => {
  it('is left out where a step is bounded, and only in loops that are long enough', () => {
    const kernels = (states: number): string => (compileText(spec(states)).module?.kernels ?? []).map(printKernel).join('\n');
    expect(kernels(16)).toMatch(/if all\([\s\S]*decay_bounded\([\s\S]*else[\s\S]*decay\(/);
    expect(kernels(2)).not.toContain('decay_bounded');
  });
  it('keeps the values, and the bits of a row alone, where some steps and lanes pass the bound', async () => {
    const { module, program } = compileText(spec(16));
    if (!module || !program) throw new Error('the spec does not compile');
    const weights = new Map([...initialise(program, 3)].map(([n, t]) => [n, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
    let seed = 11;
    const next = (): number => { seed = (seed * 1103515245 + 12345) % 2 ** 31; return seed / 2 ** 31; };
    // Every fifth step one channel forgets all: its exponents reach −1600.
    const tensor = (f: (t: number, d: number) => number): { shape: number[]; data: Float32Array } => ({ shape: [2, STEPS, D], data: Float32Array.from({ length: 2 * STEPS * D }, (_, k) => f(Math.floor(k / D) % STEPS, k % D)) });
    const dt = (): ReturnType<typeof tensor> => tensor((t, d) => (t % 5 === 3 && d === t % D ? 70 : 0.001 + 0.1 * next()));
    const inputs = { 'dt.a': dt(), 'dt.b': dt(), 'u.a': tensor(() => next() - 0.5), 'u.b': tensor(() => next() - 0.5) };
    const want = interpret(program, weights, new Map(Object.entries(inputs).map(([n, t]) => [n, { shape: t.shape, data: Float64Array.from(t.data) }]))).outputs.get('y')?.data ?? [];
    const model = await loadModel(module.manifest, { wasm: module.wasm as Uint8Array }, { weights: Object.fromEntries(weights) });
    const run = async (rows: readonly [number, number]): Promise<Float32Array> => {
      const part = (t: { data: Float32Array }): { shape: number[]; data: Float32Array } => ({ shape: [rows[1] - rows[0], STEPS, D], data: t.data.slice(rows[0] * STEPS * D, rows[1] * STEPS * D) });
      const given = { dt: { a: part(inputs['dt.a']), b: part(inputs['dt.b']) }, u: { a: part(inputs['u.a']), b: part(inputs['u.b']) } };
      return (await model.run(given as never) as unknown as { y: { data: Float32Array } }).y.data;
    };
    const both = await run([0, 2]);
    expect(normwise(both, want)).toBeLessThan(1e-5);
    expect(Buffer.from((await run([1, 2])).buffer)).toEqual(Buffer.from(both.slice(both.length / 2).buffer));
    model.dispose();
  });
});
