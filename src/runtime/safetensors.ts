/**
 * safetensors, read by the format's full rules and written in its simplest form. Nothing of a file is trusted: every rule broken is a
 * WeightsError, and tensors are decoded only when asked for.
 */
import { describe, failure, nearest, reason, shapeText } from './errors.js';
import { bytesOf, convert, dtypes, elementsOf, isDtype, type Dtype } from './floats.js';

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
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  const dataAt = 8 + length;
  if (length > headerLimit) throw malformed(`the header has ${length} bytes, more than ${headerLimit}`);
  if (dataAt > bytes.length) throw malformed(`the header has ${length} bytes, but the file ends after ${bytes.length - 8} of them`);
  let text = '';
  try {
    // A copy, since memory that threads share can't be decoded.
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.slice(8, dataAt));
  } catch {
    throw malformed('the header is not UTF-8');
  }
  if (text[0] !== '{' || /[^ ]/.test(text.slice(text.lastIndexOf('}') + 1))) throw malformed('expected { … } and spaces as the header');
  return { text, dataAt };
}

function parseHeader(text: string): Map<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    throw malformed(`the header is not JSON: ${reason(error)}`);
  }
  checkKeys(text);
  return new Map(Object.entries(header as object));
}

/** JSON.parse keeps the last of two equal keys and says nothing. `text` is valid JSON already, so strings and braces are enough. */
function checkKeys(text: string): void {
  const open: Set<string>[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '{') open.push(new Set());
    else if (text[i] === '}') open.pop();
    else if (text[i] === '"') {
      const from = i++;
      for (; text[i] !== '"'; i++) if (text[i] === '\\') i++;
      let next = i + 1;
      while ((text[next] as string) <= ' ') next++;
      if (text[next] !== ':') continue;
      const key = JSON.parse(text.slice(from, i + 1)) as string;
      const keys = open[open.length - 1];
      if (keys?.has(key)) throw malformed(`the header has the key ${JSON.stringify(key)} twice in one object`);
      keys?.add(key);
    }
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);
const isCounts = (value: unknown): value is number[] => Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);

function readMetadata(value: unknown = {}): ReadonlyMap<string, string> {
  const texts = isObject(value) ? Object.entries(value) : [['', value]];
  for (const [key, text] of texts) if (typeof text !== 'string') throw malformed(`__metadata__: expected an object of strings, got ${describe(text)}${key && ` for ${JSON.stringify(key)}`}`);
  return new Map(texts as [string, string][]);
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
  if (!isDtype(dtype)) throw bad(`unknown dtype ${JSON.stringify(dtype)}, expected one of ${dtypes.join(', ')}`);
  if (!isCounts(shape)) throw bad(`expected whole numbers as shape, got ${JSON.stringify(shape)}`);
  if (!isCounts(offsets) || offsets.length !== 2) throw bad(`expected two whole numbers as data_offsets, got ${JSON.stringify(offsets)}`);
  const [begin, end] = offsets as [number, number];
  const size = shape.reduce((a, b) => (Number.isSafeInteger(a * b) ? a * b : NaN), bytesOf(dtype));
  if (end - begin !== size) throw bad(`${dtype} ${shapeText(shape)} takes ${size || 'too many'} bytes, but data_offsets are [${begin}, ${end}]`);
  return { name, dtype, shape, begin, end };
}

function checkContiguous(entries: readonly Entry[], bytes: number): void {
  let at = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== at) throw failure('SSM5003', { name, why: `${begin < at ? 'overlaps' : 'leaves a hole'}: expected data_offsets from ${at}, got ${begin}` });
    at = end;
  }
  if (at !== bytes) throw malformed(`expected ${at} bytes of data by the header, got ${bytes}`);
}

function storedTensor({ name, dtype, shape }: Entry, bytes: Uint8Array): StoredTensor {
  const decode = <A extends Float32Array | Float64Array>(make: (count: number) => A): A => {
    const elements = elementsOf(dtype, bytes);
    if (!elements) throw failure('SSM5006', { name, want: 'a dtype of numbers', got: dtype });
    return convert(dtype, elements, make(elements.length));
  };
  return {
    dtype,
    shape,
    toFloat32: () => (dtype === 'F32' ? (elementsOf(dtype, bytes) as Float32Array) : decode((count) => new Float32Array(count))),
    toFloat64: () => decode((count) => new Float64Array(count)),
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
    if (!isCounts(shape) || want !== data.length) throw failure('SSM5003', { name, why: `shape ${shapeText(shape)} does not fit ${data.length} elements` });
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
