/** Models on the addon and a driver for tests: what they compute, and that all is given back. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { interpret } from '../../src/interpreter/interpret.js';
import { normwise, runModel } from '../../src/cli/tensors.js';
import { TOLERANCE } from '../../src/cli/verify.js';
import { randomInputs } from '../random/agree.js';
import { numbers } from '../runtime/small.js';
import { bits } from '../webgpu/load.js';
import { ended, missing, tools, type Tools } from './driver/tools.js';
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
});
