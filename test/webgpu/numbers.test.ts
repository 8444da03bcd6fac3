/** What must be the same in every bit on WebGPU, however a sequence is cut; long memories; odd sizes; how much a run and a push cost. */
import { describe, expect, it } from 'vitest';
import { interpret } from '../../src/interpreter/interpret.js';
import type { Launch } from '../../src/runtime/manifest.js';
import type { Model, TensorTree } from '../../src/runtime/index.js';
import { normwise, runModel as runWith, type Doubles } from '../../src/cli/tensors.js';
import { errors, randomInputs, TOLERANCE } from '../random/agree.js';
import { elements, numbers } from '../runtime/small.js';
import { gpu, many, missing } from './device.js';
import { bits, onGpu, thrown, type OnGpu } from './load.js';
import { Tap } from './tap.js';

/** Modalities of different widths, coupled; a past of three steps; a product, a scan, reductions over time. */
const spec = `import LayerNorm from "std"
model Coupled {
  modalities m = audio[5], text[9]
  axis c = 6
  axis i = m
  axis n = 4
  axis k = 4
  input signal[t, m, f]
  param W[m, c, f] = normal(0, 0.3)
  param w[m, c, k] = uniform(-0.5, 0.5)
  param rate[n] = uniform(0.1, 1)
  param B[n, c] = normal(0, 0.3)
  embedded[t, m, c] = sum(f: W[m, c, f] * signal[t, m, f])
  v = LayerNorm(embedded) as norm
  u[t, m, c] = silu(sum(k: w[m, c, k] * v[t - 3 + k, m, c]))
  dt[t, m, c] = softplus(u[t, m, c])
  b[t, m, n] = sum(c: B[n, c] * u[t, m, c])
  state h[t, m, c, n] = exp(-dt[t, m, c] * rate[n]) * mean(i: h[t-1, i, c, n]) + dt[t, m, c] * b[t, m, n] * u[t, m, c]
  output y[t, m, c] = sum(n: b[t, m, n] * h[t, m, c, n])
  output z[m, c] = max(t: h[t, m, c, 0])
}`;
/** Uncoupled: it can be scanned in chunks. */
const smooth = `model Smooth {
  axis c = 5
  axis n = 4
  input x[t, c]
  param rate[c, n] = uniform(0.05, 0.9)
  state h[t, c, n] = rate[c, n] * h[t-1, c, n] + x[t, c]
  output y[t, c] = sum(n: h[t, c, n])
  output z[c] = max(t: h[t, c, 0])
}`;
/** Products in tiles: of more rows than threads along them by slabs, of fewer without; and a mean of what no other stage computes. */
const products = `model Products {
  axis o = 40
  axis k = 21
  axis j = o
  input x[t, k]
  param w[o, k] = normal(0, 0.3)
  param v[j, o] = normal(0, 0.3)
  u[t, o] = sum(k: w[o, k] * x[t, k])
  state h[t, o] = 0.5 * h[t-1, o] + tanh(u[t, o])
  output y[t, j] = mean(o: v[j, o] * (h[t, o] + u[t, o]))
}`;
const rowOf = (t: { data: Float32Array; shape: readonly number[] }, b: number): Float32Array => {
  const size = t.data.length / (t.shape[0] as number);
  return t.data.slice(b * size, (b + 1) * size);
};
type Arrays = ReadonlyMap<string, Doubles>;
const runModel = (model: Model, inputs: Arrays, lengths?: readonly number[]): ReturnType<typeof runWith> => runWith(model, inputs, lengths);
/** Rows `from` to `to` and steps `first` to `last` of inputs with time. */
function cut(inputs: Arrays, rows: readonly [from: number, to: number], steps: readonly [first: number, last: number]): Map<string, Doubles> {
  return new Map([...inputs].map(([name, { data, shape }]) => {
    const [, time = 1, ...rest] = shape;
    const row = rest.reduce((a, b) => a * b, 1);
    const out: number[] = [];
    for (let b = rows[0]; b < rows[1]; b++) out.push(...data.subarray((b * time + steps[0]) * row, (b * time + steps[1]) * row));
    return [name, { data: Float64Array.from(out), shape: [rows[1] - rows[0], steps[1] - steps[0], ...rest] }];
  }));
}
function tree(model: Model, inputs: Arrays): TensorTree {
  const out: Record<string, unknown> = {};
  for (const { name, path } of model.manifest.inputs) {
    let at = out;
    for (const p of path.slice(0, -1)) at = (at[p] ??= {}) as Record<string, unknown>;
    const { data, shape } = inputs.get(name) as Doubles;
    at[path.at(-1) as string] = { data: Float32Array.from(data), shape };
  }
  return out as TensorTree;
}
const hex = (x: Float32Array): string => Buffer.from(x.buffer, x.byteOffset, x.byteLength).toString('hex');
const hexes = (out: ReadonlyMap<string, { data: Float32Array }>): Record<string, string> => Object.fromEntries([...out].map(([name, t]) => [name, hex(t.data)]));
interface Subject {
  readonly text: string;
  readonly strategy?: 'auto' | 'chunked';
  /** On a device that many threads fill: its few points are run in chunks. */
  readonly many?: boolean;
}
async function on({ text, strategy, many: asMany }: Subject, work: (made: OnGpu, model: Model, tap: Tap) => Promise<void>): Promise<void> {
  const made = onGpu(text, strategy);
  const tap = new Tap(asMany ? many : gpu);
  const model = await made.load({ device: 'webgpu', gpu: tap });
  await work(made, model, tap);
  model.dispose();
}

const subjects: readonly (readonly [string, Subject])[] = [['coupled', { text: spec }], ['uncoupled', { text: smooth }], ['chunks asked for', { text: smooth, strategy: 'chunked' }], ['chunks chosen', { text: smooth, many: true }], ['products', { text: products }]];

describe.skipIf(missing !== undefined).each(subjects)('the same bits: %s', (_, of) => {
  const STEPS = 150;
  it('of reruns, single rows and prefixes', () => on(of, async ({ program }, model) => {
    const inputs = randomInputs(program, 3, STEPS, 1);
    const whole = await runModel(model, inputs);
    expect(hexes(await runModel(model, inputs))).toEqual(hexes(whole));
    for (let b = 0; b < 3; b++) {
      const one = await runModel(model, cut(inputs, [b, b + 1], [0, STEPS]));
      for (const [name, t] of whole) expect(hex((one.get(name) as typeof t).data), `${name}, row ${b}`).toBe(hex(rowOf(t, b)));
    }
    for (const steps of [1, 2, 63, 64, 65, 100]) {
      const short = await runModel(model, cut(inputs, [0, 3], [0, steps]));
      for (const { name, time } of model.manifest.outputs) {
        const [all, some] = [whole.get(name), short.get(name)];
        if (time && all && some) for (let b = 0; b < 3; b++) expect(hex(rowOf(all, b)).startsWith(hex(rowOf(some, b))), `${name}, ${steps} steps`).toBe(true);
      }
    }
  }), 120_000);
  it.each([1, 3, 7, 64, STEPS])('of a stream in pieces of %i', (piece) => on(of, async ({ program }, model) => {
    const inputs = randomInputs(program, 2, STEPS, 2);
    const whole = await runModel(model, inputs);
    const stream = model.stream({ batch: 2 });
    for (let at = 0; at < STEPS; at += piece) {
      const until = Math.min(STEPS, at + piece);
      const out = await stream.push(tree(model, cut(inputs, [0, 2], [at, until])));
      for (const { name, path, time } of model.manifest.outputs) {
        const pushed = path.reduce<unknown>((o, p) => (o as Record<string, unknown>)[p], out) as { data: Float32Array; shape: readonly number[] };
        const all = whole.get(name) as { data: Float32Array; shape: readonly number[] };
        const row = all.data.length / 2 / (time ? STEPS : 1);
        // Of chunks, pieces that cut them keep the values, not the bits: these are made from the whole chunk.
        if ((of.strategy === 'chunked' || of.many) && piece < 64 && until > 64) {
          if (time) for (let b = 0; b < 2; b++) expect(normwise(rowOf(pushed, b), rowOf(all, b).slice(at * row, until * row))).toBeLessThanOrEqual(TOLERANCE);
          else if (until === STEPS) expect(normwise(pushed.data, all.data)).toBeLessThanOrEqual(TOLERANCE);
        } else if (time) for (let b = 0; b < 2; b++) expect(hex(rowOf(pushed, b)), `${name}, steps ${at} to ${until}`).toBe(hex(rowOf(all, b).slice(at * row, until * row)));
        else if (until === STEPS) expect(hex(pushed.data), name).toBe(hex(all.data));
      }
    }
    stream.dispose();
  }), 120_000);
  it('of lengths, whatever lies beyond them', () => on(of, async ({ program }, model) => {
    const lengths = [150, 1, 66, 129];
    const inputs = randomInputs(program, 4, STEPS, 3);
    const padded = new Map([...inputs].map(([name, { data, shape }]) => {
      const row = data.length / 4 / STEPS;
      return [name, { shape, data: data.map((v, i) => (Math.floor(i / row) % STEPS < (lengths[Math.floor(i / row / STEPS)] as number) ? v : NaN)) }];
    }));
    const out = await runModel(model, padded, lengths);
    expect([...out.values()].flatMap((t) => [...t.data]).every(Number.isFinite)).toBe(true);
    for (let b = 0; b < 4; b++) {
      const one = await runModel(model, cut(inputs, [b, b + 1], [0, lengths[b] as number]));
      for (const [name, t] of out) {
        const alone = (one.get(name) as typeof t).data;
        expect(hex(rowOf(t, b).slice(0, alone.length)), `${name}, row ${b}`).toBe(hex(alone));
        expect(rowOf(t, b).slice(alone.length).every((v) => v === 0)).toBe(true);
      }
    }
  }), 120_000);
  it('of no other: every odd size agrees with the interpreter', () => on(of, async ({ program, weights }, model) => {
    const far: string[] = [];
    for (const batch of [1, 3, 64]) for (const steps of batch === 64 ? [1, 5, 65] : [1, 2, 3, 4, 5, 63, 64, 65, 66, 129]) {
      const inputs = randomInputs(program, batch, steps, steps);
      for (const { output, error } of errors(interpret(program, weights, inputs).outputs, await runModel(model, inputs))) if (!(error <= TOLERANCE)) far.push(`${output} of ${batch} × ${steps}: ${error}`);
    }
    expect(far).toEqual([]);
  }), 240_000);
});

describe.skipIf(missing !== undefined)('long memories', () => {
  it.each(['serial', 'driven'] as const)('dt = 1e-5 over 65,536 steps: %s', async (kind) => {
    const L = 65536;
    const text = `model Slow {
  axis c = 2
  axis n = 2
  input x[t, c]
  param rate[n] = uniform(0.5, 1)
  ${kind === 'driven' ? 'param bias[c] = log(1e-5)\n  dt[t, c] = exp(bias[c]) + 0 * x[t, c]' : 'dt[c] = 1e-5'}
  state h[t, c, n] = exp(-dt[${kind === 'driven' ? 't, ' : ''}c] * rate[n]) * h[t-1, c, n] + dt[${kind === 'driven' ? 't, ' : ''}c] * x[t, c]
  output y[t, c] = sum(n: h[t, c, n])
}`;
    await on({ text }, async ({ weights }, model) => {
      const rate = (weights.get('rate') as Doubles).data;
      const x = numbers(2 * L, 5).map((v) => 0.5 + v);
      const want = new Float64Array(2 * L);
      const dt = kind === 'driven' ? Math.exp(Math.fround(Math.log(1e-5))) : 1e-5;
      const h = new Float64Array(4);
      for (let t = 0; t < L; t++) for (let c = 0; c < 2; c++) for (let n = 0; n < 2; n++) {
        h[2 * c + n] = Math.exp(-dt * (rate[n] as number)) * (h[2 * c + n] as number) + dt * (x[2 * t + c] as number);
        want[2 * t + c] = (want[2 * t + c] as number) + (h[2 * c + n] as number);
      }
      const { data } = (await model.run({ x }))['y'] as { data: Float32Array };
      expect(normwise(data, want)).toBeLessThanOrEqual(TOLERANCE);
      // The last steps on their own: an error that grows with time is not to hide behind the first.
      expect(normwise(data.slice(-2000), want.slice(-2000))).toBeLessThanOrEqual(TOLERANCE);
    });
  }, 240_000);
});

describe.skipIf(missing !== undefined)('what a call costs', () => {
  const stages = (launches: readonly Launch[]): number => launches.filter((l) => l.kind === 'kernel').length;
  it.each(subjects)('%s: one map a run or push, no more dispatches than stages', (_, of) => on(of, async ({ program, module }, model, tap) => {
    const inputs = randomInputs(program, 1, 20, 1);
    tap.from();
    await runModel(model, inputs);
    expect(tap.count('mapAsync')).toBe(1);
    const { begin, step, finish } = module.webgpu?.manifest ?? module.manifest;
    const stream = model.stream();
    for (let t = 0; t < 5; t++) {
      const one = tree(model, cut(inputs, [0, 1], [t, t + 1]));
      tap.from();
      tap.dispatches = 0;
      await stream.push(one);
      expect(tap.dispatches).toBeLessThanOrEqual((t === 0 ? stages(begin) : 0) + stages(step) + stages(finish));
      expect(tap.dispatches).toBeGreaterThan(0);
      expect(tap.count('mapAsync')).toBe(1);
    }
  }));
  it('an input of zeros from a modality that is not there: the others are as if it were 0', () => on({ text: spec }, async ({ program, weights }, model) => {
    const inputs = randomInputs(program, 2, 9, 4);
    for (const [name, t] of inputs) if (name.includes('text')) t.data.fill(0);
    const found = errors(interpret(program, weights, inputs).outputs, await runModel(model, inputs));
    for (const { error } of found) expect(error).toBeLessThanOrEqual(TOLERANCE);
  }));
});

describe.skipIf(missing !== undefined)('streams', () => {
  it('saved and restored, on a new device too, go on in the same bits', () => on({ text: smooth }, async ({ load }, model, tap) => {
    const x = numbers(5 * 30, 7);
    const one = model.stream();
    await one.push({ x: x.slice(0, 50) });
    const saved = one.save();
    const want = bits(await one.push({ x: x.slice(50) }));
    const other = await load({ device: 'webgpu', gpu: tap });
    const again = other.stream();
    again.restore(saved);
    expect(bits(await again.push({ x: x.slice(50) }))).toEqual(want);
    again.restore(Buffer.concat([Buffer.from('....'), saved]).subarray(4)); // as read from a file
    expect(bits(await again.push({ x: x.slice(50) }))).toEqual(want);
    expect(elements(await one.push({ x: x.slice(0, 5) }))).toEqual(elements(await again.push({ x: x.slice(0, 5) })));
    other.dispose();
  }));
  it('save, restore and reset during a push: SSM5306, and the push is as if they had not been asked', () => on({ text: smooth }, async (_, model) => {
    const x = numbers(5 * 12, 3);
    const alone = model.stream();
    const want = [bits(await alone.push({ x: x.slice(0, 30) })), bits(await alone.push({ x: x.slice(30) }))];
    const stream = model.stream();
    const before = stream.save();
    const pushes = [stream.push({ x: x.slice(0, 30) }), stream.push({ x: x.slice(30) })];
    for (const [what, work] of [['save', () => stream.save()], ['restore', () => { stream.restore(before); }], ['reset', () => { stream.reset(); }]] as const) {
      expect(await thrown(work)).toMatchObject({ name: 'StreamError', code: 'SSM5306', message: `SSM5306: the stream has a push under way: expected it to be waited for before ${what}` });
    }
    expect((await Promise.all(pushes)).map(bits)).toEqual(want);
    stream.restore(before);
    expect(bits(await stream.push({ x: x.slice(0, 30) }))).toEqual(want[0]);
  }));
});
