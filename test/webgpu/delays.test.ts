/** Reads whose step differs from member to member: a group's threads don't take these together, nor lanes of a point its states. */
import { describe, expect, it } from 'vitest';
import { interpret } from '../../src/interpreter/interpret.js';
import { runModel } from '../../src/cli/tensors.js';
import { errors, randomInputs, TOLERANCE } from '../random/agree.js';
import { gpu, missing } from './device.js';
import { onGpu } from './load.js';

const specs = {
  'a window': 'axis c = 5\naxis k = 9\ninput x[t, c]\nparam w[c, k] = uniform(-1, 1)\noutput y[t, c] = sum(k: w[c, k] * x[t - k, c])\noutput z[t, c] = max(k: x[t - 4 + k, c])',
  'states': 'axis c = 3\naxis n = 64\ninput x[t, c]\nparam a[c, n] = uniform(0.1, 0.9)\nstate h[t, c, n] = a[c, n] * h[t-1, c, n] + x[t - n, c]\noutput y[t, c] = sum(n: h[t, c, n])',
};
describe.skipIf(missing !== undefined)('reads whose step differs from member to member', () => {
  it.each(Object.entries(specs))('%s', async (_, body) => {
    const { program, weights, load } = onGpu(`model M {\n${body}\n}`);
    const model = await load({ device: 'webgpu', gpu });
    for (const steps of [5, 90]) {
      const inputs = randomInputs(program, 2, steps, 1);
      for (const { error } of errors(interpret(program, weights, inputs).outputs, await runModel(model, inputs, undefined))) expect(error).toBeLessThan(TOLERANCE);
    }
    model.dispose();
  });
});
