import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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
  const { logits } = await mex.run(inputs, { lengths: [3] });
  const shape: readonly [number, 7] = logits.shape;
  await mex.stream().push({ depth: new Float32Array(192), pressure: new Float32Array(128), accel: new Float32Array(6) });
  // @ts-expect-error there is no such modality
  await mex.run({ ...inputs, sonar: new Float32Array(1), depth: 3 });
  mex.dispose();
  return shape[0];
}
`);
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    expect(() => execFileSync(process.execPath, [tsc, '--strict', '--noEmit', '--target', 'es2022', '--module', 'nodenext', '--skipLibCheck', join(folder, 'use.ts')], { cwd: folder, encoding: 'utf8', stdio: 'pipe' })).not.toThrow();
  });
  it('runs as JavaScript with the kernels beside it', async () => {
    for (const [name, text] of generateModule(module.manifest, { wasm: 'mex.wasm' })) writeFileSync(join(folder, name), text);
    writeFileSync(join(folder, 'run.mjs'), `import { Mex } from "./mex.js";
const mex = await Mex.load({ weights: ${JSON.stringify(join(root, 'examples/mex/data/coupled.safetensors'))} });
const { logits } = await mex.run({ depth: new Float32Array(192 * 5), pressure: new Float32Array(128 * 5), accel: new Float32Array(6 * 5) });
console.log(JSON.stringify([logits.shape, logits.data.every(Number.isFinite), mex.device.name]));
`);
    expect(execFileSync(process.execPath, ['run.mjs'], { cwd: folder, encoding: 'utf8' })).toBe('[[1,7],true,"wasm"]\n');
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
    expect(runtime).toBeLessThan(26_000);
    expect(module.wasm.length).toBeLessThan(45_000);
  });
});
