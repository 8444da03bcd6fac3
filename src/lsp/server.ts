/** `ssmc lsp`: the language service over the language server protocol. Everything it knows of specs is in src/language-service. */
import {
  createConnection, ErrorCodes, ResponseError, StreamMessageReader, StreamMessageWriter, TextDocumentSyncKind,
  type Connection, type InitializeResult, type Position,
} from 'vscode-languageserver/node';
import { tokenModifiers, tokenTypes } from '../language-service/index.js';
import type { Lines } from '../language-service/lines.js';
import { version } from '../version.js';
import { Compiling } from './compiling.js';
import { actionOf, completionOf, editOf, highlightOf, hintOf, hoverOf, locationOf, outlineSymbol, rangeOf, tokenData, workspaceEditOf } from './convert.js';
import { Documents } from './documents.js';
import { Publisher } from './publisher.js';
import { warmUp } from './warm-up.js';
import { Workspace, type Place } from './workspace.js';

const capabilities: InitializeResult['capabilities'] = {
  textDocumentSync: { openClose: true, change: TextDocumentSyncKind.Incremental },
  hoverProvider: true, definitionProvider: true, referencesProvider: true, documentHighlightProvider: true, renameProvider: { prepareProvider: true },
  completionProvider: { triggerCharacters: ['.', '[', '(', '"', '='] }, documentSymbolProvider: true, documentFormattingProvider: true, inlayHintProvider: true,
  semanticTokensProvider: { legend: { tokenTypes: [...tokenTypes], tokenModifiers: [...tokenModifiers] }, full: true },
  codeActionProvider: { codeActionKinds: ['quickfix'] },
};
/** `ssmc/kernels`: the kernels of the block under the cursor, or in `why` the reason that there are none. */
export interface KernelsResult {
  readonly of?: string;
  readonly text?: string;
  readonly why?: string;
}

/** Serves a client on two streams, until it says `exit` or is gone. */
export function serve(input: NodeJS.ReadableStream, output: NodeJS.WritableStream): Promise<void> {
  const connection = createConnection(new StreamMessageReader(input), new StreamMessageWriter(output));
  const ended = new Promise<void>((done) => {
    connection.onExit(() => done());
    input.once('end', () => done());
  });
  register(connection);
  connection.listen();
  return ended;
}

interface At extends Place {
  readonly offset: number;
  readonly lines: Lines;
}

export function register(connection: Connection): void {
  const onBug = (error: unknown): void => connection.console.error(`a bug of ours: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  const documents = new Documents();
  const workspace = new Workspace(documents, onBug);
  const compiling = new Compiling(documents);
  const publisher = new Publisher(connection, documents, workspace, compiling, onBug);
  const here = (uri: string): Place & { readonly lines: Lines } => {
    const place = workspace.place(uri);
    return { ...place, lines: place.project.lines(place.path) };
  };
  /** A bug costs one answer, not the session. */
  const answer = <P extends { readonly textDocument: { readonly uri: string } }, R>(nothing: R, f: (place: Place & { readonly lines: Lines }, params: P) => R | Promise<R>) => async (params: P): Promise<R> => {
    try {
      return await f(here(params.textDocument.uri), params);
    } catch (error) {
      if (error instanceof ResponseError) throw error;
      onBug(error);
      return nothing;
    }
  };
  const answerAt = <P extends { readonly textDocument: { readonly uri: string }; readonly position: Position }, R>(nothing: R, f: (at: At, params: P) => R | Promise<R>) =>
    answer<P, R>(nothing, (place, params) => f({ ...place, offset: place.lines.offsetOf(params.position) }, params));

  connection.onInitialize((): InitializeResult => {
    warmUp();
    return { capabilities, serverInfo: { name: 'ssmc', version } };
  });
  connection.onShutdown(() => publisher.stop());
  connection.onDidOpenTextDocument(({ textDocument: { uri, version: v, text } }) => {
    documents.open({ uri, version: v, text });
    publisher.changed();
  });
  connection.onDidChangeTextDocument(({ textDocument: { uri, version: v }, contentChanges }) => {
    documents.change(uri, v, contentChanges);
    publisher.changed();
  });
  connection.onDidCloseTextDocument(({ textDocument: { uri } }) => {
    documents.close(uri);
    publisher.changed();
  });
  connection.onDidChangeWatchedFiles(() => {
    workspace.filesChanged();
    publisher.changed();
  });

  connection.onHover(answerAt(null, async ({ service, path, offset, lines }, { textDocument: { uri } }) => {
    const hover = service.hoverCompiles(path, offset) ? await compiling.ask({ kind: 'hover', uri, offset }) : service.hover(path, offset);
    return hover ? hoverOf(lines, hover) : null;
  }));
  connection.onDefinition(answerAt([], ({ service, project, path, offset }) => service.definitions(path, offset).map((s) => locationOf(project, s))));
  connection.onReferences(answerAt([], ({ service, project, path, offset }) => service.references(path, offset).map((s) => locationOf(project, s))));
  connection.onDocumentHighlight(answerAt([], ({ service, path, offset, lines }) => service.highlights(path, offset).map((h) => highlightOf(lines, h))));
  connection.onPrepareRename(answerAt(null, ({ service, path, offset, lines }) => {
    const span = service.renamable(path, offset);
    if (typeof span === 'string') throw new ResponseError(ErrorCodes.InvalidRequest, span);
    return rangeOf(lines, span);
  }));
  connection.onRenameRequest(answerAt(null, ({ service, project, path, offset }, { newName }) => {
    const edits = service.rename(path, offset, newName);
    if (typeof edits === 'string') throw new ResponseError(ErrorCodes.InvalidRequest, edits);
    return workspaceEditOf(project, edits);
  }));
  connection.onCompletion(answerAt([], ({ service, path, offset, lines }) => service.completions(path, offset).map((c) => completionOf(lines, c))));
  connection.onDocumentSymbol(answer([], ({ service, path, lines }) => service.outline(path).map((i) => outlineSymbol(lines, i))));
  connection.onDocumentFormatting(answer([], ({ service, path, lines }) => service.format(path).map((e) => editOf(lines, e))));
  connection.languages.semanticTokens.on(answer({ data: [] }, ({ service, path, lines }) => ({ data: tokenData(lines, service.semanticTokens(path)) })));
  connection.languages.inlayHint.on(answer([], ({ service, path, lines }, { range }) => service.hints(path, lines.offsetOf(range.start), lines.offsetOf(range.end)).map((h) => hintOf(lines, h))));
  connection.onCodeAction(answer([], ({ service, project, path, lines }, { range }) => service.actions(path, lines.offsetOf(range.start), lines.offsetOf(range.end)).map((a) => actionOf(project, a))));
  connection.onRequest('ssmc/kernels', answerAt({ why: 'a bug of ours: see the log' } as KernelsResult, async ({ offset }, { textDocument: { uri } }): Promise<KernelsResult> => {
    const found = await compiling.ask({ kind: 'kernels', uri, offset });
    return typeof found === 'string' ? { why: found } : found;
  }));
}
