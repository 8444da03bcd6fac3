import { expect, it } from 'vitest';
import { initialise } from '../../src/interpreter/initialise.js';
import { compileText } from '../random/agree.js';
import { legS, lssl } from './definitions.js';
import { at, element, zeroOrderHold } from './plain.js';
import { alone, checkSystem, single } from './system.js';
import { lsslWeights } from './trained.js';

checkSystem({ invariant: true, name: 'LSSL', text: (n) => alone('LSSL', `LSSL(x, state = ${n})`, 2), weights: lsslWeights, define: single((w, x, n) => lssl(w, 'block', x, n)) });
checkSystem({ invariant: true, name: 'LSSL, zero-order hold', sizes: [4, 16], text: (n) => alone('LSSL', `LSSL(x, state = ${n}, discretisation = zoh)`, 2), define: single((w, x, n) => lssl(w, 'block', x, n, zeroOrderHold)) });

it('starts from HiPPO-LegS', () => {
  const n = 8;
  const { program } = compileText(alone('LSSL', `LSSL(x, state = ${n})`, 2));
  if (!program) throw new Error('it does not compile');
  const weights = initialise(program, 0);
  const { A, B } = legS(n);
  for (let i = 0; i < n; i++) {
    expect(element(weights, 'block.B', 1, i)).toBeCloseTo(at(B, i).re, 14);
    for (let k = 0; k < n; k++) expect(element(weights, 'block.A', 1, i, k)).toBeCloseTo(at(at(A, i), k).re, 12);
  }
});
