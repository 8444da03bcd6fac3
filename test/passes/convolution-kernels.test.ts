import { describe, expect, it } from 'vitest';
import { initialise } from '../../src/interpreter/initialise.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { compileText } from '../random/agree.js';
import { systems } from './convolution-systems.js';
import { scratch } from './load-scratch.js';

describe.each(Object.entries(systems))('%s', (_, text) => {
  it.each([4, 16, 64])('N = %i: its kernel is what the recurrence answers to a unit impulse, to 1e-10', async (n) => {
    const { module, program } = compileText(text(n), 'convolution');
    if (!module || !program) throw new Error('not compiled');
    const weights = new Map([...initialise(program, 1)].map(([name, t]) => [name, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
    const kernel = await scratch(module, weights, '#kernel');
    const [length, channels] = [(module.manifest.tile), 6];
    const steps = 1500;
    const names = module.manifest.inputs.map((i) => i.name);
    names.forEach((name, i) => {
      const inputs = new Map(names.map((other) => [other, { shape: [1, steps, channels], data: Float64Array.from({ length: steps * channels }, (__, k) => (other === name && k < channels ? 1 : 0)) }]));
      const y = interpret(program, weights, inputs).outputs.get('y')?.data as Float64Array;
      const rows = names.length;
      const largest = y.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
      let worst = 0;
      for (let o = 0; o < rows; o++) for (let d = 0; d < channels; d++) for (let t = 0; t < steps; t++) {
        const k = kernel[((o * rows + i) * channels + d) * (length + 1) + t] as number;
        worst = Math.max(worst, Math.abs(k - (y[(t * rows + o) * channels + d] as number)));
      }
      expect(worst / largest).toBeLessThan(1e-10);
    });
  });
});
