/** What would mend a fault, where its arguments say so: the name that was probably meant, the bracket that is missing. */
import type { Fix, Span } from './diagnostic.js';
import type { Code, MessageArguments } from './messages.js';

type Fixer<C extends Code> = (span: Span, args: MessageArguments<C>) => Fix | undefined;

const meant = (span: Span, { near }: { readonly near?: string | undefined }): Fix | undefined =>
  (near === undefined ? undefined : { text: `write \`${near}\``, edits: [{ span, replacement: near }] });
const insertion = (file: string, at: number, text: string): Fix => ({ text: `insert \`${text}\``, edits: [{ span: { file, start: at, end: at }, replacement: text }] });

export const fixers: { readonly [C in Code]?: Fixer<C> } = {
  SSM1002: (span, { text }) => (text === "'#'" ? { text: 'comments begin with `//`', edits: [{ span, replacement: '//' }] } : undefined),
  SSM1004: (span, { want, after }) => (after === undefined ? undefined : insertion(span.file, after, want.replaceAll("'", ''))),
  SSM2001: meant,
  SSM2006: meant,
  SSM2013: meant,
  SSM2014: meant,
  SSM2020: meant,
  SSM3102: (span, { mark }) => (mark ? { ...insertion(span.file, span.start, 'state '), text: 'mark it as `state`' } : undefined),
};
export function fixOf<C extends Code>(code: C, span: Span, args: MessageArguments<C>): Fix | undefined {
  return fixers[code]?.(span, args);
}
