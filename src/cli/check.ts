/** `ssmc check`: what is wrong with specs. */
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { compile } from '../compile.js';
import { deny, help, json, model, weights, type Arguments, type Command } from './command.js';
import { InputFault, openSpec, reportWith, UsageError, type Io, type Opened } from './io.js';
import { stabilityJson, stabilityText } from '../explain/stability.js';
import { demandWeights, openTensors, weightIntervals } from './tensors.js';

export const checkCommand: Command = {
  name: 'check', usage: 'check SPEC...', help: 'Reports every error of the specs, and what is proved about their stability.',
  options: { deny, weights, model, json, help },
  run: (args, io) => {
    if (args.positionals.length === 0) throw new UsageError('which spec?');
    if (args.text('weights') !== undefined) args.spec();
    const opened: Opened[] = [];
    const diagnostics: Diagnostic[] = [];
    const stability: object[] = [];
    const unreadable: string[] = [];
    for (const spec of args.positionals) {
      try {
        const found = checkOne(spec, args, io, opened);
        diagnostics.push(...found.diagnostics.filter((d) => !diagnostics.some((o) => same(o, d))));
        stability.push(...found.stability.map((s) => ({ spec, ...stabilityJson(s) })));
        if (!args.flag('json')) for (const s of found.stability) io.err(`${args.positionals.length > 1 ? `${spec}: ` : ''}${stabilityText(s)}\n`);
      } catch (error) {
        if (!(error instanceof InputFault)) throw error;
        unreadable.push(error.message);
        io.err(`ssmc: ${error.message}\n`);
      }
    }
    const source = (file: string): string | undefined => opened.map((o) => o.source(file)).find((t) => t !== undefined);
    const failed = reportWith(diagnostics, source, io, args.flag('json') ? { stability, unreadable } : undefined);
    return failed || unreadable.length > 0 ? 1 : 0;
  },
};

function checkOne(spec: string, args: Arguments, io: Io, all: Opened[]): { diagnostics: readonly Diagnostic[]; stability: NonNullable<ReturnType<typeof compile>['module']>['stability'] } {
  const opened = openSpec(spec, io);
  all.push(opened);
  const file = args.text('weights');
  const tensors = file === undefined ? undefined : openTensors(file, 'weights', io);
  const name = args.text('model');
  const { diagnostics, module } = compile(opened.entry, opened.host, {
    specHash: '', denyUnstable: args.text('deny') === 'unstable', ...(name === undefined ? {} : { model: name }), ...(tensors ? { weights: weightIntervals(tensors) } : {}),
  });
  if (tensors && module) demandWeights(tensors, module.manifest);
  return { diagnostics, stability: module?.stability ?? [] };
}
/** A file that several specs import is reported once. */
const same = (a: Diagnostic, b: Diagnostic): boolean => a.code === b.code && a.text === b.text && a.span.file === b.span.file && a.span.start === b.span.start;
