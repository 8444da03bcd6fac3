/** The editor: CodeMirror, with the problems that the compiler found underlined. Tab leaves it, as screen readers' users expect. */
import { setDiagnostics, lintGutter, type Diagnostic } from '@codemirror/lint';
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { tags } from '@lezer/highlight';
import { EditorView } from '@codemirror/view';
import { basicSetup } from 'codemirror';
import { ssm } from './language.js';
import type { Problem } from './protocol.js';

export interface Editor {
  readonly text: () => string;
  replace(text: string): void;
  show(problems: readonly Problem[]): void;
  /** Puts the cursor there. */
  goTo(offset: number): void;
}
const colours = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--c3)' }, { tag: tags.standard(tags.variableName), color: 'var(--c0)' }, { tag: tags.function(tags.variableName), color: 'var(--c0)' },
  { tag: tags.typeName, color: 'var(--c2)' }, { tag: tags.number, color: 'var(--c1)' }, { tag: tags.string, color: 'var(--c4)' },
  { tag: [tags.lineComment, tags.docComment], color: 'var(--soft)', fontStyle: 'italic' },
]);
const look = EditorView.theme({
  '&': { backgroundColor: 'var(--sheet)', color: 'var(--ink)' },
  '.cm-content': { caretColor: 'var(--ink)', fontFamily: 'ui-monospace, monospace' }, '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '.cm-gutters': { backgroundColor: 'var(--page)', color: 'var(--soft)', border: 'none' }, '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'color-mix(in srgb, var(--accent) 9%, transparent)' },
  '.cm-tooltip': { backgroundColor: 'var(--sheet)', color: 'var(--ink)', borderColor: 'var(--line)' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'color-mix(in srgb, var(--accent) 25%, transparent) !important' },
});

export function makeEditor(parent: HTMLElement, changed: () => void): Editor {
  const view = new EditorView({
    parent,
    extensions: [
      basicSetup, ssm, syntaxHighlighting(colours), look, lintGutter(), EditorView.lineWrapping,
      EditorView.contentAttributes.of({ 'aria-label': 'Spec, in the language of ssmc' }),
      EditorView.updateListener.of((update) => { if (update.docChanged) changed(); }),
    ],
  });
  const text = (): string => view.state.doc.toString();
  return {
    text,
    replace(wanted) {
      if (wanted !== text()) view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: wanted } });
    },
    show(problems) {
      const end = view.state.doc.length;
      const marks = problems.map((p): Diagnostic => ({ from: Math.min(p.from, end), to: Math.min(Math.max(p.to, p.from + 1), end), severity: p.severity, message: [`${p.code}: ${p.text}`, ...p.notes].join('\n') }));
      view.dispatch(setDiagnostics(view.state, marks));
    },
    goTo(offset) {
      view.dispatch({ selection: { anchor: Math.min(offset, view.state.doc.length) }, scrollIntoView: true });
      view.focus();
    },
  };
}
