/** Chains that read each other's states. */
import { expect, it } from 'vitest';
import { compileText } from '../random/agree.js';
import { coupledHmm, coupledMean, coupledSsm } from './definitions.js';
import type { Rows } from './plain.js';
import { checkSystem, joined, ofChains, type System } from './system.js';

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

for (const [kind, block] of [['s4', 'S4'], ['s4d', 'S4D'], ['lssl', 'LSSL']] as const) {
  checkSystem({
    invariant: true, name: `${block}, coupled by the mean`, sizes: [4, 16], lengths: [1, 2, 3, 17, 100], text: (n) => ofChains(block, `${block}(x, state = ${n}, coupling = mean)`, 2, ['a', 'b']),
    define: (w, x, n) => new Map([['y', joined(coupledMean(kind, w, 'block', x, n))]]),
  });
}
it.each(['S4', 'S4D', 'LSSL'])('%s, coupled by a learned mixture, asks for its logits besides', (block) => {
  const names = (coupling: string): string[] => (compileText(ofChains(block, `${block}(x, state = 8, coupling = ${coupling})`)).module?.manifest.weights ?? []).map((w) => w.name);
  expect(names('mean')).toEqual(names('none'));
  expect(names('softmax').filter((n) => !names('none').includes(n))).toEqual(['block.coupling.logits']);
});
