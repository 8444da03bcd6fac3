/** Hovers, completion, outline, colours, hints, fixes, formatting, kernels: a text with a cursor, and the answer. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { format } from '../../grammar/formatter.js';
import { functionNames, reductionNames } from '../../src/check/expressions.js';
import { check } from '../../src/check/index.js';
import { Diagnostics } from '../../src/diagnostics/diagnostic.js';
import { Builder } from '../../src/ir/builder.js';
import { functions, reductions } from '../../src/language-service/builtins.js';
import { applyEdits } from '../../src/language-service/index.js';
import { std } from '../random/agree.js';
import { model, place } from './service.js';

const recurrence = model('param a[c] = uniform(0, 0.9)\n  /// What is remembered.\n  state h[t, c] = a[c] * h[t-1, c] + x[t, c]\n  output y[t, c] = h[t, c]');
const twoSides = 'model M {\n  modalities m = a[2], b[5]\n  input signal[t, m, f]\n  param w[m, f] = 1\n  output y[t, m] = sum(f: w[m, f] * signal[t, m, f])\n}';
const stack = `import CoupledMamba, Linear from "std"
model M {
  modalities m = left, right
  axis c = 4
  input x[t, m, c]
  repeat 2 as layers { x = x + CoupledMamba(x, state = 8, coupling = mean) as mixer }
  output y = Linear(x, out = 3)
}
`;

describe('hover', () => {
  const hover = (marked: string): string => { const c = place(marked); return c.service.hover(c.path, c.offset)?.markdown ?? ''; };
  it.each([
    ['an axis', recurrence.replace('x[t, c]\n  out', 'x[t, ‸c]\n  out'), ['axis c = 4']],
    ['an input', recurrence.replace('+ x', '+ ‸x'), ['input x[t, c: 4]', 'real, 4 elements a step; given']],
    ['a parameter', recurrence.replace('= a[', '= ‸a['), ['param a[c: 4]', '4 elements; stored', 'Stored as `a` [4].']],
    ['a state', recurrence.replace('h[t-1', '‸h[t-1'), ['state h[t, c: 4]', 'computed at each step', '**Recurrence** forward, affine, time-invariant', 'diagonal', 'f: `x[t, c]`', '**Stability**', '**Run** serial', 'What is remembered.']],
    ['ragged features', twoSides.replace('m, f]\n  param', 'm, ‸f]\n  param'), ['axis f = 2 | 5', 'As many as the member of `m` has.']],
    ['modalities', twoSides.replace('modalities m', 'modalities ‸m'), ['axis m = 2', '`a`, `b`']],
    ['a stored tensor per member', twoSides.replace('param w', 'param ‸w'), ['param w[m: 2, f: 2 | 5]', 'Stored as `a.w` [2], `b.w` [5].']],
    ['a block of the library', stack.replace('x + C', 'x + ‸C'), ['block CoupledMamba(', 'coupling = mean | sum', 'From the standard library.', 'Algorithm 1']],
    ['an option where it is given', stack.replace('state = 8', '‸state = 8'), ['state = 8', 'In `layers.0.mixer` and 1 more of `M`.']],
    ['a choice', stack.replace('= mean', '= ‸mean'), ['A choice of the option `coupling`.']],
    ['a name without indices', stack.replace('(x, out', '(‸x, out'), ['x[t, m: 2, c: 4]']],
    ['what is computed once', model('param a[c] = 1\n  b[c] = exp(a[c])\n  output y[t, c] = ‸b[c] * x[t, c]'), ['b[c: 4]', 'computed once, when weights are bound']],
    ['what waits for the end', model('output ‸y[c] = max(t: x[t, c])'), ['output y[c: 4]', 'computed when the answer is wanted']],
    ['a complex value', model('z[t, c] = complex(x[t, c], 1)\n  output y[t, c] = re(‸z[t, c])'), ['complex, 4 elements a step']],
    ['a function', model('output y[t, c] = soft‸plus(x[t, c])'), ['softplus(x)', 'log(1 + eˣ)']],
    ['a keyword', recurrence.replace('state', 'sta‸te'), ['state h[t, c]', 'reads itself at another step']],
    ['time', recurrence.replace('[t-1', '[‸t-1'), ['the step before']],
    ['an index of a reduction', model('output y[t, c] = sum(q in c: x[t, ‸q])'), ['An index that this reduction binds.']],
    ['a block that nothing uses', 'block B(x[t, c]) {\n  v[t, c] = x[t, c]\n  output y[t, c] = ‸v[t, c]\n}', ['v[t, c]\n', 'real']],
    ['a name in a file with faults', model('v = 2 * x\n  w[t, c] = x[t, c] +\n  output y = ‸v + x'), ['v[t, c: 4]']],
    ['an arm that is not taken', `block B(x[t, c], k = p | q) { match k { p => { z[t, c] = x[t, c] }, q => { ‸u[t, c] = 0\n z[t, c] = u[t, c] } }\n output y[t, c] = z[t, c] }\n${model('output y = B(x)')}`, ['u']],
  ])('of %s', (_, marked, parts) => {
    const text = hover(marked);
    for (const p of parts) expect(text).toContain(p);
  });
  it('of nothing says nothing', () => {
    expect(hover(model('output y[t, c] = ‸ 1'))).toBe('');
  });
  it('in a library file knows the sizes of the model that it is read for', () => {
    const { service, path } = place(stack);
    service.diagnostics(path);
    const text = std.get('std/coupled-mamba.ssm') ?? '';
    const answer = service.hover('std/coupled-mamba.ssm', text.indexOf('h[t, m, d, n] = exp(dt[t, m, d] * A[m, d, n]) * mean'))?.markdown ?? '';
    for (const p of ['state h[t, m: 2, d: 8, n: 8]', 'of rank 1 along m', 'selective', 'non-expansive, proved', '**Run** serial', 'In `layers.0.mixer` and 1 more of `M`.']) expect(answer).toContain(p);
  });
  it('says what forbids a scan', () => {
    expect(hover(model('state h[t, c] = tanh(‸h[t-1, c]) + x[t, c]\n  output y[t, c] = h[t, c]'))).toMatch(/not affine: .*tanh/);
  });
  it('knows every function of the checker', () => {
    expect([...functions.keys()].toSorted()).toEqual([...functionNames].toSorted());
    expect([...reductions.keys()].toSorted()).toEqual([...reductionNames].toSorted());
  });
});

describe('completion', () => {
  it.each<readonly [string, string, readonly string[], readonly string[]]>([
    ['at the top of a file', '‸', ['import', 'block', 'model'], ['state', 'sum']],
    ['after import', 'import ‸ from "std"\n', ['Mamba', 'CoupledMamba', 'Linear'], ['model', 'sum']],
    ['after a comma of an import', 'import Mamba, ‸ from "std"\n', ['Linear'], ['Mamba']],
    ['in the path of an import', 'import A from "‸"\n', ['std', './other.ssm'], ['spec.ssm']],
    ['of blocks of another file', 'import ‸ from "./other.ssm"\n', ['Other'], ['Mamba']],
    ['at a statement', model('‸'), ['state', 'output', 'param', 'repeat', 'x'], ['import', 'exp']],
    ['after a statement', model('axis d = 2\n  ‸\n  output y[t, c] = x[t, c]'), ['state', 'match'], ['exp']],
    ['in an expression', model('output y[t, c] = ‸'), ['x', 'exp', 'sum', 'pi'], ['state', 'import']],
    ['in an expression that has begun', model('output y[t, c] = so‸'), ['softplus', 'x'], ['output']],
    ['after an operator', model('output y[t, c] = x[t, c] * ‸'), ['x', 'sigmoid'], ['output']],
    ['at an index', model('output y[t, c] = x[t, ‸]'), ['c', 't'], ['x', 'exp']],
    ['on a left side', model('axis d = 2\n  state h[‸'), ['t', 'c', 'd'], ['x', 'exp', 'size']],
    ['at the index of a reduction', model('output y[t] = sum(‸'), ['c', 't'], ['exp', 'x']],
    ['inside a reduction', model('output y[t] = sum(q in c: x[t, ‸'), ['q', 'c'], ['exp']],
    ['at a member', 'model M {\n  modalities m = left, right\n  input x[t, m]\n  output y[t] = x[t, m.‸]\n}', ['left', 'right'], ['m', 'x']],
    ['of a dotted name', model('param proj.weight[c] = 1\n  output y[t, c] = proj.‸'), ['weight'], ['x']],
    ['of options', `import Mamba from "std"\n${model('output y = Mamba(x, ‸)')}`, ['state', 'expand', 'kernel'], []],
    ['of options that are not given yet', `import Mamba from "std"\n${model('output y = Mamba(x, state = 4, ‸)')}`, ['expand'], ['state']],
    ['of choices', `import CoupledMamba from "std"\n${model('output y = CoupledMamba(x, coupling = ‸)')}`, ['mean', 'sum', 'none'], []],
    ['of arms', 'block B(x[t, c], k = one | two) {\n  match k {\n    one => { a[t, c] = x[t, c] }\n    ‸\n  }\n}', ['two'], ['one', 'state']],
    ['of what a match is on', 'block B(x[t, c], k = one | two) {\n  match ‸\n}', ['k'], ['x']],
    ['of library blocks', model('output y = Coup‸'), ['CoupledMamba'], []],
    ['in a comment', model('// x‸'), [], ['x', 'state']],
    ['after a keyword that makes a name', model('axis ‸'), [], ['x', 'exp']],
  ])('%s', (_, marked, some, none) => {
    const c = place(marked, { 'other.ssm': 'block Other(x[t, c]) { output y[t, c] = x[t, c] }\n' });
    const labels = c.service.completions(c.path, c.offset).map((i) => i.label);
    for (const s of some) expect(labels).toContain(s);
    for (const n of none) expect(labels).not.toContain(n);
  });
  it('puts the axis that the place has first', () => {
    const c = place(model('axis a = 2\n  param w[c, a] = 0\n  output y[t, c] = w[c, ‸]'));
    const ranked = c.service.completions(c.path, c.offset).toSorted((a, b) => a.rank - b.rank);
    expect(ranked[0]?.label).toBe('a');
  });
  it('replaces the word that has begun, and imports what it needs', () => {
    const c = place(`import Linear from "std"\n${model('output y = Coup‸xx')}`);
    const item = c.service.completions(c.path, c.offset).find((i) => i.label === 'CoupledMamba');
    expect(item && applyEdits(c.text, [{ span: item.replaces, replacement: item.insert }, ...item.also])).toBe(`import Linear, CoupledMamba from "std"\n${model('output y = CoupledMamba')}`);
  });
  it('says shapes and documentation', () => {
    const c = place(model('/// Doubled.\n  v = 2 * x\n  output y = ‸'));
    expect(c.service.completions(c.path, c.offset).find((i) => i.label === 'v')).toMatchObject({ kind: 'array', detail: '[t, c: 4]', text: 'Doubled.' });
  });
});

describe('outline', () => {
  it('is the file as a tree, with faults too', () => {
    const { service, path } = place(`block B(x[t, c], k = 2) { output y[t, c] = k * x[t, c] }\n${model('repeat 2 as layers { x = B(x) }\n  z[t, c] = +\n  output y = x + x')}`);
    expect(service.outline(path).map((d) => [d.kind, d.name, d.children.map((k) => `${k.kind} ${k.name}${k.detail ?? ''}${k.children.map((i) => `/${i.name}`).join('')}`)])).toEqual([
      ['block', 'B', ['argument x[t, c]', 'option k', 'output y[t, c]']],
      ['model', 'M', ['axis c', 'input x[t, c]', 'repeat layers/x', 'equation z', 'output y']],
    ]);
  });
});

describe('semantic tokens', () => {
  it('say what words mean', () => {
    const { service, path, text } = place(`import Linear from "std" // here\n${model('param w[c] = 1\n  state h[t, c] = w[c] * h[t-1, c] + x[t, c]\n  output y = Linear(h, out = 2)')}`);
    const words = service.semanticTokens(path).map((t) => `${text.slice(t.start, t.end)} ${[t.type, ...t.modifiers].join('.')}`);
    expect([...new Set(words)]).toEqual([
      'import keyword', 'Linear class.defaultLibrary', 'from keyword', '"std" string', '// here comment', 'model keyword.declaration', 'M class.declaration', 'axis keyword.declaration', 'c type.declaration', '4 number',
      'input keyword.declaration', 'x variable.declaration', 't variable.defaultLibrary', 'c type', 'param keyword.declaration', 'w variable.declaration.readonly', '1 number', 'state keyword.declaration', 'h variable.declaration.modification',
      'w variable.readonly', 'h variable.modification', 'x variable', 'output keyword.declaration', 'y variable.declaration', 'out parameter', '2 number',
    ]);
  });
});

describe('hints', () => {
  it('are sizes and shapes that the text does not say', () => {
    const { service, path, text } = place(stack);
    expect(service.hints(path).map((h) => `${text.slice(h.offset - 1, h.offset)}${h.text}`)).toEqual(['x[t, m: 2, c: 4]', 'y[t, m: 2, o: 3]']);
    const library = std.get('std/coupled-mamba.ssm') ?? '';
    expect(service.hints('std/coupled-mamba.ssm').map((h) => `${library.slice(h.offset - 1, h.offset)}${h.text}`)).toEqual(['m: 2', 'c: 4', 'd: 8', 'n: 8', 'r: 1', 'k: 4', 'i: 2']);
  });
  it('say each size that instances have', () => {
    const { service, path, text } = place(`block B(x[t, c]) {\n  axis d = 2 * c\n  param w[d, c] = 0\n  output y[t, d] = sum(c: w[d, c] * x[t, c])\n}\n${model('u = B(x)\n  output y = B(u)')}`);
    const hints = service.hints(path).map((h) => `${text.slice(h.offset - 1, h.offset)}${h.text}`);
    expect(hints).toEqual(['c: 4 or 8', 'd: 8 or 16', 'u[t, d: 8]', 'y[t, d: 16]']);
  });
});

describe('quick fixes', () => {
  it.each([
    ['a name that is nearly right', model('output y[t, c] = xx[t, c]'), 'write `x`', model('output y[t, c] = x[t, c]')],
    ['a function', model('output y[t, c] = sofplus(x[t, c])'), 'write `softplus`', model('output y[t, c] = softplus(x[t, c])')],
    ['an option', `import Linear from "std"\n${model('output y = Linear(x, ot = 3, out = 2)')}`, 'write `out`', `import Linear from "std"\n${model('output y = Linear(x, out = 3, out = 2)')}`],
    ['a choice', 'import CoupledMamba from "std"\nmodel M {\n  modalities m = a, b\n  axis c = 2\n  input x[t, m, c]\n  output y = CoupledMamba(x, coupling = men)\n}\n', 'write `mean`', 'import CoupledMamba from "std"\nmodel M {\n  modalities m = a, b\n  axis c = 2\n  input x[t, m, c]\n  output y = CoupledMamba(x, coupling = mean)\n}\n'],
    ['an import', 'import Linar from "std"\nmodel M { }', 'write `Linear`', 'import Linear from "std"\nmodel M { }'],
    ['a block that is not imported', model('output y = Linear(x, out = 2)'), 'import `Linear` from "std"', `import Linear from "std"\n\n${model('output y = Linear(x, out = 2)')}`],
    ['a bracket', model('v[t, c] = 2 * (x[t, c] + 1\n  output y[t, c] = v[t, c]'), 'insert `)`', model('v[t, c] = 2 * (x[t, c] + 1)\n  output y[t, c] = v[t, c]')],
    ['an equation that reads its past', model('h[t, c] = 0.5 * h[t-1, c] + x[t, c]\n  output y[t, c] = h[t, c]'), 'mark it as `state`', model('state h[t, c] = 0.5 * h[t-1, c] + x[t, c]\n  output y[t, c] = h[t, c]')],
  ])('for %s', (_, text, title, fixed) => {
    const { service, path } = place(text);
    const actions = service.actions(path, 0, text.length);
    const action = actions.find((a) => a.title === title);
    expect(actions.map((a) => a.title)).toContain(title);
    expect(applyEdits(text, action?.edits ?? [])).toBe(fixed);
  });
  it('are only offered where they help', () => {
    const text = model('output y[t, c] = 0.5 * y[t-1, c] + x[t, c]');
    const { service, path } = place(text);
    expect(service.diagnostics(path).map((d) => d.code)).toContain('SSM3102');
    expect(service.actions(path, 0, text.length)).toEqual([]);
  });
});

describe('formatting', () => {
  it('is the formatter\'s', () => {
    const text = 'model  M {\n axis c=4\ninput x[t,c]\n output y[t,c]=x[t,c] }';
    const { service, path } = place(text);
    const done = format(text, path);
    expect(applyEdits(text, service.format(path))).toBe('text' in done && done.text);
  });
  it('leaves alone what is laid out, and what has faults', () => {
    for (const text of [model('output y[t, c] = x[t, c]'), 'model M { output y = }']) expect(place(text).service.format('spec.ssm')).toEqual([]);
  });
});

describe('kernels', () => {
  it('are those of the block under the cursor', () => {
    const c = place(stack.replace('x + C', 'x + ‸C'));
    const block = c.service.kernels(c.path, c.offset);
    const whole = c.service.kernels(c.path, c.text.indexOf('axis c'));
    const linear = c.service.kernels(c.path, c.text.indexOf('Linear(x'));
    if (typeof block === 'string' || typeof whole === 'string' || typeof linear === 'string') throw new Error('no kernels');
    const count = (text: string): number => text.split('\n').filter((l) => l.startsWith('kernel ')).length;
    expect(block.of).toBe('CoupledMamba');
    expect(block.text).toContain('decay');
    expect(linear.text).not.toContain('decay');
    expect(count(linear.text)).toBeGreaterThan(0);
    expect(count(whole.text)).toBeGreaterThan(count(block.text));
  });
  it('are of a model only', () => {
    const c = place('block B(x[t, c]) { output y[t, c] = ‸x[t, c] }');
    expect(c.service.kernels(c.path, c.offset)).toContain('is in no model');
  });
});

describe('diagnostics', () => {
  it('are the compiler\'s', () => {
    for (const text of [model('output y[t, c] = z[t, c] + w[t]'), model('h[t, c] = 0.5 * h[t-1, c]\n  output y[t, c] = h[t, c]'), 'model M { output y = }']) {
      const { service, path } = place(text);
      const diagnostics = new Diagnostics();
      check(path, { std, read: () => text }, new Builder(), diagnostics);
      expect(service.diagnostics(path)).toEqual(diagnostics.list);
      expect(service.diagnostics(path).length).toBeGreaterThan(0);
    }
  });
  it('of a file of blocks are of its blocks: it needs no model', () => {
    const c = place('block B(x[t, c]) { output y[t, c] = z[t, c] }');
    expect(c.service.diagnostics(c.path).map((d) => d.code)).toEqual(['SSM2001']);
    expect(place('').service.diagnostics('spec.ssm')).toEqual([]);
  });
  it('of a file with several models are of each', () => {
    const c = place(`${model('output y[t, c] = q[t, c]')}${model('output y[t, c] = r[t, c]').replace('model M', 'model N')}`);
    expect(c.service.diagnostics(c.path).map((d) => d.text)).toEqual(['`q` is not defined', '`r` is not defined']);
  });
  it('warn of states that may grow at once, and of recurrences that are no scans when there is time', () => {
    const grow = place(stack.replace('= mean', '= sum'));
    expect(grow.service.diagnostics(grow.path).map((d) => d.code)).toContain('SSM3201');
    const c = place(model('state h[t, c] = tanh(h[t-1, c]) + x[t, c]\n  output y[t, c] = h[t, c]'));
    expect(c.service.diagnostics(c.path).map((d) => d.code)).toEqual([]);
    expect(c.service.fullDiagnostics(c.path).map((d) => d.code)).toEqual(['SSM3301']);
  });
  it('end for a count that was mistyped', () => {
    const c = place(`import Linear from "std"\n${model('repeat 99999999 as layers { x = Linear(x, out = 4) }\n  output y = x + x')}`);
    expect(c.service.diagnostics(c.path).map((d) => d.code)).toContain('SSM1010');
  });
  it('follow a change of an imported file', () => {
    const files = { "b.ssm": "block B(x[t, c]) { output y[t, c] = x[t, c] }" };
    const c = place(`import B from "./b.ssm"\n${model('output y = B(x)')}`);
    const texts = new Map([...Object.entries(files), ['spec.ssm', c.text]]);
    const { service } = place('');
    expect(service.diagnostics('spec.ssm')).toEqual([]);
    const other = new (service.constructor as typeof import('../../src/language-service/index.js').LanguageService)({ std, read: (p) => texts.get(p) });
    expect(other.diagnostics('spec.ssm')).toEqual([]);
    texts.set('b.ssm', 'block B(x[t, c]) { output y[t, c] = q[t, c] }');
    expect(other.diagnostics('spec.ssm').map((d) => [d.span.file, d.code])).toEqual([['b.ssm', 'SSM2001']]);
    texts.delete('b.ssm');
    expect(other.diagnostics('spec.ssm').map((d) => d.code)).toContain('SSM2003');
    expect(other.filesOf('spec.ssm')).toEqual(['spec.ssm']);
  });
  it('find nothing wrong with the examples', () => {
    for (const f of ['coupled-mamba/mosei.ssm', 'mamba/mamba.ssm', 'mex/mex.ssm']) {
      const { service, path } = place(readFileSync(join(import.meta.dirname, '../../examples', f), 'utf8'));
      expect(service.fullDiagnostics(path)).toEqual([]);
    }
  });
});
