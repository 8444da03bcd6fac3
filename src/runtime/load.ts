/** From a compiled module and weights to memory that runs: weights in float64, the load-time kernels once, their results kept. */
import { erfc } from './erfc.js';
import { describe, failure, kindOf, nearest, reason, shapeText } from './errors.js';
import { fetchBytes, type UrlLike } from './files.js';
import { invert } from './inverse.js';
import { constantsRange, ensure, loadLayout, type WasmMemory } from './layout.js';
import type { Launch, Manifest, WeightSpec } from './manifest.js';
import { readSafetensors, type SafetensorsFile, type WritableTensor } from './safetensors.js';
import { sizeOf } from './tensors.js';

/** A stored parameter by name: a safetensors file's bytes or address, or tensors at hand. */
export type Weights = string | UrlLike | Uint8Array | ArrayBuffer | SafetensorsFile | Readonly<Record<string, { readonly data: Float32Array | Float64Array; readonly shape: readonly number[] }>>;
/** A WebAssembly.Module. */
export type WasmModule = object;
type Exports = Readonly<Record<string, (...args: number[]) => void>>;

const host: Readonly<Record<string, (x: number) => number>> = {
  exp: Math.exp, expm1: Math.expm1, log: Math.log, log1p: Math.log1p, sin: Math.sin, cos: Math.cos, tanh: Math.tanh, exp2: (x) => 2 ** x, erfc,
};
/** @throws LoadError SSM5202 where the engine refuses the module. */
export function instantiate(module: WasmModule, memory: WasmMemory): Exports {
  try {
    return new WebAssembly.Instance(module as WebAssembly.Module, { env: { memory: memory as WebAssembly.Memory, ...host } }).exports as unknown as Exports;
  } catch (error) {
    throw failure('SSM5202', { why: reason(error) }, error);
  }
}
export async function compileModule(bytes: Uint8Array): Promise<WasmModule> {
  try {
    return await WebAssembly.compile(bytes as Uint8Array<ArrayBuffer>);
  } catch (error) {
    throw failure('SSM5202', { why: reason(error) }, error);
  }
}

/** What weights are read from: elements and shape by name, or why they can't be used. */
export interface OpenWeights {
  readonly names: readonly string[];
  readonly get: (name: string) => { readonly data: Float64Array; readonly shape: readonly number[] } | string;
}
/** @throws WeightsError SSM5001 to SSM5003. */
export async function openWeights(weights: Weights): Promise<OpenWeights> {
  const address = typeof weights === 'string' ? weights : (weights as Partial<UrlLike> | null)?.href;
  if (typeof address === 'string') {
    let bytes: Uint8Array;
    try {
      bytes = await fetchBytes(weights as string | UrlLike);
    } catch (error) {
      throw failure('SSM5001', { from: `\`${address}\``, why: reason(error) }, error);
    }
    return fromFile(readSafetensors(bytes));
  }
  if (ArrayBuffer.isView(weights)) return fromFile(readSafetensors(new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength)));
  if (/ArrayBuffer$/.test(kindOf(weights))) return fromFile(readSafetensors(new Uint8Array(weights as ArrayBuffer)));
  if (typeof weights !== 'object' || weights === null) throw failure('SSM5001', { from: describe(weights), why: 'expected a path, a URL, bytes, a safetensors file or tensors by name' });
  return typeof (weights as SafetensorsFile).tensor === 'function' ? fromFile(weights as SafetensorsFile) : fromRecord(weights as Readonly<Record<string, Partial<WritableTensor>>>);
}
function fromRecord(record: Readonly<Record<string, Partial<WritableTensor>>>): OpenWeights {
  return {
    names: Object.keys(record),
    get(name) {
      const { data, shape } = record[name] ?? {};
      if (!data || !/^Float(32|64)Array$/.test(kindOf(data))) return `expected a Float32Array or Float64Array as data, got ${describe(data)}`;
      if (!Array.isArray(shape) || sizeOf(shape as readonly number[]) !== data.length) return `expected a shape of ${data.length} elements, got ${Array.isArray(shape) ? shapeText(shape as readonly number[]) : describe(shape)}`;
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
  const has = new Set(source.names);
  const asked = new Set(specs.map((s) => s.name));
  const data = specs.map((spec) => {
    const found = has.has(spec.name) ? source.get(spec.name) : undefined;
    if (found === undefined) problems.push(`lacks \`${spec.name}\` ${shapeText(spec.shape)}${nearest(spec.name, source.names.filter((n) => !asked.has(n)))}`);
    else if (typeof found === 'string') problems.push(`\`${spec.name}\`: ${found}`);
    else if (!sameShape(spec.shape, found.shape)) problems.push(`\`${spec.name}\`: expected shape ${shapeText(spec.shape)}, got ${shapeText(found.shape)}`);
    else return found.data;
    return new Float64Array();
  });
  if (problems.length > 0) throw failure('SSM5004', { problems: problems.slice(0, 10).join('; ') + (problems.length > 10 ? `; and ${problems.length - 10} more` : '') });
  specs.forEach((spec, k) => {
    const low = spec.low ?? -Infinity;
    const high = spec.high ?? Infinity;
    const values = data[k] as Float64Array;
    const index = values.findIndex((v) => v < low || v > high);
    if (index >= 0) throw failure('SSM5005', { name: spec.name, low, high, value: values[index] as number, index });
  });
  return data;
}
/** Equal, axes of size 1 aside. */
function sameShape(want: readonly number[], got: readonly number[]): boolean {
  const [a, b] = [want, got].map((shape) => String(shape.filter((n) => n !== 1)));
  return a === b;
}

/** The bytes of the constants, as runs need them. */
export function computeConstants(manifest: Manifest, module: WasmModule, source: OpenWeights): Uint8Array {
  const values = readWeights(manifest.weights, source);
  const layout = loadLayout(manifest);
  const memory = new WebAssembly.Memory({ initial: 1 });
  ensure(memory, layout.bytes);
  const exports = instantiate(module, memory);
  const doubles = new Float64Array(memory.buffer);
  manifest.weights.forEach((w, k) => {
    const { place } = w;
    const at = (layout.addresses[place.buffer] as number) / 8 + place.offset;
    for (let r = 0; r < place.runs; r++) doubles.set((values[k] as Float64Array).subarray(r * place.length, (r + 1) * place.length), at + r * place.stride);
  });
  for (const l of manifest.load) {
    if (l.kind === 'inverse') {
      const elements = l.count * l.size * l.size;
      const view = (id: number): Float64Array => new Float64Array(memory.buffer, layout.addresses[id] as number, elements);
      invert(view(l.from), view(l.to), l.count, l.size, l.name);
    } else if (l.kind === 'pack') {
      pack(l, new Float64Array(memory.buffer, layout.addresses[l.from]), new Float32Array(memory.buffer, layout.addresses[l.to]));
    } else callKernel(l, exports, layout.addresses, {});
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

export function callKernel(l: Launch, exports: Exports, addresses: readonly number[], scalars: Readonly<Record<string, number>>): void {
  if (l.kind !== 'kernel') return;
  const f = exports[l.entry];
  if (!f) throw failure('SSM5203', { why: `the module has no kernel ${l.entry}` });
  f(...l.arguments.map((a) => ('buffer' in a ? (addresses[a.buffer] as number) : (scalars[a.scalar] ?? 0))));
}
export type { Exports };
