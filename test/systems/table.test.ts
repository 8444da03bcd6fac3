/** The README's table of systems: measured here, and written there by `UPDATE=1`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { normwise, runModel, type Doubles } from '../../src/cli/tensors.js';
import type { CompiledModule } from '../../src/compile.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { interpret } from '../../src/interpreter/interpret.js';
import type { StageGraph } from '../../src/ir/stages.js';
import { loadModel, type Model } from '../../src/runtime/index.js';
import { webgpu } from '../../src/runtime/webgpu/index.js';
import { compileText, randomInputs, TOLERANCE } from '../random/agree.js';
import { gpu, missing } from '../webgpu/device.js';

const root = join(import.meta.dirname, '../..');
const STEPS = 200;
const systems = [
  ['LSSL', 'lssl/lssl'], ['S4', 's4/s4'], ['S4D', 's4d/s4d'], ['GSS', 'gss/gss'], ['LRU', 'lru/lru'], ['Mamba', 'mamba/mamba'], ['Mamba2', 'mamba/mamba2'], ['BiMamba', 'mamba/bimamba'],
  ['CoupledMamba', 'mex/mex'], ['CoupledSsm', 'coupled-mamba/linear'], ['CoupledHmm', 'chmm/chmm'],
] as const;

interface Row {
  readonly strategy: string;
  readonly wasm: number;
  /** Where it is time-invariant. */
  readonly convolution?: number;
  readonly webgpu?: number;
}
const strategies = (graph: StageGraph): string => [...new Set(graph.stages.filter((s) => s.phase === 'step' && s.anchor === 'scan').map((s) => s.strategy?.name ?? 'serial'))].join(', ');
async function measure(example: string): Promise<Row> {
  const text = readFileSync(join(root, 'examples', `${example}.ssm`), 'utf8');
  const { program, module } = compileText(text, 'auto', missing === undefined);
  if (!program || !module) throw new Error(`${example} does not compile`);
  const weights = new Map([...initialise(program, 0)].map(([n, t]) => [n, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
  const inputs = randomInputs(program, 1, STEPS, 1);
  const want = interpret(program, weights, inputs).outputs;
  const error = async (model: Model): Promise<number> => {
    const got = await runModel(model, inputs, undefined);
    model.dispose();
    return Math.max(...[...want].map(([name, t]) => normwise(got.get(name)?.data ?? [], t.data)));
  };
  const onWasm = (m: CompiledModule): Promise<Model> => loadModel(m.manifest, { wasm: m.wasm }, { weights: Object.fromEntries(weights as ReadonlyMap<string, Doubles>) });
  const convolved = compileText(text, 'convolution').module;
  const made = module.webgpu;
  return {
    strategy: strategies(module.graph),
    wasm: await error(await onWasm(module)),
    ...(convolved ? { convolution: await error(await onWasm(convolved)) } : {}),
    ...(made ? { webgpu: await error(await loadModel(module.manifest, { wasm: module.wasm, devices: [webgpu({ plan: made, wgsl: { text: made.wgsl } })] }, { weights: Object.fromEntries(weights), device: 'webgpu', gpu })) } : {}),
  };
}
const shown = (x: number | undefined): string => (x === undefined ? '' : x.toExponential(1));
const head = '| block | example | strategy | wasm | wasm, as a convolution | WebGPU |\n|---|---|---|---|---|---|';
const line = ([name, example]: (typeof systems)[number], r: Row): string => `| \`${name}\` | \`${example}.ssm\` | ${r.strategy} | ${shown(r.wasm)} | ${shown(r.convolution)} | ${shown(r.webgpu)} |`;

const path = join(root, 'README.md');
const readme = readFileSync(path, 'utf8');
const [, before = '', table = '', after = ''] = /^([\s\S]*<!-- systems -->\n)([\s\S]*?)(<!-- \/systems -->[\s\S]*)$/.exec(readme) ?? [];
const rows: string[] = [];

describe('the README\'s table of systems', () => {
  it.each(systems.map((s) => [s[0], s] as const))('%s', async (_, system) => {
    const row = await measure(system[1]);
    rows.push(line(system, row));
    for (const e of [row.wasm, row.convolution, row.webgpu]) expect(e ?? 0).toBeLessThan(TOLERANCE);
    if (process.env['UPDATE']) return;
    const cells = table.split('\n').find((l) => l.startsWith(`| \`${system[0]}\` |`))?.split('|').map((c) => c.trim()) ?? [];
    expect(cells.slice(1, 4)).toEqual([`\`${system[0]}\``, `\`${system[1]}.ssm\``, row.strategy]);
    // Another engine's exp may round otherwise: the sizes are what a reader is told.
    for (const [k, e] of [row.wasm, row.convolution, row.webgpu].entries()) {
      if (e === undefined) { if (k < 2) expect(cells[4 + k]).toBe(''); continue; }
      expect(Number(cells[4 + k]) / e).toBeGreaterThan(0.25);
      expect(Number(cells[4 + k]) / e).toBeLessThan(4);
    }
  });
});
afterAll(() => { if (process.env['UPDATE']) writeFileSync(path, `${before}${head}\n${rows.join('\n')}\n${after}`); });
