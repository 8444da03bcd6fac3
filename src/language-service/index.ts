/**
 * What an editor asks of a spec: places are UTF-16 offsets, files are texts from a host. It knows no protocol, no file system and no
 * editor, so that a server and a page in a browser use the same. Text that does not parse is answered as far as it can be; nothing throws.
 */
import { format } from '../../grammar/formatter.js';
import type { Span } from '../../grammar/ast.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { actionsFor, type Action } from './actions.js';
import { Analyses } from './analysis.js';
import { completionsAt, type Completion } from './completion.js';
import type { Edit } from './edits.js';
import { hintsOf, type Hint } from './hints.js';
import { hoverAt, hoverCompiles, type Hover } from './hover.js';
import { kernelsAt, type KernelsAnswer } from './kernels.js';
import { definitionsAt, highlightsAt, referencesAt, renamable, renameAt } from './navigation.js';
import { outlineOf, type OutlineItem } from './outline.js';
import { Project, type ServiceHost } from './project.js';
import { semanticTokensOf, type SemanticToken } from './semantic-tokens.js';

export type { Action } from './actions.js';
export { applyEdits } from './edits.js';
export type { Completion, CompletionKind } from './completion.js';
export type { Hint } from './hints.js';
export type { Hover } from './hover.js';
export type { KernelsAnswer } from './kernels.js';
export type { Edit } from './edits.js';
export type { OutlineItem } from './outline.js';
export type { ServiceHost } from './project.js';
export { tokenModifiers, tokenTypes, type SemanticToken } from './semantic-tokens.js';

export class LanguageService {
  readonly #project: Project;
  readonly #analyses: Analyses;
  /** One service per project: paths are relative to its root, `std/...` is the library. */
  constructor(host: ServiceHost) {
    this.#project = new Project(host);
    this.#analyses = new Analyses(this.#project);
  }

  /** Of the file and all it reads; those that checking finds, in milliseconds. */
  diagnostics(path: string): readonly Diagnostic[] {
    return this.#project.isLibrary(path) ? [] : this.#analyses.of(path).diagnostics;
  }
  /** The same, with what only compiling finds. */
  fullDiagnostics(path: string): readonly Diagnostic[] {
    return this.#project.isLibrary(path) ? [] : this.#analyses.full(path);
  }
  /** The files that an analysis of this one reads, without the library. */
  filesOf(path: string): readonly string[] {
    return [...new Set([path, ...this.#analyses.of(path).models.flatMap((m) => m.files)])].filter((p) => !this.#project.isLibrary(p));
  }
  hover(path: string, offset: number): Hover | undefined {
    return hoverAt(this.#project, this.#analyses, path, offset);
  }
  /** Whether a hover takes a compilation. */
  hoverCompiles(path: string, offset: number): boolean {
    return hoverCompiles(this.#project, this.#analyses, path, offset);
  }
  definitions(path: string, offset: number): readonly Span[] {
    return definitionsAt(this.#project, path, offset);
  }
  references(path: string, offset: number): readonly Span[] {
    return referencesAt(this.#project, path, offset);
  }
  highlights(path: string, offset: number): readonly { readonly span: Span; readonly defines: boolean }[] {
    return highlightsAt(this.#project, path, offset);
  }
  /** The name that a rename would replace, or why there can be none. */
  renamable(path: string, offset: number): Span | string {
    const found = renamable(this.#project, path, offset);
    return typeof found === 'string' ? found : found.span;
  }
  rename(path: string, offset: number, to: string): readonly Edit[] | string {
    return renameAt(this.#project, path, offset, to);
  }
  completions(path: string, offset: number): readonly Completion[] {
    return completionsAt(this.#project, this.#analyses, path, offset);
  }
  outline(path: string): readonly OutlineItem[] {
    return outlineOf(this.#project, path);
  }
  semanticTokens(path: string): readonly SemanticToken[] {
    return semanticTokensOf(this.#project, path);
  }
  hints(path: string, from?: number, to?: number): readonly Hint[] {
    return hintsOf(this.#project, this.#analyses, path, from, to);
  }
  /** For the diagnostics that touch the range. */
  actions(path: string, start: number, end: number): readonly Action[] {
    return actionsFor(this.#project, this.diagnostics(path), path, start, end);
  }
  /** The edit that lays a file out; none where it is laid out or does not parse. */
  format(path: string): readonly Edit[] {
    const text = this.#project.text(path);
    if (text === undefined) return [];
    const done = format(text, path);
    if (!('text' in done) || done.text === text) return [];
    return [difference(path, text, done.text)];
  }
  kernels(path: string, offset: number): KernelsAnswer | string {
    return kernelsAt(this.#project, this.#analyses, path, offset);
  }
}

/** What changes between what stays the same at both ends, so that cursors elsewhere stay where they are. */
function difference(file: string, before: string, after: string): Edit {
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) start++;
  let same = 0;
  while (same < most - start && before[before.length - 1 - same] === after[after.length - 1 - same]) same++;
  return { span: { file, start, end: before.length - same }, replacement: after.slice(start, after.length - same) };
}
