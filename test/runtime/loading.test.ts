/** What can be wrong with a module, its memory and its streams: typed errors that say what was expected and what came. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runtimeMessages } from '../../src/runtime/errors.js';
import { loadModel, LoadError, StreamError, WeightsError, InputError } from '../../src/runtime/index.js';
import { elements, numbers, small } from './small.js';

const spec = 'model Small {\n  axis c = 3\n  input x[t, c]\n  param a[c] = uniform(0.1, 0.9)\n  state h[t, c] = a[c] * h[t-1, c] + x[t, c]\n  output y[t, c] = h[t, c]\n}';
async function fault(work: () => unknown): Promise<Error> {
  try {
    await work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

describe('loading', async () => {
  const { module, weights } = await small(spec);
  const { manifest, wasm } = module;
  const cases: readonly (readonly [what: string, says: string, work: () => Promise<unknown>])[] = [
    ['kernels that are not there', 'SSM5201: cannot read kernels from `/no/such.wasm`', () => loadModel(manifest, { wasm: '/no/such.wasm' }, { weights })],
    ['bytes that are no module', 'SSM5202: the WebAssembly module cannot be used here', () => loadModel(manifest, { wasm: Uint8Array.of(1, 2, 3) }, { weights })],
    ['a cut module', 'SSM5202', () => loadModel(manifest, { wasm: wasm.slice(0, wasm.length - 9) }, { weights })],
    ['a manifest of another format', 'SSM5203: the manifest does not fit this runtime: it has format 2', () => loadModel({ ...manifest, format: 2 as 1 }, { wasm }, { weights })],
    ['a device that it has not', 'SSM5204: device `abacus` is not compiled into this module', () => loadModel(manifest, { wasm }, { weights, device: 'abacus' as 'wasm' })],
  ];
  it.each(cases)('%s', async (_, says, work) => {
    const error = await fault(work);
    expect(error).toBeInstanceOf(LoadError);
    expect(error.message).toContain(says);
  });
  it('a singular matrix under inverse', async () => {
    const { module: m } = await small('model M {\n  axis c = 2\n  axis e = c\n  input x[t, c]\n  param w[c, e] = where(c == e, 1, 0)\n  v[c, e] = inverse(c, e: w[c, e])\n  output y[t, c] = sum(e: v[c, e] * x[t, e])\n}');
    const error = await fault(() => loadModel(m.manifest, { wasm: m.wasm }, { weights: { w: { data: Float32Array.of(1, 2, 2, 4), shape: [2, 2] } } }));
    expect(error).toBeInstanceOf(WeightsError);
    expect(error.message).toContain('SSM5008');
  });
});

describe('memory', () => {
  it('that can not be addressed is refused, and the model goes on', async () => {
    const { model } = await small('model Wide {\n  axis c = 2000000\n  input x[t]\n  state h[t, c] = 0.5 * h[t-1, c] + x[t]\n  output y[t] = max(c: h[t, c])\n}');
    const stream = model.stream({ batch: 1000 });
    const error = await fault(() => stream.push({ x: { data: new Float32Array(1000), shape: [1000, 1] } }));
    expect(error).toBeInstanceOf(LoadError);
    expect(error.message).toMatch(/SSM5205: the model needs \d+ bytes of memory: WebAssembly addresses at most 4294967296/);
    expect(elements(await model.run({ x: Float32Array.of(1, 2) }))).toEqual([1, 2.5]);
  });
  it('of an output past 2^31 elements is refused', async () => {
    const { model } = await small('model Long {\n  axis c = 3000\n  input x[t]\n  output y[t, c] = x[t]\n}');
    const error = await fault(() => model.run({ x: new Float32Array(1_000_000) }));
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toContain('SSM5110: elements of output `y`: 3000000000, over the limit of 2147483647');
  });
});

describe('streams', () => {
  it('of a model that reads the future', async () => {
    const { model } = await small('model Ahead {\n  input x[t]\n  output y[t] = x[t+1]\n}');
    const error = await fault(() => model.stream());
    expect(error).toBeInstanceOf(StreamError);
    expect(error.message).toContain('SSM5301');
    expect(elements(await model.run({ x: Float32Array.of(1, 2) }))).toEqual([2, 0]);
  });
  it('saved by another model', async () => {
    const [one, other] = [await small(spec), await small(spec)];
    const stream = (await loadModel({ ...one.module.manifest, spec: 'a'.repeat(64) }, { wasm: one.module.wasm }, { weights: one.weights })).stream();
    await stream.push({ x: numbers(6, 1) });
    const here = other.model.stream();
    const first = elements(await here.push({ x: numbers(3, 2) }));
    const error = await fault(() => { here.restore(stream.save()); });
    expect(error).toBeInstanceOf(StreamError);
    expect(error.message).toContain('SSM5304');
    here.reset();
    expect(elements(await here.push({ x: numbers(3, 2) }))).toEqual(first);
  });
});

describe('codes', () => {
  it('of the runtime each stand in a test, but for those of a GPU', () => {
    const folder = join(import.meta.dirname, '..');
    const tests = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.test.ts')).map((f) => readFileSync(join(folder, f), 'utf8')).join('\n');
    const ofGpus = /^SSM(5207|55\d\d)$/;
    expect(Object.keys(runtimeMessages).map((code) => `SSM${code}`).filter((code) => !ofGpus.test(code) && !tests.includes(code))).toEqual([]);
  });
});
