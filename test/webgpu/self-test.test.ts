/** A driver that miscompiles is found before its first answer: kernels changed after the compiler stand for one. */
import { describe, expect, it } from 'vitest';
import { DeviceError, type SsmcError } from '../../src/runtime/index.js';
import { numbers } from '../runtime/small.js';
import { gpu, many, missing } from './device.js';
import { bits, onGpu, small, thrown } from './load.js';
import { Tap } from './tap.js';

const ahead = `model Ahead {
  axis c = 3
  input x[t, c]
  param a[c] = uniform(0.1, 0.9)
  state h[t, c] = a[c] * h[t+1, c] + x[t, c]
  output y[t, c] = exp(h[t, c]) + x[t+2, c]
}`;
/** A product in tiles: rows that fill them, and few. */
const product = `model Product {
  axis c = 16
  axis k = 24
  input x[t, k]
  param w[c, k] = uniform(-1, 1)
  output y[t, c] = sum(k: w[c, k] * x[t, k])
}`;
interface Fault {
  readonly what: string;
  readonly text: string;
}
/** The module with one line of an entry point changed: a sum made a difference, a maximum a minimum, a state not kept. */
function faults(wgsl: string): Fault[] {
  const lines = wgsl.split('\n');
  const changed = (line: string): string | undefined => {
    if (/^ +let v\d+ = \(.* \+ v\d+\);$/.test(line)) return line.replace(/ \+ (v\d+\);)$/, ' - $1');
    if (/^ +acc\d+ = \(.* \+ acc\d+\);$/.test(line)) return line.replace(/ \+ (acc\d+\);)$/, ' - $1');
    if (/^ +acc\d+ = max\(/.test(line)) return line.replace('max(', 'min(');
    return /_state \+ .*\] = v\d+;$/.test(line) ? '' : undefined;
  };
  return lines.flatMap((line, k) => {
    const other = changed(line);
    return other === undefined ? [] : [{ what: line.trim(), text: lines.with(k, other).join('\n') }];
  });
}

describe.skipIf(missing !== undefined)('kernels that compute something else', () => {
  it.each([['streamed', small, 5], ['of a model that reads the future', ahead, 2], ['of a product, by tiles and without', product, 18]] as const)('%s: each fault is found', async (_, spec, least) => {
    const { load, module } = onGpu(spec);
    const { wgsl = '', manifest } = module.webgpu ?? {};
    const found = faults(wgsl).filter((f) => manifest?.notStreamable === undefined || !f.what.includes('_state'));
    expect(found.length).toBeGreaterThanOrEqual(least);
    for (const { what, text } of found) {
      // Of two devices: kernels in the order of time are for one, those of chunks for the other.
      const taps = [new Tap(gpu), new Tap(many)];
      const errors = await Promise.all(taps.map((tap) => thrown(() => load({ device: 'webgpu', gpu: tap }, { wgsl: () => text })).then((error) => ({ tap, error }))));
      const seen = errors.filter(({ error }) => error !== undefined);
      expect(seen.length, what).toBeGreaterThan(0);
      for (const { tap, error } of seen) {
        expect(error, what).toBeInstanceOf(DeviceError);
        expect((error as DeviceError).message, what).toMatch(/^SSM5505: the GPU computes wrong results: in a test of \d+ steps, output `([yz])`, computed by `\1` \(spec\.ssm:(6|7|9|10)\), is off by \S+ of its size$/);
        expect([tap.buffers.size, tap.live.length, tap.scopes]).toEqual([0, 0, 0]);
      }
    }
  });

  const { load, module } = onGpu(small);
  const fault = faults(module.webgpu?.wgsl ?? '')[0] as Fault;
  const x = numbers(15, 1);
  it('under auto: the model runs on wasm and says why', async () => {
    const model = await load({ gpu: many }, { wgsl: () => fault.text });
    expect(model.device).toMatchObject({ name: 'wasm', passedOver: [{ device: 'webgpu', why: expect.stringContaining('SSM5505') as string }] });
    expect(bits(await model.run({ x }))).toEqual(bits(await (await load({ device: 'wasm' })).run({ x })));
  });
  it('without the wasm there is nothing to hold it against', async () => {
    const model = await load({ device: 'webgpu', gpu }, { wgsl: () => fault.text, wasm: false });
    const right = await load({ device: 'webgpu', gpu }, { wasm: false });
    expect(bits(await model.run({ x }))).not.toEqual(bits(await right.run({ x })));
    model.dispose();
    right.dispose();
  });
  it.each(['webgpu', 'auto'] as const)('on the device that takes a lost one\'s place, by %s', async (device) => {
    const tap = new Tap(many, (made) => {
      if (tap.devices.length === 1) return;
      const original = made.createShaderModule.bind(made);
      Object.defineProperty(made, 'createShaderModule', { value: (d: { code: string; label?: string }) => original({ ...d, code: fault.text }) });
    });
    const model = await load({ device, gpu: tap });
    await model.run({ x });
    tap.devices[0]?.destroy();
    await tap.devices[0]?.lost;
    if (device === 'webgpu') expect((await thrown(() => model.run({ x })) as SsmcError).message).toMatch(/^SSM5504: no GPU device after 3 tries: SSM5505/);
    else {
      await model.run({ x });
      expect(model.device.passedOver).toMatchObject([{ device: 'webgpu', why: expect.stringContaining('SSM5505') as string }]);
    }
    expect(tap.devices.length).toBe(4);
    expect(tap.live.length).toBe(0);
    model.dispose();
  });
  it('weights that make every output NaN are not held against a GPU', async () => {
    const model = await load({ device: 'webgpu', gpu, weights: { a: { data: new Float32Array(3).fill(NaN), shape: [3] }, w: { data: new Float32Array(9).fill(NaN), shape: [3, 3] } } });
    expect(model.device.name).toBe('webgpu');
    model.dispose();
  });
});
