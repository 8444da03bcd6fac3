/** The definitions of a file as a tree. */
import type { Declaration, Span, Statement } from '../../grammar/ast.js';
import type { Project } from './project.js';
import type { SymbolKind } from './symbols.js';

export interface OutlineItem {
  readonly name: string;
  readonly kind: SymbolKind | 'repeat' | 'match';
  readonly detail?: string;
  /** All of it, and its name alone, which lies within. */
  readonly span: Span;
  readonly nameSpan: Span;
  readonly children: readonly OutlineItem[];
}

export function outlineOf(project: Project, path: string): readonly OutlineItem[] {
  const file = project.file(path);
  return (file?.declarations ?? []).map((d) => declaration(d, file?.text ?? ''));
}
function declaration(d: Declaration, text: string): OutlineItem {
  const options = d.parameters.map((p): OutlineItem => ({ ...leaf(p.name.text, p.kind, p.span, p.name.span), ...detail(p.kind === 'argument' ? p.indices : [], text) }));
  return { name: d.name.text, kind: d.kind, span: d.span, nameSpan: within(d.name.span, d.span), children: [...options, ...statements(d.body, text)] };
}
function statements(body: readonly Statement[], text: string): OutlineItem[] {
  return body.flatMap((s): OutlineItem[] => {
    switch (s.kind) {
      case 'axis': case 'modalities': return [leaf(s.name.text, 'axis', s.span, s.name.span)];
      case 'input': case 'param': return [{ ...leaf(s.name.text, s.kind, s.span, s.name.span), ...detail(s.indices, text) }];
      case 'equation': return [{ ...leaf(s.name.text, s.role === 'plain' ? 'equation' : s.role, s.span, s.name.span), ...detail(s.indices ?? [], text) }];
      case 'lost': return [leaf(s.name.text, s.output ? 'output' : 'equation', s.span, s.name.span)];
      case 'repeat': return [{ name: s.name?.text ?? 'repeat', kind: 'repeat', span: s.span, nameSpan: within(s.name?.span ?? s.count.span, s.span), children: statements(s.body, text) }];
      case 'match-statement': return s.arms.map((a): OutlineItem => ({
        name: a.patterns.map((p) => p.text).join(' | '), kind: 'match', span: a.span, nameSpan: within(a.patterns[0]?.span ?? a.span, a.span), children: statements(a.body, text),
      }));
      case 'fact': case 'initial': case 'rename': return [];
    }
  });
}
function leaf(name: string, kind: OutlineItem['kind'], span: Span, nameSpan: Span): OutlineItem {
  return { name, kind, span, nameSpan: within(nameSpan, span), children: [] };
}
function detail(indices: readonly { readonly span: Span }[], text: string): { detail?: string } {
  return indices.length === 0 ? {} : { detail: `[${indices.map((i) => text.slice(i.span.start, i.span.end)).join(', ')}]` };
}
function within(inner: Span, outer: Span): Span {
  return inner.start >= outer.start && inner.end <= outer.end ? inner : { ...outer, end: outer.start };
}
