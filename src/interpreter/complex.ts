/** Complex arithmetic in float64 on pairs. A result is a fresh pair; slow is fine here. */
import type { UnaryOp } from '../ir/program.js';
import { InterpretError } from './error.js';

export type Pair = readonly [re: number, im: number];

export const add = (a: Pair, b: Pair): Pair => [a[0] + b[0], a[1] + b[1]];
export const sub = (a: Pair, b: Pair): Pair => [a[0] - b[0], a[1] - b[1]];
export const mul = (a: Pair, b: Pair): Pair => [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]];
/** Smith's division: scales by the larger part of the divisor, so that its square can't overflow. */
export function div(a: Pair, b: Pair): Pair {
  if (Math.abs(b[0]) >= Math.abs(b[1])) {
    const ratio = b[1] / b[0];
    const scale = b[0] + b[1] * ratio;
    return [(a[0] + a[1] * ratio) / scale, (a[1] - a[0] * ratio) / scale];
  }
  const ratio = b[0] / b[1];
  const scale = b[0] * ratio + b[1];
  return [(a[0] * ratio + a[1]) / scale, (a[1] * ratio - a[0]) / scale];
}
export function exp(z: Pair): Pair {
  const r = Math.exp(z[0]);
  return [r * Math.cos(z[1]), r * Math.sin(z[1])];
}
/** e^z − 1: the real part is expm1(x) cos y − 2 sin²(y/2), which keeps its digits near 0. */
export function expm1(z: Pair): Pair {
  const s = Math.sin(z[1] / 2);
  return [Math.expm1(z[0]) * Math.cos(z[1]) - 2 * s * s, Math.exp(z[0]) * Math.sin(z[1])];
}
export const log = (z: Pair): Pair => [Math.log(Math.hypot(z[0], z[1])), Math.atan2(z[1], z[0])];
/** The principal root: real part not negative. */
export function sqrt(z: Pair): Pair {
  const modulus = Math.hypot(z[0], z[1]);
  if (modulus === 0) return [0, 0];
  const big = Math.sqrt((modulus + Math.abs(z[0])) / 2);
  const small = z[1] / (2 * big);
  if (z[0] >= 0) return [big, small];
  return z[1] < 0 ? [-small, -big] : [small, big];
}
export const sin = (z: Pair): Pair => [Math.sin(z[0]) * Math.cosh(z[1]), Math.cos(z[0]) * Math.sinh(z[1])];
export const cos = (z: Pair): Pair => [Math.cos(z[0]) * Math.cosh(z[1]), -Math.sin(z[0]) * Math.sinh(z[1])];
/** tanh z = (1 − e^{−2z}) / (1 + e^{−2z}) on the right half plane; odd. */
export function tanh(z: Pair): Pair {
  if (z[0] < 0) return neg(tanh(neg(z)));
  const less = expm1([-2 * z[0], -2 * z[1]]);
  return div(neg(less), [2 + less[0], less[1]]);
}
export const neg = (z: Pair): Pair => [-z[0], -z[1]];
export function power(base: Pair, exponent: number): Pair {
  let result: Pair = [1, 0];
  for (let k = 0; k < Math.abs(exponent); k++) result = mul(result, base);
  return exponent < 0 ? div([1, 0], result) : result;
}
/** 1 / (1 + e^{−z}), through the exponential of whichever sign doesn't overflow. */
function sigmoid(z: Pair): Pair {
  if (z[0] >= 0) return div([1, 0], add([1, 0], exp(neg(z))));
  const e = exp(z);
  return div(e, add([1, 0], e));
}
const scaled = (z: Pair, by: number): Pair => [z[0] * by, z[1] * by];

const functions: { readonly [K in UnaryOp]?: (z: Pair) => Pair } = {
  neg, exp, expm1, log, sqrt, sin, cos, tanh, sigmoid,
  exp2: (z) => exp(scaled(z, Math.LN2)),
  exp2m1: (z) => expm1(scaled(z, Math.LN2)),
  rsqrt: (z) => div([1, 0], sqrt(z)),
  silu: (z) => mul(z, sigmoid(z)),
  softplus: (z) => log(add([1, 0], exp(z))),
  conj: (z) => [z[0], -z[1]],
  re: (z) => [z[0], 0],
  im: (z) => [z[1], 0],
  abs: (z) => [Math.hypot(z[0], z[1]), 0],
};
/** The function on complex numbers; throws for those that have no meaning there (floor, relu, ...). */
export function complexUnary(op: UnaryOp): (z: Pair) => Pair {
  const found = functions[op];
  if (!found) throw new InterpretError('program', `${op} has no meaning on complex numbers`);
  return found;
}
