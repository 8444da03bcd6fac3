/** Each construct of a program against a few lines of plain loops. */
import { describe, expect, it } from 'vitest';
import { interpret, InterpretError } from '../../src/interpreter/interpret.js';
import { affine, element, ProgramMaker, wave, worst } from './program-maker.js';

const [B, L] = [2, 7];
const none = new Map<string, never>();

describe('reads through time', () => {
  it('are 0 outside of the sequence', () => {
    const p = new ProgramMaker();
    const c = p.index(p.axis('c', 3));
    const x = p.input('x', true, [c]);
    p.define('y', true, [c], () => p.add(p.read(x, -2, c), p.mul(p.b.const(10), p.read(x, 1, c))), { output: true });
    const input = wave([B, L, 3], 1);
    const { outputs } = interpret(p.program(), none, new Map([['x', input]]));
    const at = (b: number, t: number, i: number): number => (t < 0 || t >= L ? 0 : element(input, b, t, i));
    expect(worst(outputs.get('y')!, (b, t, i) => at(b, t - 2, i) + 10 * at(b, t + 1, i))).toBe(0);
  });
  it('take affine offsets of indices: a causal convolution', () => {
    const p = new ProgramMaker();
    const [c, k] = [p.index(p.axis('c', 3)), p.index(p.axis('k', 4))];
    const x = p.input('x', true, [c]);
    const w = p.param('w', [c, k]);
    p.define('y', true, [c], () => p.sum(k, p.mul(p.read(w, undefined, c, k), p.read(x, affine(-3, [k, 1]), c))), { output: true });
    const [input, weight] = [wave([B, L, 3], 1), wave([3, 1, 4], 2)];
    const { outputs } = interpret(p.program(), new Map([['w', weight]]), new Map([['x', input]]));
    const want = (b: number, t: number, i: number): number => {
      let sum = 0;
      for (let j = 0; j < 4; j++) if (t - 3 + j >= 0) sum += element(weight, i, 0, j) * element(input, b, t - 3 + j, i);
      return sum;
    };
    expect(worst(outputs.get('y')!, want)).toBe(0);
  });
});

describe('states', () => {
  const cases = [{ direction: 'forward', step: -1 }, { direction: 'backward', step: 1 }] as const;
  it.each(cases)('$direction, with an initial value that second-order reads see too', ({ direction, step }) => {
    const p = new ProgramMaker();
    const c = p.index(p.axis('c', 3));
    const x = p.input('x', true, [c]);
    const first = p.param('first', [c]);
    p.define('h', true, [c], (h) => p.add(p.mul(p.b.const(0.5), p.read(h, step, c)), p.mul(p.b.const(0.25), p.read(h, 2 * step, c)), p.read(x, 0, c)), {
      output: true, state: { direction, initial: p.read(first, undefined, c) },
    });
    const [input, initial] = [wave([B, L, 3], 1), wave([3], 2)];
    const { outputs } = interpret(p.program(), new Map([['first', initial]]), new Map([['x', input]]));
    const h = new Map<string, number>();
    const get = (b: number, t: number, i: number): number => h.get(`${b},${t},${i}`) ?? element(initial, i);
    for (let b = 0; b < B; b++) {
      for (let s = 0; s < L; s++) {
        const t = step < 0 ? s : L - 1 - s;
        for (let i = 0; i < 3; i++) h.set(`${b},${t},${i}`, 0.5 * get(b, t + step, i) + 0.25 * get(b, t + 2 * step, i) + element(input, b, t, i));
      }
    }
    expect(worst(outputs.get('h')!, get)).toBe(0);
  });
  it('read each other, in the order of their same-time reads', () => {
    const p = new ProgramMaker();
    const x = p.input('x', true, []);
    const [h, g] = [1, 2].map((k) => p.definitions.length + k - 1) as [never, never];
    const state = { direction: 'forward' } as const;
    // h reads g at the same step, g reads h one step before: g comes first although it is defined last.
    p.define('h', true, [], () => p.add(p.b.unary('tanh', p.b.read(g, 'real', [], affine(0))), p.read(x, 0)), { output: true, state });
    p.define('g', true, [], () => p.add(p.mul(p.b.const(0.5), p.b.read(h, 'real', [], affine(-1))), p.b.const(1)), { state });
    const input = wave([1, L], 1);
    const { outputs, traces } = interpret(p.program(), none, new Map([['x', input]]), { trace: ['g'] });
    let before = 0;
    for (let t = 0; t < L; t++) {
      const gt = 0.5 * before + 1;
      expect(element(traces.get('g')!, 0, t)).toBe(gt);
      expect(element(outputs.get('h')!, 0, t)).toBe((before = Math.tanh(gt) + element(input, 0, t)));
    }
  });
  it('rotate: a complex diagonal recurrence', () => {
    const p = new ProgramMaker();
    const n = p.index(p.axis('n', 3));
    const x = p.input('x', true, []);
    const a = p.define('a', false, [n], () => p.b.unary('exp', p.b.binary('complex', p.b.const(-0.1), p.b.index(n))), { type: 'complex' });
    const h = p.define('h', true, [n], (self) => p.add(p.mul(p.read(a, undefined, n), p.read(self, -1, n)), p.read(x, 0)), { type: 'complex', state: { direction: 'forward' } });
    p.define('y', true, [], () => p.b.unary('re', p.sum(n, p.read(h, 0, n))), { output: true });
    const input = wave([1, L], 1);
    const { outputs, traces } = interpret(p.program(), none, new Map([['x', input]]), { trace: ['h'] });
    const want = (t: number, part: (angle: number) => number, i: number): number => {
      let sum = 0;
      for (let s = 0; s <= t; s++) sum += Math.exp(-0.1 * (t - s)) * part(i * (t - s)) * element(input, 0, s);
      return sum;
    };
    expect(traces.get('h')!.shape).toEqual([1, L, 3, 2]);
    expect(worst(traces.get('h')!, (_, t, i, part) => want(t, part === 0 ? Math.cos : Math.sin, i))).toBeLessThan(1e-14);
    expect(worst(outputs.get('y')!, (_, t) => [0, 1, 2].reduce((sum, i) => sum + want(t, Math.cos, i), 0))).toBeLessThan(1e-14);
  });
  it('that read themselves at the same time, or both ways, are refused', () => {
    const same = new ProgramMaker();
    same.define('h', true, [], (h) => same.read(h, 0), { output: true });
    expect(() => interpret(same.program(), none, none)).toThrow('h read each other at the same time');
    const both = new ProgramMaker();
    both.define('h', true, [], (h) => both.add(both.read(h, 1), both.read(h, -1)), { output: true });
    expect(() => interpret(both.program(), none, none)).toThrow('the recurrence of h reads both its past and its future');
  });
});

describe('reductions', () => {
  const [p, C] = [new ProgramMaker(), 5];
  const [c, i] = [p.axis('c', C), p.axis('c', C)].map((axis) => p.index(axis)) as [ReturnType<typeof p.index>, ReturnType<typeof p.index>];
  const x = p.input('x', true, [c]);
  for (const op of ['sum', 'mean', 'max', 'min', 'last'] as const) {
    p.define(`${op}.c`, true, [], () => p.b.reduce(op, i, p.read(x, 0, i)), { output: true });
    p.define(`${op}.t`, false, [c], () => p.b.reduce(op, 'time', p.read(x, 0, c)), { output: true });
  }
  // Inside time: each step weighs all steps by their distance in value; the outer t is read after the inner loop.
  p.define('within', true, [c], () => p.b.binary('sub', p.b.reduce('sum', 'time', p.read(x, -1, c)), p.read(x, 0, c)), { output: true });
  const input = wave([B, L, C], 3);
  const lengths = [L, 4];
  const { outputs } = interpret(p.program(), none, new Map([['x', input]]), { lengths });
  const list = (n: number, f: (k: number) => number): number[] => Array.from({ length: n }, (_, k) => f(k));
  const plain: { readonly [op: string]: (values: number[]) => number } = {
    sum: (v) => v.reduce((a, b) => a + b, 0), mean: (v) => v.reduce((a, b) => a + b, 0) / v.length,
    max: (v) => Math.max(...v), min: (v) => Math.min(...v), last: (v) => v.at(-1)!,
  };
  it.each(Object.keys(plain))('%s over an axis and over each row\'s own time', (op) => {
    expect(worst(outputs.get(`${op}.c`)!, (b, t) => (t < lengths[b]! ? plain[op]!(list(C, (k) => element(input, b, t, k))) : 0))).toBe(0);
    expect(worst(outputs.get(`${op}.t`)!, (b, k) => plain[op]!(list(lengths[b]!, (t) => element(input, b, t, k))))).toBe(0);
  });
  it('over time inside of time', () => {
    const want = (b: number, t: number, k: number): number => (t >= lengths[b]! ? 0 : plain['sum']!(list(lengths[b]! - 1, (s) => element(input, b, s, k))) - element(input, b, t, k));
    expect(worst(outputs.get('within')!, want)).toBe(0);
  });
});

describe('modalities', () => {
  const make = () => {
    const p = new ProgramMaker();
    const M = p.axis('m', 3, { labels: ['a', 'b', 'c'] });
    const F = p.axis('f', 4, { ragged: { over: M, sizes: [2, 4, 1] } });
    const m = p.index(M);
    const f = p.index(F, m);
    return { p, m, f };
  };
  it('with ragged inputs and parameters in pieces', () => {
    const { p, m, f } = make();
    const e = p.index(p.axis('e', 2));
    const x = p.input('x', true, [m, f]);
    const w = p.param('w', [m, e, f], [0, 1, 2].map((k) => ({ name: `${'abc'[k]}.w`, member: k, shape: [2, [2, 4, 1][k]!] })));
    p.define('y', true, [m, e], () => p.sum(f, p.mul(p.read(w, undefined, m, e, f), p.read(x, 0, m, f))), { output: true });
    p.define('mean', true, [m], () => p.b.reduce('mean', f, p.read(x, 0, m, f)), { output: true });
    const inputs = new Map([['a', wave([B, L, 2], 1)], ['b', wave([B, L, 4], 2)], ['c', wave([B, L, 1], 3)]]);
    const weights = new Map([['a.w', wave([2, 2], 4)], ['b.w', wave([2, 4], 5)], ['c.w', wave([2, 1], 6)]]);
    const { outputs, traces } = interpret(p.program(), weights, inputs, { trace: ['x'] });
    const sum = (b: number, t: number, k: number, weight: (f: number) => number): number => {
      let total = 0;
      const row = inputs.get('abc'[k]!)!;
      for (let j = 0; j < row.shape[2]!; j++) total += weight(j) * element(row, b, t, j);
      return total;
    };
    expect(worst(outputs.get('y')!, (b, t, k, d) => sum(b, t, k, (j) => element(weights.get(`${'abc'[k]}.w`)!, d, j)))).toBe(0);
    expect(worst(outputs.get('mean')!, (b, t, k) => sum(b, t, k, () => 1) / [2, 4, 1][k]!)).toBe(0);
    expect(worst(traces.get('x')!, (b, t, k, j) => (j < [2, 4, 1][k]! ? element(inputs.get('abc'[k]!)!, b, t, j) : 0))).toBe(0);
  });
  it('stacked from parts of their own sizes', () => {
    const { p, m, f } = make();
    const parts = [2, 4, 1].map((size, k) => {
      const own = p.index(p.axis('f', size));
      const x = p.input(`x${k}`, true, [own]);
      return p.define(`part${k}`, true, [own], () => p.b.unary('neg', p.read(x, 0, own)));
    });
    p.output(p.stack('x', true, [m, f], parts));
    const inputs = new Map([2, 4, 1].map((size, k) => [`x${k}`, wave([B, L, size], k)] as const));
    const { outputs } = interpret(p.program(), none, inputs, { lengths: [L, 3] });
    expect(worst(outputs.get('x')!, (b, t, k, j) => (j < [2, 4, 1][k]! && t < [L, 3][b]! ? -element(inputs.get(`x${k}`)!, b, t, j) : 0))).toBe(0);
  });
});

describe('lengths', () => {
  it('make each row what it is alone, whatever the padding holds', () => {
    const p = new ProgramMaker();
    const c = p.index(p.axis('c', 3));
    const x = p.input('x', true, [c]);
    const state = { direction: 'backward' } as const;
    const g = p.define('g', true, [c], (self) => p.add(p.mul(p.b.const(0.9), p.read(self, 1, c)), p.read(x, 0, c)), { state });
    p.define('y', true, [c], () => p.add(p.read(g, 1, c), p.read(g, -1, c), p.read(x, 2, c)), { output: true });
    p.define('top', false, [c], () => p.b.reduce('max', 'time', p.read(g, 0, c)), { output: true });
    const input = wave([3, L, 3], 2);
    const lengths = [3, 1, 7];
    input.data.fill(Number.NaN, 3 * 3, L * 3);
    const { outputs } = interpret(p.program(), none, new Map([['x', input]]), { lengths });
    lengths.forEach((length, b) => {
      const alone = { shape: [1, length, 3], data: input.data.slice(b * L * 3, (b * L + length) * 3) };
      const { outputs: want } = interpret(p.program(), none, new Map([['x', alone]]));
      for (let t = 0; t < L; t++) {
        for (let k = 0; k < 3; k++) expect(element(outputs.get('y')!, b, t, k)).toBe(t < length ? element(want.get('y')!, 0, t, k) : 0);
      }
      for (let k = 0; k < 3; k++) expect(element(outputs.get('top')!, b, k)).toBe(element(want.get('top')!, 0, k));
    });
  });
});

describe('load-time matrices', () => {
  it('are inverted, and a singular one is refused', () => {
    const p = new ProgramMaker();
    const N = p.axis('n', 4);
    const [m, i, j, k] = [p.index(p.axis('m', 2)), p.index(N), p.index(N), p.index(N)];
    const a = p.param('a', [m, i, j]);
    const inv = p.inverse('inv', a, [m, i, j]);
    p.define('unit', false, [m, i, j], () => p.sum(k, p.mul(p.read(inv, undefined, m, i, k), p.read(a, undefined, m, k, j))), { output: true });
    const weight = wave([2, 4, 4], 1);
    const { outputs } = interpret(p.program(), new Map([['a', weight]]), none);
    expect(worst(outputs.get('unit')!, (_, _m, r, s) => (r === s ? 1 : 0))).toBeLessThan(1e-13);
    weight.data.copyWithin(16, 20, 24);
    expect(() => interpret(p.program(), new Map([['a', weight]]), none)).toThrow('the matrix a is singular');
  });
  it('may be complex', () => {
    const p = new ProgramMaker();
    const N = p.axis('n', 3);
    const [i, j, k] = [p.index(N), p.index(N), p.index(N)];
    const [re, im] = [p.param('re', [i, j]), p.param('im', [i, j])];
    const a = p.define('a', false, [i, j], () => p.b.binary('complex', p.read(re, undefined, i, j), p.read(im, undefined, i, j)), { type: 'complex' });
    const inv = p.inverse('inv', a, [i, j], 'complex');
    p.define('unit', false, [i, j], () => p.sum(k, p.mul(p.read(a, undefined, i, k), p.read(inv, undefined, k, j))), { type: 'complex', output: true });
    const { outputs } = interpret(p.program(), new Map([['re', wave([3, 3], 1)], ['im', wave([3, 3], 2)]]), none);
    expect(worst(outputs.get('unit')!, (_, r, s, part) => (r === s && part === 0 ? 1 : 0))).toBeLessThan(1e-14);
  });
});

describe('selection', () => {
  it('evaluates only the chosen side', () => {
    const p = new ProgramMaker();
    const c = p.index(p.axis('c', 4));
    const w = p.param('w', [c]);
    const left = p.b.select(p.b.binary('lt', p.b.index(c), p.b.const(1)), p.b.const(0), p.read(w, undefined, affine(-1, [c, 1])));
    p.define('y', false, [c], () => left, { output: true });
    const { outputs } = interpret(p.program(), new Map([['w', wave([4], 1)]]), none);
    expect(worst(outputs.get('y')!, (_, k) => (k === 0 ? 0 : element(wave([4], 1), k - 1)))).toBe(0);
    const wrong = new ProgramMaker();
    const d = wrong.index(wrong.axis('d', 4));
    const v = wrong.param('v', [d]);
    wrong.define('y', false, [d], () => wrong.read(v, undefined, affine(1, [d, 1])), { output: true });
    expect(() => interpret(wrong.program(), new Map([['v', wave([4], 1)]]), none)).toThrow('index 0 of v is 4, outside of 0..3');
  });
});

describe('faults of the caller', () => {
  const p = new ProgramMaker();
  const c = p.index(p.axis('c', 3));
  const [x, z, w] = [p.input('x', true, [c]), p.input('z', true, [c]), p.param('w', [c])];
  p.define('y', true, [c], () => p.add(p.read(x, 0, c), p.read(z, 0, c), p.read(w, undefined, c)), { output: true });
  const program = p.program();
  const good = { x: wave([B, L, 3], 1), z: wave([B, L, 3], 2), w: wave([3], 3) };
  const run = (change: Partial<typeof good>, options = {}) => () => {
    const given = { ...good, ...change };
    return interpret(program, new Map([['w', given.w]]), new Map([['x', given.x], ['z', given.z]]), options);
  };
  it.each([
    ['a weight of another shape', run({ w: wave([4], 1) }), 'the weight w has shape [4], expected [3]'],
    ['an input of another rank', run({ x: wave([L, 3], 1) }), 'the input x has shape [7, 3], expected [batch, time, 3]'],
    ['inputs of different lengths', run({ z: wave([B, 2, 3], 1) }), 'the input x has steps 7, the input z 2'],
    ['no steps', run({ x: wave([B, 0, 3], 1), z: wave([B, 0, 3], 1) }), 'no steps'],
    ['too few lengths', run({}, { lengths: [1] }), '1 lengths were given for a batch of 2'],
    ['a length beyond the end', run({}, { lengths: [1, 8] }), 'a length is 8, expected 1 to 7'],
    ['an unknown trace', run({}, { trace: ['q'] }), 'there is no definition `q`; there are x, z, w, y'],
    ['a missing weight', () => interpret(program, none, none), 'the input x is missing'],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(InterpretError);
    expect(call).toThrow(message);
  });
});
