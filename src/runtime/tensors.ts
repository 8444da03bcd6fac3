/**
 * What users hand in and get back: float32 tensors in objects that follow the property paths of the manifest. Here inputs are checked,
 * all of them before anything runs.
 */
import { describe, failure, nearest, shapeText } from './errors.js';
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
export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const isFloat32 = (value: unknown): value is Float32Array => Object.prototype.toString.call(value) === '[object Float32Array]';

/**
 * Checks and gathers the inputs.
 * @throws InputError SSM5101 to SSM5110.
 */
export function readInputs(specs: readonly TensorSpec[], inputs: unknown, rules: InputRules): Batch {
  const given = collect(specs, inputs).map((value, i) => measure(specs[i] as TensorSpec, value));
  const batch = agree('batch', given, (g) => g.batch) ?? rules.batch ?? rules.lengths?.length ?? 1;
  const time = agree('time', given, (g) => g.time) ?? 1;
  if (rules.batch !== undefined && batch !== rules.batch) {
    throw failure('SSM5106', { name: given[0]?.spec.name ?? '', what: 'batch', got: batch, other: 'the stream', want: rules.batch });
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

type Branch = Map<string, Branch | number>;

function tree(specs: readonly TensorSpec[]): Branch {
  const root: Branch = new Map();
  specs.forEach(({ path }, position) => {
    let at = root;
    for (const part of path.slice(0, -1)) {
      const next = at.get(part);
      const branch: Branch = next instanceof Map ? next : new Map();
      at.set(part, branch);
      at = branch;
    }
    at.set(path[path.length - 1] as string, position);
  });
  return root;
}

/** The values at the specs' paths, in their order. */
function collect(specs: readonly TensorSpec[], inputs: unknown): unknown[] {
  const values: unknown[] = [];
  const missing: string[] = [];
  const unknown: string[] = [];
  const known = specs.map((s) => s.path.join('.'));
  const walk = (branch: Branch, at: unknown, prefix: string): void => {
    if (typeof at !== 'object' || at === null || ArrayBuffer.isView(at)) throw failure('SSM5103', { name: prefix.slice(0, -1) || 'inputs', got: `${describe(at)} where an object of tensors belongs` });
    for (const key of Object.keys(at)) if (!branch.has(key)) unknown.push(prefix + key);
    for (const [key, next] of branch) {
      const value = Object.hasOwn(at, key) ? (at as Record<string, unknown>)[key] : undefined;
      if (typeof next === 'number') {
        values[next] = value;
        if (value === undefined) missing.push(prefix + key);
      } else if (value === undefined) missing.push(...known.filter((k) => k.startsWith(`${prefix}${key}.`)));
      else walk(next, value, `${prefix}${key}.`);
    }
  };
  walk(tree(specs), inputs, '');
  const [stray] = unknown;
  const [lacking] = missing;
  if (lacking !== undefined) throw failure('SSM5101', { missing, near: nearest(lacking, unknown) });
  if (stray !== undefined) throw failure('SSM5102', { name: stray, known, near: nearest(stray, known) });
  return values;
}

function measure(spec: TensorSpec, value: unknown): Measured {
  const name = spec.path.join('.');
  const size = sizeOf(spec.shape);
  const want = shapeText(['batch', ...(spec.time ? ['time'] : []), ...spec.shape]);
  if (isFloat32(value)) {
    if (value.length === 0) throw failure('SSM5107', { name, what: 'length' });
    const steps = value.length / size;
    if (spec.time ? !Number.isInteger(steps) : steps !== 1) {
      throw failure('SSM5105', { name, want: `${spec.time ? 'a multiple of ' : ''}${size} elements (${want}, batch 1)`, got: `${value.length}` });
    }
    return { spec, data: value, batch: 1, ...(spec.time ? { time: steps } : {}) };
  }
  if (typeof value !== 'object' || value === null) throw failure('SSM5103', { name, got: describe(value) });
  const { data, shape } = value as { data?: unknown; shape?: unknown };
  if (!isFloat32(data)) throw failure('SSM5103', { name, got: 'data' in value ? `${describe(data)} as data` : describe(value) });
  const got = shape as readonly number[];
  const extra = spec.time ? 2 : 1;
  if (!Array.isArray(shape) || shape.length !== spec.shape.length + extra || spec.shape.some((n, i) => got[i + extra] !== n)) {
    throw failure('SSM5104', { name, want, got: Array.isArray(shape) ? shapeText(shape as number[]) : describe(shape) });
  }
  if (!got.every((n) => Number.isSafeInteger(n) && n >= 0)) throw failure('SSM5104', { name, want, got: shapeText(got) });
  const [batch, time] = got as [number, number];
  if (batch === 0) throw failure('SSM5107', { name, what: 'batch' });
  if (spec.time && time === 0) throw failure('SSM5107', { name, what: 'length' });
  if (data.length !== sizeOf(got)) throw failure('SSM5105', { name, want: `${sizeOf(got)} elements for shape ${shapeText(got)}`, got: `${data.length}` });
  return { spec, data, batch, ...(spec.time ? { time } : {}) };
}

function agree(what: string, given: readonly Measured[], of: (g: Measured) => number | undefined): number | undefined {
  const first = given.find((g) => of(g) !== undefined);
  const want = first && of(first);
  if (first === undefined || want === undefined) return undefined;
  for (const g of given) {
    const got = of(g);
    if (got !== undefined && got !== want) {
      throw failure('SSM5106', { name: g.spec.path.join('.'), what, got, other: `\`${first.spec.path.join('.')}\``, want });
    }
  }
  return want;
}

function readLengths(lengths: ArrayLike<number> | undefined, batch: number, time: number): Int32Array {
  if (lengths === undefined) return new Int32Array(batch).fill(time);
  if (typeof lengths !== 'object' || lengths === null || lengths.length !== batch) {
    throw failure('SSM5108', { why: `expected ${batch} of them, one for each row of the batch, got ${describe(lengths)}${lengths?.length === undefined ? '' : ` of ${lengths.length}`}` });
  }
  return Int32Array.from(lengths, (value, b) => {
    if (!Number.isInteger(value) || value < 1 || value > time) {
      throw failure('SSM5108', { why: `expected whole numbers from 1 to ${time}, got ${String(value)} for row ${b}` });
    }
    return value;
  });
}

/** What is padded may hold anything. */
function checkFinite({ lengths, time, inputs }: Batch): void {
  for (const { spec, data } of inputs) {
    const size = sizeOf(spec.shape);
    lengths.forEach((length, b) => {
      const from = spec.time ? b * time * size : b * size;
      const to = from + (spec.time ? length * size : size);
      for (let i = from; i < to; i++) {
        const value = data[i] as number;
        if (!Number.isFinite(value)) {
          const rest = unravel(i % size, spec.shape);
          throw failure('SSM5109', { name: spec.path.join('.'), value, at: [b, ...(spec.time ? [Math.floor(i / size) % time] : []), ...rest] });
        }
      }
    });
  }
}

function unravel(index: number, shape: readonly number[]): number[] {
  return shape.reduceRight<[number, number[]]>(([rest, at], n) => [Math.floor(rest / n), [rest % n, ...at]], [index, []])[1];
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
