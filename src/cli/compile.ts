/** `ssmc compile`: a spec to a module that programs import. */
import { watch } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileBase, generateModule } from '../bindings/generate.js';
import { build, type Built } from './build.js';
import { deny, help, json, model, strategy, type Arguments, type Command } from './command.js';
import type { Io } from './io.js';
import { contentHash, isCurrent, writeOutput, type Output } from './write.js';

export const compileCommand: Command = {
  name: 'compile', usage: 'compile SPEC [-o DIR]',
  help: 'Compiles a spec to kernels and a typed module around them. The folder is replaced all or nothing.',
  options: {
    out: { type: 'string', short: 'o', value: 'DIR', help: 'where to write (default: gen beside the spec)' },
    target: { type: 'string', value: 'NAME', help: 'wasm (default)', choices: ['wasm'] },
    relaxed: { type: 'boolean', help: 'add a relaxed-SIMD build, taken at load where the engine has it' },
    ts: { type: 'boolean', help: 'write TypeScript instead of JavaScript and declarations' },
    watch: { type: 'boolean', help: 'compile again when the spec or what it imports changes' },
    check: { type: 'boolean', help: 'write nothing; exit 1 where the output is stale' },
    strategy, deny, model, json, help,
  },
  run: async (args, io) => (args.flag('watch') ? watching(args, io) : once(args, io)),
};

function once(args: Arguments, io: Io): number {
  const built = build(args, io, { relaxed: args.flag('relaxed') });
  if (!built) return 1;
  const folder = resolve(io.cwd, args.text('out') ?? join(dirname(args.spec()), 'gen'));
  const { output, base } = outputOf(built, args.flag('ts'));
  if (args.flag('check')) {
    const current = isCurrent(folder, output);
    if (args.flag('json')) io.out(`${JSON.stringify({ current })}\n`);
    else if (!current) io.err(`${folder} is stale: run \`ssmc compile\`\n`);
    return current ? 0 : 1;
  }
  writeOutput(folder, output, new RegExp(`^${base}(\\.relaxed)?\\.[0-9a-f]{8}\\.wasm$`), (step) => { if (process.env['SSMC_KILL_AT'] === step) process.kill(process.pid, 'SIGKILL'); });
  const files = [...output.assets.keys(), ...output.entries.keys()];
  if (args.flag('json')) io.out(`${JSON.stringify({ folder, files })}\n`);
  else io.err(`${files.map((f) => join(folder, f)).join('\n')}\n`);
  return 0;
}
export function outputOf(built: Built, typescript: boolean): { output: Output; base: string } {
  const { manifest, wasm, relaxed } = built.module;
  const base = fileBase(manifest.model);
  const assets = new Map<string, Uint8Array>([[`${base}.${contentHash(wasm)}.wasm`, wasm]]);
  const names = { wasm: [...assets.keys()][0] as string, ...(relaxed ? { relaxed: `${base}.relaxed.${contentHash(relaxed)}.wasm` } : {}) };
  if (relaxed && names.relaxed) assets.set(names.relaxed, relaxed);
  const files = generateModule(manifest, { ...names, typescript });
  // Declarations before the code that they describe: the file that is imported comes last.
  const entries = new Map([...files].sort(([a], [b]) => Number(!a.endsWith('.d.ts')) - Number(!b.endsWith('.d.ts')) || (a < b ? -1 : 1)));
  return { output: { entries, assets }, base };
}

function watching(args: Arguments, io: Io): Promise<number> {
  return new Promise(() => {
    let timer: NodeJS.Timeout | undefined;
    const watched = new Map<string, ReturnType<typeof watch>>();
    const again = (): void => {
      try {
        once(args, io);
      } catch (error) {
        io.err(`${error instanceof Error ? error.message : String(error)}\n`);
      }
      const folder = resolve(io.cwd, dirname(args.spec()));
      if (!watched.has(folder)) watched.set(folder, watch(folder, { recursive: true }, (_, name) => {
        if (!name?.endsWith('.ssm')) return;
        clearTimeout(timer);
        timer = setTimeout(again, 50);
      }));
    };
    again();
  });
}
