import { describe, expect, it } from 'vitest';
import { rewrite } from '../../src/compile.js';
import { runModel, normwise } from '../../src/cli/tensors.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { printExpr } from '../../src/ir/print-program.js';
import { chunkStep, type ChunkStep, type NoChunkStep } from '../../src/passes/chunk-step.js';
import { fuse } from '../../src/passes/fuse.js';
import { loadModel } from '../../src/runtime/index.js';
import { compileText, randomInputs, TOLERANCE } from '../random/agree.js';

const model = (lines: string): string => `model M {\n  modalities m = a, b, c\n  axis d = 5\n  axis n = 6\n  axis i = m\n  axis j = n\n  axis r = 2\n  input x[t, m, d]\n${lines}\n}\n`;
const readout = '\n  output y[t, m, d] = sum(n: h[t, m, d, n])';
const rate = '  dt[t, m, d] = 0.02 * softplus(x[t, m, d])\n';
const systems: Readonly<Record<string, string>> = {
  diagonal: model(`${rate}  state h[t, m, d, n] = exp(-dt[t, m, d] * (n + 1)) * h[t-1, m, d, n] + dt[t, m, d] * x[t, m, d]${readout}`),
  backward: model(`${rate}  state h[t, m, d, n] = exp(-dt[t, m, d] * (n + 1)) * h[t+1, m, d, n] + dt[t, m, d] * x[t, m, d]${readout}`),
  complex: model(`  p[n] = exp(complex(-0.01, 0.3 * n))\n  state h[t, m, d, n] = p[n] * h[t-1, m, d, n] + x[t, m, d]\n  output y[t, m, d] = re(sum(n: h[t, m, d, n]))`),
  mean: model(`${rate}  state h[t, m, d, n] = exp(-dt[t, m, d] * (n + 1)) * mean(i: h[t-1, i, d, n]) + dt[t, m, d] * x[t, m, d]${readout}`),
  full: model(`${rate}  param K[m, i] = uniform(0.2, 0.4)\n  state h[t, m, d, n] = exp(-dt[t, m, d] * (n + 1)) * sum(i: K[m, i] * h[t-1, i, d, n]) + dt[t, m, d] * x[t, m, d]${readout}`),
  'rank two': model(`${rate}  param u[m, r] = uniform(0.1, 0.6)\n  param v[m, r] = uniform(0.1, 0.4)\n  state h[t, m, d, n] = exp(-dt[t, m, d] * (n + 1)) * sum(r: u[m, r] * sum(i: v[i, r] * h[t-1, i, d, n])) + dt[t, m, d] * x[t, m, d]${readout}`),
  sum: model(`${rate}  state h[t, m, d, n] = 0.3 * exp(-dt[t, m, d] * (n + 1)) * sum(i: h[t-1, i, d, n]) + dt[t, m, d] * x[t, m, d]${readout}`),
  softmax: model(`${rate}  param w[m] = uniform(-1, 1)\n  state h[t, m, d, n] = exp(-dt[t, m, d] * (n + 1)) * sum(i: softmax(i: w[i]) * h[t-1, i, d, n]) + dt[t, m, d] * x[t, m, d]${readout}`),
  'K of rank two': model(`${rate}  param u[m, r] = uniform(0.1, 0.6)\n  param v[m, r] = uniform(0.1, 0.4)\n  K[m, i] = sum(r: u[m, r] * v[i, r])\n  state h[t, m, d, n] = exp(-dt[t, m, d] * (n + 1)) * sum(i: K[m, i] * h[t-1, i, d, n]) + dt[t, m, d] * x[t, m, d]${readout}`),
  'masked drive': model(`${rate}  input mask[t, m]\n  state h[t, m, d, n] = exp(-dt[t, m, d] * (n + 1)) * mean(i: h[t-1, i, d, n]) + mask[t, m] * x[t, m, d]${readout}`),
  'masked coupling': model(`${rate}  input mask[t, m]\n  state h[t, m, d, n] = exp(-dt[t, m, d] * (n + 1)) * sum(i: mask[t, i] * h[t-1, i, d, n]) / 3 + mask[t, m] * x[t, m, d]${readout}`),
  'read past its end': model('  axis k = 4\n  param w[k] = uniform(-1, 1)\n  initial g[m, d] = 0.5\n  state g[t, m, d] = 0.5 * g[t+1, m, d] + x[t, m, d]\n  output y[t, m, d] = sum(k: w[k] * g[t + k - 2, m, d])'),
  'second order': model('  state g[t, m, d] = 1.6 * g[t-1, m, d] - 0.7 * g[t-2, m, d] + x[t, m, d]\n  output y[t, m, d] = g[t, m, d]'),
  'first and third step': model('  initial g[m, d] = 0.5\n  state g[t, m, d] = 0.5 * g[t+1, m, d] - 0.3 * g[t+3, m, d] + x[t, m, d]\n  output y[t, m, d] = g[t, m, d]'),
  mutual: model('  state g[t, m, d] = 0.9 * g[t-1, m, d] + 0.3 * f[t-1, m, d] + x[t, m, d]\n  state f[t, m, d] = 0.8 * f[t-1, m, d] - 0.3 * g[t, m, d]\n  output y[t, m, d] = g[t, m, d] + f[t, m, d]'),
  'small and dense': model(`  param A[d] = uniform(-0.2, 0.2)\n  axis k = d\n  param W[d, k] = uniform(-0.2, 0.2)\n  initial g[m, d] = A[d]\n  state g[t, m, d] = sum(k: W[d, k] * g[t-1, m, k]) + x[t, m, d]\n  output y[t, m, d] = g[t, m, d]`),
};
const dense = model(`  axis w = 12\n  axis k = w\n  param A[w, k] = uniform(-0.1, 0.1)\n  state h[t, m, w] = sum(k: A[w, k] * h[t-1, m, k]) + x[t, m, 0]\n  output y[t, m] = sum(w: h[t, m, w])`);

function stepOf(text: string): ChunkStep | NoChunkStep {
  const { program, builder } = compileText(text);
  if (!program) throw new Error('not valid');
  const graph = fuse(rewrite(program, builder), builder);
  const scan = graph.stages.find((s) => s.anchor === 'scan');
  if (!scan) throw new Error('no scan');
  return chunkStep(scan, graph.program, builder);
}
const shape = (text: string): string => {
  const step = stepOf(text);
  return step.kind === 'none' ? step.why : `${step.components.length} components, ${step.products.length} products, loops over ${step.elementwise.map((i) => i.name).join() || 'none'}`;
};

describe('the step of a chunk', () => {
  it('has a matrix of what mixes, and loops over what does not', () => {
    expect(Object.fromEntries(Object.entries(systems).map(([name, text]) => [name, shape(text)]))).toEqual({
      diagonal: '1 components, 1 products, loops over n',
      backward: '1 components, 1 products, loops over n',
      complex: '2 components, 4 products, loops over n',
      mean: '1 components, 1 products, loops over n',
      full: '3 components, 9 products, loops over n',
      'rank two': '2 components, 4 products, loops over n',
      sum: '1 components, 1 products, loops over n',
      softmax: '1 components, 1 products, loops over n',
      'K of rank two': '2 components, 4 products, loops over n',
      'masked drive': '1 components, 1 products, loops over n',
      'masked coupling': '3 components, 9 products, loops over n',
      'read past its end': '1 components, 1 products, loops over none',
      'second order': '2 components, 4 products, loops over none',
      'first and third step': '3 components, 9 products, loops over none',
      mutual: '2 components, 4 products, loops over none',
      'small and dense': '5 components, 25 products, loops over none',
    });
  });
  it('keeps the 1 of a slow decay out of the product', () => {
    const { program, builder } = compileText(systems['diagonal'] ?? '');
    if (!program) throw new Error('not valid');
    const graph = fuse(rewrite(program, builder), builder);
    const scan = graph.stages.find((s) => s.anchor === 'scan');
    const step = scan && chunkStep(scan, graph.program, builder);
    if (step?.kind !== 'chunk-step') throw new Error('no step');
    const [q] = step.products;
    const text = q ? printExpr({ ...graph.program, definitions: [...graph.program.definitions, { kind: 'input', id: q.def, name: 'Q', time: true, indices: [], type: 'real', span: { file: '', start: 0, end: 0 } }] }, q.body) : '';
    expect(text).toMatch(/^\(Q\[t - 1, m, d, n\] \+ \(\(exp2m1\((.*)\) \* Q\[t - 1, m, d, n\]\) \+ exp2m1\(\1\)\)\)$/);
  });
  it('refuses a dense transition over a large axis, and says why', () => {
    const { diagnostics, module } = compileText(dense, 'chunked');
    expect(module).toBeUndefined();
    expect(diagnostics.map((d) => [d.code, d.text])).toEqual([['SSM4101', '`h` can\'t be run in chunks: its elements mix along `w` (12): a chunk\'s summary would be a matrix of 12×12 per channel, and more than 8×8 costs more than it saves']]);
    expect(compileText(dense).module?.graph.stages.find((s) => s.anchor === 'scan')?.strategy?.name).toBe('serial');
  });
});

describe('chunks agree with the interpreter at every length', () => {
  for (const [name, text] of Object.entries(systems)) {
    it(name, async () => {
      const { program, module } = compileText(text, 'chunked');
      if (!program || !module) throw new Error('not compiled');
      expect(module.graph.stages.find((s) => s.anchor === 'scan')?.strategy?.name).toBe('chunked');
      const weights = new Map([...initialise(program, 3)].map(([k, t]) => [k, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
      const model = await loadModel(module.manifest, { wasm: module.wasm as Uint8Array }, { weights: Object.fromEntries(weights) });
      for (const steps of [1, 2, 63, 64, 65, 128, 200, 700]) {
        const inputs = randomInputs(program, 2, steps, steps);
        const lengths = [steps, Math.ceil(steps / 3)];
        const expected = interpret(program, weights, inputs, { lengths }).outputs;
        const found = await runModel(model, inputs, lengths);
        for (const [output, t] of expected) expect(normwise(found.get(output)?.data ?? new Float32Array(), t.data), `${output} at ${steps}`).toBeLessThan(TOLERANCE);
      }
    });
  }
});
