/** A modality that is missing: no trace of it in what the others give, whatever stands in its place. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { interpret } from '../../src/interpreter/interpret.js';
import { normwise } from '../../src/cli/tensors.js';
import type { Tensor } from '../../src/runtime/index.js';
import { compileText } from '../random/agree.js';
import { numbers, small } from '../runtime/small.js';

const text = readFileSync(new URL('../../examples/coupled-mamba/masked.ssm', import.meta.url), 'utf8');
const labels = ['audio', 'vision', 'text'] as const;
const widths = { audio: 20, vision: 12, text: 30 } as const;
const T = 40;
type Mask = (t: number, m: number) => number;
const maskOf = (mask: Mask): Float32Array => Float32Array.from({ length: T * 3 }, (_, i) => mask(Math.floor(i / 3), i % 3));
const inputs = (fill: Partial<Record<(typeof labels)[number], (seen: number, value: number, t: number) => number>>, mask: Mask): Record<string, Float32Array> => ({
  ...Object.fromEntries(labels.map((label, m) => [label, numbers(T * widths[label], m).map((v, i) => fill[label]?.(mask(Math.floor(i / widths[label]), m), v, Math.floor(i / widths[label])) ?? v)])),
  mask: maskOf(mask),
});

describe('examples/coupled-mamba/masked.ssm', async () => {
  const { model, weights } = await small(text);
  const score = async (given: Record<string, Float32Array>): Promise<Float32Array> => ((await model.run(given)) as { score: Tensor }).score.data;

  it.each(labels.map((label, k) => [label, k] as const))('%s masked throughout leaves no trace', async (label, k) => {
    const mask: Mask = (_, m) => Number(m !== k);
    const plain = await score(inputs({}, mask));
    expect(plain.every(Number.isFinite)).toBe(true);
    for (const junk of [0, 1e30, -7, NaN, Infinity]) expect(await score(inputs({ [label]: () => junk }, mask))).toEqual(plain);
    // It counts where it is seen.
    expect(await score(inputs({}, () => 1))).not.toEqual(plain);
  });
  it('masked for a stretch, what stands there is not read', async () => {
    const mask: Mask = (t, m) => Number(!((m === 1 && t >= 10 && t < 25) || (m === 2 && t < 5)));
    const plain = await score(inputs({}, mask));
    const junk = (seen: number, v: number): number => (seen ? v : NaN);
    expect(await score(inputs({ vision: junk, text: junk }, mask))).toEqual(plain);
  });
  it('is the model of the two others', async () => {
    const two = text.replace('audio[20], vision[12], text[30]', 'audio[20], text[30]');
    const { module, program } = compileText(two);
    if (!module || !program) throw new Error('the model of two does not compile');
    const mask: Mask = (_, m) => Number(m !== 1);
    const names = new Set(program.definitions.flatMap((d) => (d.kind === 'param' ? d.pieces.map((p) => p.name) : [])));
    const left = new Map(Object.entries(weights).filter(([name]) => names.has(name)));
    const given = inputs({}, mask);
    const doubles = (data: Float32Array, f: number): { shape: number[]; data: Float64Array } => ({ shape: [1, T, f], data: Float64Array.from(data) });
    const want = interpret(program, left, new Map([['audio', doubles(given['audio'] as Float32Array, 20)], ['text', doubles(given['text'] as Float32Array, 30)], ['mask', doubles(new Float32Array(T * 2).fill(1), 2)]]), {});
    expect(normwise(await score(given), want.outputs.get('score')?.data ?? [])).toBeLessThan(1e-5);
  });
});
