/** `ssmc check`: what is wrong with specs. */
import { compile } from '../compile.js';
import { deny, help, json, model, type Command } from './command.js';
import { openSpec, report, UsageError } from './io.js';

export const checkCommand: Command = {
  name: 'check', usage: 'check SPEC...', help: 'Reports every error of the specs, and what is proved about their stability.',
  options: { deny, model, json, help },
  run: (args, io) => {
    if (args.positionals.length === 0) throw new UsageError('which spec?');
    let failed = false;
    for (const spec of args.positionals) {
      const opened = openSpec(spec, io);
      const { diagnostics, module } = compile(opened.entry, opened.host, { specHash: '', denyUnstable: args.text('deny') === 'unstable', ...(args.text('model') === undefined ? {} : { model: args.text('model') as string }) });
      failed = report(diagnostics, opened, io, args.flag('json')) || failed;
      if (module && !args.flag('json')) {
        for (const s of module.stability) io.err(`${s.states.join(', ')}: ${s.verdict}, bound ${Number(s.bound.toPrecision(4))}${s.memory === undefined ? '' : `, memory of ${s.memory} steps at most`}\n`);
      }
    }
    return failed ? 1 : 0;
  },
};
