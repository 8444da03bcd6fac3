/** What stands before the first step, where others than the state itself read it. */
import { describe, expect, it } from 'vitest';
import { interpret } from '../../src/interpreter/interpret.js';
import { runModel } from '../../src/cli/tensors.js';
import { errors, randomInputs, TOLERANCE } from '../random/agree.js';
import { gpu, missing } from './device.js';
import { onGpu } from './load.js';

const model = (lines: string): string => `model Begins {
  modalities m = p, q, r
  axis c = 2
  axis i = m
  axis n = 2
  input x[t, m, c]
  param w[m, c] = uniform(-1, 1)
${lines}
}`;
const specs = {
  'a coupled state, whose collapsed chain begins with a sum': '  param q[m, c, n] = uniform(-1, 1)\n  initial g[m, c, n] = q[m, c, n]\n  state g[t, m, c, n] = 0.5 * w[m, c] * mean(i: g[t-1, i, c, n]) + x[t, m, c] / (n + 1)\n  v[t, m, c] = sum(n: q[m, c, n] * g[t, m, c, n])\n  output y[t, m, c] = v[t, m, c] / 20\n  output z[m, c] = min(t: v[t, m, c])',
  'a state, three steps back': '  initial h[m, c] = w[m, c]\n  state h[t, m, c] = 0.5 * h[t-1, m, c] + x[t, m, c]\n  output y[t, m, c] = h[t, m, c] - 0.5 * h[t-3, m, c]',
  'what is computed of an input': '  input s[m, c]\n  start[m, c] = 2 * s[m, c] + w[m, c]\n  initial h[m, c] = start[m, c]\n  state h[t, m, c] = 0.5 * h[t-1, m, c] + x[t, m, c]\n  output y[t, m, c] = h[t, m, c] - 0.5 * h[t-3, m, c]',
  'what is known of the whole sequence': '  start[m, c] = max(t: x[t, m, c])\n  initial h[m, c] = tanh(start[m, c]) + mean(t: x[t, m, c])\n  state h[t, m, c] = 0.5 * h[t-1, m, c] + x[t, m, c]\n  output y[t, m, c] = h[t, m, c] - 0.5 * h[t-3, m, c]',
  'a backward state, which has none there': '  initial h[m, c] = w[m, c]\n  state h[t, m, c] = 0.5 * h[t+1, m, c] + x[t, m, c]\n  output y[t, m, c] = h[t-1, m, c] + h[t+2, m, c]',
};
describe.skipIf(missing !== undefined)('initial values read by others', () => {
  it.each(Object.entries(specs))('%s', async (_, lines) => {
    const { program, weights, load } = onGpu(model(lines));
    const inputs = randomInputs(program, 2, 7, 1);
    const loaded = await load({ device: 'webgpu', gpu });
    const found = errors(interpret(program, weights, inputs).outputs, await runModel(loaded, inputs, undefined));
    for (const { error } of found) expect(error).toBeLessThan(TOLERANCE);
    loaded.dispose();
  });
});
