/** The addon by itself: what it refuses, handles whose session has gone, work that is under way when all ends, worker threads, processes that end. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { NativeBatch, NativeError, NativeSession, Opened } from '../../src/runtime/cuda/native.js';
import { thrown } from '../webgpu/load.js';
import { buildKernels, ended, imageFile, missing, root, tools, type BuiltKernels, type Tools } from './driver/tools.js';

const source = `extern "C" __global__ void __launch_bounds__(32) scale(const float* __restrict__ x, float* __restrict__ y, int n, int by) {
  const int k = blockIdx.x * 32 + threadIdx.x;
  if (k < n) y[k] = x[k] * by + blockIdx.y;
}
`;
const [CLEAR, WRITE, COPY, READ, LAUNCH] = [1, 2, 3, 4, 5];
const kindOf = (error: unknown): string => String((error as Partial<NativeError> | undefined)?.kind ?? error);
const wordsOf = (error: unknown): string => `${kindOf(error)}: ${(error as Partial<Error> | undefined)?.message}`;
const bytes = (...floats: number[]): ArrayBuffer => Float32Array.from(floats).buffer;

describe.skipIf(missing !== undefined)(`the addon's calls${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, () => {
  let t: Tools;
  let kernels: BuiltKernels;
  let image: Uint8Array;
  beforeAll(async () => {
    t = await tools();
    kernels = await buildKernels(source);
    image = kernels.image('sm_80');
  }, 600_000);
  afterAll(() => kernels?.dispose());
  afterEach(async () => {
    await ended(t);
    expect(t.control.look().misuses).toEqual([]);
    t.control.reset();
  });
  const open = (): Promise<Opened> => t.native.open(t.driver, 0);
  /** A session with the kernel, and two buffers of 64 floats. */
  const ready = async (): Promise<{ session: NativeSession; x: number; y: number; commands: (by: number) => Float64Array<ArrayBuffer> }> => {
    const { session } = await open();
    await session.load(image, ['scale']);
    const [x, y] = [await session.allocate(256), await session.allocate(256)];
    const commands = (by: number): Float64Array<ArrayBuffer> => Float64Array.from([WRITE, x, 0, 256, 0, LAUNCH, 0, 2, 1, 1, 32, 4, 1, x, 0, 1, y, 0, 0, 60, 0, by, READ, y, 0, 256, 0]);
    return { session, x, y, commands };
  };
  const sixtyFour = bytes(...Array.from({ length: 64 }, (_, k) => k));
  const run = async (batch: NativeBatch): Promise<number[]> => [...new Float32Array((await batch.run(sixtyFour)).data)];

  it('packs arguments, launches grids, and does the same again by a graph', async () => {
    const { session, commands } = await ready();
    const want = Array.from({ length: 60 }, (_, k) => 0 - 3 * k);
    for (const graph of [false, true]) {
      const batch = await session.prepare(commands(-3), graph);
      for (let k = 0; k < 3; k++) expect((await run(batch)).slice(0, 60)).toEqual(want);
      batch.dispose();
    }
    expect(t.control.look().calls).toMatchObject({ cuGraphInstantiateWithFlags: 1, cuGraphLaunch: 3 });
    await session.dispose();
  });
  it('two batches under way: handed over without waiting, computed in their order, each with its own data', async () => {
    const { session, commands } = await ready();
    const [one, two] = [await session.prepare(commands(2), false), await session.prepare(commands(3), true)];
    expect(wordsOf(await thrown(() => one.result()))).toBe('refused: the batch has not been started');
    t.control.set('held', 1);
    await one.start(sixtyFour);
    await two.start(bytes(...Array.from({ length: 64 }, (_, k) => 100 + k)));
    expect(t.control.look().order).toBe('ukdukd');
    for (const again of [() => one.start(sixtyFour), () => one.run(sixtyFour)]) expect(wordsOf(await thrown(again))).toBe('refused: the batch is under way');
    const first = one.result();
    t.control.set('held', 0);
    expect(new Float32Array((await first).data)[3]).toBe(6);
    // Once.
    expect(wordsOf(await thrown(() => one.result()))).toBe('refused: the batch has not been started');
    expect(new Float32Array((await two.result()).data)[3]).toBe(309);
    expect((await run(one))[3]).toBe(6);
    // One that nobody waits for any more.
    await two.start(sixtyFour);
    two.dispose();
    expect(wordsOf(await thrown(() => two.result()))).toMatch(/^disposed/);
    await one.start(sixtyFour);
    await session.dispose();
    expect(kindOf(await thrown(() => one.result()))).toBe('disposed');
  });
  it('memory begins as nothing in particular; clears and copies are where they belong', async () => {
    const { session, x, y } = await ready();
    const batch = await session.prepare(Float64Array.from([CLEAR, x, 256, WRITE, x, 8, 8, 0, COPY, x, 8, y, 0, 12, READ, y, 0, 20, 4]), false);
    const out = new Float32Array((await batch.run(bytes(5, 6))).data);
    expect([...out]).toEqual([0, 5, 6, 0, NaN, NaN]);
    await session.dispose();
  });
  it.each<readonly [what: string, commands: (x: number) => number[], words: RegExp]>([
    ['no command', () => [9], /up to 5/], ['no command at all', () => [0], /no such command/], ['the end of them', (x) => [CLEAR, x], /ends too early/],
    ['no buffer', () => [CLEAR, 99, 4], /no such buffer/], ['a buffer of no number', () => [CLEAR, NaN, 4], /whole number/], ['half a buffer', () => [CLEAR, 1.5, 4], /whole number/],
    ['too much', (x) => [CLEAR, x, 260], /bytes 0 to 260 of a buffer of 256/], ['a write past the end', (x) => [WRITE, x, 252, 8, 0], /bytes 252 to 260/],
    ['a read that wraps', (x) => [READ, x, 2 ** 53 - 4, 8, 0], /of a buffer of 256/], ['odd bytes', (x) => [READ, x, 2, 4, 0], /multiple of 4/],
    ['no kernel', () => [LAUNCH, 1, 1, 1, 1, 32, 0], /no such kernel/], ['no groups', () => [LAUNCH, 0, 0, 1, 1, 32, 0], /no groups/], ['no threads', () => [LAUNCH, 0, 1, 1, 1, 0, 0], /no threads/],
    ['too many groups', () => [LAUNCH, 0, 2 ** 31, 1, 1, 32, 0], /up to 2147483647/], ['too many batches', () => [LAUNCH, 0, 1, 65536, 1, 32, 0], /up to 65535/],
    ['an argument past the end', (x) => [LAUNCH, 0, 1, 1, 1, 32, 1, 1, x, 260], /bytes 260/], ['an integer that is none', () => [LAUNCH, 0, 1, 1, 1, 32, 1, 0, 2 ** 31], /32 bits/],
  ])('refuses %s', async (_, commands, words) => {
    const { session, x } = await ready();
    const error = await thrown(() => session.prepare(Float64Array.from(commands(x)), false));
    expect(wordsOf(error)).toMatch(/^refused: command 0: /);
    expect(wordsOf(error)).toMatch(words);
    await session.dispose();
  });
  it('refuses values of other kinds', async () => {
    const { session, commands } = await ready();
    const batch = await session.prepare(commands(1), false);
    const odd: readonly unknown[] = [undefined, null, 1, 'x', {}, [], Symbol.iterator, new Uint16Array(4), new SharedArrayBuffer(256), -1, 1e300, NaN];
    const calls = ([(o) => t.native.open(o as string, 0), (o) => session.load(o as Uint8Array, ['scale']), (o) => session.prepare(o as never, false), (o) => batch.run(o as ArrayBuffer), (o) => t.native.compile(o as string[], '', [], 90)] satisfies ((o: unknown) => unknown)[]);
    for (const o of odd) for (const call of calls) if (!(o === 'x' && call === calls[0]) && !(Array.isArray(o) && call === calls[4])) expect(await thrown(() => call(o)), String(o)).toBeInstanceOf(Error);
    for (const o of odd.filter((v) => v !== 1)) expect(await thrown(() => session.allocate(o as number)), String(o)).toBeInstanceOf(Error);
    expect(wordsOf(await thrown(() => batch.run(new ArrayBuffer(4))))).toBe('refused: data: expected 256 bytes, got 4');
    // Handles are made by the addon alone, and its methods take no others.
    const { constructor: Handle } = session as unknown as { readonly constructor: new (given?: unknown) => unknown };
    expect(() => new Handle()).toThrow(/made by open/);
    expect(() => new Handle({})).toThrow(/made by open/);
    expect(() => (session.load as (...a: unknown[]) => unknown).call(batch, image, [])).toThrow();
    expect(() => (batch.run as (...a: unknown[]) => unknown).call(session, sixtyFour)).toThrow();
    expect((await run(batch))[2]).toBe(2);
    await session.dispose();
  });
  it('handles of what is gone: freed buffers, batches and sessions that were disposed of', async () => {
    const { session, x, y, commands } = await ready();
    const [kept, gone] = [await session.prepare(commands(1), false), await session.prepare(commands(1), true)];
    gone.dispose();
    gone.dispose();
    expect(kindOf(await thrown(() => gone.run(sixtyFour)))).toBe('disposed');
    session.free(y);
    session.free(y);
    session.free(12345);
    expect(wordsOf(await thrown(() => kept.run(sixtyFour)))).toMatch(/^disposed: .* has been freed/);
    expect(kindOf(await thrown(() => session.prepare(commands(1), false)))).toBe('refused');
    expect(session.bytes).toBe(256);
    await Promise.all([session.dispose(), session.dispose()]);
    await session.dispose();
    for (const call of [() => session.allocate(4), () => session.load(image, []), () => session.prepare(commands(1), false), () => kept.run(sixtyFour)]) expect(kindOf(await thrown(call))).toBe('disposed');
    session.free(x);
    kept.dispose();
  });
  it('disposed of while work is under way: that ends, and nothing later begins; JavaScript goes on meanwhile', async () => {
    const { session, commands } = await ready();
    const batch = await session.prepare(commands(2), true);
    t.control.set('held', 1);
    const first = run(batch);
    expect(wordsOf(await thrown(() => batch.run(sixtyFour)))).toBe('refused: the batch is under way');
    // Asked before the end: it is answered.
    const asked = session.allocate(64);
    const closed = session.dispose();
    batch.dispose();
    expect(kindOf(await thrown(() => session.allocate(4)))).toBe('disposed');
    let ticks = 0;
    for (; ticks < 20; ticks++) await new Promise((resolve) => { setTimeout(resolve, 1); });
    expect(ticks).toBe(20);
    t.control.set('held', 0);
    expect((await first)[3]).toBe(6);
    expect(await asked).toBeGreaterThan(0);
    await closed;
  });
  it('what nobody refers to any more is given back', async () => {
    const { gc } = globalThis as { readonly gc?: () => void };
    const { setFlagsFromString } = await import('node:v8');
    const { runInNewContext } = await import('node:vm');
    setFlagsFromString('--expose-gc');
    const collect = gc ?? (runInNewContext('gc') as () => void);
    await (async () => {
      const { session, commands } = await ready();
      await run(await session.prepare(commands(1), true));
    })();
    for (let k = 0; k < 100 && t.control.look().contexts > 0; k++) {
      collect();
      await new Promise((resolve) => { setTimeout(resolve, 5); });
    }
    expect(t.control.look().contexts).toBe(0);
  });
  it('in worker threads: on one context, each of its own session, ended by themselves, by exit and by terminate', async () => {
    const text = `const { parentPort, workerData: w } = require('node:worker_threads');
      const native = require(w.addon);
      (async () => {
        for (let k = 0; ; k++) {
          const { session } = await native.open(w.driver, 0);
          await session.load(w.image, ['scale']);
          const x = await session.allocate(256), y = await session.allocate(256);
          const batch = await session.prepare(Float64Array.from([2, x, 0, 256, 0, 5, 0, 2, 1, 1, 32, 4, 1, x, 0, 1, y, 0, 0, 64, 0, w.by, 4, y, 0, 256, 0]), true);
          for (let i = 0; i < 5; i++) {
            const out = new Float32Array((await batch.run(w.data)).data);
            parentPort.postMessage(out[3]);
          }
          if (w.end === 'itself') { await session.dispose(); return; }
          if (w.end === 'left') return;
          if (w.end === 'exit') process.exit(0);
        }
      })();`;
    const { addonFile } = (await import(join(root, 'targets/cuda/addon/build.mjs'))) as { addonFile: () => string };
    const ends = ['itself', 'left', 'exit', 'terminate', 'itself', 'terminate'];
    await Promise.all(ends.map((end, by) => new Promise<void>((resolve, reject) => {
      const worker = new Worker(text, { eval: true, workerData: { addon: addonFile(), driver: t.driver, image, data: sixtyFour, by, end } });
      let count = 0;
      worker.on('message', (value) => {
        if (value !== 3 * by) reject(new Error(`${value}, not ${3 * by}`));
        if (++count === 7 && end === 'terminate') void worker.terminate();
      });
      worker.on('error', reject);
      worker.on('exit', () => { count < 5 ? reject(new Error(`${end}: only ${count} answers`)) : resolve(); });
    })));
  });
  it('keeps no process alive when it is idle, and ends with it when it is not', () => {
    const script = (last: string): string => `const native = require(${JSON.stringify(t.addonPath)}); const control = require(${JSON.stringify(t.driver)});
      native.open(${JSON.stringify(t.driver)}, 0).then(async ({ session }) => { await session.allocate(64); process.on('exit', () => console.log('over')); ${last} });`;
    for (const last of ['', 'process.exit(0)', 'session.allocate(1024); process.exit(0)', 'session.dispose(); process.exit(0)', 'session.dispose()', 'for (let k = 0; k < 50; k++) session.allocate(4096)']) {
      const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['-e', script(last)], { encoding: 'utf8', timeout: 20_000 });
      expect([last, status, signal, stdout, stderr]).toEqual([last, 0, null, 'over\n', '']);
    }
  });
  it('compiles by NVRTC: machine code for what it knows, PTX for what is later, its words where the source is wrong', async () => {
    process.env['SSMC_TEST_IMAGE'] = imageFile(image);
    const { compile } = t.native;
    const text = async (capability: number): Promise<string | undefined> => new TextDecoder().decode(await compile(['/no/nvrtc', t.nvrtc], source, ['--std=c++17'], capability)).split('\n')[0];
    expect([await text(80), await text(86), await text(89), await text(90), await text(103)]).toEqual(['sm_80', 'sm_86', 'compute_86', 'sm_90', 'compute_90'].map((a) => `SSMC-FAKE nvrtc:${a}`));
    expect(wordsOf(await thrown(() => compile([t.nvrtc], source, [], 75)))).toMatch(/^no-kernels: NVRTC knows no architecture up to sm_75/);
    expect(wordsOf(await thrown(() => compile([t.nvrtc], '#error', [], 90)))).toMatch(/^no-kernels: NVRTC refuses the source \(6\): model\.cu\(1\): error/);
    expect(wordsOf(await thrown(() => compile(['/no/nvrtc'], source, [], 90)))).toMatch(/^no-kernels: NVRTC is not here to compile them: \/no\/nvrtc/);
    expect(wordsOf(await thrown(() => compile([t.driver], source, [], 90)))).toMatch(/^no-kernels: NVRTC is older than 11\.2: it lacks nvrtcCreateProgram/);
  });
  it('refuses images: of another kind, without the kernel, with the driver\'s words', async () => {
    const { session } = await open();
    expect(wordsOf(await thrown(() => session.load(new TextEncoder().encode('.version 9.0'), ['scale'])))).toMatch(/^refused: cuModuleLoadDataEx: CUDA_ERROR_INVALID_PTX \(218\): line 1: that is no image/);
    expect(wordsOf(await thrown(() => session.load(image, ['other'])))).toMatch(/^refused: cuModuleGetFunction of other: CUDA_ERROR_NOT_FOUND/);
    await session.dispose();
  });
});

describe.skipIf(missing !== undefined)('the addon as it is packaged', () => {
  it('lies where node-gyp-build looks for it', async () => {
    const { addonFile } = (await import(join(root, 'targets/cuda/addon/build.mjs'))) as { addonFile: () => string };
    await tools();
    const { path } = createRequire(import.meta.url)('node-gyp-build') as { path: (folder: string) => string };
    expect(path(root)).toBe(addonFile());
  });
  it('asks for nothing of CUDA when it is opened, nor for anything but what every Linux has', async () => {
    const { addonPath } = await tools();
    const needed = [...execFileSync('readelf', ['-d', addonPath], { encoding: 'utf8' }).matchAll(/NEEDED.*\[(.*?)\]/g)].map((m) => m[1]);
    expect(needed.filter((n) => !/^lib(c|m|dl|pthread|stdc\+\+|gcc_s)\.so/.test(n as string))).toEqual([]);
    expect(Object.getOwnPropertyNames(createRequire(import.meta.url)(addonPath)).sort()).toEqual(['compile', 'open']);
  });
});
