import { expect, it } from 'vitest';
import { initialise } from '../../src/interpreter/initialise.js';
import { compileText } from '../random/agree.js';
import { legS, s4d, s4dBilinear } from './definitions.js';
import { at, element } from './plain.js';
import { alone, checkSystem, single } from './system.js';
import { s4dWeights } from './trained.js';

for (const init of ['lin', 'inv', 'legs', 'real'] as const) {
  checkSystem({ invariant: true, name: `S4D, ${init}`, text: (n) => alone('S4D', `S4D(x, state = ${n}, init = ${init})`), weights: s4dWeights, define: single((w, x, n) => s4d(w, 'block', x, n, init === 'real')) });
}

checkSystem({ invariant: true, name: 'S4D, bilinear', text: (n) => alone('S4D', `S4D(x, state = ${n}, discretisation = bilinear)`, 2), weights: s4dWeights, define: single((w, x, n) => s4dBilinear(w, 'block', x, n)) });

const weights = (init: string, n: number) => {
  const { program } = compileText(alone('S4D', `S4D(x, state = ${n}, init = ${init})`));
  if (!program) throw new Error('it does not compile');
  return initialise(program, 0);
};
it.each([4, 16, 64])('starts where the paper says, N = %i', (n) => {
  const [lin, inv, real] = ['lin', 'inv', 'real'].map((i) => weights(i, n)) as [ReturnType<typeof weights>, ReturnType<typeof weights>, ReturnType<typeof weights>];
  for (let k = 0; k < n / 2; k++) {
    expect(element(lin, 'block.kernel.log_A_real', 2, k)).toBeCloseTo(Math.log(0.5), 14);
    expect(element(lin, 'block.kernel.A_imag', 2, k)).toBeCloseTo(Math.PI * k, 12);
    expect(element(inv, 'block.kernel.A_imag', 1, k)).toBeCloseTo((n / Math.PI) * (n / (2 * k + 1) - 1), 10);
  }
  for (let k = 0; k < n; k++) expect(Math.exp(element(real, 'block.kernel.log_A_real', 0, k))).toBeCloseTo(k + 1, 10);
  const dt = lin.get('block.kernel.log_dt')?.data ?? [];
  for (const x of dt) expect(Math.exp(x) >= 0.000999 && Math.exp(x) <= 0.1001).toBe(true);
});
it('starts from the eigenvalues of the normal part of HiPPO-LegS', () => {
  const n = 16;
  const legs = weights('legs', n);
  const { A } = legS(n);
  // trace (A + P P^T + I/2)^2 = -Σ ω²: and ω are those of a skew-symmetric matrix, in pairs.
  const normal = (i: number, j: number): number => at(at(A, i), j).re + Math.sqrt((i + 0.5) * (j + 0.5)) + (i === j ? 0.5 : 0);
  let trace = 0;
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) trace += normal(i, j) * normal(j, i);
  let squares = 0;
  for (let k = 0; k < n / 2; k++) squares += 2 * element(legs, 'block.kernel.A_imag', 0, k) ** 2;
  expect(squares / -trace).toBeCloseTo(1, 13);
});
