/** The complementary error function in float64: its series near 0, its continued fraction beyond (Abramowitz, Stegun 7.1.5, 7.1.14). */
export function erfc(x: number): number {
  const z = Math.abs(x);
  const root = Math.sqrt(Math.PI);
  let sum = 0;
  let right: number;
  if (z < 2.5) {
    for (let n = 0, term = z; n < 99; term *= (-z * z) / ++n) sum += term / (2 * n + 1);
    right = 1 - (2 / root) * sum;
  } else {
    for (let k = 120; k > 0; k--) sum = k / 2 / (z + sum);
    right = Math.exp(-z * z) / root / (z + sum);
  }
  return x < 0 ? 2 - right : right;
}
