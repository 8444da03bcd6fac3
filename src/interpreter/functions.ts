/**
 * The real functions of the language in float64, accurate to a few units in the last place over their whole range: no overflow on the
 * way, no cancellation near zero.
 */
import type { UnaryOp } from '../ir/program.js';

export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}
export function silu(x: number): number {
  return x * sigmoid(x);
}
export function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}
export function inverseSoftplus(y: number): number {
  return y + Math.log(-Math.expm1(-y));
}
/** 2^x − 1. Near 0 through expm1; elsewhere the subtraction loses nothing. */
export function exp2m1(x: number): number {
  return Math.abs(x) < 1 ? Math.expm1(x * Math.LN2) : 2 ** x - 1;
}
/** x/2 · (1 + erf(x/√2)), written with erfc so that the far negative side keeps its digits. */
export function gelu(x: number): number {
  return 0.5 * x * erfc(-x * Math.SQRT1_2);
}

/** erf(x) = 2/√π · exp(−x²) Σ_n 2ⁿ x^{2n+1} / (2n+1)!!, whose terms all have one sign (Abramowitz, Stegun 7.1.6). */
export function erf(x: number): number {
  if (Math.abs(x) >= 1) return x > 0 ? 1 - erfc(x) : erfc(-x) - 1;
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}
/** 1 − erf(x); from 1 on by Laplace's continued fraction (Abramowitz, Stegun 7.1.14), whose 200 levels leave e^-40 at x = 1. */
export function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x);
  if (x < 1) return 1 - erf(x);
  if (x > 28) return 0; // below the smallest number; far out the rest of x² would overflow
  let tail = x;
  for (let k = 200; k >= 1; k--) tail = x + k / 2 / tail;
  const high = Math.fround(x); // exp(-x²) from a square without rounding and a small rest
  return (Math.exp(-high * high) * Math.exp((high - x) * (high + x))) / (Math.sqrt(Math.PI) * tail);
}

/** Every unary operator on a real; `not` takes and gives 0 or 1. */
export const realUnary: { readonly [K in UnaryOp]: (x: number) => number } = {
  neg: (x) => -x,
  not: (x) => (x === 0 ? 1 : 0),
  exp: (x) => Math.exp(x),
  expm1: (x) => Math.expm1(x),
  log1p: (x) => Math.log1p(x),
  exp2: (x) => 2 ** x,
  exp2m1,
  log: (x) => Math.log(x),
  sqrt: (x) => Math.sqrt(x),
  rsqrt: (x) => 1 / Math.sqrt(x),
  sigmoid,
  silu,
  softplus,
  relu: (x) => Math.max(x, 0),
  gelu,
  tanh: (x) => Math.tanh(x),
  sin: (x) => Math.sin(x),
  cos: (x) => Math.cos(x),
  abs: (x) => Math.abs(x),
  floor: (x) => Math.floor(x),
  ceil: (x) => Math.ceil(x),
  re: (x) => x,
  im: () => 0,
  conj: (x) => x,
};
