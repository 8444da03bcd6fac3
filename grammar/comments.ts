/** Which comments document which token. */
import type { IToken } from 'chevrotain';
import type { Comment } from './ast.js';

/** Whether nothing but space stands before `offset` on its line. */
export function beginsLine(text: string, offset: number): boolean {
  return text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset).trim() === '';
}

/**
 * The text of the `///` lines right before a token, by the token's offset. A doc comment that follows code on its line documents
 * nothing.
 */
export function docComments(text: string, comments: readonly Comment[], tokens: readonly IToken[]): ReadonlyMap<number, string> {
  const docs = new Map<number, string>();
  let at = 0;
  let lines: string[] = [];
  let next = 0;
  for (const comment of comments) {
    while (next < tokens.length && (tokens[next] as IToken).startOffset < comment.span.start) next++;
    if (next !== at) lines = [];
    at = next;
    if (!comment.text.startsWith('///') || !beginsLine(text, comment.span.start)) continue;
    lines.push(comment.text.slice(3).replace(/^ /, ''));
    const token = tokens[next];
    if (token !== undefined) docs.set(token.startOffset, lines.join('\n'));
  }
  return docs;
}
