/** Inverses of square matrices of complex numbers (re, im interleaved), by Gauss-Jordan elimination with partial pivoting. */
import type { Definition } from '../ir/program.js';
import { div, mul, sub, type Pair } from './complex.js';
import { InterpretError } from './error.js';
import { sizes, width } from './tensors.js';

/**
 * `matrix` and the result are row-major n×n pairs. Rows are scaled to a largest element of 1 before pivots are compared; a pivot
 * below n·2⁻⁵² then means that the matrix is singular to working precision, which throws.
 */
export function invertMatrix(matrix: readonly Pair[], n: number, name: string): Pair[] {
  const rows = Array.from({ length: n }, (_, i) => scaledRow(matrix.slice(i * n, (i + 1) * n), i));
  for (let column = 0; column < n; column++) {
    let best = column;
    for (let i = column + 1; i < n; i++) if (modulus(rows, i, column) > modulus(rows, best, column)) best = i;
    if (!(modulus(rows, best, column) > n * 2 ** -52)) throw new InterpretError('weight', `the matrix ${name} is singular: no pivot in column ${column}`);
    [rows[column], rows[best]] = [rows[best] as Pair[], rows[column] as Pair[]];
    const pivotRow = rows[column] as Pair[];
    const pivot = pivotRow[column] as Pair;
    for (let j = 0; j < 2 * n; j++) pivotRow[j] = div(pivotRow[j] as Pair, pivot);
    for (let i = 0; i < n; i++) {
      const row = rows[i] as Pair[];
      const factor = row[column] as Pair;
      if (i === column || (factor[0] === 0 && factor[1] === 0)) continue;
      for (let j = 0; j < 2 * n; j++) row[j] = sub(row[j] as Pair, mul(factor, pivotRow[j] as Pair));
    }
  }
  return rows.flatMap((row) => row.slice(n));

  /** [row i of the matrix | row i of the identity], divided by the largest element of the former. */
  function scaledRow(row: readonly Pair[], i: number): Pair[] {
    const largest = Math.max(...row.map(([re, im]) => Math.hypot(re, im)));
    const scale = largest > 0 && Number.isFinite(largest) ? largest : 1;
    const unit = Array.from({ length: n }, (_, j): Pair => [j === i ? 1 : 0, 0]);
    return [...row, ...unit].map(([re, im]): Pair => [re / scale, im / scale]);
  }
}
const modulus = (rows: readonly (readonly Pair[])[], i: number, j: number): number => {
  const [re, im] = rows[i]?.[j] ?? [0, 0];
  return Math.hypot(re, im);
};

/** def[..., row, column]: the inverse in the last two indices, for each value of the others and of time. */
export function inverseOf(d: Definition, matrix: Definition, data: Float64Array): Float64Array {
  const [rows, columns] = sizes(matrix).slice(-2);
  if (rows === undefined || rows !== columns) throw new InterpretError('program', `${matrix.name} is not square`);
  const [from, to, area] = [width(matrix), width(d), rows * rows];
  const result = new Float64Array((data.length / from) * to);
  for (let first = 0; first < data.length / from; first += area) {
    const elements = Array.from({ length: area }, (_, k): Pair => [data[(first + k) * from] as number, from === 2 ? (data[(first + k) * 2 + 1] as number) : 0]);
    invertMatrix(elements, rows, matrix.name).forEach((pair, k) => {
      for (let part = 0; part < to; part++) result[(first + k) * to + part] = pair[part] as number;
    });
  }
  return result;
}
