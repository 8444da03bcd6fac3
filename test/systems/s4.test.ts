import { expect, it } from 'vitest';
import { initialise } from '../../src/interpreter/initialise.js';
import { loadModel } from '../../src/runtime/index.js';
import { compileText } from '../random/agree.js';
import { legS, s4, s4Matrix } from './definitions.js';
import { at, Complex, matrix, solve, type Complex as Number_, type Matrix } from './plain.js';
import { alone, checkSystem, single } from './system.js';
import { s4Weights } from './trained.js';

checkSystem({ invariant: true, name: 'S4', text: (n) => alone('S4', `S4(x, state = ${n})`, 2), weights: s4Weights, define: single((w, x, n) => s4(w, 'block', x, n)) });

/** c* (z - A)^-1 b: what a change of basis leaves as it is. */
function transfer(A: Matrix, b: readonly Number_[], c: readonly Number_[], z: Number_): Number_ {
  const left = matrix(A.length, (i, j) => (i === j ? z : new Complex(0)).minus(at(at(A, i), j)));
  const x = solve(left, b.map((v) => [v]));
  return c.reduce((s, v, i) => s.plus(v.conj().times(at(at(x, i), 0))), new Complex(0));
}
it.each([4, 16, 64])('starts from HiPPO-LegS in another basis: the same from B and P to P, N = %i', (n) => {
  const { program } = compileText(alone('S4', `S4(x, state = ${n})`, 2));
  if (!program) throw new Error('it does not compile');
  const mine = s4Matrix(initialise(program, 0), 'block', 1, n);
  const paper = legS(n);
  const P = Array.from({ length: n }, (_, k) => new Complex(Math.sqrt(k + 0.5)));
  for (const z of [new Complex(1), new Complex(0.1, 3), new Complex(0.01, 40), new Complex(2, -300)]) {
    for (const [b, c, d, e] of [[paper.B, P, mine.B, mine.P], [P, P, mine.P, mine.P], [paper.B, paper.B, mine.B, mine.B]] as const) {
      const want = transfer(paper.A, b, c, z);
      expect(transfer(mine.A, d, e, z).minus(want).abs() / want.abs()).toBeLessThan(1e-10);
    }
  }
});
it('takes an even number of states, and says so', () => {
  const { diagnostics } = compileText(alone('S4', 'S4(x, state = 5)', 2));
  expect(diagnostics.map((d) => d.text)).toContain('the size of `n` is 2.5: sizes are whole numbers from 1 to 2147483647');
});
it('tells of weights of another N', async () => {
  const [small, large] = [8, 16].map((n) => compileText(alone('S4', `S4(x, state = ${n})`, 2)));
  if (!small?.program || !large?.module) throw new Error('it does not compile');
  const weights = Object.fromEntries([...initialise(small.program, 0)].map(([name, t]) => [name, { shape: [...t.shape], data: t.data }]));
  await expect(loadModel(large.module.manifest, { wasm: large.module.wasm }, { weights })).rejects.toThrow(/`block\.kernel\.A_real`: expected shape \[2, 8\], got \[2, 4\]/);
});
