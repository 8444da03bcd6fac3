import { fixOf } from './fixes.js';
import { messages, type Code, type MessageArguments } from './messages.js';

export interface Span {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}
export interface Note {
  readonly text: string;
  readonly span?: Span;
}
/** A replacement that would mend it. */
export interface Fix {
  readonly text: string;
  readonly edits: readonly { readonly span: Span; readonly replacement: string }[];
}
export interface Diagnostic {
  readonly code: Code;
  readonly severity: 'error' | 'warning';
  /** One sentence. */
  readonly text: string;
  readonly span: Span;
  readonly notes: readonly Note[];
  readonly fix?: Fix;
}

/** Collects what is wrong with the user's files. Nothing is thrown for the user's mistakes. */
export class Diagnostics {
  readonly #list: Diagnostic[] = [];
  /** The uses of blocks that are being expanded, the outermost first. */
  readonly #uses: Note[] = [];

  error<C extends Code>(code: C, span: Span, args: MessageArguments<C>, notes: readonly Note[] = [], fix?: Fix): void {
    this.#add('error', code, span, args, notes, fix);
  }
  warning<C extends Code>(code: C, span: Span, args: MessageArguments<C>, notes: readonly Note[] = [], fix?: Fix): void {
    this.#add('warning', code, span, args, notes, fix);
  }
  #add<C extends Code>(severity: Diagnostic['severity'], code: C, span: Span, args: MessageArguments<C>, notes: readonly Note[], fix?: Fix): void {
    const text = (messages[code] as (a: MessageArguments<C>) => string)(args);
    const mend = fix ?? fixOf(code, span, args);
    this.add({ code, severity, text, span, notes, ...(mend ? { fix: mend } : {}) });
  }
  /**
   * Expands a block for one use of it. A fault found there in another file than the use's is said once, however many places of that
   * file show it, with a note on each use that led to it: what is wrong is most often what that file was given.
   */
  within<T>(use: Note, expand: () => T): T {
    this.#uses.push(use);
    try {
      return expand();
    } finally {
      this.#uses.pop();
    }
  }
  /** Once, however often it is found. */
  add(diagnostic: Diagnostic): void {
    const { code, span, text } = diagnostic;
    const uses = this.#uses.filter((u) => u.span?.file !== span.file).toReversed();
    const same = this.#list.some((d) => d.code === code && d.span.file === span.file && d.text === text && (uses.length > 0 || d.span.start === span.start));
    if (!same) this.#list.push(uses.length === 0 ? diagnostic : { ...diagnostic, notes: [...diagnostic.notes, ...uses] });
  }
  /** In order of place. */
  get list(): readonly Diagnostic[] {
    return this.#list.toSorted((a, b) => (a.span.file < b.span.file ? -1 : a.span.file > b.span.file ? 1 : a.span.start - b.span.start));
  }
  get hasErrors(): boolean {
    return this.#list.some((d) => d.severity === 'error');
  }
}
