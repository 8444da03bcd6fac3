/** Products whose parts are conditions: of the row, as a token's row in a table is looked up, and of the column. */
import { describe, expect, it } from 'vitest';
import { interpret } from '../../src/interpreter/interpret.js';
import { runModel } from '../../src/cli/tensors.js';
import { errors, randomInputs, TOLERANCE } from '../random/agree.js';
import { gpu, missing } from './device.js';
import { onGpu } from './load.js';

const specs = {
  'a row of a table': 'axis v = 40\naxis e = 24\ninput token[t]\nparam table[v, e] = uniform(-1, 1)\nx[t, e] = sum(v: where(v == token[t], table[v, e], 0))\noutput y[t, e] = x[t, e]',
  'weights of one sign': 'axis v = 40\naxis e = 24\ninput x[t, v]\nparam w[e, v] = uniform(-1, 1)\noutput y[t, e] = sum(v: where(w[e, v] > 0.2, x[t, v], 0.5 * w[e, v]))',
};
describe.skipIf(missing !== undefined)('conditions in the tiles of products', () => {
  it.each(Object.entries(specs))('%s', async (_, body) => {
    const { program, weights, load } = onGpu(`model M {\n${body}\n}`);
    const model = await load({ device: 'webgpu', gpu });
    for (const steps of [3, 70]) {
      const given = randomInputs(program, 2, steps, 1);
      const inputs = given.has('token') ? new Map([...given].map(([n, t]) => [n, { ...t, data: t.data.map((u) => Math.floor(20 * (u + 1))) }])) : given;
      for (const { error } of errors(interpret(program, weights, inputs).outputs, await runModel(model, inputs, undefined))) expect(error).toBeLessThan(TOLERANCE);
    }
    model.dispose();
  });
});
