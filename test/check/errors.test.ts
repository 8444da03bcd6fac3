/** What the checker says of the cases, and of many mistakes at once. */
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/compile.js';
import { messages } from '../../src/diagnostics/messages.js';
import { std } from '../random/agree.js';
import { cases, model, out, warnings } from './cases.js';

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
  it('a fault in a library block names the use that led to it, once', () => {
    const text = 'import Linear from "std"\nmodel M {\n modalities m = a[1], b[2]\n input x[t, m, f]\n output y = Linear(x, out = 4)\n}';
    const { diagnostics } = compile('spec.ssm', { std, read: () => text }, { specHash: '' });
    expect(diagnostics.map((d) => d.code)).toEqual(['SSM2047']);
    expect(diagnostics[0]?.span.file).toBe('std/linear.ssm');
    const [note] = diagnostics[0]?.notes ?? [];
    expect(note?.text).toBe('`Linear` is used here');
    expect(text.slice(note?.span?.start, note?.span?.end)).toBe('Linear(x, out = 4)');
  });
  it("a comment in another language's manner is one fault, with its fix", () => {
    const text = `# states' mixture\n${model(out)}`;
    const { diagnostics } = compile('spec.ssm', { std, read: () => text }, { specHash: '' });
    expect(diagnostics.map((d) => d.code)).toEqual(['SSM1002']);
    expect(diagnostics[0]?.fix?.edits).toEqual([{ span: { file: 'spec.ssm', start: 0, end: 1 }, replacement: '//' }]);
  });
  it('a warning for what is never read, and for a recurrence that may grow', () => {
    const text = 'import CoupledMamba from "std"\nmodel M {\n modalities m = a, b, d\n axis c = 8\n input x[t, m, c]\n unused[t, m, c] = x[t, m, c]\n output y = CoupledMamba(x, coupling = sum)\n}';
    const { diagnostics, module } = compile('spec.ssm', { std, read: () => text }, { specHash: '' });
    expect(diagnostics.map((d) => d.code)).toEqual(expect.arrayContaining(['SSM2037', 'SSM3201']));
    expect(diagnostics.find((d) => d.code === 'SSM3201')?.text).toMatch(/by up to 3 a step: float32 overflows after 81 steps/);
    expect(module).toBeDefined();
    expect(compile('spec.ssm', { std, read: () => text }, { specHash: '', denyUnstable: true }).module).toBeUndefined();
  });
  it('no warning for what an initial value alone reads', () => {
    const text = model('param start[c] = 0\n input gain\n initial h[c] = gain * start[c]\n state h[t, c] = 0.5 * h[t-1, c] + x[t, c]\n output y[t, c] = h[t, c]');
    expect(compile('spec.ssm', { std, read: () => text }, { specHash: '' }).diagnostics).toEqual([]);
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
    ['an initial state that is an input', 'input s[c]\n initial h[c] = s[c]\n state h[t, c] = 0.5 * h[t-1, c] + x[t, c]\n output y[t, c] = h[t, c]', 'an input says from which state it starts'],
    ['nothing that drives it', 'initial h[c] = 1\n state h[t, c] = 0.5 * h[t-1, c]\n output y[t, c] = h[t, c] + x[t, c]', 'nothing drives it'],
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
  it.each([...std])('says nothing of the library: %s', (_, text) => {
    expect(errors([text, model(out)].join('\n'))).toEqual([]);
  });
  it('every error of a file in one run', () => {
    const { diagnostics } = compile('spec.ssm', { std, read: () => model('a[t, c] = q[t, c]\n b[t, c] = x[t]\n output y[t, c] = sofplus(x[t, c])') }, { specHash: '' });
    expect(diagnostics.filter((d) => d.severity === 'error').map((d) => d.code)).toEqual(['SSM2001', 'SSM2007', 'SSM2020']);
  });
  it('has a case for every code', () => {
    const covered = new Set([...cases.map(([c]) => c), ...warnings.map((w) => w.code)]);
    expect(Object.keys(messages).filter((c) => !covered.has(c))).toEqual([]);
  });
});
