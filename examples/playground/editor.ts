/** The editor: CodeMirror, with the problems that the compiler found underlined. Tab leaves it, as screen readers' users expect. */
import { autocompletion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete';
import { setDiagnostics, lintGutter, type Diagnostic } from '@codemirror/lint';
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { tags } from '@lezer/highlight';
import { EditorView, hoverTooltip } from '@codemirror/view';
import { basicSetup } from 'codemirror';
import { element } from './dom.js';
import { ssm } from './language.js';
import type { Problem, Proposal, Requests, TextEdit } from './protocol.js';

export interface Editor {
  readonly text: () => string;
  replace(text: string): void;
  show(problems: readonly Problem[]): void;
  /** Puts the cursor there. */
  goTo(offset: number): void;
}
/** What knows the language. */
export interface Advice {
  readonly complete: (offset: number) => Promise<readonly Proposal[]>;
  readonly hover: (offset: number) => Promise<Requests['hover']['answer']>;
}
const colours = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--c3)' }, { tag: tags.standard(tags.variableName), color: 'var(--c0)' },
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

export function makeEditor(parent: HTMLElement, advice: Advice, changed: () => void): Editor {
  const view = new EditorView({
    parent,
    extensions: [
      basicSetup, autocompletion({ override: [(context) => proposals(context, advice)] }), explanations(advice), ssm, syntaxHighlighting(colours), look, lintGutter(), EditorView.lineWrapping,
      EditorView.contentAttributes.of({ 'aria-label': 'Spec, in the language of ssmc', tabindex: '0' }),
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
      const marks = problems.map((p): Diagnostic => ({ from: Math.min(p.from, end), to: Math.min(Math.max(p.to, p.from + 1), end), severity: p.severity, message: [`${p.code}: ${p.text}`, ...p.notes].join('\n'), actions: p.fixes.map((f) => ({ name: f.title, apply: (on) => apply(on, f.edits) })) }));
      view.dispatch(setDiagnostics(view.state, marks));
    },
    goTo(offset) {
      view.dispatch({ selection: { anchor: Math.min(offset, view.state.doc.length) }, scrollIntoView: true });
      view.focus();
    },
  };
}

const apply = (view: EditorView, edits: readonly TextEdit[]): void => view.dispatch({ changes: [...edits], userEvent: 'input.complete' });
const kinds: Readonly<Record<string, string>> = { function: 'function', keyword: 'keyword', block: 'class', option: 'property', choice: 'enum', axis: 'type', member: 'enum', array: 'variable', constant: 'constant', file: 'text' };
async function proposals(context: CompletionContext, { complete }: Advice): Promise<CompletionResult | null> {
  const word = context.matchBefore(/[\w.]+/);
  if (!context.explicit && !word) return null;
  const found = await complete(context.pos);
  const [first] = found;
  if (!first) return null;
  return {
    from: first.from, validFor: /^\w*$/,
    options: found.map((p, k) => ({
      label: p.label, type: kinds[p.kind] ?? 'text', detail: p.detail, boost: -Math.min(99, k), ...(p.text === '' ? {} : { info: p.text }),
      // What was typed since it was asked for is replaced too.
      apply: (view: EditorView, _: unknown, from: number, to: number): void => {
        const [main, ...also] = p.edits;
        view.dispatch({ changes: [{ from, to, insert: main?.insert ?? p.label }, ...also], selection: { anchor: from + (main?.insert ?? p.label).length + also.reduce((n, e) => n + (e.from <= from ? e.insert.length - (e.to - e.from) : 0), 0) }, userEvent: 'input.complete' });
      },
    })),
  };
}
const explanations = ({ hover }: Advice): ReturnType<typeof hoverTooltip> => hoverTooltip(async (_, offset) => {
  const found = await hover(offset);
  if (!found) return null;
  return { pos: found.from, end: found.to, create: () => ({ dom: element('div', { class: 'explanation' }, ...fragments(found.markdown)) }) };
});
/** Markdown as text: fenced code apart, the rest as paragraphs. */
function fragments(markdown: string): HTMLElement[] {
  return markdown.split(/^```.*$/m).flatMap((part, k) => {
    const text = part.trim();
    return text === '' ? [] : [element(k % 2 === 1 ? 'pre' : 'p', {}, text)];
  });
}
