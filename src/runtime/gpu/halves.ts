/** float16 and bfloat16 on the host: how inputs and constants are stored for kernels that read them. */
import type { Narrow } from '../manifest.js';

const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

/** How they are called, where they end, and from where on a number rounds to infinity. */
export const narrowTypes: Readonly<Record<Narrow, { readonly name: string; readonly largest: number; readonly beyond: number; readonly bits: (x: number) => number }>> = {
  f16: { name: 'float16', largest: 65504, beyond: 65520, bits: half },
  bf16: { name: 'bfloat16', largest: (2 - 2 ** -7) * 2 ** 127, beyond: (2 - 2 ** -8) * 2 ** 127, bits: bfloat },
};
/** Past the range, but a number. */
export const isTooLarge = (x: number, type: Narrow): boolean => Math.abs(x) >= narrowTypes[type].beyond && Number.isFinite(x);

/** The nearest float16's bits, ties to even, as the kernels round (targets/wgsl/halves.ts). */
export function half(x: number): number {
  single[0] = Math.abs(x);
  const size = bits[0] as number;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  if (size > 0x7f800000) return sign | 0x7e00;
  if (size >= 0x477ff000) return sign | 0x7c00;
  if (size >= 0x38800000) return sign | ((size - 0x38000000 + 0xfff + ((size >> 13) & 1)) >> 13);
  single[0] = Math.fround(Math.abs(x)) + 0.5;
  return sign | ((bits[0] as number) - 0x3f000000);
}
/** The nearest bfloat16's bits, ties to even: float32's upper half, with its exponent. */
export function bfloat(x: number): number {
  single[0] = x;
  const all = bits[0] as number;
  if (Number.isNaN(x)) return 0x7fc0;
  return (all + 0x7fff + ((all >>> 16) & 1)) >>> 16;
}
/** As a buffer of this type holds them. */
export function narrowed(floats: Float32Array<ArrayBuffer>, type: Narrow | undefined): Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> {
  if (!type) return floats;
  const { bits: round } = narrowTypes[type];
  const made = new Uint16Array(floats.length);
  floats.forEach((x, i) => { made[i] = round(x); });
  return made;
}
