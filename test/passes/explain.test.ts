import { describe, expect, it } from 'vitest';
import { explanationText } from '../../src/cli/explain-text.js';
import { explain } from '../../src/explain/explain.js';
import { recurrenceReports, recurrenceText } from '../../src/explain/recurrences.js';
import { compileText } from '../random/agree.js';

function explained(text: string): { stages: string; recurrences: string; diagnostics: readonly string[] } {
  const { module, builder, diagnostics } = compileText(text);
  if (!module) throw new Error(diagnostics.map((d) => d.text).join('\n'));
  return {
    stages: explanationText(explain(module, { batch: 1, length: 64 })),
    recurrences: recurrenceReports(module.recurrences, builder).flatMap(recurrenceText).join('\n'),
    diagnostics: diagnostics.map((d) => `${d.code} ${d.text}`),
  };
}
const model = (lines: string): string => `model M {\n  modalities m = a, b, e, f\n  axis i = m\n  axis d = 4\n  axis r = 2\n  axis n = 3\n  input x[t, m, d]\n  param U[m, r]\n  param V[m, r]\n  used[m, r] = U[m, r] + V[m, r]\n${lines}\n  output z[m] = sum(r: used[m, r])\n}\n`;
const out = '\n  output y[t, m, d] = h[t, m, d]';

describe('explain', () => {
  it('says how many scans the chains of the source have become', () => {
    const scans = (body: string): string | undefined => /(one scan|\d+ scans) for (one chain|\d+ chains)/.exec(explained(model(`  state h[t, m, d] = ${body} + x[t, m, d]${out}`)).stages)?.[0];
    expect(scans('0.5 * mean(i: h[t-1, i, d])')).toBe('one scan for 4 chains');
    expect(scans('sum(r: U[m, r] * sum(i: V[i, r] * h[t-1, i, d]))')).toBe('2 scans for 4 chains');
    expect(scans('0.1 * sum(i: h[t-1, i, d]) + U[m, 0] * sum(i: V[i, 0] * h[t-1, i, d])')).toBe('2 scans for 4 chains');
    expect(scans('0.5 * h[t-1, m, d]')).toBe('4 scans for 4 chains');
    const complex = explained(model('  p[n] = exp(complex(-1, n))\n  state h[t, m, d, n] = p[n] * mean(i: h[t-1, i, d, n]) + x[t, m, d]\n  output y[t, m, d] = re(sum(n: h[t, m, d, n]))'));
    expect(complex.stages).toContain('one scan for 4 chains');
  });
  it('shows T and f in the language, with their structure', () => {
    expect(explained(model(`  dt[t, m, d] = softplus(x[t, m, d])\n  state h[t, m, d] = exp(-dt[t, m, d]) * mean(i: h[t-1, i, d]) + dt[t, m, d] * x[t, m, d]${out}`)).recurrences).toBe([
      'recurrence     h  forward, affine, selective',
      '  T  h from h, one step back; of rank 1 along m; changes with t: sum(i: ((exp(-dt[t, m, d]) * 0.25) * h[t - 1, i, d]))',
      '  f  h[t, m, d]; changes with t: (dt[t, m, d] * x[t, m, d])',
    ].join('\n'));
  });
  it('names the subterm that forbids a scan, in the user\'s words, and what was weighed', () => {
    const { recurrences, stages, diagnostics } = explained(model(`  state h[t, m, d] = tanh(0.5 * h[t-1, m, d]) + x[t, m, d]${out}`));
    expect(recurrences).toBe('recurrence     h  forward, not affine: `tanh` of a state is not affine, in `tanh((0.5 * h[t - 1, m, d]))`');
    expect(diagnostics).toEqual(['SSM3301 `h` runs step by step: `tanh` of a state is not affine, in `tanh((0.5 * h[t - 1, m, d]))`']);
    expect(stages).toContain('weighed: chunked, not possible: no scan: it is not affine');
  });
  it('weighs chunks by the matrix that they would multiply', () => {
    const { stages } = explained(model(`  state h[t, m, d] = 0.5 * h[t-1, m, d] - 0.2 * h[t-2, m, d] + x[t, m, d]${out}`));
    expect(stages).toContain('serial: one thread runs its channels');
    expect(stages).toContain('weighed: chunked: chunks of 64 steps side by side, a matrix of 2×2 per channel');
  });
});
