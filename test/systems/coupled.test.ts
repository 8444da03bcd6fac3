/** Chains that read each other's states. */
import { describe, expect, it } from 'vitest';
import { compileText } from '../random/agree.js';
import { scratch } from '../passes/load-scratch.js';
import { impulses } from './chains.js';
import { coupledSystems } from './coupled-systems.js';
import { coupledHmm, coupledSsm } from './definitions.js';
import type { Rows } from './plain.js';
import { checkSystem, joined, ofChains, Problem, type System } from './system.js';

for (const kind of ['mean', 'softmax', 'none', 'full'] as const) {
  checkSystem({
    invariant: true, name: `CoupledSsm, ${kind}`, text: (n) => ofChains('CoupledSsm', `CoupledSsm(x, state = ${n}, coupling = ${kind})`),
    define: (w, x, n) => new Map([['y', joined(coupledSsm(w, 'block', x, n, kind))]]),
  });
}
checkSystem({
  name: 'CoupledSsm, sum, whose states grow', lengths: [1, 2, 3, 17], text: (n) => ofChains('CoupledSsm', `CoupledSsm(x, state = ${n}, coupling = sum)`),
  define: (w, x, n) => new Map([['y', joined(coupledSsm(w, 'block', x, n, 'sum'))]]),
});

// Emissions are positive; inputs here are from -1 to 1.
const hmm: System = {
  name: 'CoupledHmm',
  text: (n) => `import CoupledHmm from "std"\nmodel M {\n  modalities m = a, b, e\n  axis k = ${n}\n  input x[t, m, k]\n  emission = exp(2 * x)\n  output y = CoupledHmm(emission) as block\n}\n`,
  define: (w, x) => new Map([['y', joined(coupledHmm(w, 'block', new Map([...x].map(([name, rows]): [string, Rows] => [name, rows.map((row) => row.map((v) => Math.exp(2 * v)))])) as ReadonlyMap<string, Rows>))]]),
};
checkSystem(hmm);
it('CoupledHmm runs step by step, with a warning that says why', () => {
  const { diagnostics } = compileText(hmm.text(4));
  const found = diagnostics.find((d) => d.code === 'SSM3301');
  expect(found?.text).toContain('`block.belief` runs step by step: a division by a state is not affine');
});
it('CoupledSsm: `sum` is warned of', () => {
  expect(compileText(ofChains('CoupledSsm', 'CoupledSsm(x, coupling = sum)')).diagnostics.map((d) => d.code)).toContain('SSM3201');
});

for (const system of coupledSystems) checkSystem(system);
describe('kernels of coupled chains before they are rounded', () => {
  for (const { name, text, kind, coupling, chains, weights } of coupledSystems) {
    // Two complex states are channels of their own, their sum being taken after the convolution.
    it.each(kind === 's4d' ? [16, 64] : [4, 16])(`${name}, N = %i: what the dense recurrence of all chains answers to an impulse in each, to 1e-10`, async (n) => {
      const made = Problem.make({ name, text, define: () => new Map() }, n, { change: Object.values(weights ?? {})[0] });
      const { module } = compileText(text(n), 'convolution');
      if (!module) throw new Error('not compiled');
      const kernel = await scratch(module, made.weights, '#kernel');
      const [steps, width, M] = [kind === 'lssl' ? 100 : 700, 2, chains.length];
      const want = impulses(kind, coupling, made.weights, chains, width, n, steps);
      const largest = Math.max(...want.flat(2).map((k) => Math.max(...k.map(Math.abs))));
      let worst = 0;
      want.forEach((row, m) => row.forEach((channels, i) => channels.forEach((k, c) => k.forEach((v, t) => {
        worst = Math.max(worst, Math.abs(v - (kernel[((m * M + i) * width + c) * (module.manifest.tile + 1) + t] as number)));
      }))));
      expect(worst / largest).toBeLessThan(1e-10);
    });
  }
});
it.each(['S4', 'S4D', 'LSSL'])('%s, coupled by a learned mixture, asks for its logits besides', (block) => {
  const names = (coupling: string): string[] => (compileText(ofChains(block, `${block}(x, state = 8, coupling = ${coupling})`)).module?.manifest.weights ?? []).map((w) => w.name);
  expect(names('mean')).toEqual(names('none'));
  expect(names('softmax').filter((n) => !names('none').includes(n))).toEqual(['block.coupling.logits']);
});
