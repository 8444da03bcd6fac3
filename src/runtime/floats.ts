/** Stored number formats, read as float64 or float32. Everything is little-endian, at any alignment. */

interface Format {
  readonly bytes: number;
  /** Absent: listed, but there is no conversion. */
  readonly read?: (view: DataView, at: number) => number;
  readonly float?: true;
}

/** The dtypes of safetensors. */
export type Dtype =
  | 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'U64' | 'I32' | 'U32' | 'I16' | 'U16' | 'I8' | 'U8' | 'BOOL' | 'F8_E4M3' | 'F8_E5M2' | 'C64';

export const formats: { readonly [D in Dtype]: Format } = {
  F64: { bytes: 8, float: true, read: (v, at) => v.getFloat64(at, true) },
  F32: { bytes: 4, float: true, read: (v, at) => v.getFloat32(at, true) },
  F16: { bytes: 2, float: true, read: (v, at) => half(v.getUint16(at, true)) },
  BF16: { bytes: 2, float: true, read: brain },
  I64: { bytes: 8, read: (v, at) => Number(v.getBigInt64(at, true)) },
  U64: { bytes: 8, read: (v, at) => Number(v.getBigUint64(at, true)) },
  I32: { bytes: 4, read: (v, at) => v.getInt32(at, true) },
  U32: { bytes: 4, read: (v, at) => v.getUint32(at, true) },
  I16: { bytes: 2, read: (v, at) => v.getInt16(at, true) },
  U16: { bytes: 2, read: (v, at) => v.getUint16(at, true) },
  I8: { bytes: 1, read: (v, at) => v.getInt8(at) },
  U8: { bytes: 1, read: (v, at) => v.getUint8(at) },
  BOOL: { bytes: 1 },
  F8_E4M3: { bytes: 1 },
  F8_E5M2: { bytes: 1 },
  C64: { bytes: 8 },
};

export const isDtype = (name: unknown): name is Dtype => typeof name === 'string' && Object.hasOwn(formats, name);

/** IEEE binary16, given as its bits. */
export function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * (1024 + fraction) * 2 ** (exponent - 25) : sign * fraction * 2 ** -24;
}

/** bfloat16: the upper half of a float32, put together by hand so that no buffer is needed. */
function brain(view: DataView, at: number): number {
  const bits = view.getUint16(at, true);
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 7) & 255;
  const fraction = bits & 127;
  if (exponent === 255) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * (128 + fraction) * 2 ** (exponent - 134) : sign * fraction * 2 ** -133;
}
