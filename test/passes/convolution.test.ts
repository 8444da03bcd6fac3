import { describe, expect, it } from 'vitest';
import { normwise, runModel, type Doubles } from '../../src/cli/tensors.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { interpret } from '../../src/interpreter/interpret.js';
import type { Program } from '../../src/ir/program.js';
import type { Strategy } from '../../src/ir/stages.js';
import { loadModel, type Model } from '../../src/runtime/index.js';
import { compileText, randomInputs, TOLERANCE } from '../random/agree.js';
import { others, systems } from './convolution-systems.js';

/** The long ones take minutes. */
const quick = process.env['QUICK'] !== undefined;

interface Loaded {
  readonly program: Program;
  readonly weights: ReadonlyMap<string, Doubles>;
  readonly models: ReadonlyMap<Strategy, Model>;
}
async function loaded(text: string, strategies: readonly Strategy[]): Promise<Loaded> {
  const models = new Map<Strategy, Model>();
  let program: Program | undefined;
  let weights: ReadonlyMap<string, Doubles> = new Map();
  for (const s of strategies) {
    const made = compileText(text, s);
    if (!made.module || !made.program) throw new Error(made.diagnostics.map((d) => `${d.code} ${d.text}`).join('\n'));
    if (s === 'convolution') expect(made.module.graph.stages.some((x) => x.strategy?.name === 'convolution')).toBe(true);
    program = made.program;
    weights = new Map([...initialise(program, 1)].map(([n, t]) => [n, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
    models.set(s, await loadModel(made.module.manifest, { wasm: made.module.wasm }, { weights: Object.fromEntries(weights) }));
  }
  return { program: program as Program, weights, models };
}
/** The largest error of any output of any strategy. */
async function worst({ program, weights, models }: Loaded, steps: number, lengths?: readonly number[]): Promise<number> {
  const inputs = randomInputs(program, lengths?.length ?? 1, steps, steps);
  const reference = interpret(program, weights, inputs, lengths ? { lengths } : {}).outputs;
  let found = 0;
  for (const model of models.values()) for (const [name, t] of await runModel(model, inputs, lengths)) found = Math.max(found, normwise(t.data, reference.get(name)?.data as Float64Array));
  return found;
}
const all: readonly Strategy[] = ['convolution', 'serial', 'step'];

describe.each(Object.entries(systems))('%s', (_, text) => {
  it.each([4, 16, ...(quick ? [] : [64])])('N = %i: convolution, scan and step are what the interpreter says, at any length', async (n) => {
    const these = await loaded(text(n), all);
    for (const steps of [1, 2, 3, 17, 600]) expect(await worst(these, steps), `L = ${steps}`).toBeLessThan(TOLERANCE);
  }, 300_000);
  it.skipIf(quick).each([16, 64])('N = %i, long: 1000, 4096 and 16384 steps', async (n) => {
    const these = await loaded(text(n), ['convolution', 'serial']);
    for (const steps of [1000, 4096, 16384]) expect(await worst(these, steps), `L = ${steps}`).toBeLessThan(TOLERANCE);
  }, 1_200_000);
  it('rows of their own lengths, and tiles of the sequence after the first', async () => {
    const these = await loaded(text(4), ['convolution']);
    expect(await worst(these, 700, [700, 1, 513, 64, 65])).toBeLessThan(TOLERANCE);
  });
});
describe('what a stage may have besides', () => {
  it.each(Object.entries(others))('%s', async (_, text) => {
    const these = await loaded(text, all);
    for (const steps of [1, 2, 70, 600]) expect(await worst(these, steps), `L = ${steps}`).toBeLessThan(TOLERANCE);
    expect(await worst(these, 600, [600, 63, 2])).toBeLessThan(TOLERANCE);
  });
});

describe('what is computed where', () => {
  const stagesOf = (text: string): readonly string[] => {
    const { module } = compileText(text, 'convolution', { webgpu: true, cuda: true });
    if (!module?.webgpu || !module.cuda) throw new Error('not compiled');
    return [module, module.webgpu, module.cuda].map((m) => m.graph.stages.filter((s) => s.phase === 'step').map((s) => s.name).join());
  };
  it('signals, gates and activations: in the kernels of the convolution', () => {
    for (const name of ['gated, with a residual', 'gated by other steps, of a signal made of others', 'answers along another axis']) expect(stagesOf(others[name] as string)).toEqual(['out', 'out', 'out']);
    for (const name of ['the product of two readouts', 'a signal by name, which is read out and gates']) {
      expect(stagesOf(others[name] as string)).toEqual(['y', 'y', 'y']);
    }
  });
  it('on machines with threads a group has one readout, or all where they meet', () => {
    const memory = (name: string): number => {
      const kernels = compileText(others[name] as string, 'convolution', true).module?.webgpu?.kernels ?? [];
      return kernels.find((k) => k.name.endsWith('answers'))?.memories?.length ?? 0;
    };
    expect(memory('gated, with a residual')).toBe(3);
    expect(memory('the product of two readouts')).toBe(4);
    expect(memory('chains that meet in what is stored')).toBe(4);
  });
});

describe('bits', () => {
  const text = (systems['chains coupled in full'] as (n: number) => string)(4);
  const steps = 1300;
  it('of a prefix, of a row alone, and of a second run are those of the whole', async () => {
    const { program, models } = await loaded(text, ['convolution']);
    const model = models.get('convolution') as Model;
    const inputs = randomInputs(program, 2, steps, 3);
    const cut = (t: Doubles, row: number, n: number): Doubles => {
      const width = t.data.length / t.shape.slice(0, 2).reduce((a, b) => a * b, 1);
      return { shape: [1, n, ...t.shape.slice(2)], data: t.data.slice(row * steps * width, (row * steps + n) * width) };
    };
    const whole = (await runModel(model, inputs, undefined)).get('y')?.data as Float32Array;
    expect((await runModel(model, inputs, undefined)).get('y')?.data).toEqual(whole);
    const width = whole.length / 2 / steps;
    for (const [row, n] of [[0, steps], [1, steps], [1, 1], [0, 63], [0, 64], [1, 65], [0, 511], [0, 512], [1, 513], [0, 1027]] as const) {
      const alone = await runModel(model, new Map([...inputs].map(([name, t]) => [name, cut(t, row, n)])), undefined);
      expect(alone.get('y')?.data, `row ${row}, ${n} steps`).toEqual(whole.slice(row * steps * width, (row * steps + n) * width));
    }
  });
});

describe('a model that takes the whole sequence', () => {
  it('runs by states what is longer than its kernels, a row of the batch like the same row alone', async () => {
    const these = await loaded('model M {\n  axis n = 3\n  input x[t]\n  state h[t, n] = (0.9 - 0.1 * n) * h[t+1, n] + x[t]\n  output y[t] = sum(n: h[t, n])\n}', ['convolution']);
    const model = these.models.get('convolution') as Model;
    const steps = 16_500;
    expect(await worst(these, steps, [steps, 300])).toBeLessThan(TOLERANCE);
    const inputs = randomInputs(these.program, 2, steps, 2);
    const both = (await runModel(model, inputs, [steps, 300])).get('y')?.data as Float32Array;
    const alone = (await runModel(model, new Map([['x', { shape: [1, 300], data: (inputs.get('x') as Doubles).data.slice(steps, steps + 300) }]]), undefined)).get('y')?.data;
    expect(both.slice(steps, steps + 300)).toEqual(alone);
    const serial = await loaded('model M {\n  axis n = 3\n  input x[t]\n  state h[t, n] = (0.9 - 0.1 * n) * h[t+1, n] + x[t]\n  output y[t] = sum(n: h[t, n])\n}', ['serial']);
    const scan = (await runModel(serial.models.get('serial') as Model, inputs, [steps, 300])).get('y')?.data as Float32Array;
    expect(both.slice(0, steps)).toEqual(scan.slice(0, steps));
    expect(both.slice(steps, steps + 300)).not.toEqual(scan.slice(steps, steps + 300));
  });
});

describe('kernels that grow', () => {
  const growing = (rate: number): string => `model M {
    axis c = 4
    axis n = 4
    input u[t, c]
    param r[c, n] = ${rate}
    a[c, n] = r[c, n] * exp(complex(0, 0.7 * (n + 1)))
    state h[t, c, n] = a[c, n] * h[t-1, c, n] + u[t, c]
    output y[t, c] = re(sum(n: h[t, c, n]))
  }`;
  const dense = `model M {
    axis n = 4
    axis k = n
    input u[t]
    param A[n, k] = normal(0, 0.5)
    param b[n] = normal(0, 1)
    state h[t, n] = sum(k: A[n, k] * h[t-1, k]) + b[n] * u[t]
    output y[t] = sum(n: h[t, n])
  }`;
  it.each([['by 1.002 a step', growing(1.002)], ['by 1.03 a step', growing(1.03)], ['by 1.19 a step', growing(1.19)], ['by 1.19 a step, gated', growing(1.19).replace('re(sum(n: h[t, c, n]))', 're(sum(n: h[t, c, n])) * u[t, c]')], ['as a matrix of weights says', dense]])('%s: what a transform rounds does not drown early steps', async (_, text) => {
    const these = await loaded(text, ['convolution']);
    for (const steps of [64, 65, 100, 200]) expect(await worst(these, steps), `L = ${steps}`).toBeLessThan(TOLERANCE);
  });
  it('are found when weights are bound: others keep their transforms', async () => {
    const bits = async (text: string, strategy: Strategy): Promise<Float32Array> => {
      const { program, models } = await loaded(text, [strategy]);
      return [...await runModel(models.get(strategy) as Model, randomInputs(program, 1, 300, 7), undefined)][0]?.[1].data as Float32Array;
    };
    expect(await bits(growing(1.19), 'convolution')).toEqual(await bits(growing(1.19), 'serial'));
    expect(await bits(growing(0.99), 'convolution')).not.toEqual(await bits(growing(0.99), 'serial'));
  });
});

describe('streaming', () => {
  it.each(Object.entries(systems))('%s: what is pushed in pieces is what run gives', async (_, text) => {
    const { program, models } = await loaded(text(4), ['convolution']);
    const model = models.get('convolution') as Model;
    const steps = 600;
    const inputs = randomInputs(program, 1, steps, 5);
    const whole = (await runModel(model, inputs, undefined)).get('y')?.data as Float32Array;
    const stream = model.stream();
    const pieces: number[] = [];
    for (let at = 0, n = 1; at < steps; at += n, n = Math.min(3 * n, steps - at)) {
      const out = await stream.push(Object.fromEntries([...inputs].map(([name, t]) => {
        const width = t.data.length / steps;
        return [name, { data: Float32Array.from(t.data.subarray(at * width, (at + n) * width)), shape: [1, n, ...t.shape.slice(2)] }];
      })));
      pieces.push(...((out['y'] as { data: Float32Array }).data));
    }
    expect(normwise(Float32Array.from(pieces), Float64Array.from(whole))).toBeLessThan(TOLERANCE);
  });
});
