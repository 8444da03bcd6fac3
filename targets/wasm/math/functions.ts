/** Elementary functions of float32 vectors. */
import { COS_TAIL, ERFC, EXP2M1, EXP2M1_SHORT, EXP2_SHORT, EXP_TAIL, HALF_PI, LN2_HI, LN2_LO, LOG2E, LOG_TAIL, SIN_TAIL } from '../../coefficients.js';
import type { Assembler } from '../assembler.js';
import { abs, add, and, andnot, bits, div, eq, ge, gt, horner, iadd, ieq, isub, keep, le, lt, madd, mul, nearest, neg, num, or, pick, pmax, pmin, sar, shl, sqrt, sub, toFloat, toInt, xor, type V } from './vector.js';

/** 1.5·2^23: adding it rounds to an integer, which then stands in the low bits. */
const MAGIC = 12582912;
const SIGN = -0x80000000;

/** x·2^k for integers k in [−300, 300]: in two steps, so that results below the normal range are rounded once. */
function scale(a: Assembler, x: V, k: V): V {
  const half = keep(a, sar(k, 1));
  const rest = keep(a, isub(k, half));
  const power = (e: V): V => shl(iadd(e, bits(127)), 23);
  return mul(mul(x, power(half)), power(rest));
}
/** The polynomial with independent halves where there is no fused multiply-add: shorter chains; else Horner's rule. */
function polynomial(a: Assembler, x: V, c: readonly number[]): V {
  if (a.fma || c.length < 4) return horner(x, c);
  const square = keep(a, mul(x, x));
  const pairs: V[] = [];
  for (let k = 0; k < c.length; k += 2) {
    const next = c[k + 1];
    pairs.push(next === undefined ? num(c[k] as number) : madd(num(next), x, num(c[k] as number)));
  }
  return pairs.slice(0, -1).reduceRight<V>((acc, p) => madd(acc, square, p), pairs.at(-1) as V);
}

export function exp2Decay(a: Assembler, x: V): V {
  const t = keep(a, add(x, num(MAGIC)));
  const r = keep(a, sub(x, sub(t, num(MAGIC))));
  const p = polynomial(a, r, EXP2_SHORT);
  return andnot(iadd(p, shl(t, 23)), le(x, num(-100)));
}
/** 2^k and 2^r − 1 of x = k + r, x at most 0, and at least −126 if `bounded`. The magic number has the bias of exponents in its low bits. */
function decayParts(a: Assembler, x: V, bounded: boolean): { whole: V; part: V } {
  const y = bounded ? x : keep(a, pmax(x, num(-126)));
  const t = keep(a, add(y, num(MAGIC + 127)));
  const r = keep(a, sub(y, sub(t, num(MAGIC + 127))));
  return { whole: keep(a, shl(t, 23)), part: mul(r, polynomial(a, r, EXP2M1_SHORT)) };
}
/** 2^x − 1 = 2^k·(2^r − 1) + (2^k − 1): relative accuracy near 0, where k = 0. */
export function exp2m1Decay(a: Assembler, x: V): V {
  const { whole, part } = decayParts(a, x, false);
  return madd(part, whole, sub(whole, num(1)));
}
/** 2^x·s + f = w + ((2^r − 1)·w + f) with w = 2^k·s, exact: near x = 0 the increment is rounded relative to itself. */
export function decayStep(a: Assembler, x: V, s: V, f: V, bounded: boolean): V {
  const { whole, part } = decayParts(a, x, bounded);
  const w = keep(a, mul(whole, s));
  return add(w, madd(part, w, f));
}
function exp2(a: Assembler, x: V): V {
  const y = keep(a, pmax(pmin(x, num(129)), num(-160)));
  const k = keep(a, nearest(y));
  const r = keep(a, sub(y, k));
  return scale(a, keep(a, madd(r, horner(r, EXP2M1), num(1))), keep(a, toInt(k)));
}
/** k and r of x = k·ln 2 + r. */
function reduceE(a: Assembler, x: V): { k: V; r: V } {
  const k = keep(a, nearest(mul(x, num(LOG2E))));
  return { k, r: keep(a, sub(sub(x, mul(k, num(LN2_HI))), mul(k, num(LN2_LO)))) };
}
function exp(a: Assembler, x: V): V {
  const { k, r } = reduceE(a, keep(a, pmax(pmin(x, num(90)), num(-110))));
  const p = keep(a, add(add(mul(mul(r, r), horner(r, EXP_TAIL)), r), num(1)));
  return scale(a, p, keep(a, toInt(k)));
}
function m1(a: Assembler, p: V, k: V): V {
  const s = keep(a, shl(iadd(toInt(k), bits(127)), 23));
  return add(mul(p, s), sub(s, num(1)));
}
function expm1(a: Assembler, x: V): V {
  const { k, r } = reduceE(a, keep(a, pmax(pmin(x, num(88)), num(-87))));
  const p = keep(a, add(mul(mul(r, r), horner(r, EXP_TAIL)), r));
  return pick(keep(a, gt(x, num(80))), keep(a, exp(a, x)), keep(a, m1(a, p, k)));
}
function exp2m1(a: Assembler, x: V): V {
  const y = keep(a, pmax(pmin(x, num(127)), num(-126)));
  const k = keep(a, nearest(y));
  const r = keep(a, sub(y, k));
  const p = keep(a, mul(r, horner(r, EXP2M1)));
  return pick(keep(a, gt(x, num(100))), keep(a, exp2(a, x)), keep(a, m1(a, p, k)));
}
/** f − f²/2 + f³·tail(f). */
function log1pSmall(a: Assembler, f: V): V {
  const square = keep(a, mul(f, f));
  return add(sub(mul(mul(square, f), horner(f, LOG_TAIL)), mul(num(0.5), square)), f);
}
function log(a: Assembler, x: V): V {
  const tiny = keep(a, lt(x, num(1.1754943508222875e-38)));
  const y = keep(a, pick(tiny, mul(x, num(8388608)), x));
  // Mantissa in [√½, √2): the exponent's borrow is taken by an offset of the bits.
  const shifted = keep(a, isub(y, bits(0x3f3504f3)));
  const e = keep(a, sub(toFloat(sar(shifted, 23)), and(tiny, num(23))));
  const f = keep(a, sub(iadd(and(shifted, bits(0x007fffff)), bits(0x3f3504f3)), num(1)));
  const square = keep(a, mul(f, f));
  const tail = add(mul(mul(square, f), horner(f, LOG_TAIL)), mul(e, num(LN2_LO)));
  const value = keep(a, add(add(sub(tail, mul(num(0.5), square)), f), mul(e, num(LN2_HI))));
  const special = keep(a, pick(eq(x, num(0)), num(-Infinity), pick(lt(x, num(0)), num(NaN), x)));
  // Finite positive numbers are what the formula is for; 0, negatives, infinity and NaN are not.
  return pick(and(gt(x, num(0)), lt(x, num(Infinity))), value, special);
}
/** Near 0 the polynomial on x itself; elsewhere 1 + x loses nothing that matters. */
function log1p(a: Assembler, x: V): V {
  const small = keep(a, and(gt(x, num(Math.SQRT1_2 - 1)), lt(x, num(Math.SQRT2 - 1))));
  return pick(small, keep(a, log1pSmall(a, x)), keep(a, log(a, keep(a, add(x, num(1))))));
}
/** max(x, 0) + log(1 + e^−|x|); where e^−|x| > √2 − 1 as ln 2 + log(1 + (u − 1)/2). */
function softplus(a: Assembler, x: V): V {
  const u = keep(a, exp(a, keep(a, neg(abs(x)))));
  const large = keep(a, gt(u, num(Math.SQRT2 - 1)));
  const f = keep(a, pick(large, mul(sub(u, num(1)), num(0.5)), u));
  const l = keep(a, add(log1pSmall(a, f), and(large, num(Math.LN2))));
  return add(l, pmax(num(0), x));
}
function sigmoid(a: Assembler, x: V): V {
  const e = keep(a, exp(a, keep(a, neg(abs(x)))));
  return div(pick(ge(x, num(0)), num(1), e), add(num(1), e));
}
function silu(a: Assembler, x: V): V {
  return mul(x, sigmoid(a, x));
}
/** −t/(t + 2) with t = e^(−2|x|) − 1, and the sign of x. */
function tanh(a: Assembler, x: V): V {
  const t = keep(a, expm1(a, keep(a, mul(abs(x), num(-2)))));
  const y = keep(a, div(neg(t), add(t, num(2))));
  return or(y, and(x, bits(SIGN)));
}
function trigonometric(a: Assembler, x: V, quarter: number): V {
  const k = keep(a, nearest(mul(x, num(2 / Math.PI))));
  const r = keep(a, HALF_PI.reduce<V>((v, part) => sub(v, mul(k, num(part))), x));
  const q = keep(a, iadd(toInt(k), bits(quarter)));
  const square = keep(a, mul(r, r));
  const sine = keep(a, add(mul(mul(square, r), horner(square, SIN_TAIL)), r));
  const cosine = keep(a, add(sub(mul(mul(square, square), horner(square, COS_TAIL)), mul(num(0.5), square)), num(1)));
  const odd = keep(a, ieq(and(q, bits(1)), bits(1)));
  return xor(pick(odd, cosine, sine), shl(and(q, bits(2)), 30));
}
/** x·Φ(x), Φ by the complementary error function, so that the left tail keeps its relative accuracy (erf form, as PyTorch's default). */
function gelu(a: Assembler, x: V): V {
  const z = keep(a, mul(abs(x), num(Math.SQRT1_2)));
  const t = keep(a, div(num(1), madd(z, num(0.5), num(1))));
  const tail = keep(a, mul(t, exp(a, keep(a, sub(horner(t, ERFC), mul(z, z))))));
  const half = keep(a, mul(num(0.5), tail));
  return mul(x, pick(lt(x, num(0)), half, sub(num(1), half)));
}

/** Functions of one vector, made once per module and called. */
export const functions = {
  exp, exp2, expm1, exp2m1, log, log1p, softplus, sigmoid, silu, tanh, gelu,
  sin: (a: Assembler, x: V): V => trigonometric(a, x, 0),
  cos: (a: Assembler, x: V): V => trigonometric(a, x, 1),
  rsqrt: (_: Assembler, x: V): V => div(num(1), sqrt(x)),
} as const;
export type FunctionName = keyof typeof functions;
