/** Stored number formats, read as float64 or float32. Little-endian, as every engine with WebAssembly has its memory; any alignment. */

type Numbers = Float64Array | Float32Array | Uint8Array | Uint16Array | Uint32Array | Int8Array | Int16Array | Int32Array;
interface ElementsConstructor {
  new (buffer: ArrayBufferLike, offset: number, length: number): Numbers | BigInt64Array | BigUint64Array;
}
/** The dtypes of safetensors. */
export type Dtype =
  | 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'U64' | 'I32' | 'U32' | 'I16' | 'U16' | 'I8' | 'U8' | 'BOOL' | 'F8_E4M3' | 'F8_E5M2' | 'C64';

/** What holds the elements; 0 where there is no conversion. */
const formats: { readonly [D in Dtype]: ElementsConstructor | 0 } = {
  F64: Float64Array, F32: Float32Array, F16: Uint16Array, BF16: Uint16Array, I64: BigInt64Array, U64: BigUint64Array, I32: Int32Array, U32: Uint32Array,
  I16: Int16Array, U16: Uint16Array, I8: Int8Array, U8: Uint8Array, BOOL: 0, F8_E4M3: 0, F8_E5M2: 0, C64: 0,
};
export const dtypes = Object.keys(formats) as readonly Dtype[];
export const isDtype = (name: unknown): name is Dtype => dtypes.includes(name as Dtype);
/** Bytes of an element: its bits stand in its name, but for BOOL. */
export const bytesOf = (dtype: Dtype): number => Number(/\d+/.exec(dtype) ?? 8) / 8;

/** The elements as numbers: a view where they lie aligned and are numbers, else a copy; undefined where there is no conversion. */
export function elementsOf(dtype: Dtype, bytes: Uint8Array): Numbers | undefined {
  const format = formats[dtype];
  if (!format) return undefined;
  const size = bytesOf(dtype);
  const { buffer, byteOffset } = bytes.byteOffset % size ? bytes.slice() : bytes;
  const stored = new format(buffer, byteOffset, bytes.length / size);
  if (dtype === 'BF16') return new Float32Array(Uint32Array.from(stored as Uint16Array, (bits) => bits << 16).buffer);
  if (dtype === 'F16') return Float64Array.from(stored as Uint16Array, half);
  return /[IU]64/.test(dtype) ? Float64Array.from(stored as unknown as ArrayLike<number>, Number) : (stored as Numbers);
}

/** IEEE binary16, given as its bits. */
function half(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size = exponent === 31 ? (fraction ? NaN : Infinity) : exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24;
  return bits & 0x8000 ? -size : size;
}
