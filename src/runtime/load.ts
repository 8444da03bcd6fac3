/** From a compiled module and weights to memory that runs: weights in float64, the load-time kernels once, their results kept. */
import { move } from './copies.js';
import { erfc } from './erfc.js';
import { describe, failure, kindOf, nearest, reason, shapeText } from './errors.js';
import { readFrom, type UrlLike } from './files.js';
import { invert } from './inverse.js';
import { constantsRange, ensure, loadLayout, type WasmMemory } from './layout.js';
import type { BufferId, Launch, Manifest, WeightSpec } from './manifest.js';
import { readSafetensors, type SafetensorsFile, type WritableTensor } from './safetensors.js';
import { sizeOf } from './tensors.js';

/** A stored parameter by name: a safetensors file's bytes or address, or tensors at hand. */
export type Weights = string | UrlLike | Uint8Array | ArrayBuffer | SafetensorsFile | Readonly<Record<string, { readonly data: Float32Array | Float64Array; readonly shape: readonly number[] }>>;
/** A WebAssembly.Module. */
export type WasmModule = object;
type Exports = Readonly<Record<string, (...args: number[]) => void>>;

/** What kernels import: most of it is Math's, under the same names. */
const host = { __proto__: Math, exp2: (x: number): number => 2 ** x, erfc };
const refused = (error: unknown): Error => failure(5202, { why: reason(error) }, error);
/** @throws LoadError SSM5202 where the engine refuses the module. */
export function instantiate(module: WasmModule, memory: WasmMemory): Exports {
  try {
    return new WebAssembly.Instance(module as WebAssembly.Module, { env: { __proto__: host, memory } } as never).exports as unknown as Exports;
  } catch (error) {
    throw refused(error);
  }
}
export const compileModule = (bytes: Uint8Array): Promise<WasmModule> => WebAssembly.compile(bytes as Uint8Array<ArrayBuffer>).catch((error: unknown) => {
  throw refused(error);
});

/** What weights are read from: elements and shape by name, or why they can't be used. */
export interface OpenWeights {
  readonly names: readonly string[];
  readonly get: (name: string) => { readonly data: Float64Array; readonly shape: readonly number[] } | string;
}
/** @throws WeightsError SSM5001 to SSM5003. */
export async function openWeights(weights: Weights): Promise<OpenWeights> {
  const given = Object(weights) as Partial<UrlLike & SafetensorsFile>;
  const bytes = typeof weights === 'string' || typeof given.href === 'string' ? await readFrom(weights as string | UrlLike, 5001)
    : ArrayBuffer.isView(weights) ? (weights as Uint8Array)
      : /ArrayBuffer$/.test(kindOf(weights)) ? new Uint8Array(weights as ArrayBuffer) : undefined;
  if (!bytes && weights !== given) throw failure(5001, { from: describe(weights), why: 'expected a path, a URL, bytes, a safetensors file or tensors by name' });
  return bytes ? fromFile(readSafetensors(bytes)) : typeof given.tensor === 'function' ? fromFile(given as SafetensorsFile) : fromRecord(given as Readonly<Record<string, Partial<WritableTensor>>>);
}
function fromRecord(record: Readonly<Record<string, Partial<WritableTensor>>>): OpenWeights {
  return {
    names: Object.keys(record),
    get(name) {
      const { data, shape } = Object(record[name]) as Partial<WritableTensor>;
      if (!data || !/^Float(32|64)Array$/.test(kindOf(data))) return `expected a Float32Array or Float64Array as data, got ${describe(data)}`;
      if (!Array.isArray(shape) || sizeOf(shape as readonly number[]) !== data.length) return `expected a shape of ${data.length} elements, got ${shapeText(shape)}`;
      return { data: new Float64Array(data), shape: shape as readonly number[] };
    },
  };
}
function fromFile(file: SafetensorsFile): OpenWeights {
  return {
    names: file.names,
    get(name) {
      const t = file.tensor(name);
      return /^B?F\d+$/.test(t.dtype) ? { data: t.toFloat64(), shape: t.shape } : `expected dtype F32, F16, BF16 or F64, got ${t.dtype}`;
    },
  };
}

/** All that doesn't fit, in one error. @throws WeightsError SSM5004, SSM5005. */
function readWeights(specs: readonly WeightSpec[], source: OpenWeights): Float64Array[] {
  const problems: string[] = [];
  const asked = specs.map((s) => s.name);
  const data = specs.map(({ name, shape }) => {
    const found = source.names.includes(name) ? source.get(name) : undefined;
    if (!found) problems.push(`lacks \`${name}\` ${shapeText(shape)}${nearest(name, source.names.filter((n) => !asked.includes(n)))}`);
    else if (typeof found === 'string') problems.push(`\`${name}\`: ${found}`);
    else if (proper(shape) !== proper(found.shape)) problems.push(`\`${name}\`: expected shape ${shapeText(shape)}, got ${shapeText(found.shape)}`);
    else return found.data;
    return new Float64Array();
  });
  const more = problems.length - 10;
  if (problems.length > 0) throw failure(5004, { problems: problems.slice(0, 10).join('; ') + (more > 0 ? `; and ${more} more` : '') });
  specs.forEach(({ name, low = -Infinity, high = Infinity }, k) => {
    const values = data[k] as Float64Array;
    const index = values.findIndex((v) => v < low || v > high);
    if (index >= 0) throw failure(5005, { name, low, high, value: values[index] as number, index });
  });
  return data;
}
/** A shape without axes of size 1. */
const proper = (shape: readonly number[]): string => String(shape.filter((n) => n !== 1));

/** The bytes of the constants, as runs need them. */
export function computeConstants(manifest: Manifest, module: WasmModule, source: OpenWeights): Uint8Array {
  const values = readWeights(manifest.weights, source);
  const { addresses, bytes } = loadLayout(manifest);
  const memory = new WebAssembly.Memory({ initial: 1 });
  ensure(memory, bytes);
  const exports = instantiate(module, memory);
  const doubles = (buffer: BufferId): Float64Array => new Float64Array(memory.buffer, addresses[buffer]);
  manifest.weights.forEach(({ place }, k) => move(false, doubles(place.buffer), 0, 0, place, values[k] as Float64Array, 0, 1));
  for (const l of manifest.load) {
    if (l.kind === 'inverse') invert(doubles(l.from), doubles(l.to), l.count, l.size, l.name);
    else if (l.kind === 'pack') pack(l, doubles(l.from), new Float32Array(memory.buffer, addresses[l.to]));
    else if (l.kind === 'kernel') callKernel(l, exports, addresses, {});
  }
  const { from, to } = constantsRange(manifest);
  return new Uint8Array(memory.buffer.slice(from, to));
}

function pack({ offset, dimensions }: Extract<Launch, { kind: 'pack' }>, from: Float64Array, to: Float32Array): void {
  const rest = (k: number, at: number, into: number): void => {
    const d = dimensions[k];
    if (!d) to[into] = from[at] as number;
    else for (let i = 0; i < d[0]; i++) rest(k + 1, at + i * d[1], into + Math.floor(i / d[3]) * d[2] + (i % d[3]));
  };
  rest(0, offset, 0);
}

/** WebAssembly takes a scalar that isn't given as 0, and true as 1. */
export function callKernel(l: Extract<Launch, { kind: 'kernel' }>, exports: Exports, addresses: readonly number[], scalars: Readonly<Record<string, number>>): void {
  const f = exports[l.entry];
  if (!f) throw failure(5203, { why: `the module has no kernel ${l.entry}` });
  f(...l.arguments.map((a) => ('buffer' in a ? (addresses[a.buffer] as number) : (scalars[a.scalar] as number))));
}
export type { Exports };
