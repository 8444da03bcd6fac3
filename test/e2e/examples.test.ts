/** Every example compiles, is initialised, runs, and agrees with the interpreter; the paper's set-ups have the paper's sizes. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { normwise, runModel } from '../../src/cli/tensors.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { loadModel } from '../../src/runtime/index.js';
import { compileText, randomInputs } from '../random/agree.js';

const root = fileURLToPath(new URL('../../examples', import.meta.url));
const files = (readdirSync(root, { recursive: true }) as string[]).map((f) => f.replaceAll('\\', '/')).sort();
const specs = files.filter((f) => f.endsWith('.ssm') && !f.includes('gen/'));
const read = (f: string): string => readFileSync(join(root, f), 'utf8');
/** One-step sequences where the paper has them. */
const steps: Readonly<Record<string, number>> = { 'coupled-mamba/brca.ssm': 1, 'coupled-mamba/mmimdb.ssm': 1 };

describe('examples', () => {
  it.each(specs)('%s', async (file) => {
    const { module, program, diagnostics } = compileText(read(file));
    expect(diagnostics.filter((d) => d.severity === 'error')).toEqual([]);
    if (!module || !program) throw new Error('it does not compile');
    const weights = new Map([...initialise(program, 0)].map(([n, t]) => [n, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
    const inputs = randomInputs(program, 2, steps[file] ?? 6, 1);
    const model = await loadModel(module.manifest, { wasm: module.wasm as Uint8Array }, { weights: Object.fromEntries(weights) });
    const got = await runModel(model, inputs, undefined);
    const want = interpret(program, weights, inputs, {}).outputs;
    expect([...got.keys()]).toEqual([...want.keys()]);
    for (const [name, t] of want) expect(normwise(got.get(name)?.data ?? [], t.data)).toBeLessThan(1e-5);
  });
  it('have a README each, which names every spec', () => {
    for (const file of specs) {
      const [folder, name] = file.split('/') as [string, string];
      expect(read(`${folder}/README.md`)).toContain(name);
    }
  });
  it('hold at most 4 MB of data', () => {
    expect(files.reduce((n, f) => n + (f.includes('gen/') ? 0 : statSync(join(root, f)).size), 0)).toBeLessThan(4e6);
  });
});

describe('the set-ups of the Coupled Mamba paper', () => {
  it.each([
    ['mosei', { audio: 74, vision: 35, text: 768 }, 1], ['chsims', { audio: 33, vision: 709, text: 768 }, 1],
    ['brca', { mrna: 1000, methylation: 1000, mirna: 503 }, 5], ['mmimdb', { image: 4096, text: 768 }, 23],
  ] as const)('%s: three layers of width 128, expand 2, state 64, conv 4, rank 16', (name, features, out) => {
    const { module } = compileText(read(`coupled-mamba/${name}.ssm`));
    const got = Object.fromEntries((module?.manifest.weights ?? []).map((w) => [w.name, w.shape]));
    const want: Record<string, readonly number[]> = { 'fusion.logits': [Object.keys(features).length], 'head.0.weight': [64, 128], 'head.0.bias': [64], 'head.2.weight': [out, 64], 'head.2.bias': [out] };
    for (const [m, f] of Object.entries(features)) {
      Object.assign(want, { [`embed.${m}.weight`]: [128, f], [`embed.${m}.bias`]: [128] });
      for (const k of [0, 1, 2]) {
        const block = { A_log: [256, 64], D: [256], 'in_proj.weight': [512, 128], 'conv1d.weight': [256, 4], 'conv1d.bias': [256], 'x_proj.weight': [16 + 2 * 64, 256], 'dt_proj.weight': [256, 16], 'dt_proj.bias': [256], 'out_proj.weight': [128, 256] };
        for (const [p, shape] of Object.entries(block)) want[`layers.${k}.mixer.${m}.${p}`] = shape;
        want[`layers.${k}.norm.${m}.weight`] = want[`layers.${k}.norm.${m}.bias`] = [128];
      }
    }
    expect(got).toEqual(want);
    expect(module?.manifest.outputs.map((o) => [o.time, o.shape])).toEqual([[false, [out]]]);
    expect(module?.manifest.inputs.map((i) => [i.name, i.shape])).toEqual(Object.entries(features).map(([m, f]) => [m, [f]]));
  });
});
