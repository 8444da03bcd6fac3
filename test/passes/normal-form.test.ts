import { describe, expect, it } from 'vitest';
import { passes } from '../../src/compile.js';
import { printExpr } from '../../src/ir/print-program.js';
import type { Builder } from '../../src/ir/builder.js';
import type { Program } from '../../src/ir/program.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { columnsOf, entry, normalForms, type AffineForm, type NormalForm } from '../../src/passes/normal-form.js';
import { compileText, randomInputs } from '../random/agree.js';
import { randomSpec } from '../random/generate.js';
import { formError } from './recurrence.js';

function checked(text: string): { program: Program; builder: Builder } {
  const { program, builder, diagnostics } = compileText(text);
  if (!program) throw new Error(diagnostics.map((d) => d.text).join('\n'));
  return { program, builder };
}
function forms(text: string, until = ''): { program: Program; builder: Builder; forms: readonly NormalForm[] } {
  const { program: first, builder } = checked(text);
  let program = first;
  for (const pass of until === '' ? [] : passes.slice(0, passes.findIndex((p) => p.name === until) + 1)) program = pass.run(program, builder);
  return { program, builder, forms: normalForms(program, builder) };
}
/** `to<-from@lag kind`, one per block that isn't zero. */
function shape(text: string, until = ''): string[] {
  const { program, forms: all } = forms(text, until);
  const name = (id: number): string => program.definitions[id]?.name ?? '';
  return all.flatMap((f) => (f.kind === 'not-affine' ? [`${f.states.map(name).join()} not affine in ${name(f.within)}: ${printExpr(program, f.subterm)}: ${f.why}`]
    : f.states.flatMap((s) => s.blocks.filter((x) => x.structure.kind !== 'zero').map((x) => {
      const along = 'along' in x.structure ? ` along ${x.structure.along.map((a) => a.name).join()}` : '';
      return `${name(x.to)}<-${name(x.from)}@${f.direction === 'backward' ? '+' : '-'}${x.lag} ${x.structure.kind}${x.structure.kind === 'factored' ? ` ${x.structure.rank}` : ''}${along} ${x.varies}`;
    }))));
}
const model = (lines: string): string => `model M {\n  modalities m = a, b, c, e\n  axis d = 3\n  axis n = 4\n  axis i = m\n  axis j = n\n  axis r = 2\n  input x[t, m, d]\n${lines}\n}\n`;

describe('the affine normal form', () => {
  it('is diagonal where each element reads its own past, selective where a t stands in T', () => {
    expect(shape(model(`  param a[m, d]\n  state h[t, m, d] = a[m, d] * h[t-1, m, d] + x[t, m, d]\n  output y[t, m, d] = h[t, m, d]`))).toEqual(['h<-h@-1 diagonal load']);
    expect(shape(model(`  state h[t, m, d] = exp(-x[t, m, d]^2) * h[t-1, m, d] + x[t, m, d]\n  output y[t, m, d] = h[t, m, d]`))).toEqual(['h<-h@-1 diagonal step']);
  });
  it('knows what belongs to the sequence but has no t', () => {
    expect(shape(model(`  input g[d]\n  state h[t, m, d] = tanh(g[d]) * h[t-1, m, d] + x[t, m, d]\n  output y[t, m, d] = h[t, m, d]`))).toEqual(['h<-h@-1 diagonal sequence']);
  });
  it('finds the rank of a coupling', () => {
    const coupled = (text: string): string => model(`  param u[m, r]\n  param v[m, r]\n  param K[m, i]\n  param a[m, d]\n${text}\n  output y[t, m, d] = h[t, m, d]`);
    expect(shape(coupled('  state h[t, m, d] = a[m, d] * mean(i: h[t-1, i, d]) + x[t, m, d]'))).toEqual(['h<-h@-1 factored 1 along m load']);
    expect(shape(coupled('  state h[t, m, d] = a[m, d] * sum(i: softmax(i: v[i, 0]) * h[t-1, i, d]) + x[t, m, d]'))).toEqual(['h<-h@-1 factored 1 along m load']);
    expect(shape(coupled('  state h[t, m, d] = a[m, d] * sum(i: K[m, i] * h[t-1, i, d]) + x[t, m, d]'))).toEqual(['h<-h@-1 dense along m load']);
    expect(shape(coupled('  state h[t, m, d] = a[m, d] * sum(r: u[m, r] * sum(i: v[i, r] * h[t-1, i, d])) + x[t, m, d]'))).toEqual(['h<-h@-1 factored 2 along m load']);
    expect(shape(coupled('  Q[m, i] = sum(r: u[m, r] * v[i, r])\n  state h[t, m, d] = a[m, d] * sum(i: Q[m, i] * h[t-1, i, d]) + x[t, m, d]'))).toEqual(['h<-h@-1 factored 2 along m load']);
    expect(shape(coupled('  state h[t, m, d] = 0.5 * h[t-1, m.b, d] + x[t, m, d]'))).toEqual(['h<-h@-1 factored 1 along m load']);
    // Rank four of four is no gain.
    expect(shape(coupled('  param P[m, n]\n  Q[m, i] = sum(n: P[m, n] * P[i, n])\n  state h[t, m, d] = sum(i: Q[m, i] * h[t-1, i, d]) + x[t, m, d]'))).toEqual(['h<-h@-1 dense along m load']);
  });
  it('names the axes that mix and keeps the others elementwise', () => {
    expect(shape(model(`  param A[m, n, j]\n  state h[t, m, d, n] = sum(j: A[m, n, j] * h[t-1, m, d, j]) + x[t, m, d]\n  output y[t, m, d] = sum(n: h[t, m, d, n])`))).toEqual(['h<-h@-1 dense along n load']);
  });
  it('has a block for each step of the past, and for what a window reaches', () => {
    expect(shape(model(`  state h[t, m, d] = 0.5 * h[t-1, m, d] - 0.2 * h[t-3, m, d] + x[t, m, d]\n  output y[t, m, d] = h[t, m, d]`))).toEqual(['h<-h@-1 diagonal load', 'h<-h@-3 diagonal load']);
    expect(shape(model(`  param w[r]\n  state h[t, m, d] = sum(r: w[r] * h[t+1+r, m, d]) + x[t, m, d]\n  output y[t, m, d] = h[t, m, d]`))).toEqual(['h<-h@+1 diagonal load', 'h<-h@+2 diagonal load']);
  });
  it('writes in what states read at the same step', () => {
    const text = model(`  state h[t, m, d] = 0.5 * g[t-1, m, d] + x[t, m, d]\n  z[t, m, d] = 2 * h[t, m, d] - 1\n  state g[t, m, d] = 0.25 * g[t-1, m, d] + x[t, m, d] * z[t, m, d]\n  output y[t, m, d] = g[t, m, d]`);
    // h itself is read at this step only: g is the one state.
    expect(shape(text)).toEqual(['g<-g@-1 diagonal step']);
    const { program, forms: [form] } = forms(text);
    expect(form?.members.map((id) => program.definitions[id]?.name)).toEqual(['h', 'z', 'g']);
    const [state] = (form as AffineForm).states;
    expect(printExpr(program, state?.drive as never)).toBe('(x[t, m, d] * ((2 * x[t, m, d]) - 1))');
    expect(state?.blocks[0]?.terms.map((t) => printExpr(program, t.coefficient))).toEqual(['0.25', '(x[t, m, d] * (2 * 0.5))']);
  });
  it('is complex before the split, and real of twice the states after it', () => {
    const text = model(`  p[n] = exp(complex(-0.5, n))\n  state h[t, m, d, n] = p[n] * h[t-1, m, d, n] + x[t, m, d]\n  output y[t, m, d] = re(sum(n: h[t, m, d, n]))`);
    expect(shape(text)).toEqual(['h<-h@-1 diagonal load']);
    expect(shape(text, 'split-complex')).toEqual(['h#re<-h#re@-1 diagonal load', 'h#re<-h#im@-1 diagonal load', 'h#im<-h#re@-1 diagonal load', 'h#im<-h#im@-1 diagonal load']);
    // The conjugate is linear over the real numbers only.
    const conjugate = text.replace('h[t-1, m, d, n]', 'conj(h[t-1, m, d, n])');
    expect(shape(conjugate)).toEqual(['h not affine in h: conj(h[t - 1, m, d, n]): `conj` of a complex state is linear over the real numbers only']);
    expect(shape(conjugate, 'split-complex')).toHaveLength(4);
  });
  it('names the subterm that forbids the scan', () => {
    const wrong = (body: string): string[] => shape(model(`  state h[t, m, d] = ${body}\n  output y[t, m, d] = h[t, m, d]`));
    expect(wrong('0.5 * tanh(h[t-1, m, d]) + x[t, m, d]')).toEqual(['h not affine in h: tanh(h[t - 1, m, d]): `tanh` of a state is not affine']);
    expect(wrong('x[t, m, d] / (1 + h[t-1, m, d])')).toEqual(['h not affine in h: (x[t, m, d] / (1 + h[t - 1, m, d])): a division by a state is not affine']);
    expect(wrong('max(i: h[t-1, i, d]) + x[t, m, d]')).toEqual(['h not affine in h: max(i: h[t - 1, i, d]): `max` over states is not affine']);
    expect(wrong('where(h[t-1, m, d] > 0, 0.5, 1) + x[t, m, d]')).toEqual(['h not affine in h: where((0 < h[t - 1, m, d]), 0.5, 1): a choice that depends on a state is not affine']);
    expect(wrong('h[t-1, m, d]^2 + x[t, m, d]')).toEqual(['h not affine in h: h[t - 1, m, d]^2: a power of a state is not affine']);
  });
  it('gives T an index for each element of the state that is read', () => {
    const { program, builder, forms: [form] } = forms(model(`  param A[n, j]\n  state h[t, m, d, n] = sum(j: A[n, j] * h[t-1, m, d, j]) + x[t, m, d]\n  output y[t, m, d] = sum(n: h[t, m, d, n])`));
    const [state] = (form as AffineForm).states;
    if (!state?.blocks[0]) throw new Error('no block');
    const columns = columnsOf(state, builder);
    expect(printExpr(program, entry(state.blocks[0], columns, builder))).toBe('where((d == d), where((m == m), A[n, n], 0), 0)');
  });
});

describe('random programs by T and f, and by the interpreter', () => {
  const count = Math.min(1000, Number(process.env['COUNT'] ?? 1000));
  const after = ['', 'collapse-coupling', 'increment', 'reassociate'];
  it(`${count} seeds`, () => {
    let affine = 0;
    const failures: string[] = [];
    for (let seed = 0; seed < count; seed++) {
      const { text } = randomSpec(seed);
      const until = after[seed % after.length] as string;
      const { program: first } = checked(text);
      const { program, builder, forms: all } = forms(text, until);
      const weights = initialise(first, seed);
      const inputs = randomInputs(first, 1, 4, seed);
      for (const form of all) {
        if (form.kind !== 'affine') continue;
        affine++;
        const { error } = formError(program, form, builder, weights, inputs);
        if (!(error < 1e-11)) failures.push(`seed ${seed} after ${until || 'check'}: ${error}\n${text}`);
      }
    }
    expect(failures.join('\n')).toBe('');
    expect(affine).toBeGreaterThan(count / 2);
  }, 600_000);
});
