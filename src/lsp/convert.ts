/** The service's answers in the words of the protocol. */
import {
  CodeActionKind, CompletionItemKind, DiagnosticSeverity, DocumentHighlightKind, InlayHintKind, MarkupKind, SymbolKind,
  type CodeAction, type CompletionItem, type Diagnostic as ProtocolDiagnostic, type DocumentHighlight, type DocumentSymbol, type Hover as ProtocolHover, type InlayHint, type Location, type Range, type TextEdit,
  type WorkspaceEdit,
} from 'vscode-languageserver/node';
import type { Span } from '../../grammar/ast.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { tokenModifiers, tokenTypes, type Action, type Completion, type CompletionKind, type Edit, type Hint, type Hover, type OutlineItem, type SemanticToken } from '../language-service/index.js';
import type { Lines } from '../language-service/lines.js';
import type { WorkspaceProject } from './workspace.js';

export function rangeOf(lines: Lines, { start, end }: { readonly start: number; readonly end: number }): Range {
  return { start: lines.positionOf(start), end: lines.positionOf(end) };
}
export function locationOf(project: WorkspaceProject, span: Span): Location {
  return { uri: project.uriOf(span.file), range: rangeOf(project.lines(span.file), span) };
}
export function diagnosticOf(project: WorkspaceProject, d: Diagnostic): ProtocolDiagnostic {
  const related = d.notes.flatMap((n) => (n.span ? [{ location: locationOf(project, n.span), message: n.text }] : []));
  const notes = d.notes.filter((n) => !n.span).map((n) => `\n${n.text}`).join('');
  return {
    range: rangeOf(project.lines(d.span.file), d.span), severity: d.severity === 'error' ? DiagnosticSeverity.Error : DiagnosticSeverity.Warning,
    code: d.code, source: 'ssmc', message: d.text + notes, ...(related.length === 0 ? {} : { relatedInformation: related }),
  };
}
export function hoverOf(lines: Lines, hover: Hover): ProtocolHover {
  return { contents: { kind: MarkupKind.Markdown, value: hover.markdown }, range: rangeOf(lines, hover.span) };
}
export function editOf(lines: Lines, edit: Edit): TextEdit {
  return { range: rangeOf(lines, edit.span), newText: edit.replacement };
}
export function workspaceEditOf(project: WorkspaceProject, edits: readonly Edit[]): WorkspaceEdit {
  const changes: Record<string, TextEdit[]> = {};
  for (const e of edits) (changes[project.uriOf(e.span.file)] ??= []).push(editOf(project.lines(e.span.file), e));
  return { changes };
}

const completionKinds: Readonly<Record<CompletionKind, CompletionItemKind>> = {
  keyword: CompletionItemKind.Keyword, function: CompletionItemKind.Function, block: CompletionItemKind.Class, option: CompletionItemKind.Property, choice: CompletionItemKind.EnumMember,
  axis: CompletionItemKind.TypeParameter, member: CompletionItemKind.EnumMember, array: CompletionItemKind.Variable, constant: CompletionItemKind.Constant, file: CompletionItemKind.File,
};
export function completionOf(lines: Lines, c: Completion): CompletionItem {
  return {
    label: c.label, kind: completionKinds[c.kind], textEdit: { range: rangeOf(lines, c.replaces), newText: c.insert }, sortText: `${c.rank}${c.label}`, filterText: c.label,
    ...(c.detail ? { detail: c.detail } : {}), ...(c.text ? { documentation: { kind: MarkupKind.Markdown, value: c.text } } : {}),
    ...(c.also.length > 0 ? { additionalTextEdits: c.also.map((e) => editOf(lines, e)) } : {}),
  };
}

const symbolKinds: Readonly<Record<OutlineItem['kind'], SymbolKind>> = {
  block: SymbolKind.Class, model: SymbolKind.Module, axis: SymbolKind.TypeParameter, member: SymbolKind.EnumMember, option: SymbolKind.Property, choice: SymbolKind.EnumMember,
  argument: SymbolKind.Variable, input: SymbolKind.Interface, param: SymbolKind.Field, state: SymbolKind.Event, output: SymbolKind.Variable, equation: SymbolKind.Variable,
  binder: SymbolKind.TypeParameter, instance: SymbolKind.Namespace, repeat: SymbolKind.Namespace, match: SymbolKind.EnumMember,
};
export function outlineSymbol(lines: Lines, item: OutlineItem): DocumentSymbol {
  return {
    name: item.name, kind: symbolKinds[item.kind], range: rangeOf(lines, item.span), selectionRange: rangeOf(lines, item.nameSpan),
    ...(item.detail ? { detail: item.detail } : {}), children: item.children.map((c) => outlineSymbol(lines, c)),
  };
}
export function hintOf(lines: Lines, hint: Hint): InlayHint {
  return { position: lines.positionOf(hint.offset), label: hint.text, kind: InlayHintKind.Type };
}
export function highlightOf(lines: Lines, h: { readonly span: Span; readonly defines: boolean }): DocumentHighlight {
  return { range: rangeOf(lines, h.span), kind: h.defines ? DocumentHighlightKind.Write : DocumentHighlightKind.Read };
}
export function actionOf(project: WorkspaceProject, a: Action): CodeAction {
  return { title: a.title, kind: CodeActionKind.QuickFix, diagnostics: [diagnosticOf(project, a.diagnostic)], isPreferred: a.preferred, edit: workspaceEditOf(project, a.edits) };
}
/** Five numbers a token: lines and characters from the token before, length, type, modifiers as bits. */
export function tokenData(lines: Lines, tokens: readonly SemanticToken[]): number[] {
  let before = { line: 0, character: 0 };
  return tokens.flatMap((t) => {
    const at = lines.positionOf(t.start);
    const bits = t.modifiers.reduce((n, m) => n | (1 << tokenModifiers.indexOf(m)), 0);
    const row = [at.line - before.line, at.line === before.line ? at.character - before.character : at.character, t.end - t.start, tokenTypes.indexOf(t.type), bits];
    before = at;
    return row;
  });
}
