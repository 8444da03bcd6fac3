/** What may be written here. */
import type { Declaration, SourceFile, Span } from '../../grammar/ast.js';
import type { Analyses } from './analysis.js';
import { bodyNames } from './body-names.js';
import { constants, fileKeywords, functions, initialisers, reductions, statementKeywords, type Builtin } from './builtins.js';
import { factsAt, shapeText, sizesText } from './facts.js';
import type { Edit } from './edits.js';
import { resolveImport, type Project } from './project.js';
import { placeOf, type Place, type Situation } from './situation.js';
import type { BodyNames, SymbolKind, Symbol_ } from './symbols.js';

export type CompletionKind = 'keyword' | 'function' | 'block' | 'option' | 'choice' | 'axis' | 'member' | 'array' | 'constant' | 'file';
export interface Completion {
  readonly label: string;
  readonly kind: CompletionKind;
  readonly insert: string;
  readonly replaces: Span;
  readonly detail?: string;
  readonly text?: string;
  /** Elsewhere in the file: the import that it needs. */
  readonly also: readonly Edit[];
  /** 0 is the likeliest. */
  readonly rank: number;
}
type Item = Omit<Completion, 'replaces' | 'also' | 'insert' | 'rank'> & Partial<Pick<Completion, 'also' | 'insert' | 'rank'>>;

export function completionsAt(project: Project, analyses: Analyses, path: string, offset: number): readonly Completion[] {
  const file = project.file(path);
  if (!file) return [];
  const place = placeOf(file.text, path, offset);
  const seen = new Set<string>();
  return new Completer(project, analyses, file, place, offset).items(place.situation)
    .filter((i) => !seen.has(i.label) && seen.add(i.label))
    .map((i) => ({ insert: i.label, also: [], rank: 1, ...i, replaces: { file: path, start: place.start, end: place.end } }));
}

class Completer {
  readonly #project: Project;
  readonly #analyses: Analyses;
  readonly #file: SourceFile;
  readonly #place: Place;
  readonly #names: BodyNames | undefined;

  constructor(project: Project, analyses: Analyses, file: SourceFile, place: Place, offset: number) {
    this.#project = project;
    this.#analyses = analyses;
    this.#file = file;
    this.#place = place;
    const around = declarationAt(file, offset);
    this.#names = around && bodyNames(file.path, around);
  }

  items(s: Situation): readonly Item[] {
    switch (s.kind) {
      case 'nothing': case 'new-name': return [];
      case 'path': return this.#paths();
      case 'import': return this.#importable(s.from, s.taken);
      case 'declaration': return keywords(fileKeywords);
      case 'statement': return [...keywords(statementKeywords), ...this.#symbols(['equation', 'argument', 'input', 'state', 'output', 'param'])];
      case 'member': return [...this.#members(s.of), ...this.#dotted(s.of)];
      case 'index': return s.definition ? [...this.#axes(), constant('t')] : [...this.#indices(s.array, s.at), constant('t'), ...this.#symbols(['option']), functionItem('size')];
      case 'binder': return [...this.#axes(), constant('t')];
      case 'argument': return [...this.#options(s.callee, s.given), ...this.#expression()];
      case 'value': return [...this.#choicesOf(s.callee, s.name), ...this.#expression()];
      case 'arm': return (this.#names?.choices.get(s.subject) ?? []).filter((c) => !s.taken.includes(c)).map((label) => ({ label, kind: 'choice', insert: `${label} => `, rank: 0 }));
      case 'subject': return [...this.#names?.choices.keys() ?? []].map((label) => ({ label, kind: 'option', rank: 0 }));
      case 'expression': return this.#expression();
    }
  }

  #expression(): Item[] {
    return [
      ...this.#place.bound.map((label): Item => ({ label, kind: 'axis', rank: 0 })),
      ...this.#symbols(['equation', 'argument', 'input', 'state', 'output', 'param', 'option', 'axis']),
      ...this.#blockItems(), ...builtins(functions, 'function'), ...builtins(reductions, 'function'), ...builtins(initialisers, 'function'), ...builtins(constants, 'constant'),
      { label: 'match', kind: 'keyword', rank: 3 },
    ];
  }
  #symbols(kinds: readonly SymbolKind[]): Item[] {
    return [...this.#names?.symbols.values() ?? []].filter((s) => kinds.includes(s.kind)).map((s) => this.#symbol(s));
  }
  #symbol(s: Symbol_): Item {
    const site = this.#project.occurrences(this.#file.path).find((o) => o.defines && o.symbol.id === s.id);
    const facts = site ? factsAt(this.#analyses, site.span.file, site.span.start) : [];
    const kind: CompletionKind = s.kind === 'axis' ? 'axis' : s.kind === 'option' ? 'option' : 'array';
    const shape = facts.flatMap((f) => (f.entity.kind === 'array' ? [shapeText(f.entity, f.madeUp)] : []))[0];
    const detail = shape ?? sizesText(facts);
    return { label: s.name, kind, rank: 1, ...(detail ? { detail } : {}), ...(site?.defines?.doc ? { text: site.defines.doc } : {}) };
  }
  #axes(): Item[] {
    return this.#symbols(['axis']).map((i) => ({ ...i, rank: 0 }));
  }
  /** The axis that an array has at this place first. */
  #indices(array: string, at: number): Item[] {
    const symbol = this.#names?.symbols.get(array);
    const site = symbol && this.#project.occurrences(this.#file.path).find((o) => o.defines && o.symbol.id === symbol.id);
    const entity = site ? factsAt(this.#analyses, site.span.file, site.span.start)[0]?.entity : undefined;
    const expected = entity?.kind === 'array' ? [...(entity.time ? ['t'] : []), ...entity.axes.map((a) => a.name)][at] : undefined;
    return [...this.#place.bound.map((label): Item => ({ label, kind: 'axis' })), ...this.#axes()].map((i) => ({ ...i, rank: i.label === expected ? 0 : 1 }));
  }
  #members(of: string): Item[] {
    return (this.#names?.members.get(of) ?? []).map((label) => ({ label, kind: 'member', rank: 0 }));
  }
  /** Parameters whose names go on after a dot. */
  #dotted(of: string): Item[] {
    const names = [...this.#names?.symbols.keys() ?? []].filter((n) => n.startsWith(`${of}.`));
    return names.map((n) => ({ label: n.slice(of.length + 1), kind: 'array' }));
  }

  // --- blocks -----------------------------------------------------------------------------------------------------------

  #blockItems(): Item[] {
    const own = this.#file.declarations.filter((d) => d.kind === 'block' && d !== this.#names?.declaration);
    const imported = this.#file.imports.flatMap((i) => i.names.map((n) => this.#project.blocks(this.#file).named(n.text)?.declaration)).filter((d) => d !== undefined);
    const here = [...own, ...imported];
    const library = this.#library().filter((d) => !here.some((h) => h.name.text === d.name.text));
    return [...here.map((d) => blockItem(d, this.#file.text)), ...library.map((d): Item => ({ ...blockItem(d, ''), rank: 2, also: [importOf(this.#file, d.name.text, 'std')] }))];
  }
  #library(): Declaration[] {
    return this.#project.isLibrary(this.#file.path) ? [] : [...this.#project.host.std.keys()].flatMap((p) => this.#project.file(p)?.declarations ?? []).filter((d) => d.kind === 'block');
  }
  #importable(from: string | undefined, own: readonly string[]): Item[] {
    const taken = [...own, ...this.#file.imports.flatMap((i) => i.names.map((n) => n.text))];
    const path = from === undefined || from === 'std' ? undefined : resolveImport(this.#file.path, from);
    const found = path === undefined ? this.#library() : (this.#project.file(path)?.declarations ?? []).filter((d) => d.kind === 'block');
    return found.filter((d) => !taken.includes(d.name.text)).map((d) => ({ label: d.name.text, kind: 'block', rank: 0, ...(d.doc ? { text: d.doc } : {}) }));
  }
  #options(callee: string, given: readonly string[]): Item[] {
    const block = this.#project.blocks(this.#file).named(callee);
    return (block?.declaration.parameters ?? []).filter((p) => p.kind === 'option' && !given.includes(p.name.text)).map((p): Item => {
      const standard = p.kind === 'option' && p.choices ? p.choices.map((c) => c.text).join(' | ') : undefined;
      return { label: p.name.text, kind: 'option', insert: `${p.name.text} = `, rank: 0, ...(standard ? { detail: standard } : {}) };
    });
  }
  #choicesOf(callee: string, option: string): Item[] {
    const parameter = this.#project.blocks(this.#file).named(callee)?.declaration.parameters.find((p) => p.name.text === option);
    return (parameter?.kind === 'option' ? parameter.choices ?? [] : []).map((c) => ({ label: c.text, kind: 'choice', rank: 0 }));
  }
  #paths(): Item[] {
    const here = this.#file.path.split('/').slice(0, -1);
    const own = this.#project.paths.filter((p) => p !== this.#file.path && !this.#project.isLibrary(p)).map((p) => relative(here, p.split('/')));
    return [{ label: 'std', kind: 'file', rank: 0 }, ...own.map((label): Item => ({ label, kind: 'file' }))];
  }
}

const keywords = (list: ReadonlyMap<string, Builtin>): Item[] => [...list].map(([label, b]) => ({ label, kind: 'keyword', insert: `${label} `, detail: b.signature, text: b.text, rank: 2 }));
const builtins = (list: ReadonlyMap<string, Builtin>, kind: CompletionKind): Item[] => [...list].map(([label, b]) => ({ label, kind, detail: b.signature, text: b.text, rank: 3 }));
const constant = (label: string): Item => ({ label, kind: 'constant', text: constants.get(label)?.text ?? '' });
const functionItem = (label: string): Item => ({ label, kind: 'function', text: functions.get(label)?.text ?? '', rank: 2 });
function blockItem(d: Declaration, text: string): Item {
  const parameters = d.parameters.map((p) => text.slice(p.span.start, p.span.end) || p.name.text).join(', ');
  return { label: d.name.text, kind: 'block', detail: `(${parameters})`, ...(d.doc ? { text: d.doc } : {}) };
}
function declarationAt(file: SourceFile, offset: number): Declaration | undefined {
  return file.declarations.find((d) => d.span.start <= offset && offset <= d.span.end) ?? file.declarations.findLast((d) => d.span.start <= offset);
}
function relative(from: readonly string[], to: readonly string[]): string {
  let same = 0;
  while (same < from.length && from[same] === to[same]) same++;
  const up = from.slice(same).map(() => '..');
  return [...(up.length === 0 ? ['.'] : up), ...to.slice(same)].join('/');
}
/** The edit that has a file import a block: into the line that imports from there already, or as a line of its own. */
export function importOf(file: SourceFile, name: string, from: string): Edit {
  const line = file.imports.find((i) => i.from === from);
  const last = line?.names.at(-1);
  if (last) return { span: { file: file.path, start: last.span.end, end: last.span.end }, replacement: `, ${name}` };
  const at = file.imports.at(-1)?.span.end;
  const text = `import ${name} from "${from}"`;
  return at === undefined ? { span: { file: file.path, start: 0, end: 0 }, replacement: `${text}\n\n` } : { span: { file: file.path, start: at, end: at }, replacement: `\n${text}` };
}
