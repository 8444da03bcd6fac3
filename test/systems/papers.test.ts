/** Time-invariant systems as other papers write them: every strategy against the interpreter, and some of them against their definitions in plain float64. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { normwise, runModel, type Doubles } from '../../src/cli/tensors.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { loadModel } from '../../src/runtime/index.js';
import { compileText, randomInputs, TOLERANCE } from '../random/agree.js';
import { at, Complex, element, matrix, one, pair, range, sigmoid, silu, sum, zeroOrderHold, type Rows, type Weights } from './plain.js';

const folder = join(import.meta.dirname, 'papers');
const specs = new Map(readdirSync(folder).map((file) => [file.replace('.ssm', ''), readFileSync(join(folder, file), 'utf8')]));
const strategies = ['auto', 'convolution', 'serial', 'step', 'chunked'] as const;
const lengths = [1, 2, 17, 1000];

describe.each([...specs])('%s', (name, text) => {
  it.each(strategies)('%s is what the interpreter says', async (strategy) => {
    const { program, module, diagnostics } = compileText(text, strategy);
    // States of many lags or a large matrix are no chunks.
    if (strategy === 'chunked' && diagnostics.some((d) => d.code === 'SSM4101')) { expect(['comb', 'deep-ssm', 'hippo-lagt', 'lmu']).toContain(name); return; }
    if (!program || !module) throw new Error(diagnostics.map((d) => `${d.code} ${d.text}`).join('\n'));
    const weights = weightsOf(program);
    const model = await loadModel(module.manifest, { wasm: module.wasm }, { weights: Object.fromEntries(weights) });
    for (const steps of lengths) {
      const inputs = randomInputs(program, 1, steps, steps);
      const got = await runModel(model, inputs, undefined);
      for (const [output, t] of interpret(program, weights, inputs).outputs) expect(normwise(got.get(output)?.data ?? [], t.data), `${output}, ${steps} steps`).toBeLessThan(TOLERANCE);
    }
    model.dispose();
  });
});
function weightsOf(program: Parameters<typeof initialise>[0]): Map<string, Doubles> {
  return new Map([...initialise(program, 1)].map(([key, t]) => [key, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
}

/** From the state dict and the rows of the input to the rows of y. */
const definitions: Readonly<Record<string, (w: Weights, x: Rows) => number[][]>> = {
  /** The kernel of each channel: sum_h eta alpha beta (1 - alpha delta)^l. */
  mega: (w, x) => x.map((row, t) => row.map((v, c) => {
    const K = (l: number): number => sum(8, (h) => element(w, 'eta', c, h) * sigmoid(element(w, 'alpha', c, h)) * element(w, 'beta', c, h) * (1 - sigmoid(element(w, 'alpha', c, h)) * sigmoid(element(w, 'delta', c, h))) ** l);
    return silu(sum(t + 1, (l) => K(l) * at(at(x, t - l), c)) + element(w, 'omega', c) * v);
  })),
  /** K_l = Re sum_n w_n / lambda_n exp(lambda_n dt l) / sum over 1024 positions of the same. */
  dss: (w, x) => {
    const kernel = range(4, (c) => {
      const dt = Math.exp(element(w, 'log_dt', c));
      const terms = range(16, (n) => {
        const L = new Complex(-Math.exp(element(w, 'log_re', n)), element(w, 'im', n));
        const powers = range(1024, (l) => L.times(dt * l).exp());
        return { weight: pair(w, 'w', c, n).over(L).over(powers.reduce((s, z) => s.plus(z))), powers };
      });
      return x.map((_, l) => terms.reduce((s, { weight, powers }) => s + weight.times(at(powers, l)).re, 0));
    });
    return x.map((row, t) => row.map((_, c) => sum(t + 1, (l) => at(at(kernel, c), l) * at(at(x, t - l), c))));
  },
  /** y = sum_j h_j u_{t-j}, the impulse response by long division of numerator by denominator. */
  rtf: (w, x) => x.map((row, t) => row.map((_, c) => {
    const h: number[] = [];
    for (let l = 0; l <= t; l++) h.push((l > 0 && l <= 8 ? element(w, 'b', c, l - 1) : 0) - sum(Math.min(8, l), (k) => element(w, 'a', c, k) * (at(h, l - 1 - k) - (l - 1 - k === 0 ? element(w, 'h0', c) : 0))) + (l === 0 ? element(w, 'h0', c) : 0));
    return sum(t + 1, (l) => at(h, l) * at(at(x, t - l), c));
  })),
  lmu: (w, x) => {
    const [N, theta] = [16, 100];
    const A = matrix(N, (i, j) => new Complex((2 * i + 1) / theta * (i < j ? -1 : (-1) ** (i - j + 1))));
    const { A: T, B } = zeroOrderHold(A, range(N, (i) => new Complex((2 * i + 1) / theta * (-1) ** i)), 1);
    let m = range(N, () => 0);
    return x.map((row) => {
      const u = row.reduce((s, v, c) => s + element(w, 'lmu.e_x', c) * v, 0);
      m = m.map((_, i) => sum(N, (j) => at(at(T, i), j).re * at(m, j)) + at(B, i).re * u);
      return range(8, (o) => Math.max(0, row.reduce((s, v, c) => s + element(w, 'lmu.W_x', o, c) * v, 0) + sum(N, (i) => element(w, 'lmu.W_m', o, i) * at(m, i))));
    });
  },
  'linoss-im': (w, x) => {
    let [z, y] = [range(8, () => 0), range(8, () => 0)];
    return x.map((row) => {
      // (z', y') solves z' = z + dt (f - A y'), y' = y + dt z'.
      const f = range(8, (n) => row.reduce((s, v, c) => s + element(w, 'B', n, c) * v, 0));
      const dt = range(8, (n) => sigmoid(element(w, 'step', n)));
      z = z.map((v, n) => (v + at(dt, n) * (at(f, n) - element(w, 'A', n) * at(y, n))) / (1 + at(dt, n) ** 2 * element(w, 'A', n)));
      y = y.map((v, n) => v + at(dt, n) * at(z, n));
      return row.map((_, c) => sum(8, (n) => element(w, 'C', c, n) * at(y, n)));
    });
  },
  'liquid-s4': (w, x) => {
    const state = range(4, () => range(8, () => new Complex(0)));
    return x.map((row, t) => row.map((v, c) => {
      const dt = Math.exp(element(w, 'log_dt', c));
      let y = 0;
      for (let n = 0; n < 8; n++) {
        const A = new Complex(-element(w, 'rate', c, n), Math.PI * n);
        const b = A.times(dt).exp().minus(one).over(A);
        const own = at(state, c);
        own[n] = at(own, n).times(A.times(dt).exp()).plus(b.times(v)).plus(pair(w, 'B2', c, n).times(b).times(b).times(t > 0 ? v * at(at(x, t - 1), c) : 0));
        y += 2 * pair(w, 'C', c, n).times(at(own, n)).re;
      }
      return y;
    }));
  },
};
describe('the interpreter is what the paper defines', () => {
  it.each(Object.entries(definitions))('%s', (name, define) => {
    const { program } = compileText(specs.get(name) ?? '');
    if (!program) throw new Error('it does not compile');
    const weights = weightsOf(program);
    const inputs = randomInputs(program, 1, 120, 3);
    const x = inputs.get('x') as Doubles;
    const width = x.data.length / 120;
    const [y] = interpret(program, weights, inputs).outputs.values();
    const want = define(weights, Array.from({ length: 120 }, (_, t) => [...x.data.subarray(t * width, (t + 1) * width)]));
    expect(normwise(y?.data ?? [], Float64Array.from(want.flat()))).toBeLessThan(1e-10);
  });
});
it('a constant to an index is what it says: (-1)^n, 3^(2 n), (1/2)^(k - n)', () => {
  const { program } = compileText('model M {\n  axis n = 4\n  axis k = n\n  input x[t]\n  output y[t, n] = ((-1)^(n + 1) * 3^(2 * n) + sum(k: (-1 / 2)^(k - n))) * x[t]\n}');
  if (!program) throw new Error('it does not compile');
  const y = interpret(program, new Map(), new Map([['x', { shape: [1, 1], data: Float64Array.of(1) }]])).outputs.get('y')?.data ?? [];
  range(4, (n) => expect(y[n]).toBeCloseTo((-1) ** (n + 1) * 3 ** (2 * n) + sum(4, (k) => (-0.5) ** (k - n)), 10));
});
