/**
 * The TextMate grammar against the compiler's own lexer: on every example and library file, and on random specs, a keyword has a
 * keyword's scope where the compiler sees one and nowhere else, and so have numbers, strings, comments and functions. One spec's scopes in full.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IGrammar } from 'vscode-textmate';
import { beforeAll, describe, expect, it } from 'vitest';
import { builtin, functions, initialisers, reductions } from '../../src/language-service/builtins.js';
import { LanguageService } from '../../src/language-service/index.js';
import { isKeyword, isName, tokensOf } from '../../src/language-service/words.js';
import { std } from '../random/agree.js';
import { randomSpec } from '../random/generate.js';
import { loadGrammar, scopesOf as scopesIn } from './grammar.js';

const root = join(import.meta.dirname, '../..');
let grammar: IGrammar;
beforeAll(async () => { grammar = await loadGrammar('ssm.tmLanguage.json', 'source.ssm'); });
const scopesOf = (text: string): ((offset: number) => string) => scopesIn(grammar, text);
const keywordScope = /^(keyword\.control|storage\.type\.(?!arrow))/;
/** What the grammar says otherwise than the lexer. */
function disagreements(text: string): string[] {
  const scope = scopesOf(text);
  const { tokens, comments } = tokensOf(text, 'spec.ssm');
  const line = (at: number): number => text.slice(0, at).split('\n').length;
  const wrong = tokens.flatMap((t, k): string[] => {
    const got = scope(t.startOffset);
    const say = (want: string): string[] => [`${line(t.startOffset)}: ${t.image} is ${got || 'nothing'}, not ${want}`];
    if (isKeyword(t)) return keywordScope.test(got) ? [] : say('a keyword');
    if (t.tokenType.name === 'Num') return got === 'constant.numeric.ssm' || got === 'entity.name.namespace.ssm' ? [] : say('a number');
    if (t.tokenType.name === 'Str') return got.startsWith('string.') ? [] : say('a string');
    if (!isName(t)) return got === '' ? say('an operator or bracket') : [];
    if (keywordScope.test(got) || got === '') return say('a name');
    const called = tokens[k + 1]?.image === '(' && ![':', '='].includes(tokens[k - 1]?.image ?? '') && !['block', 'model'].includes(tokens[k - 1]?.image ?? '');
    if (called && builtin(t.image) && !got.startsWith('support.function')) return say('a function');
    return [];
  });
  return [...wrong, ...comments.filter((c) => !scope(c.span.start).startsWith('comment.')).map((c) => `${line(c.span.start)}: ${c.text} is no comment`)];
}

const examples = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ssm')).toSorted();
const reference = [...readFileSync(join(root, 'grammar/README.md'), 'utf8').matchAll(/```ssm\n([\s\S]*?)```/g)].map((m) => m[1] as string);

describe('the TextMate grammar sees what the lexer sees', () => {
  it.each(examples)('in examples/%s', (f) => { expect(disagreements(readFileSync(join(root, 'examples', f), 'utf8'))).toEqual([]); });
  it.each([...std.keys()])('in %s', (f) => { expect(disagreements(std.get(f) as string)).toEqual([]); });
  it('in the language reference', () => {
    expect(reference.length).toBeGreaterThan(5);
    for (const text of reference) expect(disagreements(text)).toEqual([]);
  });
  it('in random specs', () => {
    for (let seed = 0; seed < Number(process.env['COUNT'] ?? 300); seed++) expect([seed, disagreements(randomSpec(seed).text)]).toEqual([seed, []]);
  });
  it('where a match stands in brackets', () => {
    expect(disagreements('block B(x[t, c], k = on | off) {\n  output y[t, c] = exp(match k { on => x[t, c], off => 0 } + 1) * sum(t: match k {\n    on => x[t, c],\n    off => (1 + 2)\n  } - 1)\n}\n')).toEqual([]);
  });
  it('where keywords are names', () => {
    const text = 'block B(x[t, c], state = 16, input = 2, match = 3) {\n  axis axis = state\n  param model.block[axis] = 1\n  output y[t, c] = state * input * model.block[0] * x[t, c] + match\n}\nmodel M {\n  axis c = 1\n  input x[t, c]\n  output y = B(x, state = 4, input = 1) as repeat\n}\n';
    expect(disagreements(text)).toEqual([]);
  });
});

/** Else words change their colour when the server has answered, and Markdown, which has no server, shows them in another. */
describe('keywords have the scope that the server\'s tokens are given', () => {
  const { contributes } = JSON.parse(readFileSync(join(root, 'grammar/editor/package.json'), 'utf8')) as { contributes: { semanticTokenScopes: readonly { scopes: Readonly<Record<string, readonly string[]>> }[] } };
  const scopes = contributes.semanticTokenScopes[0]?.scopes ?? {};
  function changing(text: string): string[] {
    const scope = scopesOf(text);
    const service = new LanguageService({ std, read: (p) => (p === 'spec.ssm' ? text : undefined), files: () => ['spec.ssm'], onBug: (error) => { throw error; } });
    return service.semanticTokens('spec.ssm').filter((t) => t.type === 'keyword').flatMap((t) => {
      const [wanted = ''] = scopes[['keyword', ...t.modifiers].join('.')] ?? [];
      const got = scope(t.start);
      // A theme colours `storage.type.axis` as `storage.type`.
      return wanted !== '' && got.startsWith(wanted.replace(/\.ssm$/, '.')) ? [] : [`${text.slice(t.start, t.end)} is ${got}, not ${wanted}`];
    });
  }
  it.each([...examples.map((f) => join('examples', f)), ...[...std.keys()].map((f) => join('grammar', f))])('in %s', (f) => { expect(changing(readFileSync(join(root, f), 'utf8'))).toEqual([]); });
  it('in the language reference', () => { for (const text of reference) expect(changing(text)).toEqual([]); });
});

describe('the grammar', () => {
  it('knows the functions of the language', () => {
    for (const name of [...functions.keys(), ...initialisers.keys()]) expect([name, scopesOf(`  y = ${name}(x)`)(6)]).toEqual([name, 'support.function.builtin.ssm']);
    for (const name of reductions.keys()) expect([name, scopesOf(`  y = ${name}(i in m, j: x)`)(6)]).toEqual([name, 'support.function.reduction.ssm']);
  });
  it('goes on after a bracket that is missing', () => {
    const text = 'model M {\n  v[t, c] = 2 * (x[t, c\n}\nmodel N {\n  axis c = 4\n}\n';
    expect(scopesOf(text)(text.indexOf('axis'))).toBe('storage.type.axis.ssm');
  });
  it('gives these scopes', () => {
    const text = `import Linear from "std" // here
/// A model.
model M {
  modalities m = audio[74], text
  axis n = 2
  param w.a[m, n] = uniform(-1, 1e-3)
  state h[t, n] = sum(i in m: w.a[i, n]) * h[t-1, n]
  rename "{x}.w" to "w.{x}"
  repeat 2 as layers { x = Linear(x, out = 4) as _ }
  output y[t] = match kind { one => pi, two | three => h[t, m.audio] }
}
`;
    const scope = scopesOf(text);
    const words = [...text.matchAll(/"[^"]*"|\/\/.*|[A-Za-z_][\w.]*|[\d.e]+(?:-\d)?|=>|[^\s\w]/g)].map((m) => `${m[0]} ${scope(m.index).replace(/\.ssm$/, '')}`);
    expect(words.filter((w) => !/punctuation|keyword\.operator\.a/.test(w)).join('\n')).toMatchInlineSnapshot(`
      "import keyword.control.import
      Linear entity.name.type.block
      from keyword.control.from
      "std" string.quoted.double
      // here comment.line.double-slash
      /// A model. comment.line.documentation
      model storage.type.model
      M entity.name.type.model
      modalities storage.type.axis
      m entity.name.type.axis
      audio variable.other
      74 constant.numeric
      text variable.other
      axis storage.type.axis
      n entity.name.type.axis
      2 constant.numeric
      param storage.type.param
      w.a variable.other.definition
      m entity.name.type.axis
      n entity.name.type.axis
      uniform support.function.builtin
      1 constant.numeric
      1e-3 constant.numeric
      state storage.type.state
      h variable.other.definition
      t variable.language.time
      n entity.name.type.axis
      sum support.function.reduction
      i entity.name.type.axis
      in keyword.control.in
      m entity.name.type.axis
      w.a variable.other
      i entity.name.type.axis
      n entity.name.type.axis
      h variable.other
      t variable.language.time
      1 constant.numeric
      n entity.name.type.axis
      rename keyword.control.rename
      "{x}.w" string.quoted.double
      to keyword.control.to
      "w.{x}" string.quoted.double
      repeat keyword.control.repeat
      2 constant.numeric
      as keyword.control.as
      layers entity.name.namespace
      x variable.other.definition
      Linear entity.name.type.block
      x variable.other
      out variable.parameter
      4 constant.numeric
      as keyword.control.as
      _ entity.name.namespace
      output storage.type.output
      y variable.other.definition
      t variable.language.time
      match keyword.control.match
      kind variable.other
      one variable.other.enummember
      => storage.type.arrow
      pi constant.language
      two variable.other.enummember
      | keyword.operator.choice
      three variable.other.enummember
      => storage.type.arrow
      h variable.other
      t variable.language.time
      m.audio entity.name.type.axis"
    `);
  });
});
