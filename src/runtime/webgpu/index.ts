/** WebGPU: loaded by a generated module when it is tried. */
import { reason, SsmcError } from '../errors.js';
import { gpuFailure } from '../gpu/errors.js';
import { openPlan, readText, type GpuPlanSource, type Source } from '../gpu/plan.js';
import { runOn } from '../gpu/runner.js';
import { suitedTo } from '../gpu/suited.js';
import type { DeviceSource, LoadOptions } from '../model.js';
import { connect, type Connection, type DeviceWish } from './connection.js';
import type { Gpu, GpuDevice } from './gpu.js';
import { WebgpuMachine, type Kernels } from './machine.js';

export type { Gpu, GpuAdapter, GpuDevice } from './gpu.js';

/** What the compiler wrote for WebGPU: itself, or where it is. */
export interface WebgpuSource {
  readonly plan: Source<GpuPlanSource>;
  readonly wgsl: Source<{ readonly text: string }>;
  /** The same kernels for devices with more features, the best first: fetched only where they are taken. */
  readonly variants?: readonly Variant[];
}
interface Variant {
  readonly features: readonly string[];
  readonly wgsl: Source<{ readonly text: string }>;
}

/** The device of a generated module. */
export function webgpu(source: WebgpuSource): DeviceSource {
  return {
    name: 'webgpu',
    load: async (weights, options, reference) => {
      const wish = wishOf(options);
      // Most machines that can't use it have no adapter: that is known before anything is fetched.
      const variants: readonly Variant[] = [...(source.variants ?? []), { features: [], wgsl: source.wgsl }];
      const take = (plain: boolean): Promise<Connection> => connect(wish, plain ? [] : variants.map((v) => v.features));
      const connection = await take(false);
      try {
        if (connection.isFew && (options.device ?? 'auto') === 'auto') throw new Error(`the adapter (${connection.adapter}) is a CPU that plays a GPU, which WebAssembly outruns; \`device: "webgpu"\` takes it`);
        const kind = connection.isFew ? 'few' : 'many';
        const of = suitedTo(kind, await openPlan(source.plan, weights));
        const kernels = async (on: Connection): Promise<Kernels> => ({ ...of, wgsl: await readText((variants.find((v) => `${v.features}` === `${on.features}`) as Variant).wgsl) });
        const equipped = async (on: Connection): Promise<WebgpuMachine> => {
          try {
            return await machine(on, kernels(on));
          } catch (error) {
            // A driver that has a feature and can't compile for it.
            if (on.features.length === 0 || (error as Partial<SsmcError>).code !== 'SSM5503') throw error;
            const bare = await take(true);
            return machine(bare, kernels(bare));
          }
        };
        const open = async (plain = false): Promise<WebgpuMachine> => equipped(await take(plain));
        // A lost device of the user's can't be made anew by us.
        const once = wish.device ? { once: 'the device that was handed in is lost' } : {};
        return await runOn({ of, open, kind, ...once }, equipped(connection), reference);
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
  const own = (globalThis as { navigator?: { gpu?: unknown } }).navigator?.gpu;
  const gpu = (options.gpu ?? own) as Gpu | undefined;
  return { device: given, gpu, browser: own !== undefined && gpu === own };
}
async function machine(connection: Connection, kernels: Promise<Kernels>): Promise<WebgpuMachine> {
  try {
    return await WebgpuMachine.open(connection, await kernels);
  } catch (error) {
    connection.dispose();
    throw error;
  }
}
