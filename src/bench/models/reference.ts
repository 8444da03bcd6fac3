/**
 * The models in float64, as plain loops (the coupled one over separate chains): what answers are held against. Shares no code with the compiler
 * or the interpreter.
 */
import { eps, expand, heads, kernel, type ModelProblem } from './description.js';

type Rows = Float64Array;

/**
 * The outputs of one row at each of `lengths`, ascending: everything before the pooling is causal, so that a prefix's answer comes
 * from the largest values so far.
 */
export function coupledAnswers(problem: ModelProblem, inputs: readonly Float32Array[], lengths: readonly number[]): Float64Array[] {
  const x = lastLayer(problem, inputs, lengths.at(-1) as number, coupledBlock);
  return lengths.map((length) => head(problem, x.map((rows) => largest(rows, problem.sizes.width, length))));
}
/** The output of one row of the model with cross attention in place of the coupled block. */
export function attentionAnswer(problem: ModelProblem, inputs: readonly Float32Array[], steps: number): Float64Array {
  return head(problem, lastLayer(problem, inputs, steps, attentionBlock).map((rows) => largest(rows, problem.sizes.width, steps)));
}

type Block = (problem: ModelProblem, layer: number, v: readonly Rows[], steps: number) => Rows[];
function lastLayer(problem: ModelProblem, inputs: readonly Float32Array[], steps: number, between: Block): Rows[] {
  const { sizes, weight, block } = problem;
  const { modalities, width, layers } = sizes;
  let x = modalities.map(({ name, features }, m) => {
    const mean = sizes.standardised ? weight(`input.${name}.mean`) : undefined;
    const rstd = sizes.standardised ? weight(`input.${name}.rstd`) : undefined;
    const given = Float64Array.from((inputs[m] as Float32Array).subarray(0, steps * features), (v, i) => (mean && rstd ? (v - at(mean, i % features)) * at(rstd, i % features) : v));
    return product(given, steps, features, weight(`embed.${name}.weight`), width, weight(`embed.${name}.bias`));
  });
  for (let layer = 0; layer < layers; layer++) {
    const v = x.map((rows, m) => layerNorm(rows, width, block(layer, m, 'norm.weight'), block(layer, m, 'norm.bias')));
    const added = between(problem, layer, v, steps);
    x = x.map((rows, m) => rows.map((value, i) => value + at(added[m] as Rows, i)));
  }
  if (!sizes.normed) return x;
  return x.map((rows, m) => layerNorm(rows, width, weight(`norm_f.${modalities[m]?.name}.weight`), weight(`norm_f.${modalities[m]?.name}.bias`)));
}

function head({ sizes, weight }: ModelProblem, pooled: readonly Rows[]): Float64Array {
  const { width, hidden, out } = sizes;
  const e = Array.from(weight('fusion.logits'), Math.exp);
  const total = e.reduce((a, b) => a + b, 0);
  const fused = Float64Array.from({ length: width }, (_, c) => pooled.reduce((sum, p, m) => sum + ((e[m] as number) / total) * at(p, c), 0));
  const a = product(fused, 1, width, weight('head.0.weight'), hidden, weight('head.0.bias')).map((v) => Math.max(0, v));
  return product(a, 1, hidden, weight('head.2.weight'), out, weight('head.2.bias'));
}

function coupledBlock({ sizes, block }: ModelProblem, layer: number, v: readonly Rows[], steps: number): Rows[] {
  const { width, state, rank, modalities } = sizes;
  const inner = expand * width;
  const chains = modalities.map((_, m) => {
    const rows = v[m] as Rows;
    const both = product(rows, steps, width, block(layer, m, 'in_proj.weight'), 2 * inner);
    const u = convolved(both, steps, inner, block(layer, m, 'conv1d.weight'), block(layer, m, 'conv1d.bias'));
    const low = product(u, steps, inner, block(layer, m, 'x_proj.weight'), rank + 2 * state);
    const dtLow = new Float64Array(steps * rank);
    for (let t = 0; t < steps; t++) dtLow.set(low.subarray(t * (rank + 2 * state), t * (rank + 2 * state) + rank), t * rank);
    const dt = product(dtLow, steps, rank, block(layer, m, 'dt_proj.weight'), inner, block(layer, m, 'dt_proj.bias')).map((x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))));
    return { both, u, low, dt, A: Float64Array.from(block(layer, m, 'A_log'), (a) => -Math.exp(a)), D: block(layer, m, 'D') };
  });
  const y = chains.map(() => new Float64Array(steps * inner));
  const stride = rank + 2 * state;
  const before = new Float64Array(chains.length * state);
  const h = new Float64Array(chains.length * state);
  for (let d = 0; d < inner; d++) {
    before.fill(0);
    for (let t = 0; t < steps; t++) {
      chains.forEach(({ both, u, low, dt, A, D }, m) => {
        const [size, input, gate] = [at(dt, t * inner + d), at(u, t * inner + d), at(both, (2 * t + 1) * inner + d)];
        let out = at(D, d) * input;
        for (let n = 0; n < state; n++) {
          let past = 0;
          for (let i = 0; i < chains.length; i++) past += at(before, i * state + n);
          const next = (Math.exp(size * at(A, d * state + n)) * past) / chains.length + size * at(low, t * stride + rank + n) * input;
          h[m * state + n] = next;
          out += at(low, t * stride + rank + state + n) * next;
        }
        (y[m] as Rows)[t * inner + d] = out * silu(gate);
      });
      before.set(h);
    }
  }
  return y.map((rows, m) => product(rows, steps, inner, block(layer, m, 'out_proj.weight'), width));
}

/** Every step of a modality asks all steps of the others. */
function attentionBlock({ sizes, attention }: ModelProblem, layer: number, v: readonly Rows[], steps: number): Rows[] {
  const { width } = sizes;
  const part = width / heads;
  const asked = (name: 'query' | 'key' | 'value'): Rows[] => v.map((rows, m) => product(rows, steps, width, transposed(attention(layer, m, name), width), width));
  const [query, key, value] = [asked('query'), asked('key'), asked('value')];
  return v.map((_, m) => {
    const others = v.map((_, i) => i).filter((i) => i !== m);
    const answer = new Float64Array(steps * width);
    const scores = new Float64Array(others.length * steps);
    for (let t = 0; t < steps; t++) {
      for (let from = 0; from < width; from += part) {
        others.forEach((i, o) => {
          for (let s = 0; s < steps; s++) {
            let sum = 0;
            for (let c = from; c < from + part; c++) sum += at(query[m] as Rows, t * width + c) * at(key[i] as Rows, s * width + c);
            scores[o * steps + s] = sum / Math.sqrt(part);
          }
        });
        const most = scores.reduce((a, b) => Math.max(a, b));
        const total = scores.reduce((sum, x) => sum + Math.exp(x - most), 0);
        others.forEach((i, o) => {
          for (let s = 0; s < steps; s++) {
            const share = Math.exp(at(scores, o * steps + s) - most) / total;
            for (let c = from; c < from + part; c++) answer[t * width + c] = at(answer, t * width + c) + share * at(value[i] as Rows, s * width + c);
          }
        });
      }
    }
    return product(answer, steps, width, transposed(attention(layer, m, 'out'), width), width);
  });
}
const transposed = (square: Float32Array, size: number): Float32Array => square.map((_, i) => at(square, (i % size) * size + Math.floor(i / size)));

/** SiLU of the causal convolution of the first half of each row. */
function convolved(both: Rows, steps: number, inner: number, weight: Float32Array, bias: Float32Array): Rows {
  const u = new Float64Array(steps * inner);
  for (let t = 0; t < steps; t++) {
    for (let d = 0; d < inner; d++) {
      let sum = at(bias, d);
      for (let k = 0; k < kernel; k++) if (t - kernel + 1 + k >= 0) sum += at(weight, d * kernel + k) * at(both, 2 * (t - kernel + 1 + k) * inner + d);
      u[t * inner + d] = silu(sum);
    }
  }
  return u;
}

/** Rows of `from` numbers by a weight [to, from]. */
function product(rows: Rows, count: number, from: number, weight: Float32Array, to: number, bias?: Float32Array): Rows {
  const y = new Float64Array(count * to);
  for (let t = 0; t < count; t++) {
    for (let o = 0; o < to; o++) {
      let sum = bias === undefined ? 0 : at(bias, o);
      for (let c = 0; c < from; c++) sum += at(weight, o * from + c) * at(rows, t * from + c);
      y[t * to + o] = sum;
    }
  }
  return y;
}

function layerNorm(rows: Rows, width: number, weight: Float32Array, bias: Float32Array): Rows {
  const out = new Float64Array(rows.length);
  for (let from = 0; from < rows.length; from += width) {
    const row = rows.subarray(from, from + width);
    const mean = row.reduce((a, b) => a + b, 0) / width;
    const scale = 1 / Math.sqrt(row.reduce((a, b) => a + (b - mean) ** 2, 0) / width + eps);
    for (let c = 0; c < width; c++) out[from + c] = (at(row, c) - mean) * scale * at(weight, c) + at(bias, c);
  }
  return out;
}
function largest(rows: Rows, width: number, steps: number): Rows {
  const best = new Float64Array(width).fill(-Infinity);
  for (let t = 0; t < steps; t++) for (let c = 0; c < width; c++) best[c] = Math.max(at(best, c), at(rows, t * width + c));
  return best;
}
const silu = (x: number): number => x / (1 + Math.exp(-x));
const at = (x: Float32Array | Float64Array, i: number): number => x[i] as number;
