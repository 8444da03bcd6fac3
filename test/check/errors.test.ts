/** A case per code: a spec, the code, what it is about, and the message. */
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/compile.js';
import { messages } from '../../src/diagnostics/messages.js';
import { std } from '../random/agree.js';

const model = (body: string): string => `model M {\n axis c = 4\n input x[t, c]\n ${body}\n}`;
const out = ' output y[t, c] = x[t, c]';
/** code, spec, text of the span, a part of the message; other files by name. */
const cases: readonly (readonly [code: string, spec: string, at: string, message: string, files?: Readonly<Record<string, string>>])[] = [
  ['SSM1001', 'import Linear frm "std"\nmodel M { }', 'frm', 'expected'],
  ['SSM1002', model(`${out} §`), '§', 'no meaning'],
  ['SSM1003', model('output y[t, c] = * x[t, c]'), '*', 'expected an expression'],
  ['SSM1004', model('output y[t, c] = (x[t, c]'), '}', 'closes'],
  ['SSM1005', model(`${out} )`), ')', 'closes nothing'],
  ['SSM1006', 'foo\nmodel M { }', 'foo', 'expected'],
  ['SSM1007', model('axis q = 1e'), '1e', 'a number'],
  ['SSM1008', `block B(x[t, c], k = a | b) { output y[t, c] = match k { } }\n${model('y = B(x)')}`, '{', 'at least one arm'],
  ['SSM1010', model(`output y[t, c] = ${'('.repeat(150)}x[t, c]${')'.repeat(150)}`), '(', 'more than'],
  ['SSM1011', model('output y[t, c] = where(0 < x[t, c] < 1, 1, 0)'), '<', 'chain'],
  ['SSM1012', 'import Linear from "std\nmodel M { }', '"std', 'end'],
  ['SSM1013', 'block B(x[t, c], k = 1 | b) { output y[t, c] = x[t, c] }\nmodel M { }', '1', 'plain names'],
  ['SSM2001', model('output y[t, c] = z[t, c]'), 'z', '`z` is not defined'],
  ['SSM2002', 'model M {\n modalities m = a, a\n input x[t, m]\n output y[t, m] = x[t, m]\n}', 'a', 'already defined'],
  ['SSM2003', 'import B from "./none.ssm"\nmodel M { }', '"./none.ssm"', "can't find"],
  ['SSM2004', 'import B from "../up.ssm"\nmodel M { }', '"../up.ssm"', 'outside the project'],
  ['SSM2005', 'import B from "./b.ssm"\nmodel M { }', '"./spec.ssm"', 'import each other', { 'b.ssm': 'import A from "./spec.ssm"\nblock B(x[t, c]) { output y[t, c] = x[t, c] }' }],
  ['SSM2006', 'import Linar from "std"\nmodel M { }', 'Linar', 'did you mean `Linear`'],
  ['SSM2007', model('output y[t, c] = x[t]'), 'x[t]', 'read with 1 index'],
  ['SSM2008', model('output y[t, c] = x[t, c + 1]'), 'c + 1', 'runs from 1 to 4'],
  ['SSM2008', 'model M {\n modalities m = a[1], b[2]\n axis g = 2\n input x[t, m, f]\n output y[t, g] = x[t, m.a, g]\n}', 'g', 'from 0 to 1, but that axis of `x` has 1 members'],
  ['SSM2009', model('axis d = 4\n output y[t, c] = x[t, d]'), 'd', 'neither on the left'],
  ['SSM2010', model('output y[t, c] = x[t, c * c]'), 'c * c', 'not an index'],
  ['SSM2011', 'model M {\n modalities m = a, b\n axis c = 2\n input x[t, m, c]\n output y[t, c] = x[t, c, c]\n}', 'c', 'has modalities'],
  ['SSM2012', 'model M {\n modalities m = a[1], b[2]\n axis g = 1\n input x[t, m, f]\n output y[t, m, g] = x[t, m, g]\n}', 'g', 'read it at an index'],
  ['SSM2013', `import Linear from "std"\n${model('output y = Linear(x, ot = 3)')}`, 'ot', 'no option `ot`'],
  ['SSM2014', 'import CoupledMamba from "std"\nmodel M {\n modalities m = a, b\n axis c = 2\n input x[t, m, c]\n output y = CoupledMamba(x, coupling = med)\n}', 'med', 'is one of'],
  ['SSM2015', `import Linear from "std"\n${model('output y = Linear(x)')}`, 'out', 'needs `out`'],
  ['SSM2016', `import MaxPool from "std"\n${model('p = MaxPool(x)\n output y = MaxPool(p)')}`, 'p', 'takes `x[t, m?, c]`'],
  ['SSM2017', model(`match x { a => { axis q = 1 } }\n${out}`), 'x', 'a match is on an option'],
  ['SSM2018', model(`axis q = 1.5\n${out}`), '1.5', 'whole numbers'],
  ['SSM2019', model(`axis q = x\n${out}`), 'x', 'compile time'],
  ['SSM2020', model('output y[t, c] = sofplus(x[t, c])'), 'sofplus', 'did you mean `softplus`'],
  ['SSM2021', model('output y[t, c] = max(x[t, c])'), 'max(x[t, c])', 'takes 2 arguments'],
  ['SSM2022', model('output y[t, c] = relu(complex(x[t, c], 1))'), 'complex(x[t, c], 1)', 'a complex number'],
  ['SSM2023', model('output y[t, c] = x'), 'x', 'give it its indices'],
  ['SSM2024', model('axis e = 2\n param w[c, c] = 0\n z = w + 1\n output y[t, c] = x[t, c] + z[c, c]'), 'w', 'twice'],
  ['SSM2025', `import Linear from "std"\n${model('output y[t, c] = Linear(x, out = 4)')}`, 'Linear(x, out = 4)', 'bind it to a name'],
  ['SSM2032', model('output y[t, c] = x[t, c] * uniform(0, 1)'), 'uniform(0, 1)', 'in the initialiser of a parameter only'],
  ['SSM2026', 'block A(x[t, c]) { output y = A(x) }\nmodel M {\n axis c = 1\n input x[t, c]\n output y = A(x)\n}', 'A(x)', 'uses itself'],
  ['SSM2027', 'block A(x[t, c]) { z[t, c] = x[t, c] }\nmodel M {\n axis c = 1\n input x[t, c]\n output y = A(x)\n}', 'A', '0 outputs'],
  ['SSM2028', model('z[t, c] = x[t, c]'), 'M', 'no output'],
  ['SSM2029', 'block A(x[t, c]) { output y[t, c] = x[t, c] }', '', 'no model'],
  ['SSM2030', model('param a[c] = 0\n param b[c] = 0\n rename "b" to "a"\n output y[t, c] = x[t, c] * a[c] * b[c]'), 'b', 'stored under'],
  ['SSM2031', model(`rename "q.{i}" to "z.{i}"\n${out}`), 'rename "q.{i}" to "z.{i}"', 'no parameter'],
  ['SSM2033', model(`fact x[t, c]\n${out}`), 'x[t, c]', 'compares a definition'],
  ['SSM2034', model('output y[t, c] = sum(q: x[t, c])'), 'q', 'nothing tells the axis'],
  ['SSM2035', model('output y[t, c + 1] = x[t, c]'), 'c + 1', 'names of axes only'],
  ['SSM2036', model('axis a = 100000\n axis b = 100000\n param w[a, b] = 0\n output y[t, c] = x[t, c] * w[0, 0]'), 'param w[a, b] = 0', '10000000000 elements'],
  ['SSM2038', model('axis e = c\n output y[t, c] = sum(e: inverse(c, e: x[t, c] + where(c == e, 1, 0)))'), 'inverse', 'load time'],
  ['SSM2039', model('output y[c] = x[t, c]'), 't', 'has time'],
  ['SSM2040', model('param w[c] = 0\n output y[t, c] = w[t, c]'), 'w[t, c]', 'has no time'],
  ['SSM2041', model(`${out}\n output y[t, c] = 2 * x[t, c]`), 'y', 'two inputs or outputs'],
  ['SSM2042', model('output y[t, c] = sum(q in x: x[t, c])'), 'x', 'not an axis'],
  ['SSM2043', 'model M {\n modalities m = a[1], b[2]\n input x[t, m, f]\n output y[t, m, f] = x[t, m, f]\n}', 'y', 'an output has one size'],
  ['SSM2044', `import Linear from "std"\n${model('output y = x + Linear(x, out = 5)')}`, 'x + Linear(x, out = 5)', '`y` has `o` (5) where what it meets has `c` (4)'],
  ['SSM2046', model('input q[c]\n k[c] = 2 * q[c]\n param w[c] = k[c]\n output y[t, c] = x[t, c] * w[c]'), 'k[c]', 'initialised from `q`'],
  ['SSM2045', model('axis e = c\n param w[c, e] = 1\n output y[t, c] = x[t, c] * eigenvalues(c, e: w[c, e])'), 'eigenvalues(c, e: w[c, e])', 'initialisers only'],
  ['SSM3101', model('a[t, c] = b[t, c]\n b[t, c] = a[t, c]\n output y[t, c] = a[t, c] + x[t, c]'), '', 'depend on each other'],
  ['SSM3102', model('output y[t, c] = y[t-1, c] + x[t, c]'), '', 'mark one of them'],
  ['SSM3103', model('state h[t, c] = x[t, c]\n output y[t, c] = h[t, c]'), '', "doesn't read itself"],
  ['SSM3104', model('state h[t, c] = h[t-1, c] + h[t+1, c] + x[t, c]\n output y[t, c] = h[t, c]'), '', 'past and the future'],
  ['SSM3105', model(`z[t, c] = x[t, c]\n initial z[c] = 1\n${out}`), 'initial z[c] = 1', '`initial` is for states'],
  ['SSM3106', model('state h[t, c] = h[t-1, c] + max(t: h[t, c])\n output y[t, c] = h[t, c] + x[t, c]'), '', 'reduce over time'],
  ['SSM4102', model('axis a = 40000\n axis b = 50000\n param w[a, b] = 0\n output y[t, c] = x[t, c] + sum(a, b: w[a, b])'), 'param w[a, b] = 0', '4294967296 can be addressed'],
];

describe('errors', () => {
  it.each(cases.map((c) => [c[0], c] as const))('%s', (_, [code, spec, at, message, files]) => {
    const read = (p: string): string | undefined => (p === 'spec.ssm' ? spec : files?.[p]);
    const { diagnostics, module } = compile('spec.ssm', { std, read }, { specHash: '' });
    const found = diagnostics.find((d) => d.code === code);
    expect(diagnostics.map((d) => `${d.code} ${d.text}`).join('\n')).toContain(code);
    expect(found?.text).toContain(message);
    expect(found?.severity).toBe('error');
    if (at !== '') expect((read(found?.span.file ?? '') ?? std.get(found?.span.file ?? '') ?? '').slice(found?.span.start, found?.span.end)).toContain(at);
    expect(module).toBeUndefined();
  });
  it('a warning for what is never read, and for a recurrence that may grow', () => {
    const text = 'import CoupledMamba from "std"\nmodel M {\n modalities m = a, b, d\n axis c = 8\n input x[t, m, c]\n unused[t, m, c] = x[t, m, c]\n output y = CoupledMamba(x, coupling = sum)\n}';
    const { diagnostics, module } = compile('spec.ssm', { std, read: () => text }, { specHash: '' });
    expect(diagnostics.map((d) => d.code)).toEqual(expect.arrayContaining(['SSM2037', 'SSM3201']));
    expect(diagnostics.find((d) => d.code === 'SSM3201')?.text).toMatch(/by up to 3 a step: float32 overflows after 81 steps/);
    expect(module).toBeDefined();
    expect(compile('spec.ssm', { std, read: () => text }, { specHash: '', denyUnstable: true }).module).toBeUndefined();
  });
  it('a warning for a recurrence that forbids a scan', () => {
    const { diagnostics, module } = compile('spec.ssm', { std, read: () => model('state h[t, c] = tanh(0.5 * h[t-1, c] + x[t, c])\n output y[t, c] = h[t, c]') }, { specHash: '' });
    expect(diagnostics.find((d) => d.code === 'SSM3301')?.text).toContain('`tanh` of a state is not affine');
    expect(module).toBeDefined();
  });
  it('an error where chunks are asked for and impossible', () => {
    const text = model('state h[t, c] = tanh(0.5 * h[t-1, c] + x[t, c])\n output y[t, c] = h[t, c]');
    const { diagnostics, module } = compile('spec.ssm', { std, read: () => text }, { specHash: '', strategy: 'chunked' });
    expect(diagnostics.find((d) => d.code === 'SSM4101')).toMatchObject({ severity: 'error', text: expect.stringContaining("`h` can't be run in chunks") as string });
    expect(module).toBeUndefined();
  });
  it.each([
    ['a transition with t', 'a[t, c] = sigmoid(x[t, c])\n state h[t, c] = a[t, c] * h[t-1, c] + x[t, c]\n output y[t, c] = h[t, c]', "the transition of `h` isn't known at load time: it changes with t or with an input"],
    ['a transition with an input', 'input w[c]\n state h[t, c] = 0.1 * w[c] * h[t-1, c] + x[t, c]\n output y[t, c] = h[t, c]', "isn't known at load time"],
    ['a function of a state inside', 'state h[t, c] = tanh(0.5 * h[t-1, c] + x[t, c])\n output y[t, c] = h[t, c]', 'it is not affine: `tanh` of a state is not affine'],
    ['a readout with t', 'axis n = 12\n state h[t, c, n] = 0.5 * h[t-1, c, n] + x[t, c]\n output y[t, c] = sum(n: sigmoid(x[t, c] * n) * h[t, c, n])', "more than 8 numbers are read from each channel's states"],
    ['a signal for each state', 'axis n = 12\n input u[t, n]\n state h[t, c, n] = 0.5 * h[t-1, c, n] + u[t, n] + x[t, c]\n output y[t, c] = sum(n: h[t, c, n])', 'more than 8 signals drive each channel'],
    ['an initial state', 'initial h[c] = 1\n state h[t, c] = 0.5 * h[t-1, c] + x[t, c]\n output y[t, c] = h[t, c]', 'it starts from a state of its own'],
    ['backward in time', 'state h[t, c] = 0.5 * h[t+1, c] + x[t, c]\n output y[t, c] = h[t, c]', 'it runs backward in time'],
    ['the whole sequence', 'state h[t, c] = 0.5 * h[t-1, c] + x[t+1, c]\n output y[t, c] = h[t, c]', 'the model takes the whole sequence at once'],
  ])('an error where a convolution is asked for and impossible: %s', (_, lines, why) => {
    const { diagnostics, module } = compile('spec.ssm', { std, read: () => model(lines) }, { specHash: '', strategy: 'convolution' });
    expect(diagnostics.find((d) => d.code === 'SSM4103')).toMatchObject({ severity: 'error', text: expect.stringContaining(why) as string });
    expect(diagnostics.find((d) => d.code === 'SSM4103')?.text).toContain("`h` can't be run as a convolution: ");
    expect(module).toBeUndefined();
  });
  it('an error where WebGPU is asked for and its limits are passed, a warning where it may be left out', () => {
    const text = model('axis a = 6000\n axis b = 6000\n param w[a, b] = 0\n u[t, b] = sum(c: x[t, c])\n v[t, a] = sum(b: w[a, b] * u[t, b])\n output y[t, a] = v[t, a]');
    const of = (webgpu: true | 'where-it-fits'): ReturnType<typeof compile> => compile('spec.ssm', { std, read: () => text }, { specHash: '', webgpu });
    expect(of(true).diagnostics.find((d) => d.code === 'SSM4201')).toMatchObject({ severity: 'error', text: expect.stringContaining("WebGPU's default limits") as string });
    expect(of(true).module).toBeUndefined();
    expect(of('where-it-fits').diagnostics.find((d) => d.code === 'SSM4201')?.severity).toBe('warning');
    expect(of('where-it-fits').module).toBeDefined();
  });
  it('WebGPU\'s limits: at the definition that passes them', () => {
    const at = (text: string): string => {
      const d = compile('spec.ssm', { std, read: () => text }, { specHash: '', webgpu: true }).diagnostics.find((x) => x.code === 'SSM4201');
      return d ? text.slice(d.span.start, d.span.end) : '';
    };
    expect(at(model('axis a = 6000\n axis b = 6000\n u[t, b] = sum(c: x[t, c])\n param w[a, b] = 0\n output y[t, a] = sum(b: w[a, b] * u[t, b])'))).toBe('param w[a, b] = 0');
    // Seven weights of 100 MB each, which take a binding each.
    const names = [...'pqrstuv'];
    const output = `output y[t, a] = ${names.map((n) => `sum(b: ${n}[a, b] * z[t, b])`).join(' * ')}`;
    expect(at(model(`axis a = 5000\n axis b = 5000\n output early[t] = sum(c: x[t, c])\n z[t, b] = x[t, 0]\n ${names.map((n) => `param ${n}[a, b]`).join('\n ')}\n ${output}`))).toBe(output);
  });
  const read = (text: string) => (path: string): string | undefined => (path === 'spec.ssm' ? text : undefined);
  /** Code and line of each error, in order. */
  const errors = (text: string): string[] => compile('spec.ssm', { std, read: read(text) }, { specHash: '' }).diagnostics
    .map((d) => `${d.code} ${text.slice(0, d.span.start).split('\n').length}`);
  it('errors of syntax, names and axes together: each once, and none that follows from another', () => {
    expect(errors(`import Nope from "std"
import Lin from "./missing.ssm"
model M {
  axis c = 4
  input x[t, c]
  a[t, c] = q[t, c]
  axis d =
  b[t, c] = x[t, c, c]
  e[t, c] = sofplus(x[t, c]))
  output y[t, c] = (x[t, c] +
  output z[t, d] = x[t, d] + y[t, d] + b[t, c]
  g[t, c] = Lin(x)
  k = Lin(Nope(x))
  §
}`)).toEqual(['SSM2006 1', 'SSM2003 2', 'SSM2001 6', 'SSM1003 8', 'SSM2007 8', 'SSM2020 9', 'SSM1005 9', 'SSM1003 11', 'SSM1002 14']);
  });
  it('goes on after broken heads, bodies and declarations', () => {
    expect(errors(`block A(x[t c]) {
  output y[t, c] = x[t, c]
}
block B(x[t, c]) {
  z[t, c] = x[t, c
  repeat = 3 {
    w[t, c] = 2
  }
  output y[t, c] = z[t, c] + w
}
modl N { }
model M {
  axis c = 4
  input x[t, c]
  h = A(x)
  match { a => { q[t] = 1 } }
  state s[t, c] = 0.5 * s[t-1 c] + x[t, c]
  output y[t, c] = h[t, c] + s[t, c] + u[t, c]
}`)).toEqual(['SSM1001 1', 'SSM1004 6', 'SSM1006 6', 'SSM2023 9', 'SSM1006 11', 'SSM1006 16', 'SSM1001 17', 'SSM2001 18']);
  });
  it('errors in blocks that nothing uses, and in arms that nothing chooses', () => {
    expect(errors(`import Linear from "std"
block Unused(x[t, m?, c], heads = 8, kind = a | b | d) {
  axis h = c / heads
  param w[m, h] = 0
  y[t, m, c] = match kind { a => x[t, m, c], b => sofplus(x[t, m, c]), d => x[t, m, c] * tipo[c] }
  match kind {
    a => { z[t, m, c] = y[t, m, c] }
    b => { z[t, m, c] = x[t, m, q] }
    d => { z[t, m, c] = Linear(x) }
  }
  output o[t, m, c] = z[t, m, c] + 2 * nope
}
${model(out)}`)).toEqual(['SSM2020 5', 'SSM2001 5', 'SSM2001 8', 'SSM2025 9', 'SSM2001 11']);
  });
  it('says nothing of the library', () => {
    expect(errors([...std.values(), model(out)].join('\n'))).toEqual([]);
  });
  it('every error of a file in one run', () => {
    const { diagnostics } = compile('spec.ssm', { std, read: () => model('a[t, c] = q[t, c]\n b[t, c] = x[t]\n output y[t, c] = sofplus(x[t, c])') }, { specHash: '' });
    expect(diagnostics.filter((d) => d.severity === 'error').map((d) => d.code)).toEqual(['SSM2001', 'SSM2007', 'SSM2020']);
  });
  it('has a case for every code', () => {
    const others = ['SSM2037', 'SSM3201', 'SSM3301', 'SSM4101', 'SSM4103', 'SSM4201'];
    const covered = new Set([...cases.map(([c]) => c), ...others]);
    expect(Object.keys(messages).filter((c) => !covered.has(c))).toEqual([]);
  });
});
