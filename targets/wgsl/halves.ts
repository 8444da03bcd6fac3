/**
 * float16 in WGSL, two in a 32-bit word, which no feature is needed for; and the same by `f16`, where the adapter has `shader-f16`. Rounding
 * is of our own in both: WGSL lets a conversion round either way, and leaves open what becomes of a value past 65504.
 */

/** Helpers that an entry point calls, by what they are of. */
export type HalfHelper = { readonly kind: 'load' | 'store'; readonly binding: number; readonly access: Access } | { readonly kind: 'next'; readonly lanes: number };
type Access = 'read' | 'read_write';

const ending = (access: Access): string => (access === 'read' ? '' : '_w');
export const variable = (binding: number, access: Access): string => `halves${binding}${ending(access)}`;
export const loadName = (binding: number, access: Access): string => `load_half${binding}${ending(access)}`;
export const storeName = (binding: number): string => `store_halves${binding}`;
export const nextName = (lanes: number): string => `next_of_${lanes}`;

/**
 * The nearest float16's bits, ties to even; past the largest by half a step it is infinity, NaN stays NaN. Below 2^-14 the sum with 1/2 has
 * the step of a subnormal float16 as its last place.
 */
const HALF = `fn half(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let size = bits & 0x7fffffffu;
  let normal = (size - 0x38000000u + 0xfffu + ((size >> 13u) & 1u)) >> 13u;
  let subnormal = bitcast<u32>(abs(x) + 0.5) - 0x3f000000u;
  let finite = select(normal, subnormal, size < 0x38800000u);
  let large = select(0x7c00u, 0x7e00u, size > 0x7f800000u);
  return select(finite, large, size >= 0x477ff000u) | ((bits >> 16u) & 0x8000u);
}`;

/** Variables and functions for these helpers; `native`: by f16. */
export function halfTexts(helpers: ReadonlyMap<string, HalfHelper>, native: boolean): string[] {
  const all = [...helpers].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, h]) => h);
  const variables = new Map(all.flatMap((h) => (h.kind === 'next' ? [] : [[variable(h.binding, h.access), h] as const])));
  return [
    ...[...variables].map(([name, { binding, access }]) => `@group(0) @binding(${2 + binding}) var<storage, ${access}> ${name}: array<${native ? 'f16' : 'u32'}>;`),
    ...(all.some((h) => h.kind === 'store') ? [HALF] : []),
    ...all.map((h) => text(h, native)),
  ];
}
function text(h: HalfHelper, native: boolean): string {
  switch (h.kind) {
    case 'load': {
      const of = variable(h.binding, h.access);
      return `fn ${loadName(h.binding, h.access)}(i: i32) -> f32 {
  return ${native ? `f32(${of}[i])` : `unpack2x16float(${of}[i >> 1u])[i & 1]`};
}`;
    }
    case 'store': {
      const of = variable(h.binding, 'read_write');
      return native ? `fn ${storeName(h.binding)}(i: i32, a: f32, b: f32) {
  let both = bitcast<vec2<f16>>(half(a) | (half(b) << 16u));
  ${of}[i] = both.x;
  ${of}[i + 1] = both.y;
}` : `fn ${storeName(h.binding)}(i: i32, a: f32, b: f32) {
  ${of}[i >> 1u] = half(a) | (half(b) << 16u);
}`;
    }
    // The value of the next thread, for the thread that writes both.
    case 'next': return `var<workgroup> shown_${h.lanes}: array<f32, ${h.lanes}>;
fn ${nextName(h.lanes)}(x: f32, lid: i32) -> f32 {
  shown_${h.lanes}[lid] = x;
  workgroupBarrier();
  let y = shown_${h.lanes}[min(lid + 1, ${h.lanes - 1})];
  workgroupBarrier();
  return y;
}`;
  }
}
