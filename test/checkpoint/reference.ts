/**
 * The language models of mamba_ssm and transformers in plain float64 loops over a state dict, from token ids to logits. Written from the
 * papers; it shares nothing with the compiler or with the standard library.
 */
export type State = ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float64Array }>;
type Rows = Float64Array[];

export interface Shape {
  readonly width: number;
  readonly layers: number;
  readonly state: number;
  readonly inner: number;
  readonly kernel: number;
  readonly eps: number;
  readonly norm: 'rms' | 'layer';
  /** Of the mixer's first and last projection; of its convolution unless said otherwise. */
  readonly bias?: boolean;
  readonly convBias?: boolean;
}
export interface Mamba1 extends Shape {
  readonly rank: number;
}
export interface Mamba2 extends Shape {
  readonly headSize: number;
  readonly groups: number;
  readonly normGroups: number;
}
/** Where a state dict keeps what is not in its layers. */
export interface Names {
  readonly prefix: string;
  readonly embedding: string;
  readonly head: string;
}

const silu = (x: number): number => x / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.log1p(Math.exp(-Math.abs(x))) + Math.max(x, 0);
const dot = (w: Float64Array, row: number, x: Float64Array): number => x.reduce((sum, v, k) => sum + v * (w[row * x.length + k] as number), 0);
const times = (w: Float64Array, x: Float64Array): Float64Array => Float64Array.from({ length: w.length / x.length }, (_, row) => dot(w, row, x));
/** A projection of the mixer, by its name. */
const projected = (x: Float64Array, name: string, { bias }: Shape, get: (name: string) => Float64Array): Float64Array =>
  times(get(`${name}.weight`), x).map((v, row) => v + (bias ? (get(`${name}.bias`)[row] as number) : 0));

/** Logits, or what the head is given where there is none. */
export function languageModel(state: State, names: Names, shape: Mamba1 | Mamba2, tokens: readonly number[]): Rows {
  const get = (name: string): Float64Array => {
    const found = state.get(name);
    if (!found) throw new Error(`no ${name}`);
    return found.data;
  };
  const embedding = get(names.embedding);
  let h: Rows = tokens.map((id) => embedding.slice(id * shape.width, (id + 1) * shape.width));
  for (let i = 0; i < shape.layers; i++) {
    const layer = (name: string): Float64Array => get(`${names.prefix}layers.${i}.${name}`);
    const u = h.map((x) => normalise(x, shape, layer('norm.weight'), shape.norm === 'layer' ? layer('norm.bias') : undefined));
    const mixed = 'rank' in shape ? mamba1(u, shape, (n) => layer(`mixer.${n}`)) : mamba2(u, shape, (n) => layer(`mixer.${n}`));
    h = h.map((x, t) => x.map((v, c) => v + ((mixed[t] as Float64Array)[c] as number)));
  }
  const w = h.map((x) => normalise(x, shape, get(`${names.prefix}norm_f.weight`), shape.norm === 'layer' ? get(`${names.prefix}norm_f.bias`) : undefined));
  return names.head === '' ? w : w.map((x) => times(get(names.head), x));
}
function normalise(x: Float64Array, { norm, eps }: Shape, weight: Float64Array, bias: Float64Array | undefined): Float64Array {
  const mean = norm === 'rms' ? 0 : x.reduce((a, b) => a + b, 0) / x.length;
  const scale = 1 / Math.sqrt(x.reduce((a, v) => a + (v - mean) ** 2, 0) / x.length + eps);
  return x.map((v, c) => (v - mean) * scale * (weight[c] as number) + (bias?.[c] ?? 0));
}
/** A causal convolution of each channel, and SiLU. */
function convolve(v: Rows, { kernel, convBias = true }: Shape, get: (name: string) => Float64Array): Rows {
  const weight = get('conv1d.weight');
  return v.map((now, t) => now.map((_, d) => {
    let sum = convBias ? (get('conv1d.bias')[d] as number) : 0;
    for (let k = 0; k < kernel; k++) sum += (weight[d * kernel + k] as number) * (v[t - kernel + 1 + k]?.[d] ?? 0);
    return silu(sum);
  }));
}

function mamba1(x: Rows, shape: Mamba1, get: (name: string) => Float64Array): Rows {
  const { inner, state, rank } = shape;
  const both = x.map((row) => projected(row, 'in_proj', shape, get));
  const u = convolve(both.map((row) => row.slice(0, inner)), shape, get);
  const A = get('A_log').map((a) => -Math.exp(a));
  const h = new Float64Array(inner * state);
  return u.map((now, t) => {
    const low = times(get('x_proj.weight'), now);
    const dt = times(get('dt_proj.weight'), low.slice(0, rank)).map((v, d) => softplus(v + (get('dt_proj.bias')[d] as number)));
    const y = now.map((v, d) => {
      let sum = (get('D')[d] as number) * v;
      for (let n = 0; n < state; n++) {
        const at = d * state + n;
        h[at] = Math.exp((dt[d] as number) * (A[at] as number)) * (h[at] as number) + (dt[d] as number) * (low[rank + n] as number) * v;
        sum += (h[at] as number) * (low[rank + state + n] as number);
      }
      return sum * silu(((both[t] as Float64Array)[inner + d]) as number);
    });
    return projected(y, 'out_proj', shape, get);
  });
}

function mamba2(x: Rows, shape: Mamba2, get: (name: string) => Float64Array): Rows {
  const { inner, state, headSize, groups, normGroups, eps } = shape;
  const heads = inner / headSize;
  const shared = groups * state;
  const rows = x.map((row) => projected(row, 'in_proj', shape, get)); // z, x, B, C, dt
  const mixed = convolve(rows.map((row) => row.slice(inner, 2 * inner + 2 * shared)), shape, get);
  const h = new Float64Array(inner * state);
  return mixed.map((now, t) => {
    const row = rows[t] as Float64Array;
    const y = Float64Array.from({ length: inner }, (_, d) => {
      const head = Math.floor(d / headSize);
      const group = Math.floor(head / (heads / groups));
      const dt = softplus((row[2 * inner + 2 * shared + head] as number) + (get('dt_bias')[head] as number));
      const decay = Math.exp(-dt * Math.exp(get('A_log')[head] as number));
      let sum = (get('D')[head] as number) * (now[d] as number);
      for (let n = 0; n < state; n++) {
        const at = d * state + n;
        h[at] = decay * (h[at] as number) + dt * (now[inner + group * state + n] as number) * (now[d] as number);
        sum += (h[at] as number) * (now[inner + shared + group * state + n] as number);
      }
      return sum * silu(row[d] as number);
    });
    const size = inner / normGroups;
    const normed = y.map((v, d) => {
      const from = Math.floor(d / size) * size;
      const square = y.slice(from, from + size).reduce((a, b) => a + b * b, 0) / size;
      return (v / Math.sqrt(square + eps)) * (get('norm.weight')[d] as number);
    });
    return projected(normed, 'out_proj', shape, get);
  });
}
