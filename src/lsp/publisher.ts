/**
 * Diagnostics of all open documents and what they import: those of the checker at once, those that only compiling finds when the user
 * pauses, from the thread that compiles. A file is told of when its list has changed.
 */
import type { Connection, Diagnostic as ProtocolDiagnostic } from 'vscode-languageserver/node';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import type { Compiling } from './compiling.js';
import { diagnosticOf } from './convert.js';
import type { Documents } from './documents.js';
import type { Workspace } from './workspace.js';

const pause = 400;

/** What is found in a document and all it reads. */
type Found = ReadonlyMap<string, readonly Diagnostic[]>;

export class Publisher {
  readonly #connection: Connection;
  readonly #documents: Documents;
  readonly #workspace: Workspace;
  readonly #compiling: Compiling;
  readonly #onBug: (error: unknown) => void;
  readonly #told = new Map<string, string>();
  /** Counts changes: what was compiled before the last one is not told. */
  #changes = 0;
  #soon: NodeJS.Immediate | undefined;
  #later: NodeJS.Timeout | undefined;

  constructor(connection: Connection, documents: Documents, workspace: Workspace, compiling: Compiling, onBug: (error: unknown) => void) {
    this.#connection = connection;
    this.#documents = documents;
    this.#workspace = workspace;
    this.#compiling = compiling;
    this.#onBug = onBug;
  }

  /** Changes that have arrived together are looked at once. */
  changed(): void {
    this.#changes++;
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined;
      this.#publish(this.#checked());
    });
    clearTimeout(this.#later);
    this.#later = setTimeout(() => void this.#compile(), pause);
  }
  stop(): void {
    this.#changes++;
    clearImmediate(this.#soon);
    clearTimeout(this.#later);
  }

  #checked(): Found {
    const found = new Map<string, readonly Diagnostic[]>();
    for (const { uri } of this.#documents.all) {
      try {
        const { service, path } = this.#workspace.place(uri);
        found.set(uri, service.diagnostics(path));
      } catch (error) {
        this.#onBug(error);
      }
    }
    return found;
  }
  async #compile(): Promise<void> {
    const changes = this.#changes;
    const found = new Map(this.#checked());
    await Promise.all(this.#documents.all.map(async ({ uri }) => {
      try {
        found.set(uri, await this.#compiling.ask({ kind: 'diagnostics', uri }));
      } catch (error) {
        this.#onBug(error);
      }
    }));
    if (changes === this.#changes) this.#publish(found);
  }
  #publish(found: Found): void {
    const lists = new Map<string, ProtocolDiagnostic[]>();
    for (const [uri, diagnostics] of found) {
      try {
        this.#collect(uri, diagnostics, lists);
      } catch (error) {
        this.#onBug(error);
      }
    }
    for (const uri of this.#told.keys()) if (!lists.has(uri)) lists.set(uri, []);
    for (const [uri, diagnostics] of lists) {
      const text = JSON.stringify(diagnostics);
      if (this.#told.get(uri) === text) continue;
      this.#told.set(uri, text);
      const version = this.#documents.get(uri)?.version;
      void this.#connection.sendDiagnostics({ uri, diagnostics, ...(version === undefined ? {} : { version }) });
    }
  }
  #collect(uri: string, diagnostics: readonly Diagnostic[], lists: Map<string, ProtocolDiagnostic[]>): void {
    const { project } = this.#workspace.place(uri);
    const list = (of: string): ProtocolDiagnostic[] => {
      const known = lists.get(of) ?? [];
      lists.set(of, known);
      return known;
    };
    list(uri);
    for (const d of diagnostics) {
      const found = diagnosticOf(project, d);
      const into = list(project.uriOf(d.span.file));
      if (!into.some((o) => JSON.stringify(o) === JSON.stringify(found))) into.push(found);
    }
  }
}
