/** Mamba and its kin from state dicts of the names and shapes of their public releases. */
import { expect, it } from 'vitest';
import { interpret } from '../../src/interpreter/interpret.js';
import { normwise, runModel, type Doubles } from '../../src/cli/tensors.js';
import { loadModel, writeSafetensors, readSafetensors } from '../../src/runtime/index.js';
import { Random } from '../../src/interpreter/random.js';
import { compileText, TOLERANCE } from '../random/agree.js';
import { mamba, mamba2 } from './definitions.js';
import type { Rows } from './plain.js';
import { alone, checkSystem, single } from './system.js';

checkSystem({ name: 'Mamba', text: (n) => alone('Mamba', `Mamba(x, state = ${n}, rank = 2)`, 4), define: single((w, x, n) => mamba(w, 'block', x, { n, rank: 2, kernel: 4, expand: 2 })) });
checkSystem({ name: 'BiMamba', whole: true, text: (n) => alone('BiMamba', `BiMamba(x, state = ${n}, rank = 2)`, 4), define: single((w, x, n) => mamba(w, 'block', x, { n, rank: 2, kernel: 4, expand: 2 }, true)) });
for (const groups of [1, 2]) {
  checkSystem({
    name: `Mamba-2, ${groups} groups`, text: (n) => alone('Mamba2', `Mamba2(x, state = ${n}, headdim = 2, groups = ${groups})`, 4),
    define: single((w, x, n) => mamba2(w, 'block', x, { n, kernel: 4, expand: 2, headdim: 2, groups })),
  });
}

// Heads of so many channels are summed in a loop, within the sum over groups: no tile of a matrix product.
checkSystem({
  name: 'Mamba-2, wider heads', sizes: [16], lengths: [1, 17], text: (n) => alone('Mamba2', `Mamba2(x, state = ${n}, headdim = 16, groups = 2)`, 32),
  define: single((w, x, n) => mamba2(w, 'block', x, { n, kernel: 4, expand: 2, headdim: 16, groups: 2 })),
});

/** A state dict of float32 tensors, through a safetensors file. */
function stateDict(shapes: Readonly<Record<string, readonly number[]>>): Map<string, Doubles> {
  const random = new Random(3, 'state dict');
  const made = new Map(Object.entries(shapes).map(([name, shape]) => [name, { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.4 * random.normal()) }]));
  const file = readSafetensors(writeSafetensors(made));
  return new Map(file.names.map((name) => [name, { shape: file.tensor(name).shape, data: file.tensor(name).toFloat64() }]));
}
async function agree(text: string, shapes: Readonly<Record<string, readonly number[]>>, define: (w: ReadonlyMap<string, Doubles>, x: Rows) => number[][]): Promise<void> {
  const { program, module, diagnostics } = compileText(text);
  if (!program || !module) throw new Error(diagnostics.map((d) => d.text).join('\n'));
  const weights = stateDict(shapes);
  expect(module.manifest.weights.map((w) => w.name).toSorted()).toEqual([...weights.keys()].toSorted());
  const random = new Random(4, 'x');
  const [steps, width] = [23, module.manifest.inputs[0]?.shape[0] as number];
  const x = { shape: [1, steps, width], data: Float64Array.from({ length: steps * width }, () => Math.fround(random.normal())) };
  const want = Float64Array.from(define(weights, Array.from({ length: steps }, (_, t) => [...x.data.subarray(t * width, (t + 1) * width)])).flat());
  const inputs = new Map([['x', x]]);
  expect(normwise(interpret(program, weights, inputs).outputs.get('y')?.data ?? [], want)).toBeLessThan(1e-12);
  const model = await loadModel(module.manifest, { wasm: module.wasm }, { weights: Object.fromEntries(weights) });
  expect(normwise((await runModel(model, inputs, undefined)).get('y')?.data ?? [], want)).toBeLessThan(TOLERANCE);
}
/** Of width 40, so that dt_rank, by default ceil(width / 16), is 3. */
const dict = { 'in_proj.weight': [160, 40], 'conv1d.weight': [80, 1, 4], 'conv1d.bias': [80], 'x_proj.weight': [3 + 2 * 16, 80], 'dt_proj.weight': [80, 3], 'dt_proj.bias': [80], A_log: [80, 16], D: [80], 'out_proj.weight': [40, 80] };
const spec = (call: string, block: string): string => `import ${block} from "std"\nmodel M {\n  axis c = 40\n  input x[t, c]\n  output y = ${call} as _\n}\n`;
const named = (w: ReadonlyMap<string, Doubles>): Map<string, Doubles> => new Map([...w].map(([k, t]) => [`m.${k}`, t]));

it('Mamba: a state dict of mamba_ssm, conv1d.weight [d, 1, 4], dt_rank 3', () =>
  agree(spec('Mamba(x)', 'Mamba'), dict, (w, x) => mamba(named(w), 'm', x, { n: 16, rank: 3, kernel: 4, expand: 2 })));
it('Mamba: another dt_rank is another shape, and is told', async () => {
  const { module } = compileText(spec('Mamba(x, rank = 5)', 'Mamba'));
  if (!module) throw new Error('it does not compile');
  await expect(loadModel(module.manifest, { wasm: module.wasm }, { weights: Object.fromEntries(stateDict(dict)) })).rejects.toThrow(/x_proj\.weight.*37.*35/s);
});
it('Mamba-2: a state dict of Mamba2Simple, in_proj of z, x, B, C, dt', () =>
  agree(spec('Mamba2(x, state = 8, headdim = 20, groups = 2)', 'Mamba2'),
    { 'in_proj.weight': [2 * 80 + 2 * 2 * 8 + 4, 40], 'conv1d.weight': [112, 1, 4], 'conv1d.bias': [112], dt_bias: [4], A_log: [4], D: [4], 'norm.weight': [80], 'out_proj.weight': [40, 80] },
    (w, x) => mamba2(named(w), 'm', x, { n: 8, kernel: 4, expand: 2, headdim: 20, groups: 2 })));
it('BiMamba: a state dict of Vision Mamba\'s block', () =>
  agree(spec('BiMamba(x)', 'BiMamba'), { ...dict, ...Object.fromEntries(Object.entries(dict).filter(([k]) => !/^(in|out)_proj/.test(k)).map(([k, s]) => [k === 'A_log' ? 'A_b_log' : k === 'D' ? 'D_b' : k.replace('.', '_b.'), s])) },
    (w, x) => mamba(named(w), 'm', x, { n: 16, rank: 3, kernel: 4, expand: 2 }, true)));
it('Mamba-2: channels that heads do not divide are told', () => {
  const { diagnostics } = compileText(spec('Mamba2(x, headdim = 32)', 'Mamba2'));
  expect(diagnostics.map((d) => d.text).join('\n')).toContain('the size of `e` is 2.5');
});
