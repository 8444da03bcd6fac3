/** Small models on Dawn, for tests of the runtime. */
import type { CompiledModule } from '../../src/compile.js';
import { initialise } from '../../src/interpreter/initialise.js';
import type { Stored } from '../../src/ir/kernel.js';
import type { Program } from '../../src/ir/program.js';
import type { Strategy } from '../../src/ir/stages.js';
import { loadModel, type LoadOptions, type Model, type TensorTree } from '../../src/runtime/index.js';
import { webgpu } from '../../src/runtime/webgpu/index.js';
import type { Doubles } from '../../src/cli/tensors.js';
import { compileText } from '../random/agree.js';

/** A convolution, for the past; a state; an output with time and one without. */
export const small = `model Small {
  axis c = 3
  axis k = 3
  input x[t, c]
  param a[c] = uniform(0.1, 0.9)
  param w[c, k] = uniform(-0.5, 0.5)
  u[t, c] = sum(k: w[c, k] * x[t - 2 + k, c])
  state h[t, c] = a[c] * h[t-1, c] + u[t, c]
  output y[t, c] = tanh(h[t, c])
  output z[c] = max(t: h[t, c])
}`;

export interface OnGpu {
  readonly program: Program;
  readonly module: CompiledModule;
  readonly weights: ReadonlyMap<string, Doubles>;
  /** Each call loads it anew. */
  readonly load: (options: LoadOptions, change?: Change) => Promise<Model>;
}
export interface Change {
  /** The WGSL to load instead. */
  readonly wgsl?: (text: string) => string;
  /** Also the variants for devices with more features, changed so. */
  readonly variants?: (text: string) => string;
  /** False: the module's wasm is not to be had. */
  readonly wasm?: boolean;
}
export function onGpu(text: string, strategy: 'auto' | Strategy = 'auto', storage: Stored = 'f32'): OnGpu {
  const { module, program, diagnostics } = compileText(text, strategy, { webgpu: true, storage });
  if (!module?.webgpu || !program) throw new Error(diagnostics.map((d) => `${d.code} ${d.text}`).join('\n'));
  const { manifest, wasm, webgpu: made } = module;
  const weights = new Map([...initialise(program, 1)].map(([n, t]) => [n, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
  const load = (options: LoadOptions, change: Change = {}): Promise<Model> => {
    const device = webgpu({ plan: made, wgsl: { text: (change.wgsl ?? ((t) => t))(made.wgsl) }, variants: change.variants ? made.variants.map((v) => ({ features: v.features, wgsl: { text: change.variants?.(v.wgsl) ?? '' } })) : [] });
    return loadModel(manifest, { wasm: change.wasm === false ? '/no/such.wasm' : wasm, devices: [device] }, { weights: Object.fromEntries(weights), ...options });
  };
  return { program, module, weights, load };
}
/** The outputs' bits, by name: what must be the same is the same in every bit. */
export function bits(tree: TensorTree): Record<string, string> {
  return Object.fromEntries(Object.entries(tree).map(([name, t]) => [name, Buffer.from(new Uint8Array((t.data as Float32Array).slice().buffer)).toString('hex')]));
}
/** What `work` throws. */
export async function thrown(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return undefined;
}
