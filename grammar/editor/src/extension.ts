/** The extension for VS Code: starts the server, and shows kernels beside the text. What it knows of specs it asks the server. */
import { commands, workspace, type ExtensionContext } from 'vscode';
import { KernelView, scheme } from './kernel-view.js';
import { Running } from './running.js';

let running: Running | undefined;

export async function activate(context: ExtensionContext): Promise<void> {
  const server = new Running(context);
  const kernels = new KernelView();
  running = server;
  context.subscriptions.push(
    workspace.registerTextDocumentContentProvider(scheme, kernels),
    commands.registerCommand('ssmc.showKernels', () => kernels.show(server.client)),
    commands.registerCommand('ssmc.restart', () => server.restart()),
    workspace.onDidChangeConfiguration((e) => { if (e.affectsConfiguration('ssmc.server.command')) void server.restart(); }),
  );
  await server.start();
}
export async function deactivate(): Promise<void> {
  await running?.stop();
}
