/** Stored number formats, read as float64 or float32. Little-endian, as every engine with WebAssembly has its memory; any alignment. */

type Elements = Float64Array | Float32Array | Uint8Array | Uint16Array | Uint32Array | Int8Array | Int16Array | Int32Array | BigInt64Array | BigUint64Array;
interface ElementsConstructor {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, offset?: number, length?: number): Elements;
}
/** The dtypes of safetensors. */
export type Dtype =
  | 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'U64' | 'I32' | 'U32' | 'I16' | 'U16' | 'I8' | 'U8' | 'BOOL' | 'F8_E4M3' | 'F8_E5M2' | 'C64';

/** What holds the elements, or where there is no conversion, the bytes of one. */
const formats: { readonly [D in Dtype]: ElementsConstructor | number } = {
  F64: Float64Array, F32: Float32Array, F16: Uint16Array, BF16: Uint16Array, I64: BigInt64Array, U64: BigUint64Array, I32: Int32Array, U32: Uint32Array,
  I16: Int16Array, U16: Uint16Array, I8: Int8Array, U8: Uint8Array, BOOL: 1, F8_E4M3: 1, F8_E5M2: 1, C64: 8,
};
export const dtypes = Object.keys(formats) as readonly Dtype[];
export const isDtype = (name: unknown): name is Dtype => dtypes.includes(name as Dtype);
export function bytesOf(dtype: Dtype): number {
  const f = formats[dtype];
  return typeof f === 'number' ? f : f.BYTES_PER_ELEMENT;
}

/** The elements as stored: a view where they lie aligned, else a copy; undefined where there is no conversion. */
export function elementsOf(dtype: Dtype, bytes: Uint8Array): Elements | undefined {
  const f = formats[dtype];
  if (typeof f === 'number') return undefined;
  return bytes.byteOffset % f.BYTES_PER_ELEMENT === 0 ? new f(bytes.buffer, bytes.byteOffset, bytes.length / f.BYTES_PER_ELEMENT) : new f(bytes.slice().buffer);
}
/** Elements as numbers, rounded to the target's kind. */
export function convert<A extends Float32Array | Float64Array>(dtype: Dtype, elements: Elements, target: A): A {
  const word = new Uint32Array(1);
  const float = new Float32Array(word.buffer);
  const number = dtype === 'F16' ? half : dtype === 'BF16' ? (bits: number): number => {
    word[0] = bits << 16;
    return float[0] as number;
  } : undefined;
  for (let i = 0; i < target.length; i++) {
    const e = Number(elements[i]);
    target[i] = number ? number(e) : e;
  }
  return target;
}

/** IEEE binary16, given as its bits. */
export function half(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size = exponent === 31 ? (fraction ? NaN : Infinity) : exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24;
  return bits & 0x8000 ? -size : size;
}
