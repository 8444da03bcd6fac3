/** `ssmc lsp`: a language server on standard input and output. The package that speaks the protocol is loaded here only. */
import { help, type Command } from './command.js';
import { InputFault } from './io.js';

export const lspCommand: Command = {
  name: 'lsp', usage: 'lsp',
  help: 'Serves an editor over the language server protocol, on standard input and output. `--stdio` is what clients add; it changes nothing.',
  options: { stdio: { type: 'boolean', help: 'the same' }, clientProcessId: { type: 'string', value: 'N', help: 'what clients add; not needed' }, help },
  run: async (args) => {
    args.none();
    const { serve } = await import('../lsp/server.js').catch((error: unknown) => {
      if (!isMissing(error)) throw error;
      throw new InputFault('`ssmc lsp` needs the package vscode-languageserver, which was left out: npm install vscode-languageserver');
    });
    await serve(process.stdin, process.stdout);
    return 0;
  },
};
function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND' && error.message.includes('vscode-languageserver');
}
