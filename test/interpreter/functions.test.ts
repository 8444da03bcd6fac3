import { describe, expect, it } from 'vitest';
import * as complex from '../../src/interpreter/complex.js';
import { erf, erfc, exp2m1, gelu, inverseSoftplus, sigmoid, silu, softplus } from '../../src/interpreter/functions.js';

const relative = (got: number, want: number): number => Math.abs(got - want) / Math.abs(want);

describe('real functions', () => {
  // Values from the power series in arithmetic of 300 digits.
  it.each([
    [1e-10, 1.1283791670955126e-10], [0.1, 0.1124629160182849], [0.5, 0.5204998778130465], [0.999, 0.8422852702064969], [1, 0.8427007929497149], [1.5, 0.9661051464753108], [2, 0.9953222650189527], [3.5, 0.9999992569016276],
  ])('erf(%f)', (x, want) => {
    expect(relative(erf(x), want)).toBeLessThan(1e-15);
    expect(erf(-x)).toBe(-erf(x));
  });
  it.each([
    [0.5, 0.4795001221869535], [1, 0.15729920705028513], [2, 0.004677734981047266], [5, 1.537459794428035e-12],
  ])('erfc(%f)', (x, want) => expect(relative(erfc(x), want)).toBeLessThan(2e-15));
  it('gelu keeps its digits on the far negative side', () => {
    expect(relative(gelu(-10), -10 * 7.619853024160525e-24)).toBeLessThan(1e-14);
    expect(gelu(10)).toBe(10);
    expect(gelu(0)).toBe(0);
  });
  it('gelu and erfc vanish where what is left of a square would overflow', () => {
    for (const x of [45.5, 1e3 + 0.1, 1e9 / 3, 1e200]) {
      expect(erfc(x)).toBe(0);
      expect(Math.abs(gelu(-x))).toBe(0);
      expect(gelu(x)).toBe(x);
    }
  });
  it('softplus, sigmoid and silu neither overflow nor vanish early', () => {
    expect(softplus(800)).toBe(800);
    expect(relative(softplus(-700), Math.exp(-700))).toBeLessThan(1e-15);
    expect(relative(softplus(-20), 2.061153620314381e-09)).toBeLessThan(1e-15);
    expect([sigmoid(800), sigmoid(-800), sigmoid(0)]).toEqual([1, 0, 0.5]);
    expect(relative(sigmoid(-700), Math.exp(-700))).toBeLessThan(1e-15);
    expect(silu(-2)).toBeCloseTo(-2 / (1 + Math.exp(2)), 15);
    expect(relative(softplus(inverseSoftplus(0.001)), 0.001)).toBeLessThan(1e-13);
  });
  it('exp2m1 near and far from 0', () => {
    expect(relative(exp2m1(1e-12), 6.931471805601855e-13)).toBeLessThan(1e-15);
    expect([exp2m1(10), exp2m1(-1), exp2m1(1)]).toEqual([1023, -0.5, 1]);
  });
});

describe('complex functions', () => {
  const close = (got: complex.Pair, want: complex.Pair): void => {
    const scale = Math.hypot(...want);
    expect(Math.hypot(got[0] - want[0], got[1] - want[1])).toBeLessThan(4e-16 * scale + 1e-300);
  };
  it('division does not overflow', () => close(complex.div([1e300, 1e300], [2e300, 0]), [0.5, 0.5]));
  it('roots lie on the right half plane', () => {
    for (const z of [[3, 4], [-3, 4], [-3, -4], [0, -2], [-4, 0]] as const) {
      const root = complex.sqrt(z);
      close(complex.mul(root, root), z);
      expect(root[0]).toBeGreaterThanOrEqual(0);
    }
    expect(complex.sqrt([0, 0])).toEqual([0, 0]);
  });
  it('exp and log are inverse; expm1 keeps small arguments', () => {
    close(complex.exp(complex.log([-2, 0.5])), [-2, 0.5]);
    close(complex.expm1([1e-9, -1e-9]), [1e-9, -1e-9 - 1e-18]);
  });
  it('tanh = sinh / cosh', () => {
    const z: complex.Pair = [-0.7, 0.4];
    const [up, down] = [complex.exp(z), complex.exp(complex.neg(z))];
    close(complex.tanh(z), complex.div(complex.sub(up, down), complex.add(up, down)));
  });
  it('integer powers', () => {
    close(complex.power([1, 1], 4), [-4, 0]);
    close(complex.power([0, 2], -1), [0, -0.5]);
  });
});
