import { expect, it } from 'vitest';
import { initialise } from '../../src/interpreter/initialise.js';
import { compileText } from '../random/agree.js';
import { lru } from './definitions.js';
import { element } from './plain.js';
import { alone, checkSystem, single } from './system.js';
import { lruWeights } from './trained.js';

checkSystem({ invariant: true, name: 'LRU', text: (n) => alone('LRU', `LRU(x, state = ${n})`), weights: lruWeights, define: single((w, x, n) => lru(w, 'block', x, n)) });

it('starts on the ring that it is told, with gamma = sqrt(1 - |lambda|^2)', () => {
  const { program } = compileText(alone('LRU', 'LRU(x, state = 64, r_min = 0.5, r_max = 0.8, max_phase = 0.3)'));
  if (!program) throw new Error('it does not compile');
  const weights = initialise(program, 0);
  for (let n = 0; n < 64; n++) {
    const modulus = Math.exp(-Math.exp(element(weights, 'block.nu_log', n)));
    expect(modulus).toBeGreaterThan(0.4999);
    expect(modulus).toBeLessThan(0.8001);
    expect(Math.exp(element(weights, 'block.theta_log', n))).toBeLessThan(0.3001);
    expect(Math.exp(element(weights, 'block.gamma_log', n))).toBeCloseTo(Math.sqrt(1 - modulus ** 2), 12);
  }
});
