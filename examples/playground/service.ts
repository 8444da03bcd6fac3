/** What the editor asks, answered by the same language service as `ssmc lsp`, in the worker. */
import type { Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { LanguageService } from '../../src/language-service/index.js';
import { examples, std } from './files.js';
import type { Problem, Requests, Source, TextEdit } from './protocol.js';

let current: Source = { path: '', text: '' };
const service = new LanguageService({ std, read: (path) => (path === current.path ? current.text : examples.get(path)), files: () => [...examples.keys()] });

export function problemsIn(source: Source): readonly Diagnostic[] {
  current = source;
  return service.diagnostics(source.path);
}
export function fixesFor(source: Source, d: Diagnostic): Problem['fixes'] {
  current = source;
  return service.actions(source.path, d.span.start, d.span.end).filter((a) => a.diagnostic.code === d.code && a.diagnostic.span.start === d.span.start).map((a) => ({ title: a.title, edits: a.edits.map(plain) }));
}
export function complete({ offset, ...source }: Requests['complete']['given']): Requests['complete']['answer'] {
  current = source;
  return [...service.completions(source.path, offset)].sort((a, b) => a.rank - b.rank).map((c) => ({
    label: c.label, kind: c.kind, detail: c.detail ?? '', text: c.text ?? '', from: c.replaces.start,
    edits: [{ from: c.replaces.start, to: c.replaces.end, insert: c.insert }, ...c.also.map(plain)],
  }));
}
export function hover({ offset, ...source }: Requests['hover']['given']): Requests['hover']['answer'] {
  current = source;
  const found = service.hover(source.path, offset);
  return found && { from: found.span.start, to: found.span.end, markdown: found.markdown };
}
const plain = (e: { readonly span: { readonly start: number; readonly end: number }; readonly replacement: string }): TextEdit => ({ from: e.span.start, to: e.span.end, insert: e.replacement });
