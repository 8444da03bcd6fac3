/**
 * safetensors, read by the format's full rules and written in its simplest form. Nothing of a file is trusted: every rule broken is a
 * WeightsError, and tensors are decoded only when asked for.
 */
import { describe, failure, kindOf, nearest, reason, shapeText } from './errors.js';
import { bytesOf as plain } from './files.js';
import { bytesOf, dtypes, elementsOf, isDtype, type Dtype } from './floats.js';
import { isCounts } from './tensors.js';

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

const malformed = (why: string): Error => failure(5002, { why });
const json = (value: unknown): string => JSON.stringify(value);

/**
 * Reads a file's header and checks all of it; no tensor is decoded yet. Of Node's Buffers, too, whose own `slice` copies nothing.
 * @throws WeightsError SSM5002 or SSM5003 where it breaks a rule of the format.
 */
export function readSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { text, data } = headerOf(plain(bytes));
  let header: object;
  try {
    header = JSON.parse(text) as object;
  } catch (error) {
    throw malformed(`the header is not JSON: ${reason(error)}`);
  }
  checkKeys(text);
  const parts = new Map(Object.entries(header) as [string, unknown][]);
  const metadata = readMetadata(parts.get('__metadata__'));
  parts.delete('__metadata__');
  const entries = [...parts].map(([name, entry]) => readEntry(name, entry, data)).sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== at) throw failure(5003, { name, why: `${begin < at ? 'overlaps' : 'leaves a hole'}: expected data_offsets from ${at}, got ${begin}` });
    at = end;
  }
  if (at !== data.length) throw malformed(`expected ${at} bytes of data by the header, got ${data.length}`);
  const tensors = new Map(entries.map(({ name, stored }) => [name, stored]));
  return {
    names: [...tensors.keys()],
    metadata,
    has: (name) => tensors.has(name),
    tensor(name) {
      const found = tensors.get(name);
      if (!found) throw failure(5007, { name, near: nearest(name, tensors.keys()) });
      return found;
    },
  };
}

function headerOf(bytes: Uint8Array): { readonly text: string; readonly data: Uint8Array } {
  if (bytes.length < 8) throw malformed(`expected at least 8 bytes, got ${bytes.length}`);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const has = `the header has ${length} bytes, `;
  if (length > headerLimit) throw malformed(`${has}more than ${headerLimit}`);
  const end = 8 + length;
  if (end > bytes.length) throw malformed(`${has}but the file ends after ${bytes.length - 8} of them`);
  let text: string;
  try {
    // A copy, since memory that threads share can't be decoded.
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.slice(8, end));
  } catch {
    throw malformed('the header is not UTF-8');
  }
  if (!/^\{.*\} *$/s.test(text)) throw malformed('expected { … } and spaces as the header');
  return { text, data: bytes.subarray(end) };
}

/** JSON.parse keeps the last of two equal keys and says nothing. `text` is valid JSON already: what stands before a colon is a key. */
function checkKeys(text: string): void {
  const open: Set<string>[] = [];
  let string = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '{') open.push(new Set());
    else if (c === '}') open.pop();
    else if (c === '"') {
      const from = i;
      while (text[++i] !== '"') if (text[i] === '\\') i++;
      string = text.slice(from, i + 1);
    } else if (c === ':') {
      const key = JSON.parse(string) as string;
      const keys = open.at(-1) as Set<string>;
      if (keys.has(key)) throw malformed(`the header has the key ${json(key)} twice in one object`);
      keys.add(key);
    }
  }
}

const isObject = (value: unknown): value is object => kindOf(value) === 'Object';

function readMetadata(value: unknown = {}): ReadonlyMap<string, string> {
  const texts = isObject(value) ? Object.entries(value) : [['', value]];
  for (const [key, text] of texts) if (typeof text !== 'string') throw malformed(`__metadata__: expected an object of strings, got ${describe(text)}${key && ` for ${json(key)}`}`);
  return new Map(texts as [string, string][]);
}

interface Entry {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
  readonly stored: StoredTensor;
}

function readEntry(name: string, entry: unknown, data: Uint8Array): Entry {
  const bad = (why: string): Error => failure(5003, { name, why });
  if (!isObject(entry)) throw bad(`expected an object with dtype, shape and data_offsets, got ${describe(entry)}`);
  const { dtype, shape, data_offsets: offsets } = entry as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  if (!isDtype(dtype)) throw bad(`unknown dtype ${json(dtype)}, expected one of ${dtypes.join(', ')}`);
  if (!isCounts(shape)) throw bad(`expected whole numbers as shape, got ${json(shape)}`);
  if (!isCounts(offsets) || offsets.length !== 2) throw bad(`expected two whole numbers as data_offsets, got ${json(offsets)}`);
  const [begin, end] = offsets as [number, number];
  // A product that overflows stays NaN, whatever follows.
  const size = shape.reduce((a, b) => (Number.isSafeInteger(a * b) ? a * b : NaN), bytesOf(dtype));
  if (end - begin !== size) throw bad(`${dtype} ${shapeText(shape)} takes ${size || 'too many'} bytes, but data_offsets are ${shapeText(offsets)}`);
  const elements = () => {
    const found = elementsOf(dtype, data.subarray(begin, end));
    if (!found) throw failure(5006, { name, want: 'a dtype of numbers', got: dtype });
    return found;
  };
  const stored: StoredTensor = {
    dtype,
    shape,
    toFloat32: () => (dtype === 'F32' ? (elements() as Float32Array) : new Float32Array(elements())),
    toFloat64: () => new Float64Array(elements()),
  };
  return { name, begin, end, stored };
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
    if (name === '__metadata__') throw failure(5003, { name, why: 'the name is reserved' });
    if (!isCounts(shape) || want !== data.length) throw failure(5003, { name, why: `shape ${shapeText(shape)} does not fit ${data.length} elements` });
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
