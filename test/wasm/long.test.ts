/** What must hold of long sequences, of any length and batch, and of the memory that they take. */
import { describe, expect, it } from 'vitest';
import { loadModel, type Model } from '../../src/runtime/index.js';
import { runLayout } from '../../src/runtime/layout.js';
import { normwise } from '../../src/cli/tensors.js';
import { compileText } from '../random/agree.js';

const noise = (seed: number): (() => number) => {
  let s = seed >>> 0 || 1;
  return () => { s ^= s << 13; s ^= s >>> 17; s ^= s << 5; return Math.fround(((s >>> 0) / 2 ** 31) - 1); };
};
const filled = (n: number, next: () => number): Float32Array => Float32Array.from({ length: n }, next);
async function open(text: string, weights: Record<string, { data: Float32Array; shape: number[] }> = {}): Promise<Model> {
  const { module, diagnostics } = compileText(text);
  if (!module) throw new Error(diagnostics.map((d) => d.text).join('\n'));
  return loadModel(module.manifest, { wasm: module.wasm as Uint8Array }, { weights });
}
const output = async (m: Model, inputs: object, options = {}): Promise<Float32Array> => ((await m.run(inputs as never, options)) as unknown as { y: { data: Float32Array } }).y.data;

describe('slow decay over 65,536 steps', () => {
  const STEPS = 65_536;
  const D = 4;
  const N = 4;
  it.each([1, 3])('keeps 1e-5 with dt = 1e-5, %i modalities', async (M) => {
    const labels = Array.from({ length: M }, (_, k) => `m${k}`);
    const model = await open(`model Slow {
      modalities m = ${labels.join(', ')}
      axis d = ${D}
      axis n = ${N}
      axis i = m
      input u[t, m, d]
      input dt[t, m, d]
      fact dt > 0
      param A[m, d, n]
      state h[t, m, d, n] = exp(-dt[t, m, d] * A[m, d, n]) * mean(i: h[t-1, i, d, n]) + dt[t, m, d] * u[t, m, d]
      output y[t, m, d] = sum(n: h[t, m, d, n])
    }`, Object.fromEntries(labels.map((l, k) => [`${l}.A`, { shape: [D, N], data: Float32Array.from({ length: D * N }, (_, j) => (j % N) + 1 + 0.1 * k) }])));
    const next = noise(7);
    const dt = Math.fround(1e-5);
    // A drift under the noise: the systematic error of a rounded decay would show.
    const u = labels.map(() => filled(STEPS * D, () => Math.fround(0.3 + next())));
    const y = await output(model, { u: Object.fromEntries(labels.map((l, m) => [l, u[m]])), dt: Object.fromEntries(labels.map((l) => [l, new Float32Array(STEPS * D).fill(dt)])) });
    const want = new Float64Array(STEPS * M * D);
    for (let d = 0; d < D; d++) for (let n = 0; n < N; n++) {
      const A = labels.map((_, k) => Math.exp(-dt * Math.fround(n + 1 + 0.1 * k)));
      let s = 0;
      for (let t = 0; t < STEPS; t++) {
        let sum = 0;
        for (let m = 0; m < M; m++) {
          const h = (A[m] as number) * s + dt * (u[m]?.[t * D + d] as number);
          want[(t * M + m) * D + d] = (want[(t * M + m) * D + d] as number) + h;
          sum += h;
        }
        s = sum / M;
      }
    }
    const error = normwise(y, want);
    console.log(`slow decay, ${M} modalities: ${error.toExponential(1)}`);
    expect(error).toBeLessThan(1e-5);
  }, 60_000);
  it('keeps 1e-5 in sums and means over time', async () => {
    const model = await open('model Mean {\n axis d = 5\n input x[t, d]\n output y[d] = mean(t: x[t, d])\n}');
    const next = noise(3);
    // One channel is constant: its additions all round the same way.
    const x = filled(STEPS * 5, () => Math.fround(1 + 0.1 * next()));
    for (let t = 0; t < STEPS; t++) x[t * 5 + 1] = 1.1;
    const want = Float64Array.from({ length: 5 }, (_, d) => { let s = 0; for (let t = 0; t < STEPS; t++) s += x[t * 5 + d] as number; return s / STEPS; });
    const error = normwise(await output(model, { x }), want);
    console.log(`mean over time: ${error.toExponential(1)}`);
    expect(error).toBeLessThan(1e-5);
  }, 60_000);
});

describe('any length and batch', () => {
  const text = `import CoupledMamba from "std"
    model Any {
      modalities m = a[7], b[7]
      axis c = 7
      input x[t, m, c]
      y0 = CoupledMamba(x, state = 5, coupling = mean)
      output y[t, m, c] = y0[t, m, c]
    }`;
  const next = noise(11);
  const open2 = async (): Promise<{ model: Model; inputs: (batch: number, from: number, rows: number, steps: number) => object }> => {
    const { module } = compileText(text);
    if (!module) throw new Error('does not compile');
    const random = noise(5);
    const weights = Object.fromEntries(module.manifest.weights.map((w) => [w.name, { shape: [...w.shape], data: filled(w.shape.reduce((a, b) => a * b, 1), () => 0.3 * random()) }]));
    const model = await loadModel(module.manifest, { wasm: module.wasm as Uint8Array }, { weights });
    const data = { a: filled(64 * 70 * 7, next), b: filled(64 * 70 * 7, next) };
    const cut = (x: Float32Array, from: number, rows: number, steps: number): Float32Array => {
      const out = new Float32Array(rows * steps * 7);
      for (let r = 0; r < rows; r++) out.set(x.subarray((from + r) * 490, (from + r) * 490 + steps * 7), r * steps * 7);
      return out;
    };
    const inputs = (_: number, from: number, rows: number, steps: number): object =>
      Object.fromEntries((['a', 'b'] as const).map((k) => [k, { shape: [rows, steps, 7], data: cut(data[k], from, rows, steps) }]));
    return { model, inputs };
  };
  it('gives the same bits again, for a row alone, and for a prefix: every L from 1 to 70', async () => {
    const { model, inputs } = await open2();
    const whole = await output(model, inputs(1, 0, 1, 70));
    expect(await output(model, inputs(1, 0, 1, 70))).toEqual(whole);
    for (let steps = 1; steps <= 70; steps++) expect(await output(model, inputs(1, 0, 1, steps)), `${steps} steps`).toEqual(whole.slice(0, steps * 14));
  }, 60_000);
  it('gives rows of a batch as they are alone: odd batches to 64', async () => {
    const { model, inputs } = await open2();
    for (const rows of [1, 2, 3, 5, 7, 13, 31, 64]) {
      const together = await output(model, inputs(rows, 0, rows, 33));
      for (const r of new Set([0, 1, rows >> 1, rows - 1].filter((k) => k < rows))) {
        expect(await output(model, inputs(1, r, 1, 33)), `row ${r} of ${rows}`).toEqual(together.slice(r * 33 * 14, (r + 1) * 33 * 14));
      }
    }
  }, 60_000);
});

describe('memory', () => {
  const L = 2048;
  it('grows with L at most linearly, and nothing of L·D·N exists', () => {
    const [D, N] = [64, 32];
    const { module } = compileText(`import CoupledMamba from "std"
      model Wide {
        modalities m = a[${D}], b[${D}]
        axis c = ${D}
        input x[t, m, c]
        y0 = CoupledMamba(x, state = ${N}, coupling = mean)
        output y[t, m, c] = y0[t, m, c]
      }`);
    if (!module) throw new Error('does not compile');
    const bytes = (steps: number): number => runLayout(module.manifest, 1, steps).bytes;
    const perStep = (bytes(2 * L) - bytes(L)) / L;
    expect(bytes(4 * L) - bytes(2 * L)).toBeCloseTo(2 * L * perStep, -4);
    // States of one modality are D·expand·N numbers a step: all rows of a step together take less.
    expect(perStep).toBeLessThan(4 * 2 * D * N);
    for (const b of module.manifest.buffers) if (b.kind === 'rows') expect(b.row, JSON.stringify(b)).toBeLessThan(2 * D * N);
  });
});
