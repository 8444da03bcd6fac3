/** The device destroyed at every promise that load, run and push wait for: a typed error each time, and the next call has the same bits. */
import { describe, expect, it } from 'vitest';
import { SsmcError, type Model } from '../../src/runtime/index.js';
import type { GpuDevice } from '../../src/runtime/webgpu/index.js';
import { elements, numbers } from '../runtime/small.js';
import { gpu, many, missing } from './device.js';
import { bits, onGpu, small, thrown } from './load.js';
import { Tap } from './tap.js';

const STEPS = 5;
const x = numbers(3 * STEPS, 1);
const codeOf = (error: unknown): string => (error instanceof SsmcError ? error.code : `not one of ours: ${error instanceof Error ? error.stack : String(error)}`);

/** As many promises as `work` waits for when nothing happens. */
async function promisesOf(tap: Tap, work: () => Promise<unknown>): Promise<number> {
  tap.from();
  await work();
  return tap.promised.length;
}
/** Fails in words where a call never ends. */
async function ends<T>(what: string, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, fail) => { timer = setTimeout(() => { fail(new Error(`${what} hangs`)); }, 20_000); });
  return Promise.race([work, late]).finally(() => { clearTimeout(timer); });
}

describe.skipIf(missing !== undefined).each(['call', 'answer'] as const)('a device that is lost at a promise\'s %s', (on) => {
  const { load } = onGpu(small);
  it('at load', async () => {
    const tap = new Tap(gpu);
    const whole = await load({ device: 'webgpu', gpu: tap });
    const want = bits(await whole.run({ x }));
    whole.dispose();
    const count = await promisesOf(tap, async () => { (await load({ device: 'webgpu', gpu: tap })).dispose(); });
    expect(count).toBeGreaterThan(5);
    for (let k = 0; k < count; k++) {
      tap.from(k, on);
      const at = `load, ${k} of ${count}`;
      let model: Model | undefined;
      const error = await ends(at, thrown(async () => { model = await load({ device: 'webgpu', gpu: tap }); }));
      const where = `${at}: ${tap.promised.at(k)}`;
      if (tap.promised[k] === 'requestAdapter' || (on === 'call' && tap.promised[k] === 'requestDevice')) expect(error, where).toBeUndefined();
      else expect(`${where} ${codeOf(error)}`).toMatch(/SSM(5501|5207|5504)$/);
      tap.from();
      model ??= await load({ device: 'webgpu', gpu: tap });
      expect(bits(await model.run({ x })), where).toEqual(want);
      model.dispose();
      expect(tap.live.length, `${where}: devices left`).toBe(0);
    }
  }, 300_000);

  it('in run: the next has the same bits', async () => {
    const tap = new Tap(gpu);
    const model = await load({ device: 'webgpu', gpu: tap });
    const want = bits(await model.run({ x }));
    // A run of another batch than the last makes a frame: that is interrupted too.
    const other = { data: numbers(6 * STEPS, 2), shape: [2, STEPS, 3] };
    await model.run({ x: other });
    const count = await promisesOf(tap, () => model.run({ x }));
    for (let k = 0; k < count; k++) {
      await model.run({ x: other });
      tap.from(k, on);
      const error = await ends(`run, ${k} of ${count}`, thrown(() => model.run({ x })));
      expect(`${k} ${tap.promised[k]} ${codeOf(error)}`).toMatch(/SSM5501$/);
      tap.from();
      expect(bits(await model.run({ x })), `after ${k}`).toEqual(want);
    }
    model.dispose();
    expect(tap.live.length).toBe(0);
    expect(tap.buffers.size).toBe(0);
  }, 300_000);

  it('in a push: the stream carries on from the last that succeeded', async () => {
    const tap = new Tap(gpu);
    const model = await load({ device: 'webgpu', gpu: tap });
    const pieces = [x.slice(0, 6), x.slice(6, 9), x.slice(9)];
    const feed = async (k?: number): Promise<{ out: Record<string, string>[]; failed: unknown[]; count: number; names: string[] }> => {
      const stream = model.stream();
      const out: Record<string, string>[] = [bits(await stream.push({ x: pieces[0] as Float32Array }))];
      tap.from(k, on);
      const failed: unknown[] = [];
      let names: string[] = [];
      for (const piece of pieces.slice(1)) {
        const error = await ends(`push, promise ${k}`, thrown(async () => { out.push(bits(await stream.push({ x: piece }))); }));
        if (error === undefined) continue;
        failed.push(error);
        names = [...tap.promised];
        tap.from();
        out.push(bits(await stream.push({ x: piece })));
      }
      const count = tap.promised.length;
      stream.dispose();
      return { out, failed, count, names };
    };
    const { out: want, count } = await feed();
    for (let k = 0; k < count; k++) {
      const { out, failed, names } = await feed(k);
      expect(`${k} ${names[k]} ${failed.map(codeOf).join()}`).toMatch(/SSM5501$/);
      expect(out, `lost at ${k}`).toEqual(want);
    }
    model.dispose();
    expect(tap.buffers.size).toBe(0);
  }, 300_000);
});

describe.skipIf(missing !== undefined)('a device that is lost between calls', () => {
  const { load } = onGpu(small);
  const lose = async (tap: Tap): Promise<void> => {
    tap.from();
    tap.live.forEach((d) => { d.destroy(); });
    await tap.devices.at(-1)?.lost;
  };
  it('while it is being replaced: it is tried again', async () => {
    const tap = new Tap(gpu);
    const model = await load({ device: 'webgpu', gpu: tap });
    const want = bits(await model.run({ x }));
    await lose(tap);
    const count = await promisesOf(tap, () => model.run({ x }));
    for (let k = 0; k < count; k++) {
      await lose(tap);
      tap.from(k);
      const error = await ends(`promise ${k} of a run after a loss`, thrown(async () => { expect(bits(await model.run({ x }))).toEqual(want); }));
      if (error !== undefined) expect(`${k} ${tap.promised[k]} ${codeOf(error)}`).toMatch(/SSM5501$/);
      tap.from();
      expect(bits(await model.run({ x })), `after ${k}`).toEqual(want);
      expect(tap.live.length, `${k} ${tap.promised[k]}: devices`).toBe(1);
    }
    model.dispose();
    expect(tap.live.length).toBe(0);
  }, 300_000);
  it('under auto: the model goes on on wasm and says so', async () => {
    const tap = new Tap(many);
    const model = await load({ gpu: tap });
    expect(model.device).toMatchObject({ name: 'webgpu', passedOver: [] });
    const want = await model.run({ x });
    await lose(tap);
    tap.adapter = () => Promise.resolve(null);
    tap.from();
    const got = await model.run({ x });
    expect(tap.count('requestAdapter')).toBe(3);
    expect(model.device.name).toBe('wasm');
    expect(model.device.passedOver).toEqual([{ device: 'webgpu', why: expect.stringContaining('SSM5504: no GPU device after 3 tries: SSM5207: webgpu cannot be used here: no adapter') as string }]);
    elements(want).forEach((v, i) => { expect(elements(got)[i]).toBeCloseTo(v, 5); });
    model.dispose();
    expect(tap.buffers.size).toBe(0);
  });
  it.each(['auto', 'webgpu'] as const)('by %s: a stream says that its state cannot go elsewhere, keeps it, and new streams work where runs do', async (device) => {
    const tap = new Tap(many);
    const model = await load({ device, gpu: tap });
    const [first, rest] = [x.slice(0, 9), x.slice(9)];
    const [one, other, unused] = [model.stream(), model.stream(), model.stream()];
    await other.push({ x: first });
    const want = bits(await other.push({ x: rest }));
    await one.push({ x: first });
    const kept = one.save();
    await lose(tap);
    tap.adapter = () => Promise.resolve(null);
    expect(await thrown(() => one.push({ x: rest }))).toMatchObject({
      code: 'SSM5307', name: 'StreamError', cause: { code: 'SSM5504' },
      message: expect.stringMatching(/^SSM5307: the stream cannot go on: its webgpu device is gone, and its state is laid out for that device alone \(SSM5504: no GPU device after 3 tries: /) as string,
    });
    expect([one.steps, one.save()]).toEqual([3, kept]);
    // It has no state that could be lost.
    expect(codeOf(await thrown(() => unused.push({ x: first })))).toBe('SSM5504');
    if (device === 'auto') {
      await model.run({ x });
      expect(model.device.name).toBe('wasm');
      expect(elements(await model.stream().push({ x: first })).length).toBeGreaterThan(0);
      expect(codeOf(await thrown(() => one.push({ x: rest })))).toBe('SSM5307');
    } else {
      tap.adapter = undefined;
      expect(bits(await one.push({ x: rest }))).toEqual(want);
    }
    model.dispose();
    expect(tap.buffers.size).toBe(0);
  });
  it('under auto: runs that wait together all go on', async () => {
    const tap = new Tap(many);
    const model = await load({ gpu: tap });
    await lose(tap);
    tap.adapter = () => Promise.resolve(null);
    const all = await Promise.all([1, 2, 3].map(() => model.run({ x })));
    for (const one of all) expect(bits(one)).toEqual(bits(all[0] as typeof one));
    expect(model.device.passedOver.length).toBe(1);
    model.dispose();
  });
  it('asked for by name: SSM5504, and once there is one it works again', async () => {
    const tap = new Tap(gpu);
    const model = await load({ device: 'webgpu', gpu: tap });
    const want = bits(await model.run({ x }));
    await lose(tap);
    tap.adapter = () => Promise.resolve(null);
    expect(codeOf(await thrown(() => model.run({ x })))).toBe('SSM5504');
    tap.adapter = undefined;
    expect(bits(await model.run({ x }))).toEqual(want);
    model.dispose();
  });
  it('of the user\'s: never destroyed by us, and its loss is SSM5504', async () => {
    const tap = new Tap(gpu);
    const device = (await (await tap.requestAdapter())?.requestDevice()) as GpuDevice;
    const model = await load({ device });
    await model.run({ x });
    model.dispose();
    expect(tap.destroyed.size).toBe(0);
    expect(tap.buffers.size).toBe(0);
    expect(codeOf(await thrown(() => load({ device }, { wgsl: (text) => text.replace('fn ', 'fn (') })))).toBe('SSM5207');
    expect(tap.destroyed.size).toBe(0);
    const other = await load({ device });
    await other.run({ x });
    device.destroy();
    await device.lost;
    expect(codeOf(await thrown(() => other.run({ x })))).toBe('SSM5504');
    other.dispose();
  });
  it('disposed of while it is being replaced: nothing is left', async () => {
    const tap = new Tap(gpu);
    const model = await load({ device: 'webgpu', gpu: tap });
    await lose(tap);
    const run = thrown(() => model.run({ x }));
    tap.from();
    while (tap.count('createComputePipelineAsync') === 0) await new Promise((r) => { setTimeout(r, 1); });
    model.dispose();
    expect(codeOf(await run)).toMatch(/SSM5401|SSM5501|SSM5504/);
    expect(tap.live.length).toBe(0);
  });
});
