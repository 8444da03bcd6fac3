/** The complementary error function in float64: its series near 0, its continued fraction beyond (Abramowitz, Stegun 7.1.5, 7.1.14). */
export function erfc(x: number): number {
  const z = Math.abs(x);
  const right = z < 2.5 ? 1 - series(z) : fraction(z);
  return x < 0 ? 2 - right : right;
}
function series(z: number): number {
  let sum = z;
  let term = z;
  for (let n = 1; n < 200 && Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (-z * z) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
function fraction(z: number): number {
  if (z > 27) return 0;
  let f = 0;
  for (let k = 120; k > 0; k--) f = k / 2 / (z + f);
  return Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + f);
}
