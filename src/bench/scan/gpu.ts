/** The coupled scan on a GPU, beside our own compiler's scans of each modality alone: the same for every kind of GPU. */
import type { CompiledModule } from '../../compile.js';
import { deviceSources } from '../../cli/gpu.js';
import { loadModel, type LoadOptions, type Model, type TensorInput, type TensorTree } from '../../runtime/index.js';
import type { Contestant } from '../contest.js';
import { unavailable } from '../cuda.js';
import { selectiveTensors, selectiveWeights } from './ours.js';
import { normwiseError, type ScanProblem } from './problem.js';

export interface OnGpu {
  /** Names of the contestants. */
  readonly ours: string;
  readonly separate: string;
  readonly load: (problem: ScanProblem) => Promise<Model>;
}
export async function loadScan(problem: ScanProblem, module: CompiledModule, device: 'webgpu' | 'cuda', options: LoadOptions = {}): Promise<Model> {
  try {
    return await loadModel(module.manifest, { wasm: module.wasm, devices: deviceSources(module) }, { weights: selectiveWeights(problem), device, ...options });
  } catch (error) {
    throw unavailable(error);
  }
}
function treeOf(problem: ScanProblem): TensorTree<TensorInput> {
  const tree: Record<string, Record<string, Float32Array>> = {};
  for (const [name, data] of Object.entries(selectiveTensors(problem))) {
    const [input, label] = name.split('.') as [string, string];
    (tree[input] ??= {})[label] = data;
  }
  return tree as TensorTree<TensorInput>;
}
const answer = async (model: Model, inputs: TensorTree<TensorInput>): Promise<Float32Array> => ((await model.run(inputs)) as unknown as { y: { data: Float32Array } }).y.data;

export function ourGpuScan(problem: ScanProblem, on: OnGpu): Contestant {
  return {
    name: on.ours,
    prepare: async () => {
      const model = await on.load(problem);
      const inputs = treeOf(problem);
      return { run: async () => void (await model.run(inputs)), error: async () => normwiseError(await answer(model, inputs), problem.y64), close: () => model.dispose() };
    },
  };
}
/** One modality of a problem. */
function alone(problem: ScanProblem, m: number): ScanProblem {
  const { shape } = problem;
  const part = (data: Float32Array, size: number): Float32Array => {
    const out = new Float32Array(shape.steps * size);
    for (let t = 0; t < shape.steps; t++) out.set(data.subarray((t * shape.modalities + m) * size, (t * shape.modalities + m + 1) * size), t * size);
    return out;
  };
  const { channels, states } = shape;
  return {
    shape: { ...shape, modalities: 1 }, dt: part(problem.dt, channels), u: part(problem.u, channels), B: part(problem.B, states), C: part(problem.C, states),
    aLog: problem.aLog.slice(m * channels * states, (m + 1) * channels * states),
    y64: Float64Array.from({ length: shape.steps * channels }, (_, k) => problem.uncoupled64[(Math.floor(k / channels) * shape.modalities + m) * channels + (k % channels)] as number), uncoupled64: new Float64Array(),
  };
}
export function separateScans(problem: ScanProblem, on: OnGpu): Contestant {
  return {
    name: on.separate,
    prepare: async () => {
      const parts = await Promise.all(Array.from({ length: problem.shape.modalities }, async (_, m) => {
        const own = alone(problem, m);
        return { own, model: await on.load(own), inputs: treeOf(own) };
      }));
      return {
        run: async () => { for (const p of parts) await p.model.run(p.inputs); },
        error: async () => Math.max(...(await Promise.all(parts.map(async (p) => normwiseError(await answer(p.model, p.inputs), p.own.y64))))),
        close: () => { for (const p of parts) p.model.dispose(); },
      };
    },
  };
}
