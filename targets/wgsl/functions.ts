/**
 * Elementary functions in WGSL, of our own: the built-in exp may be off by 3 + 2|x| ulp with a bias that long memories amplify, and
 * log(1 + exp(x)) loses small steps. A compiler may reassociate, so nothing is rounded by adding a large number and taking it away again. `round`
 * (ties to even), `max` and `clamp` (what of NaN?) and conversions to integers (of what range?) are many instructions for a driver on a CPU, and the
 * last take a GPU as long as four products: floors, selections and bits do here. NaN goes through.
 */
import { COS_TAIL, digits, ERFC, EXP2M1, EXP2M1_SHORT, EXP2_SHORT, EXP_TAIL, HALF_PI, LN2_HI, LN2_LO, LOG2E, LOG_TAIL, SIN_TAIL } from '../coefficients.js';
import { withNeeds } from '../texts.js';

export type WgslFunction =
  | 'exp' | 'exp2' | 'expm1' | 'exp2m1' | 'exp2_decay' | 'exp2m1_decay' | 'decay' | 'log' | 'log1p' | 'sin' | 'cos' | 'tanh' | 'sigmoid' | 'silu' | 'softplus' | 'gelu' | 'rsqrt';

interface Source {
  readonly needs: readonly (WgslFunction | Helper)[];
  readonly text: string;
}
type Helper = 'power' | 'scale' | 'exp_tail' | 'exp2m1_poly' | 'log1p_small' | 'm1' | 'trig';

const plus = (c: number): string => (c < 0 ? `- ${digits(-c)}` : `+ ${digits(c)}`);
/** Σ coefficient·x^k by Horner's rule, as one expression; as a line for each power. */
const horner = (x: string, coefficients: readonly number[]): string =>
  coefficients.slice(0, -1).reduceRight((sum, c, k) => `${k < coefficients.length - 2 ? `(${sum})` : sum} * ${x} ${plus(c)}`, digits(coefficients.at(-1) as number));
const lines = (p: string, x: string, coefficients: readonly number[]): string =>
  [`  var ${p} = ${digits(coefficients.at(-1) as number)};`, ...coefficients.slice(0, -1).reverse().map((c) => `  ${p} = ${p} * ${x} ${plus(c)};`)].join('\n');
/** x less k times a number that is given in parts, of which the first is the largest. */
const less = (x: string, k: string, parts: readonly number[]): string =>
  parts.slice(1).reduce((sum, part) => `(${sum}) ${part < 0 ? '+' : '-'} ${k} * ${digits(Math.abs(part))}`, `${x} - ${k} * ${digits(parts[0] as number)}`);

/** k and 2^r − 1 = p of x = k + r, x at most 0. */
const DECAY_PARTS = `  let y = select(x, -126.0, x < -126.0);
  let k = floor(y + 0.5);
  let r = y - k;
  let p = r * (${horner('r', EXP2M1_SHORT)});`;

const sources: Readonly<Record<WgslFunction | Helper, Source>> = {
  // 2^k for a whole k in [−126, 127]: the sum is exact, whatever the order, and the last bits of its bits are k. The product is a shift.
  power: { needs: [], text: `fn power(k: f32) -> f32 {
  return bitcast<f32>(bitcast<i32>(k + 12582912.0) * 8388608 + 0x3f800000);
}` },
  // x·2^k for a whole k in [−250, 250], in two steps: results below the normal range are rounded once.
  scale: { needs: ['power'], text: `fn scale(x: f32, k: f32) -> f32 {
  let half = floor(k * 0.5);
  return x * power(half) * power(k - half);
}` },
  exp_tail: { needs: [], text: `fn exp_tail(r: f32) -> f32 {
  return r * r * (${horner('r', EXP_TAIL)});
}` },
  exp2m1_poly: { needs: [], text: `fn exp2m1_poly(r: f32) -> f32 {
  return r * (${horner('r', EXP2M1)});
}` },
  m1: { needs: ['power'], text: `fn m1(p: f32, k: f32) -> f32 {
  let s = power(k);
  return p * s + (s - 1.0);
}` },
  exp: { needs: ['scale', 'exp_tail'], text: `fn ssm_exp(x: f32) -> f32 {
  let y = select(select(x, -110.0, x < -110.0), 90.0, x > 90.0);
  let k = floor(y * ${LOG2E} + 0.5);
  let r = ${less('y', 'k', [LN2_HI, LN2_LO])};
  return scale(exp_tail(r) + r + 1.0, k);
}` },
  exp2: { needs: ['scale', 'exp2m1_poly'], text: `fn ssm_exp2(x: f32) -> f32 {
  let y = select(select(x, -160.0, x < -160.0), 129.0, x > 129.0);
  let k = floor(y + 0.5);
  return scale(exp2m1_poly(y - k) + 1.0, k);
}` },
  expm1: { needs: ['exp', 'exp_tail', 'm1'], text: `fn ssm_expm1(x: f32) -> f32 {
  let y = select(select(x, -87.0, x < -87.0), 88.0, x > 88.0);
  let k = floor(y * ${LOG2E} + 0.5);
  let r = ${less('y', 'k', [LN2_HI, LN2_LO])};
  return select(m1(exp_tail(r) + r, k), ssm_exp(x), x > 80.0);
}` },
  exp2m1: { needs: ['exp2', 'exp2m1_poly', 'm1'], text: `fn ssm_exp2m1(x: f32) -> f32 {
  let y = select(select(x, -126.0, x < -126.0), 127.0, x > 127.0);
  let k = floor(y + 0.5);
  return select(m1(exp2m1_poly(y - k), k), ssm_exp2(x), x > 100.0);
}` },
  // Arguments at most 0; below 2^-100 it is 0.
  exp2_decay: { needs: ['power'], text: `fn ssm_exp2_decay(x: f32) -> f32 {
  let y = select(x, -126.0, x < -126.0);
  let k = floor(y + 0.5);
  let r = y - k;
  let p = ${horner('r', EXP2_SHORT)};
  return select(p * power(k), 0.0, x <= -100.0);
}` },
  exp2m1_decay: { needs: ['power'], text: `fn ssm_exp2m1_decay(x: f32) -> f32 {
${DECAY_PARTS}
  let s = power(k);
  return p * s + (s - 1.0);
}` },
  // 2^x·h + f = w + ((2^r − 1)·w + f) with w = 2^k·h: near x = 0 the increment is rounded relative to itself.
  decay: { needs: ['power'], text: `fn ssm_decay(x: f32, h: f32, f: f32) -> f32 {
${DECAY_PARTS}
  let w = power(k) * h;
  return w + (p * w + f);
}` },
  log1p_small: { needs: [], text: `fn log1p_small(f: f32) -> f32 {
${lines('p', 'f', LOG_TAIL)}
  let square = f * f;
  return (square * f * p - 0.5 * square) + f;
}` },
  log: { needs: ['log1p_small'], text: `fn ssm_log(x: f32) -> f32 {
  let tiny = x < 1.1754943508222875e-38;
  let y = select(x, x * 8388608.0, tiny);
  let shifted = bitcast<i32>(y) - 0x3f3504f3;
  let e = f32(shifted >> 23u) - select(0.0, 23.0, tiny);
  let f = bitcast<f32>((shifted & 0x007fffff) + 0x3f3504f3) - 1.0;
  let value = (log1p_small(f) - e * ${-LN2_LO}) + e * ${LN2_HI};
  // 0, negatives and infinity: the built-in has them right.
  return select(log(x), value, x > 0.0 && x < 3.4028234663852886e38);
}` },
  log1p: { needs: ['log', 'log1p_small'], text: `fn ssm_log1p(x: f32) -> f32 {
  return select(ssm_log(x + 1.0), log1p_small(x), x > -0.2928932 && x < 0.41421357);
}` },
  softplus: { needs: ['exp', 'log1p_small'], text: `fn ssm_softplus(x: f32) -> f32 {
  let u = ssm_exp(-abs(x));
  let large = u > 0.41421357;
  return log1p_small(select(u, (u - 1.0) * 0.5, large)) + select(0.0, 0.6931471805599453, large) + max(x, 0.0);
}` },
  sigmoid: { needs: ['exp'], text: `fn ssm_sigmoid(x: f32) -> f32 {
  let e = ssm_exp(-abs(x));
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}` },
  silu: { needs: ['sigmoid'], text: `fn ssm_silu(x: f32) -> f32 {
  return x * ssm_sigmoid(x);
}` },
  tanh: { needs: ['expm1'], text: `fn ssm_tanh(x: f32) -> f32 {
  let t = ssm_expm1(-2.0 * abs(x));
  let y = -t / (t + 2.0);
  return select(y, -y, x < 0.0);
}` },
  // π/2 in parts of 12 bits: their products with small quadrants are exact.
  trig: { needs: [], text: `fn trig(x: f32, quarter: i32) -> f32 {
  let k = round(x * 0.6366197723675814);
  let r = ${less('x', 'k', HALF_PI)};
  let q = i32(k) + quarter;
  let s = r * r;
  let sine = s * r * (${horner('s', SIN_TAIL)}) + r;
  let cosine = (s * s * (${horner('s', COS_TAIL)}) - 0.5 * s) + 1.0;
  let y = select(sine, cosine, (q & 1) == 1);
  return select(y, -y, (q & 2) == 2);
}` },
  sin: { needs: ['trig'], text: `fn ssm_sin(x: f32) -> f32 {
  return trig(x, 0);
}` },
  cos: { needs: ['trig'], text: `fn ssm_cos(x: f32) -> f32 {
  return trig(x, 1);
}` },
  gelu: { needs: ['exp'], text: `fn ssm_gelu(x: f32) -> f32 {
  let z = abs(x) * 0.7071067811865476;
  let t = 1.0 / (z * 0.5 + 1.0);
${lines('p', 't', ERFC)}
  let half = 0.5 * t * ssm_exp(p - z * z);
  return x * select(1.0 - half, half, x < 0.0);
}` },
  rsqrt: { needs: [], text: `fn ssm_rsqrt(x: f32) -> f32 {
  return 1.0 / sqrt(x);
}` },
};

export const isFunction = (name: string): name is WgslFunction => name in sources;
/** The functions and what they need, each after what it calls. */
export function functionTexts(names: ReadonlySet<WgslFunction>): string[] {
  return withNeeds<WgslFunction | Helper>(sources, names);
}
