/** The relaxed build in a Node that has relaxed SIMD: a child process, since the flag is the engine's. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const SEEDS = 40;
const script = `
import { readFileSync, readdirSync } from 'node:fs';
import { compile } from './dist/src/compile.js';
import { initialise } from './dist/src/interpreter/initialise.js';
import { interpret } from './dist/src/interpreter/interpret.js';
import { Random } from './dist/src/interpreter/random.js';
import { normwise, runModel } from './dist/src/cli/tensors.js';
import { loadModel } from './dist/src/runtime/index.js';
const std = new Map(readdirSync('grammar/std').filter((f) => f.endsWith('.ssm')).map((f) => ['std/' + f, readFileSync('grammar/std/' + f, 'utf8')]));
const out = [];
for (const { name, text } of JSON.parse(readFileSync(0, 'utf8'))) {
  const { program, module } = compile('spec.ssm', { std, read: (p) => (p === 'spec.ssm' ? text : undefined) }, { specHash: '', relaxed: true });
  const weights = new Map([...initialise(program, 1)].map(([n, t]) => [n, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
  const random = new Random(1, name);
  const inputs = new Map(program.inputs.flatMap((port) => port.tensors.map((t) => {
    const shape = [2, ...(program.definitions[port.def].time ? [37] : []), ...t.shape];
    return [t.name, { shape, data: Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.fround(random.uniform() * 2 - 1)) }];
  })));
  const model = await loadModel(module.manifest, { wasm: module.wasm, relaxed: module.relaxed }, { weights: Object.fromEntries(weights) });
  const got = await runModel(model, inputs);
  let worst = 0;
  for (const [output, t] of interpret(program, weights, inputs, {}).outputs) {
    const y = got.get(output).data;
    const error = t.data.every((v) => Math.abs(v) < 1e-12) ? Math.max(...y.map(Math.abs)) : normwise(y, t.data);
    worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
  }
  out.push({ name, chosen: model.device.relaxed, worst });
}
console.log(JSON.stringify(out));
`;

/** v128.const 0 */
const splat = [0xfd, 0x0c, ...Array<number>(16).fill(0)];

interface Report { readonly name: string; readonly chosen: boolean; readonly worst: number }
function run(flags: readonly string[], specs: readonly { name: string; text: string }[]): Report[] {
  return JSON.parse(execFileSync(process.execPath, [...flags, '--input-type=module', '-e', script], { cwd: root, input: JSON.stringify(specs), encoding: 'utf8', maxBuffer: 1 << 26 })) as Report[];
}

describe('the relaxed build', async () => {
  const { readFileSync } = await import('node:fs');
  const { randomSpec } = await import('../random/generate.js');
  const examples = ['mamba/mamba', 'mex/mex', 'mex/mex-independent', 'coupled-mamba/masked'].map((f) => ({ name: f, text: readFileSync(join(root, 'examples', `${f}.ssm`), 'utf8') }));
  const built = existsSync(join(root, 'dist/src/compile.js'));
  it.runIf(built)('is chosen where the engine has it, and within 1e-5 of the interpreter: examples and random programs', () => {
    const specs = [...examples, ...Array.from({ length: SEEDS }, (_, seed) => ({ name: `seed ${seed}`, text: randomSpec(seed).text }))];
    const reports = run(['--experimental-wasm-relaxed-simd'], specs);
    expect(reports).toHaveLength(specs.length);
    expect(reports.filter((r) => !r.chosen || !(r.worst <= 1e-5))).toEqual([]);
  }, 300_000);
  it('has functions as good as the plain ones: math.test.ts in such an engine', () => {
    const out = execFileSync(process.execPath, ['--experimental-wasm-relaxed-simd', join(root, 'node_modules/vitest/vitest.mjs'), 'run', 'test/wasm/math.test.ts', '--pool=threads', '--reporter=verbose'], { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } });
    expect(out).toContain('relaxed true');
  }, 120_000);
  it.runIf(built)('is passed over where the engine lacks it', () => {
    const has = WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 0x3e, 1, 0x3c, 0, ...splat, ...splat, ...splat, 0xfd, 0x85, 0x02, 0x1a, 0x0b]));
    expect(run([], examples.slice(0, 1)).map((r) => r.chosen)).toEqual([has]);
  }, 120_000);
});
