/** A float32 scan of a slow complex decay keeps the tolerance over a long sequence, in order and in chunks. */
import { describe, expect, it } from 'vitest';
import { normwise, runModel } from '../../src/cli/tensors.js';
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
