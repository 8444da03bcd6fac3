/** Convolutions on WebGPU: against the interpreter, and the bits that must not depend on how a sequence is run. */
import { describe, expect, it } from 'vitest';
import { interpret } from '../../src/interpreter/interpret.js';
import { narrowLimit, roundStored } from '../../src/cli/halves.js';
import { normwise, runModel, type Doubles } from '../../src/cli/tensors.js';
import { layer, others, systems } from '../passes/convolution-systems.js';
import { compileText, errors, randomInputs, TOLERANCE } from '../random/agree.js';
import { gpu, missing } from './device.js';
import { onGpu, type OnGpu } from './load.js';

const system = (name: string, n: number): string => (systems[name] as (n: number) => string)(n);
const open = (text: string): { readonly made: OnGpu; readonly model: ReturnType<OnGpu['load']> } => {
  const made = onGpu(text, 'convolution');
  expect(made.module.webgpu?.graph.stages.some((s) => s.strategy?.name === 'convolution')).toBe(true);
  return { made, model: made.load({ device: 'webgpu', gpu }) };
};
const worst = (expected: ReadonlyMap<string, Doubles>, out: ReadonlyMap<string, { data: Float32Array }>): number => Math.max(...errors(expected, out).map((e) => e.error));
const bits = (x: Float32Array): Uint32Array => new Uint32Array(x.slice().buffer);
/** Steps `from` to `to` of a row. */
const part = (inputs: ReadonlyMap<string, Doubles>, row: number, from: number, to: number): Map<string, Doubles> => new Map([...inputs].map(([name, { shape, data }]) => {
  const [, steps = 0, ...rest] = shape;
  const width = rest.reduce((a, b) => a * b, 1);
  return [name, { shape: [1, to - from, ...rest], data: data.slice((row * steps + from) * width, (row * steps + to) * width) }];
}));

describe.skipIf(missing !== undefined)('convolutions on WebGPU', () => {
  it.each(Object.keys(systems))('%s: what the interpreter says, at any length', async (name) => {
    const { made, model } = open(system(name, 16));
    const loaded = await model;
    for (const steps of [1, 2, 3, 17, 1000, 4096]) {
      const inputs = randomInputs(made.program, 1, steps, steps);
      expect(worst(interpret(made.program, made.weights, inputs).outputs, await runModel(loaded, inputs, undefined)), `L = ${steps}`).toBeLessThan(TOLERANCE);
    }
    loaded.dispose();
  }, 300_000);
  it.each(Object.entries(others))('%s', async (_, text) => {
    const { made, model } = open(text);
    const loaded = await model;
    for (const [steps, lengths] of [[2], [70], [600], [600, [600, 63, 2]]] as const) {
      const inputs = randomInputs(made.program, lengths?.length ?? 1, steps, steps);
      expect(worst(interpret(made.program, made.weights, inputs, lengths ? { lengths } : {}).outputs, await runModel(loaded, inputs, lengths)), `L = ${lengths ?? steps}`).toBeLessThan(TOLERANCE);
    }
    loaded.dispose();
  }, 300_000);

  it.each([...Object.keys(systems).map((name) => [name, system(name, 8)] as const), ['a layer', layer] as const].flatMap(([name, text]) => (['f16', 'bf16'] as const).map((type) => [name, type, text] as const)))('%s, stored as %s: within twice the error of a loop that stores so', async (_, type, text) => {
    const made = onGpu(text, 'convolution', type);
    expect(made.module.webgpu?.schedule.storage.some((c) => c.element === type)).toBe(true);
    const loaded = await made.load({ device: 'webgpu', gpu });
    for (const steps of [1, 70, 1300]) {
      const inputs = randomInputs(made.program, 1, steps, steps);
      const reference = interpret(made.program, made.weights, inputs).outputs;
      const loop = errors(reference, interpret(made.program, made.weights, inputs, { stored: roundStored(made.program, type) }).outputs as never);
      errors(reference, await runModel(loaded, inputs, undefined)).forEach(({ output, error }, k) => expect(error, `${output}, L = ${steps}`).toBeLessThanOrEqual(narrowLimit(loop[k]?.error ?? 0, type)));
    }
    loaded.dispose();
  }, 300_000);

  it('rows, prefixes and second runs have the bits of the whole', async () => {
    const { made, model } = open(system('chains coupled in full', 4));
    const loaded = await model;
    const steps = 2200;
    const inputs = randomInputs(made.program, 2, steps, 3);
    const whole = (await runModel(loaded, inputs, undefined)).get('y')?.data as Float32Array;
    expect(bits((await runModel(loaded, inputs, undefined)).get('y')?.data as Float32Array)).toEqual(bits(whole));
    const width = whole.length / 2 / steps;
    for (const [row, n] of [[0, steps], [1, steps], [1, 1], [0, 63], [0, 64], [1, 65], [0, 1024], [1, 1025], [0, 2049]] as const) {
      const alone = (await runModel(loaded, part(inputs, row, 0, n), undefined)).get('y')?.data as Float32Array;
      expect(bits(alone), `row ${row}, ${n} steps`).toEqual(bits(whole.slice(row * steps * width, (row * steps + n) * width)));
    }
    loaded.dispose();
  }, 300_000);

  it('runs by states what lies beyond the kernels, and streams', async () => {
    const { made, model } = open(system('real diagonal', 4));
    const loaded = await model;
    const length = made.module.webgpu?.manifest.gpu?.convolved ?? 0;
    expect(length).toBe(16384);
    const steps = length + 100;
    const inputs = randomInputs(made.program, 1, steps, 5);
    const expected = interpret(made.program, made.weights, inputs).outputs;
    const whole = await runModel(loaded, inputs, undefined);
    expect(worst(expected, whole)).toBeLessThan(TOLERANCE);
    const first = await runModel(loaded, part(inputs, 0, 0, length), undefined);
    expect(bits(first.get('y')?.data as Float32Array)).toEqual(bits(whole.get('y')?.data.slice(0, first.get('y')?.data.length) as Float32Array));
    const stream = loaded.stream();
    const got: number[] = [];
    for (const [from, to] of [[0, 1], [1, 30], [30, 300], [300, 2000]] as const) {
      const pushed = part(inputs, 0, from, to);
      const out = await stream.push(Object.fromEntries([...pushed].map(([name, t]) => [name, { data: Float32Array.from(t.data), shape: [...t.shape] }])));
      got.push(...((out['y'] as { data: Float32Array }).data));
    }
    expect(normwise(Float32Array.from(got), (expected.get('y') as Doubles).data.slice(0, got.length) as Float64Array)).toBeLessThan(TOLERANCE);
    stream.dispose();
    loaded.dispose();
  }, 300_000);

  it('of a whole sequence, runs by states what is longer than the kernels, a row of the batch like the same row alone', async () => {
    const { made, model } = open('model M {\n  axis n = 3\n  input x[t]\n  state h[t, n] = (0.9 - 0.1 * n) * h[t+1, n] + x[t]\n  output y[t] = sum(n: h[t, n])\n}\n');
    const loaded = await model;
    const [steps, short] = [(made.module.webgpu?.manifest.gpu?.convolved ?? 0) + 100, 300];
    const inputs = randomInputs(made.program, 2, steps, 9);
    const whole = await runModel(loaded, inputs, [steps, short]);
    expect(worst(interpret(made.program, made.weights, inputs, { lengths: [steps, short] }).outputs, whole)).toBeLessThan(TOLERANCE);
    const alone = await runModel(loaded, part(inputs, 1, 0, short), undefined);
    expect(bits(alone.get('y')?.data as Float32Array)).toEqual(bits(whole.get('y')?.data.slice(steps, steps + short) as Float32Array));
    loaded.dispose();
  }, 300_000);

  it('is launched by runs, and held against wasm before it is used', async () => {
    const { made } = open(system('real diagonal', 4));
    const { load, module } = made;
    const lines = (module.webgpu?.wgsl ?? '').split('\n');
    // A sum of the signals' transform, and one of what blocks give.
    for (const kernel of ['signals', 'answers']) {
      const entry = lines.findIndex((l) => new RegExp(`^fn \\w+_${kernel}\\(`).test(l));
      const k = lines.findIndex((line, n) => n > entry && /^ +let v\d+ = \(v\d+ \+ v\d+\);$/.test(line));
      expect(entry).toBeGreaterThan(0);
      const wgsl = (): string => lines.with(k, (lines[k] as string).replace(' + ', ' - ')).join('\n');
      await expect(load({ device: 'webgpu', gpu }, { wgsl }), lines[k]).rejects.toThrow(/SSM5505: the GPU computes wrong results: in a test of 70 steps, output `y`/);
    }
  }, 120_000);

  it.each([['', '* 1'], [', gated', '* x[t, d]']])('runs by states where kernels grow%s', async (_, gate) => {
    const text = (rate: number): string => `model M {\n  axis d = 3\n  input x[t, d]\n  param r[d] = ${rate}\n  state h[t, d] = r[d] * h[t-1, d] + x[t, d]\n  output y[t, d] = h[t, d] ${gate}\n}\n`;
    const answers = async (rate: number, strategy: 'serial' | 'convolution'): Promise<Float32Array> => {
      const made = onGpu(text(rate), strategy);
      const loaded = await made.load({ device: 'webgpu', gpu });
      const inputs = randomInputs(made.program, 1, 200, 1);
      const out = await runModel(loaded, inputs, undefined);
      expect(worst(interpret(made.program, made.weights, inputs).outputs, out)).toBeLessThan(TOLERANCE);
      loaded.dispose();
      return out.get('y')?.data as Float32Array;
    };
    expect(bits(await answers(1.19, 'convolution'))).toEqual(bits(await answers(1.19, 'serial')));
    expect(bits(await answers(0.99, 'convolution'))).not.toEqual(bits(await answers(0.99, 'serial')));
  }, 120_000);

  it('is on request only, and says so', () => {
    const { module } = compileText(system('real diagonal', 16), 'auto', true);
    const scan = module?.webgpu?.graph.stages.find((s) => s.anchor === 'scan')?.strategy;
    expect(['serial', 'chunked']).toContain(scan?.name);
    expect(scan?.weighed?.find((o) => o.name === 'convolution')).toMatchObject({ possible: true, why: expect.stringMatching(/^its transition has no t; on request only, by --strategy convolution: .* it was slower than the scan$/) as string });
  });
});
