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
  readonly finite: boolean | undefined;
  readonly lengths?: ArrayLike<number> | undefined;
  /** The batch that a stream was made for. */
  readonly batch?: number;
}

const countLimit = 2 ** 31 - 1;
const nameOf = (spec: TensorSpec): string => spec.path.join('.');
export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
export const isCounts = (value: unknown): value is number[] => Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
const isFloat32 = (value: unknown): value is Float32Array => kindOf(value) === 'Float32Array';
/** A tensor's whole shape, or what stands for it in a message. */
const wholeShape = <N>({ time, shape }: TensorSpec, batch: N, steps: N): (N | number)[] => (time ? [batch, steps, ...shape] : [batch, ...shape]);
function limit(what: string, got: number): void {
  if (got > countLimit) throw failure(5110, { what, got, limit: countLimit });
}

/**
 * Checks and gathers the inputs.
 * @throws InputError SSM5101 to SSM5110.
 */
export function readInputs(specs: readonly TensorSpec[], inputs: unknown, rules: InputRules): Batch {
  const given = collect(specs, inputs).map((value, i) => measure(specs[i] as TensorSpec, value));
  const batch = agree('batch', given, rules.batch) ?? rules.lengths?.length ?? 1;
  const time = agree('time', given) ?? 1;
  limit('batch times steps', batch * time);
  const checked: Batch = { batch, time, lengths: readLengths(rules.lengths, batch, time), inputs: given };
  if (rules.finite) checkFinite(checked);
  return checked;
}

interface Measured extends Bound {
  readonly batch: number;
  /** Absent where the input has no time. */
  readonly time: number | undefined;
}

/** The values at the specs' paths, in their order. */
function collect(specs: readonly TensorSpec[], inputs: unknown): unknown[] {
  const known = specs.map(nameOf);
  const values = known.map((): unknown => undefined);
  const stray: string[] = [];
  const walk = (at: unknown, prefix: string): void => {
    if (kindOf(at) !== 'Object') throw failure(5103, { name: prefix.slice(0, -1) || 'inputs', got: `${describe(at)} where an object of tensors belongs` });
    for (const [key, value] of Object.entries(at as object)) {
      const name = prefix + key;
      const k = known.indexOf(name);
      if (k >= 0) values[k] = value;
      else if (!known.some((other) => other.startsWith(`${name}.`))) stray.push(name);
      else if (value !== undefined) walk(value, `${name}.`);
    }
  };
  walk(inputs, '');
  const [first] = stray;
  const missing = known.filter((_, k) => values[k] === undefined);
  if (missing.length > 0) throw failure(5101, { missing: missing.map((name) => `\`${name}\``), near: nearest(missing[0] as string, stray) });
  if (first !== undefined) throw failure(5102, { name: first, known, near: nearest(first, known) });
  return values;
}

function measure(spec: TensorSpec, value: unknown): Measured {
  const name = nameOf(spec);
  const size = sizeOf(spec.shape);
  const axes = wholeShape<number | string>(spec, 'batch', 'time');
  const want = shapeText(axes);
  const wrong = (want: string, got: number): Error => failure(5105, { name, want, got });
  let { data, shape } = Object(value) as { readonly data?: unknown; readonly shape?: unknown };
  if (isFloat32(value)) {
    const steps = value.length / size;
    if (spec.time ? steps % 1 : steps !== 1) throw wrong(`${spec.time ? 'a multiple of ' : ''}${size} elements (${want}, batch 1)`, value.length);
    data = value;
    shape = wholeShape(spec, 1, steps);
  }
  if (!isFloat32(data)) throw failure(5103, { name, got: data === undefined ? describe(value) : `${describe(data)} as data` });
  if (!isCounts(shape) || shape.length !== axes.length || axes.some((axis, k) => typeof axis === 'number' && axis !== shape[k])) {
    throw failure(5104, { name, want, got: shapeText(shape) });
  }
  const [batch, steps] = shape as [number, number];
  const time = spec.time ? steps : undefined;
  if (!batch || time === 0) throw failure(5107, { name, what: batch ? 'length' : 'batch' });
  if (data.length !== sizeOf(shape)) throw wrong(`${sizeOf(shape)} elements for shape ${shapeText(shape)}`, data.length);
  return { spec, data, batch, time };
}

/** What all that have it agree on; `want`: what the stream was made for. */
function agree(what: 'batch' | 'time', given: readonly Measured[], want?: number): number | undefined {
  let other = 'the stream';
  for (const { spec, [what]: got } of given) {
    if (want === undefined) {
      want = got;
      other = `\`${nameOf(spec)}\``;
    } else if (got !== undefined && got !== want) throw failure(5106, { name: nameOf(spec), what, got, other, want });
  }
  return want;
}

function readLengths(lengths: ArrayLike<number> | undefined, batch: number, time: number): Int32Array {
  if (lengths === undefined) return new Int32Array(batch).fill(time);
  if (lengths?.length !== batch) {
    throw failure(5108, { why: `expected ${batch}, one for each row of the batch, got ${lengths?.length ?? describe(lengths)}` });
  }
  return Int32Array.from(lengths, (value, b) => {
    if (!Number.isInteger(value) || value < 1 || value > time) throw failure(5108, { why: `expected whole numbers from 1 to ${time}, got ${value} for row ${b}` });
    return value;
  });
}

/** What is padded may hold anything. */
function checkFinite({ lengths, time, inputs }: Batch): void {
  for (const { spec, data } of inputs) {
    const [, ...sizes] = wholeShape(spec, 1, time);
    const row = sizeOf(sizes);
    lengths.forEach((length, b) => {
      let k = data.subarray(b * row, spec.time ? b * row + length * (row / time) : (b + 1) * row).findIndex((v) => !Number.isFinite(v));
      if (k < 0) return;
      const value = data[b * row + k] as number;
      const at: number[] = [];
      for (const n of sizes.reverse()) {
        at.unshift(k % n);
        k = Math.floor(k / n);
      }
      throw failure(5109, { name: nameOf(spec), value, at: [b, ...at] });
    });
  }
}

type Sizes = Pick<Batch, 'batch' | 'time'>;
/** Zeroed outputs for a batch. */
export function makeOutputs(specs: readonly TensorSpec[], { batch, time }: Sizes): Bound[] {
  return specs.map((spec) => {
    const size = sizeOf(wholeShape(spec, batch, time));
    limit(`elements of output \`${spec.name}\``, size);
    return { spec, data: new Float32Array(size) };
  });
}

/** Outputs by their property paths. Labels may be any text, `__proto__` too: properties are defined by literals, never assigned. */
export function nestOutputs(outputs: readonly Bound[], { batch, time }: Sizes): TensorTree {
  const put = (at: object, [key, ...rest]: readonly string[], leaf: Tensor): object => ({ ...at, [key as string]: rest.length ? put((at as Record<string, object>)[key as string] ?? {}, rest, leaf) : leaf });
  return outputs.reduce((root, { spec, data }) => put(root, spec.path, { data, shape: wholeShape(spec, batch, time) }), {});
}
