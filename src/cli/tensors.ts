/** Tensors of files and commands, in the forms that the interpreter and the runtime take. */
import { dirname, join } from 'node:path';
import { readSafetensors, type Model, type SafetensorsFile, type TensorInput, type TensorTree } from '../runtime/index.js';
import type { Program } from '../ir/program.js';
import type { Interval } from '../passes/interval.js';
import { failure } from '../runtime/errors.js';
import { joinShards, readIndex } from '../runtime/shards.js';
import type { Manifest, WeightSpec } from '../runtime/manifest.js';
import { InputFault, readBytes, type Io } from './io.js';

export interface Doubles {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}
/** A safetensors file, or the index of one in parts, which lie beside it. */
export const openTensors = (path: string, what: string, io: Io): SafetensorsFile => tensorsOf(readBytes(path, what, io), path, what, io);
/** Of bytes that are read already. */
export function tensorsOf(bytes: Uint8Array, path: string, what: string, io: Io): SafetensorsFile {
  if (!path.endsWith('.index.json')) return readSafetensors(bytes);
  const index = readIndex(new TextDecoder().decode(bytes));
  return joinShards(index, new Map([...new Set(index.values())].map((file) => [file, readSafetensors(readBytes(join(dirname(path), file), what, io))])));
}
/** A file's tensors that the model takes; unknown ones are left alone, missing ones named by whoever runs. */
export function inputDoubles(file: SafetensorsFile, program: Program): Map<string, Doubles> {
  const out = new Map<string, Doubles>();
  for (const port of program.inputs) for (const t of port.tensors) {
    const stored = stem(file, t.name);
    if (stored === undefined) throw new InputFault(`the input file lacks \`${t.name}\`; it has ${file.names.map((n) => `\`${n}\``).join(', ')}`);
    const found = file.tensor(stored);
    const extra = (program.definitions[port.def]?.time ? 2 : 1);
    if (found.shape.length !== t.shape.length + extra || t.shape.some((n, k) => found.shape[k + extra] !== n)) {
      throw new InputFault(`input \`${t.name}\`: expected shape [batch${extra === 2 ? ', time' : ''}${t.shape.map((n) => `, ${n}`).join('')}], got [${found.shape.join(', ')}]`);
    }
    if (found.shape.slice(0, extra).some((n) => n === 0)) throw new InputFault(`input \`${t.name}\`: length 0`);
    out.set(t.name, { shape: found.shape, data: found.toFloat64() });
  }
  return out;
}
/** Files may prefix inputs by `input.`. */
function stem(file: SafetensorsFile, name: string): string | undefined {
  return file.has(name) ? name : file.has(`input.${name}`) ? `input.${name}` : undefined;
}
/** In words. */
export const wantedKind = 'expected dtype F32, F16, BF16 or F64';
/** What of the file doesn't fit the model, in words; none if all does. */
export function weightProblems<W extends Pick<WeightSpec, 'name' | 'shape'>>(file: SafetensorsFile, { weights }: { readonly weights: readonly W[] }): {
  readonly missing: readonly W[]; readonly wrong: readonly (W & { readonly got: readonly number[] })[];
  /** Tensors that hold no floating-point numbers. */
  readonly kinds: readonly (W & { readonly dtype: string })[];
} {
  const squeeze = (s: readonly number[]): string => s.filter((n) => n !== 1).join('×');
  return {
    missing: weights.filter((w) => !file.has(w.name)),
    wrong: weights.flatMap((w) => {
      const got = file.has(w.name) ? file.tensor(w.name).shape : w.shape;
      return squeeze(got) === squeeze(w.shape) ? [] : [{ ...w, got }];
    }),
    kinds: weights.flatMap((w) => {
      const dtype = file.has(w.name) ? file.tensor(w.name).dtype : 'F32';
      return /^B?F\d+$/.test(dtype) ? [] : [{ ...w, dtype }];
    }),
  };
}
/** Where the elements of each tensor of the file lie, found when asked for. */
export function weightIntervals(file: SafetensorsFile): { readonly get: (name: string) => Interval | undefined } {
  return { get: (name) => (file.has(name) ? rangeOf(file.tensor(name).toFloat64()) : undefined) };
}
function rangeOf(values: Float64Array): Interval | undefined {
  let low = Infinity;
  let high = -Infinity;
  for (const v of values) {
    if (!Number.isFinite(v)) return undefined;
    low = Math.min(low, v);
    high = Math.max(high, v);
  }
  return low <= high ? { low, high } : undefined;
}
/** @throws WeightsError SSM5004, SSM5005: as `load` would. */
export function demandWeights(file: SafetensorsFile, manifest: Manifest): void {
  const { missing, wrong, kinds } = weightProblems(file, manifest);
  const problems = [...missing.map((w) => `lacks \`${w.name}\` [${w.shape.join(', ')}]`), ...wrong.map((w) => `\`${w.name}\`: expected shape [${w.shape.join(', ')}], got [${w.got.join(', ')}]`), ...kinds.map((w) => `\`${w.name}\`: ${wantedKind}, got ${w.dtype}`)];
  if (problems.length > 0) throw failure(5004, { problems });
  for (const { name, low = -Infinity, high = Infinity } of manifest.weights) {
    if (low === -Infinity && high === Infinity) continue;
    const values = file.tensor(name).toFloat64();
    const index = values.findIndex((v) => v < low || v > high);
    if (index >= 0) throw failure(5005, { name, low, high, value: values[index] as number, index });
  }
}
export function weightDoubles(file: SafetensorsFile, manifest: Manifest): Map<string, Doubles> {
  return new Map(manifest.weights.filter((w) => file.has(w.name)).map((w) => [w.name, { shape: w.shape, data: file.tensor(w.name).toFloat64() }]));
}
export async function runModel(model: Model, inputs: ReadonlyMap<string, Doubles>, lengths: readonly number[] | undefined): Promise<Map<string, { shape: readonly number[]; data: Float32Array }>> {
  const tree: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const spec of model.manifest.inputs) {
    const given = inputs.get(spec.name);
    if (!given) continue;
    let at = tree;
    for (const part of spec.path.slice(0, -1)) at = (at[part] ??= Object.create(null)) as Record<string, unknown>;
    at[spec.path.at(-1) ?? spec.name] = { shape: given.shape, data: Float32Array.from(given.data) };
  }
  const out = await model.run(tree as TensorTree<TensorInput>, lengths ? { lengths } : {});
  return new Map(model.manifest.outputs.map((o) => [o.name, o.path.reduce<unknown>((x, p) => (x as Record<string, unknown>)[p], out) as { shape: readonly number[]; data: Float32Array }]));
}
/** max|y − y64| / max|y64|. */
export function normwise(y: ArrayLike<number>, reference: ArrayLike<number>): number {
  let error = 0;
  let size = 0;
  for (let i = 0; i < reference.length; i++) {
    const d = Math.abs((y[i] as number) - (reference[i] as number));
    error = Number.isNaN(d) ? Infinity : Math.max(error, d);
    size = Math.max(size, Math.abs(reference[i] as number));
  }
  return size === 0 ? error : error / size;
}
