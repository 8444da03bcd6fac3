/**
 * Elementary functions in WGSL, of our own: the built-in exp may be off by 3 + 2|x| ulp with a bias that long memories amplify, and
 * log(1 + exp(x)) loses small steps. Powers of two are made from bits, never by adding a large number, which a compiler may reassociate.
 * Coefficients: see targets/wasm/math/functions.ts.
 */
import { withNeeds } from '../texts.js';

export type WgslFunction =
  | 'exp' | 'exp2' | 'expm1' | 'exp2m1' | 'exp2_decay' | 'exp2m1_decay' | 'log' | 'log1p' | 'sin' | 'cos' | 'tanh' | 'sigmoid' | 'silu' | 'softplus' | 'gelu' | 'rsqrt';

interface Source {
  readonly needs: readonly (WgslFunction | Helper)[];
  readonly text: string;
}
type Helper = 'scale' | 'exp_tail' | 'exp2m1_poly' | 'log1p_small' | 'm1' | 'trig';

const sources: Readonly<Record<WgslFunction | Helper, Source>> = {
  // x·2^k for k in [−300, 300], in two steps: results below the normal range are rounded once.
  scale: { needs: [], text: `fn scale(x: f32, k: i32) -> f32 {
  let half = k >> 1u;
  return x * bitcast<f32>((half + 127) << 23u) * bitcast<f32>((k - half + 127) << 23u);
}` },
  exp_tail: { needs: [], text: `fn exp_tail(r: f32) -> f32 {
  return r * r * ((((0.001394121441990137 * r + 0.00836323481053114) * r + 0.04166637361049652) * r + 0.16666576266288757) * r + 0.5);
}` },
  exp2m1_poly: { needs: [], text: `fn exp2m1_poly(r: f32) -> f32 {
  return r * (((((0.00015403507859446108 * r + 0.0013390735257416964) * r + 0.009618237614631653) * r + 0.05550357326865196) * r + 0.24022649228572845) * r + 0.6931471824645996);
}` },
  m1: { needs: [], text: `fn m1(p: f32, k: f32) -> f32 {
  let s = bitcast<f32>((i32(k) + 127) << 23u);
  return p * s + (s - 1.0);
}` },
  exp: { needs: ['scale', 'exp_tail'], text: `fn ssm_exp(x: f32) -> f32 {
  let y = clamp(x, -110.0, 90.0);
  let k = round(y * 1.4426950408889634);
  let r = (y - k * 0.693359375) + k * 0.00021219444170128554;
  return scale(exp_tail(r) + r + 1.0, i32(k));
}` },
  exp2: { needs: ['scale', 'exp2m1_poly'], text: `fn ssm_exp2(x: f32) -> f32 {
  let y = clamp(x, -160.0, 129.0);
  let k = round(y);
  return scale(exp2m1_poly(y - k) + 1.0, i32(k));
}` },
  expm1: { needs: ['exp', 'exp_tail', 'm1'], text: `fn ssm_expm1(x: f32) -> f32 {
  let y = clamp(x, -87.0, 88.0);
  let k = round(y * 1.4426950408889634);
  let r = (y - k * 0.693359375) + k * 0.00021219444170128554;
  return select(m1(exp_tail(r) + r, k), ssm_exp(x), x > 80.0);
}` },
  exp2m1: { needs: ['exp2', 'exp2m1_poly', 'm1'], text: `fn ssm_exp2m1(x: f32) -> f32 {
  let y = clamp(x, -126.0, 127.0);
  let k = round(y);
  return select(m1(exp2m1_poly(y - k), k), ssm_exp2(x), x > 100.0);
}` },
  // Arguments at most 0; below 2^-100 it is 0.
  exp2_decay: { needs: [], text: `fn ssm_exp2_decay(x: f32) -> f32 {
  let y = max(x, -126.0);
  let k = round(y);
  let r = y - k;
  let p = ((((0.0013276466634124517 * r + 0.009675540961325169) * r + 0.05550713464617729) * r + 0.24022120237350464) * r + 0.6931469440460205) * r + 1.0000001192092896;
  return select(p * bitcast<f32>((i32(k) + 127) << 23u), 0.0, x <= -100.0);
}` },
  exp2m1_decay: { needs: [], text: `fn ssm_exp2m1_decay(x: f32) -> f32 {
  let y = max(x, -126.0);
  let k = round(y);
  let r = y - k;
  let s = bitcast<f32>((i32(k) + 127) << 23u);
  let p = r * ((((0.001333353342488408 * r + 0.009666245430707932) * r + 0.05550500378012657) * r + 0.24022351205348969) * r + 0.6931471228599548);
  return p * s + (s - 1.0);
}` },
  log1p_small: { needs: [], text: `fn log1p_small(f: f32) -> f32 {
  var p = 0.06768515706062317;
  p = p * f - 0.11713103204965591;
  p = p * f + 0.11898887902498245;
  p = p * f - 0.12400543689727783;
  p = p * f + 0.14217543601989746;
  p = p * f - 0.16668187081813812;
  p = p * f + 0.2000221610069275;
  p = p * f - 0.25000008940696716;
  p = p * f + 0.3333331048488617;
  let square = f * f;
  return (square * f * p - 0.5 * square) + f;
}` },
  log: { needs: ['log1p_small'], text: `fn ssm_log(x: f32) -> f32 {
  let tiny = x < 1.1754943508222875e-38;
  let y = select(x, x * 8388608.0, tiny);
  let shifted = bitcast<i32>(y) - 0x3f3504f3;
  let e = f32(shifted >> 23u) - select(0.0, 23.0, tiny);
  let f = bitcast<f32>((shifted & 0x007fffff) + 0x3f3504f3) - 1.0;
  let value = (log1p_small(f) - e * 0.00021219444170128554) + e * 0.693359375;
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
  let r = (((x - k * 1.5703125) - k * 0.0004837512969970703) - k * 7.549533620476723e-8) - k * 2.5632829192545614e-12;
  let q = i32(k) + quarter;
  let s = r * r;
  let sine = s * r * (((2.724385922192596e-6 * s - 0.00019840039021801203) * s + 0.008333331905305386) * s - 0.1666666716337204) + r;
  let cosine = (s * s * (((-2.72958857294725e-7 * s + 2.4800561732263304e-5) * s - 0.00138888880610466) * s + 0.0416666679084301) - 0.5 * s) + 1.0;
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
  var p = 0.14219491183757782;
  p = p * t - 0.6660666465759277;
  p = p * t + 1.1224092245101929;
  p = p * t - 0.651259183883667;
  p = p * t - 0.11677888035774231;
  p = p * t + 0.020191535353660583;
  p = p * t + 0.028358561918139458;
  p = p * t + 0.3878994286060333;
  p = p * t + 0.9984925389289856;
  p = p * t - 1.2654414176940918;
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
