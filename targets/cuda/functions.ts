/**
 * Elementary functions in CUDA C++, of our own, so that every compiler and every chip gives the same bits: no approximate instruction, no
 * contraction but the one that is written (__fmaf_rn). Powers of two are made from bits: x + 1.5·2^23 has the nearest integer of x in its
 * low bits, without the conversions, which run at an eighth of the rate.
 */
import { COS_TAIL, ERFC, EXP2M1, EXP2M1_SHORT, EXP2_SHORT, EXP_TAIL, HALF_PI, LN2_HI, LN2_LO, LOG2E, LOG_TAIL, SIN_TAIL } from '../coefficients.js';
import { withNeeds } from '../texts.js';

export type CudaFunction =
  | 'exp' | 'exp2' | 'expm1' | 'exp2m1' | 'exp2_decay' | 'exp2m1_decay' | 'decay' | 'log' | 'log1p' | 'sin' | 'cos' | 'tanh' | 'sigmoid' | 'silu' | 'softplus' | 'gelu' | 'rsqrt';
type Helper = 'scale' | 'power' | 'exp_tail' | 'exp2m1_poly' | 'm1' | 'log1p_small' | 'trig';

interface Source {
  readonly needs: readonly (CudaFunction | Helper)[];
  readonly text: string;
}
/** x within bounds; NaN stays. No instruction's own maximum: written out in PTX it keeps the compiler from joining loads around it. */
const clamp = (low: string, high?: string): string => `x <= ${low} ? ${low} : ${high === undefined ? 'x' : `x >= ${high} ? ${high} : x`}`;
/** 1.5·2^23 + 127: an exponent's bias stands in its low bits, so that a shift makes a power of two. */
const MAGIC = '12583039.0f';
const MAGIC_BITS = '0x4b40007f';
const HEAD = '__device__ __forceinline__';
/** Σ coefficient·x^k by Horner's rule. */
const horner = (x: string, coefficients: readonly number[]): string =>
  coefficients.slice(0, -1).reduceRight((sum, c) => `__fmaf_rn(${sum}, ${x}, ${c}f)`, `${coefficients.at(-1)}f`);
/** x less k times a number that is given in parts, of which the first is the largest. */
const less = (x: string, k: string, parts: readonly number[]): string => parts.reduce((sum, part) => `__fmaf_rn(${k}, ${-part}f, ${sum})`, x);

/** k + MAGIC = shifted and 2^r − 1 = p of x = k + r, x at most 0. */
const DECAY_PARTS = `  const float y = ${clamp('-126.0f')};
  const float shifted = y + ${MAGIC};
  const float r = y - (shifted - ${MAGIC});
  const float p = r * ${horner('r', EXP2M1_SHORT)};`;

const sources: Readonly<Record<CudaFunction | Helper, Source>> = {
  // 2^k from x + MAGIC, k the nearest integer of x, in [-126, 127].
  power: { needs: [], text: `${HEAD} float ssm_power(float shifted) {
  return __uint_as_float(__float_as_uint(shifted) << 23);
}` },
  // x·2^k for k in [−300, 300], in two steps: results below the normal range are rounded once.
  scale: { needs: [], text: `${HEAD} float ssm_scale(float x, int k) {
  const int half = k >> 1;
  return x * __int_as_float((half + 127) << 23) * __int_as_float((k - half + 127) << 23);
}` },
  exp_tail: { needs: [], text: `${HEAD} float ssm_exp_tail(float r) {
  return r * r * ${horner('r', EXP_TAIL)};
}` },
  exp2m1_poly: { needs: [], text: `${HEAD} float ssm_exp2m1_poly(float r) {
  return r * ${horner('r', EXP2M1)};
}` },
  m1: { needs: [], text: `${HEAD} float ssm_m1(float p, float s) {
  return __fmaf_rn(p, s, s - 1.0f);
}` },
  exp: { needs: ['scale', 'exp_tail'], text: `${HEAD} float ssm_exp(float x) {
  const float y = ${clamp('-110.0f', '90.0f')};
  const float shifted = __fmaf_rn(y, ${LOG2E}f, ${MAGIC});
  const float k = shifted - ${MAGIC};
  const float r = ${less('y', 'k', [LN2_HI, LN2_LO])};
  return ssm_scale(ssm_exp_tail(r) + r + 1.0f, __float_as_int(shifted) - ${MAGIC_BITS});
}` },
  exp2: { needs: ['scale', 'exp2m1_poly'], text: `${HEAD} float ssm_exp2(float x) {
  const float y = ${clamp('-160.0f', '129.0f')};
  const float shifted = y + ${MAGIC};
  return ssm_scale(ssm_exp2m1_poly(y - (shifted - ${MAGIC})) + 1.0f, __float_as_int(shifted) - ${MAGIC_BITS});
}` },
  expm1: { needs: ['exp', 'exp_tail', 'm1', 'power'], text: `${HEAD} float ssm_expm1(float x) {
  const float y = ${clamp('-87.0f', '88.0f')};
  const float shifted = __fmaf_rn(y, ${LOG2E}f, ${MAGIC});
  const float k = shifted - ${MAGIC};
  const float r = ${less('y', 'k', [LN2_HI, LN2_LO])};
  return x > 80.0f ? ssm_exp(x) : ssm_m1(ssm_exp_tail(r) + r, ssm_power(shifted));
}` },
  exp2m1: { needs: ['exp2', 'exp2m1_poly', 'm1', 'power'], text: `${HEAD} float ssm_exp2m1(float x) {
  const float y = ${clamp('-126.0f', '127.0f')};
  const float shifted = y + ${MAGIC};
  return x > 100.0f ? ssm_exp2(x) : ssm_m1(ssm_exp2m1_poly(y - (shifted - ${MAGIC})), ssm_power(shifted));
}` },
  // Arguments at most 0; below 2^-100 it is 0.
  exp2_decay: { needs: ['power'], text: `${HEAD} float ssm_exp2_decay(float x) {
  const float y = ${clamp('-126.0f')};
  const float shifted = y + ${MAGIC};
  const float r = y - (shifted - ${MAGIC});
  const float p = ${horner('r', EXP2_SHORT)};
  return x <= -100.0f ? 0.0f : p * ssm_power(shifted);
}` },
  exp2m1_decay: { needs: ['power', 'm1'], text: `${HEAD} float ssm_exp2m1_decay(float x) {
${DECAY_PARTS}
  return ssm_m1(p, ssm_power(shifted));
}` },
  // 2^x·h + f = w + ((2^r − 1)·w + f) with w = 2^k·h: near x = 0 the increment is rounded relative to itself.
  decay: { needs: ['power'], text: `${HEAD} float ssm_decay(float x, float h, float f) {
${DECAY_PARTS}
  const float w = ssm_power(shifted) * h;
  return w + __fmaf_rn(p, w, f);
}` },
  log1p_small: { needs: [], text: `${HEAD} float ssm_log1p_small(float f) {
  const float p = ${horner('f', LOG_TAIL)};
  const float square = f * f;
  return __fmaf_rn(square * f, p, -0.5f * square) + f;
}` },
  log: { needs: ['log1p_small'], text: `${HEAD} float ssm_log(float x) {
  const bool tiny = x < 1.1754943508222875e-38f;
  const float y = tiny ? x * 8388608.0f : x;
  const int shifted = __float_as_int(y) - 0x3f3504f3;
  const float e = (float)(shifted >> 23) - (tiny ? 23.0f : 0.0f);
  const float f = __int_as_float((shifted & 0x007fffff) + 0x3f3504f3) - 1.0f;
  const float value = __fmaf_rn(e, ${LN2_HI}f, __fmaf_rn(e, ${LN2_LO}f, ssm_log1p_small(f)));
  // Of 0, negatives, infinity and NaN.
  const float special = x == 0.0f ? __int_as_float((int)0xff800000u) : x < 0.0f ? __int_as_float(0x7fffffff) : x;
  return x > 0.0f && x < __int_as_float(0x7f800000) ? value : special;
}` },
  log1p: { needs: ['log', 'log1p_small'], text: `${HEAD} float ssm_log1p(float x) {
  return x > -0.2928932f && x < 0.41421357f ? ssm_log1p_small(x) : ssm_log(x + 1.0f);
}` },
  softplus: { needs: ['exp', 'log1p_small'], text: `${HEAD} float ssm_softplus(float x) {
  const float u = ssm_exp(-fabsf(x));
  const bool large = u > 0.41421357f;
  return ssm_log1p_small(large ? (u - 1.0f) * 0.5f : u) + (large ? 0.6931471805599453f : 0.0f) + (${clamp('0.0f')});
}` },
  sigmoid: { needs: ['exp'], text: `${HEAD} float ssm_sigmoid(float x) {
  const float e = ssm_exp(-fabsf(x));
  return (x >= 0.0f ? 1.0f : e) / (1.0f + e);
}` },
  silu: { needs: ['sigmoid'], text: `${HEAD} float ssm_silu(float x) {
  return x * ssm_sigmoid(x);
}` },
  tanh: { needs: ['expm1'], text: `${HEAD} float ssm_tanh(float x) {
  const float t = ssm_expm1(-2.0f * fabsf(x));
  const float y = -t / (t + 2.0f);
  return x < 0.0f ? -y : y;
}` },
  // π/2 in parts of 12 bits: their products with small quadrants are exact.
  trig: { needs: [], text: `${HEAD} float ssm_trig(float x, int quarter) {
  const float k = rintf(x * 0.6366197723675814f);
  const float r = ${less('x', 'k', HALF_PI)};
  const int q = (int)k + quarter;
  const float s = r * r;
  const float sine = __fmaf_rn(s * r, ${horner('s', SIN_TAIL)}, r);
  const float cosine = __fmaf_rn(s * s, ${horner('s', COS_TAIL)}, -0.5f * s) + 1.0f;
  const float y = (q & 1) == 1 ? cosine : sine;
  return (q & 2) == 2 ? -y : y;
}` },
  sin: { needs: ['trig'], text: `${HEAD} float ssm_sin(float x) {
  return ssm_trig(x, 0);
}` },
  cos: { needs: ['trig'], text: `${HEAD} float ssm_cos(float x) {
  return ssm_trig(x, 1);
}` },
  gelu: { needs: ['exp'], text: `${HEAD} float ssm_gelu(float x) {
  const float z = fabsf(x) * 0.7071067811865476f;
  const float t = 1.0f / __fmaf_rn(z, 0.5f, 1.0f);
  const float p = ${horner('t', ERFC)};
  const float half = 0.5f * t * ssm_exp(__fmaf_rn(-z, z, p));
  return x * (x < 0.0f ? half : 1.0f - half);
}` },
  rsqrt: { needs: [], text: `${HEAD} float ssm_rsqrt(float x) {
  return 1.0f / sqrtf(x);
}` },
};

export const isFunction = (name: string): name is CudaFunction => name in sources;
/** The functions and what they need, each after what it calls. */
export function functionTexts(names: ReadonlySet<CudaFunction>): string[] {
  return withNeeds<CudaFunction | Helper>(sources, names);
}
