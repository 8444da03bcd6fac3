/**
 * Plain float64 arithmetic for the papers' definitions. It shares nothing with the compiler, so that a test of one against the other
 * can't repeat a mistake; clearness goes before speed.
 */
export interface Array_ {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}
export type Weights = ReadonlyMap<string, Array_>;
/** [step][channel]. */
export type Rows = readonly (readonly number[])[];

export function element(w: Weights, name: string, ...at: readonly number[]): number {
  const found = w.get(name);
  if (!found) throw new Error(`no weight ${name}: ${[...w.keys()].join(', ')}`);
  const shape = found.shape.filter((n) => n !== 1 || found.shape.length === at.length);
  if (shape.length !== at.length || at.some((k, axis) => k < 0 || k >= (shape[axis] as number))) throw new Error(`${name} of [${found.shape.join(', ')}] at [${at.join(', ')}]`);
  return found.data[at.reduce((place, k, axis) => place * (shape[axis] as number) + k, 0)] as number;
}
export const range = <T>(n: number, f: (k: number) => T): T[] => Array.from({ length: n }, (_, k) => f(k));
export const sum = (n: number, f: (k: number) => number): number => {
  let s = 0;
  for (let k = 0; k < n; k++) s += f(k);
  return s;
};
export const at = <T>(list: readonly T[], k: number): T => list[k] as T;

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
export const silu = (x: number): number => x * sigmoid(x);
export const softplus = (x: number): number => (x > 30 ? x + Math.exp(-x) : Math.log1p(Math.exp(x)));
/** The error function: Taylor's series about 0, Lentz-free continued fraction of the tail beyond 2.5. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 2.5) {
    let f = 0;
    for (let k = 120; k > 0; k--) f = k / 2 / (a + f);
    const tail = Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + f);
    return x > 0 ? 1 - tail : tail - 1;
  }
  let [term, total] = [x, x];
  for (let n = 1; n < 100; n++) {
    term *= (-x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}
export const gelu = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));
/** rows[r] of W·v + b. */
export const linear = (w: Weights, weight: string, rows: number, v: readonly number[], first = 0): number[] => range(rows, (r) => sum(v.length, (c) => element(w, weight, first + r, c) * at(v, c)));
export const plus = (a: readonly number[], b: readonly number[]): number[] => a.map((x, k) => x + at(b, k));
/** The gated linear layer: the first half by the sigmoid of the second. */
export function glu(w: Weights, name: string, v: readonly number[]): number[] {
  const out = linear(w, `${name}.weight`, 2 * v.length, v).map((x, r) => x + element(w, `${name}.bias`, r));
  return range(v.length, (c) => at(out, c) * sigmoid(at(out, v.length + c)));
}

export class Complex {
  constructor(readonly re: number, readonly im = 0) {}
  plus(b: Complex): Complex { return new Complex(this.re + b.re, this.im + b.im); }
  minus(b: Complex): Complex { return new Complex(this.re - b.re, this.im - b.im); }
  times(b: Complex | number): Complex { return typeof b === 'number' ? new Complex(this.re * b, this.im * b) : new Complex(this.re * b.re - this.im * b.im, this.re * b.im + this.im * b.re); }
  over(b: Complex): Complex { const n = b.re ** 2 + b.im ** 2; return this.times(b.conj()).times(1 / n); }
  conj(): Complex { return new Complex(this.re, -this.im); }
  exp(): Complex { return new Complex(Math.exp(this.re) * Math.cos(this.im), Math.exp(this.re) * Math.sin(this.im)); }
  abs(): number { return Math.hypot(this.re, this.im); }
}
export const one = new Complex(1);
export const pair = (w: Weights, name: string, ...place: readonly number[]): Complex => new Complex(element(w, name, ...place, 0), element(w, name, ...place, 1));

export type Matrix = Complex[][];
export const matrix = (n: number, f: (i: number, j: number) => Complex): Matrix => range(n, (i) => range(n, (j) => f(i, j)));
export const apply = (a: Matrix, v: readonly Complex[]): Complex[] => a.map((row) => row.reduce((s, x, k) => s.plus(x.times(at(v, k))), new Complex(0)));
/** X with A X = B, columns given as B's, by Gaussian elimination with partial pivoting. */
export function solve(a: Matrix, b: Matrix): Matrix {
  const n = a.length;
  const rows = a.map((row, i) => [...row, ...at(b, i)]);
  for (let c = 0; c < n; c++) {
    let p = c;
    for (let r = c; r < n; r++) if (at(at(rows, r), c).abs() > at(at(rows, p), c).abs()) p = r;
    [rows[c], rows[p]] = [at(rows, p), at(rows, c)];
    const pivot = at(rows, c);
    for (let r = c + 1; r < n; r++) {
      const f = at(at(rows, r), c).over(at(pivot, c));
      if (f.abs() !== 0) rows[r] = at(rows, r).map((x, k) => (k < c ? x : x.minus(f.times(at(pivot, k)))));
    }
  }
  const width = at(b, 0).length;
  const x: Matrix = range(n, () => []);
  for (let i = n - 1; i >= 0; i--) {
    x[i] = range(width, (j) => {
      let s = at(at(rows, i), n + j);
      for (let k = i + 1; k < n; k++) s = s.minus(at(at(rows, i), k).times(at(at(x, k), j)));
      return s.over(at(at(rows, i), i));
    });
  }
  return x;
}
/** Bilinear discretisation of h' = A h + B u: (I - dt/2 A)^-1 (I + dt/2 A), and (I - dt/2 A)^-1 dt B. */
export function bilinear(a: Matrix, b: readonly Complex[], dt: number): { A: Matrix; B: Complex[] } {
  const n = a.length;
  const unit = (i: number, j: number): Complex => new Complex(i === j ? 1 : 0);
  const left = matrix(n, (i, j) => unit(i, j).minus(at(at(a, i), j).times(dt / 2)));
  const right = matrix(n, (i, j) => unit(i, j).plus(at(at(a, i), j).times(dt / 2)));
  const both = solve(left, right.map((row, i) => [...row, at(b, i).times(dt)]));
  return { A: both.map((row) => row.slice(0, n)), B: both.map((row) => at(row, n)) };
}
/** y_t = Re C h_t, h_t = A h_{t-1} + B u_t, real and imaginary parts in flat arrays: the one loop here that long sequences run. */
export function unroll(a: Matrix, b: readonly Complex[], c: readonly Complex[], u: readonly number[]): number[] {
  const n = a.length;
  const ar = Float64Array.from(a.flat(), (z) => z.re);
  const ai = Float64Array.from(a.flat(), (z) => z.im);
  let [hr, hi] = [new Float64Array(n), new Float64Array(n)];
  return u.map((v) => {
    const [nr, ni] = [new Float64Array(n), new Float64Array(n)];
    let y = 0;
    for (let i = 0; i < n; i++) {
      let [re, im] = [at(b, i).re * v, at(b, i).im * v];
      for (let j = 0; j < n; j++) {
        const [x, z, p, q] = [ar[i * n + j] as number, ai[i * n + j] as number, hr[j] as number, hi[j] as number];
        re += x * p - z * q;
        im += x * q + z * p;
      }
      nr[i] = re;
      ni[i] = im;
      y += at(c, i).re * re - at(c, i).im * im;
    }
    [hr, hi] = [nr, ni];
    return y;
  });
}
/** Zero-order hold: exp(dt A) and A^-1 (exp(dt A) - 1) B, by Taylor's series of both for dt / 2^s, then s times twice the step: T² and T b + b. */
export function zeroOrderHold(a: Matrix, b: readonly Complex[], dt: number): { A: Matrix; B: Complex[] } {
  const n = a.length;
  const squarings = 12;
  const times = (x: Matrix, y: Matrix): Matrix => matrix(n, (i, j) => {
    let [re, im] = [0, 0];
    for (let k = 0; k < n; k++) {
      const [p, q] = [at(at(x, i), k), at(at(y, k), j)];
      re += p.re * q.re - p.im * q.im;
      im += p.re * q.im + p.im * q.re;
    }
    return new Complex(re, im);
  });
  const small = a.map((row) => row.map((z) => z.times(dt / 2 ** squarings)));
  let T = matrix(n, (i, j) => new Complex(i === j ? 1 : 0));
  let power = T;
  let drive: Complex[] = range(n, () => new Complex(0));
  for (let k = 1; k <= 12; k++) {
    // power is X^(k-1) / (k-1)!: over k and times dt it is a term of the integral of exp.
    drive = apply(power, b).map((z, i) => at(drive, i).plus(z.times(dt / 2 ** squarings / k)));
    power = times(power, small).map((row) => row.map((z) => z.times(1 / k)));
    T = matrix(n, (i, j) => at(at(T, i), j).plus(at(at(power, i), j)));
  }
  for (let k = 0; k < squarings; k++) {
    drive = apply(T, drive).map((z, i) => z.plus(at(drive, i)));
    T = times(T, T);
  }
  return { A: T, B: drive };
}
