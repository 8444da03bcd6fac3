/** The GPUs of commands. WebGPU in Node is a package of its own, which users install: https://www.npmjs.com/package/webgpu. */
import { options as cudaOptions } from '../../targets/cuda/index.js';
import { cuda, type CudaPlan } from '../runtime/cuda/index.js';
import { webgpu } from '../runtime/webgpu/index.js';
import type { DeviceSource } from '../runtime/model.js';
import type { CompiledModule, CudaModule } from '../compile.js';
import { loadModel, type LoadOptions, type Model } from '../runtime/index.js';
import { compileCubin, hasNvcc } from './nvcc.js';

/** What it makes must live as long as anything that comes from it. */
let instance: object | undefined;

/** Where adapters come from, or undefined where the package is not installed. */
export async function nodeGpu(): Promise<object | undefined> {
  if (instance) return instance;
  try {
    const name = 'webgpu';
    const dawn = (await import(name)) as { readonly create: (options: string[]) => object };
    instance = dawn.create([]);
  } catch {
    return undefined;
  }
  return instance;
}
/** Kernels that are compiled for the device when they are loaded: by nvcc, or without it by NVRTC. */
export function cudaPlan(made: CudaModule): CudaPlan {
  return {
    ...made, source: { text: made.source }, options: cudaOptions, images: [],
    compile: async (arch) => (hasNvcc() ? compileCubin(made.source, arch, cudaOptions) : undefined),
  };
}
/** The devices of a module that was just compiled. */
export function deviceSources(module: CompiledModule): readonly DeviceSource[] {
  const { cuda: onCuda, webgpu: made } = module;
  return [
    ...(onCuda ? [cuda(cudaPlan(onCuda))] : []),
    ...(made ? [webgpu({ plan: made, wgsl: { text: made.wgsl }, variants: made.variants.map(({ features, wgsl }) => ({ features, wgsl: { text: wgsl } })) })] : []),
  ];
}
/** Loads what was just compiled. */
export async function loadBuilt(module: CompiledModule, options: LoadOptions): Promise<Model> {
  const gpu = options.device === 'wasm' || options.device === 'cuda' ? undefined : await nodeGpu();
  const source = { wasm: module.wasm, ...(module.relaxed ? { relaxed: module.relaxed } : {}), devices: deviceSources(module) };
  return loadModel(module.manifest, source, { ...options, ...(gpu ? { gpu } : {}) });
}
