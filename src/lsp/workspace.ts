/** Files of the editor and of the disk, by project: which service answers for a URI, and under which path. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { packageRoot, projectRoot, standardLibrary } from '../cli/io.js';
import { LanguageService } from '../language-service/index.js';
import { Lines } from '../language-service/lines.js';
import type { Documents } from './documents.js';

export interface Place {
  readonly service: LanguageService;
  readonly project: WorkspaceProject;
  /** As the compiler sees it. */
  readonly path: string;
}
/** Folders that hold no specs of the user's. */
const skipped = new Set(['node_modules', 'dist', 'gen']);
const mostFiles = 2000;

export class Workspace {
  readonly #documents: Documents;
  readonly #projects = new Map<string, WorkspaceProject>();
  readonly #onBug: (error: unknown) => void;
  readonly #library = join(packageRoot(), 'grammar', 'std');
  #last: WorkspaceProject | undefined;

  constructor(documents: Documents, onBug: (error: unknown) => void) {
    this.#documents = documents;
    this.#onBug = onBug;
  }

  place(uri: string): Place {
    const file = fileOf(uri);
    const library = file?.startsWith(this.#library + sep) ? `std/${relative(this.#library, file).split(sep).join('/')}` : undefined;
    // A library file is read for the sake of the project that one came from.
    if (library !== undefined && this.#last && standardLibrary().has(library)) return { service: this.#last.service, project: this.#last, path: library };
    const root = file === undefined ? undefined : projectRoot(file);
    const project = this.#project(root);
    this.#last = project;
    return { service: project.service, project, path: file !== undefined && root !== undefined ? relative(root, file).split(sep).join('/') : uri };
  }
  /** Files have come, gone or changed beside the editor. */
  filesChanged(): void {
    for (const p of this.#projects.values()) p.forget();
  }
  #project(root: string | undefined): WorkspaceProject {
    const known = this.#projects.get(root ?? '');
    if (known) return known;
    const project = new WorkspaceProject(root, this.#documents, this.#library, this.#onBug);
    this.#projects.set(root ?? '', project);
    return project;
  }
}

export class WorkspaceProject {
  readonly service: LanguageService;
  readonly #root: string | undefined;
  readonly #documents: Documents;
  readonly #library: string;
  readonly #disk = new Map<string, { readonly stamp: string; readonly text: string }>();
  readonly #lines = new Map<string, { readonly text: string; readonly lines: Lines }>();
  #files: readonly string[] | undefined;

  /** Without a root: documents that are no files. */
  constructor(root: string | undefined, documents: Documents, library: string, onBug: (error: unknown) => void) {
    this.#root = root;
    this.#documents = documents;
    this.#library = library;
    this.service = new LanguageService({ std: standardLibrary(), read: (path) => this.#read(path), files: () => this.#files ??= this.#list(), onBug });
  }

  forget(): void {
    this.#files = undefined;
  }
  /** The editor's own name for a file where it has it open. */
  uriOf(path: string): string {
    if (path.startsWith('std/') && standardLibrary().has(path)) return pathToFileURL(join(this.#library, path.slice('std/'.length))).href;
    if (this.#root === undefined) return path;
    const file = join(this.#root, path);
    return this.#documents.all.find((d) => fileOf(d.uri) === file)?.uri ?? pathToFileURL(file).href;
  }
  lines(path: string): Lines {
    const text = standardLibrary().get(path) ?? this.#read(path) ?? '';
    const known = this.#lines.get(path);
    if (known?.text === text) return known.lines;
    const lines = new Lines(text);
    this.#lines.set(path, { text, lines });
    return lines;
  }
  #read(path: string): string | undefined {
    if (this.#root === undefined) return this.#documents.get(path)?.text;
    const file = join(this.#root, path);
    const open = this.#documents.all.find((d) => fileOf(d.uri) === file);
    if (open) return open.text;
    try {
      const { mtimeMs, size } = statSync(file);
      const stamp = `${mtimeMs} ${size}`;
      const known = this.#disk.get(file);
      if (known?.stamp === stamp) return known.text;
      const text = readFileSync(file, 'utf8');
      this.#disk.set(file, { stamp, text });
      return text;
    } catch {
      return undefined;
    }
  }
  #list(): readonly string[] {
    const found: string[] = [];
    const visit = (folder: string): void => {
      for (const e of readdirSync(join(this.#root ?? '', folder), { withFileTypes: true })) {
        const path = folder === '' ? e.name : `${folder}/${e.name}`;
        if (found.length >= mostFiles) return;
        if (e.isDirectory() && !e.name.startsWith('.') && !skipped.has(e.name)) visit(path);
        else if (e.isFile() && e.name.endsWith('.ssm')) found.push(path);
      }
    };
    try {
      if (this.#root !== undefined) visit('');
    } catch {
      return found;
    }
    return found;
  }
}
function fileOf(uri: string): string | undefined {
  try {
    return uri.startsWith('file:') ? fileURLToPath(uri) : undefined;
  } catch {
    return undefined;
  }
}
