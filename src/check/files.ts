/** Loads a spec and what it imports. Paths are POSIX and relative to the project's root, as the host sees it. */
import type { Declaration, Import, SourceFile, SyntaxFault } from '../../grammar/ast.js';
import { parse } from '../../grammar/parser.js';
import type { Diagnostics } from '../diagnostics/diagnostic.js';
import type { Code } from '../diagnostics/messages.js';
import { nearest } from './names.js';

export interface SourceHost {
  /** The text of a file, or undefined. */
  readonly read: (path: string) => string | undefined;
  /** Files of the standard library: 'std/mamba.ssm' → text. */
  readonly std: ReadonlyMap<string, string>;
}
/** A file, and the blocks that its declarations can use. */
export interface LoadedFile {
  readonly file: SourceFile;
  /** Imports that failed, which was reported: what uses them stays silent. */
  readonly missing: Set<string>;
  readonly blocks: ReadonlyMap<string, { readonly declaration: Declaration; readonly home: LoadedFile }>;
}

/** A library is parsed once, not at every keystroke: trees are not changed. */
const libraries = new WeakMap<SourceHost['std'], Map<string, ReturnType<typeof parse>>>();
function parsed(host: SourceHost, path: string, text: string): ReturnType<typeof parse> {
  if (host.std.get(path) !== text) return parse(text, path);
  const library = libraries.get(host.std) ?? new Map<string, ReturnType<typeof parse>>();
  libraries.set(host.std, library);
  const known = library.get(path);
  if (known?.file.text === text) return known;
  const made = parse(text, path);
  library.set(path, made);
  return made;
}

/** So many brackets are tried in a text: each is parsed once more. */
const mostTried = 3;
/** Whether a text reads better with the bracket that a fault wants where the fault wants it: another may be missing, or one be too many. */
function closes(text: string, path: string, { args }: SyntaxFault, faults: number): boolean {
  const at = Number(args['after']);
  return parse(`${text.slice(0, at)}${String(args['want']).replaceAll("'", '')}${text.slice(at)}`, path).faults.length < faults;
}

export class Loader {
  readonly #host: SourceHost;
  readonly #diagnostics: Diagnostics;
  readonly #loaded = new Map<string, LoadedFile>();
  readonly #loading: string[] = [];
  constructor(host: SourceHost, diagnostics: Diagnostics) {
    this.#host = host;
    this.#diagnostics = diagnostics;
  }
  get loaded(): readonly LoadedFile[] {
    return [...this.#loaded.values()];
  }
  get files(): readonly SourceFile[] {
    return [...this.#loaded.values()].map((l) => l.file);
  }

  load(path: string, text: string): LoadedFile {
    const known = this.#loaded.get(path);
    if (known) return known;
    const { file, faults } = parsed(this.#host, path, text);
    let tried = 0;
    for (const f of faults) {
      const { after, ...rest } = f.args;
      const mends = after !== undefined && tried++ < mostTried && closes(text, path, f, faults.length);
      this.#diagnostics.error(f.code as Code, f.span, (mends ? f.args : rest) as never);
    }
    const blocks = new Map<string, { declaration: Declaration; home: LoadedFile }>();
    const loaded: LoadedFile = { file, blocks, missing: new Set() };
    this.#loading.push(path);
    // Declarations first: files of the standard library see one another's blocks, whatever their order.
    for (const d of file.declarations) {
      if (blocks.has(d.name.text)) this.#diagnostics.error('SSM2002', d.name.span, { name: d.name.text });
      else blocks.set(d.name.text, { declaration: d, home: loaded });
    }
    this.#loaded.set(path, loaded);
    for (const i of file.imports) this.#import(loaded, blocks, i);
    this.#loading.pop();
    return loaded;
  }

  #import(to: LoadedFile, blocks: Map<string, { declaration: Declaration; home: LoadedFile }>, i: Import): void {
    const sources = i.from === 'std' ? [...this.#host.std].map(([path, text]) => this.load(path, text)) : this.#relative(to.file.path, i);
    if (!sources) {
      for (const name of i.names) to.missing.add(name.text);
      return;
    }
    for (const name of i.names) {
      const found = sources.map((s) => s.blocks.get(name.text)).find((b) => b?.declaration.kind === 'block');
      if (!found) {
        to.missing.add(name.text);
        const near = nearest(name.text, sources.flatMap((s) => [...s.blocks.keys()]));
        this.#diagnostics.error('SSM2006', name.span, { name: name.text, path: i.from, near });
      } else if (blocks.has(name.text) && blocks.get(name.text)?.declaration !== found.declaration) this.#diagnostics.error('SSM2002', name.span, { name: name.text });
      else blocks.set(name.text, found);
    }
  }
  #relative(from: string, i: Import): LoadedFile[] | undefined {
    const parts = from.split('/').slice(0, -1);
    if (i.from.startsWith('/') || /^[a-z]+:/i.test(i.from)) return this.#outside(i);
    for (const part of i.from.split('/')) {
      if (part === '..') {
        if (parts.length === 0) return this.#outside(i);
        parts.pop();
      } else if (part !== '.' && part !== '') parts.push(part);
    }
    const path = parts.join('/');
    if (this.#loading.includes(path)) {
      this.#diagnostics.error('SSM2005', i.fromSpan, { cycle: [...this.#loading.slice(this.#loading.indexOf(path)), path].join(' → ') });
      return undefined;
    }
    const text = this.#host.read(path);
    if (text === undefined) {
      this.#diagnostics.error('SSM2003', i.fromSpan, { path: i.from });
      return undefined;
    }
    return [this.load(path, text)];
  }
  #outside(i: Import): undefined {
    this.#diagnostics.error('SSM2004', i.fromSpan, { path: i.from });
    return undefined;
  }
}
