/** The kernels of a block, beside the text: documents that are no files, as they were asked for last. */
import { EventEmitter, languages, Uri, ViewColumn, window, workspace, type TextDocumentContentProvider } from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';

export const scheme = 'ssmc-kernels';
/** The server's answer to `ssmc/kernels`. */
interface Kernels {
  readonly of?: string;
  readonly text?: string;
  readonly why?: string;
}

export class KernelView implements TextDocumentContentProvider {
  readonly #changed = new EventEmitter<Uri>();
  readonly #texts = new Map<string, string>();
  readonly onDidChange = this.#changed.event;

  provideTextDocumentContent(uri: Uri): string {
    return this.#texts.get(uri.path) ?? '';
  }
  /** Of the block or model under the cursor. */
  async show(client: LanguageClient | undefined): Promise<void> {
    const editor = window.activeTextEditor;
    if (!editor) return;
    if (!client) {
      void window.showErrorMessage('No kernels: the language server is not running. The output "ssmc" says why, and the command "ssmc: Restart the language server" tries again.');
      return;
    }
    const { document, selection } = editor;
    const answer = await client.sendRequest<Kernels>('ssmc/kernels', {
      textDocument: { uri: client.code2ProtocolConverter.asUri(document.uri) }, position: client.code2ProtocolConverter.asPosition(selection.active),
    });
    if (answer.text === undefined) {
      void window.showInformationMessage(`No kernels: ${answer.why ?? 'the server gave none'}`);
      return;
    }
    const shown = await workspace.openTextDocument(this.#keep(answer.of ?? 'All', answer.text));
    await window.showTextDocument(await languages.setTextDocumentLanguage(shown, scheme), { viewColumn: ViewColumn.Beside, preserveFocus: true, preview: true });
  }
  #keep(name: string, text: string): Uri {
    const uri = Uri.from({ scheme, path: `/${name} kernels` });
    this.#texts.set(uri.path, text);
    this.#changed.fire(uri);
    return uri;
  }
}
