/** From what the compiler made to a model that runs here: weights, a device, inputs. */
import { fetchBytes, loadModel, readSafetensors, type Model, type Tensor, type TensorInput, type TensorTree } from '../../src/runtime/index.js';
import { webgpu } from '../../src/runtime/webgpu/index.js';
import type { Built, Numbers } from './protocol.js';
import { sensors, STEPS, widths, type Recording } from './recordings.js';

export type Weights = ReadonlyMap<string, Numbers>;
/** Trained weights, of the examples that have some. */
const trained: ReadonlyMap<string, string> = new Map([
  ['mex/mex.ssm', new URL('../mex/data/coupled.safetensors', import.meta.url).href],
  ['mex/mex-independent.ssm', new URL('../mex/data/independent.safetensors', import.meta.url).href],
]);

/** Trained ones where there are any and they fit; else initialised ones. `note` says which. */
export async function weightsFor(path: string, built: Built): Promise<{ readonly weights: Weights; readonly note: string }> {
  const url = trained.get(path);
  if (url === undefined) return { weights: built.initial, note: built.initial.size > 0 ? 'initialised weights' : '' };
  const file = readSafetensors(await fetchBytes(url));
  const misfit = built.manifest.weights.find((w) => !file.has(w.name) || size(file.tensor(w.name).shape) !== size(w.shape));
  if (misfit) return { weights: built.initial, note: `initialised weights: the trained ones no longer fit, by \`${misfit.name}\` [${misfit.shape.join(', ')}]` };
  return { weights: new Map(built.manifest.weights.map((w) => [w.name, { shape: w.shape, data: file.tensor(w.name).toFloat64() }])), note: 'trained weights' };
}
const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export function load(built: Built, weights: Weights, device: 'auto' | 'webgpu' | 'wasm'): Promise<Model> {
  const { manifest, wasm, webgpu: made } = built;
  const devices = made ? [webgpu({ plan: made.plan, wgsl: { text: made.wgsl }, variants: made.variants.map(({ features, wgsl }) => ({ features, wgsl: { text: wgsl } })) })] : [];
  return loadModel(manifest, { wasm, devices }, { weights: Object.fromEntries(weights), device });
}

/** It takes what the sensors of the recordings give. */
export const takesRecordings = ({ manifest }: Built): boolean => manifest.inputs.length === sensors.length
  && sensors.every((s) => manifest.inputs.some((i) => i.name === s && i.time && i.shape.length === 1 && i.shape[0] === widths[s]));
export function inputsFrom(recording: Recording): ReadonlyMap<string, Numbers> {
  return new Map(sensors.map((s) => [s, { shape: [1, STEPS, widths[s]], data: Float64Array.from(recording.signals[s]) }]));
}
/** Waves, slower from feature to feature; a pulse where there is one number a step. */
export function madeUp({ manifest }: Built): ReadonlyMap<string, Numbers> {
  return new Map(manifest.inputs.map((i) => {
    const inner = size(i.shape);
    const steps = i.time ? STEPS : 1;
    const value = (t: number, k: number): number => (inner === 1 ? (t === 4 ? 1 : 0) : Math.sin((0.4 * (t + 1)) / (1 + (k % 7)) + k));
    return [i.name, { shape: [1, ...(i.time ? [STEPS] : []), ...i.shape], data: Float64Array.from({ length: steps * inner }, (_, j) => Math.fround(value(Math.floor(j / inner), j % inner))) }] as const;
  }));
}

export interface Answer {
  readonly outputs: ReadonlyMap<string, Tensor>;
  readonly milliseconds: number;
}
export async function run(model: Model, inputs: ReadonlyMap<string, Numbers>): Promise<Answer> {
  const tree: Record<string, unknown> = {};
  for (const spec of model.manifest.inputs) {
    const given = inputs.get(spec.name);
    if (!given) continue;
    let at = tree;
    for (const part of spec.path.slice(0, -1)) at = (at[part] ??= {}) as Record<string, unknown>;
    at[spec.path.at(-1) ?? spec.name] = { shape: given.shape, data: Float32Array.from(given.data) };
  }
  const started = performance.now();
  const out = await model.run(tree as TensorTree<TensorInput>);
  const milliseconds = performance.now() - started;
  return { milliseconds, outputs: new Map(model.manifest.outputs.map((o) => [o.name, o.path.reduce<unknown>((tree, part) => (tree as Record<string, unknown>)[part], out) as Tensor])) };
}
