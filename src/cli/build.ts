/** Compiling for commands: open, compile, report. */
import { compile, type Compilation, type CompiledModule, type CompileOptions } from '../compile.js';
import type { Stored } from '../ir/kernel.js';
import type { Strategy } from '../ir/stages.js';
import type { Program } from '../ir/program.js';
import type { Arguments } from './command.js';
import { openSpec, report, type Io, type Opened } from './io.js';
import { Progress } from './progress.js';
import { demandWeights, openTensors, weightIntervals } from './tensors.js';

export interface Built {
  readonly opened: Opened;
  readonly compilation: Compilation;
  readonly program: Program;
  readonly module: CompiledModule;
}
export interface BuildOptions extends Partial<CompileOptions> {
  /** Warnings are left out. */
  readonly quiet?: boolean;
  /** `--weights` sharpens the stability bounds. */
  readonly bounds?: boolean;
  /** Sees the spec as soon as it is open. */
  readonly onOpen?: (opened: Opened) => void;
}
/** Undefined where errors were reported: exit 1. */
export function build(args: Arguments, io: Io, { quiet = false, bounds = false, onOpen, ...more }: BuildOptions = {}): Built | undefined {
  const opened = openSpec(args.spec(), io);
  onOpen?.(opened);
  const file = bounds ? args.text('weights') : undefined;
  const tensors = file === undefined ? undefined : openTensors(file, 'weights', io);
  const progress = new Progress(io);
  // The hash is over what the compiler reads, so a first look reads all of it.
  const options = (specHash: string): CompileOptions => ({
    specHash, strategy: (args.text('strategy') ?? 'auto') as 'auto' | Strategy, denyUnstable: args.text('deny') === 'unstable', storage: (args.text('storage') ?? 'f32') as Stored,
    ...(args.text('model') === undefined ? {} : { model: args.text('model') as string }),
    ...(tensors ? { weights: weightIntervals(tensors) } : {}), ...more,
    onPass: (name, why, program) => {
      progress.step(`compiling: ${name}`);
      more.onPass?.(name, why, program);
    },
  });
  const first = compile(opened.entry, opened.host, options(''));
  progress.done();
  const failed = first.diagnostics.some((d) => d.severity === 'error') || !first.program || !first.module;
  if (failed || !quiet && !args.flag('json')) report(first.diagnostics, opened, io, args.flag('json'));
  if (failed || !first.program || !first.module) return undefined;
  if (tensors) demandWeights(tensors, first.module.manifest);
  const module = { ...first.module, manifest: { ...first.module.manifest, spec: opened.hash() } };
  return { opened, compilation: first, program: first.program, module };
}
