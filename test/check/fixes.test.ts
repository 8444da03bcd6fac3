/** Every fix that is printed mends: applied to its text, no more faults than before, and what it is for is gone from its place. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from '../../grammar/parser.js';
import { check } from '../../src/check/index.js';
import { Diagnostics, type Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { fixers } from '../../src/diagnostics/fixes.js';
import { Random } from '../../src/interpreter/random.js';
import { Builder } from '../../src/ir/builder.js';
import { applyEdits } from '../../src/language-service/edits.js';
import { std } from '../random/agree.js';
import { cases, model } from './cases.js';

const file = 'spec.ssm';
type Files = Readonly<Record<string, string>>;
function diagnosticsOf(text: string, files: Files = {}): readonly Diagnostic[] {
  const all = new Diagnostics();
  check(file, { std, read: (p) => (p === file ? text : files[p]) }, new Builder(), all);
  return all.list;
}
/** What is wrong with the fixes of a text; and the codes that have one. */
function failures(text: string, files: Files = {}): { readonly wrong: readonly string[]; readonly fixed: readonly string[] } {
  const wrong: string[] = [];
  const fixed: string[] = [];
  for (const d of diagnosticsOf(text, files)) {
    if (!d.fix) continue;
    fixed.push(d.code);
    if (d.fix.edits.some((e) => e.span.file !== file)) {
      wrong.push(`${d.code} changes another file`);
      continue;
    }
    const mended = applyEdits(text, d.fix.edits);
    const faults = (t: string): number => parse(t, file).faults.length;
    if (faults(mended) > faults(text)) wrong.push(`${d.code}: ${d.fix.text}, which parses worse:\n${mended}`);
    if (diagnosticsOf(mended, files).some((o) => o.code === d.code && o.span.start === d.span.start && o.text === d.text)) wrong.push(`${d.code}: ${d.fix.text}, and it is still there:\n${mended}`);
  }
  return { wrong, fixed };
}
const linear = (line: string): string => `import Linear from "std"\n${model(line)}`;

describe('fixes', () => {
  it('mend the case of each code that has one', () => {
    const found = cases.map(([, text, , , files]) => failures(text, files));
    expect(found.flatMap((f) => f.wrong)).toEqual([]);
  });
  const more: readonly (readonly [string, string, string])[] = [
    ['a comment', 'SSM1002', model('# what is given\n output y[t, c] = x[t, c]')],
    ['a bracket', 'SSM1004', model('output y[t, c] = 2 * (x[t, c] + 1')],
    ['a brace at the end', 'SSM1004', model('output y[t, c] = x[t, c]').slice(0, -1)],
    ['a name', 'SSM2001', model('output y[t, c] = xx[t, c]')],
    ['a function', 'SSM2020', model('output y[t, c] = sofplus(x[t, c])')],
    ['an imported block', 'SSM2006', 'import Linar from "std"\nmodel M { axis c = 4 input x[t, c] output y = Linear(x, out = 2) }'],
    ['an option', 'SSM2013', linear('output y = Linear(x, ot = 2)')],
    ['a choice', 'SSM2014', 'import CoupledMamba from "std"\nmodel M {\n  modalities m = a, b\n  axis c = 2\n  input x[t, m, c]\n  output y = CoupledMamba(x, coupling = men)\n}\n'],
    ['a block', 'SSM2020', linear('output y = Liner(x, out = 2)')],
    ['a state', 'SSM3102', model('h[t, c] = 0.5 * h[t-1, c] + x[t, c]\n output y[t, c] = h[t, c]')],
    ['a state with a comment', 'SSM3102', model('/// What is kept.\n h[t, c] = 0.5 * h[t-1, c] + x[t, c]\n output y[t, c] = h[t, c]')],
    ['a state of a block', 'SSM3102', `block B(x[t, c]) {\n h[t, c] = 0.5 * h[t-1, c] + x[t, c]\n output y[t, c] = h[t, c]\n}\n${model('output y = B(x)')}`],
    ['a state that goes through an output', 'SSM3102', `block B(x[t, c]) {\n output y[t, c] = 0.5 * h[t-1, c] + x[t, c]\n h[t, c] = 2 * y[t, c]\n}\n${model('output y = B(x)')}`],
    ['a state inside a repeat', 'SSM3102', model('repeat 2 as layers {\n h[t, c] = 0.5 * h[t-1, c] + x[t, c]\n }\n output y[t, c] = h[t, c]')],
  ];
  it.each(more)('mend %s', (_, code, text) => {
    const { wrong, fixed } = failures(text);
    expect(wrong).toEqual([]);
    expect(fixed).toContain(code);
  });
  it('are not offered where an output, of a model or of a block, would have to be a state', () => {
    const block = `block B(x[t, c]) { output y[t, c] = 0.5 * y[t-1, c] + x[t, c] }\n${model('output y = B(x)')}`;
    for (const text of [model('output y[t, c] = 0.5 * y[t-1, c] + x[t, c]'), block]) {
      const found = diagnosticsOf(text).find((d) => d.code === 'SSM3102');
      expect(found?.text).toContain("reads its own past: an output can't be a state");
      expect(found?.fix).toBeUndefined();
    }
  });
  it('are tested for every code that has one', () => {
    expect(Object.keys(fixers).filter((code) => !more.some(([, c]) => c === code))).toEqual([]);
  });

  const root = join(import.meta.dirname, '../../examples');
  const examples = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ssm')).toSorted();
  const count = Number(process.env['COUNT'] ?? 60);
  it.each(examples)(`mend ${count} texts with a piece of examples/%s gone or twice there`, (name) => {
    const text = readFileSync(join(root, name), 'utf8');
    for (let k = 0; k < count; k++) {
      const random = new Random(k, name);
      const at = random.integer(0, text.length);
      const length = random.integer(1, 6);
      const damaged = random.integer(0, 1) === 0 ? text.slice(0, at) + text.slice(at + length) : text.slice(0, at + length) + text.slice(at);
      expect(failures(damaged).wrong).toEqual([]);
    }
  });
});
