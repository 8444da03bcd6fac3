/** A float32 scan of a slow complex decay keeps the tolerance over a long sequence, in order and in chunks. */
import { describe, expect, it } from 'vitest';
import { normwise, runModel } from '../../src/cli/tensors.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { loadModel } from '../../src/runtime/index.js';
import { compileText, randomInputs, TOLERANCE } from '../random/agree.js';

const steps = 16384;
const systems = {
  'fixed by the weights': `model M {
  axis n = 4
  input x[t]
  a[n] = exp(complex(-0.00005, 0.0003 * (n + 1)))
  state h[t, n] = a[n] * h[t-1, n] + x[t]
  output y[t] = re(sum(n: h[t, n]))
}
`,
  'selective': `model M {
  axis n = 4
  input x[t]
  dt[t] = 0.0001 * softplus(x[t])
  state h[t, n] = exp(dt[t] * complex(-0.5, 3 * (n + 1))) * h[t-1, n] + dt[t] * (1 + x[t])
  output y[t] = re(sum(n: h[t, n]))
}
`,
  'coupled': `model M {
  modalities m = a, b
  axis n = 4
  axis i = m
  input x[t, m]
  dt[t, m] = 0.0001 * softplus(x[t, m])
  state h[t, m, n] = exp(dt[t, m] * complex(-0.5, 3 * (n + 1))) * mean(i: h[t-1, i, n]) + dt[t, m] * (1 + x[t, m])
  output y[t, m] = re(sum(n: h[t, m, n]))
}
`,
};
describe(`slow complex decays over ${steps} steps`, () => {
  for (const [name, text] of Object.entries(systems)) for (const strategy of ['serial', 'chunked'] as const) {
    it(`${name}, ${strategy}`, async () => {
      const { program, module } = compileText(text, strategy);
      if (!program || !module) throw new Error('not compiled');
      const inputs = randomInputs(program, 1, steps, 5);
      const model = await loadModel(module.manifest, { wasm: module.wasm as Uint8Array }, {});
      const y = await runModel(model, inputs, undefined);
      const expected = interpret(program, new Map(), inputs).outputs.get('y')?.data ?? [];
      expect(normwise(y.get('y')?.data ?? new Float32Array(), expected)).toBeLessThan(TOLERANCE);
    });
  }
});

/** What float32 loses of a coefficient is lost at each of the steps that a state remembers, and it is largest where the coefficient is far from 0. */
const circle = {
  'a complex decay of any phase, driven in its real part alone': `model M {
  axis n = 4
  input x[t]
  param phase[n] = uniform(0, 3.14159)
  param C[n] = normal(0, 1)
  a[n] = exp(complex(-0.0001, phase[n]))
  state h[t, n] = a[n] * h[t-1, n] + x[t]
  output y[t] = sum(n: C[n] * re(h[t, n]))
}
`,
  'complex chains coupled by their mean': `model M {
  modalities m = a, b
  axis n = 4
  axis i = m
  input x[t, m]
  param phase[n] = uniform(0, 3.14159)
  param C[n] = normal(0, 1)
  a[n] = exp(complex(-0.0001, phase[n]))
  state h[t, m, n] = a[n] * mean(i: h[t-1, i, n]) + x[t, m]
  output y[t, m] = sum(n: C[n] * re(h[t, m, n]))
}
`,
  'a real decay near -1': `model M {
  axis c = 4
  input x[t, c]
  param a[c] = uniform(-0.9999, -0.99983)
  state h[t, c] = a[c] * h[t-1, c] + x[t, c]
  output y[t, c] = h[t, c]
}
`,
  'rotations of two states': `model M {
  axis c = 4
  input x[t, c]
  param phase[c] = uniform(0, 3)
  state g[t, c] = 0.9999 * (cos(phase[c]) * g[t-1, c] - sin(phase[c]) * f[t-1, c]) + x[t, c]
  state f[t, c] = 0.9999 * (sin(phase[c]) * g[t-1, c] + cos(phase[c]) * f[t-1, c])
  output y[t, c] = g[t, c]
}
`,
  'a second order with roots near the circle': `model M {
  axis c = 4
  input x[t, c]
  param phase[c] = uniform(0.3, 2.8)
  state h[t, c] = 2 * 0.9999 * cos(phase[c]) * h[t-1, c] - 0.9999^2 * h[t-2, c] + x[t, c]
  output y[t, c] = h[t, c]
}
`,
  'an orthogonal matrix, by Cayley': `model M {
  axis n = 8
  axis k = n
  input x[t]
  param W[n, k] = normal(0, 0.5)
  param B[n]    = normal(0, 0.5)
  param C[n]    = normal(0, 0.5)
  R[n, k] = inverse(n, k: where(n == k, 1, 0) + W[n, k] - W[k, n])
  Q[n, k] = 2 * R[n, k] - where(n == k, 1, 0)
  state h[t, n] = sum(k: Q[n, k] * h[t-1, k]) + B[n] * x[t]
  output y[t] = sum(n: C[n] * h[t, n])
}
`,
};
/**
 * Quarter turns, as close as float32 holds their angle: one of two coefficients is about 1, the other about as large as what rounding leaves of the first's product.
 */
const quarter = {
  'complex decays by a quarter turn': `model M {
  axis n = 4
  input x[t]
  param phase[n] = (1 - 2 * (n - 2 * floor(n / 2))) * 1.5707963267948966
  param C[n]     = normal(0, 1)
  a[n] = exp(complex(-0.0001 * (1 + floor(n / 2)), phase[n]))
  state h[t, n] = a[n] * h[t-1, n] + x[t]
  output y[t] = re(sum(n: C[n] * h[t, n]))
}
`,
  'two states by a quarter turn': `model M {
  input x[t]
  state g[t] = 0.9999 * (cos(1.57079637) * g[t-1] - sin(1.57079637) * f[t-1]) + x[t]
  state f[t] = 0.9999 * (sin(1.57079637) * g[t-1] + cos(1.57079637) * f[t-1])
  output y[t] = g[t]
}
`,
  'a second order by a quarter turn': `model M {
  input x[t]
  state h[t] = 2 * 0.9999 * cos(1.57079637) * h[t-1] - 0.9999^2 * h[t-2] + x[t]
  output y[t] = h[t]
}
`,
};
describe(`transitions near the unit circle over ${steps} steps`, () => {
  for (const [name, text] of Object.entries({ ...circle, ...quarter })) {
    it.each(['serial', 'step', 'chunked'] as const)(`${name}, %s`, async (strategy) => {
      const { program, module } = compileText(text, strategy);
      if (!program || !module) throw new Error('not compiled');
      const weights = new Map([...initialise(program, 1)].map(([key, t]) => [key, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
      const inputs = randomInputs(program, 1, steps, 5);
      const model = await loadModel(module.manifest, { wasm: module.wasm }, { weights: Object.fromEntries(weights) });
      const y = await runModel(model, inputs, undefined);
      expect(normwise(y.get('y')?.data ?? [], interpret(program, weights, inputs).outputs.get('y')?.data ?? [])).toBeLessThan(TOLERANCE);
    });
  }
});
