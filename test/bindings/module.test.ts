import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { afterAll, describe, expect, it } from 'vitest';
import { build } from 'esbuild';
import { generateModule } from '../../src/bindings/generate.js';
import { compileText } from '../random/agree.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'ssmc-module-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, 'node_modules'));
symlinkSync(root, join(folder, 'node_modules', 'ssmc'));
writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');

describe('the generated module', () => {
  const spec = readFileSync(join(root, 'examples/mex/mex.ssm'), 'utf8');
  const { module } = compileText(spec);
  if (!module) throw new Error('mex does not compile');
  writeFileSync(join(folder, 'mex.wasm'), module.wasm);

  it('is deterministic and passes tsc --strict, typed by name', () => {
    const options = { wasm: 'mex.wasm', typescript: true };
    const first = generateModule(module.manifest, options);
    expect([...generateModule(module.manifest, options)]).toEqual([...first]);
    for (const [name, text] of first) writeFileSync(join(folder, name), text);
    writeFileSync(join(folder, 'use.ts'), `import { Mex, type MexInputs } from "./mex.js";
export async function use(weights: Uint8Array, inputs: MexInputs): Promise<number> {
  const mex = await Mex.load({ weights });
  await Mex.load({ weights: "mex.safetensors" });
  await Mex.load({ weights: new ArrayBuffer(8) });
  await Mex.load({ weights: { "fusion.logits": { data: new Float32Array(3), shape: [3] } } });
  // @ts-expect-error a device that this module does not have
  await Mex.load({ device: "abacus" });
  const { logits } = await mex.run(inputs, { lengths: [3] });
  const shape: readonly [number, 7] = logits.shape;
  const depth = new Float32Array(192), pressure = new Float32Array(128), accel = new Float32Array(6);
  const { logits: last } = await mex.stream({ batch: 1 }).push({ depth, pressure, accel });
  await mex.run({ depth: { data: depth, shape: [1, 1, 192] }, pressure, accel });
  // @ts-expect-error there is no such modality
  await mex.run({ ...inputs, depth, sonar: depth });
  // @ts-expect-error pressure is missing
  await mex.run({ depth, accel });
  // @ts-expect-error not a tensor
  await mex.run({ depth: 3, pressure, accel });
  // @ts-expect-error rank 2
  await mex.run({ depth: { data: depth, shape: [1, 192] }, pressure, accel });
  // @ts-expect-error 191 features
  await mex.run({ depth: { data: depth, shape: [1, 1, 191] }, pressure, accel });
  // @ts-expect-error float64
  await mex.run({ depth: new Float64Array(192), pressure, accel });
  // @ts-expect-error there is no such output
  (await mex.run(inputs)).classes;
  mex.dispose();
  return shape[0] + last.data.length;
}
`);
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    for (const lib of ['es2022', 'es2022,dom', 'esnext,dom', 'es2023,esnext.disposable']) {
      for (const skip of ['true', 'false']) {
        const options = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--noUnusedLocals', '--noEmit', '--target', 'es2022', '--module', 'nodenext', '--types', '', '--lib', lib, '--skipLibCheck', skip];
        const { stdout, status } = spawnSync(process.execPath, [tsc, ...options, join(folder, 'use.ts')], { cwd: folder, encoding: 'utf8' });
        expect({ lib, skip, stdout, status }).toEqual({ lib, skip, stdout: '', status: 0 });
      }
    }
    writeFileSync(join(folder, 'using.ts'), `import { Mex } from "./mex.js";
export async function use(): Promise<string> {
  using mex = await Mex.load();
  return mex.device.name;
}
`);
    const using = (lib: string): ReturnType<typeof spawnSync> => spawnSync(process.execPath, [tsc, '--strict', '--noEmit', '--target', 'es2022', '--module', 'nodenext', '--types', '', '--lib', lib, join(folder, 'using.ts')], { cwd: folder, encoding: 'utf8' });
    expect(using('es2022,esnext.disposable')).toMatchObject({ stdout: '', status: 0 });
    expect(using('es2022')).toMatchObject({ status: 1, stdout: expect.stringContaining('Disposable') as string });
  });
  it('is bundled for browsers without modules of Node; a runtime that nothing uses is left out', async () => {
    const [js] = [...generateModule(module.manifest, { wasm: 'mex.wasm' })].filter(([n]) => n.endsWith('.js')).map(([, text]) => text);
    const bundle = async (contents: string): Promise<string> => {
      const result = await build({ stdin: { contents, resolveDir: folder, loader: 'ts' }, bundle: true, format: 'esm', write: false, platform: 'browser', treeShaking: true, plugins: [{ name: 'module', setup: (b) => { b.onResolve({ filter: /^model$/ }, () => ({ path: 'model', namespace: 'model' })); b.onLoad({ filter: /./, namespace: 'model' }, () => ({ contents: js ?? '', resolveDir: folder })); } }] });
      expect(result.warnings).toEqual([]);
      return result.outputFiles[0]?.text ?? '';
    };
    const text = await bundle('export { Mex } from "model";');
    expect(text).not.toMatch(/(import|require)[ (]*["'](node:|fs)/);
    expect(text).toContain('new URL("./mex.wasm", import.meta.url)');
    expect((await bundle('import { loadModel } from "ssmc/runtime"; console.log(1);')).replace(/\/\/.*/g, '').trim()).toBe('console.log(1);');
    // Nothing of the world is touched at import.
    const bare = await bundle('import * as runtime from "ssmc/runtime"; globalThis.names = Object.keys(runtime).length;');
    const world = createContext({});
    runInContext(`delete globalThis.WebAssembly; ${bare}`, world);
    expect((world as { names?: number }).names).toBeGreaterThan(5);
  });
  it('runs as JavaScript with the kernels beside it', async () => {
    for (const [name, text] of generateModule(module.manifest, { wasm: 'mex.wasm' })) writeFileSync(join(folder, name), text);
    writeFileSync(join(folder, 'run.mjs'), `import { Mex } from "./mex.js";
const mex = await Mex.load({ weights: ${JSON.stringify(join(root, 'examples/mex/data/coupled.safetensors'))} });
const { logits } = await mex.run({ depth: new Float32Array(192 * 5), pressure: new Float32Array(128 * 5), accel: new Float32Array(6 * 5) });
const dispose = Symbol.dispose ?? Symbol.for("dispose");
console.log(JSON.stringify([logits.shape, logits.data.every(Number.isFinite), mex.device.name, Symbol.dispose === undefined || mex[dispose] === mex.dispose]));
mex.dispose();
await mex.run({}).catch((error) => console.log(error.name, error.code));
`);
    expect(execFileSync(process.execPath, ['run.mjs'], { cwd: folder, encoding: 'utf8' })).toBe('[[1,7],true,"wasm",true]\nDisposedError SSM5401\n');
  });
  it('keeps names of the spec out of its code', () => {
    const hostile = structuredClone(module.manifest) as unknown as { model: string; inputs: { path: string[]; doc?: string }[] };
    hostile.model = 'a"; process.exit(); //';
    (hostile.inputs[0] as { path: string[] }).path = ['__proto__'];
    (hostile.inputs[1] as { path: string[]; doc?: string }).doc = '*/ process.exit(); /* @see `x`';
    const text = [...generateModule(hostile as never, { wasm: 'x.wasm', typescript: true }).values()].join('');
    expect(text).toContain('class a___process_exit_____');
    expect(text).toContain('*\\/ process.exit(); /*');
    expect(text).toContain('readonly "__proto__"');
  });
  it('stays small: runtime, and module with kernels, minified', async () => {
    const js = [...generateModule(module.manifest, { wasm: 'mex.wasm' })].find(([n]) => n.endsWith('.js'))?.[1] ?? '';
    const bundle = async (contents: string): Promise<number> => {
      const result = await build({ stdin: { contents, resolveDir: root, loader: 'ts' }, bundle: true, minify: true, format: 'esm', write: false, platform: 'neutral', external: ['node:*'], alias: { 'ssmc/runtime': join(root, 'src/runtime/index.ts') } });
      return result.outputFiles[0]?.contents.length ?? Infinity;
    };
    const runtime = await bundle('export { loadModel } from "./src/runtime/index.ts";');
    const whole = await bundle(js);
    console.log(`runtime ${runtime} bytes, module ${whole + module.wasm.length} bytes (${module.wasm.length} of them WebAssembly)`);
    expect(runtime).toBeLessThan(20_000);
    expect(module.wasm.length + whole).toBeLessThan(60_000);
  });
});
