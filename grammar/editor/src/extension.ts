/** The extension for VS Code: starts the server, and shows kernels beside the text. What it knows of specs it asks the server. */
import { commands, EventEmitter, Uri, ViewColumn, window, workspace, type ExtensionContext, type TextDocumentContentProvider } from 'vscode';
import { LanguageClient, TransportKind, type LanguageClientOptions, type ServerOptions } from 'vscode-languageclient/node';

const scheme = 'ssmc-kernels';
interface Kernels {
  readonly of?: string;
  readonly text?: string;
  readonly why?: string;
}

let client: LanguageClient | undefined;

export async function activate(context: ExtensionContext): Promise<void> {
  const kernels = new KernelView();
  const clientOptions: LanguageClientOptions = {
    documentSelector: [{ scheme: 'file', language: 'ssm' }, { scheme: 'untitled', language: 'ssm' }],
    synchronize: { fileEvents: workspace.createFileSystemWatcher('**/*.ssm') },
  };
  const start = async (): Promise<void> => {
    client = new LanguageClient('ssmc', 'ssmc', serverOptions(context), clientOptions);
    await client.start();
  };
  context.subscriptions.push(
    workspace.registerTextDocumentContentProvider(scheme, kernels),
    commands.registerCommand('ssmc.showKernels', () => showKernels(kernels)),
    commands.registerCommand('ssmc.restart', async () => {
      await client?.stop();
      await start();
    }),
  );
  await start();
}
export async function deactivate(): Promise<void> {
  await client?.stop();
}

/** The server inside the extension, or what the settings name. */
function serverOptions(context: ExtensionContext): ServerOptions {
  const [command, ...args] = workspace.getConfiguration('ssmc').get<readonly string[]>('server.command', []);
  if (command !== undefined) return { command, args };
  return { module: context.asAbsolutePath('server.cjs'), transport: TransportKind.stdio };
}

async function showKernels(view: KernelView): Promise<void> {
  const editor = window.activeTextEditor;
  if (!editor || !client) return;
  const { document, selection } = editor;
  const answer = await client.sendRequest<Kernels>('ssmc/kernels', {
    textDocument: { uri: client.code2ProtocolConverter.asUri(document.uri) }, position: client.code2ProtocolConverter.asPosition(selection.active),
  });
  if (answer.text === undefined) {
    void window.showInformationMessage(`No kernels: ${answer.why ?? 'the server gave none'}`);
    return;
  }
  const shown = view.show(answer.of ?? 'kernels', answer.text);
  await window.showTextDocument(await workspace.openTextDocument(shown), { viewColumn: ViewColumn.Beside, preserveFocus: true, preview: true });
}

/** Documents that are not files: the kernels of each block, as they were asked for last. */
class KernelView implements TextDocumentContentProvider {
  readonly #changed = new EventEmitter<Uri>();
  readonly #texts = new Map<string, string>();
  readonly onDidChange = this.#changed.event;

  provideTextDocumentContent(uri: Uri): string {
    return this.#texts.get(uri.path) ?? '';
  }
  show(name: string, text: string): Uri {
    const uri = Uri.from({ scheme, path: `/${name} kernels.txt` });
    this.#texts.set(uri.path, text);
    this.#changed.fire(uri);
    return uri;
  }
}
