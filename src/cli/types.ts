/** `ssmc types`: declarations beside specs that a bundler's plugin imports, so that types can be checked before anything is bundled. */
import { resolve } from 'node:path';
import { compileSpec, declarationsPath, writeDeclarations } from '../plugin/spec.js';
import { help, json, type Command } from './command.js';
import { UsageError } from './io.js';

export const typesCommand: Command = {
  name: 'types', usage: 'types SPEC...',
  help: 'Writes the declarations that the bundler plugin writes: mex.ssm.d.ts beside mex.ssm, so that TypeScript knows `import { Mex } from "./mex.ssm"`.',
  options: {
    arbitrary: { type: 'boolean', help: 'as mex.d.ssm.ts, for `nodenext` with `"allowArbitraryExtensions": true`' },
    json, help,
  },
  run: (args, io) => {
    if (args.positionals.length === 0) throw new UsageError('which specs?');
    const where = args.flag('arbitrary') ? 'arbitrary' : 'beside';
    let failed = false;
    const files: string[] = [];
    for (const spec of args.positionals) {
      const file = resolve(io.cwd, spec);
      const { declarations, complaints } = compileSpec(file, { targets: ['wasm'] });
      if (declarations === undefined) {
        failed = true;
        for (const c of complaints.filter((o) => o.severity === 'error')) io.err(`${c.text}\n${c.frame}\n\n`);
      } else {
        writeDeclarations(file, declarations, where);
        files.push(declarationsPath(file, where));
      }
    }
    if (args.flag('json')) io.out(`${JSON.stringify({ files })}\n`);
    else for (const f of files) io.err(`${f}\n`);
    return failed ? 1 : 0;
  },
};
