/** Points that several invocations take, and groups that hold several points: against the interpreter, and the bits that must not differ. */
import { describe, expect, it } from 'vitest';
import { normwise, runModel, type Doubles } from '../../src/cli/tensors.js';
import type { Kernel } from '../../src/ir/kernel.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { loadModel, type Model, type TensorTree } from '../../src/runtime/index.js';
import { webgpu } from '../../src/runtime/webgpu/index.js';
import { narrowLimit, roundStored } from '../../src/cli/halves.js';
import { errors, randomInputs, TOLERANCE } from '../random/agree.js';
import { gpu, missing } from './device.js';
import { bits, onGpu, type OnGpu } from './load.js';

/** One after another: neighbours of each, and of multiples of the lanes. */
const SMALL = [1, 2, 7, 8, 9, 10, 11, 15, 16, 17, 19, 23, 25, 31, 32, 33, 37, 39, 41, 47, 49, 53, 55, 57, 63, 64, 65, 67, 70];
/** With 8, 16, 32 and all 64 invocations a point. */
const LARGE = [256, 257, 511, 513, 1023, 1025, 1100];

const norm = (c: number): string => `  axis c${c} = ${c}\n  input x${c}[t, c${c}]\n  a${c}[t] = mean(c${c}: x${c}[t, c${c}])\n  b${c}[t] = mean(c${c}: (x${c}[t, c${c}] - a${c}[t])^2)\n  output n${c}[t, c${c}] = (x${c}[t, c${c}] - a${c}[t]) * rsqrt(b${c}[t] + 0.001)\n`;
const softmax = (c: number): string => `  axis c${c} = ${c}\n  input x${c}[t, c${c}]\n  output s${c}[t, c${c}] = softmax(c${c}: 3 * x${c}[t, c${c}])\n`;
const span = (c: number): string => `  axis c${c} = ${c}\n  input x${c}[t, c${c}]\n  output w${c}[t] = max(c${c}: x${c}[t, c${c}]) - min(c${c}: x${c}[t, c${c}])\n`;
/** Of each member of another axis: points that a row has three or five of. */
const members = (c: number, m: number): string => `  axis c${c} = ${c}\n  axis m${c} = ${m}\n  input x${c}[t, c${c}]\n  param g${c}[m${c}] = uniform(1, 2)\n  output p${c}[t, m${c}, c${c}] = softmax(c${c}: g${c}[m${c}] * x${c}[t, c${c}])\n`;
/** What belongs to steps: the last but one, and an array of the sequence. */
const steps = (c: number): string => `  axis c${c} = ${c}\n  input x${c}[t, c${c}]\n  input q${c}[c${c}]\n  a${c}[t] = mean(c${c}: x${c}[t - 2, c${c}] * x${c}[t, c${c}])\n  output y${c}[t, c${c}] = x${c}[t, c${c}] - q${c}[c${c}] * a${c}[t]\n`;
/** Of the whole sequence. */
const ends = (c: number): string => `  axis c${c} = ${c}\n  input x${c}[t, c${c}]\n  e${c}[c${c}] = max(t: x${c}[t, c${c}])\n  output z${c}[c${c}] = softmax(c${c}: e${c}[c${c}])\n`;

const model = (parts: readonly string[]): string => `model Together {\n${parts.join('')}}\n`;
const kinds: Readonly<Record<string, string>> = {
  'norms': model(SMALL.map(norm)), 'softmax': model(SMALL.map(softmax)), 'a maximum and a minimum': model(SMALL.map(span)), 'points that rows have several of': model([members(9, 3), members(33, 5), members(70, 3)]),
  'steps': model([9, 17, 32, 45, 63, 64, 70].map(steps)), 'ends of sequences': model([9, 40, 64, 65].map(ends)), 'long rows': model([...LARGE.map(norm), steps(300), ends(700)]),
};
const kernelsOf = (made: OnGpu): readonly Kernel[] => made.module.webgpu?.kernels.filter((k) => k.grid && k.grid.lanes > 1) ?? [];
/** `work`: operations a row that the runtime is told of; many, and a run is cut in tiles of few steps. */
async function open({ module, weights }: OnGpu, work?: number): Promise<Model> {
  const made = module.webgpu;
  if (!made?.manifest.gpu) throw new Error('no kernels for WebGPU');
  const manifest = { ...made.manifest, gpu: { ...made.manifest.gpu, work: work ?? made.manifest.gpu.work } };
  return loadModel(module.manifest, { wasm: module.wasm, devices: [webgpu({ plan: { ...made, manifest }, wgsl: { text: made.wgsl } })] }, { weights: Object.fromEntries(weights), device: 'webgpu', gpu });
}
type Inputs = ReadonlyMap<string, Doubles>;
const given = (inputs: Inputs): Record<string, { data: Float32Array; shape: readonly number[] }> => Object.fromEntries([...inputs].map(([n, t]) => [n, { shape: t.shape, data: Float32Array.from(t.data) }]));
/** One row of a batch, and of what has time the first steps. */
const cut = (inputs: Inputs, row: number, from: number, to: number): Map<string, Doubles> => new Map([...inputs].map(([n, { shape: [, ...sizes], data }]) => {
  const mine = data.slice(row * size(sizes), (row + 1) * size(sizes));
  if (sizes.length < 2) return [n, { shape: [1, ...sizes], data: mine }];
  const [, ...inner] = sizes;
  return [n, { shape: [1, to - from, ...inner], data: mine.slice(from * size(inner), to * size(inner)) }];
}));
const size = (shape: readonly number[]): number => shape.reduce((n, s) => n * s, 1);

describe.skipIf(missing !== undefined)('points that several invocations take', () => {
  it('have 8 invocations, or more where each had more than 32 members; all but the longest share groups', () => {
    const lanes = (text: string): number[] => kernelsOf(onGpu(text)).map(({ grid }) => (grid?.neighbours ? 1 : -1) * (grid?.lanes ?? 0));
    for (const [c, n] of [[9, 8], [256, 8], [257, 16], [512, 16], [513, 32], [1024, 32], [1025, -64]] as const) expect(lanes(model([norm(c)])), `${c} members`).toContain(n);
  });
  it.each(Object.entries(kinds))('%s: the interpreter\'s values, whatever number of rows fills the last group', async (_, text) => {
    const made = onGpu(text);
    expect(kernelsOf(made).length).toBeGreaterThan(0);
    const loaded = await open(made);
    for (const [batch, time] of [[1, 1], [1, 7], [1, 8], [3, 3], [2, 21]] as const) {
      const inputs = randomInputs(made.program, batch, time, 1);
      for (const { output, error } of errors(interpret(made.program, made.weights, inputs).outputs, await runModel(loaded, inputs, undefined))) expect(error, `${output}, ${batch} × ${time}`).toBeLessThanOrEqual(TOLERANCE);
    }
    loaded.dispose();
  }, 120_000);
  it.each(['steps', 'ends of sequences', 'long rows'])('%s: sequences of different lengths, tiles past the end of some among them', async (name) => {
    const made = onGpu(kinds[name] as string);
    const lengths = [1, 21, 9];
    const inputs = randomInputs(made.program, 3, 21, 2);
    const reference = interpret(made.program, made.weights, inputs, { lengths }).outputs;
    const all: string[] = [];
    // In tiles of one step two of the three rows are at their end long before the last.
    for (const work of [undefined, 1e12]) {
      const loaded = await open(made, work);
      const out = await runModel(loaded, inputs, lengths);
      for (const { output, error } of errors(reference, out)) expect(error, output).toBeLessThanOrEqual(TOLERANCE);
      all.push(JSON.stringify([...out].map(([n, t]) => [n, [...t.data]])));
      loaded.dispose();
    }
    expect(all[1]).toBe(all[0]);
  }, 120_000);
  it.each(Object.entries(kinds))('%s: the same bits again, for a row alone, for a prefix and in a stream', async (name, text) => {
    const made = onGpu(text);
    const loaded = await open(made);
    const inputs = randomInputs(made.program, 3, 13, 3);
    const whole = await loaded.run(given(inputs));
    expect(bits(await loaded.run(given(inputs)))).toEqual(bits(whole));
    const row = (tree: TensorTree, from: number, to: number): Record<string, string> => bits(Object.fromEntries(Object.entries(tree).map(([n, t]) => {
      const [, time = 1, ...inner] = t.shape as number[];
      const [data, each] = [t.data as Float32Array, name === 'ends of sequences' || n.startsWith('z') ? 0 : size(inner)];
      const mine = data.slice(data.length / 3, (data.length / 3) * 2);
      return [n, { shape: [1], data: each === 0 ? mine : mine.slice(from * each, Math.min(to, time) * each) }] as never;
    })));
    const alone = await loaded.run(given(cut(inputs, 1, 0, 13)));
    expect(bits(alone)).toEqual(row(whole, 0, 13));
    const inTime = (tree: TensorTree): TensorTree => Object.fromEntries(Object.entries(tree).filter(([n]) => !n.startsWith('z')));
    expect(bits(inTime(await loaded.run(given(cut(inputs, 1, 0, 5)))))).toEqual(row(inTime(whole), 0, 5));
    const stream = loaded.stream();
    for (const [from, to] of [[0, 1], [1, 4], [4, 13]] as const) expect(bits(inTime(await stream.push(given(cut(inputs, 1, from, to)))))).toEqual(row(inTime(whole), from, to));
    loaded.dispose();
  }, 120_000);
});

/** What is stored in two bytes: norms that others read, of odd and even sizes; a step takes two of them. */
const stored = (c: number): string => `  axis c${c} = ${c}\n  input x${c}[t, c${c}]\n  param v${c}[c${c}] = uniform(1, 2)\n  a${c}[t] = rsqrt(mean(c${c}: x${c}[t, c${c}]^2) + 0.001)\n  n${c}[t, c${c}] = v${c}[c${c}] * x${c}[t, c${c}] * a${c}[t]\n  state h${c}[t, c${c}] = 0.5 * h${c}[t-1, c${c}] + n${c}[t, c${c}]\n  output y${c}[t, c${c}] = h${c}[t, c${c}] + n${c}[t - 1, c${c}]\n`;
const WIDTHS = [9, 10, 17, 31, 32, 63, 64, 65, 70, 300, 600, 1025];
describe.skipIf(missing !== undefined).each(['f16', 'bf16'] as const)('points that several invocations take, stored as %s', (storage) => {
  const made = onGpu(model(WIDTHS.map(stored)), 'auto', storage);
  it('are shown to neighbours, and rows past the last are not written', async () => {
    const choices = made.module.webgpu?.schedule.storage.filter((s) => /^n\d+$/.test(s.name)) ?? [];
    expect(choices.map((s) => s.element)).toEqual(WIDTHS.map(() => storage));
    const shown = kernelsOf(made).filter((k) => k.parameters.some((p) => p.kind === 'buffer' && p.element === storage && p.access !== 'read'));
    expect(shown.length).toBeGreaterThanOrEqual(WIDTHS.length);
    const loaded = await open(made);
    for (const [batch, time] of [[1, 1], [3, 3], [2, 21]] as const) {
      const inputs = randomInputs(made.program, batch, time, 4);
      const exact = interpret(made.program, made.weights, inputs).outputs;
      const loop = interpret(made.program, made.weights, inputs, { stored: roundStored(made.program, storage) }).outputs;
      const out = await runModel(loaded, inputs, undefined);
      for (const [n, t] of exact) {
        const most = narrowLimit(normwise(loop.get(n)?.data ?? [], t.data), storage);
        expect(normwise(out.get(n)?.data ?? [], t.data), `${n}, ${batch} × ${time}`).toBeLessThanOrEqual(most);
      }
    }
    loaded.dispose();
  }, 120_000);
});
