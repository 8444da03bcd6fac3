/** float16 and bfloat16 as WGSL and the host round to them; what is past their range; how their kernels are written for devices with and without f16. */
import { create } from 'webgpu';
import { describe, expect, it } from 'vitest';
import type { Kernel } from '../../src/ir/kernel.js';
import { InputError, WeightsError } from '../../src/runtime/index.js';
import { elementsOf } from '../../src/runtime/floats.js';
import type { Narrow } from '../../src/ir/kernel.js';
import { narrowTypes } from '../../src/runtime/gpu/halves.js';
import { MAP_READ, usage, type Gpu, type GpuAdapter } from '../../src/runtime/webgpu/gpu.js';
import { halfTexts, loadName, storeName, type HalfHelper } from '../../targets/wgsl/halves.js';
import { printEntry } from '../../targets/wgsl/print.js';
import { elements, numbers } from '../runtime/small.js';
import { gpu, many, missing } from './device.js';
import { onGpu, thrown } from './load.js';

/** Bits of infinity, and what the next number after the largest would have been. */
const ends: Readonly<Record<Narrow, { readonly infinity: number; readonly after: number }>> = { f16: { infinity: 0x7c00, after: 65536 }, bf16: { infinity: 0x7f80, after: 2 ** 128 } };
const dtypes = { f16: 'F16', bf16: 'BF16' } as const;
const read = (bits: Uint16Array<ArrayBuffer>, type: Narrow): ArrayLike<number> => elementsOf(dtypes[type], new Uint8Array(bits.buffer)) as ArrayLike<number>;
/** Every number of a type from 0 to infinity, in order: its bits are its place. */
const all = { f16: allOf('f16'), bf16: allOf('bf16') };
function allOf(type: Narrow): ArrayLike<number> {
  return read(Uint16Array.from({ length: ends[type].infinity + 1 }, (_, i) => i), type);
}
/** The nearest, ties to even, by search. Where infinity begins is where the next step would have been. */
function nearest(x: number, type: Narrow): number {
  const { infinity, after } = ends[type];
  const values = all[type];
  const size = Math.abs(x);
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  let [low, high] = [0, infinity];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((values[middle] as number) <= size) low = middle;
    else high = middle;
  }
  if (size === Infinity) return sign | infinity;
  const [under, over] = [size - (values[low] as number), (high === infinity ? after : (values[high] as number)) - size];
  return sign | (under < over || (under === over && low % 2 === 0) ? low : high);
}
/** Many of a type's numbers, what lies midway between two, its neighbours in float32, and random bits. */
function samplesOf(type: Narrow): Float32Array<ArrayBuffer> {
  const { infinity, after } = ends[type];
  const values = all[type];
  const out: number[] = [0, -0, Infinity, -Infinity, 65504, 65519.996, 65520, 65536, 1e30, 1e-30, 3.38e38, 3.4e38, 2 ** -25, 2 ** -24 * 1.5];
  const next = (x: number, by: number): number => { const f = Float32Array.of(x); new Int32Array(f.buffer)[0]! += by; return f[0] as number; };
  for (let i = 0; i < infinity; i += 7) {
    const middle = ((values[i] as number) + (i + 1 === infinity ? after : (values[i + 1] as number))) / 2;
    out.push(values[i] as number, -(values[i] as number), middle, -middle, next(middle, 1), next(middle, -1));
  }
  const bits = new Uint32Array(20_000).map((_, i) => Math.imul(i + 1, 0x9e3779b1) ^ (i << 7));
  return Float32Array.from([...out, ...[...new Float32Array(bits.buffer)].filter((x) => !Number.isNaN(x))]);
}
const scale = `model Scale {
  axis c = 6
  input x[t, c]
  param w[c] = 2
  y[t, c] = w[c] * x[t, c]
  output first[c] = last(t: y[t, c] + y[t - 1, c])
}`;

describe('rounding on the host', () => {
  it.each(['f16', 'bf16'] as const)('%s: the nearest, ties to even, infinity past the range', (type) => {
    const { bits, largest, beyond } = narrowTypes[type];
    for (const x of samplesOf(type)) expect(bits(x), `${x}`).toBe(nearest(x, type));
    expect(bits(NaN) & 0x7fff).toBeGreaterThan(ends[type].infinity);
    expect([bits(largest), bits(beyond)]).toEqual([ends[type].infinity - 1, ends[type].infinity]);
  });
});

describe.skipIf(missing !== undefined)('float16 and bfloat16 in WGSL', () => {
  it.each(['f16', 'bf16'] as const)('%s has the bits of the host\'s, and is read as it was stored', async (element) => {
    const device = await ((await gpu.requestAdapter()) as GpuAdapter).requestDevice();
    const helper = (kind: 'store' | 'load'): HalfHelper => ({ kind, element, binding: 0, access: 'read_write' });
    const helpers = new Map([['store', helper('store')], ['load', helper('load')]]);
    const code = `${halfTexts(helpers, false).join('\n')}
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = i32(2u * id.x);
  if (id.x * 2u < arrayLength(&x)) {
    ${storeName(0, element)}(i, x[i], x[i + 1]);
    y[i] = ${loadName(0, 'read_write', element)}(i);
    y[i + 1] = ${loadName(0, 'read_write', element)}(i + 1);
  }
}`;
    // WGSL may take what is below float32's normal numbers for 0.
    const samples = samplesOf(element).filter((v) => v === 0 || Math.abs(v) >= 2 ** -126);
    const x = samples.slice(0, 2 * Math.floor(samples.length / 2));
    const made = [x.byteLength, x.byteLength, x.byteLength / 2].map((size) => device.createBuffer({ size, usage: usage.storage | usage.copySource | usage.copyTarget }));
    const [from, again, packed] = made as [(typeof made)[0], (typeof made)[0], (typeof made)[0]];
    const out = device.createBuffer({ size: 1.5 * x.byteLength, usage: usage.mapRead | usage.copyTarget });
    device.queue.writeBuffer(from, 0, x);
    const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module: device.createShaderModule({ code }), entryPoint: 'main' } });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [from, again, packed].map((buffer, binding) => ({ binding, resource: { buffer } })) }));
    pass.dispatchWorkgroups(Math.ceil(x.length / 128));
    pass.end();
    encoder.copyBufferToBuffer(packed, 0, out, 0, x.byteLength / 2);
    encoder.copyBufferToBuffer(again, 0, out, x.byteLength / 2, x.byteLength);
    device.queue.submit([encoder.finish()]);
    await out.mapAsync(MAP_READ);
    const mapped = out.getMappedRange();
    const bits = new Uint16Array(mapped.slice(0, x.byteLength / 2));
    const back = new Float32Array(mapped.slice(x.byteLength / 2));
    x.forEach((v, i) => {
      expect(bits[i], `${v}`).toBe(narrowTypes[element].bits(v));
      expect(back[i], `${v} read again`).toBe(read(bits.slice(i, i + 1), element)[0]);
    });
    device.destroy();
  });

  const { load, module } = onGpu(scale, 'auto', 'f16');
  const x = numbers(6 * 4, 1);
  it('weights past its range are refused, by name', async () => {
    const error = await thrown(() => load({ device: 'webgpu', gpu, weights: { w: { data: Float32Array.of(1, 2, 70000, 3, 4, 5), shape: [6] } } }));
    expect(error).toBeInstanceOf(WeightsError);
    expect((error as Error).message).toBe('SSM5009: the model stores `w` as float16, which ends at 65504, but the weights make it 70000: compile it with float32 storage');
    // Under auto too: another device would hide it.
    expect(((await thrown(() => load({ gpu: many, weights: { w: { data: new Float32Array(6).fill(-1e6), shape: [6] } } }))) as Error).message).toMatch(/^SSM5009/);
  });
  it('inputs past its range are refused, and the model stays usable', async () => {
    const model = await load({ device: 'webgpu', gpu });
    const error = await thrown(() => model.run({ x: x.map((v, i) => (i === 7 ? -65520 : v)) }));
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).toBe('SSM5111: input `x` is stored as float16, which ends at 65504, but has -65520: scale it, or compile the model with float32 storage');
    expect(elements(await model.run({ x })).every(Number.isFinite)).toBe(true);
    const stream = model.stream();
    await stream.push({ x: x.slice(0, 6) });
    expect(await thrown(() => stream.push({ x: new Float32Array(6).fill(1e5) }))).toBeInstanceOf(InputError);
    const all = elements(await model.run({ x: x.slice(0, 12) }));
    expect(elements(await stream.push({ x: x.slice(6, 12) }))).toEqual(all);
    // What rounds to the largest float16 is in range; steps past a row's length may hold anything.
    await model.run({ x: { data: x.map((v, i) => (i === 7 ? 65519 : i > 12 ? 1e9 : v)), shape: [1, 4, 6] } }, { lengths: [2] });
    model.dispose();
  });
  it('activations past its range are infinite, not the largest number', async () => {
    const model = await load({ device: 'webgpu', gpu });
    const of = async (size: number): Promise<number[]> => elements(await model.run({ x: new Float32Array(6).fill(size) }));
    expect(module.webgpu?.schedule.storage.find((s) => s.name === 'y')?.element).toBe('f16');
    expect(await of(1000)).toEqual(new Array(6).fill(2000));
    expect(await of(60000)).toEqual(new Array(6).fill(Infinity));
    expect(await of(-60000)).toEqual(new Array(6).fill(-Infinity));
    model.dispose();
  });
  it('bfloat16 refuses what rounds to infinity too, and holds what float16 doesn\'t', async () => {
    const wide = onGpu(scale, 'auto', 'bf16');
    expect(((await thrown(() => wide.load({ device: 'webgpu', gpu, weights: { w: { data: new Float32Array(6).fill(3.4e38), shape: [6] } } }))) as Error).message).toMatch(/^SSM5009: the model stores `w` as bfloat16, which ends at 3.38\d+e\+38, but the weights make it 3.3999\d+e\+38: /);
    const model = await wide.load({ device: 'webgpu', gpu });
    expect(elements(await model.run({ x: new Float32Array(6).fill(2 ** 20) }))).toEqual(new Array(6).fill(2 ** 21));
    expect(((await thrown(() => model.run({ x: new Float32Array(6).fill(-3.4e38) }))) as Error).message).toMatch(/^SSM5111: input `x` is stored as bfloat16/);
    model.dispose();
  });
  it('has variants for f16, for subgroups and for both, the best first; other storage has none for f16', () => {
    const norm = 'model Norm {\n  axis c = 1100\n  input x[t, c]\n  n[t, c] = x[t, c] / sqrt(0.01 + mean(c: x[t, c] ^ 2))\n  output y[c] = max(t: n[t, c])\n}';
    expect(onGpu(norm, 'auto', 'f16').module.webgpu?.variants.map((v) => v.features)).toEqual([['shader-f16', 'subgroups'], ['shader-f16'], ['subgroups']]);
    for (const storage of ['f32', 'bf16'] as const) expect(onGpu(norm, 'auto', storage).module.webgpu?.variants.map((v) => v.features)).toEqual([['subgroups']]);
    const [f16] = module.webgpu?.variants ?? [];
    expect(f16?.features).toEqual(['shader-f16']);
    expect(f16?.wgsl.startsWith('enable f16;\n')).toBe(true);
    expect(f16?.wgsl).toMatch(/var<storage, read> halves\d: array<f16>;/);
    expect(module.webgpu?.wgsl).toMatch(/var<storage, read> halves\d: array<u32>;/);
    expect(module.webgpu?.wgsl).not.toContain('f16');
  });
  it('Dawn compiles every variant to pipelines, on its backend that has every feature and runs nothing', async () => {
    const nowhere = create(['backend=null']) as unknown as Gpu;
    const device = await ((await nowhere.requestAdapter()) as GpuAdapter).requestDevice({ requiredFeatures: ['shader-f16', 'subgroups'] });
    const norm = onGpu('model Norm {\n  axis c = 1100\n  input x[t, c]\n  n[t, c] = x[t, c] / sqrt(0.01 + mean(c: x[t, c] ^ 2))\n  output y[c] = max(t: n[t, c] + n[t - 1, c])\n}', 'auto', 'f16').module.webgpu;
    for (const { wgsl, features } of norm?.variants ?? []) {
      const shader = device.createShaderModule({ code: wgsl });
      expect((await shader.getCompilationInfo()).messages.map((m) => m.message), `${features}`).toEqual([]);
      for (const [, entryPoint = ''] of wgsl.matchAll(/^fn (\w+)\(@builtin/gm)) await device.createComputePipelineAsync({ layout: 'auto', compute: { module: shader, entryPoint } });
    }
    expect(norm?.variants.length).toBe(3);
    device.destroy();
  });
});

describe('no word is written by two threads', () => {
  const kernel = (at: Kernel['body'][number]): Kernel => ({
    name: 'k', precision: 'f32', parameters: [{ kind: 'buffer', name: 'y', element: 'f16', access: 'write' }],
    body: [{ kind: 'int', name: 'id', value: { kind: 'ivar', name: '$l' } }, at], grid: { threads: 64, lanes: 1, groups: { times: 1, of: 1, each: 1, per: 1 }, batches: 1 },
  });
  const store = (more: object): Kernel['body'][number] => ({ kind: 'store', buffer: 'y', at: { kind: 'imul', factors: [{ kind: 'ivar', name: 'id' }, { kind: 'int', value: 2 }] }, value: { kind: 'number', value: 1 }, lanes: 'one', ...more });
  const two = { second: { kind: 'number', value: 2 } };
  it('pairs at even places are printed', () => {
    expect(printEntry(kernel(store(two)), () => 0).text).toContain('store_halves0($ENTRY$_p.y + (id * 2), 1f, 2f);');
  });
  it('single elements, and pairs that may begin in the middle of a word, are not', () => {
    expect(() => printEntry(kernel(store({})), () => 0)).toThrow('k: threads would share a word of y');
    expect(() => printEntry(kernel(store({ ...two, at: { kind: 'ivar', name: 'id' } })), () => 0)).toThrow('k: a pair of y may begin in the middle of a word');
  });
  it('what must stay float32 does, with its reason', () => {
    const { module } = onGpu(`model Reasons {
  axis c = 7
  axis n = 100
  input x[t, c]
  param a[n] = uniform(0.1, 0.9)
  state h[t, c, n] = a[n] * h[t-1, c, n] + x[t, c]
  big[t, c] = sum(n: h[t, c, n])
  size[t] = sum(c: x[t, c])
  even[t, c] = big[t, c] / (1 + abs(size[t]))
  state s[t, c] = 0.5 * s[t-1, c] + even[t, c]
  initial s[c] = 1
  late[t, c] = s[t - 2, c] + s[t, c]
  output y[t, c] = sum(c: late[t, c]) - late[t, c]
}`, 'auto', 'f16');
    const why = new Map(module.webgpu?.schedule.storage.map((s) => [s.name, `${s.element}: ${s.why}`]));
    expect(why.get('y')).toBe('f32: an output: given as it was computed');
    expect(why.get('x')).toBe('f16: rounded when it is stored');
    expect(why.get('size')).toBe('f32: one number a step');
    expect(why.get('s')).toBe('f32: its past begins with initial values, which are written one at a time');
    expect([...why.values()]).toContain('f32: the states of two members of `c` are 200 numbers, more than the 128 that a thread keeps');
  });
});
