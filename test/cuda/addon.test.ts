/** Models on the addon and a driver for tests: what they compute, and that all is given back. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { interpret } from '../../src/interpreter/interpret.js';
import { normwise, runModel } from '../../src/cli/tensors.js';
import { TOLERANCE } from '../../src/cli/verify.js';
import { randomInputs } from '../random/agree.js';
import { numbers } from '../runtime/small.js';
import { bits } from '../webgpu/load.js';
import type { SsmcError } from '../../src/runtime/index.js';
import { ended, imageFile, missing, tools, type Tools } from './driver/tools.js';
import { onCuda, small as spec, type OnCuda } from './load.js';

describe.skipIf(missing !== undefined)(`the addon${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, () => {
  let t: Tools;
  let small: OnCuda;
  beforeAll(async () => {
    t = await tools();
    small = await onCuda(spec, t);
  }, 600_000);
  afterAll(() => small?.kernels.dispose());
  afterEach(async () => {
    await ended(t);
    expect(t.control.look().misuses).toEqual([]);
    t.control.reset();
  });

  it('runs a model as the interpreter means it', async () => {
    const model = await small.load();
    expect(model.device).toMatchObject({ name: 'cuda', adapter: 'Test device 0, compute capability 9, driver for CUDA 13.0', passedOver: [] });
    const inputs = randomInputs(small.program, 3, 130, 5);
    const want = interpret(small.program, small.weights, inputs).outputs;
    for (const [name, { data }] of await runModel(model, inputs, undefined)) expect(normwise(data, want.get(name)?.data ?? []), name).toBeLessThanOrEqual(TOLERANCE);
    model.dispose();
  });
  it('gives a stream in pieces the bits of the whole, its pushes as graphs', async () => {
    const model = await small.load();
    const x = numbers(3 * 12, 1);
    const whole = bits(await model.run({ x }));
    const stream = model.stream();
    let y = '';
    for (let at = 0; at < 12; at++) {
      const out = bits(await stream.push({ x: x.slice(3 * at, 3 * at + 3) }));
      y += out['y'];
      if (at === 11) expect(out['z']).toBe(whole['z']);
    }
    expect(y).toBe(whole['y']);
    const { calls } = t.control.look();
    // The first push begins; then one for each half of the past, launched again and again.
    expect([calls['cuGraphInstantiateWithFlags'], calls['cuGraphLaunch']]).toEqual([3, 12]);
    model.dispose();
  });
  it('sequences of their own lengths, a batch that shares a device with another model, a stream saved and restored', async () => {
    const [model, other] = [await small.load(), await small.load()];
    const inputs = randomInputs(small.program, 3, 20, 7);
    const lengths = [20, 1, 7];
    const want = interpret(small.program, small.weights, inputs, { lengths }).outputs;
    for (const [name, { data }] of await runModel(model, inputs, lengths)) expect(normwise(data, want.get(name)?.data ?? []), name).toBeLessThanOrEqual(TOLERANCE);
    const x = numbers(3 * 8, 2);
    const [one, two] = [model.stream(), other.stream()];
    await one.push({ x: x.slice(0, 12) });
    two.restore(one.save());
    expect(bits(await two.push({ x: x.slice(12) }))).toEqual(bits(await one.push({ x: x.slice(12) })));
    expect(t.control.look()).toMatchObject({ contexts: 1, streams: 6 });
    // Buffers are given back with what they were for.
    const before = model.memoryBytes;
    one.dispose();
    expect(model.memoryBytes).toBeLessThan(before);
    model.dispose();
    other.dispose();
  });
  it('a run of many tiles: two are under way, each waited for when the next one is, with the bits of the whole', async () => {
    const x = numbers(3 * 1000, 3);
    const whole = await small.load();
    const want = bits(await whole.run({ x }));
    whole.dispose();
    await ended(t);
    t.control.reset();
    // Buffers that hold 64 steps.
    t.control.set('total', 12 * 128);
    const model = await small.load();
    const before = t.control.look().order.length;
    expect(bits(await model.run({ x }))).toEqual(want);
    expect(t.control.look().order.slice(before)).toMatch(/^uk+d(uk+dw){14}uk+ddww$/);
    // All data of tiles was given back, and a second run does the same.
    expect(bits(await model.run({ x }))).toEqual(want);
    model.dispose();
  });
  it.each<readonly [capability: number, archs: readonly string[], loaded: string]>([
    [90, ['sm_80', 'sm_90'], 'sm_90'], [86, ['sm_80', 'sm_90'], 'sm_80'], [90, ['sm_80'], 'ptx:sm_80'], [103, ['sm_80', 'sm_100', 'sm_90'], 'sm_100'], [90, ['sm_90a', 'sm_80'], 'sm_90a'],
    [103, ['sm_100f'], 'sm_100f'], [120, ['sm_100f', 'sm_100a', 'sm_80'], 'ptx:sm_80'], [90, [], 'nvrtc:sm_90'], [90, ['sm_100'], 'nvrtc:sm_90'], [89, ['sm_90a'], 'nvrtc:compute_86'],
  ])('a device of capability %i and kernels for %j: %s', async (capability, archs, loaded) => {
    process.env['SSMC_TEST_IMAGE'] = imageFile(small.kernels.image('sm_80'));
    t.control.set('capability', capability);
    (await small.load({}, archs)).dispose();
    expect(t.control.look().loaded).toEqual([loaded]);
  });
  it('disposed of during a run and a push: what was asked is answered, or an error with a name; nothing is left', async () => {
    const model = await small.load();
    const stream = model.stream();
    const x = numbers(3 * 200, 1);
    const asked = [model.run({ x }), stream.push({ x }), model.run({ x }), stream.push({ x: x.slice(0, 3) })].map((p) => p.then(() => 'answered', (error: SsmcError) => error.code));
    await new Promise((resolve) => { setImmediate(resolve); });
    model.dispose();
    for (const got of await Promise.all(asked)) expect(got).toMatch(/^(answered|SSM5401|SSM5504|SSM5307)$/);
    expect(await stream.push({ x }).catch((error: SsmcError) => error.code)).toBe('SSM5401');
  });
});
