import { describe, expect, it } from 'vitest';
import { compileText } from '../random/agree.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { Random } from '../../src/interpreter/random.js';
import type { DefinitionId, DefinitionOf, Draw, Expr, Program } from '../../src/ir/program.js';
import { ProgramMaker } from './program-maker.js';

const span = { file: 'test.ssm', start: 0, end: 0 };
/** What an initialiser of the parameter at hand may be made of. */
interface Maker {
  readonly p: ProgramMaker;
  readonly indices: readonly ReturnType<ProgramMaker['index']>[];
  readonly draw: (draw: Draw) => Expr;
}
/** One parameter of 4 × 500 with the given initialiser, perhaps among others. */
function programOf(init: (m: Maker) => Expr, others: readonly string[] = []): Program {
  const p = new ProgramMaker();
  const indices = [p.index(p.axis('a', 4)), p.index(p.axis('b', 500))];
  for (const name of others) p.param(name, indices);
  const param = p.param('w', indices);
  const draw = (draw: Draw): Expr => {
    const id = p.definitions.length as DefinitionId;
    p.definitions.push({ kind: 'draw', id, name: `w#draw${id}`, time: false, indices, type: 'real', span, draw, param });
    return p.read(id, undefined, ...indices);
  };
  const expr = init({ p, indices, draw });
  p.definitions[param] = { ...(p.definitions[param] as DefinitionOf<'param'>), init: { expr, over: indices, span } };
  return p.program();
}
const made = (init: (m: Maker) => Expr, seed = 1, others: readonly string[] = []): Float64Array => initialise(programOf(init, others), seed).get('w')!.data;
const draw = (d: Draw, seed = 1, others: readonly string[] = []): Float64Array => made((m) => m.draw(d), seed, others);
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
it('computes with draws: each is a stream of its own, the first that of the parameter', () => {
  const plain = draw({ kind: 'uniform', a: 0, b: 1 });
  const sum = made((m) => m.p.add(m.draw({ kind: 'uniform', a: 0, b: 1 }), m.p.mul(m.p.b.const(10), m.draw({ kind: 'uniform', a: 0, b: 1 }))));
  const second = sum.map((x, k) => (x - plain[k]!) / 10);
  expect(Math.min(...second)).toBeGreaterThanOrEqual(-1e-12);
  expect(Math.max(...second)).toBeLessThan(1 + 1e-12);
  expect(Math.abs(mean(second) - 0.5)).toBeLessThan(0.05);
  expect(second[0]).not.toBeCloseTo(plain[0]!, 6);
});
it('evaluates expressions over the indices', () => {
  const program = programOf(({ p, indices }) => p.b.unary('log', p.add(p.b.index(indices[1]!), p.b.const(1))));
  const { data, shape } = initialise(program, 1).get('w')!;
  expect(shape).toEqual([4, 500]);
  data.forEach((x, k) => expect(x).toBe(Math.log((k % 500) + 1)));
});
it('depends on the seed and the name, not on other parameters', () => {
  const init: Draw = { kind: 'uniform', a: 0, b: 1 };
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
  p.definitions[id] = { ...p.definitions[id]!, init: { expr, over: [m, f], span } } as (typeof p.definitions)[number];
  const weights = initialise(p.program(), 0);
  expect([...weights.get('a.w')!.data]).toEqual([0, 1]);
  expect([...weights.get('b.w')!.data]).toEqual([10, 11, 12]);
});

/** What a whole spec says: other parameters, equations, matrices. */
describe('initialisers of a spec', () => {
  const weights = (body: string, seed = 3): ReturnType<typeof initialise> => {
    const { program, diagnostics } = compileText(`model M {\n axis n = 6\n axis k = 6\n input x[t, n]\n ${body}\n output y[t, n] = x[t, n]\n}`);
    if (!program) throw new Error(diagnostics.map((d) => d.text).join('\n'));
    return initialise(program, seed);
  };
  it('read parameters above, and equations of them', () => {
    const w = weights('param a[n] = normal(0, 1)\n s[n] = 1 + a[n]^2\n param b[n] = log(s[n])\n param c[n] = inverse_softplus(loguniform(0.001, 0.1))');
    const [a, b, c] = ['a', 'b', 'c'].map((n) => w.get(n)!.data) as [Float64Array, Float64Array, Float64Array];
    b.forEach((x, j) => expect(x).toBe(Math.log(1 + a[j]! ** 2)));
    expect(new Set(a).size).toBe(6);
    for (const x of c) expect(Math.log1p(Math.exp(x))).toBeGreaterThan(0.000999);
  });
  it('take eigenvalues and eigenvectors: H V = V diag(w), V unitary, values ascending', () => {
    const w = weights(`H[n, k] = complex(1 / (n + k + 1), n - k)
      lambda[n] = eigenvalues(n, k: H[n, k])
      V[n, k] = eigenvectors(n, k: H[n, k])
      param values[n] = lambda[n]
      param re[n, k] = re(V[n, k])
      param im[n, k] = im(V[n, k])`);
    const values = w.get('values')!.data;
    const v = (i: number, k: number): [number, number] => [w.get('re')!.data[i * 6 + k]!, w.get('im')!.data[i * 6 + k]!];
    for (let i = 1; i < 6; i++) expect(values[i]!).toBeGreaterThan(values[i - 1]!);
    for (let k = 0; k < 6; k++) for (let i = 0; i < 6; i++) {
      let [re, im, dotRe, dotIm] = [0, 0, 0, 0];
      for (let j = 0; j < 6; j++) {
        const [a, b, [x, y]] = [1 / (i + j + 1), i - j, v(j, k)];
        re += a * x - b * y;
        im += a * y + b * x;
        const [p, q] = v(j, i);
        dotRe += p * x + q * y;
        dotIm += p * y - q * x;
      }
      expect(re).toBeCloseTo(values[k]! * v(i, k)[0], 13);
      expect(im).toBeCloseTo(values[k]! * v(i, k)[1], 13);
      expect(Math.hypot(dotRe - (i === k ? 1 : 0), dotIm)).toBeLessThan(1e-14);
    }
  });
  it('refuse a matrix that is not Hermitian', () => {
    expect(() => weights('w[n] = eigenvalues(n, k: n + 2 * k)\n param p[n] = w[n]')).toThrow(/not Hermitian: \[1, 0\] is 1 \+ 0i, \[0, 1\] is 2/);
  });
});
