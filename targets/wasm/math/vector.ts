/** A small notation for vector arithmetic: an expression is a function that pushes its value. */
import type { Assembler } from '../assembler.js';
import type { Op } from '../opcodes.js';

export type V = (a: Assembler) => void;

const binary = (o: Op) => (x: V, y: V): V => (a) => { x(a); y(a); a.emit(o); };
const unary = (o: Op) => (x: V): V => (a) => { x(a); a.emit(o); };
const shift = (o: Op) => (x: V, by: number): V => (a) => { x(a); a.i32(by); a.emit(o); };

export const add = binary('f32x4.add');
export const sub = binary('f32x4.sub');
export const mul = binary('f32x4.mul');
export const div = binary('f32x4.div');
export const lt = binary('f32x4.lt');
export const le = binary('f32x4.le');
export const ge = binary('f32x4.ge');
export const gt = binary('f32x4.gt');
export const eq = binary('f32x4.eq');
export const and = binary('v128.and');
export const or = binary('v128.or');
export const xor = binary('v128.xor');
export const andnot = binary('v128.andnot');
export const iadd = binary('i32x4.add');
export const isub = binary('i32x4.sub');
export const ieq = binary('i32x4.eq');
/** x < y ? y : x, one instruction: keeps x where either is NaN. */
export const pmax = binary('f32x4.pmax');
/** y < x ? y : x. */
export const pmin = binary('f32x4.pmin');
export const abs = unary('f32x4.abs');
export const neg = unary('f32x4.neg');
export const sqrt = unary('f32x4.sqrt');
export const nearest = unary('f32x4.nearest');
export const toInt = unary('i32x4.trunc_sat_f32x4_s');
export const toFloat = unary('f32x4.convert_i32x4_s');
export const shl = shift('i32x4.shl');
export const sar = shift('i32x4.shr_s');
export const num = (value: number): V => (a) => a.splat(value);
export const bits = (value: number): V => (a) => a.splatBits(value);
export const ref = (local: number): V => (a) => a.get(local);
/** x·y + z. */
export const madd = (x: V, y: V, z: V): V => (a) => {
  if (a.fma) { x(a); y(a); z(a); a.emit('f32x4.relaxed_madd'); } else { x(a); y(a); a.emit('f32x4.mul'); z(a); a.emit('f32x4.add'); }
};
/** cond ? x : y, lane by lane. */
export const pick = (cond: V, x: V, y: V): V => (a) => { x(a); y(a); cond(a); a.emit('v128.bitselect'); };
/** Names a value. */
export function keep(a: Assembler, v: V): V {
  v(a);
  return ref(a.keep('v128'));
}
/** Σ c_k x^k by Horner's rule. */
export function horner(x: V, c: readonly number[]): V {
  return c.slice(0, -1).reduceRight<V>((acc, k) => madd(acc, x, num(k)), num(c.at(-1) ?? 0));
}
