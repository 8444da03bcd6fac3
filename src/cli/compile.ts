/** `ssmc compile`: a spec to a module that programs import. */
import { dirname, join, resolve } from 'node:path';
import { fileBase, generateModule } from '../bindings/generate.js';
import { build, type Built } from './build.js';
import { jsonDiagnostic } from '../diagnostics/render.js';
import { deny, help, json, model, strategy, weights, type Arguments, type Command } from './command.js';
import { UsageError, type Io, type Opened } from './io.js';
import { watching } from './watch.js';
import { contentHash, isCurrent, writeOutput, type Output } from './write.js';

export const compileCommand: Command = {
  name: 'compile', usage: 'compile SPEC [-o DIR]',
  help: 'Compiles a spec to kernels and a typed module around them. The folder is replaced all or nothing.',
  options: {
    out: { type: 'string', short: 'o', value: 'DIR', help: 'where to write (default: gen beside the spec)' },
    target: { type: 'string', multiple: true, value: 'NAME', help: 'wasm, and wgsl for WebGPU beside it (default: both)', choices: ['wasm', 'wgsl'] },
    relaxed: { type: 'boolean', help: 'add a relaxed-SIMD build, taken at load where the engine has it' },
    ts: { type: 'boolean', help: 'write TypeScript instead of JavaScript and declarations' },
    watch: { type: 'boolean', help: 'compile again when the spec or what it imports changes' },
    check: { type: 'boolean', help: 'write nothing; exit 1 where the output is stale' },
    strategy, deny, weights, model, json, help,
  },
  run: (args, io) => {
    if (!args.flag('watch')) return once(args, io);
    if (args.flag('check')) throw new UsageError('--watch or --check, not both');
    return watching(() => attempt(args, io), io);
  },
};

function once(args: Arguments, io: Io, onOpen?: (opened: Opened) => void): number {
  const targets = args.texts('target');
  const webgpu = targets.length === 0 ? 'where-it-fits' : targets.includes('wgsl');
  const built = build(args, io, { relaxed: args.flag('relaxed'), bounds: true, webgpu, ...(onOpen ? { onOpen } : {}) });
  if (!built) return 1;
  const folder = resolve(io.cwd, args.text('out') ?? join(dirname(args.spec()), 'gen'));
  const { output, base } = outputOf(built, args.flag('ts'));
  const diagnostics = built.compilation.diagnostics.map((d) => jsonDiagnostic(d, built.opened.source));
  if (args.flag('check')) {
    const current = isCurrent(folder, output);
    if (args.flag('json')) io.out(`${JSON.stringify({ diagnostics, current })}\n`);
    else if (!current) io.err(`${folder} is stale: run \`ssmc compile\`\n`);
    return current ? 0 : 1;
  }
  writeOutput(folder, output, new RegExp(`^${base}(\\.relaxed)?\\.[0-9a-f]{8}\\.(wasm|wgsl|webgpu\\.json)$`), (step) => { if (process.env['SSMC_KILL_AT'] === step) process.kill(process.pid, 'SIGKILL'); });
  const files = [...output.assets.keys(), ...output.entries.keys()];
  if (args.flag('json')) io.out(`${JSON.stringify({ diagnostics, folder, files })}\n`);
  else io.err(`${files.map((f) => join(folder, f)).join('\n')}\n`);
  return 0;
}
export function outputOf(built: Built, typescript: boolean): { output: Output; base: string } {
  const { manifest, wasm, relaxed, webgpu } = built.module;
  const base = fileBase(manifest.model);
  const assets = new Map<string, Uint8Array>();
  const add = (kind: string, ending: string, bytes: Uint8Array): string => {
    const name = `${base}${kind}.${contentHash(bytes)}.${ending}`;
    assets.set(name, bytes);
    return name;
  };
  const text = (of: string): Uint8Array => new TextEncoder().encode(of);
  const names = {
    wasm: add('', 'wasm', wasm), ...(relaxed ? { relaxed: add('.relaxed', 'wasm', relaxed) } : {}),
    ...(webgpu ? { webgpu: { wgsl: add('', 'wgsl', text(webgpu.wgsl)), plan: add('', 'webgpu.json', text(JSON.stringify({ manifest: { ...webgpu.manifest, spec: manifest.spec }, load: Buffer.from(webgpu.load).toString('base64') }))) } } : {}),
  };
  const files = generateModule(manifest, { ...names, typescript });
  // Declarations before the code that they describe: the file that is imported comes last.
  const entries = new Map([...files].sort(([a], [b]) => Number(!a.endsWith('.d.ts')) - Number(!b.endsWith('.d.ts')) || (a < b ? -1 : 1)));
  return { output: { entries, assets }, base };
}

/** Once, whatever happens; and what it depends on. */
function attempt(args: Arguments, io: Io): readonly string[] {
  let touched = (): readonly string[] => [resolve(io.cwd, args.spec())];
  try {
    once(args, io, (opened) => { touched = opened.touched; });
  } catch (error) {
    if (error instanceof UsageError) throw error;
    io.err(`ssmc: ${error instanceof Error ? error.message : String(error)}\n`);
  }
  const files = touched();
  io.err(`watching ${files.length} ${files.length === 1 ? 'file' : 'files'}\n`);
  return files;
}
