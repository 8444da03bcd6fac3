/** float16 on the host: how inputs and constants are stored for kernels that read it. */

const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

/** Where float16 ends: what rounds to more is infinity. */
export const LARGEST = 65504;
const BEYOND = 65520;
/** Past the range, but a number. */
export const isTooLarge = (x: number): boolean => Math.abs(x) >= BEYOND && Number.isFinite(x);

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
export function halves(floats: Float32Array): Uint16Array<ArrayBuffer> {
  const made = new Uint16Array(floats.length);
  floats.forEach((x, i) => { made[i] = half(x); });
  return made;
}
