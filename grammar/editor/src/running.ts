/** The client and the server that it runs: started, stopped, and started anew by other settings, one after the other. */
import { window, workspace, type ExtensionContext } from 'vscode';
import { LanguageClient, TransportKind, type LanguageClientOptions, type ServerOptions } from 'vscode-languageclient/node';

export class Running {
  readonly #context: ExtensionContext;
  readonly #options: LanguageClientOptions;
  #client: LanguageClient | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(context: ExtensionContext) {
    this.#context = context;
    // It outlives the client, so that what a server said before it failed can still be read.
    const outputChannel = window.createOutputChannel('ssmc', { log: true });
    const fileEvents = workspace.createFileSystemWatcher('**/*.ssm');
    context.subscriptions.push(outputChannel, fileEvents);
    this.#options = { documentSelector: [{ scheme: 'file', language: 'ssm' }, { scheme: 'untitled', language: 'ssm' }], synchronize: { fileEvents }, outputChannel };
  }

  /** None where the server did not start, or has given up. */
  get client(): LanguageClient | undefined {
    return this.#client?.isRunning() ? this.#client : undefined;
  }
  start(): Promise<void> {
    return this.#then(() => this.#start());
  }
  restart(): Promise<void> {
    return this.#then(async () => {
      await this.#stop();
      await this.#start();
    });
  }
  stop(): Promise<void> {
    return this.#then(() => this.#stop());
  }

  #then(step: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(step);
    return this.#last;
  }
  /** A start that fails is told of by the client, and must not take the commands with it: one of them is the way out. */
  async #start(): Promise<void> {
    this.#client = new LanguageClient('ssmc', 'ssmc', serverOptions(this.#context), this.#options);
    await this.#client.start().catch(() => { this.#client = undefined; });
  }
  async #stop(): Promise<void> {
    await this.client?.stop().catch(() => { /* the client has written why */ });
    this.#client = undefined;
  }
}

/** The server inside the extension, or what the settings name. */
function serverOptions(context: ExtensionContext): ServerOptions {
  const [command, ...args] = workspace.getConfiguration('ssmc').get<readonly string[]>('server.command', []);
  if (command !== undefined) return { command, args };
  return { module: context.asAbsolutePath('server.cjs'), transport: TransportKind.stdio };
}
