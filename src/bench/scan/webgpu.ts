/**
 * The coupled scan on WebGPU, and a kernel written as llama.cpp writes its ssm_scan: a workgroup per channel, an invocation per state, a
 * barrier and a reduction each step. One adapter, one run.
 */
import { nodeGpu } from '../../cli/gpu.js';
import type { Gpu } from '../../runtime/webgpu/index.js';
import { usage, type GpuBuffer, type GpuDevice } from '../../runtime/webgpu/gpu.js';
import { Unavailable, type Contestant } from '../contest.js';
import { compileSpec } from '../ours.js';
import { loadScan, type OnGpu } from './gpu.js';
import { selectiveSpec } from './ours.js';
import { normwiseError, type ScanProblem } from './problem.js';

export const perStateName = 'WGSL as llama.cpp\'s ssm_scan (uncoupled)';

async function adapterSource(): Promise<Gpu> {
  const gpu = (await nodeGpu()) as Gpu | undefined;
  if (!gpu) throw new Unavailable('the package webgpu is not installed');
  if (!(await gpu.requestAdapter())) throw new Unavailable('no WebGPU adapter: no Vulkan driver');
  return gpu;
}
export const onWebgpu: OnGpu = {
  ours: 'ssmc, WebGPU, run() with copies', separate: 'ssmc, WebGPU, each modality alone (uncoupled)',
  load: async (problem) => {
    const gpu = await adapterSource();
    const { module } = compileSpec(selectiveSpec(problem.shape), { webgpu: true });
    return loadScan(problem, module, 'webgpu', { gpu });
  },
};

/** dt, u, y: [steps, modalities, channels]; B, C: [steps, modalities, states]; A: [modalities, channels, states]. */
function perStateKernel({ steps, channels, states, modalities }: ScanProblem['shape']): string {
  return `
@group(0) @binding(0) var<storage, read> dt: array<f32>;
@group(0) @binding(1) var<storage, read> u: array<f32>;
@group(0) @binding(2) var<storage, read> B: array<f32>;
@group(0) @binding(3) var<storage, read> C: array<f32>;
@group(0) @binding(4) var<storage, read> A: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
var<workgroup> part: array<f32, ${states}>;
@compute @workgroup_size(${states})
fn scan(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) n: u32) {
  let d = group.x;
  let m = group.y;
  let a = A[(m * ${channels}u + d) * ${states}u + n];
  var h = 0.0;
  for (var t = 0u; t < ${steps}u; t++) {
    let at = (t * ${modalities}u + m) * ${channels}u + d;
    let small = (t * ${modalities}u + m) * ${states}u + n;
    h = exp(dt[at] * a) * h + dt[at] * u[at] * B[small];
    part[n] = h * C[small];
    workgroupBarrier();
    for (var k = ${states / 2}u; k > 0u; k = k / 2u) {
      if (n < k) { part[n] += part[n + k]; }
      workgroupBarrier();
    }
    if (n == 0u) { y[at] = part[0]; }
    workgroupBarrier();
  }
}`;
}
export function perStateScan(problem: ScanProblem): Contestant {
  return {
    name: perStateName,
    prepare: async () => {
      const gpu = await adapterSource();
      const adapter = await gpu.requestAdapter();
      if (!adapter) throw new Unavailable('no WebGPU adapter');
      const device: GpuDevice = await adapter.requestDevice();
      const buffer = (data: Float32Array): GpuBuffer => {
        const made = device.createBuffer({ size: data.byteLength, usage: usage.storage | usage.copyTarget | usage.copySource });
        device.queue.writeBuffer(made, 0, new Float32Array(data));
        return made;
      };
      const y = buffer(new Float32Array(problem.y64.length));
      const inputs = [problem.dt, problem.u, problem.B, problem.C, problem.aLog.map((a) => -Math.exp(a))].map(buffer);
      const read = device.createBuffer({ size: y.size, usage: usage.mapRead | usage.copyTarget });
      const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module: device.createShaderModule({ code: perStateKernel(problem.shape) }), entryPoint: 'scan' } });
      const bindings = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [...inputs, y].map((b, binding) => ({ binding, resource: { buffer: b } })) });
      const run = async (): Promise<void> => {
        const encoder = device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, bindings);
        pass.dispatchWorkgroups(problem.shape.channels, problem.shape.modalities);
        pass.end();
        encoder.copyBufferToBuffer(y, 0, read, 0, y.size);
        device.queue.submit([encoder.finish()]);
        await device.queue.onSubmittedWorkDone();
      };
      return {
        run,
        error: async () => {
          await run();
          await read.mapAsync(1);
          const got = new Float32Array(read.getMappedRange()).slice();
          read.unmap();
          return normwiseError(got, problem.uncoupled64);
        },
        close: () => device.destroy(),
      };
    },
  };
}
