/**
 * safetensors, read by the format's full rules and written in its simplest form. Nothing of a file is trusted: every rule broken is a
 * WeightsError, and tensors are decoded only when asked for.
 */
import { describe, failure, nearest, reason, shapeText } from './errors.js';
import { formats, isDtype, type Dtype } from './floats.js';

export interface StoredTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Row-major. For aligned F32 a view of the file, otherwise a new array. */
  toFloat32(): Float32Array;
  toFloat64(): Float64Array;
}

export interface SafetensorsFile {
  /** In the order in which the data lies in the file. */
  readonly names: readonly string[];
  readonly metadata: ReadonlyMap<string, string>;
  has(name: string): boolean;
  /** @throws WeightsError SSM5007 where there is none of that name. */
  tensor(name: string): StoredTensor;
}

const headerLimit = 100_000_000;

/**
 * Reads a file's header and checks all of it; no tensor is decoded yet.
 * @throws WeightsError SSM5002 or SSM5003 where it breaks a rule of the format.
 */
export function readSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { text, dataAt } = headerText(bytes);
  const header = parseHeader(text);
  const metadata = readMetadata(header.get('__metadata__'));
  header.delete('__metadata__');
  const entries = [...header].map(([name, entry]) => readEntry(name, entry)).sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkContiguous(entries, bytes.length - dataAt);
  const tensors = new Map(entries.map((e) => [e.name, storedTensor(e, bytes.subarray(dataAt + e.begin, dataAt + e.end))]));
  return {
    names: [...tensors.keys()],
    metadata,
    has: (name) => tensors.has(name),
    tensor(name) {
      const found = tensors.get(name);
      if (!found) throw failure('SSM5007', { name, near: nearest(name, tensors.keys()) });
      return found;
    },
  };
}

const malformed = (why: string): Error => failure('SSM5002', { why });

function headerText(bytes: Uint8Array): { readonly text: string; readonly dataAt: number } {
  if (bytes.length < 8) throw malformed(`expected at least 8 bytes, got ${bytes.length}`);
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > headerLimit) throw malformed(`the header's length is ${length}, the most allowed is ${headerLimit}`);
  const dataAt = 8 + Number(length);
  if (dataAt > bytes.length) throw malformed(`the header's length is ${length}, but the file ends after ${bytes.length - 8} bytes of it`);
  if (bytes[8] !== 0x7b || length === 0n) throw malformed('the header does not begin with {');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, dataAt));
  } catch {
    throw malformed('the header is not UTF-8');
  }
  if (!/\} *$/.test(text.slice(text.lastIndexOf('}')))) throw malformed('the header is not a JSON object followed by spaces');
  return { text, dataAt };
}

function parseHeader(text: string): Map<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    throw malformed(`the header is not JSON: ${reason(error)}`);
  }
  const twice = duplicateKey(text);
  if (twice !== undefined) throw malformed(`the header has the key ${JSON.stringify(twice)} twice in one object`);
  return new Map(Object.entries(header as object));
}

/** JSON.parse keeps the last of two equal keys and says nothing. `text` is valid JSON already, so tokens are enough. */
function duplicateKey(text: string): string | undefined {
  const token = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}]/gs;
  const open: Set<string>[] = [];
  for (let match = token.exec(text); match; match = token.exec(text)) {
    const [found, colon] = match;
    if (found === '{') open.push(new Set());
    else if (found === '}') open.pop();
    else if (colon !== undefined) {
      const key = JSON.parse(found.slice(0, found.length - colon.length)) as string;
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return undefined;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function readMetadata(value: unknown): ReadonlyMap<string, string> {
  if (value === undefined) return new Map();
  if (!isObject(value)) throw malformed(`__metadata__ must be an object of strings, not ${describe(value)}`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw malformed(`__metadata__ must be an object of strings, but ${JSON.stringify(key)} is ${describe(text)}`);
  }
  return new Map(Object.entries(value as Record<string, string>));
}

interface Entry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function readEntry(name: string, entry: unknown): Entry {
  const bad = (why: string): Error => failure('SSM5003', { name, why });
  if (!isObject(entry)) throw bad(`expected an object with dtype, shape and data_offsets, got ${describe(entry)}`);
  const { dtype, shape, data_offsets: offsets } = entry as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  if (!isDtype(dtype)) throw bad(`unknown dtype ${JSON.stringify(dtype)}; known are ${Object.keys(formats).join(', ')}`);
  if (!Array.isArray(shape) || !shape.every(isCount)) throw bad(`shape must be a list of whole numbers, got ${JSON.stringify(shape)}`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw bad(`data_offsets must be two whole numbers, got ${JSON.stringify(offsets)}`);
  }
  const [begin, end] = offsets as [number, number];
  const size = (shape as number[]).reduce((a, b) => a * b, formats[dtype].bytes);
  if (!Number.isSafeInteger(size)) throw bad(`shape ${shapeText(shape as number[])} is too large`);
  if (end - begin !== size) throw bad(`${dtype} ${shapeText(shape as number[])} takes ${size} bytes, but data_offsets are [${begin}, ${end}]`);
  return { name, dtype, shape: shape as number[], begin, end };
}

function checkContiguous(entries: readonly Entry[], bytes: number): void {
  let at = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== at) throw failure('SSM5003', { name, why: `${begin < at ? 'overlaps what lies before it' : 'leaves a hole'}: it begins at ${begin}, expected ${at}` });
    at = end;
  }
  if (at !== bytes) throw malformed(`expected ${at} bytes of data by the header, got ${bytes}`);
}

function storedTensor({ name, dtype, shape }: Entry, bytes: Uint8Array): StoredTensor {
  const { bytes: width, read } = formats[dtype];
  const decode = <A extends Float32Array | Float64Array>(target: A): A => {
    if (!read) throw failure('SSM5006', { name, want: 'a dtype of numbers', got: dtype });
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i < target.length; i++) target[i] = read(view, i * width);
    return target;
  };
  const count = bytes.length / width;
  return {
    dtype,
    shape,
    toFloat32: () =>
      dtype === 'F32' && bytes.byteOffset % 4 === 0 ? new Float32Array(bytes.buffer, bytes.byteOffset, count) : decode(new Float32Array(count)),
    toFloat64: () => decode(new Float64Array(count)),
  };
}

/** A tensor to be written, row-major: F32 or F64 by the kind of its array. */
export interface WritableTensor {
  readonly data: Float32Array | Float64Array;
  readonly shape: readonly number[];
}

/**
 * A safetensors file: keys in order of code units, header padded with spaces so that the data begins at a multiple of 8 bytes.
 * @throws WeightsError SSM5003 where a shape doesn't fit its data.
 */
export function writeSafetensors(
  tensors: Readonly<Record<string, WritableTensor>> | ReadonlyMap<string, WritableTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const pairs: [string, WritableTensor][] = tensors instanceof Map ? [...tensors] : Object.entries(tensors as Readonly<Record<string, WritableTensor>>);
  const entries = pairs.sort(([a], [b]) => (a < b ? -1 : 1));
  let at = 0;
  const parts = Object.keys(metadata).length ? [`"__metadata__":${JSON.stringify(metadata)}`] : [];
  for (const [name, { data, shape }] of entries) {
    const want = shape.reduce((a, b) => a * b, 1);
    if (name === '__metadata__') throw failure('SSM5003', { name, why: 'the name is reserved' });
    if (!shape.every(isCount) || want !== data.length) throw failure('SSM5003', { name, why: `shape ${shapeText(shape)} does not fit ${data.length} elements` });
    const dtype = data.BYTES_PER_ELEMENT === 8 ? 'F64' : 'F32';
    parts.push(`${JSON.stringify(name)}:{"dtype":"${dtype}","shape":${JSON.stringify(shape)},"data_offsets":[${at},${(at += data.byteLength)}]}`);
  }
  let header = new TextEncoder().encode(`{${parts.join(',')}}`);
  const spaces = -header.length & 7;
  header = new Uint8Array([...header, ...new Uint8Array(spaces).fill(0x20)]);
  const file = new Uint8Array(8 + header.length + at);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, 8);
  at = 8 + header.length;
  for (const [, { data }] of entries) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}
