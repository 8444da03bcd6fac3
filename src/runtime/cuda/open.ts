/** What the compiler wrote for CUDA, opened: the model, and what makes a machine with its kernels. */
import { reason } from '../errors.js';
import { readFrom, type UrlLike } from '../files.js';
import { gpuFailure } from '../gpu/errors.js';
import { openPlan, readText, type GpuPlanSource } from '../gpu/plan.js';
import type { GpuModel } from '../gpu/session.js';
import type { OpenWeights } from '../load.js';
import type { LoadOptions } from '../model.js';
import { cudaFailure } from './errors.js';
import { fitting, type Image } from './images.js';
import { CudaMachine, type Kernels } from './machine.js';
import { nativeAddon, nodeProcess, type Native, type Opened } from './native.js';

/** What the compiler wrote for CUDA: itself, or the name of its plan's file beside the module; what that names lies beside it. */
export type CudaSource = CudaPlan | { readonly plan: string; readonly base: string };
export interface CudaPlan extends GpuPlanSource {
  readonly source: { readonly text: string };
  /** What NVRTC is told. */
  readonly options: readonly string[];
  readonly images: readonly Image<Uint8Array>[];
  /** A compiler that is preferred to NVRTC, where it is to be had: machine code for one architecture. */
  readonly compile?: (arch: string) => Promise<Uint8Array | undefined>;
}
interface PlanFile extends GpuPlanSource {
  readonly source: string;
  readonly options: readonly string[];
  readonly images: readonly Image<string>[];
}

export interface CudaOpening {
  readonly of: GpuModel;
  readonly open: () => Promise<CudaMachine>;
  /** Where nothing was opened, or it failed: what was connected to is let go. */
  readonly abandon: () => Promise<void>;
}
/** @throws DeviceError SSM5501 to SSM5503, SSM5510 to SSM5514; LoadError SSM52xx. */
export async function openCuda(source: CudaSource, weights: OpenWeights, options: LoadOptions): Promise<CudaOpening> {
  const native = nativeAddon();
  const { driver, device, nvrtc } = wishOf(options);
  const connect = (): Promise<Opened> => native.open(driver, device);
  // Most machines that can't use it have no driver: that is known before anything is read.
  const first = await connect().catch((error: unknown) => { throw cudaFailure(error, 'the model', 0); });
  try {
    const { plan, code } = await openSource(source);
    const of = await openPlan(plan, weights);
    const kernels: Kernels = { ...of, image: (capability) => code(native, nvrtc, capability) };
    let unused: Opened | undefined = first;
    const open = (): Promise<CudaMachine> => CudaMachine.open(async () => {
      const opened = unused ?? (await connect());
      unused = undefined;
      return opened;
    }, kernels);
    return { of, open, abandon: () => first.session.dispose() };
  } catch (error) {
    await first.session.dispose();
    throw error;
  }
}
/** Where the driver and NVRTC lie, and which device of those that there are. */
function wishOf({ cuda: given = {} }: LoadOptions): { readonly driver: string; readonly device: number; readonly nvrtc: readonly string[] } {
  const { SSMC_CUDA_DRIVER, SSMC_NVRTC } = nodeProcess()?.env ?? {};
  const nvrtc = given.nvrtc ?? SSMC_NVRTC;
  return {
    driver: given.driver ?? SSMC_CUDA_DRIVER ?? 'libcuda.so.1',
    device: given.device ?? 0,
    nvrtc: nvrtc === undefined ? ['libnvrtc.so.13', 'libnvrtc.so.12', 'libnvrtc.so.11.2', 'libnvrtc.so'] : [nvrtc],
  };
}

type Code = (native: Native, nvrtc: readonly string[], capability: number) => Promise<Uint8Array>;
async function openSource(from: CudaSource): Promise<{ readonly plan: GpuPlanSource; readonly code: Code }> {
  if (!('base' in from)) return { plan: from, code: codeOf(from.images, async (code) => code, from.options, async () => from.source.text, from.compile) };
  const at = (name: string): UrlLike => new URL(name, from.base);
  const plan = JSON.parse(await readText(at(from.plan))) as PlanFile;
  return { plan, code: codeOf(plan.images, (name) => readFrom(at(name), 5201), plan.options, () => readText(at(plan.source))) };
}
/** What was compiled for the device, or what is compiled for it now. */
function codeOf<From>(images: readonly Image<From>[], read: (from: From) => Promise<Uint8Array>, options: readonly string[], source: () => Promise<string>, compile?: CudaPlan['compile']): Code {
  return async (native, nvrtc, capability) => {
    const found = fitting(images, capability);
    if (found) return read(found.code);
    return (await compile?.(`sm_${capability}`)) ?? native.compile(nvrtc, await source(), options, capability).catch((error: unknown) => {
      const made = images.map((i) => i.arch).join(', ');
      throw gpuFailure(5514, { why: `${made === '' ? 'none were compiled' : `they were compiled for ${made}`}, the device is sm_${capability}; ${reason(error)}` }, error);
    });
  };
}
