/**
 * Every elementary function of the WGSL target alone, over the whole range of float32, against float64. The bounds are those of
 * test/wasm/math.test.ts (softplus: relative); results below the normal range may be flushed to 0. The
 * worst seen on SwiftShader are 2.5 ulp (tanh), 2.3 (sigmoid, log1p), 1.5 (rsqrt). Where division is off by the 2.5 ulp that WGSL allows,
 * sigmoid, tanh, silu and rsqrt have as much more.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GpuDevice } from '../../src/runtime/webgpu/gpu.js';
import { MAP_READ, usage } from '../../src/runtime/webgpu/gpu.js';
import { functionTexts, type WgslFunction } from '../../targets/wgsl/functions.js';
import { cases, samples, worstOf, type Case } from '../functions/cases.js';
import { gpu, missing } from './device.js';

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
describe.skipIf(missing !== undefined)('elementary functions of WGSL against float64', () => {
  const x = samples();
  let device: GpuDevice | undefined;
  beforeAll(async () => { device = await (await gpu.requestAdapter())?.requestDevice(); });
  afterAll(() => { device?.destroy(); });
  it.each(Object.entries(cases) as [WgslFunction, Case][])('%s', async (name, c) => {
    const y = await evaluate(device as GpuDevice, name, x);
    const { tested, error, at, got, bound } = worstOf(c, x, y);
    expect(tested).toBeGreaterThan(1000);
    expect(error, `at ${at}: ${got}`).toBeLessThanOrEqual(bound);
  });
});
