/**
 * float16 and bfloat16 in WGSL, two in a 32-bit word, which no feature is needed for; float16 also by `f16`, where the adapter has
 * `shader-f16`. Rounding is of our own: WGSL lets a conversion round either way, and leaves open what becomes of a value past 65504.
 */
import type { Narrow } from '../../src/ir/kernel.js';

/** Helpers that an entry point calls, by what they are of. */
export type HalfHelper = { readonly kind: 'load' | 'store'; readonly element: Narrow; readonly binding: number; readonly access: Access } | { readonly kind: 'next'; readonly threads: number };
type Access = 'read' | 'read_write';

const ending = (access: Access): string => (access === 'read' ? '' : '_w');
export const variable = (binding: number, access: Access): string => `halves${binding}${ending(access)}`;
export const loadName = (binding: number, access: Access, element: Narrow): string => `load_${rounding[element].name}${binding}${ending(access)}`;
export const storeName = (binding: number, element: Narrow): string => `store_${rounding[element].name === 'half' ? 'halves' : 'bfloats'}${binding}`;
export const nextName = (threads: number): string => `next_of_${threads}`;

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

/** The nearest bfloat16's bits, ties to even: float32's upper half; past the largest it is infinity by itself. */
const BFLOAT = `fn bfloat(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  return select((bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u, 0x7fc0u, (bits & 0x7fffffffu) > 0x7f800000u);
}`;
const rounding: Readonly<Record<Narrow, { readonly name: string; readonly text: string }>> = { f16: { name: 'half', text: HALF }, bf16: { name: 'bfloat', text: BFLOAT } };

/** Variables and functions for these helpers; `native`: float16 by f16. */
export function halfTexts(helpers: ReadonlyMap<string, HalfHelper>, native: boolean): string[] {
  const all = [...helpers].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, h]) => h);
  const variables = new Map(all.flatMap((h) => (h.kind === 'next' ? [] : [[variable(h.binding, h.access), h] as const])));
  return [
    ...[...variables].map(([name, { binding, access, element }]) => `@group(0) @binding(${2 + binding}) var<storage, ${access}> ${name}: array<${native && element === 'f16' ? 'f16' : 'u32'}>;`),
    ...[...new Set(all.flatMap((h) => (h.kind === 'store' ? [rounding[h.element].text] : [])))],
    ...all.map((h) => text(h, native)),
  ];
}
function text(h: HalfHelper, native: boolean): string {
  switch (h.kind) {
    case 'load': {
      const of = variable(h.binding, h.access);
      const value = h.element === 'bf16' ? `bitcast<f32>(select(${of}[i >> 1u] << 16u, ${of}[i >> 1u] & 0xffff0000u, (i & 1) == 1))` : native ? `f32(${of}[i])` : `unpack2x16float(${of}[i >> 1u])[i & 1]`;
      return `fn ${loadName(h.binding, h.access, h.element)}(i: i32) -> f32 {
  return ${value};
}`;
    }
    case 'store': {
      const of = variable(h.binding, 'read_write');
      const { name } = rounding[h.element];
      return native && h.element === 'f16' ? `fn ${storeName(h.binding, h.element)}(i: i32, a: f32, b: f32) {
  let both = bitcast<vec2<f16>>(half(a) | (half(b) << 16u));
  ${of}[i] = both.x;
  ${of}[i + 1] = both.y;
}` : `fn ${storeName(h.binding, h.element)}(i: i32, a: f32, b: f32) {
  ${of}[i >> 1u] = ${name}(a) | (${name}(b) << 16u);
}`;
    }
    // The value of the next thread, for the thread that writes both.
    case 'next': return `var<workgroup> shown_${h.threads}: array<f32, ${h.threads}>;
fn ${nextName(h.threads)}(x: f32, lid: i32) -> f32 {
  shown_${h.threads}[lid] = x;
  workgroupBarrier();
  let y = shown_${h.threads}[min(lid + 1, ${h.threads - 1})];
  workgroupBarrier();
  return y;
}`;
  }
}
