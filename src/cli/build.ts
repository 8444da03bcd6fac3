/** Compiling for commands: open, compile, report. */
import { compile, type Compilation, type CompiledModule, type CompileOptions } from '../compile.js';
import type { Strategy } from '../ir/stages.js';
import type { Program } from '../ir/program.js';
import type { Arguments } from './command.js';
import { openSpec, report, type Io, type Opened } from './io.js';

export interface Built {
  readonly opened: Opened;
  readonly compilation: Compilation;
  readonly program: Program;
  readonly module: CompiledModule;
}
/** Undefined where errors were reported: exit 1. */
export function build(args: Arguments, io: Io, more: Partial<CompileOptions> = {}, quiet = false): Built | undefined {
  const opened = openSpec(args.spec(), io);
  // The hash is over what the compiler reads, so a first look reads all of it.
  const options = (specHash: string): CompileOptions => ({
    specHash, strategy: (args.text('strategy') ?? 'auto') as 'auto' | Strategy, denyUnstable: args.text('deny') === 'unstable',
    ...(args.text('model') === undefined ? {} : { model: args.text('model') as string }), ...more,
  });
  const first = compile(opened.entry, opened.host, options(''));
  const failed = first.diagnostics.some((d) => d.severity === 'error') || !first.program || !first.module;
  if (failed || !quiet) report(first.diagnostics, opened, io, failed && args.flag('json'));
  if (failed || !first.program || !first.module) return undefined;
  const module = { ...first.module, manifest: { ...first.module.manifest, spec: opened.hash() } };
  return { opened, compilation: first, program: first.program, module };
}
