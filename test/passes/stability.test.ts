import { describe, expect, it } from 'vitest';
import { Diagnostics, type Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { simplify } from '../../src/passes/index.js';
import { normalForms } from '../../src/passes/normal-form.js';
import { stabilityReport, type StabilityReport } from '../../src/passes/stability.js';
import type { Interval } from '../../src/passes/interval.js';
import type { Tensors } from '../../src/interpreter/interpret.js';
import { compileText, randomInputs } from '../random/agree.js';
import { randomSpec } from '../random/generate.js';
import { formError } from './recurrence.js';

function report(text: string, weights?: ReadonlyMap<string, Interval>): { reports: readonly StabilityReport[]; diagnostics: readonly Diagnostic[] } {
  const { program, builder, diagnostics: list } = compileText(text);
  if (!program) throw new Error(list.map((d) => d.text).join('\n'));
  const diagnostics = new Diagnostics();
  return { reports: stabilityReport(program, builder, diagnostics, weights), diagnostics: diagnostics.list };
}
const model = (lines: string, output = 'y[t, m, d] = h[t, m, d]'): string => `model M {\n  modalities m = a, b, c\n  axis d = 2\n  axis n = 3\n  axis i = m\n  input x[t, m, d]\n${lines}\n  output ${output}\n}\n`;
const ranges = (weights: Tensors): Map<string, Interval> => new Map([...weights].map(([name, t]) => [name, { low: Math.min(...t.data), high: Math.max(...t.data) }]));
const coupled = (coupling: string): string => `import CoupledMamba from "std"
model M {
  modalities m = a, b, c
  axis c = 4
  input x[t, m, c]
  output y = CoupledMamba(x, state = 3, coupling = ${coupling}) as mixer
}
`;

describe('stability', () => {
  it('knows mixtures however they are written: normalised by hand, changing with t, beside decays', () => {
    const bound = (lines: string): number | undefined => report(model(lines)).reports[0]?.bound;
    const state = (weights: string): string => `  state h[t, m, d] = 0.5 * sum(i: ${weights} * h[t-1, i, d]) + x[t, m, d]`;
    const by = '  param p[m, i] = 0\n';
    expect(bound(`${by}  w[m, i] = exp(p[m, i]) / sum(i: exp(p[m, i]))\n${state('w[m, i]')}`)).toBe(0.5);
    expect(bound(`${by}${state('(p[m, i] ^ 2 / sum(i: p[m, i] ^ 2))')}`)).toBe(0.5);
    expect(bound(`  s[t, m, i] = sum(d: x[t, m, d] * x[t, i, d])\n  w[t, m, i] = softmax(i: s[t, m, i])\n${state('w[t, m, i]')}`)).toBe(0.5);
    expect(bound(`${by}  w[m, i] = softmax(i: p[m, i])\n${state('w[m, i] * exp(-softplus(p[m, i]))')}`)).toBe(0.5);
  });
  it('and what only looks like one', () => {
    const bound = (lines: string): number | undefined => report(model(lines)).reports[0]?.bound;
    const state = (weights: string): string => `  state h[t, m, d] = 0.5 * sum(i: ${weights} * h[t-1, i, d]) + x[t, m, d]`;
    const by = '  param p[m, i] = 0\n';
    // Of any sign; along the other axis; its diagonal; divided by a sum that changes with the member.
    expect(bound(`${by}  w[m, i] = p[m, i] / sum(i: p[m, i])\n${state('w[m, i]')}`)).toBe(Infinity);
    expect(bound(`${by}  w[m, i] = exp(p[m, i]) / sum(m: exp(p[m, i]))\n${state('w[m, i]')}`)).toBe(Infinity);
    expect(bound(`${by}  w[m, i] = softmax(i: p[m, i])\n${state('w[i, i]')}`)).toBe(Infinity);
    expect(bound(`${by}${state('(exp(p[i, i]) / sum(m: exp(p[m, i])))')}`)).toBe(Infinity);
    // Those of the last step: not looked for.
    expect(bound(`  s[t, m, i] = sum(d: x[t, m, d] * x[t, i, d])\n  w[t, m, i] = softmax(i: s[t, m, i])\n${state('w[t-1, m, i]')}`)).toBe(Infinity);
  });
  it('proves mean, softmax and none non-expansive, and warns of sum and full with their bound and the step of overflow', () => {
    for (const coupling of ['mean', 'softmax', 'none']) {
      const { reports, diagnostics } = report(coupled(coupling));
      expect(reports.map((r) => [r.verdict, r.bound]), coupling).toEqual([['non-expansive', 1]]);
      expect(diagnostics).toEqual([]);
    }
    for (const coupling of ['sum', 'full']) {
      const { reports, diagnostics } = report(coupled(coupling));
      expect(reports.map((r) => [r.verdict, r.bound, r.overflowStep]), coupling).toEqual([['may-grow', 3, 81]]);
      expect(diagnostics.map((d) => d.code)).toEqual(['SSM3201']);
      expect(diagnostics[0]?.text).toContain('up to 3 a step: float32 overflows after 81 steps');
    }
  });
  it('names the step at which float32 does overflow where the bound is reached', () => {
    const text = model('  initial h[m, d] = 1\n  state h[t, m, d] = sum(i: h[t-1, i, d]) + 0 * x[t, m, d]');
    const { program } = compileText(text);
    if (!program) throw new Error('not valid');
    const steps = 100;
    const inputs = new Map([...randomInputs(program, 1, steps, 1)].map(([k, t]) => [k, { shape: t.shape, data: t.data.map(() => 0) }]));
    const h = interpret(program, new Map(), inputs).outputs.get('y');
    const states = Array.from({ length: steps }, (_, t) => h?.data[t * 6] ?? 0);
    // The first step, counted from 1, whose state is no float32.
    expect(states.findIndex((v) => !Number.isFinite(Math.fround(v))) + 1).toBe(report(text).reports[0]?.overflowStep);
  });
  it('proves a contraction from a fact, with its memory', () => {
    const text = model('  dt[t, m, d] = softplus(x[t, m, d])\n  fact dt > 0.001\n  state h[t, m, d, n] = exp(-dt[t, m, d] * (n + 1)) * mean(i: h[t-1, i, d, n]) + x[t, m, d]', 'y[t, m, d] = sum(n: h[t, m, d, n])');
    const [r] = report(text).reports;
    expect(r?.verdict).toBe('contraction');
    expect(r?.bound).toBeCloseTo(Math.exp(-0.001), 12);
    expect(r?.memory).toBe(1000);
    expect(report(text.replace('  fact dt > 0.001\n', '')).reports[0]?.verdict).toBe('non-expansive');
  });
  it('knows complex decays, backward states, companions and same-step reads', () => {
    const bound = (lines: string, output?: string): number | undefined => report(model(lines, output)).reports[0]?.bound;
    const sum = 'y[t, m, d] = re(sum(n: h[t, m, d, n]))';
    expect(bound('  p[n] = exp(complex(-0.5, n))\n  state h[t, m, d, n] = p[n] * h[t-1, m, d, n] + x[t, m, d]', sum)).toBeCloseTo(Math.exp(-0.5), 12);
    expect(bound('  p[n] = complex(0.3, 0.4)\n  state h[t, m, d, n] = p[n] * h[t+1, m, d, n] + x[t, m, d]', sum)).toBeCloseTo(0.5, 12);
    expect(bound('  state h[t, m, d] = 0.5 * h[t-1, m, d] - 0.25 * h[t-2, m, d] + x[t, m, d]')).toBeCloseTo(0.75, 12);
    expect(bound('  state g[t, m, d] = 0.5 * h[t-1, m, d]\n  state h[t, m, d] = 0.5 * g[t, m, d] + 0.25 * h[t-1, m, d] + x[t, m, d]')).toBeCloseTo(0.5, 12);
    // Read before the sequence the exponent is 0: what isn't proved isn't claimed.
    expect(bound('  q[t, m, d] = complex(-1 - x[t, m, d]^2, 1)\n  state h[t, m, d] = re(exp(q[t-1, m, d]) * h[t-1, m, d]) + x[t, m, d]')).toBe(Infinity);
  });
  it('counts the fewest members of a ragged sum, and initial values', () => {
    const ragged = `model M {\n  modalities m = a[1], b[4]\n  input x[t, m, f]\n  r[t, m] = sum(f: 1 + 0 * exp(-x[t, m, f]^2))\n  state h[t, m] = exp(1 - r[t, m]) * h[t-1, m] + max(f: x[t, m, f])\n  output y[t, m] = h[t, m]\n}\n`;
    expect(report(ragged).reports[0]?.bound).toBe(1);
    const start = model('  initial g[m, d] = 3\n  state g[t, m, d] = tanh(g[t-1, m, d])\n  state h[t, m, d] = g[t-1, m, d] * h[t-1, m, d] + x[t, m, d]');
    expect(report(start).reports.find((r) => r.states.includes('h'))?.bound).toBe(3);
  });
  it('is sharpened by weights', () => {
    const text = model('  param a[m, d] = 0.25\n  state h[t, m, d] = a[m, d] * sum(i: h[t-1, i, d]) + x[t, m, d]');
    expect(report(text).reports[0]?.verdict).toBe('unknown');
    const { program } = compileText(text);
    if (!program) throw new Error('not valid');
    const [r] = report(text, ranges(initialise(program, 1))).reports;
    expect([r?.verdict, r?.bound]).toEqual(['contraction', 0.75]);
  });
});

describe('the bound against brute force', () => {
  const count = Math.min(500, Number(process.env['COUNT'] ?? 500));
  it(`${count} random programs, with and without their weights`, () => {
    const failures: string[] = [];
    let finite = 0;
    for (let seed = 0; seed < count; seed++) {
      const { text } = randomSpec(seed);
      const { program: checked, builder } = compileText(text);
      if (!checked) throw new Error(`seed ${seed} is not valid`);
      const program = seed % 2 === 0 ? checked : simplify.run(checked, builder);
      const weights = initialise(program, seed);
      const inputs = randomInputs(program, 1, 3, seed);
      const names = (ids: readonly number[]): string => ids.map((id) => program.definitions[id]?.name ?? '').toSorted().join();
      for (const sharpened of [undefined, ranges(weights)]) {
        const reports = new Map(stabilityReport(program, builder, new Diagnostics(), sharpened).map((r) => [r.states.toSorted().join(), r]));
        for (const form of normalForms(program, builder)) {
          const r = form.kind === 'affine' ? reports.get(names(form.states.map((s) => s.def))) : undefined;
          if (form.kind !== 'affine' || !r || !Number.isFinite(r.bound)) continue;
          finite++;
          const { gain } = formError(program, form, builder, weights, inputs);
          if (gain > r.bound * (1 + 1e-12)) failures.push(`seed ${seed}: a gain of ${gain} where ${r.bound} was proved\n${text}`);
        }
      }
    }
    expect(failures.join('\n')).toBe('');
    // Most recurrences have a bound once their weights are known.
    expect(finite).toBeGreaterThan(count / 2);
  }, 600_000);
});
