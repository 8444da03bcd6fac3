/** Recurrences in chunks on WebGPU: against the interpreter, and the bits that must not depend on how a sequence is run. */
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/compile.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { runModel, type Doubles } from '../../src/cli/tensors.js';
import { loadModel, type Model, type Tensor } from '../../src/runtime/index.js';
import { webgpu } from '../../src/runtime/webgpu/index.js';
import { compileText, errors, randomInputs, TOLERANCE } from '../random/agree.js';
import { gpu, many, missing } from './device.js';
import { onGpu } from './load.js';
import { Tap } from './tap.js';

const selective = `  dt[t, d] = softplus(x[t, d])\n  state h[t, d, n] = exp(-dt[t, d] * (n + 1)) * h[t-1, d, n] + dt[t, d] * x[t, d]\n  output y[t, d] = sum(n: h[t, d, n] * x[t, 0])`;
const recurrences: Readonly<Record<string, string>> = {
  'a diagonal state': `  axis d = 5\n  axis n = 16\n  input x[t, d]\n${selective}`,
  'more points than a group, not a multiple of it': `  axis d = 70\n  axis n = 4\n  input x[t, d]\n${selective}`,
  'a state too large for a thread\'s own memory': `  axis d = 3\n  axis n = 300\n  input x[t, d]\n${selective.replace('(n + 1)', '0.01 * (n + 1)')}`,
  'chains that read each other': '  axis d = 6\n  axis m = 3\n  axis i = 3\n  input x[t, d]\n  param K[m, i]\n  state h[t, m, d] = 0.5 * h[t-1, m, d] + sum(i: 0.1 * K[m, i] * h[t-1, i, d]) + x[t, d] * (m + 1)\n  output y[t, m, d] = h[t, m, d]',
  'eight that all read each other': '  axis d = 8\n  axis i = d\n  input x[t, d]\n  param K[d, i] = uniform(-0.1, 0.1)\n  state h[t, d] = sum(i: K[d, i] * h[t-1, i]) + x[t, d]\n  output y[t, d] = h[t, d]',
  'two steps back': '  axis d = 6\n  input x[t, d]\n  state h[t, d] = 0.5 * h[t-1, d] - 0.2 * h[t-2, d] + x[t, d]\n  output y[t, d] = h[t, d]',
  'an initial state, and its last value': '  axis d = 6\n  input x[t, d]\n  param start[d]\n  state h[t, d] = 0.99 * h[t-1, d] + x[t, d]\n  initial h[d] = start[d]\n  output y[d] = last(t: h[t, d])',
  'from the end to the start': '  axis d = 6\n  input x[t, d]\n  state h[t, d] = 0.9 * h[t+1, d] + x[t, d]\n  output y[t, d] = h[t, d]',
};

interface Loaded {
  readonly model: Model;
  readonly reference: (inputs: ReadonlyMap<string, Doubles>, lengths?: readonly number[]) => ReadonlyMap<string, Doubles>;
  readonly inputs: (batch: number, steps: number) => Map<string, Doubles>;
}
/** `work`: operations per row that the runtime is told of. Many make it cut a run in tiles of one chunk. */
async function load(body: string, work?: number): Promise<Loaded> {
  const { module, program, diagnostics } = compileText(`model M {\n${body}\n}\n`, 'chunked', true);
  if (!module?.webgpu?.manifest.gpu || !program) throw new Error(diagnostics.map((d) => d.text).join('\n'));
  const made = module.webgpu;
  const plan = made.manifest.gpu;
  const weights = new Map([...initialise(program, 1)].map(([n, t]) => [n, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
  const manifest = { ...made.manifest, ...(plan ? { gpu: { ...plan, work: work ?? plan.work } } : {}) };
  const model = await loadModel(module.manifest, { wasm: module.wasm, devices: [webgpu({ plan: { ...made, manifest }, wgsl: { text: made.wgsl } })] }, { weights: Object.fromEntries(weights), device: 'webgpu', gpu });
  return {
    model, inputs: (batch, steps) => randomInputs(program, batch, steps, 7),
    reference: (inputs, lengths) => interpret(program, weights, inputs, lengths ? { lengths } : {}).outputs,
  };
}
const part = (inputs: ReadonlyMap<string, Doubles>, row: number, from: number, to: number): Map<string, Doubles> => new Map([...inputs].map(([name, { shape, data }]) => {
  const [, steps = 0, ...rest] = shape;
  const width = rest.reduce((a, b) => a * b, 1);
  return [name, { shape: [1, to - from, ...rest], data: data.slice((row * steps + from) * width, (row * steps + to) * width) }];
}));
const bits = (x: Float32Array): number[] => [...new Uint32Array(x.slice().buffer)];
const only = (out: ReadonlyMap<string, { data: Float32Array }>): Float32Array => [...out.values()][0]?.data ?? new Float32Array();

describe.skipIf(missing !== undefined)('chunks on WebGPU', () => {
  it.each(Object.entries(recurrences))('%s', async (name, body) => {
    const { model, inputs, reference } = await load(body);
    const given = inputs(3, 200);
    const lengths = [200, 64, 131];
    const worst = (expected: ReadonlyMap<string, Doubles>, out: ReadonlyMap<string, { data: Float32Array }>): number => Math.max(...errors(expected, out).map((e) => e.error));
    const whole = await runModel(model, given, undefined);
    expect(worst(reference(given), whole)).toBeLessThan(TOLERANCE);
    expect(worst(reference(given, lengths), await runModel(model, given, lengths))).toBeLessThan(TOLERANCE);
    const width = only(whole).length / 3;
    const alone = await runModel(model, part(given, 1, 0, 200), undefined);
    expect(bits(only(alone))).toEqual(bits(only(whole).slice(width, 2 * width)));
    expect(bits(only(await runModel(model, given, undefined)))).toEqual(bits(only(whole)));
    model.dispose();
    if (name === 'from the end to the start') return;
    const cut = await load(body, 1e9);
    expect(bits(only(await runModel(cut.model, given, undefined)))).toEqual(bits(only(whole)));
    cut.model.dispose();
  }, 120_000);

  it('gives a prefix the bits of the whole, and a stream its values', async () => {
    const { model, inputs, reference } = await load(recurrences['a diagonal state'] ?? '');
    const given = inputs(1, 150);
    const whole = only(await runModel(model, given, undefined));
    for (const steps of [1, 63, 64, 65, 128]) expect(bits(only(await runModel(model, part(given, 0, 0, steps), undefined)))).toEqual(bits(whole.slice(0, 5 * steps)));
    const stream = model.stream();
    const got: number[] = [];
    for (const [from, to] of [[0, 1], [1, 30], [30, 100], [100, 150]] as const) {
      const out = await stream.push({ x: { data: Float32Array.from(part(given, 0, from, to).get('x')?.data ?? []), shape: [1, to - from, 5] } });
      got.push(...(out['y'] as Tensor).data);
    }
    stream.dispose();
    model.dispose();
    expect(Math.max(...errors(reference(given), new Map([['y', { data: Float32Array.from(got) }]])).map((e) => e.error))).toBeLessThan(TOLERANCE);
  }, 120_000);

  it('takes, where they are chosen, the kernels of the device at hand, and no pipeline or memory for the others', async () => {
    const { load: open, program, weights } = onGpu(`model M {\n${recurrences['a diagonal state'] ?? ''}\n}\n`);
    const inputs = randomInputs(program, 2, 200, 3);
    const reference = interpret(program, weights, inputs).outputs;
    const made: { kernels: number; bytes: number; dispatches: number }[] = [];
    for (const device of [many, gpu]) {
      const tap = new Tap(device);
      const model = await open({ device: 'webgpu', gpu: tap });
      const kernels = tap.count('createComputePipelineAsync');
      tap.dispatches = 0;
      expect(Math.max(...errors(reference, await runModel(model, inputs, undefined)).map((e) => e.error))).toBeLessThan(TOLERANCE);
      made.push({ kernels, bytes: model.memoryBytes, dispatches: tap.dispatches });
      model.dispose();
    }
    const [chunks, serial] = made as [(typeof made)[0], (typeof made)[0]];
    expect([chunks.kernels, chunks.dispatches]).toEqual([3, 3]);
    expect([serial.kernels, serial.dispatches]).toEqual([1, 1]);
    // Of each of 8 chunks: sums, products and what they begin with.
    expect(chunks.bytes - serial.bytes).toBeGreaterThanOrEqual(8 * 3 * 4 * 5 * 16);
  }, 120_000);

  it('writes two neighbours at once where they share a word, in the second pass too', async () => {
    const text = `model M {\n  axis d = 6\n  axis j = 4\n  axis n = 12\n  input x[t, d]\n  param w[j, d]\n  dt[t, d] = softplus(x[t, d])\n  state h[t, d, n] = exp(-dt[t, d] * (n + 1)) * h[t-1, d, n] + dt[t, d] * x[t, d]\n  y[t, d] = sum(n: h[t, d, n])\n  output z[t, j] = sum(d: w[j, d] * y[t, d])\n}\n`;
    const { load: open, program, weights, module } = onGpu(text, 'auto', 'f16');
    expect(module.webgpu?.schedule.storage.find((c) => c.name === 'y')).toMatchObject({ element: 'f16' });
    const inputs = randomInputs(program, 2, 200, 3);
    const reference = interpret(program, weights, inputs).outputs;
    const worst: number[] = [];
    for (const device of [many, gpu]) {
      const model = await open({ device: 'webgpu', gpu: device });
      worst.push(Math.max(...errors(reference, await runModel(model, inputs, undefined)).map((e) => e.error)));
      model.dispose();
    }
    const [chunks, serial] = worst as [number, number];
    // Both round the same numbers to float16 (11 bits), where states are carried or not.
    expect(serial).toBeLessThan(2 ** -10);
    expect(Math.abs(chunks - serial)).toBeLessThan(2 ** -12);
  }, 120_000);

  it('reads what a group shares once for its tile of steps, in both passes over a chunk', () => {
    const { module } = compileText('model M {\n  axis d = 128\n  axis n = 16\n  input x[t, d]\n  input b[t, n]\n  state h[t, d, n] = 0.5 * h[t-1, d, n] + b[t, n] * x[t, d]\n  output y[t, d] = sum(n: h[t, d, n])\n}\n', 'chunked', true);
    const passes = module?.webgpu?.kernels.filter((k) => k.grid?.groups.per === 64 && k.grid.groups.of === 'T') ?? [];
    expect(passes.map((k) => k.memories?.filter((m) => m.space === 'group').length)).toEqual([1, 1]);
  });
});

describe('the strategy of a machine with threads', () => {
  const strategy = (d: number, wanted: 'auto' | 'serial' = 'auto', before = 't+1'): { wgsl: string | undefined; why: string; wasm: string | undefined; weighed: string } => {
    const text = `model M {\n  axis d = ${d}\n  input x[t, d]\n  state h[t, d] = 0.5 * h[${before}, d] + x[t, d]\n  output y[t, d] = h[t, d]\n}\n`;
    const { module } = compileText(text, wanted, true);
    const scan = module?.webgpu?.graph.stages.find((s) => s.anchor === 'scan')?.strategy;
    return { wgsl: scan?.name, why: scan?.why ?? '', weighed: (scan?.weighed ?? []).map((o) => `${o.name}: ${o.why}`).join('\n'), wasm: module?.graph.stages.find((s) => s.anchor === 'scan')?.strategy?.name };
  };
  it('is chunks where the points leave it idle by more than the second pass costs', () => {
    expect(strategy(64)).toMatchObject({ wgsl: 'chunked', wasm: 'serial' });
    expect(strategy(64).why).toBe('chunks of 64 steps side by side, a number per channel to summarise each: 3 times the arithmetic; 13 % of the machine filled without (512 threads of 4096): about 2.7 times as fast in 512 steps; a device that few threads fill goes in the order of time');
    expect(strategy(64, 'auto', 't-1').wgsl).toBe('chunked');
    expect(strategy(64, 'serial').wgsl).toBe('serial');
  });
  it('is serial elsewhere, and says by how much', () => {
    expect(strategy(128)).toMatchObject({ wgsl: 'serial', why: 'a thread per point: 128 points of a batch of 8 are 1024 threads, 25 % of the 4096 that fill the machine' });
    expect(strategy(128).weighed).toContain('25 % of the machine filled without (1024 threads of 4096): 1.3 times as fast, less than the 1.5 that it takes');
    expect(strategy(512).weighed).toContain('3 times the arithmetic; all of the machine filled without (4096 threads of 4096): the machine is full without');
  });
  it('is told of once, whatever the machines', () => {
    const text = 'model M {\n  axis d = 4\n  input x[t, d]\n  state h[t, d] = tanh(h[t-1, d]) + x[t, d]\n  output y[t, d] = h[t, d]\n}\n';
    const { diagnostics } = compile('spec.ssm', { std: new Map(), read: () => text }, { specHash: '', webgpu: true });
    expect(diagnostics.map((d) => d.code)).toEqual(['SSM3301']);
  });
});
