/** `ssmc compile`: a spec to a module that programs import. */
import { statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileBase, generateModule } from '../bindings/generate.js';
import { build, type Built } from './build.js';
import { jsonDiagnostic } from '../diagnostics/render.js';
import { deny, help, json, model, storage, storedOf, strategy, weights, type Arguments, type Command } from './command.js';
import { InputFault, UsageError, type Io, type Opened } from './io.js';
import { checkArchitectures, compileImages, DEFAULT_ARCH, hasNvcc, type Image } from './nvcc.js';
import { watching } from './watch.js';
import { options as cudaOptions } from '../../targets/cuda/index.js';
import { contentHash, isCurrent, writeOutput, type Output } from './write.js';

export const compileCommand: Command = {
  name: 'compile', usage: 'compile SPEC [-o DIR]',
  help: 'Compiles a spec to kernels and a typed module around them. The folder is replaced all or nothing.',
  options: {
    out: { type: 'string', short: 'o', value: 'DIR', help: 'where to write (default: gen beside the spec)' },
    target: { type: 'string', multiple: true, value: 'NAME', help: 'wasm, with wgsl for WebGPU or cuda beside it (default: wasm and wgsl)', choices: ['wasm', 'wgsl', 'cuda'] },
    arch: { type: 'string', multiple: true, value: 'NAME', help: `with \`--target cuda\` and nvcc on the path: also PTX and machine code for it (default: ${DEFAULT_ARCH})` },
    relaxed: { type: 'boolean', help: 'add a relaxed-SIMD build, taken at load where the engine has it' },
    ts: { type: 'boolean', help: 'write TypeScript instead of JavaScript and declarations' },
    watch: { type: 'boolean', help: 'compile again when the spec or what it imports changes' },
    check: { type: 'boolean', help: 'write nothing; exit 1 where the output is stale' },
    strategy, storage, deny, weights, model, json, help,
  },
  run: (args, io) => {
    if (!args.flag('watch')) return once(args, io);
    if (args.flag('check')) throw new UsageError('--watch or --check, not both');
    return watching(() => attempt(args, io), io);
  },
};

function once(args: Arguments, io: Io, onOpen?: (opened: Opened) => void): number {
  const targets = args.texts('target');
  const stored = storedOf(args);
  if (stored && targets.length > 0 && !targets.includes('wgsl') && !targets.includes('cuda')) throw new UsageError(`--storage ${stored} is for --target wgsl or cuda`);
  const webgpu = targets.length === 0 ? 'where-it-fits' : targets.includes('wgsl');
  const cuda = targets.includes('cuda');
  const architectures = args.texts('arch');
  if (architectures.length > 0 && !cuda) throw new UsageError('--arch goes with --target cuda');
  checkArchitectures(architectures);
  const built = build(args, io, { relaxed: args.flag('relaxed'), bounds: true, webgpu, cuda, ...(onOpen ? { onOpen } : {}) });
  if (!built) return 1;
  const folder = resolve(io.cwd, args.text('out') ?? join(dirname(args.spec()), 'gen'));
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === false) throw new InputFault(`\`${folder}\` is a file, not a folder`);
  const { output, base } = outputOf(built, args.flag('ts'), imagesOf(built, architectures, io));
  const diagnostics = built.compilation.diagnostics.map((d) => jsonDiagnostic(d, built.opened.source));
  if (args.flag('check')) {
    const current = isCurrent(folder, output);
    if (args.flag('json')) io.out(`${JSON.stringify({ diagnostics, current })}\n`);
    else if (!current) io.err(`${folder} is stale: run \`ssmc compile\`\n`);
    return current ? 0 : 1;
  }
  writeOutput(folder, output, new RegExp(`^${base}(\\.relaxed|(\\.shader-f16)?(\\.subgroups)?|\\.sm_\\w+)?\\.[0-9a-f]{8}\\.(wasm|wgsl|webgpu\\.json|cu|cuda\\.json|ptx|cubin)$`), (step) => { if (process.env['SSMC_KILL_AT'] === step) process.kill(process.pid, 'SIGKILL'); });
  const files = [...output.assets.keys(), ...output.entries.keys()];
  if (args.flag('json')) io.out(`${JSON.stringify({ diagnostics, folder, files })}\n`);
  else io.err(`${files.map((f) => join(folder, f)).join('\n')}\n`);
  return 0;
}
/** The kernels of CUDA compiled; none where nvcc is missing: the source is then compiled when the model is loaded. */
function imagesOf(built: Built, architectures: readonly string[], io: Io): readonly Image[] {
  const { cuda: made } = built.module;
  if (!made) return [];
  if (hasNvcc()) return compileImages(made.source, architectures.length > 0 ? architectures : [DEFAULT_ARCH], cudaOptions);
  io.err('nvcc is not on the path: the CUDA source is compiled when the model is loaded\n');
  return [];
}
export function outputOf(built: Built, typescript: boolean, images: readonly Image[] = []): { output: Output; base: string } {
  const { manifest, wasm, relaxed, webgpu, cuda } = built.module;
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
    ...(webgpu ? { webgpu: { wgsl: add('', 'wgsl', text(webgpu.wgsl)), variants: webgpu.variants.map(({ features, wgsl }) => ({ features, wgsl: add(`.${features.join('.')}`, 'wgsl', text(wgsl)) })), plan: add('', 'webgpu.json', text(JSON.stringify({ manifest: { ...webgpu.manifest, spec: manifest.spec }, load: Buffer.from(webgpu.load).toString('base64') }))) } } : {}),
  };
  const cudaPlan = (): { cuda?: { plan: string } } => {
    if (!cuda) return {};
    const source = add('', 'cu', text(cuda.source));
    const compiled = images.map(({ arch, ptx, cubin }) => ({ arch, ptx: add(`.${arch}`, 'ptx', ptx), cubin: add(`.${arch}`, 'cubin', cubin) }));
    return { cuda: { plan: add('', 'cuda.json', text(JSON.stringify({ manifest: { ...cuda.manifest, spec: manifest.spec }, load: Buffer.from(cuda.load).toString('base64'), source, options: cudaOptions, images: compiled }))) } };
  };
  const files = generateModule(manifest, { ...names, ...cudaPlan(), typescript });
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
