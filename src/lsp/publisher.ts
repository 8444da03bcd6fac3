/**
 * Diagnostics of all open documents and what they import: those of the checker at once, those that only compiling finds when the user
 * pauses. A file is told of when its list has changed.
 */
import type { Connection, Diagnostic as ProtocolDiagnostic } from 'vscode-languageserver/node';
import { diagnosticOf } from './convert.js';
import type { Documents } from './documents.js';
import type { Workspace } from './workspace.js';

const pause = 400;

export class Publisher {
  readonly #connection: Connection;
  readonly #documents: Documents;
  readonly #workspace: Workspace;
  readonly #onBug: (error: unknown) => void;
  readonly #told = new Map<string, string>();
  #soon: NodeJS.Immediate | undefined;
  #later: NodeJS.Timeout | undefined;

  constructor(connection: Connection, documents: Documents, workspace: Workspace, onBug: (error: unknown) => void) {
    this.#connection = connection;
    this.#documents = documents;
    this.#workspace = workspace;
    this.#onBug = onBug;
  }

  /** Changes that have arrived together are looked at once. */
  changed(): void {
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined;
      this.#publish(false);
    });
    clearTimeout(this.#later);
    this.#later = setTimeout(() => this.#publish(true), pause);
  }
  stop(): void {
    clearImmediate(this.#soon);
    clearTimeout(this.#later);
  }

  #publish(compiling: boolean): void {
    const lists = new Map<string, ProtocolDiagnostic[]>();
    for (const { uri } of this.#documents.all) {
      try {
        this.#collect(uri, compiling, lists);
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
  #collect(uri: string, compiling: boolean, lists: Map<string, ProtocolDiagnostic[]>): void {
    const { service, project, path } = this.#workspace.place(uri);
    const list = (of: string): ProtocolDiagnostic[] => {
      const known = lists.get(of) ?? [];
      lists.set(of, known);
      return known;
    };
    list(uri);
    for (const d of compiling ? service.fullDiagnostics(path) : service.diagnostics(path)) {
      const found = diagnosticOf(project, d);
      const into = list(project.uriOf(d.span.file));
      if (!into.some((o) => JSON.stringify(o) === JSON.stringify(found))) into.push(found);
    }
  }
}
