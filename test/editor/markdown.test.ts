/**
 * `ssm` blocks in Markdown have the language's own scopes. The grammar is injected into the editor's, which is not here: a stand-in takes its place, with
 * what of it could be in the way (fenced blocks of any language, lists, block quotes).
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createOnigScanner, createOnigString, loadWASM } from 'vscode-oniguruma';
import { INITIAL, parseRawGrammar, Registry, type IGrammar } from 'vscode-textmate';
import { beforeAll, describe, expect, it } from 'vitest';

const folder = join(import.meta.dirname, '../../grammar/editor/syntaxes');
const markdown = JSON.stringify({
  scopeName: 'text.html.markdown',
  patterns: [{ include: '#block' }],
  repository: {
    block: { patterns: [{ include: '#fenced' }, { include: '#list' }, { include: '#quote' }] },
    fenced: { begin: '(^|\\G)(\\s*)(`{3,}|~{3,})\\s*([^`]*)$', end: '(^|\\G)(\\2|\\s{0,3})(\\3)\\s*$', name: 'markup.fenced_code.block.markdown' },
    list: { begin: '(^|\\G)([ ]{0,3})([*+-])([ \\t])', while: '((^|\\G)([ ]{2,4}|\\t))|(^[ \\t]*$)', name: 'markup.list.unnumbered.markdown', patterns: [{ include: '#block' }] },
    quote: { begin: '(^|\\G)[ ]{0,3}(>) ?', while: '(^|\\G)\\s*(>) ?', name: 'markup.quote.markdown', patterns: [{ include: '#block' }] },
  },
});
let grammar: IGrammar;
beforeAll(async () => {
  await loadWASM(readFileSync(createRequire(import.meta.url).resolve('vscode-oniguruma/release/onig.wasm')).buffer as ArrayBuffer);
  const read = (name: string): ReturnType<typeof parseRawGrammar> => parseRawGrammar(readFileSync(join(folder, name), 'utf8'), name);
  const of: Readonly<Record<string, () => ReturnType<typeof parseRawGrammar>>> = {
    'source.ssm': () => read('ssm.tmLanguage.json'), 'markdown.ssm.codeblock': () => read('markdown.tmLanguage.json'), 'text.html.markdown': () => parseRawGrammar(markdown, 'markdown.json'),
  };
  const registry = new Registry({
    onigLib: Promise.resolve({ createOnigScanner, createOnigString }), loadGrammar: (scope) => Promise.resolve(of[scope]?.() ?? null),
    getInjections: (scope) => (scope === 'text.html.markdown' ? ['markdown.ssm.codeblock'] : []),
  });
  grammar = await registry.loadGrammar('text.html.markdown') as IGrammar;
});

/** The scopes of each token, as `text: scope scope`, without those of the file. */
function tokensOf(text: string): string[] {
  let stack = INITIAL;
  return text.split('\n').flatMap((line) => {
    const { tokens, ruleStack } = grammar.tokenizeLine(line, stack);
    stack = ruleStack;
    return tokens.map((t) => `${line.slice(t.startIndex, t.endIndex).trim()}: ${t.scopes.slice(1).join(' ')}`).filter((t) => !t.startsWith(':'));
  });
}
const block = 'markup.fenced_code.block.markdown';
const inside = `${block} meta.embedded.block.ssm`;

describe('ssm in Markdown', () => {
  it('has the scopes of the language between its fences, and nowhere else', () => {
    expect(tokensOf('axis of evil\n\n```ssm\naxis n = 2 // two\n```\n\naxis again\n')).toEqual([
      'axis of evil: ', `\`\`\`: ${block} punctuation.definition.markdown`, `ssm: ${block} fenced_code.block.language.markdown`,
      `axis: ${inside} storage.type.axis.ssm`, `n: ${inside} entity.name.type.axis.ssm`, `=: ${inside} keyword.operator.assignment.ssm`, `2: ${inside} constant.numeric.ssm`,
      `// two: ${inside} comment.line.double-slash.ssm`, `\`\`\`: ${block} punctuation.definition.markdown`, 'axis again: ',
    ]);
  });
  it.each([
    ['tildes', '~~~ssm\naxis n = 2\n~~~\nafter'], ['longer fences', '````ssm\naxis n = 2\n````\nafter'], ['spaces', '``` ssm  \naxis n = 2\n```\nafter'],
    ['the name of a file', '```ssm leak.ssm\naxis n = 2\n```\nafter'], ['attributes', '```ssm {.numbered}\naxis n = 2\n```\nafter'], ['attributes without a space', '~~~ssm{1,2} title="a"\naxis n = 2\n~~~\nafter'],
    ['an indent', '  ```ssm\n  axis n = 2\n  ```\nafter'], ['a list', '- item\n\n  ```ssm\n  axis n = 2\n  ```\nafter'],
    ['an unclosed bracket', '```ssm\naxis n = (2\n```\nafter'], ['an unclosed body', '```ssm\nmodel M {\n  axis n = 2\n```\nafter'], ['an unclosed string', '```ssm\naxis n = 2\nimport A from "std\n```\nafter'],
  ])('knows %s, and ends where the block does', (_, text) => {
    const tokens = tokensOf(text);
    expect(tokens.filter((t) => t.startsWith('axis:')).map((t) => t.split(' ').at(-1))).toEqual(['storage.type.axis.ssm']);
    expect(tokens.at(-1)).toBe('after: ');
  });
  it.each([['other languages', '```js\naxis n = 2\n```'], ['languages that begin alike', '```ssmx\naxis n = 2\n```'], ['languages that begin alike, after a hyphen', '```ssm-kernels\naxis n = 2\n```'], ['no language', '```\naxis n = 2\n```']])('leaves %s alone', (_, text) => {
    expect(tokensOf(text).some((t) => t.includes('.ssm'))).toBe(false);
  });
});
