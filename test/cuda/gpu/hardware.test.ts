/** On a GPU, or whatever driver there is: random programs, streams and their graphs, a device that is lost. `npm run test:gpu` runs it. */
import { afterEach, describe, expect, it } from 'vitest';
import { loadBuilt } from '../../../src/cli/gpu.js';
import { compileCubin, hasNvcc } from '../../../src/cli/nvcc.js';
import { runModel } from '../../../src/cli/tensors.js';
import { nativeAddon } from '../../../src/runtime/cuda/native.js';
import { DeviceError, type Model } from '../../../src/runtime/index.js';
import { options } from '../../../targets/cuda/index.js';
import { compileText, errors, problem, TOLERANCE } from '../../random/agree.js';
import { randomSpec } from '../../random/generate.js';
import { numbers } from '../../runtime/small.js';
import { bits, thrown } from '../../webgpu/load.js';
import { small } from '../load.js';

const wanted = process.env['SSMC_TEST_GPU'] !== undefined;
const [seed, count] = [Number(process.env['SEED'] ?? 0), Number(process.env['COUNT'] ?? 100)];
const driver = process.env['SSMC_CUDA_DRIVER'] ?? 'libcuda.so.1';
/** Reads what lies at an index. */
const wild = `extern "C" __global__ void __launch_bounds__(1) wild(float* __restrict__ x, int far) {
  x[0] = x[far];
}
`;

describe.skipIf(!wanted)(`on a GPU${wanted ? '' : ' (skipped: npm run test:gpu runs it where there is one)'}`, () => {
  const open: Model[] = [];
  afterEach(() => {
    for (const model of open.splice(0)) model.dispose();
  });
  const load = async (): Promise<Model> => {
    const { module, program } = compileText(small, 'auto', { cuda: true });
    if (!module || !program) throw new Error('it does not compile');
    const { weights } = problem(compileText(small, 'auto', { cuda: true }), 1);
    const model = await loadBuilt(module, { weights: Object.fromEntries(weights), device: 'cuda' });
    open.push(model);
    return model;
  };
  const x = numbers(3 * 12, 1);

  it.each(Array.from({ length: count }, (_, k) => seed + k))('random program %i agrees with the interpreter in each strategy that it has', async (s) => {
    const { text } = randomSpec(s);
    let ran = 0;
    for (const strategy of ['auto', 'chunked', 'convolution'] as const) {
      const compiled = compileText(text, strategy, { cuda: true });
      if (strategy !== 'auto' && compiled.diagnostics.some((d) => /^SSM41/.test(d.code))) continue;
      const { module, weights, inputs, lengths, reference } = problem(compiled, s);
      const model = await loadBuilt(module, { weights: Object.fromEntries(weights), device: 'cuda' });
      open.push(model);
      expect([strategy, errors(reference, await runModel(model, inputs, lengths)).filter(({ error }) => !(error <= TOLERANCE))]).toEqual([strategy, []]);
      ran++;
    }
    expect(ran).toBeGreaterThan(0);
  }, 300_000);
  it('a stream in pieces has the bits of the run, its pushes being graphs; so has one that was saved', async () => {
    const model = await load();
    const whole = bits(await model.run({ x }));
    expect(bits(await model.run({ x }))).toEqual(whole);
    const stream = model.stream();
    let y = '';
    for (let at = 0; at < 6; at++) y += bits(await stream.push({ x: x.slice(3 * at, 3 * at + 3) }))['y'];
    const saved = stream.save();
    const other = model.stream();
    other.restore(saved);
    let again = y;
    for (let at = 6; at < 12; at++) {
      const piece = { x: x.slice(3 * at, 3 * at + 3) };
      y += bits(await stream.push(piece))['y'];
      again += bits(await other.push(piece))['y'];
    }
    expect([y, again]).toEqual([whole['y'], whole['y']]);
  }, 300_000);
  it('an address that is nobody\'s loses the device: a typed error, and the same bits from the next call', async () => {
    const model = await load();
    const whole = bits(await model.run({ x }));
    const native = nativeAddon();
    const { session, capability, name } = await native.open(driver, 0);
    const code = hasNvcc() ? compileCubin(wild, `sm_${capability}`, options) : await native.compile(['libnvrtc.so.13', 'libnvrtc.so.12', 'libnvrtc.so'], wild, options, capability);
    await session.load(code, ['wild']);
    const buffer = await session.allocate(16);
    // The test driver sees the first element past its slab of memory; a GPU may have other memory there, but not 8 GiB further on.
    const far = name.startsWith('Test device') ? 2 ** 22 : 2 ** 31 - 1;
    const batch = await session.prepare(Float64Array.from([5, 0, 1, 1, 1, 1, 2, 1, buffer, 0, 0, far]), false);
    expect(await thrown(() => batch.run(new ArrayBuffer(0)))).toMatchObject({ kind: 'lost' });
    const error = await thrown(() => model.run({ x }));
    expect(error).toBeInstanceOf(DeviceError);
    expect(error).toMatchObject({ code: 'SSM5501' });
    await session.dispose();
    expect(bits(await model.run({ x }))).toEqual(whole);
  }, 300_000);
});
