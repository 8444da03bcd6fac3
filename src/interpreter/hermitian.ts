/**
 * Eigenvalues and eigenvectors of Hermitian matrices, for initialisers: Jacobi's method, whose rotations are unitary, so that the
 * vectors are orthogonal to rounding whatever the matrix. Not for large matrices: n³ operations a sweep, some ten sweeps.
 */
import type { Definition, DefinitionOf } from '../ir/program.js';
import { InterpretError } from './error.js';
import { sizes, width } from './tensors.js';

/** `vectors[row, k]` as pairs re, im: the k-th column belongs to the k-th value. Each column's largest element is real and positive. */
export interface Eigen {
  readonly values: Float64Array;
  readonly vectors: Float64Array;
}

/** Of a row-major n×n matrix of pairs; values ascend. @throws InterpretError where it is not Hermitian to 1e-12 of its largest element, or not finite. */
export function hermitianEigen(matrix: Float64Array, n: number, name: string): Eigen {
  demandHermitian(matrix, n, name);
  const a = matrix.slice();
  const v = new Float64Array(2 * n * n);
  for (let i = 0; i < n; i++) v[2 * (i * n + i)] = 1;
  const small = 2 ** -60 * Math.sqrt(a.reduce((sum, x) => sum + x * x, 0));
  for (let sweep = 0; sweep < 60 && offDiagonal(a, n) > small; sweep++) {
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, v, n, p, q);
  }
  const order = Array.from({ length: n }, (_, k) => k).sort((x, y) => (a[2 * (x * n + x)] as number) - (a[2 * (y * n + y)] as number));
  const vectors = new Float64Array(2 * n * n);
  order.forEach((from, to) => copyColumn(v, vectors, n, from, to));
  return { values: Float64Array.from(order, (k) => a[2 * (k * n + k)] as number), vectors };
}
function demandHermitian(a: Float64Array, n: number, name: string): void {
  const largest = a.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) {
    const [x, y] = [2 * (i * n + j), 2 * (j * n + i)];
    const apart = Math.hypot((a[x] as number) - (a[y] as number), (a[x + 1] as number) + (a[y + 1] as number));
    if (!(apart <= 1e-12 * largest)) {
      throw new InterpretError('weight', `the matrix ${name} is not Hermitian: [${i}, ${j}] is ${pairText(a, x)}, [${j}, ${i}] is ${pairText(a, y)}; eigenvalues and eigenvectors are of Hermitian matrices`);
    }
  }
}
const pairText = (a: Float64Array, at: number): string => `${Number((a[at] as number).toPrecision(6))} + ${Number((a[at + 1] as number).toPrecision(6))}i`;
/** The Frobenius norm of what is left beside the diagonal. */
function offDiagonal(a: Float64Array, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) if (i !== j) sum += (a[2 * (i * n + j)] as number) ** 2 + (a[2 * (i * n + j) + 1] as number) ** 2;
  return Math.sqrt(sum);
}
/** A ← J* A J and V ← V J with J the rotation of the plane p, q that makes A[p, q] zero. */
function rotate(a: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  const pq = 2 * (p * n + q);
  const modulus = Math.hypot(a[pq] as number, a[pq + 1] as number);
  if (modulus === 0) return;
  const phase: readonly [number, number] = [(a[pq] as number) / modulus, (a[pq + 1] as number) / modulus];
  const tau = ((a[2 * (q * n + q)] as number) - (a[2 * (p * n + p)] as number)) / (2 * modulus);
  const t = (tau < 0 ? -1 : 1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
  const c = 1 / Math.sqrt(1 + t * t);
  const s = t * c;
  // Columns of A and V, then rows of A, which take the conjugate phase.
  for (let i = 0; i < n; i++) {
    mix(a, 2 * (i * n + p), 2 * (i * n + q), c, s, phase[0], phase[1]);
    mix(v, 2 * (i * n + p), 2 * (i * n + q), c, s, phase[0], phase[1]);
  }
  for (let j = 0; j < n; j++) mix(a, 2 * (p * n + j), 2 * (q * n + j), c, s, phase[0], -phase[1]);
  a[pq] = a[pq + 1] = a[2 * (q * n + p)] = a[2 * (q * n + p) + 1] = 0;
  a[2 * (p * n + p) + 1] = a[2 * (q * n + q) + 1] = 0;
}
/** x ← c·x − s·conj(e)·y, y ← s·e·x + c·y, e a phase. */
function mix(a: Float64Array, x: number, y: number, c: number, s: number, re: number, im: number): void {
  const [xr, xi, yr, yi] = [a[x] as number, a[x + 1] as number, a[y] as number, a[y + 1] as number];
  a[x] = c * xr - s * (re * yr + im * yi);
  a[x + 1] = c * xi - s * (re * yi - im * yr);
  a[y] = s * (re * xr - im * xi) + c * yr;
  a[y + 1] = s * (re * xi + im * xr) + c * yi;
}
/** With the phase that makes its largest element real and positive. */
function copyColumn(v: Float64Array, to: Float64Array, n: number, from: number, column: number): void {
  let [best, largest] = [0, -1];
  for (let i = 0; i < n; i++) {
    const modulus = Math.hypot(v[2 * (i * n + from)] as number, v[2 * (i * n + from) + 1] as number);
    if (modulus > largest) [best, largest] = [i, modulus];
  }
  const at = 2 * (best * n + from);
  const [re, im] = [(v[at] as number) / largest, (v[at + 1] as number) / largest];
  for (let i = 0; i < n; i++) {
    const [x, y] = [v[2 * (i * n + from)] as number, v[2 * (i * n + from) + 1] as number];
    to[2 * (i * n + column)] = x * re + y * im;
    to[2 * (i * n + column) + 1] = y * re - x * im;
  }
}

/** The cells of an `eigen` definition from those of its matrix, for each value of the indices before the last two. */
export function eigenOf(d: DefinitionOf<'eigen'>, matrix: Definition, data: Float64Array): Float64Array {
  const n = sizes(matrix).at(-1) as number;
  const [from, to] = [width(matrix), width(d)];
  const count = data.length / (from * n * n);
  const per = (d.part === 'values' ? n : n * n) * to;
  const result = new Float64Array(count * per);
  for (let k = 0; k < count; k++) {
    const pairs = new Float64Array(2 * n * n);
    for (let i = 0; i < n * n; i++) for (let part = 0; part < from; part++) pairs[2 * i + part] = data[(k * n * n + i) * from + part] as number;
    const { values, vectors } = hermitianEigen(pairs, n, matrix.name);
    result.set(d.part === 'values' ? values : to === 2 ? vectors : vectors.filter((_, i) => i % 2 === 0), k * per);
  }
  return result;
}
