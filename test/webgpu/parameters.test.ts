/** What a launch is told of its buffers: as many as it has. */
import { expect, it } from 'vitest';
import { interpret } from '../../src/interpreter/interpret.js';
import { runModel } from '../../src/cli/tensors.js';
import { errors, randomInputs, TOLERANCE } from '../random/agree.js';
import { gpu, missing } from './device.js';
import { onGpu } from './load.js';

const count = 150;
const names = Array.from({ length: count }, (_, k) => `p${k}`);
/** A kernel that reads more weights than a block of 256 bytes has places for, and another after it. */
const spec = `model Many {
  axis c = 3
  input x[t, c]
${names.map((p) => `  param ${p}[c] = uniform(-1, 1)`).join('\n')}
  y[t, c] = ${names.map((p, k) => `${p}[c] * x[t - ${k % 5}, c]`).join(' + ')}
  output total[t] = sum(c: y[t, c] * (c + 1))
  output last[c] = last(t: y[t, c])
}`;

it.skipIf(missing !== undefined)(`a kernel of ${count} weights beside others`, async () => {
  const { load, program, weights, module } = onGpu(spec);
  expect(Math.max(...(module.webgpu?.manifest.step ?? []).map((l) => (l.kind === 'kernel' ? l.arguments.length : 0)))).toBeGreaterThan(count);
  const model = await load({ device: 'webgpu', gpu });
  const inputs = randomInputs(program, 2, 37, 3);
  for (const { output, error } of errors(interpret(program, weights, inputs).outputs, await runModel(model, inputs, undefined))) expect(error, output).toBeLessThan(TOLERANCE);
  model.dispose();
});
