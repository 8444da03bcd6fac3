/** The variant of the kernels that reduces by subgroups: taken where the adapter has them, and for nothing else. */
import { describe, expect, it } from 'vitest';
import { interpret } from '../../src/interpreter/interpret.js';
import { runModel } from '../../src/cli/tensors.js';
import type { GpuAdapter } from '../../src/runtime/webgpu/gpu.js';
import { errors, randomInputs, TOLERANCE } from '../random/agree.js';
import { gpu, missing } from './device.js';
import { bits, onGpu } from './load.js';
import { Tap } from './tap.js';

/** Reductions over all threads of a group: sums, a maximum and a minimum, of sizes that the group divides and that it doesn't; and over eight of them. */
const spec = `model Norms {
  axis c = 1100
  axis d = 1088
  axis e = 1025
  axis f = 9
  input x[t, c]
  input y[t, d]
  input z[t, e]
  input w[t, f]
  mu[t] = mean(c: x[t, c])
  scale[t] = rsqrt(mean(c: (x[t, c] - mu[t]) ^ 2) + 0.00001)
  output norm[t, c] = (x[t, c] - mu[t]) * scale[t]
  output soft[t, d] = softmax(d: 3 * y[t, d])
  output span[t] = max(e: z[t, e]) - min(e: z[t, e])
  output small[t] = max(f: w[t, f]) - sum(f: w[t, f] ^ 2)
}`;
const scalar = 'model Plain {\n  axis c = 3\n  input x[t, c]\n  output y[t, c] = 2 * x[t, c]\n}';
const same = (text: string): string => text;

describe.skipIf(missing !== undefined)('subgroups', () => {
  const made = onGpu(spec);
  const inputs = randomInputs(made.program, 3, 37, 1);
  const reference = interpret(made.program, made.weights, inputs).outputs;

  it('are taken where the adapter has them: the interpreter\'s values, and the same bits every time and for a row alone', async () => {
    const model = await made.load({ device: 'webgpu', gpu }, { variants: same });
    expect(model.device.features).toEqual(['subgroups']);
    const out = await runModel(model, inputs, undefined);
    for (const { output, error } of errors(reference, out)) expect(error, output).toBeLessThanOrEqual(TOLERANCE);
    const again = await runModel(model, inputs, undefined);
    for (const [name, t] of out) expect(Buffer.from(t.data.buffer).equals(Buffer.from((again.get(name) as typeof t).data.buffer)), name).toBe(true);
    const last = await runModel(model, new Map([...inputs].map(([n, t]) => [n, { shape: [1, ...t.shape.slice(1)], data: t.data.slice((t.data.length / 3) * 2) }])), undefined);
    for (const [name, t] of out) expect([...(last.get(name) as typeof t).data], name).toEqual([...t.data.slice((t.data.length / 3) * 2)]);
    model.dispose();
  }, 60_000);
  it('are not where it lacks them, and the base variant has the bits of a module without variants', async () => {
    const tap = new Tap(gpu);
    const asked: unknown[] = [];
    tap.adapter = async () => {
      const adapter = (await gpu.requestAdapter({})) as GpuAdapter;
      return { features: new Set<string>(), requestDevice: (d) => { asked.push(d); return adapter.requestDevice(d ?? {}); } };
    };
    const model = await made.load({ device: 'webgpu', gpu: tap }, { variants: same });
    expect(model.device.features).toEqual([]);
    expect(asked).toEqual([{ requiredFeatures: [] }]);
    const plain = await made.load({ device: 'webgpu', gpu });
    const x = Object.fromEntries([...inputs].map(([n, t]) => [n, { shape: t.shape, data: Float32Array.from(t.data) }]));
    expect(bits(await model.run(x))).toEqual(bits(await plain.run(x)));
    model.dispose();
    plain.dispose();
  }, 60_000);
  it('a device of the user\'s decides by what it was made with', async () => {
    const adapter = (await gpu.requestAdapter({})) as GpuAdapter;
    const device = await adapter.requestDevice({ requiredFeatures: ['subgroups'] });
    const model = await made.load({ device }, { variants: same });
    expect(model.device.features).toEqual(['subgroups']);
    model.dispose();
    const bare = await ((await gpu.requestAdapter({})) as GpuAdapter).requestDevice();
    const other = await made.load({ device: bare }, { variants: same });
    expect(other.device.features).toEqual([]);
    other.dispose();
  });
  it.each([['does not compile', (t: string) => t.replace('subgroupAdd', 'subgroupSum')], ['is miscompiled', (t: string) => t.replace('let result = subgroupAdd(all);', 'let result = 2.0 * subgroupAdd(all);')]])('a variant that %s is left for the base one, and nothing stays behind', async (_, change) => {
    expect(change(made.module.webgpu?.variants[0]?.wgsl ?? '')).not.toBe(made.module.webgpu?.variants[0]?.wgsl);
    const tap = new Tap(gpu);
    const model = await made.load({ device: 'webgpu', gpu: tap }, { variants: change });
    expect(model.device).toMatchObject({ name: 'webgpu', features: [] });
    expect(tap.live.length).toBe(1);
    model.dispose();
    expect([tap.live.length, tap.buffers.size]).toEqual([0, 0]);
  });
  it('a model that reduces over no lanes has no variant', () => {
    expect(made.module.webgpu?.variants.map((v) => v.features)).toEqual([['subgroups']]);
    expect(onGpu(scalar).module.webgpu?.variants).toEqual([]);
  });
  it('nothing is assumed of their size, nor of where a part of a group lies in them', () => {
    const text = made.module.webgpu?.variants[0]?.wgsl ?? '';
    expect(text).toMatch(/fn reduce_sum_8_of_64\([^)]*\) -> f32 \{[^}]*workgroupBarrier[^}]*\}/);
    expect(/fn reduce_sum_8_of_64[^}]*\}/.exec(text)?.[0]).not.toContain('subgroup');
    expect(/fn reduce_sum_64[^}]*\}/.exec(text)?.[0]).toContain('subgroupAdd');
    expect(text.startsWith('enable subgroups;\n')).toBe(true);
    expect(text).not.toMatch(/subgroup_size|subgroup_invocation_id/);
  });
});
