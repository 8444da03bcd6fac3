/** `ssmc init`: a project that builds and runs as it is, to be changed from there. It asks nothing of the network. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { check } from '../check/index.js';
import { Diagnostics } from '../diagnostics/diagnostic.js';
import { initialise } from '../interpreter/initialise.js';
import { Builder } from '../ir/builder.js';
import { writeSafetensors } from '../runtime/index.js';
import { help, json, type Command } from './command.js';
import { InputFault, standardLibrary, UsageError } from './io.js';
import { filesOf, type Template } from './template.js';

export const initCommand: Command = {
  name: 'init', usage: 'init [DIR] [--template page|node]',
  help: 'Writes a small project that builds: a spec, its weights, and a web page by vite or a script for Node. An empty folder is asked for.',
  options: {
    template: { type: 'string', value: 'NAME', help: 'page (default): a web page, built by vite; node: a script', choices: ['page', 'node'] },
    json, help,
  },
  run: (args, io) => {
    if (args.positionals.length > 1) throw new UsageError(`one folder, not ${args.positionals.length}`);
    const folder = resolve(io.cwd, args.positionals[0] ?? '.');
    const there = entries(folder);
    if (there.length > 0) throw new InputFault(`\`${args.positionals[0] ?? '.'}\` is not empty: it has ${there.slice(0, 3).map((f) => `\`${f}\``).join(', ')}${there.length > 3 ? ` and ${there.length - 3} more` : ''}`);
    const { files, spec, weights, next } = filesOf((args.text('template') ?? 'page') as Template, packageName(basename(folder)));
    for (const [path, text] of Object.entries(files)) write(join(folder, path), text);
    write(join(folder, weights), initialised(files[spec] ?? ''));
    const names = [...Object.keys(files), weights].sort();
    if (args.flag('json')) io.out(`${JSON.stringify({ folder, files: names, next })}\n`);
    else {
      const where = relative(io.cwd, folder);
      io.err(`${names.map((n) => join(folder, n)).join('\n')}\n\nnext:\n${[...(where === '' ? [] : [`cd ${where}`]), ...next].map((line) => `  ${line}\n`).join('')}`);
    }
    return 0;
  },
};
/** What is in a folder, but for what a repository or an editor puts there. */
function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((f) => f !== '.git' && f !== '.DS_Store');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') throw new InputFault(`\`${folder}\` is a file, not a folder`);
    throw error;
  }
}
function write(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
/** What npm takes as a name. */
const packageName = (name: string): string => name.toLowerCase().replace(/[^a-z0-9._-]+/g, '-').replace(/^[._-]+/, '') || 'strings';
function initialised(text: string): Uint8Array {
  const { program } = check('strings.ssm', { read: (p) => (p === 'strings.ssm' ? text : undefined), std: standardLibrary() }, new Builder(), new Diagnostics());
  if (!program) throw new Error('the template does not compile');
  return writeSafetensors(new Map([...initialise(program, 0)].map(([n, t]) => [n, { shape: t.shape, data: Float32Array.from(t.data) }])));
}
