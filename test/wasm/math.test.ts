import { describe, expect, it } from 'vitest';
import type { Kernel, KernelUnary } from '../../src/ir/kernel.js';
import { erfc } from '../../src/runtime/erfc.js';
import { wasm } from '../../targets/wasm/index.js';

interface Case {
  readonly name: KernelUnary;
  readonly of: (x: number) => number;
  /** The largest error in units of the last place, or relative. */
  readonly ulp?: number;
  readonly relative?: number;
  readonly absolute?: number;
  readonly domain?: (x: number) => boolean;
}
const cases: readonly Case[] = [
  { name: 'exp', of: Math.exp, ulp: 3 },
  { name: 'exp2', of: (x) => 2 ** x, ulp: 3 },
  { name: 'expm1', of: Math.expm1, ulp: 3 },
  { name: 'exp2m1', of: (x) => Math.expm1(x * Math.LN2), ulp: 3 },
  { name: 'log', of: Math.log, ulp: 3, domain: (x) => x >= 0 },
  { name: 'log1p', of: Math.log1p, ulp: 3, domain: (x) => x > -1 },
  { name: 'softplus', of: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), ulp: 8 },
  { name: 'sigmoid', of: (x) => 1 / (1 + Math.exp(-x)), ulp: 8 },
  { name: 'silu', of: (x) => x / (1 + Math.exp(-x)), relative: 1e-6, domain: (x) => x > -80 },
  { name: 'tanh', of: Math.tanh, ulp: 4 },
  { name: 'gelu', of: (x) => 0.5 * x * erfc(-x * Math.SQRT1_2), absolute: 1e-6, domain: (x) => Math.abs(x) < 12 },
  { name: 'sin', of: Math.sin, absolute: 2e-7, domain: (x) => Math.abs(x) <= 1e4 },
  { name: 'cos', of: Math.cos, absolute: 2e-7, domain: (x) => Math.abs(x) <= 1e4 },
  { name: 'rsqrt', of: (x) => 1 / Math.sqrt(x), ulp: 3, domain: (x) => x > 0 },
  { name: 'exp2_decay', of: (x) => (x <= -100 ? 0 : 2 ** x), ulp: 4, domain: (x) => x <= 0 },
  { name: 'exp2m1_decay', of: (x) => Math.expm1(x * Math.LN2), relative: 1e-6, domain: (x) => x <= 0 },
];
const kernel = (op: KernelUnary): Kernel => ({
  name: op, precision: 'f32',
  parameters: [{ kind: 'buffer', name: 'x', element: 'f32', access: 'read' }, { kind: 'buffer', name: 'y', element: 'f32', access: 'write' }, { kind: 'scalar', name: '$R' }],
  body: [{
    kind: 'for', name: 'i', from: { kind: 'int', value: 0 }, to: { kind: 'ivar', name: '$R' }, step: 4, lanes: true,
    body: [{ kind: 'store', buffer: 'y', at: { kind: 'ivar', name: 'i' }, lanes: 'vector', value: { kind: 'unary', op, arg: { kind: 'load', buffer: 'x', at: { kind: 'ivar', name: 'i' }, access: 'vector' } } }],
  }],
});
/** Every exponent of float32, both signs, densely near 0 and over the range where results are normal. */
function samples(): Float32Array {
  const out: number[] = [0, Infinity, -Infinity, 88.72, -87.3, -103.9, 127.99, 128, -126, -149];
  for (let e = -149; e < 128; e++) for (let k = 0; k < 64; k++) out.push(2 ** e * (1 + k / 64), -(2 ** e) * (1 + k / 64));
  for (let k = 0; k < 40_000; k++) out.push(-110 + (k * 240) / 40_000, -4 + (k * 8) / 40_000);
  while (out.length % 4 !== 0) out.push(1);
  return Float32Array.from(out);
}

const relaxedBytes = wasm.emit([kernel('exp2_decay')], { relaxed: true });
/** Relaxed SIMD where this engine has it: relaxed.test.ts runs this file in one that does. */
const builds = WebAssembly.validate(relaxedBytes as Uint8Array<ArrayBuffer>) ? [false, true] : [false];

describe.each(builds)('elementary functions of float32 against float64, relaxed %s', (relaxed) => {
  const x = samples();
  const memory = new WebAssembly.Memory({ initial: Math.ceil((x.length * 8 + 8192) / 65536) });
  const bytes = wasm.emit(cases.map((c) => kernel(c.name)), { relaxed });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>), { env: { memory } });
  const floats = new Float32Array(memory.buffer);
  it.each(cases.map((c) => [c.name, c] as const))('%s', (name, c) => {
    floats.set(x, 1024);
    (exports[name] as (...a: number[]) => void)(4096, 4096 + 4 * x.length, x.length);
    let tested = 0;
    let worst = 0;
    for (let i = 0; i < x.length; i++) {
      const at = x[i] as number;
      if (!Number.isFinite(at) && !(c.ulp && name !== 'softplus') || !(c.domain?.(at) ?? true)) continue;
      const want = c.of(at);
      const rounded = Math.fround(want);
      const got = floats[1024 + x.length + i] as number;
      tested++;
      if (got === rounded || (Number.isNaN(got) && Number.isNaN(rounded))) continue;
      const unit = c.ulp ? 2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(want)))) - 23) : c.relative ? Math.max(Math.abs(want), 1e-37) : Math.max(1, Math.abs(want));
      // Just over the largest float32 either neighbour will do.
      const error = Number.isFinite(rounded) ? Math.abs(got - want) / unit : Math.abs(got - 3.4028235e38) / 3.4028235e38;
      worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
    }
    expect(tested).toBeGreaterThan(1000);
    expect(worst).toBeLessThanOrEqual(c.ulp ?? c.relative ?? c.absolute ?? 0);
  });

  const values = (name: KernelUnary, at: readonly number[]): number[] => {
    const padded = Float32Array.from({ length: Math.ceil(at.length / 4) * 4 }, (_, i) => at[i] ?? 1);
    floats.set(padded, 1024);
    (exports[name] as (...a: number[]) => void)(4096, 4096 + 4 * padded.length, padded.length);
    return [...floats.slice(1024 + padded.length, 1024 + padded.length + at.length)];
  };
  it('softplus keeps 1e-6 of its value down to outputs of 1e-6', () => {
    const at = Array.from({ length: 20_000 }, (_, k) => Math.fround(-13.8 + (k * 33.8) / 20_000));
    const worst = Math.max(...values('softplus', at).map((y, k) => { const x = at[k] as number; const want = Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))); return Math.abs(y / want - 1); }));
    expect(worst).toBeLessThan(1e-6);
  });
  it('keeps NaN, infinities, signed zeros and subnormals', () => {
    const tiny = 2 ** -140;
    const at = [NaN, Infinity, -Infinity, 0, -0, tiny, -tiny];
    const want: Partial<Record<KernelUnary, readonly number[]>> = {
      exp: [NaN, Infinity, 0, 1, 1, 1, 1], exp2: [NaN, Infinity, 0, 1, 1, 1, 1], log: [NaN, Infinity, NaN, -Infinity, -Infinity, Math.fround(Math.log(tiny)), NaN],
      tanh: [NaN, 1, -1, 0, -0, tiny, -tiny], sigmoid: [NaN, 1, 0, 0.5, 0.5, 0.5, 0.5], silu: [NaN, Infinity, NaN, 0, -0, tiny / 2, -tiny / 2],
      softplus: [NaN, Infinity, 0, Math.fround(Math.LN2), Math.fround(Math.LN2), Math.fround(Math.LN2), Math.fround(Math.LN2)], expm1: [NaN, Infinity, -1, 0, 0, tiny, -tiny],
    };
    for (const [name, expected] of Object.entries(want)) {
      const got = values(name as KernelUnary, at);
      expected.forEach((w, k) => {
        const y = got[k] as number;
        const close = Number.isNaN(w) ? Number.isNaN(y) : Number.isFinite(w) && Math.abs(w) > 1e-30 ? Math.abs(y / w - 1) < 4e-7 : y === w;
        expect(close, `${name}(${Object.is(at[k], -0) ? '-0' : at[k]}) = ${y}, not ${w}`).toBe(true);
      });
    }
  });
});
