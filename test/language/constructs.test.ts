/** Every construct of the language against numbers worked out by plain loops here; wasm agrees with the interpreter on each. */
import { describe, expect, it } from 'vitest';
import { interpret, type Interpretation } from '../../src/interpreter/interpret.js';
import { compileText, disagreements } from '../random/agree.js';

type Tensor = readonly [shape: readonly number[], data: readonly number[]];
function run(text: string, inputs: Readonly<Record<string, Tensor>>, weights: Readonly<Record<string, Tensor>> = {}, lengths?: readonly number[]): (name: string) => number[] {
  const { program, diagnostics } = compileText(text);
  if (!program) throw new Error(diagnostics.map((d) => `${d.code} ${d.text}`).join('\n'));
  const doubles = (t: typeof inputs): Map<string, { shape: readonly number[]; data: Float64Array }> => new Map(Object.entries(t).map(([n, [shape, data]]) => [n, { shape, data: Float64Array.from(data) }]));
  const result: Interpretation = interpret(program, doubles(weights), doubles(inputs), lengths ? { lengths } : {});
  return (name) => [...(result.outputs.get(name)?.data ?? [])];
}
function near(got: readonly number[], want: readonly number[]): void {
  expect(got).toHaveLength(want.length);
  want.forEach((w, k) => { expect(got[k]).toBeCloseTo(w, 12); });
}
const specs: Record<string, string> = {};
const spec = (name: string, body: string): string => (specs[name] = body.includes('model ') ? body : `model M {\n${body}\n}`);
const names = (text: string): string[] => (compileText(text).module?.manifest.weights ?? []).map((w) => w.name);
const x = [0.5, -1, 2, 0.25, -0.75];
const line: Readonly<Record<string, Tensor>> = { x: [[1, 5], x] };

describe('steps that differ from member to member', () => {
  const at = (t: number): number => x[t] ?? 0;
  // On the lanes or not, in loops that are unrolled or not.
  it.each([3, 4, 9, 40])('%i of them', (n) => {
    const members = Array.from({ length: n }, (_, k) => k);
    const delays = run(spec(`${n} delays`, `axis k = ${n}\ninput x[t]\noutput y[t, k] = x[t - k]`), line);
    near(delays('y'), x.flatMap((_, t) => members.map((k) => at(t - k))));
    const ahead = run(spec(`a window of ${n}`, `axis k = ${n}\ninput x[t]\nw[k] = 1 / (k + 1)\noutput y[t] = sum(k: w[k] * x[t + k])\noutput z[t] = max(k: x[t - k])`), line);
    near(ahead('y'), x.map((_, t) => members.reduce((sum, k) => sum + at(t + k) / (k + 1), 0)));
    near(ahead('z'), x.map((_, t) => Math.max(...members.map((k) => at(t - k)))));
    const states = run(spec(`${n} states, each driven later`, `axis k = ${n}\ninput x[t]\nstate h[t, k] = 0.5 * h[t-1, k] + x[t - k]\noutput y[t] = sum(k: h[t, k]^2)\noutput z[t, k] = h[t, k]`), line);
    let h = members.map(() => 0);
    near(states('z'), x.flatMap((_, t) => (h = h.map((s, k) => 0.5 * s + at(t - k)))));
  });
});
describe('states', () => {
  it('begin with what is known of the whole sequence', () => {
    const out = run(spec('begins with reductions', 'input x[t]\nstart = max(t: x[t])\ninitial h = tanh(start) + mean(t: x[t])\nstate h[t] = 0.5 * h[t-1] + x[t]\noutput y[t] = h[t] + h[t-3]'), line);
    const first = Math.tanh(2) + x.reduce((a, b) => a + b) / 5;
    const h = [first, first, first];
    for (const v of x) h.push(0.5 * (h.at(-1) as number) + v);
    near(out('y'), x.map((_, t) => (h[t + 3] as number) + (h[t] as number)));
  });
  it('begin with what is computed of an input without time', () => {
    const out = run(spec('begins with an equation', 'axis c = 2\ninput x[t]\ninput g\nstart[c] = (c + 1) * g\ninitial h[c] = start[c]\nstate h[t, c] = 0.5 * h[t-1, c] + x[t]\noutput y[t, c] = h[t, c] + h[t-3, c]'), { ...line, g: [[1], [3]] });
    const h = [[3, 6], [3, 6], [3, 6]];
    for (const v of x) h.push((h.at(-1) as number[]).map((s) => 0.5 * s + v));
    near(out('y'), h.slice(3).flatMap((now, t) => now.map((s, c) => s + (h[t]?.[c] ?? NaN))));
  });
  it('read each other', () => {
    const out = run(spec('mutual', 'input x[t]\nstate a[t] = 0.5 * b[t-1] + x[t]\nstate b[t] = 0.25 * a[t-1] - x[t]\noutput y[t] = a[t] + 10 * b[t]'), line);
    let [a, b] = [0, 0];
    near(out('y'), x.map((v) => { [a, b] = [0.5 * b + v, 0.25 * a - v]; return a + 10 * b; }));
  });
  it('mix their elements through what is read of them at the same step, also where elements are gone through in a loop', () => {
    const n = 16;
    const weight = (i: number, j: number): number => 0.05 * Math.cos(i + 2 * j);
    const head = `axis n = ${n}\naxis k = ${n}\ninput x[t]\nA[n, k] = 0.05 * cos(n + 2 * k)\n`;
    const plain = run(spec('mixed through the last', `${head}last[t, n] = h[t-1, n]\nstate h[t, n] = 0.5 * last[t, n] + sum(k: A[n, k] * last[t, k]) + (n + 1) * x[t]\noutput y[t, n] = h[t, n]`), line);
    let h = new Array<number>(n).fill(0);
    near(plain('y'), x.flatMap((v) => {
      h = h.map((s, i) => 0.5 * s + h.reduce((sum, z, j) => sum + weight(i, j) * z, 0) + (i + 1) * v);
      return h;
    }));
    const two = run(spec('mixed through another', `${head}state b[t, n] = 0.5 * b[t-1, n] + 0.1 * h[t-1, n] + (n + 1) * x[t]\nstate h[t, n] = 0.9 * h[t-1, n] + sum(k: A[n, k] * b[t, k])\noutput y[t, n] = h[t, n]`), line);
    h = h.map(() => 0);
    let b = h;
    near(two('y'), x.flatMap((v) => {
      b = b.map((s, i) => 0.5 * s + 0.1 * (h[i] as number) + (i + 1) * v);
      h = h.map((s, i) => 0.9 * s + b.reduce((sum, z, j) => sum + weight(i, j) * z, 0));
      return h;
    }));
  });
  it('read what others are at the same step, and the step before last', () => {
    const out = run(spec('ordered', 'input x[t]\nm[t] = 2 * a[t-1] + x[t]\nstate b[t] = 0.5 * b[t-2] + m[t]\nstate a[t] = 0.1 * b[t] + 0.2 * a[t-1]\noutput y[t] = a[t]'), line);
    const a: number[] = [];
    const b: number[] = [];
    x.forEach((v, t) => {
      b.push(0.5 * (b[t - 2] ?? 0) + 2 * (a[t - 1] ?? 0) + v);
      a.push(0.1 * (b[t] as number) + 0.2 * (a[t - 1] ?? 0));
    });
    near(out('y'), a);
  });
  it('run backward, from an initial value, over each row\'s own length', () => {
    const text = spec('backward', 'input x[t]\nparam s = 3\ninitial g = s\nstate g[t] = 0.5 * g[t+1] + x[t]\ninitial h = 2 * s\nstate h[t] = 0.5 * h[t-1] + x[t]\noutput y[t] = g[t]\noutput z[t] = h[t]');
    const out = run(text, { x: [[2, 5], [...x, ...x]] }, { s: [[], [3]] }, [5, 3]);
    const scan = (values: readonly number[], from: number): number[] => { let h = from; return values.map((v) => (h = 0.5 * h + v)); };
    near(out('y'), [...scan(x.toReversed(), 3).toReversed(), ...scan(x.slice(0, 3).toReversed(), 3).toReversed(), 0, 0]);
    near(out('z'), [...scan(x, 6), ...scan(x.slice(0, 3), 6), 0, 0]);
  });
});

describe('time', () => {
  it('is 0 outside, and can be reduced', () => {
    const out = run(spec('reductions', `input x[t]\nparam k = 0\noutput p[t] = x[t-2] + 10 * x[t+1]\noutput low = min(t: x[t])\noutput high = max(t: x[t])\noutput end = last(t: x[t])
output total = sum(t: x[t])\noutput middle = mean(t: x[t])\noutput soft = sum(t: softmax(t: x[t]) * x[t]) + k\noutput rest[t] = x[t] - mean(t: x[t])`), { x: [[2, 5], [...x, ...x]] }, { k: [[], [0]] }, [5, 2]);
    near(out('p').slice(0, 5), x.map((_, t) => (x[t - 2] ?? 0) + 10 * (x[t + 1] ?? 0)));
    near(out('p').slice(5), [10 * -1, 0, 0, 0, 0]);
    near(out('low'), [-1, -1]);
    near(out('high'), [2, 0.5]);
    near(out('end'), [-0.75, -1]);
    near(out('total'), [1, -0.5]);
    near(out('middle'), [0.2, -0.25]);
    const soft = (v: readonly number[]): number => v.reduce((s, a) => s + a * Math.exp(a), 0) / v.reduce((s, a) => s + Math.exp(a), 0);
    near(out('soft'), [soft(x), soft(x.slice(0, 2))]);
    near(out('rest'), [...x.map((v) => v - 0.2), 0.75, -0.75, 0, 0, 0]);
  });
});

describe('expressions', () => {
  it('compare, choose and take whole powers', () => {
    const out = run(spec('scalars', `input x[t]
output a[t] = where(x[t] > 0 && !(x[t] >= 2) || x[t] == -1, x[t]^3, x[t]^-2)
output b[t] = -x[t]^2 + 2^3^0 + (x[t] + 1)^0
output c[t] = min(max(floor(x[t]), -1), ceil(x[t])) + where(x[t] != 2, where(x[t] <= -0.75, 10, 20), 30)
output d[t] = 2 - 3 - x[t] / 2 / 4 * 3`), line);
    near(out('a'), x.map((v) => ((v > 0 && v < 2) || v === -1 ? v ** 3 : v ** -2)));
    near(out('b'), x.map((v) => -(v ** 2) + 2 + 1));
    near(out('c'), x.map((v) => Math.min(Math.max(Math.floor(v), -1), Math.ceil(v)) + (v !== 2 ? (v <= -0.75 ? 10 : 20) : 30)));
    near(out('d'), x.map((v) => 2 - 3 - (v / 8) * 3));
  });
  it('are complex where a state that they read turns out to be', () => {
    const out = run(spec('complex by the state', `input x[t]
last[t] = h[t-1]
low[t] = re(complex(0.2, 0.4) * last[t])
state h[t] = complex(0.5, 0.4) * last[t] + low[t] + x[t]
output y[t] = re(h[t]) + 2 * im(last[t])`), line);
    let [re, im] = [0, 0];
    near(out('y'), x.map((v) => {
      const before = im;
      [re, im] = [0.7 * re - 0.8 * im + v, 0.4 * re + 0.5 * im];
      return re + 2 * before;
    }));
  });
  it('are complex where they must be', () => {
    const out = run(spec('complex', `input x[t]
z[t] = complex(x[t], 0.5)
w[t] = z[t]^2 * conj(z[t]) / (z[t] + 3) - exp(complex(0, pi * x[t])) * z[t]^-1
output size[t] = abs(w[t])
output real[t] = re(w[t])
output imaginary[t] = im(w[t])
state h[t] = exp(complex(-0.5, 1)) * h[t-1] + z[t]
output turned[t] = re(conj(h[t]))`), line);
    type C = readonly [number, number];
    const mul = (a: C, b: C): C => [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]];
    const inverse = (a: C): C => { const n = a[0] ** 2 + a[1] ** 2; return [a[0] / n, -a[1] / n]; };
    const w = x.map((v): C => {
      const z: C = [v, 0.5];
      const p = mul(mul(mul(z, z), [v, -0.5]), inverse([v + 3, 0.5]));
      const q = mul([Math.cos(Math.PI * v), Math.sin(Math.PI * v)], inverse(z));
      return [p[0] - q[0], p[1] - q[1]];
    });
    near(out('size'), w.map((c) => Math.hypot(...c)));
    near(out('real'), w.map((c) => c[0]));
    near(out('imaginary'), w.map((c) => c[1]));
    let h: C = [0, 0];
    const turn: C = [Math.exp(-0.5) * Math.cos(1), Math.exp(-0.5) * Math.sin(1)];
    near(out('turned'), x.map((v) => { const next = mul(turn, h); h = [next[0] + v, next[1] + 0.5]; return h[0]; }));
  });
  it('reduce over ragged features, to each member\'s own count', () => {
    const out = run(spec('ragged', `modalities m = a[2], b[3]\ninput s[t, m, f]\noutput total[t, m] = sum(f: s[t, m, f])\noutput middle[t, m] = mean(f: s[t, m, f])\noutput high[t, m] = max(f: s[t, m, f])
output low[t, m] = min(f: s[t, m, f])\noutput end[t, m] = last(f: s[t, m, f])\nsquares[t, m] = sum(f: s[t, m, f]^2)\noutput one[t] = squares[t, m.b]`), { a: [[1, 1, 2], [-3, -5]], b: [[1, 1, 3], [-1, -2, -6]] });
    near(out('total'), [-8, -9]);
    near(out('middle'), [-4, -3]);
    near(out('high'), [-3, -1]);
    near(out('low'), [-5, -6]);
    near(out('end'), [-5, -6]);
    near(out('one'), [41]);
  });
  it('index by sums of indices and sizes', () => {
    const out = run(spec('indices', 'axis c = 2\naxis k = 3\nparam w[2 * c + 2] = 0\ninput x[t]\noutput y[t, c] = sum(k: w[2 * c + k] * x[t - size(k) + 1 + k]) + w[2 * size(c) + 1]'), line, { w: [[6], [1, 2, 3, 4, 5, 6]] });
    const w = [1, 2, 3, 4, 5, 6];
    near(out('y'), x.flatMap((_, t) => [0, 1].map((c) => [0, 1, 2].reduce((s, k) => s + (w[2 * c + k] as number) * (x[t - 2 + k] ?? 0), 6))));
  });
});

describe('composition', () => {
  it('names instances by nested repeats, names given and names made', () => {
    const text = spec('nested', `block Scale(x[t, m?, c], by = 2) {\n  param gain[m, c] = 1\n  output y[t, m, c] = by * gain[m, c] * x[t, m, c]\n}
block Twice(x[t, m?, c]) {\n  repeat 2 as inner {\n    x = Scale(x) as scale\n  }\n  output y = x\n}
model M {\n  modalities m = a, b\n  axis c = 2\n  input x[t, m, c]\n  repeat 2 as layers {\n    repeat 2 as parts {\n      x = Twice(x)\n    }\n    x = Scale(x, by = 1)\n    x = Scale(x, by = 1)\n    x = Scale(x, by = 1) as _\n  }\n  output y = x\n}`);
    const found = names(text);
    expect(found).toHaveLength(2 * 2 * (2 * 2 + 3));
    expect(found).toEqual(expect.arrayContaining(['layers.1.parts.0.twice.inner.1.scale.b.gain', 'layers.0.scale.a.gain', 'layers.0.scale_2.a.gain', 'layers.1.b.gain']));
  });
  it('matches stand inside brackets, on one line with what is around them', () => {
    const text = (k: string): string => `block Pick(x[t, c], k = on | off) {\n  output y[t, c] = exp(match k { on => x[t, c], off => 0 } + sum(t: match k { on => x[t, c], off => 1 }))\n}\nmodel M {\n  axis c = 1\n  input x[t, c]\n  output y = Pick(x, k = ${k})\n}`;
    const given: Readonly<Record<string, Tensor>> = { x: [[1, 5, 1], x] };
    const total = x.reduce((a, b) => a + b, 0);
    near(run(spec('a match in brackets', text('on')), given)('y'), x.map((v) => Math.exp(v + total)));
    near(run(spec('its other arm', text('off')), given)('y'), x.map(() => Math.exp(5)));
  });
  it('chooses by options: as statements, in expressions, handed on', () => {
    const text = spec('options', `block Pick(x[t, c], kind = plus | minus | none, by = 3) {\n  match kind {\n    plus | minus => { z[t, c] = by * x[t, c] }\n    none => { z[t, c] = 0 }\n  }
  output y[t, c] = match kind { plus => 1, minus => -1, none => 7 } + z[t, c]\n}
block Outer(x[t, c], way = none | minus | plus) {\n  output y = Pick(x, kind = way, by = 2 * size(c))\n}
model M {\n  axis c = 1\n  input x[t, c]\n  output a = Pick(x)\n  output b = Outer(x)\n  output d = Outer(x, way = minus)\n}`);
    const out = run(text, { x: [[1, 5, 1], x] });
    near(out('a'), x.map((v) => 1 + 3 * v));
    near(out('b'), x.map(() => 7));
    near(out('d'), x.map((v) => -1 + 2 * v));
  });
  it('maps names by rename, the first that fits', () => {
    expect(names(spec('renamed', `modalities m = a, b\naxis c = 2\ninput x[t, m, c]\nparam w.q[m, c] = 1\nparam v[m] = 1\nparam u[c] = 1\nrename "{m}.w.q" to "weights.{m}.0"\nrename "{one}" to "top.{one}"\noutput y[t, m, c] = w.q[m, c] * v[m] * u[c] * x[t, m, c]`))).toEqual(['weights.a.0', 'weights.b.0', 'top.v', 'top.u']);
  });
  it('drops indices that an argument lacks', () => {
    const text = spec('optional', 'block Mix(x[t?, m?, c]) {\n  param w[m, c] = 2\n  output y[t, m, c] = w[m, c] * x[t, m, c] + sum(m: x[t, m, c])\n}\nmodel M {\n  axis c = 2\n  input x[t, c]\n  p[c] = last(t: x[t, c])\n  output y = Mix(x)\n  output z = Mix(p)\n}');
    const out = run(text, { x: [[1, 1, 2], [3, 4]] }, { 'mix.w': [[2], [2, 2]], 'mix_2.w': [[2], [5, 6]] });
    near(out('y'), [9, 12]);
    near(out('z'), [18, 28]);
  });
});

describe('facts', () => {
  const decay = (fact: string): string => `modalities m = a, b, d\naxis c = 2\ninput x[t, m, c]\ndt[t, m, c] = softplus(x[t, m, c])\n${fact}\nstate h[t, m, c] = exp(-dt[t, m, c]) * mean(i: h[t-1, i, c]) + x[t, m, c]\noutput y[t, m, c] = h[t, m, c]`;
  it('make a contraction of what was non-expansive', () => {
    expect(compileText(spec('fact-none', decay(''))).module?.stability).toMatchObject([{ verdict: 'non-expansive', bound: 1 }]);
    const report = compileText(spec('fact', decay('fact dt > 0.001'))).module?.stability[0];
    expect(report).toMatchObject({ verdict: 'contraction', memory: 1000 });
    expect(report?.bound).toBeCloseTo(Math.exp(-0.001), 12);
    expect(compileText(spec('fact-both', decay('fact 0.5 < dt && dt <= 2'))).module?.stability[0]?.bound).toBeCloseTo(Math.exp(-0.5), 12);
  });
});

describe('wasm', () => {
  it.each(Array.from({ length: 3 }, (_, seed) => [seed]))('agrees on all of these, seed %i', async (seed) => {
    for (const [name, text] of Object.entries(specs)) {
      const { found } = await disagreements(text, seed);
      expect(found, name).toEqual([]);
    }
    expect(Object.keys(specs).length).toBeGreaterThan(12);
  });
});
