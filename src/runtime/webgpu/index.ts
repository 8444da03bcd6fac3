/** WebGPU: loaded by a generated module when it is tried. */
import { reason, SsmcError } from '../errors.js';
import { gpuFailure } from '../gpu/errors.js';
import { openPlan, readText, type GpuPlanSource, type Source } from '../gpu/plan.js';
import { runOn } from '../gpu/runner.js';
import type { DeviceSource, LoadOptions } from '../model.js';
import { connect, type Connection, type DeviceWish } from './connection.js';
import type { Gpu, GpuDevice } from './gpu.js';
import { WebgpuMachine, type Kernels } from './machine.js';

export type { Gpu, GpuAdapter, GpuDevice } from './gpu.js';

/** What the compiler wrote for WebGPU: itself, or where it is. */
export interface WebgpuSource {
  readonly plan: Source<GpuPlanSource>;
  readonly wgsl: Source<{ readonly text: string }>;
}

/** The device of a generated module. */
export function webgpu(source: WebgpuSource): DeviceSource {
  return {
    name: 'webgpu',
    load: async (weights, options, reference) => {
      const wish = wishOf(options);
      // Most machines that can't use it have no adapter: that is known before anything is fetched.
      const connection = await connect(wish);
      try {
        const of = await openPlan(source.plan, weights);
        const kernels = { ...of, wgsl: await readText(source.wgsl) };
        const open = async (): Promise<WebgpuMachine> => machine(await connect(wish), kernels);
        // A lost device of the user's can't be made anew by us.
        const once = wish.device ? { once: 'the device that was handed in is lost' } : {};
        return await runOn({ of, open, ...once }, await machine(connection, kernels), reference);
      } catch (error) {
        connection.dispose();
        if (error instanceof SsmcError && (error.code.startsWith('SSM50') || error.code === 'SSM5505')) throw error;
        throw gpuFailure(5207, { device: 'webgpu', why: reason(error) }, error);
      }
    },
  };
}
function wishOf(options: LoadOptions): DeviceWish {
  const given = typeof options.device === 'object' ? (options.device as GpuDevice) : undefined;
  const gpu = (options.gpu ?? (globalThis as { navigator?: { gpu?: unknown } }).navigator?.gpu) as Gpu | undefined;
  return { device: given, gpu };
}
async function machine(connection: Connection, kernels: Kernels): Promise<WebgpuMachine> {
  try {
    return await WebgpuMachine.open(connection, kernels);
  } catch (error) {
    connection.dispose();
    throw error;
  }
}
