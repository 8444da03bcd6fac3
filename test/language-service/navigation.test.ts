/** Definitions, references, highlights and renames: a text with a cursor, and the places that it leads to. */
import { describe, expect, it } from 'vitest';
import { applyEdits } from '../../src/language-service/index.js';
import { cursor, model, place } from './service.js';

/** `«»` in the texts mark what is found. */
function marks(text: string): { readonly plain: string; readonly spans: readonly (readonly [number, number])[] } {
  const spans: [number, number][] = [];
  let plain = '';
  let start = 0;
  for (const ch of text) {
    if (ch === '«') start = plain.length - (plain.includes(cursor) ? 1 : 0);
    else if (ch === '»') spans.push([start, plain.length - (plain.includes(cursor) ? 1 : 0)]);
    else plain += ch;
  }
  return { plain, spans };
}

const shadow = `block B(x[t, c], kind = one | two) {
  axis k = 3
  match kind {
    one => { param w[c] = 1
      a[t, c] = w[c] * x[t, c] }
    two => { a[t, c] = x[t, c] }
  }
  output y[t, c] = a[t, c]
}
`;

describe('definition', () => {
  it.each([
    ['of an axis', model('output y[t, c] = x[t, ‸c]').replace('axis c', 'axis «c»')],
    ['of an input', model('output y[t, c] = ‸x[t, c]').replace('input x', 'input «x»')],
    ['of an equation that stands below', model('output y[t, c] = ‸z[t, c]\n  «z»[t, c] = x[t, c]')],
    ['of a state in itself', model('state «h»[t, c] = 0.5 * ‸h[t-1, c] + x[t, c]\n  output y[t, c] = h[t, c]')],
    ['of a name that is bound again: the last before', model('v = 2 * x\n  «v» = v + x\n  output y = ‸v + x')],
    ['of a name that is bound again, in its own line: the one before', model('«v» = 2 * x\n  v = ‸v + x\n  output y = v + x')],
    ['at its own place', model('‸«v» = 2 * x\n  output y = v + x')],
    ['of a member of the modalities', 'model M {\n  modalities m = a, «b»\n  axis c = 2\n  input x[t, m, c]\n  output y[t, c] = x[t, m.‸b, c]\n}'],
    ['of the modalities, before the dot', 'model M {\n  modalities «m» = a, b\n  axis c = 2\n  input x[t, m, c]\n  output y[t, c] = x[t, ‸m.b, c]\n}'],
    ['of an index that a reduction binds', model('output y[t, c] = sum(«q» in c: x[t, ‸q])')],
    ['of the axis that a reduction runs along', model('output y[t, c] = sum(q in ‸c: x[t, q])').replace('axis c', 'axis «c»')],
    ['of an axis as the index of a reduction', model('output y[t] = sum(c: x[t, ‸c])').replace('axis c', 'axis «c»')],
    ['of a dotted parameter', model('param «proj.weight»[c] = 1\n  output y[t, c] = proj.‸weight[c] * x[t, c]')],
    ['of the features of an input', 'model M {\n  modalities m = a[1], b[2]\n  input x[t, m, «f»]\n  output y[t, m] = sum(f: x[t, m, ‸f])\n}'],
    ['of an axis of a block', 'block B(x[t, «c»]) {\n  output y[t, c] = x[t, ‸c]\n}'],
    ['of an option of a block', `block B(x[t, c], «k» = 2) { output y[t, c] = ‸k * x[t, c] }`],
    ['of a block', `block «B»(x[t, c]) { output y[t, c] = x[t, c] }\n${model('output y = ‸B(x)')}`],
    ['of an option where it is given', `block B(x[t, c], «k» = 2) { output y[t, c] = k * x[t, c] }\n${model('output y = B(x, ‸k = 3)')}`],
    ['of a choice where it is given', `block B(x[t, c], k = p | «q») { output y[t, c] = match k { p => x[t, c], q => 0 } }\n${model('output y = B(x, k = ‸q)')}`],
    ['of a choice in a match', `block B(x[t, c], k = p | «q») { output y[t, c] = match k { p => x[t, c], ‸q => 0 } }`],
    ['in arms of a match: each', shadow.replace('= a[t, c]\n}', '= ‸a[t, c]\n}').replaceAll('  a[t, c] =', '  «a»[t, c] =').replace('{ a[t, c] =', '{ «a»[t, c] =')],
    ['of what is only in text that does not parse', model('axis d = 3\n  v[t, c] = x[t, c] +\n  output y[t, c] = ‸v[t, c]').replace('  v[t', '  «v»[t')],
  ])('%s', (_, marked) => {
    const { plain, spans } = marks(marked);
    const { service, path, offset, text } = place(plain);
    expect(service.definitions(path, offset).map((s) => [s.start, s.end, text.slice(s.start, s.end)])).toEqual(spans.map(([a, b]) => [a, b, text.slice(a, b)]));
  });

  it('leads into the standard library and to imported files', () => {
    const lib = 'block Twice(x[t, c]) { output y[t, c] = 2 * x[t, c] }\n';
    const given = { 'parts/twice.ssm': lib };
    const head = 'import Linear from "std"\nimport Twice from "./parts/twice.ssm"\n';
    const found = (marked: string): readonly object[] => { const c = place(marked, given); return c.service.definitions(c.path, c.offset); };
    expect(found(`${head}${model('output y = ‸Linear(x, out = 2)')}`)).toMatchObject([{ file: 'std/linear.ssm' }]);
    expect(found(`${head}${model('output y = Linear(x, ‸out = 2)')}`)).toMatchObject([{ file: 'std/linear.ssm' }]);
    expect(found(`${head}${model('output y = Tw‸ice(x)')}`)).toEqual([{ file: 'parts/twice.ssm', start: 6, end: 11 }]);
    expect(found(`${head.replace('Twice', 'Tw‸ice')}${model('output y = Twice(x)')}`)).toEqual([{ file: 'parts/twice.ssm', start: 6, end: 11 }]);
    expect(found(`${head.replace('/twice', '/tw‸ice')}${model('output y = Twice(x)')}`)).toEqual([{ file: 'parts/twice.ssm', start: 0, end: 0 }]);
  });
  it.each(['‸1', 'x ‸+ 1', '‸ex(x)'])('leads nowhere from %s', (e) => {
    const c = place(model(`output y[t, c] = ${e}`));
    expect(c.service.definitions(c.path, c.offset)).toEqual([]);
  });
});

describe('references', () => {
  it('are all of a name that is bound again and again, and no other body\'s', () => {
    const c = place(`block B(x[t, c]) { output y[t, c] = x[t, c] }\n${model('v = 2 * ‸x\n  v = B(v) + x\n  output y = v + x')}`);
    expect(c.service.references(c.path, c.offset).map((s) => c.text.slice(s.start - 2, s.end + 1))).toEqual(['t x[', '* x\n', '+ x\n', '+ x\n']);
  });
  it('of a block are in all files of the project', () => {
    const lib = 'block Twice(x[t, c]) { output y[t, c] = 2 * x[t, c] }\n';
    const c = place(`import Twice from "./twice.ssm"\n${model('output y = Tw‸ice(x)')}`, { 'twice.ssm': lib, 'other.ssm': `import Twice from "./twice.ssm"\n${model('output y = Twice(Twice(x))')}` });
    const files = c.service.references(c.path, c.offset).map((s) => s.file);
    expect(Object.fromEntries(['twice.ssm', 'spec.ssm', 'other.ssm'].map((f) => [f, files.filter((x) => x === f).length]))).toEqual({ 'twice.ssm': 1, 'spec.ssm': 2, 'other.ssm': 3 });
  });
  it('are highlighted, definitions apart', () => {
    const c = place(model('v[t, c] = x[t, c]\n  output y[t, c] = ‸v[t, c] + v[t-1, c]'));
    expect(c.service.highlights(c.path, c.offset).map((h) => h.defines)).toEqual([true, false, false]);
  });
});

describe('rename', () => {
  const renamed = (marked: string, to: string): string => {
    const c = place(marked);
    const edits = c.service.rename(c.path, c.offset, to);
    return typeof edits === 'string' ? edits : applyEdits(c.text, edits);
  };
  it('changes every place, and the spec still means the same', () => {
    expect(renamed(model('axis e = ‸c\n  output y[t, c] = sum(e: x[t, e])'), 'width')).toBe(model('axis e = width\n  output y[t, width] = sum(e: x[t, e])').replace('axis c', 'axis width').replace('x[t, c]', 'x[t, width]'));
    expect(renamed('model M {\n  modalities m = a, b\n  axis c = 2\n  input x[t, m, c]\n  output y[t, c] = x[t, m.‸b, c]\n}', 'right')).toBe('model M {\n  modalities m = a, right\n  axis c = 2\n  input x[t, m, c]\n  output y[t, c] = x[t, m.right, c]\n}');
    expect(renamed('model M {\n  modalities ‸m = a, b\n  axis c = 2\n  input x[t, m, c]\n  output y[t, c] = x[t, m.b, c]\n}', 'side')).toBe('model M {\n  modalities side = a, b\n  axis c = 2\n  input x[t, side, c]\n  output y[t, c] = x[t, side.b, c]\n}');
  });
  it('reaches calls in other files', () => {
    const lib = 'block Twice(x[t, c], by = 2) { output y[t, c] = by * x[t, c] }\n';
    const c = place(`import Twice from "./twice.ssm"\n${model('output y = Twice(x, b‸y = 3)')}`, { 'twice.ssm': lib });
    const edits = c.service.rename(c.path, c.offset, 'factor');
    expect(Array.isArray(edits) && edits.map((e) => e.span.file).toSorted()).toEqual(['spec.ssm', 'twice.ssm', 'twice.ssm']);
  });
  const stored = (renames: string, body = 'x = Linear(x, out = c) as embed\n  repeat 2 as layers { x = x + Mix(x) }'): string =>
    `import Linear from "std"\nblock Mix(x[t, m, c]) {\n  param w.a[m, c] = 1\n  output y[t, m, c] = w.a[m, c] * x[t, m, c]\n}\nmodel M {\n  modalities m = left, right\n  axis c = 2\n  input x[t, m, c]\n  ${body}\n  output y = x\n  ${renames}\n}\n`;
  /** The text with the cursor before the n-th `what`. */
  const marked = (text: string, what: string): string => text.replace(what, `‸${what}`);
  it.each([
    ['an instance', 'rename "embed.{m}.weight" to "in.{m}"', 'embed\n', 'proj', 'rename "proj.{m}.weight" to "in.{m}"'],
    ['a repeat', 'rename "layers.{i}.mix.{m}.w.a" to "l{i}.{m}"', 'layers {', 'blocks', 'rename "blocks.{i}.mix.{m}.w.a" to "l{i}.{m}"'],
    ['a block whose instances have no names', 'rename "layers.{i}.mix.{m}.w.a" to "l{i}.{m}"', 'Mix(x[', 'BigMixer', 'rename "layers.{i}.big_mixer.{m}.w.a" to "l{i}.{m}"'],
    ['a parameter, to a name of more parts', 'rename "layers.{i}.mix.{m}.w.a" to "l{i}.{m}"', 'w.a[m, c] =', 'gain', 'rename "layers.{i}.mix.{m}.gain" to "l{i}.{m}"'],
    ['a member', 'rename "layers.{i}.mix.left.w.a" to "l{i}"', 'left,', 'west', 'rename "layers.{i}.mix.west.w.a" to "l{i}"'],
    ['a member that a hole stands for, whose label is stored nowhere', 'rename "layers.{i}.mix.left.w.a" to "l{i}"', 'right\n', 'east', 'rename "layers.{i}.mix.left.w.a" to "l{i}"'],
  ])('keeps the names that tensors are stored under: of %s', (_, renames, what, to, followed) => {
    const now = renamed(marked(stored(renames), what), to);
    expect(now).toContain(followed);
    expect(place(now).service.diagnostics('spec.ssm')).toEqual([]);
  });
  it('changes patterns in models of other files', () => {
    const lib = 'block Twice(x[t, c]) {\n  param by[c] = 2\n  output y[t, c] = by[c] * x[t, c]\n}\n';
    const c = place(lib.replace('by[c] =', '‸by[c] ='), { 'model.ssm': `import Twice from "./spec.ssm"\n${model('output y = Twice(x)\n  rename "twice.by" to "factor"')}` });
    const edits = c.service.rename(c.path, c.offset, 'gain');
    expect(Array.isArray(edits) && edits.map((e) => [e.span.file, e.replacement])).toEqual([['spec.ssm', 'gain'], ['spec.ssm', 'gain'], ['model.ssm', 'twice.gain']]);
  });
  it.each([
    ['where a hole takes the name of the label with it', stored('rename "layers.{i}.mix.{m}.w.a" to "l{i}.{m}"'), 'left,', '`rename "layers.{i}.mix.{m}.w.a"` of `M` can\'t follow: change it first'],
    ['where the spec has mistakes', stored('rename "layers.{i}.mix.{m}.w.a" to "l{i}.{m}"').replace('output y = x', 'output y = z'), 'layers {', '`M` has `rename`s, which must follow: mend the mistakes of the spec first'],
  ])('refuses %s', (_, text, what, why) => {
    expect(renamed(marked(text, what), 'other')).toBe(why);
  });
  it.each([
    ['what is no name', model('output y[t, c] = ‸1'), 'a', 'there is no name of yours here'],
    ['a function', model('output y[t, c] = e‸xp(x[t, c])'), 'a', 'there is no name of yours here'],
    ['a block of the library', `import Linear from "std"\n${model('output y = Lin‸ear(x, out = 1)')}`, 'A', '`Linear` belongs to the standard library'],
    ['to what is no name', model('output y[t, c] = ‸x[t, c]'), '2x', "`2x` can't be a name"],
    ['to t', model('output y[t, c] = ‸x[t, c]'), 't', "`t` can't be a name"],
    ['to a name that is taken', model('output y[t, c] = ‸x[t, c]'), 'c', '`c` is already defined here'],
    ['to a name that is bound inside', model('output y[t, c] = ‸x[t, c] + sum(q in c: x[t, q])'), 'q', '`q` is already defined here'],
  ])('refuses %s', (_, marked, to, why) => {
    expect(renamed(marked, to)).toBe(why);
  });
});
