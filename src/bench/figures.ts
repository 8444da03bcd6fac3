/** What is not a race: how long a compile takes, and how many bytes the products have. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { generateModule } from '../bindings/generate.js';
import { packageRoot } from '../cli/io.js';
import type { Bench, Figure, FigureSheet } from './contest.js';
import { exampleText } from './models/description.js';
import { compileSpec } from './ours.js';
import { scratchFolder } from './peer-process.js';

const compileTime: Bench = {
  name: 'compile', title: 'compiling the MOSEI model',
  run: async ({ rounds, onProgress }) => {
    const source = exampleText('coupled-mamba/mosei.ssm');
    const best = { command: Infinity, compiler: Infinity };
    const program = join(packageRoot(), 'dist/src/cli/main.js');
    for (let round = 0; round < rounds; round++) {
      onProgress?.(`compile: round ${round + 1}`);
      const start = performance.now();
      compileSpec(source);
      best.compiler = Math.min(best.compiler, performance.now() - start);
      if (existsSync(program)) best.command = Math.min(best.command, commandMs(program));
    }
    const figures: Figure[] = [
      { name: 'ssmc compile, the whole command', unit: 's', atMost: 2, ...(best.command === Infinity ? { remark: 'the package is not built' } : { value: best.command / 1000 }) },
      { name: 'the compiler alone, in a warm process', unit: 's', value: best.compiler / 1000 },
    ];
    return [{ kind: 'figures', name: compileTime.name, title: compileTime.title, figures, notes: [`minimum of ${rounds}; the command starts Node, compiles and writes the module`] }];
  },
};
function commandMs(program: string): number {
  const start = performance.now();
  const done = spawnSync(process.execPath, [program, 'compile', join(packageRoot(), 'examples/coupled-mamba/mosei.ssm'), '-o', join(scratchFolder(), 'mosei')], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`ssmc compile failed: ${done.stderr}`);
  return performance.now() - start;
}

interface Bundler {
  build(options: Record<string, unknown>): Promise<{ readonly outputFiles: readonly { readonly contents: Uint8Array }[] }>;
}
/** A development dependency: absent from installations of the package. */
async function bundler(): Promise<Bundler | undefined> {
  try {
    return (await import('esbuild')) as unknown as Bundler;
  } catch {
    return undefined;
  }
}
const KB = 1000;

const sizes: Bench = {
  name: 'size', title: 'bytes of the products, minified',
  run: async () => {
    const { module } = compileSpec(exampleText('mex/mex.ssm'));
    const esbuild = await bundler();
    const code = [...generateModule(module.manifest, { wasm: 'mex.wasm' })].find(([name]) => name.endsWith('.js'))?.[1] ?? '';
    const runtime = runtimeEntry();
    const minified = async (contents: string, options: Record<string, unknown> = {}): Promise<number | undefined> => {
      const made = await esbuild?.build({ stdin: { contents, resolveDir: packageRoot(), loader: 'ts' }, bundle: true, minify: true, format: 'esm', write: false, platform: 'neutral', ...options });
      return made?.outputFiles[0]?.contents.length;
    };
    const alone = await minified(code, { external: ['ssmc/runtime'] });
    const whole = await minified(code, { alias: { 'ssmc/runtime': runtime } });
    const engine = await minified(`export { loadModel } from ${JSON.stringify(runtime)};`);
    const wasm = module.wasm.length;
    const figure = (name: string, bytes: number | undefined, atMost?: number): Figure =>
      ({ name, unit: 'KB', ...(bytes === undefined ? { remark: 'no esbuild here' } : { value: bytes / KB }), ...(atMost === undefined ? {} : { atMost }) });
    const sheet: FigureSheet = {
      kind: 'figures', name: sizes.name, title: sizes.title,
      figures: [
        figure('mex module, code, WebAssembly and the runtime it uses', whole === undefined ? undefined : whole + wasm, 60),
        figure('of which WebAssembly', wasm), figure('of which code of its own', alone), figure('runtime', engine, 20),
      ],
      notes: ['by esbuild, not compressed, 1 KB being 1000 bytes; without weights'],
    };
    return [sheet];
  },
};
function runtimeEntry(): string {
  const built = join(packageRoot(), 'dist/src/runtime/index.js');
  return existsSync(built) ? built : join(packageRoot(), 'src/runtime/index.ts');
}

export const figureBenches: readonly Bench[] = [compileTime, sizes];
