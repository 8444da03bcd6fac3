/** Inverses of load-time matrices: Gauss and Jordan with partial pivoting, float64. */
import { failure } from './errors.js';

/** `count` matrices of n×n, row-major. @throws WeightsError SSM5008 where one is singular. */
export function invert(from: Float64Array, to: Float64Array, count: number, n: number, name: string): void {
  for (let first = 0; first < count * n; first += n) {
    // Each row, and beside it that of the identity.
    const rows = Array.from({ length: n }, (_, i): Float64Array => {
      const row = new Float64Array(2 * n);
      row.set(from.subarray((first + i) * n, (first + i + 1) * n));
      row[n + i] = 1;
      return row;
    });
    const at = (r: number, c: number): number => (rows[r] as Float64Array)[c] as number;
    for (let c = 0; c < n; c++) {
      let p = c;
      for (let r = c; r < n; r++) if (Math.abs(at(r, c)) > Math.abs(at(p, c))) p = r;
      const pivot = at(p, c);
      if (!pivot || !Number.isFinite(pivot)) throw failure(5008, { name });
      const row = (rows[p] as Float64Array).map((v) => v / pivot);
      rows[p] = rows[c] as Float64Array;
      rows[c] = row;
      for (const other of rows) {
        const f = other[c] as number;
        if (other !== row && f) for (let j = 0; j < 2 * n; j++) other[j] = (other[j] as number) - f * (row[j] as number);
      }
    }
    rows.forEach((row, i) => to.set(row.subarray(n), (first + i) * n));
  }
}
