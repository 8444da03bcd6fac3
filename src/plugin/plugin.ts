/**
 * The bundler plugin: `import { Mex } from "./mex.ssm"`. Everything that is a bundler's own is here: how a kernel becomes an asset, how
 * an error is shown at its place, what a change of a file reaches.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { OnLoadResult, PartialMessage, PluginBuild } from 'esbuild';
import { createUnplugin, type UnpluginContextMeta, type UnpluginOptions } from 'unplugin';
import { compileSpec, splitId, withUrls, writeDeclarations, type CompiledSpec, type Complaint, type SsmcOptions } from './spec.js';

const isSpec = /\.ssm(\?model=\w+)?$/;

export const unplugin = createUnplugin<SsmcOptions | undefined>((options = {}, { framework }: UnpluginContextMeta) => {
  const compiled = (id: string): CompiledSpec => {
    const made = compileSpec(id, options);
    if (made.declarations !== undefined && options.types !== 'none' && splitId(id).model === undefined) writeDeclarations(splitId(id).file, made.declarations, options.types ?? 'beside');
    return made;
  };
  if (framework === 'esbuild') return { name: 'ssmc', esbuild: { setup: (build) => esbuildPlugin(build, compiled) } };
  if (framework === 'webpack') return webpackPlugin(compiled);
  // Rollup counts columns from 0; vite shows them, and opens editors, from 1.
  return rollupPlugin(compiled, framework === 'vite' ? 1 : 0);
});

/** What rollup and vite give the hooks. */
interface Context {
  readonly emitFile: (asset: { readonly type: 'asset'; readonly name: string; readonly source: Uint8Array }) => string;
  readonly error: (error: object) => never;
  /** Of vite: `server` where the module is for Node. */
  readonly environment?: { readonly config: { readonly consumer: string } };
}

function rollupPlugin(compiled: (id: string) => CompiledSpec, firstColumn: number): UnpluginOptions {
  /** Specs by the files that they were made from, errors or not. */
  const madeFrom = new Map<string, Set<string>>();
  let serving = false;
  return {
    name: 'ssmc',
    load: {
      filter: { id: isSpec },
      handler(id) {
        const { touched, complaints, code, assets } = compiled(id);
        for (const file of touched) {
          this.addWatchFile(file);
          madeFrom.set(file, (madeFrom.get(file) ?? new Set()).add(splitId(id).file));
        }
        for (const c of complaints) if (c.severity === 'warning') this.warn({ message: `${c.text}\n${c.frame}`, id: c.file });
        const native = this as unknown as Context;
        if (code === undefined) return native.error(rollupError(complaints.filter((c) => c.severity === 'error'), firstColumn));
        const source = (name: string): Uint8Array => assets.get(name) ?? new Uint8Array();
        // A development server has no assets, a test runner no server, and vite writes none for Node: there they lie in the module itself.
        const within = serving || native.environment?.config.consumer === 'server';
        return withUrls(code, (name) => (within ? `new URL(${JSON.stringify(dataUrl(name, source(name)))})` : `new URL(import.meta.ROLLUP_FILE_URL_${native.emitFile({ type: 'asset', name: plainName(name), source: source(name) })}, import.meta.url)`));
      },
    },
    rollup: { resolveId: resolveModel },
    vite: {
      resolveId: resolveModel,
      // Named before they are met: else the server would find them late, and load the page again.
      config: () => ({ optimizeDeps: { include: ['ssmc/runtime', 'ssmc/runtime/webgpu'] } }),
      configResolved(config) {
        serving = config.command === 'serve';
      },
      hotUpdate({ file, modules }) {
        const specs = [...(madeFrom.get(resolve(file)) ?? [])].flatMap((spec) => [...(this.environment.moduleGraph.getModulesByFile(spec.replaceAll('\\', '/')) ?? [])]);
        return [...new Set([...modules, ...specs])];
      },
    },
  };
}
/** `./mex.ssm?model=Mex` from a spec of several models: rollup looks for a file of that name otherwise. */
const resolveModel = (id: string, importer: string | undefined): string | undefined => (/\.ssm\?model=\w+$/.test(id) && importer !== undefined && isSpec.test(importer) ? resolve(dirname(splitId(importer).file), id) : undefined);
function rollupError(errors: readonly Complaint[], firstColumn: number): object {
  const [first] = errors;
  const more = errors.slice(1).map((c) => `\n${c.text}\n${c.frame}`).join('');
  return { message: `${first?.text ?? 'it does not compile'}${more}`, id: first?.file, loc: { file: first?.file, line: first?.line, column: (first?.column ?? 0) + firstColumn }, frame: first?.frame, plugin: 'ssmc' };
}
/** Bundlers put a hash of their own into names. */
const plainName = (name: string): string => name.replace(/\.[0-9a-f]{8}(?=\.)/, '');
const dataUrl = (name: string, bytes: Uint8Array): string => `data:${name.endsWith('.wasm') ? 'application/wasm' : 'text/plain'};base64,${Buffer.from(bytes).toString('base64')}`;

function webpackPlugin(compiled: (id: string) => CompiledSpec): UnpluginOptions {
  let folder = '';
  return {
    name: 'ssmc',
    webpack: (compiler) => {
      folder = join(compiler.context, 'node_modules', '.cache', 'ssmc');
    },
    load: {
      filter: { id: isSpec },
      handler(id) {
        const { touched, complaints, code, assets } = compiled(id);
        for (const file of touched) this.addWatchFile(file);
        for (const c of complaints) if (c.severity === 'warning') this.warn(`${c.text}\n${c.frame}`);
        if (code === undefined) throw new Error(complaints.filter((c) => c.severity === 'error').map((c) => `${c.text}\n${c.frame}`).join('\n\n'));
        // webpack makes assets of files that `new URL` names. Names hold the content's hash, so files never change.
        mkdirSync(folder, { recursive: true });
        return withUrls(code, (name) => {
          writeFileSync(join(folder, name), assets.get(name) ?? '');
          return `new URL(${JSON.stringify(join(folder, name))}, import.meta.url)`;
        });
      },
    },
  };
}

function esbuildPlugin(build: PluginBuild, compiled: (id: string) => CompiledSpec): void {
  const kernels = new Map<string, Uint8Array>();
  build.onResolve({ filter: /^ssmc-kernel:/ }, ({ path }) => ({ path: path.slice('ssmc-kernel:'.length), namespace: 'ssmc-kernel' }));
  build.onLoad({ filter: /.*/, namespace: 'ssmc-kernel' }, ({ path }) => ({ contents: kernels.get(path) ?? '', loader: 'file' }));
  build.onLoad({ filter: /\.ssm$/ }, ({ path, suffix }): OnLoadResult => {
    const { touched, complaints, code, assets } = compiled(`${path}${suffix}`);
    const told = { watchFiles: [...touched], errors: messages(complaints, 'error'), warnings: messages(complaints, 'warning'), resolveDir: dirname(path) };
    if (code === undefined) return told;
    const imports: string[] = [];
    const contents = withUrls(code, (name) => {
      kernels.set(name, assets.get(name) ?? new Uint8Array());
      return `new URL(kernel${imports.push(name) - 1}, import.meta.url)`;
    });
    return { ...told, contents: `${imports.map((name, k) => `import kernel${k} from ${JSON.stringify(`ssmc-kernel:${name}`)};\n`).join('')}${contents}`, loader: 'js' };
  });
}
function messages(complaints: readonly Complaint[], severity: Complaint['severity']): PartialMessage[] {
  return complaints.filter((c) => c.severity === severity).map((c) => ({
    text: c.text, location: { file: c.file, line: c.line, column: c.column, length: c.length, lineText: c.lineText }, notes: c.notes.map((text) => ({ text })),
  }));
}
