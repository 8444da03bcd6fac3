/** Inverses of load-time matrices: Gauss and Jordan with partial pivoting, float64. */
import { failure } from './errors.js';

/** `count` matrices of size×size, row-major. @throws WeightsError SSM5008 where one is singular. */
export function invert(from: Float64Array, to: Float64Array, count: number, size: number, name: string): void {
  for (let k = 0; k < count; k++) one(from.subarray(k * size * size, (k + 1) * size * size), to.subarray(k * size * size, (k + 1) * size * size), size, name);
}
function one(from: Float64Array, to: Float64Array, n: number, name: string): void {
  const a = from.slice();
  to.fill(0);
  for (let i = 0; i < n; i++) to[i * n + i] = 1;
  const swap = (m: Float64Array, p: number, q: number): void => {
    for (let j = 0; j < n; j++) [m[p * n + j], m[q * n + j]] = [m[q * n + j] as number, m[p * n + j] as number];
  };
  for (let c = 0; c < n; c++) {
    let p = c;
    for (let r = c + 1; r < n; r++) if (Math.abs(a[r * n + c] as number) > Math.abs(a[p * n + c] as number)) p = r;
    const pivot = a[p * n + c] as number;
    if (!(Math.abs(pivot) > 0) || !Number.isFinite(pivot)) throw failure('SSM5008', { name });
    if (p !== c) { swap(a, p, c); swap(to, p, c); }
    for (let j = 0; j < n; j++) { a[c * n + j] = (a[c * n + j] as number) / pivot; to[c * n + j] = (to[c * n + j] as number) / pivot; }
    for (let r = 0; r < n; r++) {
      const f = a[r * n + c] as number;
      if (r === c || f === 0) continue;
      for (let j = 0; j < n; j++) { a[r * n + j] = (a[r * n + j] as number) - f * (a[c * n + j] as number); to[r * n + j] = (to[r * n + j] as number) - f * (to[c * n + j] as number); }
    }
  }
}
