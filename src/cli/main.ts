#!/usr/bin/env node
/** The command line. Exit codes: 0 fine, 1 the input is at fault, 2 wrong usage, 3 a bug of ours. */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { nearest } from '../check/names.js';
import { SsmcError } from '../runtime/index.js';
import { version } from '../version.js';
import { helpText, parseCommand, type Command } from './command.js';
import { InputFault, UsageError, type Io } from './io.js';

/** Each is loaded when it is asked for: what writes TypeScript takes as long to load as a check takes in all. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  init: async () => (await import('./init.js')).initCommand,
  compile: async () => (await import('./compile.js')).compileCommand,
  check: async () => (await import('./check.js')).checkCommand,
  run: async () => (await import('./run.js')).runCommand,
  verify: async () => (await import('./verify.js')).verifyCommand,
  weights: async () => (await import('./weights.js')).weightsCommand,
  explain: async () => (await import('./explain.js')).explainCommand,
  format: async () => (await import('./format.js')).formatCommand,
  import: async () => (await import('./import.js')).importCommand,
  bench: async () => (await import('./bench.js')).benchCommand,
  doctor: async () => (await import('./doctor.js')).doctorCommand,
  lsp: async () => (await import('./lsp.js')).lspCommand,
  types: async () => (await import('./types.js')).typesCommand,
};

export async function main(argv: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined) {
    io.err(await overview());
    return 2;
  }
  if (name === 'help' && rest[0] !== undefined) return main([rest[0], '--help'], io);
  if (name === '--help' || name === '-h' || name === 'help') {
    io.out(await overview());
    return 0;
  }
  if (name === '--version') {
    io.out(`${version}\n`);
    return 0;
  }
  const command = await (Object.hasOwn(commands, name) ? commands[name]?.() : undefined);
  try {
    if (!command) {
      const near = nearest(name, Object.keys(commands));
      throw new UsageError(`there is no command \`${name}\`${near === undefined ? '' : `; did you mean \`${near}\`?`}`);
    }
    if (rest.includes('--help') || rest.includes('-h')) {
      io.out(helpText(command));
      return 0;
    }
    return await command.run(parseCommand(command, rest, nearest), io);
  } catch (error) {
    return failed(error, command, io, rest.includes('--json'));
  }
}
function failed(error: unknown, command: Command | undefined, io: Io, json: boolean): number {
  if (error instanceof UsageError) {
    io.err(`ssmc: ${error.message}\n${command ? `usage: ssmc ${command.usage}\n` : 'see ssmc --help\n'}`);
    return 2;
  }
  if (error instanceof InputFault || error instanceof SsmcError || (error instanceof Error && error.name === 'InterpretError') || isSystemError(error)) {
    if (json) io.out(`${JSON.stringify({ error: { ...(error instanceof SsmcError ? { code: error.code } : {}), text: error.message } })}\n`);
    io.err(`ssmc: ${error.message}\n`);
    return 1;
  }
  io.err(`ssmc ${version}: a bug of ours: ${error instanceof Error ? error.message : String(error)}\nPlease report it with the spec; SSMC_DEBUG=1 shows where it happened.\n`);
  if (process.env['SSMC_DEBUG'] === '1' && error instanceof Error) io.err(`${error.stack ?? ''}\n`);
  return 3;
}
/** What the system refuses: a folder that isn't there, a file that may not be written. */
const isSystemError = (error: unknown): error is Error => error instanceof Error && 'syscall' in error && 'code' in error;

async function overview(): Promise<string> {
  const all = await Promise.all(Object.values(commands).map((load) => load()));
  return ['ssmc: a compiler for state-space models', '', ...all.map((c) => `  ${c.usage.padEnd(52)} ${c.help.split(/\.(?:\s|$)/)[0] ?? ''}`), '', 'ssmc COMMAND --help says more.', ''].join('\n');
}

function isMain(): boolean {
  try {
    return process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url);
  } catch {
    return false;
  }
}
if (isMain()) {
  process.stdout.on('error', (e: NodeJS.ErrnoException) => process.exit(e.code === 'EPIPE' ? 0 : 3));
  const colour = process.stderr.isTTY && !process.env['NO_COLOR'];
  process.exitCode = await main(process.argv.slice(2), {
    out: (t) => process.stdout.write(t), err: (t) => process.stderr.write(t), cwd: process.cwd(), colour, terminal: process.stderr.isTTY,
  });
}
