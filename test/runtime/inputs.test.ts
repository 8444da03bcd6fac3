/** Bad weights and bad inputs: typed errors that say what was expected and what came, and a model that is as good as before. */
import { beforeAll, describe, expect, it } from 'vitest';
import { DisposedError, InputError, loadModel, StreamError, WeightsError, writeSafetensors, type Model } from '../../src/runtime/index.js';
import { elements, numbers, small, type Small } from './small.js';

const spec = `model Small {
  modalities m = depth[3], sound[2]
  axis c = 4
  input signal[t, m, f]
  input gain[c]
  param W[m, c, f] = normal(0, 0.5)
  param a[c] = uniform(0.1, 0.9)
  x[t, c] = sum(m: sum(f: W[m, c, f] * signal[t, m, f]))
  state h[t, c] = a[c] * h[t-1, c] + gain[c] * x[t, c]
  output y[t, c] = h[t, c]
  output last[c] = last(t: h[t, c])
  fact a < 0.95
}`;
const inputs = { depth: numbers(15, 1), sound: numbers(10, 2), gain: numbers(4, 3) };
let made: Small;
let good: number[];
beforeAll(async () => {
  made = await small(spec, 'auto', { finite: true });
  good = elements(await made.model.run(inputs));
});
const three = (data: Float32Array, ...shape: number[]): object => ({ data, shape });

describe('inputs', () => {
  const bad: readonly (readonly [what: string, inputs: unknown, says: string, lengths?: unknown])[] = [
    ['nothing', undefined, 'SSM5103: input `inputs`: expected a Float32Array or { data: Float32Array, shape }, got Undefined where an object of tensors belongs'],
    ['an array', [], 'SSM5103'],
    ['one missing', { ...inputs, sound: undefined }, 'SSM5101: missing input `sound`'],
    ['one misspelt', { depth: inputs.depth, sond: inputs.sound, gain: inputs.gain }, 'SSM5101: missing input `sound`; nearest: `sond`'],
    ['one too many', { ...inputs, depht: inputs.depth }, 'SSM5102: there is no input `depht`; nearest: `depth` (inputs: depth, sound, gain)'],
    ['a name of the prototype', { ...inputs, toString: inputs.depth }, 'SSM5102: there is no input `toString`'],
    ['a plain array', { ...inputs, depth: [1, 2, 3] }, 'SSM5103: input `depth`: expected a Float32Array or { data: Float32Array, shape }, got Array'],
    ['float64', { ...inputs, depth: new Float64Array(15) }, 'SSM5103: input `depth`: expected a Float32Array or { data: Float32Array, shape }, got Float64Array'],
    ['float64 as data', { ...inputs, depth: { data: new Float64Array(15), shape: [1, 5, 3] } }, 'got Float64Array as data'],
    ['a number', { ...inputs, depth: 3 }, 'got the number 3'],
    ['null', { ...inputs, depth: null }, 'got Null'],
    ['length 0', { ...inputs, depth: new Float32Array(), sound: new Float32Array() }, 'SSM5107: input `depth`: length is 0, expected at least 1'],
    ['length 0 by shape', { ...inputs, depth: three(new Float32Array(), 1, 0, 3) }, 'SSM5107: input `depth`: length is 0'],
    ['batch 0', { ...inputs, depth: three(new Float32Array(), 0, 5, 3) }, 'SSM5107: input `depth`: batch is 0'],
    ['a broken step', { ...inputs, depth: new Float32Array(16) }, 'SSM5105: input `depth`: expected a multiple of 3 elements ([batch, time, 3], batch 1), got 16'],
    ['a wrong rank', { ...inputs, depth: three(inputs.depth, 5, 3) }, 'SSM5104: input `depth`: expected shape [batch, time, 3], got [5, 3]'],
    ['a wrong size', { ...inputs, depth: three(inputs.depth, 1, 3, 5) }, 'SSM5104: input `depth`: expected shape [batch, time, 3], got [1, 3, 5]'],
    ['half a step', { ...inputs, depth: three(inputs.depth, 2, 2.5, 3) }, 'SSM5104: input `depth`: expected shape [batch, time, 3], got [2, 2.5, 3]'],
    ['a negative batch', { ...inputs, depth: three(inputs.depth, -1, -5, 3) }, 'SSM5104'],
    ['no shape', { ...inputs, depth: { data: inputs.depth } }, 'SSM5104: input `depth`: expected shape [batch, time, 3], got Undefined'],
    ['data that is short of its shape', { ...inputs, depth: three(inputs.depth, 1, 6, 3) }, 'SSM5105: input `depth`: expected 18 elements for shape [1, 6, 3], got 15'],
    ['unequal lengths', { ...inputs, sound: numbers(8, 1) }, 'SSM5106: inputs disagree: `sound` has time 4, `depth` has 5'],
    ['unequal batches', { ...inputs, gain: three(numbers(8, 1), 2, 4) }, 'SSM5106: inputs disagree: `gain` has batch 2, `depth` has 1'],
    ['NaN', { ...inputs, depth: inputs.depth.with(7, NaN) }, 'SSM5109: input `depth` is NaN at [0, 2, 1], and `finite` was asked for'],
    ['an infinity without time', { ...inputs, gain: inputs.gain.with(2, -Infinity) }, 'SSM5109: input `gain` is -Infinity at [0, 2]'],
    ['no lengths', inputs, 'SSM5108: lengths: expected 1, one for each row of the batch, got 0', []],
    ['two lengths', inputs, 'got 2', [1, 1]],
    ['lengths that are a number', inputs, 'SSM5108', 5],
    ['a length of 0', inputs, 'SSM5108: lengths: expected whole numbers from 1 to 5, got 0 for row 0', [0]],
    ['a length past the end', inputs, 'got 6 for row 0', [6]],
    ['half a length', inputs, 'got 2.5 for row 0', [2.5]],
    ['a length that is text', inputs, 'got 3 for row 0', ['3']],
  ];
  it.each(bad)('%s', async (_, given, says, lengths) => {
    const error: unknown = await made.model.run(given as never, lengths === undefined ? {} : { lengths: lengths as number[] }).then(() => undefined, (e: unknown) => e);
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).toContain(says);
    expect(elements(await made.model.run(inputs))).toEqual(good);
  });
  it('what is padded may hold NaN, and is not read', async () => {
    const depth = new Float32Array(15).fill(NaN);
    depth.set(inputs.depth.subarray(0, 9));
    const sound = new Float32Array(10).fill(Infinity);
    sound.set(inputs.sound.subarray(0, 6));
    const short = elements(await made.model.run({ depth: inputs.depth.slice(0, 9), sound: inputs.sound.slice(0, 6), gain: inputs.gain }));
    const padded = elements(await made.model.run({ depth, sound, gain: inputs.gain }, { lengths: [3] }));
    expect(padded.slice(0, 12)).toEqual(short.slice(0, 12));
    expect(padded.slice(12, 20)).toEqual(Array(8).fill(0));
    expect(padded.slice(20)).toEqual(short.slice(12));
  });
});

describe('weights', () => {
  const load = (weights: unknown): Promise<unknown> => loadModel(made.module.manifest, { wasm: made.module.wasm as Uint8Array }, { weights: weights as never }).then((m) => m, (e: unknown) => e);
  const file = (): Uint8Array => writeSafetensors(made.weights);
  it('from bytes at any alignment, an ArrayBuffer, another view, a file at hand: the same model', async () => {
    const bytes = file();
    const moved = new Uint8Array(bytes.length + 3).subarray(3);
    moved.set(bytes);
    for (const weights of [bytes, moved, bytes.slice().buffer, new DataView(bytes.slice().buffer)]) {
      expect(elements(await ((await load(weights)) as Model).run(inputs))).toEqual(good);
    }
  });
  const W = 'depth.W';
  const bad: readonly (readonly [what: string, weights: () => unknown, says: string])[] = [
    ['none', () => undefined, 'SSM5004: the weights do not fit the model: lacks `a` [4]; lacks `depth.W` [4, 3]; lacks `sound.W` [4, 2]'],
    ['null', () => null, 'SSM5004'],
    ['a number', () => 3, 'SSM5001: cannot read weights from the number 3: expected a path, a URL, bytes, a safetensors file or tensors by name'],
    ['a path to nothing', () => 'no/such.safetensors', 'SSM5001: cannot read weights from `no/such.safetensors`: ENOENT'],
    ['a URL to nothing', () => new URL('file:///no/such.safetensors'), 'SSM5001'],
    ['truncated in the header', () => file().subarray(0, 40), 'SSM5002'],
    ['truncated in the data', () => file().subarray(0, -1), 'SSM5002'],
    ['garbage', () => new Uint8Array(100).fill(0x41), 'SSM5002'],
    ['a tensor missing', () => ({ ...made.weights, a: undefined, A: made.weights['a'] }), 'expected a Float32Array or Float64Array as data, got Undefined'],
    ['a tensor misspelt', () => writeSafetensors({ 'depth.w': made.weights[W] as never, 'sound.W': made.weights['sound.W'] as never, a: made.weights['a'] as never }), 'SSM5004: the weights do not fit the model: lacks `depth.W` [4, 3]; nearest: `depth.w`'],
    ['a transposed tensor', () => ({ ...made.weights, [W]: { data: new Float32Array(12), shape: [3, 4] } }), '`depth.W`: expected shape [4, 3], got [3, 4]'],
    ['a shape that does not fit its data', () => ({ ...made.weights, [W]: { data: new Float32Array(11), shape: [4, 3] } }), '`depth.W`: expected a shape of 11 elements, got [4, 3]'],
    ['integers', () => ({ ...made.weights, [W]: { data: new Int32Array(12), shape: [4, 3] } }), '`depth.W`: expected a Float32Array or Float64Array as data, got Int32Array'],
    ['a value outside a fact', () => ({ ...made.weights, a: { data: new Float32Array([0.5, 0.5, 1, 0.5]), shape: [4] } }), 'SSM5005: weight `a` must lie in'],
  ];
  it.each(bad)('%s', async (_, weights, says) => {
    const error = await load(weights());
    expect(error).toBeInstanceOf(WeightsError);
    expect((error as Error).message).toContain(says);
  });
  it('of a dtype that is no float are refused; axes of size 1 are not minded', async () => {
    const text = new TextDecoder().decode(file());
    const bytes = file();
    bytes.set(new TextEncoder().encode(text.replace('"F64"', '"I64"').slice(8, 300).slice(0, 280)), 8);
    const error = await load(bytes);
    expect((error as Error).message).toContain('expected dtype F32, F16, BF16 or F64, got I64');
    const again = (await load({ ...made.weights, a: { data: made.weights['a']?.data, shape: [1, 4, 1] } })) as Model;
    expect(elements(await again.run(inputs))).toEqual(good);
  });
});

describe('streams and runs on one model', () => {
  const piece = (at: number, n: number): typeof inputs => ({ depth: inputs.depth.slice(at * 3, (at + n) * 3), sound: inputs.sound.slice(at * 2, (at + n) * 2), gain: inputs.gain });
  it('interleaved, each is as if it were alone', async () => {
    const { model } = made;
    const [a, b] = [model.stream(), model.stream()];
    const other = elements(await model.run(piece(1, 3)));
    const from = { a: [] as number[], b: [] as number[] };
    for (let t = 0; t < 5; t++) {
      // Not awaited one by one.
      const [x, y, z] = await Promise.all([a.push(piece(t, 1)), b.push(piece(4 - t, 1)), model.run(piece(1, 3))]);
      from.a.push(...elements({ y: (x as { y: object }).y }));
      from.b.push(...elements({ y: (y as { y: object }).y }));
      expect(elements(z)).toEqual(other);
    }
    expect(from.a).toEqual(good.slice(0, 20));
    const reversed = { depth: Float32Array.from([4, 3, 2, 1, 0].flatMap((t) => [...piece(t, 1).depth])), sound: Float32Array.from([4, 3, 2, 1, 0].flatMap((t) => [...piece(t, 1).sound])), gain: inputs.gain };
    expect(from.b).toEqual(elements(await model.run(reversed)).slice(0, 20));
  });
  it('a bad push leaves the stream as it was', async () => {
    const stream = made.model.stream();
    await stream.push(piece(0, 2));
    await expect(stream.push({ depth: new Float32Array(3) } as never)).rejects.toThrow('SSM5101: missing input `sound`, `gain`');
    await expect(stream.push({ ...piece(0, 1), depth: new Float32Array(6), sound: new Float32Array(4), gain: three(new Float32Array(8), 2, 4) } as never)).rejects.toBeInstanceOf(InputError);
    expect(elements(await stream.push(piece(2, 3))).slice(0, 12)).toEqual(good.slice(8, 20));
  });
  it('a stream of another batch, and saved states that are damaged, of another batch or another model', async () => {
    const stream = made.model.stream({ batch: 2 });
    await expect(stream.push(piece(0, 1))).rejects.toThrow('SSM5106: inputs disagree: `depth` has batch 1, the stream has 2');
    expect(() => made.model.stream({ batch: 0 })).toThrow('SSM5206');
    const one = made.model.stream();
    await one.push(piece(0, 2));
    const saved = one.save();
    const refuses = (bytes: unknown, says: string): void => {
      expect(() => one.restore(bytes as Uint8Array)).toThrow(says);
      expect(() => one.restore(bytes as Uint8Array)).toThrow(StreamError);
    };
    refuses(new Uint8Array(3), 'SSM5302');
    refuses(new Uint8Array(100), 'SSM5302');
    refuses('x', 'SSM5302');
    refuses(saved.subarray(0, -1), 'SSM5303');
    refuses(saved.with(saved.length - 1, 99), 'SSM5303: the saved stream is damaged: its checksum is wrong');
    refuses(stream.save(), 'SSM5305: the stream was saved with batch 2, this one has batch 1');
    expect(elements(await one.push(piece(2, 3))).slice(0, 12)).toEqual(good.slice(8, 20));
    one.restore(saved);
    expect(elements(await one.push(piece(2, 3))).slice(0, 12)).toEqual(good.slice(8, 20));
    const file = Buffer.from(saved);
    one.restore(file);
    file.fill(7);
    expect(elements(await one.push(piece(2, 3))).slice(0, 12)).toEqual(good.slice(8, 20));
  });
  it('what is disposed of says so', async () => {
    const { model } = await small(spec);
    const stream = model.stream();
    stream.dispose();
    stream.dispose();
    await expect(stream.push(piece(0, 1))).rejects.toThrow('SSM5401: the stream has been disposed of');
    const kept = model.stream();
    model.dispose();
    model.dispose();
    await expect(model.run(inputs)).rejects.toBeInstanceOf(DisposedError);
    await expect(kept.push(piece(0, 1))).rejects.toThrow('SSM5401: the model has been disposed of');
    expect(() => model.stream()).toThrow(DisposedError);
    expect(() => kept.save()).toThrow(DisposedError);
  });
});
