/** The files of one project as an editor has them: each parsed once per text, and how they find one another's blocks. */
import type { SourceFile } from '../../grammar/ast.js';
import { parse } from '../../grammar/parser.js';
import type { SourceHost } from '../check/index.js';
import { occurrencesOf } from './occurrences.js';
import type { BlockRef, Blocks, Occurrence } from './symbols.js';

export interface ServiceHost extends SourceHost {
  /** The project's specs, for references and renames. Without it, those that were asked about. */
  readonly files?: () => readonly string[];
  /** Hears of what only a bug of ours can throw. */
  readonly onBug?: (error: unknown) => void;
}

export class Project {
  readonly host: ServiceHost;
  readonly #parsed = new Map<string, SourceFile>();
  readonly #known = new Set<string>();
  readonly #occurrences = new Map<string, { readonly file: SourceFile; readonly others: readonly (SourceFile | undefined)[]; readonly list: readonly Occurrence[] }>();
  constructor(host: ServiceHost) {
    this.host = host;
  }

  text(path: string): string | undefined {
    return this.host.std.get(path) ?? this.host.read(path);
  }
  file(path: string): SourceFile | undefined {
    const text = this.text(path);
    if (text === undefined) return undefined;
    const known = this.#parsed.get(path);
    if (known?.text === text) return known;
    const { file } = parse(text, path);
    this.#parsed.set(path, file);
    if (!this.host.std.has(path)) this.#known.add(path);
    return file;
  }
  /** All that may refer to a symbol, the library last. */
  get paths(): readonly string[] {
    return [...new Set([...this.#known, ...(this.host.files?.() ?? []), ...this.host.std.keys()])].filter((p) => this.text(p) !== undefined);
  }
  isLibrary(path: string): boolean {
    return this.host.std.has(path);
  }

  occurrences(path: string): readonly Occurrence[] {
    const file = this.file(path);
    if (!file) return [];
    const others = file.imports.map((i) => (i.from === 'std' ? undefined : this.file(resolveImport(path, i.from) ?? '')));
    const known = this.#occurrences.get(path);
    if (known?.file === file && known.others.length === others.length && known.others.every((o, k) => o === others[k])) return known.list;
    const list = occurrencesOf(file, this.blocks(file));
    this.#occurrences.set(path, { file, others, list });
    return list;
  }
  blocks(file: SourceFile): Blocks {
    const imported = (name: string, from: string): BlockRef | undefined => {
      const paths = from === 'std' ? [...this.host.std.keys()] : [resolveImport(file.path, from)].filter((p) => p !== undefined);
      for (const p of paths) {
        const declaration = this.file(p)?.declarations.find((d) => d.kind === 'block' && d.name.text === name);
        if (declaration) return { file: p, declaration };
      }
      return undefined;
    };
    const named = (name: string): BlockRef | undefined => {
      const own = file.declarations.find((d) => d.kind === 'block' && d.name.text === name);
      if (own) return { file: file.path, declaration: own };
      const line = file.imports.find((i) => i.names.some((n) => n.text === name));
      if (line) return imported(name, line.from);
      return undefined;
    };
    return { named, imported };
  }
}

/** A relative import as a path of the project; absent where it would leave it. */
export function resolveImport(from: string, path: string): string | undefined {
  if (path.startsWith('/') || /^[a-z]+:/i.test(path)) return undefined;
  const parts = from.split('/').slice(0, -1);
  for (const part of path.split('/')) {
    if (part === '..') {
      if (parts.length === 0) return undefined;
      parts.pop();
    } else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}
