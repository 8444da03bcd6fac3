/** Small models on the test driver, for tests of the runtime. */
import { compileText } from '../random/agree.js';
import type { CompiledModule } from '../../src/compile.js';
import { initialise } from '../../src/interpreter/initialise.js';
import type { Program } from '../../src/ir/program.js';
import { cuda } from '../../src/runtime/cuda/index.js';
import { loadModel, type LoadOptions, type Model } from '../../src/runtime/index.js';
import type { Doubles } from '../../src/cli/tensors.js';
import { options as compilerOptions } from '../../targets/cuda/index.js';
import { buildKernels, type BuiltKernels, type Tools } from './driver/tools.js';

/** A convolution, for the past; a state; a product; an output with time and one without. */
export const small = `model Small {
  axis c = 3
  axis k = 3
  axis i = c
  input x[t, c]
  param a[c] = uniform(0.1, 0.9)
  param w[c, k] = uniform(-0.5, 0.5)
  param p[c, i] = uniform(-0.5, 0.5)
  u[t, c] = sum(k: w[c, k] * x[t - 2 + k, c])
  state h[t, c] = a[c] * h[t-1, c] + u[t, c]
  output y[t, c] = sum(i: p[c, i] * tanh(h[t, i]))
  output z[c] = max(t: h[t, c])
}`;

export interface OnCuda {
  readonly program: Program;
  readonly module: CompiledModule;
  readonly kernels: BuiltKernels;
  readonly weights: ReadonlyMap<string, Doubles>;
  /** Each call loads it anew; `archs`: what it was compiled for. */
  readonly load: (options?: LoadOptions, archs?: readonly string[]) => Promise<Model>;
}
export async function onCuda(text: string, { driver, nvrtc }: Tools): Promise<OnCuda> {
  const { module, program, diagnostics } = compileText(text, 'auto', { cuda: true });
  if (!module?.cuda || !program) throw new Error(diagnostics.map((d) => `${d.code} ${d.text}`).join('\n'));
  const { manifest, wasm, cuda: made } = module;
  const kernels = await buildKernels(made.source);
  const weights = new Map([...initialise(program, 1)].map(([n, t]) => [n, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
  const load = (options: LoadOptions = {}, archs: readonly string[] = ['sm_80']): Promise<Model> => {
    const images = archs.map((arch) => ({ arch, ptx: kernels.image(`ptx:${arch}`), cubin: kernels.image(arch) }));
    const device = cuda({ manifest: made.manifest, load: made.load, source: { text: made.source }, options: compilerOptions, images });
    return loadModel(manifest, { wasm, devices: [device] }, { weights: Object.fromEntries(weights), device: 'cuda', ...options, cuda: { driver, nvrtc, ...options.cuda } });
  };
  return { program, module, kernels, weights, load };
}
