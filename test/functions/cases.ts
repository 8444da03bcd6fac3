/** Elementary functions over the whole range of float32, what they should give, and how near: for the targets that write their own. */
import { erfc } from '../../src/runtime/erfc.js';

export interface Case {
  readonly of: (x: number) => number;
  /** The largest error in units of the last place, relative, or beside the larger of 1 and the value. */
  readonly ulp?: number;
  readonly relative?: number;
  readonly absolute?: number;
  readonly domain?: (x: number) => boolean;
}
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
export const cases = {
  exp: { of: Math.exp, ulp: 3 },
  exp2: { of: (x) => 2 ** x, ulp: 3 },
  expm1: { of: Math.expm1, ulp: 3 },
  exp2m1: { of: (x) => Math.expm1(x * Math.LN2), ulp: 3 },
  log: { of: Math.log, ulp: 3, domain: (x) => x >= SMALLEST },
  log1p: { of: Math.log1p, ulp: 3, domain: (x) => x > -1 },
  softplus: { of: softplus, relative: 1e-6 },
  sigmoid: { of: (x) => 1 / (1 + Math.exp(-x)), ulp: 8 },
  silu: { of: (x) => x / (1 + Math.exp(-x)), relative: 1e-6, domain: (x) => x > -80 },
  tanh: { of: Math.tanh, ulp: 4 },
  gelu: { of: (x) => 0.5 * x * erfc(-x * Math.SQRT1_2), absolute: 1e-6, domain: (x) => Math.abs(x) < 12 },
  sin: { of: Math.sin, absolute: 2e-7, domain: (x) => Math.abs(x) <= 1e4 },
  cos: { of: Math.cos, absolute: 2e-7, domain: (x) => Math.abs(x) <= 1e4 },
  rsqrt: { of: (x) => 1 / Math.sqrt(x), ulp: 3, domain: (x) => x >= SMALLEST },
  exp2_decay: { of: (x) => (x <= -100 ? 0 : 2 ** x), ulp: 4, domain: (x) => x <= 0 },
  exp2m1_decay: { of: (x) => Math.expm1(x * Math.LN2), relative: 1e-6, domain: (x) => x <= 0 },
} satisfies Record<string, Case>;
/** The smallest normal number: WGSL may take what is below for 0, in arguments and results. */
const SMALLEST = 2 ** -126;
const LARGEST = (2 - 2 ** -23) * 2 ** 127;
/** Every normal exponent, both signs, densely near 0 and over the range where results are normal. */
export function samples(): Float32Array<ArrayBuffer> {
  const out: number[] = [0, 88.72, -87.3, -103.9, 127.99, 128, -126, -149];
  for (let e = -126; e < 128; e++) for (let k = 0; k < 64; k++) out.push(2 ** e * (1 + k / 64), -(2 ** e) * (1 + k / 64));
  for (let k = 0; k < 40_000; k++) out.push(-110 + (k * 240) / 40_000, -4 + (k * 8) / 40_000);
  return Float32Array.from(out);
}
/** The error at one point, in the case's unit. */
export function errorAt(c: Case, got: number, want: number): number {
  if (Math.abs(want) > LARGEST) return got === Math.sign(want) * Infinity || Math.abs(got - Math.sign(want) * LARGEST) <= 1e-6 * LARGEST ? 0 : Infinity;
  // Below the normal range: anything from 0 to the smallest normal number.
  if (Math.abs(want) < SMALLEST && Math.abs(got) <= SMALLEST && got * want >= 0) return 0;
  const unit = c.ulp !== undefined ? 2 ** (Math.floor(Math.log2(Math.abs(want))) - 23) : c.relative !== undefined ? Math.abs(want) : Math.max(1, Math.abs(want));
  const error = got === want ? 0 : Math.abs(got - want) / unit;
  return Number.isNaN(error) ? Infinity : error;
}
/** The worst of a function's samples inside its domain. */
export function worstOf(c: Case, x: Float32Array, y: Float32Array): { readonly error: number; readonly at: number; readonly got: number; readonly tested: number; readonly bound: number } {
  let tested = 0;
  let worst = { error: 0, at: NaN, got: NaN };
  x.forEach((at, i) => {
    if (!(c.domain?.(at) ?? true)) return;
    tested++;
    const error = errorAt(c, y[i] as number, c.of(at));
    if (error > worst.error) worst = { error, at, got: y[i] as number };
  });
  return { ...worst, tested, bound: c.ulp ?? c.relative ?? c.absolute ?? 0 };
}
