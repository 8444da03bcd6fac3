/** Time-invariant systems over long sequences, wasm in float32 against the papers' definitions. */
import { describe, expect, it } from 'vitest';
import { TOLERANCE } from '../random/agree.js';
import { coupledSsm, gss, lru, lssl, s4, s4d } from './definitions.js';
import { alone, errorsOf, joined, ofChains, single, type System } from './system.js';

const systems: readonly System[] = [
  { invariant: true, name: 'S4', text: (n) => alone('S4', `S4(x, state = ${n})`, 2), define: single((w, x, n) => s4(w, 'block', x, n)) },
  { invariant: true, name: 'LSSL', text: (n) => alone('LSSL', `LSSL(x, state = ${n})`, 2), define: single((w, x, n) => lssl(w, 'block', x, n)) },
  { invariant: true, name: 'S4D, lin', text: (n) => alone('S4D', `S4D(x, state = ${n})`, 2), define: single((w, x, n) => s4d(w, 'block', x, n)) },
  { invariant: true, name: 'S4D, real', text: (n) => alone('S4D', `S4D(x, state = ${n}, init = real)`, 2), define: single((w, x, n) => s4d(w, 'block', x, n, true)) },
  { invariant: true, name: 'GSS', text: (n) => alone('GSS', `GSS(x, state = ${n})`, 4), define: single((w, x, n) => gss(w, 'block', x, n, 1, 16)) },
  { invariant: true, name: 'LRU', text: (n) => alone('LRU', `LRU(x, state = ${n})`, 2), define: single((w, x, n) => lru(w, 'block', x, n)) },
  // A long memory at any phase: the decay's own rounding would show.
  { invariant: true, name: 'LRU, near the circle', text: (n) => alone('LRU', `LRU(x, state = ${n}, r_min = 0.999, r_max = 0.9999)`, 2), define: single((w, x, n) => lru(w, 'block', x, n)) },
  { invariant: true, name: 'CoupledSsm, mean', text: (n) => ofChains('CoupledSsm', `CoupledSsm(x, state = ${n})`), define: (w, x, n) => new Map([['y', joined(coupledSsm(w, 'block', x, n, 'mean'))]]) },
];
describe('long sequences', () => {
  for (const steps of [4096, 16384]) for (const system of systems) {
    it(`${system.name}, ${steps} steps`, async () => {
      for (const n of [4, 64]) {
        const { wasm, convolution } = await errorsOf(system, n, steps, false);
        console.log(`${system.name}, N = ${n}, ${steps} steps: ${wasm.toExponential(1)}, by a convolution ${convolution.toExponential(1)}`);
        expect(wasm, `N = ${n}`).toBeLessThan(TOLERANCE);
        expect(convolution, `by a convolution, N = ${n}`).toBeLessThan(TOLERANCE);
      }
    }, 300_000);
  }
});
