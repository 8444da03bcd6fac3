/** `ssmc format`: files in their canonical layout, in place, or standard input to standard output. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { SyntaxFault } from '../../grammar/ast.js';
import { format } from '../../grammar/formatter.js';
import { Diagnostics, type Diagnostic } from '../diagnostics/diagnostic.js';
import type { Code } from '../diagnostics/messages.js';
import { help, json, type Arguments, type Command } from './command.js';
import { InputFault, readBytes, reportWith, UsageError, type Io } from './io.js';
import { replaceFile } from './write.js';

export const formatCommand: Command = {
  name: 'format', usage: 'format SPEC... [--check] | format -',
  help: 'Lays out specs: rewrites files in place, each at once. A file with faults is reported and left alone. `-` reads standard input and writes standard output.',
  options: {
    check: { type: 'boolean', help: 'write nothing; list the files that would change, and exit 1 where there are any' },
    stdin: { type: 'boolean', help: 'the same as `-`' },
    json, help,
  },
  run: (args, io) => {
    const stdin = args.flag('stdin') || args.positionals.includes('-');
    if (stdin && args.positionals.some((p) => p !== '-')) throw new UsageError('files or standard input, not both');
    if (stdin) return fromStdin(args, io);
    if (args.positionals.length === 0) throw new UsageError('which specs?');
    return files(args, io);
  },
};

interface Result {
  readonly file: string;
  readonly changed: boolean;
  readonly faults: readonly Diagnostic[];
  readonly source: string;
}

function files(args: Arguments, io: Io): number {
  const check = args.flag('check');
  const results = args.positionals.map((file): Result => {
    const source = decode(readBytes(file, 'the spec', io), file);
    const done = layOut(source, file);
    if (typeof done !== 'string') return { file, changed: false, faults: done, source };
    if (done !== source && !check) replaceFile(resolve(io.cwd, file), done);
    return { file, changed: done !== source, faults: [], source };
  });
  const source = (file: string): string | undefined => results.find((r) => r.file === file)?.source;
  const faults = results.flatMap((r) => r.faults);
  const changed = results.filter((r) => r.changed).map((r) => r.file);
  if (args.flag('json')) reportWith(faults, source, io, { [check ? 'different' : 'changed']: changed });
  else {
    for (const file of changed) (check ? io.out : io.err)(`${file}\n`);
    reportWith(faults, source, io);
  }
  return faults.length > 0 || check && changed.length > 0 ? 1 : 0;
}

function fromStdin(args: Arguments, io: Io): number {
  const name = 'standard input';
  const source = decode(io.stdin?.() ?? new Uint8Array(readFileSync(0)), name);
  const done = layOut(source, name);
  if (typeof done !== 'string') {
    reportWith(done, () => source, io, args.flag('json') ? {} : undefined);
    return 1;
  }
  if (args.flag('json')) io.out(`${JSON.stringify({ diagnostics: [], changed: done !== source, text: done })}\n`);
  else if (!args.flag('check')) io.out(done);
  return args.flag('check') && done !== source ? 1 : 0;
}

/** The text, or what is wrong with it. */
function layOut(source: string, file: string): string | readonly Diagnostic[] {
  const done = format(source, file);
  return 'text' in done ? done.text : toDiagnostics(done.faults);
}
function toDiagnostics(faults: readonly SyntaxFault[]): readonly Diagnostic[] {
  const diagnostics = new Diagnostics();
  for (const f of faults) diagnostics.error(f.code as Code, f.span, f.args as never);
  return diagnostics.list;
}
/** Bytes that aren't text would not come back as they were. */
function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InputFault(`\`${file}\` is not UTF-8 text`);
  }
}
