/**
 * Systems over long sequences, wasm in float32 with every strategy against the papers' definitions. All of them with every weights, and over 16384 steps, by
 * `npm run test:long`.
 */
import { describe, expect, it } from 'vitest';
import { coupledSystems } from './coupled-systems.js';
import { coupledHmm, coupledSsm, gss, lru, lssl, s4, s4d, s4dBilinear } from './definitions.js';
import type { Rows } from './plain.js';
import { alone, holds, joined, ofChains, single, type System } from './system.js';
import { gssWeights, lruWeights, lsslWeights, s4dWeights, s4Weights } from './trained.js';

const long = process.env['LONG'] !== undefined;
const systems: readonly System[] = [
  { invariant: true, name: 'S4', text: (n) => alone('S4', `S4(x, state = ${n})`, 2), weights: s4Weights, define: single((w, x, n) => s4(w, 'block', x, n)) },
  { invariant: true, name: 'LSSL', text: (n) => alone('LSSL', `LSSL(x, state = ${n})`, 2), weights: lsslWeights, define: single((w, x, n) => lssl(w, 'block', x, n)) },
  ...(['lin', 'inv', 'legs', 'real'] as const).map((init): System => (
    { invariant: true, name: `S4D, ${init}`, text: (n) => alone('S4D', `S4D(x, state = ${n}, init = ${init})`, 2), weights: s4dWeights, define: single((w, x, n) => s4d(w, 'block', x, n, init === 'real')) })),
  { invariant: true, name: 'S4D, bilinear', text: (n) => alone('S4D', `S4D(x, state = ${n}, discretisation = bilinear)`, 2), weights: s4dWeights, define: single((w, x, n) => s4dBilinear(w, 'block', x, n)) },
  { invariant: true, name: 'GSS', text: (n) => alone('GSS', `GSS(x, state = ${n})`, 4), weights: gssWeights, define: single((w, x, n) => gss(w, 'block', x, n, 1, 16)) },
  { invariant: true, name: 'LRU', text: (n) => alone('LRU', `LRU(x, state = ${n})`, 2), define: single((w, x, n) => lru(w, 'block', x, n)) },
  // A long memory at any phase: the decay's own rounding would show.
  { invariant: true, name: 'LRU, near the circle', text: (n) => alone('LRU', `LRU(x, state = ${n}, r_min = 0.999, r_max = 0.9999)`, 2), weights: lruWeights, define: single((w, x, n) => lru(w, 'block', x, n)) },
  ...(['mean', 'softmax', 'none', 'full'] as const).map((kind): System => (
    { invariant: true, name: `CoupledSsm, ${kind}`, text: (n) => ofChains('CoupledSsm', `CoupledSsm(x, state = ${n}, coupling = ${kind})`), define: (w, x, n) => new Map([['y', joined(coupledSsm(w, 'block', x, n, kind))]]) })),
];
const printed = (errors: ReadonlyMap<string, number>): string => [...errors].map(([strategy, e]) => `${strategy} ${e.toExponential(1)}`).join(', ');
async function measured(system: System, n: number, steps: number): Promise<void> {
  console.log(`${system.name}, N = ${n}, ${steps} steps: ${printed(await holds(system, n, [steps], undefined, false))}`);
  if (long || steps <= 4096 && n <= 4) for (const [name, change] of Object.entries(system.weights ?? {})) console.log(`${system.name} ${name}, N = ${n}, ${steps} steps: ${printed(await holds(system, n, [steps], change, false))}`);
}
describe('long sequences', () => {
  for (const steps of [4096, 16384]) for (const system of systems) {
    it(`${system.name}, ${steps} steps`, async () => {
      for (const n of long ? [4, 16, 64] : steps > 4096 ? [4] : [4, 64]) await measured(system, n, steps);
    }, 3_000_000);
  }
});
describe('long sequences of coupled chains', () => {
  // Of the library's sums only those that forget stay within float32.
  const bounded = coupledSystems.flatMap((s): System[] => (!s.name.endsWith('sum') ? [s] : s.weights ? [{ ...s, name: `${s.name}, that forget` }] : []));
  for (const system of long ? bounded : bounded.filter((s) => s.name.includes('3 chains'))) {
    it(`${system.name}`, async () => {
      const { weights, ...plain } = system;
      const change = Object.values(weights ?? {})[0];
      for (const n of long ? [4, 16] : [4]) console.log(`${system.name}, N = ${n}: ${printed(await holds(plain, n, long ? [1000, 4096] : [1000], change, false))}`);
    }, 3_000_000);
  }
});
describe('the coupled hidden Markov model', () => {
  // Emissions are positive; those of e^-20 to e^20 leave most of a belief to one state.
  it.each([2, 20])('keeps its beliefs over 16384 steps, emissions within e^±%i', async (scale) => {
    const emitted = (rows: Rows): Rows => rows.map((row) => row.map((v) => Math.exp(scale * v)));
    const system: System = {
      name: 'CoupledHmm',
      text: (n) => `import CoupledHmm from "std"\nmodel M {\n  modalities m = a, b, e\n  axis k = ${n}\n  input x[t, m, k]\n  emission = exp(${scale} * x)\n  output y = CoupledHmm(emission) as block\n}\n`,
      define: (w, x) => new Map([['y', joined(coupledHmm(w, 'block', new Map([...x].map(([name, rows]) => [name, emitted(rows)]))))]]),
    };
    for (const n of long ? [4, 16] : [4]) {
      const errors = await holds(system, n, [16384], { 'transition.logits': (old, draw) => old + 4 * draw(), 'coupling.logits': (old, draw) => old + 2 * draw() }, false);
      console.log(`CoupledHmm, N = ${n}, 16384 steps, emissions within e^±${scale}: ${printed(errors)}`);
      expect(errors.size).toBe(1);
    }
  }, 600_000);
});
