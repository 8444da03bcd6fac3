/** What a GPU may refuse, and what is then said: each error has a code and names what it is about; nothing is left open or allocated. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { LoadError, SsmcError } from '../../src/runtime/index.js';
import type { GpuBuffer, GpuDevice } from '../../src/runtime/webgpu/gpu.js';
import { numbers } from '../runtime/small.js';
import { gpu, many, missing } from './device.js';
import { bits, onGpu, thrown } from './load.js';
import { Tap } from './tap.js';

const spec = `model Small {
  axis c = 3
  axis k = 3
  input x[t, c]
  param a[c] = uniform(0.1, 0.9)
  param w[c, k] = uniform(-0.5, 0.5)
  convolved[t, c] = sum(k: w[c, k] * x[t - 2 + k, c])
  state h[t, c] = a[c] * h[t-1, c] + convolved[t, c]
  output y[t, c] = tanh(h[t, c])
}`;
const x = numbers(12, 1);

/** What Dawn says where there is no memory, for the buffers that `refused` picks: SwiftShader's own memory is the machine's. */
function outOfMemory(refused: (label: string) => boolean): (device: GpuDevice) => void {
  return (device) => {
    let hit = false;
    const { createBuffer, popErrorScope, pushErrorScope } = { createBuffer: device.createBuffer.bind(device), popErrorScope: device.popErrorScope.bind(device), pushErrorScope: device.pushErrorScope.bind(device) };
    const open: string[] = [];
    const define = (name: string, value: unknown): void => { Object.defineProperty(device, name, { value, configurable: true }); };
    define('createBuffer', (d: { size: number; usage: number; label?: string }): GpuBuffer => {
      hit ||= refused(d.label ?? '');
      return createBuffer(d);
    });
    define('pushErrorScope', (filter: 'validation' | 'out-of-memory' | 'internal') => { open.push(filter); pushErrorScope(filter); });
    define('popErrorScope', async () => {
      const filter = open.pop();
      const told = await popErrorScope();
      if (filter !== 'out-of-memory' || !hit) return told;
      hit = false;
      return { message: 'not enough memory' };
    });
  };
}

describe.skipIf(missing !== undefined)('what a GPU refuses', () => {
  const { load, module } = onGpu(spec);
  let tap = new Tap(gpu);
  beforeEach(() => { tap = new Tap(gpu); });
  const error = async (work: () => unknown): Promise<SsmcError> => {
    const e = await thrown(work);
    expect(e).toBeInstanceOf(SsmcError);
    return e as SsmcError;
  };

  it('has no navigator.gpu', async () => {
    const e = await error(() => load({ device: 'webgpu' }));
    expect(e).toBeInstanceOf(LoadError);
    expect(e.message).toBe('SSM5207: webgpu cannot be used here: there is no navigator.gpu, and none was given as `gpu`');
    const model = await load({});
    expect(model.device).toMatchObject({ name: 'wasm', passedOver: [{ device: 'webgpu', why: e.message }] });
  });
  it('has no adapter, or one that throws, or that gives no device', async () => {
    tap.adapter = () => Promise.resolve(null);
    const none = 'SSM5207: webgpu cannot be used here: no adapter: WebGPU is here, but no graphics device that it can use';
    expect((await error(() => load({ device: 'webgpu', gpu: tap }))).message).toBe(`${none}; on Linux it looks for a Vulkan driver, whose file VK_DRIVER_FILES can name`);
    vi.stubGlobal('navigator', { gpu: tap });
    expect((await error(() => load({ device: 'webgpu' }))).message).toBe(none);
    vi.unstubAllGlobals();
    tap.adapter = () => Promise.reject(new TypeError('adapters are out'));
    expect((await error(() => load({ device: 'webgpu', gpu: tap }))).message).toMatch(/^SSM5207: .*adapters are out/);
    tap.adapter = () => Promise.resolve({ features: new Set<string>(), requestDevice: () => Promise.reject(new Error('devices are out')) });
    expect((await error(() => load({ device: 'webgpu', gpu: tap }))).message).toMatch(/^SSM5207: .*devices are out/);
    const auto = await load({ gpu: tap });
    expect(auto.device).toMatchObject({ name: 'wasm', passedOver: [{ device: 'webgpu', why: expect.stringContaining('devices are out') as string }] });
  });
  it('has a CPU that plays a GPU: wasm under auto, which is faster, and nothing is left; itself where it is asked for', async () => {
    const auto = await load({ gpu: tap });
    expect(auto.device).toMatchObject({ name: 'wasm', passedOver: [{ device: 'webgpu', why: expect.stringMatching(/^SSM5207: webgpu cannot be used here: the adapter \(.*SwiftShader.*\) is a CPU that plays a GPU, which WebAssembly outruns; `device: "webgpu"` takes it$/) as string }] });
    expect([tap.buffers.size, tap.live.length]).toEqual([0, 0]);
    for (const options of [{ device: 'webgpu', gpu: tap }, { device: 'auto', gpu: many }] as const) {
      const model = await load(options);
      expect(model.device).toMatchObject({ name: 'webgpu', passedOver: [] });
      model.dispose();
    }
  });
  it('has a gpu that is none: a typed error, and wasm under auto', async () => {
    expect((await error(() => load({ device: 'webgpu', gpu: {} }))).code).toBe('SSM5207');
    expect((await error(() => load({ device: {} }))).code).toBe('SSM5207');
    expect((await load({ gpu: {} })).device.name).toBe('wasm');
  });

  it('has no memory for constants: under auto the model runs on wasm, and nothing is left', async () => {
    const constants = module.webgpu?.manifest.buffers.filter((b) => b.kind === 'constant').map((b) => b.name) ?? [];
    tap = new Tap(gpu, outOfMemory((label) => constants.includes(label)));
    const e = await error(() => load({ device: 'webgpu', gpu: tap }));
    expect(e.message).toMatch(/^SSM5207: .*SSM5502: the GPU has no \d+ bytes for `/);
    expect(constants.some((name) => e.message.includes(`\`${name}\``))).toBe(true);
    expect([tap.buffers.size, tap.live.length, tap.scopes]).toEqual([0, 0, 0]);
    tap = new Tap(many, outOfMemory((label) => constants.includes(label)));
    expect((await load({ gpu: tap })).device).toMatchObject({ name: 'wasm', passedOver: [{ why: expect.stringContaining('SSM5502') as string }] });
  });
  it('has no memory for a run: the tensor and its bytes are named, what was made is freed, and the model goes on', async () => {
    let refuse = false;
    tap = new Tap(gpu, outOfMemory(() => refuse));
    const model = await load({ device: 'webgpu', gpu: tap });
    const want = bits(await model.run({ x }));
    const [bytes, buffers] = [model.memoryBytes, tap.buffers.size];
    const long = { data: numbers(3 * 2000, 2), shape: [2, 1000, 3] };
    const labels = module.webgpu?.manifest.buffers.map((b) => b.name) ?? [];
    refuse = true;
    for (let k = 0; k < 3; k++) {
      const e = await error(() => model.run({ x: long }));
      expect(e.message).toMatch(/^SSM5502: the GPU has no \d+ bytes for `/);
      expect(labels.some((name) => e.message.includes(`\`${name}\``)), e.message).toBe(true);
      expect(model.memoryBytes).toBeLessThanOrEqual(bytes);
      expect(tap.buffers.size).toBeLessThanOrEqual(buffers);
    }
    refuse = false;
    expect(bits(await model.run({ x }))).toEqual(want);
    model.dispose();
    expect([tap.buffers.size, tap.live.length, tap.scopes]).toEqual([0, 0, 0]);
  });
  it('has no memory at any one of a stream\'s buffers: what was made before it is freed', async () => {
    let refused = Infinity;
    let made = 0;
    tap = new Tap(gpu, outOfMemory(() => made++ === refused));
    const model = await load({ device: 'webgpu', gpu: tap });
    const stream = model.stream();
    const want = [bits(await stream.push({ x: x.slice(0, 6) }))];
    made = 0;
    // A longer push takes a new frame.
    want.push(bits(await stream.push({ x: numbers(3 * 40, 2) })));
    const count = made;
    expect(count).toBeGreaterThan(2);
    const before = tap.buffers.size;
    for (let k = 0; k < count; k++) {
      stream.reset();
      const out = [bits(await stream.push({ x: x.slice(0, 6) }))];
      [made, refused] = [0, k];
      expect((await error(() => stream.push({ x: numbers(3 * 40, 2) }))).code).toBe('SSM5502');
      refused = Infinity;
      out.push(bits(await stream.push({ x: numbers(3 * 40, 2) })));
      expect(out).toEqual(want);
      expect(tap.buffers.size).toBeLessThanOrEqual(before);
    }
    model.dispose();
    expect([tap.buffers.size, tap.scopes]).toEqual([0, 0]);
  });

  it('does not compile: the kernel is named, with the compiler\'s words', async () => {
    const kernel = /^fn (\w+)\(@builtin/m.exec(module.webgpu?.wgsl ?? '')?.[1] as string;
    const spoil = (text: string): string => text.replace(new RegExp(`(fn ${kernel}\\([^{]*\\{)`), '$1\n  let spoiled: i32 = 1.5;');
    const e = await error(() => load({ device: 'webgpu', gpu: tap }, { wgsl: spoil }));
    expect(e.message).toMatch(new RegExp(`^SSM5207: .*SSM5503: .*kernel ${kernel}, which computes \`\\w+\` \\(spec\\.ssm:\\d+\\): .*i32`, 's'));
    expect([tap.buffers.size, tap.live.length, tap.scopes]).toEqual([0, 0, 0]);
  });
  it('refuses a command: SSM5503 from this call, and the next has the same bits', async () => {
    let spoil = false;
    tap = new Tap(gpu, (device) => {
      const { queue } = device;
      const write = queue.writeBuffer.bind(queue);
      // Beyond the buffer's end: what a fault of our own would look like.
      Object.defineProperty(queue, 'writeBuffer', { value: (buffer: GpuBuffer, offset: number, data: Float32Array<ArrayBuffer>) => { write(buffer, spoil ? buffer.size + 4 : offset, data); } });
    });
    const model = await load({ device: 'webgpu', gpu: tap });
    const want = bits(await model.run({ x }));
    const stream = model.stream();
    await stream.push({ x: x.slice(0, 6) });
    spoil = true;
    expect((await error(() => model.run({ x }))).code).toBe('SSM5503');
    expect((await error(() => stream.push({ x: x.slice(6) }))).code).toBe('SSM5503');
    spoil = false;
    expect(bits(await model.run({ x }))).toEqual(want);
    const last = await stream.push({ x: x.slice(6) });
    expect(want['y']?.endsWith(bits(last)['y'] as string)).toBe(true);
    model.dispose();
    expect([tap.buffers.size, tap.live.length, tap.scopes]).toEqual([0, 0, 0]);
  });
  it('complains outside of any call: the next one says so, the one after works', async () => {
    const model = await load({ device: 'webgpu', gpu: tap });
    const want = bits(await model.run({ x }));
    const device = tap.devices[0] as GpuDevice;
    // A buffer of no use may not be asked for.
    device.createBuffer({ size: 16, usage: 0 });
    await device.queue.onSubmittedWorkDone();
    await new Promise((resolve) => { setTimeout(resolve, 20); });
    expect((await error(() => model.run({ x }))).code).toBe('SSM5503');
    expect(bits(await model.run({ x }))).toEqual(want);
    model.dispose();
  });

  it('error scopes are balanced, and dispose frees every buffer and our device', async () => {
    const model = await load({ device: 'webgpu', gpu: tap });
    await model.run({ x });
    await model.run({ x: { data: numbers(60, 1), shape: [2, 10, 3] } });
    const stream = model.stream({ batch: 2 });
    await stream.push({ x: { data: numbers(6, 1), shape: [2, 1, 3] } });
    await stream.push({ x: { data: numbers(60, 1), shape: [2, 10, 3] } });
    expect(tap.scopes).toBe(0);
    expect(tap.count('popErrorScope') % 3).toBe(0);
    expect([...tap.buffers].reduce((n, b) => n + b.size, 0)).toBe(model.memoryBytes);
    stream.dispose();
    expect([...tap.buffers].reduce((n, b) => n + b.size, 0)).toBe(model.memoryBytes);
    model.dispose();
    model.dispose();
    expect([tap.buffers.size, tap.live.length]).toEqual([0, 0]);
    expect((await error(() => model.run({ x }))).code).toBe('SSM5401');
    expect((await error(() => stream.push({ x }))).code).toBe('SSM5401');
  });
  it('disposed of during a run: a typed error, and nothing is left', async () => {
    const model = await load({ device: 'webgpu', gpu: tap });
    const runs = [1, 2].map(() => thrown(() => model.run({ x })));
    tap.from();
    while (tap.promised.length === 0) await new Promise((resolve) => { setImmediate(resolve); });
    model.dispose();
    for (const e of await Promise.all(runs)) expect((e as SsmcError).code).toMatch(/SSM5401|SSM5501|SSM5504/);
    expect([tap.buffers.size, tap.live.length]).toEqual([0, 0]);
  });
});
