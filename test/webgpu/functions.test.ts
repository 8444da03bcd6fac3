/**
 * Every elementary function of the WGSL target alone, over the whole range of float32, against float64. The bounds are those of
 * test/wasm/math.test.ts (softplus: relative); results below the normal range may be flushed to 0. The
 * worst seen on SwiftShader are 2.5 ulp (tanh), 2.3 (sigmoid, log1p), 1.5 (rsqrt). Where division is off by the 2.5 ulp that WGSL allows,
 * sigmoid, tanh, silu and rsqrt have as much more.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { erfc } from '../../src/runtime/erfc.js';
import type { GpuDevice } from '../../src/runtime/webgpu/gpu.js';
import { MAP_READ, usage } from '../../src/runtime/webgpu/gpu.js';
import { functionTexts, type WgslFunction } from '../../targets/wgsl/functions.js';
import { gpu, missing } from './device.js';

interface Case {
  readonly of: (x: number) => number;
  /** The largest error in units of the last place, relative, or beside the larger of 1 and the value. */
  readonly ulp?: number;
  readonly relative?: number;
  readonly absolute?: number;
  readonly domain?: (x: number) => boolean;
}
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const cases: Readonly<Record<WgslFunction, Case>> = {
  exp: { of: Math.exp, ulp: 3 },
  exp2: { of: (x) => 2 ** x, ulp: 3 },
  expm1: { of: Math.expm1, ulp: 3 },
  exp2m1: { of: (x) => Math.expm1(x * Math.LN2), ulp: 3 },
  log: { of: Math.log, ulp: 3, domain: (x) => x >= SMALLEST },
  log1p: { of: Math.log1p, ulp: 3, domain: (x) => x > -1 },
  softplus: { of: softplus, relative: 1e-6 },
  sigmoid: { of: (x) => 1 / (1 + Math.exp(-x)), ulp: 8 },
  silu: { of: (x) => x / (1 + Math.exp(-x)), relative: 1e-6, domain: (x) => x > -80 },
  tanh: { of: Math.tanh, ulp: 4 },
  gelu: { of: (x) => 0.5 * x * erfc(-x * Math.SQRT1_2), absolute: 1e-6, domain: (x) => Math.abs(x) < 12 },
  sin: { of: Math.sin, absolute: 2e-7, domain: (x) => Math.abs(x) <= 1e4 },
  cos: { of: Math.cos, absolute: 2e-7, domain: (x) => Math.abs(x) <= 1e4 },
  rsqrt: { of: (x) => 1 / Math.sqrt(x), ulp: 3, domain: (x) => x >= SMALLEST },
  exp2_decay: { of: (x) => (x <= -100 ? 0 : 2 ** x), ulp: 4, domain: (x) => x <= 0 },
  exp2m1_decay: { of: (x) => Math.expm1(x * Math.LN2), relative: 1e-6, domain: (x) => x <= 0 },
};
/** The smallest normal number: WGSL may take what is below for 0, in arguments and results. */
const SMALLEST = 2 ** -126;
const LARGEST = (2 - 2 ** -23) * 2 ** 127;
/** Every normal exponent, both signs, densely near 0 and over the range where results are normal. */
function samples(): Float32Array<ArrayBuffer> {
  const out: number[] = [0, 88.72, -87.3, -103.9, 127.99, 128, -126, -149];
  for (let e = -126; e < 128; e++) for (let k = 0; k < 64; k++) out.push(2 ** e * (1 + k / 64), -(2 ** e) * (1 + k / 64));
  for (let k = 0; k < 40_000; k++) out.push(-110 + (k * 240) / 40_000, -4 + (k * 8) / 40_000);
  return Float32Array.from(out);
}
const shader = (name: WgslFunction): string => `@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
${functionTexts(new Set([name])).join('\n')}
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < arrayLength(&x)) { y[id.x] = ssm_${name}(x[id.x]); }
}`;
async function evaluate(device: GpuDevice, name: WgslFunction, x: Float32Array<ArrayBuffer>): Promise<Float32Array> {
  const size = x.byteLength;
  const [from, to, read] = [usage.storage | usage.copyTarget, usage.storage | usage.copySource, usage.mapRead | usage.copyTarget].map((u) => device.createBuffer({ size, usage: u }));
  if (!from || !to || !read) throw new Error('no buffers');
  const module = device.createShaderModule({ code: shader(name) });
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  device.queue.writeBuffer(from, 0, x);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [from, to].map((buffer, binding) => ({ binding, resource: { buffer } })) }));
  pass.dispatchWorkgroups(Math.ceil(x.length / 64));
  pass.end();
  encoder.copyBufferToBuffer(to, 0, read, 0, size);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(MAP_READ);
  const y = new Float32Array(read.getMappedRange().slice(0));
  for (const b of [from, to, read]) b.destroy();
  return y;
}
/** The error at one point, in the case's unit. */
function errorAt(c: Case, got: number, want: number): number {
  if (Math.abs(want) > LARGEST) return got === Math.sign(want) * Infinity || Math.abs(got - Math.sign(want) * LARGEST) <= 1e-6 * LARGEST ? 0 : Infinity;
  // Below the normal range: anything from 0 to the smallest normal number.
  if (Math.abs(want) < SMALLEST && Math.abs(got) <= SMALLEST && got * want >= 0) return 0;
  const unit = c.ulp !== undefined ? 2 ** (Math.floor(Math.log2(Math.abs(want))) - 23) : c.relative !== undefined ? Math.abs(want) : Math.max(1, Math.abs(want));
  const error = got === want ? 0 : Math.abs(got - want) / unit;
  return Number.isNaN(error) ? Infinity : error;
}

describe.skipIf(missing !== undefined)('elementary functions of WGSL against float64', () => {
  const x = samples();
  let device: GpuDevice | undefined;
  beforeAll(async () => { device = await (await gpu.requestAdapter())?.requestDevice(); });
  afterAll(() => { device?.destroy(); });
  it.each(Object.entries(cases) as [WgslFunction, Case][])('%s', async (name, c) => {
    const y = await evaluate(device as GpuDevice, name, x);
    let tested = 0;
    let worst = { error: 0, at: NaN, got: NaN };
    x.forEach((at, i) => {
      if (!(c.domain?.(at) ?? true)) return;
      tested++;
      const error = errorAt(c, y[i] as number, c.of(at));
      if (error > worst.error) worst = { error, at, got: y[i] as number };
    });
    expect(tested).toBeGreaterThan(1000);
    expect(worst.error, `at ${worst.at}: ${worst.got}`).toBeLessThanOrEqual(c.ulp ?? c.relative ?? c.absolute ?? 0);
  });
});
