/** The scan as a spec whose inputs are dt, u, B and C, and the same with coefficients that have no t. */
import { loadModel, type TensorInput, type TensorTree } from '../../runtime/index.js';
import type { Weights } from '../../runtime/load.js';
import type { Contestant, Ready } from '../contest.js';
import { compileSpec, inMemory, type Tensors } from '../ours.js';
import { normwiseError, type ScanInputs, type ScanProblem, type ScanShape } from './problem.js';

const labels = ['first', 'second', 'third', 'fourth'] as const;
const members = (m: number): readonly string[] => labels.slice(0, m);

function head({ channels, states, modalities }: ScanShape): string {
  return `modalities m = ${members(modalities).join(', ')}\n  axis i = m\n  axis d = ${channels}\n  axis n = ${states}\n  param A_log[m, d, n] = log(n + 1)\n  A[m, d, n] = -exp(A_log[m, d, n])`;
}

export function selectiveSpec(shape: ScanShape): string {
  return `model Scan {
  ${head(shape)}
  input dt[t, m, d]
  fact dt > 0
  input u[t, m, d]
  input B[t, m, n]
  input C[t, m, n]
  state h[t, m, d, n] = exp(dt[t, m, d] * A[m, d, n]) * mean(i: h[t-1, i, d, n]) + dt[t, m, d] * B[t, m, n] * u[t, m, d]
  output y[t, m, d] = sum(n: C[t, m, n] * h[t, m, d, n])
}
`;
}

/** dt, B and C are parameters: what S4D's layer is, its chains coupled. */
export function invariantSpec(shape: ScanShape): string {
  return `model Invariant {
  ${head(shape)}
  param dt[m, d] = loguniform(0.001, 0.1)
  param B[m, d, n] = uniform(-1, 1)
  param C[m, d, n] = uniform(-1, 1)
  input u[t, m, d]
  state h[t, m, d, n] = exp(dt[m, d] * A[m, d, n]) * mean(i: h[t-1, i, d, n]) + dt[m, d] * B[m, d, n] * u[t, m, d]
  output y[t, m, d] = sum(n: C[m, d, n] * h[t, m, d, n])
}
`;
}

/** A tensor [steps, modalities, size] as one tensor for each member: how a model takes it. */
function byMember(name: string, data: Float32Array, { steps, modalities }: ScanShape): Tensors {
  const size = data.length / steps / modalities;
  return Object.fromEntries(members(modalities).map((label, m) => {
    const part = new Float32Array(steps * size);
    for (let t = 0; t < steps; t++) part.set(data.subarray((t * modalities + m) * size, (t * modalities + m + 1) * size), t * size);
    return [`${name}.${label}`, part];
  }));
}

/** A parameter [modalities, …] as the tensors of its members. */
function parameter(name: string, data: Float32Array, shape: readonly number[], { modalities }: ScanShape): [string, { data: Float32Array; shape: readonly number[] }][] {
  const size = data.length / modalities;
  return members(modalities).map((label, m) => [`${label}.${name}`, { data: data.subarray(m * size, (m + 1) * size), shape }]);
}

/** By the names of the manifest: where only one input has modalities, its tensors are named by the labels alone. */
function tensors(inputs: readonly (readonly [string, Float32Array])[], shape: ScanShape): Tensors {
  const all = Object.assign({}, ...inputs.map(([name, data]) => byMember(name, data, shape))) as Record<string, Float32Array>;
  return inputs.length > 1 ? all : Object.fromEntries(Object.entries(all).map(([name, data]) => [name.split('.')[1] as string, data]));
}
export function selectiveTensors({ shape, dt, u, B, C }: ScanInputs): Tensors {
  return tensors([['dt', dt], ['u', u], ['B', B], ['C', C]], shape);
}
export function selectiveWeights({ shape, aLog }: ScanInputs): Weights {
  return Object.fromEntries(parameter('A_log', aLog, [shape.channels, shape.states], shape));
}

/** The answer of a model is [steps, modalities, channels], as the problem's. */
export const ourName = 'ssmc, wasm simd128';
export const relaxedName = 'ssmc, wasm relaxed SIMD';
export const invariantName = 'ssmc, time-invariant';
export const wholeRunName = 'ssmc, whole run() with copies';

/** For the benchmark's process and for the child that has relaxed SIMD. */
export async function ourScanReady(inputs: ScanInputs, relaxed: boolean): Promise<{ run: () => void; result: () => Float32Array }> {
  return inMemory(compileSpec(selectiveSpec(inputs.shape), { relaxed }).module, selectiveWeights(inputs), selectiveTensors(inputs), inputs.shape.steps, relaxed);
}

export function ourScan(problem: ScanProblem, name = ourName): Contestant {
  return {
    name,
    prepare: async () => {
      const { run, result } = await ourScanReady(problem, false);
      return { run, error: () => normwiseError(result(), problem.y64) };
    },
  };
}

/** What a user of the module calls: checks, copies in, tiles of steps, copies out. */
export function ourWholeRun(problem: ScanProblem): Contestant {
  return {
    name: wholeRunName,
    prepare: async () => {
      const { manifest, wasm } = compileSpec(selectiveSpec(problem.shape)).module;
      const model = await loadModel(manifest, { wasm }, { weights: selectiveWeights(problem) });
      const tree: Record<string, Record<string, Float32Array>> = {};
      for (const [name, data] of Object.entries(selectiveTensors(problem))) {
        const [input, label] = name.split('.') as [string, string];
        (tree[input] ??= {})[label] = data;
      }
      const inputs = tree as TensorTree<TensorInput>;
      return {
        run: async () => void (await model.run(inputs)),
        error: async () => normwiseError(((await model.run(inputs)) as unknown as { y: { data: Float32Array } }).y.data, problem.y64),
        close: () => model.dispose(),
      };
    },
  };
}

/** The same shape without selection, on the same u; B and C of the first step stand for all of time. */
export function ourInvariantScan(problem: ScanInputs): Contestant {
  return {
    name: invariantName,
    prepare: async (): Promise<Ready> => {
      const { shape } = problem;
      const { channels, states, modalities, steps } = shape;
      const dt = problem.dt.slice(0, modalities * channels);
      const spread = (x: Float32Array): Float32Array => Float32Array.from({ length: modalities * channels * states }, (_, i) => {
        const [m, d, n] = [Math.floor(i / channels / states), Math.floor(i / states) % channels, i % states] as const;
        return x[(((d % steps) * modalities + m) * states) + n] as number;
      });
      const [B, C] = [spread(problem.B), spread(problem.C)];
      const weights: Weights = Object.fromEntries([
        ...parameter('A_log', problem.aLog, [channels, states], shape), ...parameter('dt', dt, [channels], shape),
        ...parameter('B', B, [channels, states], shape), ...parameter('C', C, [channels, states], shape),
      ]);
      const { run, result } = await inMemory(compileSpec(invariantSpec(shape)).module, weights, tensors([['u', problem.u]], shape), steps);
      return { run, error: () => normwiseError(result(), invariant64(problem, dt, B, C)) };
    },
  };
}

function invariant64({ shape, u, aLog }: ScanInputs, dt: Float32Array, B: Float32Array, C: Float32Array): Float64Array {
  const { channels, states, modalities, steps } = shape;
  const y = new Float64Array(steps * modalities * channels);
  const mean = new Float64Array(states);
  const next = new Float64Array(states);
  for (let d = 0; d < channels; d++) {
    mean.fill(0);
    const decay = Float64Array.from({ length: modalities * states }, (_, i) => {
      const m = Math.floor(i / states);
      return Math.exp(-(dt[m * channels + d] as number) * Math.exp(aLog[(m * channels + d) * states + (i % states)] as number));
    });
    for (let t = 0; t < steps; t++) {
      next.fill(0);
      for (let m = 0; m < modalities; m++) {
        const at = (t * modalities + m) * channels + d;
        const drive = (dt[m * channels + d] as number) * (u[at] as number);
        for (let n = 0; n < states; n++) {
          const place = (m * channels + d) * states + n;
          const h = (decay[m * states + n] as number) * (mean[n] as number) + drive * (B[place] as number);
          y[at] = (y[at] as number) + (C[place] as number) * h;
          next[n] = (next[n] as number) + h;
        }
      }
      for (let n = 0; n < states; n++) mean[n] = (next[n] as number) / modalities;
    }
  }
  return y;
}
