/** Diagnostics for a terminal: place, a frame of the source, notes and fix; and as plain data. */
import type { Diagnostic, Span } from './diagnostic.js';

export interface Colours {
  readonly bold: (s: string) => string;
  readonly red: (s: string) => string;
  readonly yellow: (s: string) => string;
  readonly cyan: (s: string) => string;
  readonly dim: (s: string) => string;
}
const same = (s: string): string => s;
export const plain: Colours = { bold: same, red: same, yellow: same, cyan: same, dim: same };

export interface Position {
  /** 1-based. */
  readonly line: number;
  readonly column: number;
}
export function positionOf(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { line, column: offset - (before.lastIndexOf('\n') + 1) + 1 };
}

export function renderDiagnostic(d: Diagnostic, source: (file: string) => string | undefined, c: Colours = plain): string {
  const paint = d.severity === 'error' ? c.red : c.yellow;
  const out = [`${c.bold(paint(`${d.severity}[${d.code}]`))}${c.bold(`: ${printable(d.text)}`)}`, ...frame(d.span, source, paint, c)];
  for (const note of d.notes) {
    out.push(`  ${c.cyan('note')}: ${note.text}`);
    if (note.span) out.push(...frame(note.span, source, c.cyan, c));
  }
  if (d.fix) out.push(`  ${c.cyan('fix')}: ${d.fix.text}`);
  return out.join('\n');
}
function frame(span: Span, source: (file: string) => string | undefined, paint: (s: string) => string, c: Colours): string[] {
  const text = source(span.file);
  if (text === undefined) return [`  ${c.dim('-->')} ${span.file}`];
  const { line, column } = positionOf(text, span.start);
  const gutter = `${line}`;
  const pad = ' '.repeat(gutter.length);
  const whole = (text.split('\n')[line - 1] ?? '').replace(/\r$/, '');
  const { shown, before, length } = cut(whole, column - 1, span.end - span.start);
  return [
    ` ${pad}${c.dim('-->')} ${span.file}:${line}:${column}`,
    ` ${pad} ${c.dim('|')}`,
    ` ${c.dim(`${gutter} |`)} ${printable(shown.replaceAll('\t', '    '))}`,
    ` ${pad} ${c.dim('|')} ${' '.repeat(width(shown.slice(0, before)))}${paint('^'.repeat(Math.max(1, width(shown.slice(before, before + length)))))}`,
  ];
}
const longest = 160;
/** Of a long line, what is around the place. `before`: characters before it; `length`: of it, within what is shown. */
function cut(line: string, at: number, length: number): { readonly shown: string; readonly before: number; readonly length: number } {
  const from = line.length <= longest ? 0 : Math.max(0, Math.min(at - longest / 4, line.length - longest));
  const to = line.length <= longest ? line.length : from + longest;
  const ellipsis = from > 0 ? '…' : '';
  return { shown: `${ellipsis}${line.slice(from, to)}${to < line.length ? '…' : ''}`, before: ellipsis.length + at - from, length: Math.max(1, Math.min(length, to - at)) };
}
/** What a spec says reaches no terminal as commands. */
const printable = (s: string): string => s.replace(/\p{Cc}/gu, '\ufffd');
/** Columns that a terminal takes: tabs are shown as four spaces, East Asian wide characters take two. */
function width(s: string): number {
  let n = 0;
  for (const ch of s) n += ch === '\t' ? 4 : /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}]/u.test(ch) ? 2 : 1;
  return n;
}
export function summary(list: readonly Diagnostic[]): string {
  const count = (s: Diagnostic['severity']): number => list.filter((d) => d.severity === s).length;
  const say = (n: number, what: string): string[] => (n === 0 ? [] : [`${n} ${what}${n === 1 ? '' : 's'}`]);
  return [...say(count('error'), 'error'), ...say(count('warning'), 'warning')].join(', ');
}
/** The stable form of `--json`. */
export function jsonDiagnostic(d: Diagnostic, source: (file: string) => string | undefined): object {
  const text = source(d.span.file) ?? '';
  return { code: d.code, severity: d.severity, text: d.text, file: d.span.file, start: positionOf(text, d.span.start), end: positionOf(text, d.span.end), notes: d.notes.map((n) => n.text), ...(d.fix ? { fix: d.fix } : {}) };
}
