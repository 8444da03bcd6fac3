/**
 * What users hand in and get back: float32 tensors in objects that follow the property paths of the manifest. Here inputs are checked,
 * all of them before anything runs.
 */
import { describe, failure, kindOf, nearest, shapeText } from './errors.js';
import type { TensorSpec } from './manifest.js';

/** Row-major float32. */
export interface Tensor<S extends readonly number[] = readonly number[]> {
  readonly data: Float32Array;
  readonly shape: S;
}
/** A tensor, or its elements alone: then the batch is 1 and the number of steps follows from their count. */
export type TensorInput<S extends readonly number[] = readonly number[]> = Float32Array | Tensor<S>;
/** Tensors by name, nested where a name has several parts. */
export interface TensorTree<Leaf = Tensor> {
  readonly [name: string]: Leaf | TensorTree<Leaf>;
}

export interface Bound {
  readonly spec: TensorSpec;
  readonly data: Float32Array;
}
/** Checked inputs: every tensor is [batch, time, ...] or, without time, [batch, ...]. */
export interface Batch {
  readonly batch: number;
  readonly time: number;
  /** Steps of each row, 1 to `time`. */
  readonly lengths: Int32Array;
  readonly inputs: readonly Bound[];
}
export interface InputRules {
  readonly finite: boolean;
  readonly lengths?: ArrayLike<number> | undefined;
  /** The batch that a stream was made for. */
  readonly batch?: number;
}

const countLimit = 2 ** 31 - 1;
const nameOf = (spec: TensorSpec): string => spec.path.join('.');
export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const isFloat32 = (value: unknown): value is Float32Array => kindOf(value) === 'Float32Array';

/**
 * Checks and gathers the inputs.
 * @throws InputError SSM5101 to SSM5110.
 */
export function readInputs(specs: readonly TensorSpec[], inputs: unknown, rules: InputRules): Batch {
  const given = collect(specs, inputs).map((value, i) => measure(specs[i] as TensorSpec, value));
  const batch = agree('batch', given) ?? rules.batch ?? rules.lengths?.length ?? 1;
  const time = agree('time', given) ?? 1;
  if (rules.batch !== undefined && batch !== rules.batch) {
    throw failure('SSM5106', { name: given[0] ? nameOf(given[0].spec) : '', what: 'batch', got: batch, other: 'the stream', want: rules.batch });
  }
  if (batch * time > countLimit) throw failure('SSM5110', { what: 'batch times steps', got: batch * time, limit: countLimit });
  const lengths = readLengths(rules.lengths, batch, time);
  const checked: Batch = { batch, time, lengths, inputs: given };
  if (rules.finite) checkFinite(checked);
  return checked;
}

interface Measured extends Bound {
  readonly batch: number;
  /** Absent where the input has no time. */
  readonly time?: number;
}

/** The values at the specs' paths, in their order. */
function collect(specs: readonly TensorSpec[], inputs: unknown): unknown[] {
  const known = specs.map(nameOf);
  const values = new Map<string, unknown>();
  const stray: string[] = [];
  const walk = (at: unknown, prefix: string): void => {
    if (kindOf(at) !== 'Object') throw failure('SSM5103', { name: prefix.slice(0, -1) || 'inputs', got: `${describe(at)} where an object of tensors belongs` });
    for (const [key, value] of Object.entries(at as object)) {
      const name = prefix + key;
      if (known.includes(name)) values.set(name, value);
      else if (!known.some((k) => k.startsWith(`${name}.`))) stray.push(name);
      else if (value !== undefined) walk(value, `${name}.`);
    }
  };
  walk(inputs, '');
  const missing = known.filter((name) => values.get(name) === undefined);
  if (missing[0] !== undefined) throw failure('SSM5101', { missing: missing.map((name) => `\`${name}\``), near: nearest(missing[0], stray) });
  if (stray[0] !== undefined) throw failure('SSM5102', { name: stray[0], known, near: nearest(stray[0], known) });
  return known.map((name) => values.get(name));
}

function measure(spec: TensorSpec, value: unknown): Measured {
  const name = nameOf(spec);
  const size = sizeOf(spec.shape);
  const leading = spec.time ? ['batch', 'time'] : ['batch'];
  const want = shapeText([...leading, ...spec.shape]);
  let { data, shape } = Object(value) as { readonly data?: unknown; readonly shape?: unknown };
  if (isFloat32(value)) {
    const steps = value.length / size;
    if (spec.time ? !Number.isInteger(steps) : steps !== 1) {
      throw failure('SSM5105', { name, want: `${spec.time ? 'a multiple of ' : ''}${size} elements (${want}, batch 1)`, got: value.length });
    }
    data = value;
    shape = [1, ...(spec.time ? [steps] : []), ...spec.shape];
  }
  if (!isFloat32(data)) throw failure('SSM5103', { name, got: data === undefined ? describe(value) : `${describe(data)} as data` });
  const got = shape as readonly number[];
  const fits = (n: number, k: number): boolean => (k < leading.length ? Number.isSafeInteger(n) && n >= 0 : n === spec.shape[k - leading.length]);
  if (!Array.isArray(shape) || got.length !== leading.length + spec.shape.length || !got.every(fits)) {
    throw failure('SSM5104', { name, want, got: Array.isArray(shape) ? shapeText(got) : describe(shape) });
  }
  const [batch, time] = got as [number, number];
  if (batch === 0) throw failure('SSM5107', { name, what: 'batch' });
  if (spec.time && time === 0) throw failure('SSM5107', { name, what: 'length' });
  if (data.length !== sizeOf(got)) throw failure('SSM5105', { name, want: `${sizeOf(got)} elements for shape ${shapeText(got)}`, got: data.length });
  return { spec, data, batch, ...(spec.time ? { time } : {}) };
}

function agree(what: 'batch' | 'time', given: readonly Measured[]): number | undefined {
  const having = given.filter((g) => g[what] !== undefined);
  const first = having[0];
  const want = first?.[what];
  const other = having.find((g) => g[what] !== want);
  if (first && other) throw failure('SSM5106', { name: nameOf(other.spec), what, got: other[what] as number, other: `\`${nameOf(first.spec)}\``, want: want as number });
  return want;
}

function readLengths(lengths: ArrayLike<number> | undefined, batch: number, time: number): Int32Array {
  if (lengths === undefined) return new Int32Array(batch).fill(time);
  if (typeof lengths !== 'object' || lengths?.length !== batch) {
    throw failure('SSM5108', { why: `expected ${batch}, one for each row of the batch, got ${lengths?.length ?? describe(lengths)}` });
  }
  return Int32Array.from(lengths, (value, b) => {
    if (!Number.isInteger(value) || value < 1 || value > time) throw failure('SSM5108', { why: `expected whole numbers from 1 to ${time}, got ${String(value)} for row ${b}` });
    return value;
  });
}

/** What is padded may hold anything. */
function checkFinite({ lengths, time, inputs }: Batch): void {
  for (const { spec, data } of inputs) {
    const sizes = spec.time ? [time, ...spec.shape] : spec.shape;
    const row = sizeOf(sizes);
    lengths.forEach((length, b) => {
      const count = spec.time ? length * sizeOf(spec.shape) : row;
      const k = data.subarray(b * row, b * row + count).findIndex((v) => !Number.isFinite(v));
      if (k < 0) return;
      const at: number[] = [];
      sizes.reduceRight((rest, n) => (at.unshift(rest % n), Math.floor(rest / n)), k);
      throw failure('SSM5109', { name: nameOf(spec), value: data[b * row + k] as number, at: [b, ...at] });
    });
  }
}

/** Zeroed outputs for a batch. */
export function makeOutputs(specs: readonly TensorSpec[], batch: number, time: number): Bound[] {
  return specs.map((spec) => {
    const size = batch * (spec.time ? time : 1) * sizeOf(spec.shape);
    if (size > countLimit) throw failure('SSM5110', { what: `elements of output \`${spec.name}\``, got: size, limit: countLimit });
    return { spec, data: new Float32Array(size) };
  });
}

/** Outputs by their property paths. Labels may be any text, so properties are defined, never assigned. */
export function nestOutputs(outputs: readonly Bound[], batch: number, time: number): TensorTree {
  const root: TensorTree = {};
  for (const { spec, data } of outputs) {
    let at: object = root;
    for (const part of spec.path.slice(0, -1)) {
      if (!Object.hasOwn(at, part)) define(at, part, {});
      at = (at as Record<string, object>)[part] as object;
    }
    define(at, spec.path[spec.path.length - 1] as string, { data, shape: [batch, ...(spec.time ? [time] : []), ...spec.shape] });
  }
  return root;
}

function define(on: object, key: string, value: object): void {
  Object.defineProperty(on, key, { value, enumerable: true, writable: true, configurable: true });
}
