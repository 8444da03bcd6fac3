/** Every call of the driver fails in turn, once in a way that passes and once in one that lasts: a typed error each time, the same bits from the next call, and nothing left behind. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DeviceError, SsmcError, type Model } from '../../src/runtime/index.js';
import { numbers } from '../runtime/small.js';
import { bits, thrown } from '../webgpu/load.js';
import { ended, missing, tools, type Tools } from './driver/tools.js';
import { onCuda, small, type OnCuda } from './load.js';

const REFUSED = 1;
const NO_MEMORY = 2;
const LAUNCH_FAILED = 719;
/** What fails when all is over is nobody's error. */
const endings = /^cu(MemFree_v2|MemFreeHost|ModuleUnload|StreamDestroy_v2|EventDestroy_v2|GraphDestroy|GraphExecDestroy|DevicePrimaryCtxRelease_v2)$/;
/** Once a process. */
const once = new Set(['cuInit', 'cuDriverGetVersion']);
const codeOf = (error: unknown): string => (error instanceof SsmcError ? error.code : `not one of ours: ${error instanceof Error ? error.stack : String(error)}`);
const x = numbers(3 * 9, 1);
const pieces = [x.slice(0, 6), x.slice(6, 9), x.slice(9, 12), x.slice(12)];

describe.skipIf(missing !== undefined)(`the driver's failures${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, () => {
  let t: Tools;
  let model: OnCuda;
  /** The driver's calls while `work` runs. */
  const callsOf = async (work: () => Promise<unknown>): Promise<readonly (readonly [call: string, count: number])[]> => {
    const before = t.control.look().calls;
    await work();
    const after = t.control.look().calls;
    return Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)] as const).filter(([, count]) => count > 0);
  };
  beforeAll(async () => {
    t = await tools();
    model = await onCuda(small, t);
  }, 600_000);
  afterAll(() => model?.kernels.dispose());
  afterEach(async () => {
    await ended(t);
    t.control.reset();
  });
  const load = (): Promise<Model> => model.load();

  describe('before there is a device', () => {
    it.each([
      ['cuInit', 100, 'SSM5512'], ['cuInit', 35, 'SSM5513'], ['cuInit', 34, 'SSM5511'], ['cuInit', 999, 'SSM5501'], ['cuInit', 2, 'SSM5502'],
      ['cuDriverGetVersion', 1, 'SSM5503'], ['cuDeviceGetCount', 100, 'SSM5512'], ['cuDevicePrimaryCtxRetain', 2, 'SSM5502'], ['cuDevicePrimaryCtxRetain', 46, 'SSM5501'],
      ['cuModuleLoadDataEx', 222, 'SSM5513'], ['cuModuleLoadDataEx', 209, 'SSM5514'],
    ])('%s fails with %i: %s', async (call, status, code) => {
      t.control.fail(call, 0, status);
      const error = await thrown(async () => { (await load()).dispose(); });
      expect(codeOf(error)).toBe(code);
      expect(error).toBeInstanceOf(DeviceError);
      // Those of `once` come first: a driver that opened is kept.
      if (!once.has(call)) (await load()).dispose();
    });
    it('a driver from before CUDA 11.4', async () => {
      // The first that is opened in this process is kept: this one goes by another path.
      const { copyFileSync, rmSync } = await import('node:fs');
      const { createRequire } = await import('node:module');
      const other = `${t.driver}.old.node`;
      copyFileSync(t.driver, other);
      const control = createRequire(import.meta.url)(other) as Tools['control'];
      control.set('version', 11030);
      expect(codeOf(await thrown(() => model.load({ cuda: { driver: other } })))).toBe('SSM5513');
      control.set('version', 11040);
      (await model.load({ cuda: { driver: other } })).dispose();
      await ended({ ...t, control });
      rmSync(other);
    });
    it('no driver, something else in its place, no device, not as many', async () => {
      expect(codeOf(await thrown(() => model.load({ cuda: { driver: '/no/libcuda.so.1' } })))).toBe('SSM5511');
      const error = await thrown(() => model.load({ cuda: { driver: t.nvrtc } }));
      expect(`${codeOf(error)} ${(error as Error).message}`).toMatch(/^SSM5511 .*is no CUDA driver: it lacks cuInit/);
      expect(codeOf(await thrown(() => model.load({ cuda: { device: 1 } })))).toBe('SSM5512');
      t.control.set('devices', 0);
      expect(codeOf(await thrown(load))).toBe('SSM5512');
    });
  });

  describe.each([['for once', REFUSED, /^SSM5503$/], ['for good', LAUNCH_FAILED, /^SSM5501$/]] as const)('%s', (_, status, code) => {
    it('at load', async () => {
      const calls = await callsOf(async () => { (await load()).dispose(); await ended(t); });
      expect(calls.length).toBeGreaterThan(25);
      for (const [call, count] of calls) {
        if (once.has(call)) continue;
        for (const after of places(count)) {
          const where = `${call}, ${after} of ${count}`;
          t.control.fail(call, after, status);
          let made: Model | undefined;
          const error = await thrown(async () => { made = await load(); });
          made?.dispose();
          await ended(t);
          // The last of these are the end's.
          if (endings.test(call) || call === 'cuStreamSynchronize' || (call === 'cuCtxSetCurrent' && after > 0)) expect(error === undefined || code.test(codeOf(error)), where).toBe(true);
          else expect(`${where} ${codeOf(error)}`).toMatch(new RegExp(` ${code.source.slice(1)}`));
          expect(t.control.look().misuses, where).toEqual([]);
          t.control.reset();
        }
      }
    }, 300_000);
    /** Each of the calls fails, each time it is made: `work` says so, and what `next` gives has the bits of before. */
    const recovers = async (calls: Iterable<readonly [call: string, count: number]>, work: () => Promise<void>, next: () => Promise<Record<string, string>>, want: Record<string, string>, reset: () => void): Promise<void> => {
      for (const [call, count] of calls) {
        for (const after of places(count)) {
          const where = `${call}, ${after} of ${count}`;
          t.control.fail(call, after, status);
          const error = await thrown(work);
          if (!endings.test(call)) expect(`${where} ${codeOf(error)}`).toMatch(new RegExp(` ${code.source.slice(1)}`));
          expect(t.control.look().misuses, where).toEqual([]);
          reset();
          // Nobody waits for what is given back: that it fails for good, the next call finds.
          if (endings.test(call)) await thrown(next);
          expect(await next(), where).toEqual(want);
        }
      }
    };
    it('in run: the next has the same bits', async () => {
      const made = await load();
      const next = async (): Promise<Record<string, string>> => bits(await made.run({ x }));
      const want = await next();
      const other = { data: numbers(6 * 9, 2), shape: [2, 9, 3] };
      const whole = async (): Promise<void> => { await made.run({ x: other }); await made.run({ x }); };
      await whole();
      await recovers(await callsOf(whole), whole, next, want, () => t.control.reset());
      made.dispose();
    }, 300_000);
    it('in a run of many tiles: the next has the same bits', async () => {
      // Buffers that hold 64 steps.
      const many = { data: numbers(3 * 600, 2), shape: [1, 600, 3] };
      const reset = (): void => { t.control.reset(); t.control.set('total', 12 * 128); };
      reset();
      const made = await load();
      const next = async (): Promise<Record<string, string>> => bits(await made.run({ x: many }));
      const want = await next();
      const whole = async (): Promise<void> => { await made.run({ x: many }); };
      const calls = await callsOf(whole);
      expect(calls.map(([call]) => call)).toEqual(expect.arrayContaining(['cuStreamWaitEvent', 'cuEventCreate', 'cuMemcpyHtoDAsync_v2', 'cuMemcpyDtoHAsync_v2', 'cuEventSynchronize']));
      await recovers(calls, whole, next, want, reset);
      made.dispose();
    }, 300_000);
    it('in a push: the stream carries on from the last that succeeded', async () => {
      const made = await load();
      const feed = async (call?: string, after = 0): Promise<{ out: Record<string, string>[]; errors: unknown[] }> => {
        const stream = made.stream();
        const out: Record<string, string>[] = [bits(await stream.push({ x: pieces[0] as Float32Array }))];
        const errors: unknown[] = [];
        if (call !== undefined) t.control.fail(call, after, status);
        for (const piece of pieces.slice(1)) {
          const error = await thrown(async () => { out.push(bits(await stream.push({ x: piece }))); });
          if (error === undefined) continue;
          errors.push(error);
          out.push(bits(await stream.push({ x: piece })));
        }
        stream.dispose();
        return { out, errors };
      };
      const { out: want } = await feed();
      const calls = (await callsOf(() => feed())).filter(([call]) => !endings.test(call));
      expect(calls.map(([call]) => call)).toEqual(expect.arrayContaining(['cuGraphLaunch', 'cuStreamBeginCapture_v2', 'cuLaunchKernel', 'cuEventSynchronize']));
      for (const [call, count] of calls) {
        for (const after of places(count)) {
          const { out, errors } = await feed(call, after);
          const where = `${call}, ${after} of ${count}`;
          // Some come before the first push is over, which is not under test.
          for (const e of errors) expect(`${where} ${codeOf(e)}`).toMatch(new RegExp(` ${code.source.slice(1)}`));
          if (t.control.look().rules === 0) expect(errors.length, where).toBe(1);
          expect(out, where).toEqual(want);
          t.control.reset();
        }
      }
      made.dispose();
    }, 300_000);
  });

  it('no memory: at every allocation, with the bytes and what they were for', async () => {
    const made = await load();
    const want = bits(await made.run({ x }));
    made.dispose();
    await ended(t);
    for (const call of ['cuMemAlloc_v2', 'cuMemHostAlloc']) {
      // Pieces are large first, and then as large as need be.
      t.control.fail(call, 0, NO_MEMORY);
      t.control.fail(call, 0, NO_MEMORY);
      const error = await thrown(async () => { const m = await load(); await m.run({ x }); });
      expect(`${call} ${codeOf(error)} ${(error as Error).message}`).toMatch(/SSM5502 .*the GPU has no [1-9]\d* bytes for `[^`]+`/);
      await ended(t);
    }
    for (let limit = 0; limit < 4096; limit += 256) {
      t.control.set('limit', limit);
      const error = await thrown(async () => {
        const m = await load();
        try {
          expect(bits(await m.run({ x }))).toEqual(want);
        } finally {
          m.dispose();
        }
      });
      if (error !== undefined) expect(`${limit} ${codeOf(error)}`).toMatch(/SSM5502$/);
      await ended(t);
    }
    t.control.set('limit', 2 ** 31);
    (await load()).dispose();
  });
  it('in auto: what fails for good, and again when it is tried again, goes on elsewhere', async () => {
    const made = await model.load({ device: 'auto' });
    expect(made.device.name).toBe('cuda');
    const want = await made.run({ x });
    t.control.fail('cuLaunchKernel', 0, LAUNCH_FAILED);
    expect(codeOf(await thrown(() => made.run({ x })))).toBe('SSM5501');
    for (let k = 0; k < 3; k++) t.control.fail('cuDeviceGetCount', 0, 100);
    const got = await made.run({ x });
    expect(made.device).toMatchObject({ name: 'wasm', passedOver: [{ device: 'cuda', why: expect.stringMatching(/no GPU device after 3 tries/) as string }] });
    expect(Object.keys(got)).toEqual(Object.keys(want));
    made.dispose();
  });
  it('poisons every session on the device, until the last has gone', async () => {
    const [one, two] = [await load(), await load()];
    const want = bits(await one.run({ x }));
    expect(bits(await two.run({ x }))).toEqual(want);
    expect(t.control.look().contexts).toBe(1);
    t.control.fail('cuLaunchKernel', 0, LAUNCH_FAILED);
    expect(codeOf(await thrown(() => one.run({ x })))).toBe('SSM5501');
    // It can't have the context anew while the other holds it.
    expect(codeOf(await thrown(() => one.run({ x })))).toBe('SSM5504');
    expect(codeOf(await thrown(load))).toBe('SSM5501');
    expect(codeOf(await thrown(() => two.run({ x })))).toBe('SSM5501');
    expect(bits(await two.run({ x }))).toEqual(want);
    expect(bits(await one.run({ x }))).toEqual(want);
    one.dispose();
    two.dispose();
  });
});

/** The first, the second, one in the middle and the last. */
function places(count: number): number[] {
  return [...new Set([0, 1, count >> 1, count - 1])].filter((k) => k >= 0 && k < count);
}
