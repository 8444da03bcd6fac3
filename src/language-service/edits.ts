/** Changes of a text. */
import type { Span } from '../../grammar/ast.js';

export interface Edit {
  readonly span: Span;
  readonly replacement: string;
}
/** Of one file; they don't overlap. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  return edits.toSorted((a, b) => b.span.start - a.span.start).reduce((t, e) => t.slice(0, e.span.start) + e.replacement + t.slice(e.span.end), text);
}
