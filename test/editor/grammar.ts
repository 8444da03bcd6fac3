/** A TextMate grammar of the extension's, as an editor reads it. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createOnigScanner, createOnigString, loadWASM } from 'vscode-oniguruma';
import { INITIAL, parseRawGrammar, Registry, type IGrammar } from 'vscode-textmate';

const folder = join(import.meta.dirname, '../../grammar/editor/syntaxes');

/** Asked for once in a process: the library of expressions is. */
export async function loadGrammar(file: string, scope: string): Promise<IGrammar> {
  await loadWASM(readFileSync(createRequire(import.meta.url).resolve('vscode-oniguruma/release/onig.wasm')).buffer as ArrayBuffer);
  const path = join(folder, file);
  const registry = new Registry({ onigLib: Promise.resolve({ createOnigScanner, createOnigString }), loadGrammar: (s) => Promise.resolve(s === scope ? parseRawGrammar(readFileSync(path, 'utf8'), path) : null) });
  return await registry.loadGrammar(scope) as IGrammar;
}
/** The innermost scope of each character's token, by offset; '' where there is none but the file's. */
export function scopesOf(grammar: IGrammar, text: string): (offset: number) => string {
  const starts: number[] = [];
  const scopes: string[] = [];
  let stack = INITIAL;
  let offset = 0;
  for (const line of text.split('\n')) {
    const result = grammar.tokenizeLine(line, stack);
    for (const t of result.tokens) {
      starts.push(offset + t.startIndex);
      scopes.push(t.scopes.slice(1).at(-1) ?? '');
    }
    stack = result.ruleStack;
    offset += line.length + 1;
  }
  return (at) => scopes[starts.findLastIndex((s) => s <= at)] ?? '';
}
