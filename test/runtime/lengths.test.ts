/** Rows of unequal lengths: what is padded is NaN here, and every row has the bits that it has alone. */
import { describe, expect, it } from 'vitest';
import { small } from './small.js';
import type { Manifest, Model, TensorTree } from '../../src/runtime/index.js';

const models: Readonly<Record<string, string>> = {
  'reductions over time': `axis c = 5
    input x[t, c]
    output a[c] = max(t: x[t, c])
    output b[c] = min(t: x[t, c])
    output d[c] = mean(t: x[t, c])
    output e[c] = sum(t: x[t, c]^2)
    output f[c] = last(t: x[t, c])`,
  'softmax over time': `axis c = 3
    input x[t, c]
    param w[c] = normal(0, 1)
    a[t] = sum(c: w[c] * x[t, c])
    p[t] = softmax(t: a[t])
    output y[c] = sum(t: p[t] * x[t, c])
    output z[t, c] = p[t] * x[t, c]`,
  'a backward state': `axis c = 3
    input x[t, c]
    param r[c] = uniform(0.2, 0.9)
    state g[t, c] = r[c] * g[t+1, c] + x[t, c]
    output y[t, c] = g[t, c]
    output first[c] = sum(t: g[t, c])`,
  'a backward state that begins with a value': `axis c = 3
    input x[t, c]
    param s[c] = normal(0, 1)
    initial g[c] = s[c]
    state g[t, c] = 0.5 * g[t+1, c] + x[t, c]
    output y[t, c] = g[t, c]`,
  'reads of the future': `axis c = 3
    axis k = 3
    input x[t, c]
    param w[c, k] = normal(0, 1)
    output y[t, c] = sum(k: w[c, k] * x[t + k, c])
    output shifted[t, c] = x[t + 2, c] - x[t - 1, c]`,
  'both ways': `axis c = 2
    input x[t, c]
    state f[t, c] = 0.8 * f[t-1, c] + x[t, c]
    state g[t, c] = 0.7 * g[t+1, c] + f[t, c]
    output y[t, c] = f[t, c] * g[t, c]
    output p[c] = max(t: g[t, c])`,
  'states that decay as the input says': `axis c = 6
    axis n = 4
    input x[t, c]
    param w[c] = normal(0, 1)
    dt[t, c] = softplus(w[c] * x[t, c])
    state h[t, c, n] = exp(-dt[t, c] * (n + 1)) * h[t-1, c, n] + dt[t, c] * x[t, c]
    output y[t, c] = sum(n: h[t, c, n])
    output last[c] = last(t: sum(n: h[t, c, n]))`,
  'states that are not affine': `axis c = 3
    input x[t, c]
    state h[t, c] = tanh(0.5 * h[t-1, c] + x[t, c])
    output y[t, c] = h[t, c]
    output m[c] = mean(t: h[t, c])`,
  'a convolution and a state over modalities': `modalities m = a[3], b[2]
    axis c = 4
    axis k = 4
    axis i = m
    input signal[t, m, f]
    param W[m, c, f] = normal(0, 0.5)
    param w[m, c, k] = normal(0, 0.5)
    v[t, m, c] = sum(f: W[m, c, f] * signal[t, m, f])
    u[t, m, c] = silu(sum(k: w[m, c, k] * v[t - 3 + k, m, c]))
    state h[t, m, c] = 0.9 * mean(i: h[t-1, i, c]) + u[t, m, c]
    output y[c] = max(t: sum(m: h[t, m, c]))
    output z[t, m, c] = h[t, m, c]`,
  'an average at each step over all steps': `axis c = 3
    input x[t, c]
    mu[c] = mean(t: x[t, c])
    output y[t, c] = x[t, c] - mu[c]
    output var[c] = mean(t: (x[t, c] - mu[c])^2)`,
};
const TIME = 83;
const lengths = [1, 83, 17, 64, 2, 70];

const value = (b: number, i: number): number => Math.fround(Math.sin(1.7 * b + 0.37 * i));
/** Row b of each input, `steps` long and padded with NaN to `time`. */
function row(manifest: Manifest, b: number, steps: number, time: number): Record<string, number[]> {
  return Object.fromEntries(manifest.inputs.map((spec) => {
    const size = spec.shape.reduce((p, q) => p * q, 1);
    return [spec.name, Array.from({ length: time * size }, (_, i) => (i < steps * size ? value(b, i) : NaN))];
  }));
}
async function run(model: Model, manifest: Manifest, rows: readonly Record<string, number[]>[], time: number, options = {}): Promise<TensorTree> {
  return model.run(Object.fromEntries(manifest.inputs.map((spec) => [spec.name, { data: Float32Array.from(rows.flatMap((r) => r[spec.name] ?? [])), shape: [rows.length, time, ...spec.shape] }])), options);
}

describe.each(Object.entries(models))('lengths: %s', (_, body) => {
  it.each(['auto', 'serial', 'chunked', 'convolution', 'step'] as const)('%s', async (strategy) => {
    const made = await small(`model Test {\n${body}\n}`, strategy).catch((error: unknown) => {
      // Some can't be chunked, or convolved: that is said, with a code.
      if (/SSM410[13]/.test(String(error)) && ['chunked', 'convolution'].includes(strategy)) return undefined;
      throw error;
    });
    if (!made) return;
    const { model, module: { manifest } } = made;
    const padded = await run(model, manifest, lengths.map((n, b) => row(manifest, b, n, TIME)), TIME, { lengths });
    for (const [b, n] of lengths.entries()) {
      const alone = await run(model, manifest, [row(manifest, b, n, n)], n);
      for (const spec of manifest.outputs) {
        const get = (t: TensorTree): Float32Array => (t[spec.name] as { data: Float32Array }).data;
        const size = spec.shape.reduce((p, q) => p * q, 1) * (spec.time ? TIME : 1);
        const got = get(padded).subarray(b * size, (b + 1) * size);
        const want = get(alone);
        expect(want.every(Number.isFinite)).toBe(true);
        expect([strategy, spec.name, n, ...got.subarray(0, want.length)]).toEqual([strategy, spec.name, n, ...want]);
        expect([...got.subarray(want.length)].every((v) => v === 0)).toBe(true);
      }
    }
  });
});
