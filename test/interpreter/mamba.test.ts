/** A selective block, mean-coupled over two modalities, against plain float64 loops. */
import { expect, it } from 'vitest';
import { interpret } from '../../src/interpreter/interpret.js';
import { affine, element, ProgramMaker, wave, worst } from './program-maker.js';

const [M, C, D, N, R, K, L] = [2, 3, 6, 4, 2, 4, 9];

it('a coupled Mamba block', () => {
  const p = new ProgramMaker();
  const axes = { m: M, c: C, d: D, n: N, r: R, k: K };
  const axis = Object.fromEntries(Object.entries(axes).map(([name, size]) => [name, p.axis(name, size)]));
  const [m, i] = [p.index(axis['m']!), p.index(axis['m']!)];
  const [c, d, n, r, k] = ['c', 'd', 'n', 'r', 'k'].map((name) => p.index(axis[name]!)) as [typeof m, typeof m, typeof m, typeof m, typeof m];
  const wide = (name: string, size: number) => p.index(p.axis(name, size));
  const x = p.input('x', true, [m, c]);
  const inProj = p.param('in', [m, wide('p', 2 * D), c]);
  const [convW, convB] = [p.param('conv.w', [m, d, k]), p.param('conv.b', [m, d])];
  const xProj = p.param('xp', [m, wide('q', R + 2 * N), d]);
  const [dtW, dtB] = [p.param('dt.w', [m, d, r]), p.param('dt.b', [m, d])];
  const [aLog, skip, outW] = [p.param('A', [m, d, n]), p.param('D', [m, d]), p.param('out.w', [m, c, d])];
  const u1 = (op: 'silu' | 'softplus' | 'exp' | 'neg', e: ReturnType<typeof p.read>) => p.b.unary(op, e);

  const v = p.define('v', true, [m, d], () => p.sum(c, p.mul(p.read(inProj, undefined, m, d, c), p.read(x, 0, m, c))));
  const z = p.define('z', true, [m, d], () => p.sum(c, p.mul(p.read(inProj, undefined, m, affine(D, [d, 1]), c), p.read(x, 0, m, c))));
  const u = p.define('u', true, [m, d], () => u1('silu', p.add(p.read(convB, undefined, m, d), p.sum(k, p.mul(p.read(convW, undefined, m, d, k), p.read(v, affine(1 - K, [k, 1]), m, d))))));
  const project = (name: string, index: typeof m, from: number) => p.define(name, true, [m, index], () => p.sum(d, p.mul(p.read(xProj, undefined, m, affine(from, [index, 1]), d), p.read(u, 0, m, d))));
  const [low, Bt, Ct] = [project('low', r, 0), project('B', n, R), project('C', n, R + N)];
  const dt = p.define('dt', true, [m, d], () => u1('softplus', p.add(p.read(dtB, undefined, m, d), p.sum(r, p.mul(p.read(dtW, undefined, m, d, r), p.read(low, 0, m, r))))));
  const A = p.define('Aneg', false, [m, d, n], () => u1('neg', u1('exp', p.read(aLog, undefined, m, d, n))));
  const h = p.define('h', true, [m, d, n], (self) => p.add(
    p.mul(u1('exp', p.mul(p.read(dt, 0, m, d), p.read(A, undefined, m, d, n))), p.b.reduce('mean', i, p.read(self, -1, i, d, n))),
    p.mul(p.read(dt, 0, m, d), p.read(Bt, 0, m, n), p.read(u, 0, m, d)),
  ), { state: { direction: 'forward' } });
  const y = p.define('y', true, [m, d], () => p.mul(
    p.add(p.sum(n, p.mul(p.read(Ct, 0, m, n), p.read(h, 0, m, d, n))), p.mul(p.read(skip, undefined, m, d), p.read(u, 0, m, d))), u1('silu', p.read(z, 0, m, d))));
  p.define('out', true, [m, c], () => p.sum(d, p.mul(p.read(outW, undefined, m, c, d), p.read(y, 0, m, d))), { output: true });

  const shapes: Record<string, number[]> = {
    in: [M, 2 * D, C], 'conv.w': [M, D, K], 'conv.b': [M, D], xp: [M, R + 2 * N, D], 'dt.w': [M, D, R], 'dt.b': [M, D], A: [M, D, N], D: [M, D], 'out.w': [M, C, D],
  };
  const weights = new Map(Object.entries(shapes).map(([name, shape], salt) => [name, wave(shape, salt, 0.7)] as const));
  const input = wave([1, L, M, C], 9);
  const { outputs, traces } = interpret(p.program(), weights, new Map([['x', input]]), { trace: ['h'] });

  const w = (name: string, ...at: number[]): number => element(weights.get(name)!, ...at);
  const range = (count: number, f: (k: number) => number): number => Array.from({ length: count }, (_, j) => f(j)).reduce((a, b) => a + b, 0);
  const silu = (a: number): number => a / (1 + Math.exp(-a));
  const proj = (t: number, q: number, row: number): number => (t < 0 ? 0 : range(C, (s) => w('in', q, row, s) * element(input, 0, t, q, s)));
  const state = new Float64Array(M * D * N);
  const want: number[][][] = [];
  for (let t = 0; t < L; t++) {
    const before = state.slice();
    want.push([]);
    for (let q = 0; q < M; q++) {
      const us = Array.from({ length: D }, (_, e) => silu(w('conv.b', q, e) + range(K, (j) => w('conv.w', q, e, j) * proj(t - K + 1 + j, q, e))));
      const xp = Array.from({ length: R + 2 * N }, (_, row) => range(D, (e) => w('xp', q, row, e) * us[e]!));
      const ys = us.map((ue, e) => {
        const step = Math.log(1 + Math.exp(w('dt.b', q, e) + range(R, (j) => w('dt.w', q, e, j) * xp[j]!)));
        const read = range(N, (s) => {
          const mean = range(M, (o) => before[(o * D + e) * N + s]!) / M;
          const value = Math.exp(-Math.exp(w('A', q, e, s)) * step) * mean + step * xp[R + s]! * ue;
          state[(q * D + e) * N + s] = value;
          return xp[R + N + s]! * value;
        });
        return (read + w('D', q, e) * ue) * silu(proj(t, q, D + e));
      });
      want[t]!.push(Array.from({ length: C }, (_, row) => range(D, (e) => w('out.w', q, row, e) * ys[e]!)));
    }
  }
  expect(worst(outputs.get('out')!, (_, t, q, row) => want[t]![q]![row]!)).toBeLessThan(1e-14);
  expect(element(traces.get('h')!, 0, L - 1, 1, D - 1, N - 1)).toBeCloseTo(state.at(-1)!, 14);
});
