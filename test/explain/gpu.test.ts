/** What `explain --target wgsl` says, against what small programs must move, and against what the runtime submits. */
import { describe, expect, it } from 'vitest';
import type { WebgpuModule } from '../../src/compile.js';
import { countKernel } from '../../src/explain/count.js';
import { explainGpu, type Cost } from '../../src/explain/gpu.js';
import type { Kernel } from '../../src/ir/kernel.js';
import { compileText } from '../random/agree.js';
import { randomSpec } from '../random/generate.js';
import { numbers } from '../runtime/small.js';
import { gpu, missing } from '../webgpu/device.js';
import { onGpu } from '../webgpu/load.js';
import { Tap } from '../webgpu/tap.js';
import { everyThread } from './every-thread.js';

type Chosen = 'auto' | 'serial' | 'chunked';
function compiled(text: string, strategy: Chosen = 'auto'): WebgpuModule {
  const { module, diagnostics } = compileText(text, strategy, true);
  if (!module?.webgpu) throw new Error(diagnostics.map((d) => d.text).join('\n'));
  return module.webgpu;
}
const costs = (text: string, length: number, batch = 1): { run: Cost; push?: Cost } => explainGpu(compiled(text, 'serial'), { batch, length });
const bytes = (elements: number): number => 4 * elements;

describe('the cost of a kernel', () => {
  it('pointwise: each element once, by the threads that have one', () => {
    const { run, push } = costs('model P {\n  axis c = 3\n  input x[t, c]\n  param b[c]\n  output y[t, c] = x[t, c] * x[t, c] + b[c]\n}', 5);
    // x and y have 15 elements, b 3, which 15 threads ask for.
    expect(run).toEqual({ dispatches: 1, moved: bytes(15 + 3 + 15), asked: bytes(15 + 15 + 15), shared: 0, barriers: 0, arithmetic: 2 * 15, exponentials: 0 });
    expect(push).toEqual({ dispatches: 1, moved: bytes(3 + 3 + 3), asked: bytes(3 * 3), shared: 0, barriers: 0, arithmetic: 2 * 3, exponentials: 0 });
  });
  it('scan: states in and out once a tile, B once for the group, two barriers a tile of steps', () => {
    const text = 'model S {\n  axis c = 3\n  axis n = 4\n  input x[t, c]\n  input B[t, n]\n  param a[c, n] = uniform(0.1, 0.9)\n  state h[t, c, n] = a[c, n] * h[t-1, c, n] + B[t, n] * x[t, c]\n  output y[t, c] = sum(n: h[t, c, n])\n}';
    const of = (steps: number, tiles: number): Partial<Cost> => {
      // Of each decay, which may be negative: where it goes on from, and two parts.
      const all = bytes(2 * 12 + 3 * 12 + steps * (4 + 3 + 3));
      // B goes into the group's memory once, and each of three threads reads it there.
      return { dispatches: 1, moved: all, asked: all, shared: bytes(steps * 4 + 3 * steps * 4), barriers: 2 * tiles, exponentials: 0 };
    };
    const { run, push } = costs(text, 70);
    expect(run).toMatchObject(of(70, 3));
    expect(push).toMatchObject(of(1, 1));
  });
  it('norm: eight rows a group of 64 threads, two reductions over eight threads each', () => {
    const text = 'import LayerNorm from "std"\nmodel N {\n  axis c = 128\n  input x[t, c]\n  output y = LayerNorm(x)\n}';
    const of = (rows: number, groups: number): void => {
      const { run } = costs(text, rows);
      // Each reduction: when all values are there, and when all have been read.
      expect(run.barriers).toBe(groups * 2 * 2);
      expect(run.moved).toBe(bytes(rows * 128 * 2 + 2 * 128));
      // Threads without a row read what those of the last one do, and write nothing.
      expect(run.asked).toBe(bytes(groups * 8 * 128 * (3 + 2) + rows * 128));
    };
    of(6, 1);
    of(8, 1);
    of(9, 2);
  });
  it('product: a tile of rows and columns a group, the reduced axis in slabs', () => {
    const text = 'model M {\n  axis o = 40\n  axis k = 20\n  input x[t, k]\n  param w[o, k]\n  output y[t, o] = sum(k: w[o, k] * x[t, k])\n}';
    const module = compiled(text);
    const { kernels: [one], run } = explainGpu(module, { batch: 1, length: 33 });
    expect(run.moved).toBe(bytes(33 * 20 + 40 * 20 + 33 * 40));
    const shared = everyThread(module.kernels.find((k) => k.grid) as (typeof module.kernels)[number], { batch: 1, steps: 33 });
    expect(run.barriers).toBe(shared.barriers);
    expect(shared.barriers % (one?.grid.reduce((a, b) => a * b, 1) as number)).toBe(0);
    // 33 · 40 sums of 20 products, besides those of rows and columns that do not exist.
    expect(run.arithmetic).toBeGreaterThanOrEqual(2 * 33 * 40 * 20);
  });
  it('product of a few rows: what they need and no more, without a barrier', () => {
    const text = 'model M {\n  axis o = 40\n  axis k = 20\n  input x[t, k]\n  param w[o, k]\n  output y[t, o] = sum(k: w[o, k] * x[t, k])\n}';
    for (const rows of [1, 8]) {
      const { run } = costs(text, rows);
      // Of the second group of 32 columns eight exist, and the rest is computed for nothing.
      expect(run).toMatchObject({ barriers: 0, shared: 0, arithmetic: 2 * rows * 64 * 20 });
      expect(run.moved).toBe(bytes(rows * 20 + 40 * 20 + rows * 40));
    }
    expect(costs(text, 9).run.barriers).toBeGreaterThan(0);
  });
  it('chunks: the summaries and the carry are not launched for less than a chunk', () => {
    const text = 'model C {\n  axis c = 2\n  input x[t, c]\n  param a[c] = uniform(0.1, 0.9)\n  state h[t, c] = a[c] * h[t-1, c] + x[t, c]\n  output y[t, c] = h[t, c]\n}';
    const of = (length: number): number => explainGpu(compiled(text, 'chunked'), { batch: 1, length }).run.dispatches;
    expect([of(63), of(64), of(200)]).toEqual([1, 3, 3]);
    // Where they are chosen, a device that few threads fill has the one kernel.
    const chosen = (length: number, on: 'many' | 'few'): number => explainGpu(compiled(text), { batch: 1, length }, on).run.dispatches;
    expect([chosen(63, 'many'), chosen(200, 'many'), chosen(63, 'few'), chosen(200, 'few')]).toEqual([1, 3, 1, 1]);
  });
});

describe('counts of threads at once', () => {
  const same = (kernel: Kernel, sizes: { readonly batch: number; readonly steps: number }): void => {
    const { loads, stores, barriers } = countKernel(kernel, sizes, 1);
    const sorted = (of: ReadonlyMap<string, number>): (readonly [string, number])[] => [...of].filter(([, n]) => n > 0).map(([b, n]) => [b, Math.round(n * 1e6) / 1e6] as const).sort(([a], [b]) => (a < b ? -1 : 1));
    const all = everyThread(kernel, sizes);
    expect({ kernel: kernel.name, loads: sorted(loads), stores: sorted(stores), barriers: Math.round(barriers * 1e6) / 1e6 }).toEqual({ kernel: kernel.name, loads: sorted(all.loads), stores: sorted(all.stores), barriers: all.barriers });
  };
  it.each([...Array(40).keys()])('are those of every thread: random program %i', (seed) => {
    const { text } = randomSpec(seed);
    for (const strategy of ['serial', 'chunked'] as const) {
      const kernels = [compileText(text, strategy, true).module?.webgpu?.kernels ?? [], compileText(text, strategy, { cuda: true }).module?.cuda?.kernels ?? []];
      for (const kernel of kernels.flat()) {
        if (!kernel.grid) continue;
        for (const sizes of [{ batch: 1, steps: 1 }, { batch: 2, steps: 7 }, { batch: 1, steps: 130 }]) same(kernel, sizes);
      }
    }
  });
  it('are those of every thread: products of tiles', () => {
    const text = 'model P {\n  axis k = 35\n  axis c = 72\n  input x[t, k]\n  param w[c, k] = uniform(-1, 1)\n  output y[t, c] = sum(k: w[c, k] * x[t, k])\n}';
    const kernels = compileText(text, 'auto', { cuda: true, storage: 'bf16' }).module?.cuda?.kernels.filter((k) => k.grid) ?? [];
    expect(JSON.stringify(kernels)).toContain('"multiply"');
    for (const kernel of kernels) for (const sizes of [{ batch: 1, steps: 1 }, { batch: 2, steps: 37 }, { batch: 1, steps: 130 }]) same(kernel, sizes);
    // Three columns of tiles of 32, sixteen members three times; of 65 rows three warps have 32 each.
    expect(countKernel(kernels[0] as Kernel, { batch: 1, steps: 65 }, 1).arithmetic).toBe(2 * 3 * 32 * 96 * 48);
  });
});

describe.skipIf(missing !== undefined)('dispatches', () => {
  const specs: readonly (readonly [string, string, Chosen])[] = [
    ['a convolution, a state with an initial value and a maximum', 'model A {\n  axis c = 3\n  axis k = 3\n  input x[t, c]\n  param a[c] = uniform(0.1, 0.9)\n  param w[c, k] = uniform(-0.5, 0.5)\n  u[t, c] = sum(k: w[c, k] * x[t - 2 + k, c])\n  initial h[c] = 1\n  state h[t, c] = a[c] * h[t-1, c] + u[t, c]\n  output y[t, c] = tanh(h[t, c])\n  output z[c] = max(t: h[t, c])\n}', 'auto'],
    ['chunks', 'model B {\n  axis c = 2\n  input x[t, c]\n  param a[c] = uniform(0.1, 0.9)\n  state h[t, c] = a[c] * h[t-1, c] + x[t, c]\n  output y[t, c] = h[t, c]\n}', 'chunked'],
  ];
  it.each(specs)('of %s are those that the runtime submits', async (_, text, strategy) => {
    const { load, module } = onGpu(text, strategy);
    const tap = new Tap(gpu);
    const model = await load({ device: 'webgpu', gpu: tap });
    const width = module.manifest.inputs[0]?.shape[0] as number;
    const counted = async (work: () => Promise<unknown>): Promise<number> => {
      tap.dispatches = 0;
      await work();
      return tap.dispatches;
    };
    for (const [batch, length] of [[1, 5], [1, 64], [3, 70]] as const) {
      const said = explainGpu(module.webgpu as WebgpuModule, { batch, length }, 'few');
      expect(said.slices).toEqual([{ rows: batch, tiles: [length] }]);
      expect(await counted(() => model.run({ x: { data: numbers(batch * length * width, 1), shape: [batch, length, width] } }))).toBe(said.run.dispatches);
    }
    const stream = model.stream();
    await stream.push({ x: numbers(width, 1) });
    const { push, stages } = explainGpu(module.webgpu as WebgpuModule, { batch: 1, length: 1 }, 'few');
    expect(await counted(() => stream.push({ x: numbers(width, 2) }))).toBe(push?.dispatches);
    expect(push?.dispatches).toBeLessThanOrEqual(stages);
    model.dispose();
  });
});
