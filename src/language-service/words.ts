/** Tokens as they stand, for what has no tree: keywords, functions, and text that is being typed. */
import type { Comment, SourceFile, Span } from '../../grammar/ast.js';
import { resolveContext } from '../../grammar/context.js';
import { Identifier, lex, Reducer, Target, type Lexed } from '../../grammar/tokens.js';

export type Token = Lexed['tokens'][number];
/** The tokens of a text, contextual keywords told from names; comments apart. */
export function tokensOf(text: string, path: string): { readonly tokens: readonly Token[]; readonly comments: readonly Comment[] } {
  const { tokens, comments } = lex(text, path);
  resolveContext(tokens);
  return { tokens, comments };
}
export const endOf = (token: Token): number => token.startOffset + token.image.length;
export const isKeyword = (token: Token): boolean => token.tokenType.name.startsWith('keyword ');
/** A name, whatever part it plays. */
export const isName = (token: Token): boolean => token.tokenType === Identifier || token.tokenType === Target || token.tokenType === Reducer;

export interface Word {
  readonly text: string;
  readonly keyword: boolean;
  readonly span: Span;
}
/** The keyword or name that holds the offset. */
export function wordAt(file: SourceFile | undefined, offset: number): Word | undefined {
  if (!file) return undefined;
  const token = tokensOf(file.text, file.path).tokens.find((t) => t.startOffset <= offset && offset <= endOf(t) && (isKeyword(t) || isName(t)));
  return token && { text: token.image, keyword: isKeyword(token), span: { file: file.path, start: token.startOffset, end: endOf(token) } };
}
