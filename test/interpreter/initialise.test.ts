import { expect, it } from 'vitest';
import { initialise } from '../../src/interpreter/initialise.js';
import { Random } from '../../src/interpreter/random.js';
import type { Initialiser, Program } from '../../src/ir/program.js';
import { ProgramMaker } from './program-maker.js';

/** One parameter of 4 × 500 with the given initialiser, perhaps among others. */
function programOf(init: (p: ProgramMaker, i: ReturnType<ProgramMaker['index']>[]) => Initialiser, others: readonly string[] = []): Program {
  const p = new ProgramMaker();
  const indices = [p.index(p.axis('a', 4)), p.index(p.axis('b', 500))];
  for (const name of others) p.param(name, indices);
  const id = p.param('w', indices);
  p.definitions[id] = { ...p.definitions[id]!, init: init(p, indices) } as (typeof p.definitions)[number];
  return p.program();
}
const draw = (init: Initialiser, seed = 1, others: readonly string[] = []): Float64Array => initialise(programOf(() => init, others), seed).get('w')!.data;
const mean = (v: Float64Array): number => v.reduce((a, b) => a + b, 0) / v.length;

it('draws within bounds, with the right mean', () => {
  const uniform = draw({ kind: 'uniform', a: -2, b: 4 });
  expect(Math.min(...uniform)).toBeGreaterThanOrEqual(-2);
  expect(Math.max(...uniform)).toBeLessThan(4);
  expect(Math.abs(mean(uniform) - 1)).toBeLessThan(0.2);
  const log = draw({ kind: 'loguniform', a: 0.001, b: 0.1 });
  expect(Math.min(...log)).toBeGreaterThanOrEqual(0.001 * (1 - 1e-12));
  expect(Math.abs(mean(log.map(Math.log)) - Math.log(0.01))).toBeLessThan(0.15);
  const normal = draw({ kind: 'normal', a: 3, b: 2 });
  expect(Math.abs(mean(normal) - 3)).toBeLessThan(0.2);
  expect(Math.abs(mean(normal.map((x) => (x - 3) ** 2)) - 4)).toBeLessThan(0.5);
});
it('maps a draw', () => {
  const plain = draw({ kind: 'loguniform', a: 0.001, b: 0.1 });
  const mapped = draw({ kind: 'map', op: 'inverse_softplus', of: { kind: 'loguniform', a: 0.001, b: 0.1 } });
  mapped.forEach((x, k) => expect(Math.log1p(Math.exp(x))).toBeCloseTo(plain[k]!, 14));
});
it('evaluates expressions over the indices', () => {
  const program = programOf((p, indices) => ({ kind: 'expr', over: indices, expr: p.b.unary('log', p.add(p.b.index(indices[1]!), p.b.const(1))) }));
  const { data, shape } = initialise(program, 1).get('w')!;
  expect(shape).toEqual([4, 500]);
  data.forEach((x, k) => expect(x).toBe(Math.log((k % 500) + 1)));
});
it('depends on the seed and the name, not on other parameters', () => {
  const init: Initialiser = { kind: 'uniform', a: 0, b: 1 };
  expect(draw(init, 1, ['v', 'v2'])).toEqual(draw(init, 1));
  expect(draw(init, 2)).not.toEqual(draw(init, 1));
  expect(new Random(1, 'v').uniform()).not.toBe(new Random(1, 'w').uniform());
});
it('keeps the modality slices of a parameter apart', () => {
  const p = new ProgramMaker();
  const M = p.axis('m', 2, { labels: ['a', 'b'] });
  const m = p.index(M);
  const f = p.index(p.axis('f', 3, { ragged: { over: M, sizes: [2, 3] } }), m);
  const id = p.param('w', [m, f], [{ name: 'a.w', member: 0, shape: [2] }, { name: 'b.w', member: 1, shape: [3] }]);
  const expr = p.add(p.mul(p.b.const(10), p.b.index(m)), p.b.index(f));
  p.definitions[id] = { ...p.definitions[id]!, init: { kind: 'expr', expr, over: [m, f] } } as (typeof p.definitions)[number];
  const weights = initialise(p.program(), 0);
  expect([...weights.get('a.w')!.data]).toEqual([0, 1]);
  expect([...weights.get('b.w')!.data]).toEqual([10, 11, 12]);
});
