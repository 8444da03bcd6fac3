/** From a place to the places that have to do with it: definitions, references, renames. */
import type { Span } from '../../grammar/ast.js';
import type { Edit } from './edits.js';
import { resolveImport, type Project } from './project.js';
import { renameMapEdits } from './rename-map.js';
import type { Occurrence, Symbol_ } from './symbols.js';

/** The occurrence that holds the offset, or ends at it. */
export function occurrenceAt(project: Project, path: string, offset: number): Occurrence | undefined {
  const all = project.occurrences(path);
  return all.find((o) => o.span.start <= offset && offset < o.span.end) ?? all.find((o) => o.span.end === offset);
}

/** Where what stands here is defined: of a name that is bound again, the last time before; of one that arms of a `match` define, each. */
export function definitionsAt(project: Project, path: string, offset: number): readonly Span[] {
  const here = occurrenceAt(project, path, offset);
  if (here) return definingOccurrences(project, here).map((o) => o.span);
  const line = project.file(path)?.imports.find((i) => i.fromSpan.start <= offset && offset <= i.fromSpan.end);
  const target = line && line.from !== 'std' ? resolveImport(path, line.from) : undefined;
  return target !== undefined && project.text(target) !== undefined ? [{ file: target, start: 0, end: 0 }] : [];
}
export function definingOccurrences(project: Project, here: Occurrence): readonly Occurrence[] {
  const all = project.occurrences(here.symbol.file).filter((o) => o.defines && o.symbol.id === here.symbol.id);
  if (here.defines || all.length <= 1) return here.defines ? [here] : all;
  if (here.span.file !== here.symbol.file) return all;
  const { start } = here.span;
  const own = all.find((o) => o.defines?.indexed && o.defines.extent.start <= start && start < o.defines.extent.end);
  if (own) return [own];
  const before = all.filter((o) => (o.defines?.extent.end ?? 0) <= start);
  const last = before.at(-1);
  if (!last) return all;
  const arm = last.defines?.arms[0];
  if (arm === undefined) return [last];
  // The match chooses one of its arms: what any of them defines may be meant.
  const match = arm.split(':')[0];
  return before.filter((o) => o === last || o.defines?.arms[0]?.split(':')[0] === match);
}

export function referencesAt(project: Project, path: string, offset: number): readonly Span[] {
  const here = occurrenceAt(project, path, offset);
  return here ? spansOf(project, here.symbol) : [];
}
function spansOf(project: Project, symbol: Symbol_): readonly Span[] {
  const paths = isLocal(symbol) ? [symbol.file] : project.paths;
  return paths.flatMap((p) => project.occurrences(p).filter((o) => o.symbol.id === symbol.id).map((o) => o.span));
}
/** Nothing outside its file can name it. */
function isLocal({ kind }: Symbol_): boolean {
  return !['block', 'model', 'option', 'choice', 'argument'].includes(kind);
}
/** In the same file, for highlighting. */
export function highlightsAt(project: Project, path: string, offset: number): readonly { readonly span: Span; readonly defines: boolean }[] {
  const here = occurrenceAt(project, path, offset);
  if (!here) return [];
  return project.occurrences(path).filter((o) => o.symbol.id === here.symbol.id).map((o) => ({ span: o.span, defines: o.defines !== undefined }));
}

/** What a rename would replace, or why there can be none. */
export function renamable(project: Project, path: string, offset: number): Occurrence | string {
  const here = occurrenceAt(project, path, offset);
  if (!here) return 'there is no name of yours here';
  if (project.isLibrary(here.symbol.file)) return `\`${here.symbol.name}\` belongs to the standard library`;
  return here;
}
const plainName = /^[A-Za-z_]\w*$/;
const dottedName = /^[A-Za-z_]\w*(?:\.\w+)*$/;
/** The edits of a rename in all files, or why it can't be. */
export function renameAt(project: Project, path: string, offset: number, to: string): readonly Edit[] | string {
  const here = renamable(project, path, offset);
  if (typeof here === 'string') return here;
  const { symbol } = here;
  const { file, kind, name } = symbol;
  if (!(kind === 'param' ? dottedName : plainName).test(to) || to === 't' && kind !== 'instance') return `\`${to}\` can't be a name`;
  if (to !== name && project.occurrences(file).some((o) => o.symbol.name === to && scopeOf(o.symbol) === scopeOf(symbol))) return `\`${to}\` is already defined here`;
  const edits = spansOf(project, symbol).map((span) => ({ span, replacement: to }));
  const map = namesTensors(symbol) ? renameMapEdits(project, edits) : [];
  return typeof map === 'string' ? map : [...edits, ...map];
}
/** Tensors may be stored under it. */
function namesTensors({ kind }: Symbol_): boolean {
  return ['instance', 'block', 'param', 'member'].includes(kind);
}
/** Among what a name must be the only one. */
function scopeOf({ id, kind, name }: Symbol_): string {
  switch (kind) {
    case 'choice': case 'member': return id.slice(0, id.length - name.length);
    case 'instance': return id;
    default: return id.slice(0, id.lastIndexOf('|'));
  }
}
