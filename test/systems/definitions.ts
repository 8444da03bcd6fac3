/** The systems as their papers define them, in plain float64: from a state dict and inputs [step][channel] to outputs. */
import { apply, at, bilinear, Complex, element, gelu, glu, linear, matrix, one, pair, plus, range, silu, softplus, sum, unroll, type Matrix, type Rows, type Weights } from './plain.js';

/** Of each channel's own sequence a sequence; then the rows again. */
const byChannel = (x: Rows, f: (u: readonly number[], c: number) => readonly number[]): number[][] => {
  const channels = range(at(x, 0).length, (c) => f(x.map((row) => at(row, c)), c));
  return x.map((_, t) => channels.map((y) => at(y, t)));
};
export const diagonal = (d: readonly Complex[]): Matrix => matrix(d.length, (i, j) => (i === j ? at(d, i) : new Complex(0)));

/** HiPPO-LegS (Gu et al. 2020): A and B. */
export function legS(n: number): { A: Matrix; B: Complex[] } {
  const A = matrix(n, (i, k) => new Complex(i > k ? -Math.sqrt((2 * i + 1) * (2 * k + 1)) : i === k ? -(i + 1) : 0));
  return { A, B: range(n, (i) => new Complex(Math.sqrt(2 * i + 1))) };
}

/** LSSL (Gu et al. 2021): dense A of each channel, bilinear; GELU, linear. */
export function lssl(w: Weights, name: string, x: Rows, n: number, rule = bilinear): number[][] {
  const y = byChannel(x, (u, c) => {
    const A = matrix(n, (i, k) => new Complex(element(w, `${name}.A`, c, i, k)));
    const { A: T, B: b } = rule(A, range(n, (i) => new Complex(element(w, `${name}.B`, c, i))), Math.exp(element(w, `${name}.log_dt`, c)));
    const read = unroll(T, b, range(n, (i) => new Complex(element(w, `${name}.C`, c, i))), u);
    return read.map((v, t) => gelu(v + element(w, `${name}.D`, c) * at(u, t)));
  });
  return y.map((row) => plus(linear(w, `${name}.output_linear.weight`, row.length, row), range(row.length, (o) => element(w, `${name}.output_linear.bias`, o))));
}

/** What S4's parameters say of channel c: the whole matrix of all N states, conjugates included. */
export function s4Matrix(w: Weights, name: string, c: number, n: number): { A: Matrix; B: Complex[]; C: Complex[]; P: Complex[] } {
  const half = n / 2;
  const both = (v: readonly Complex[]): Complex[] => [...v, ...v.map((z) => z.conj())];
  const lambda = both(range(half, (i) => new Complex(-Math.exp(element(w, `${name}.kernel.A_real`, c, i)), -element(w, `${name}.kernel.A_imag`, c, i))));
  const [B, C, P] = ['B', 'C', 'P'].map((p) => both(range(half, (i) => pair(w, `${name}.kernel.${p}`, c, i)))) as [Complex[], Complex[], Complex[]];
  const A = matrix(n, (i, j) => (i === j ? at(lambda, i) : new Complex(0)).minus(at(P, i).times(at(P, j).conj())));
  return { A, B, C, P };
}
/** S4 (Gu, Goel, Re 2022): A = Lambda - P P*, bilinear; GELU, gated linear. */
export function s4(w: Weights, name: string, x: Rows, n: number): number[][] {
  const y = byChannel(x, (u, c) => {
    const { A, B, C } = s4Matrix(w, name, c, n);
    const { A: T, B: b } = bilinear(A, B, Math.exp(element(w, `${name}.kernel.inv_dt`, c)));
    return unroll(T, b, C, u).map((v, t) => gelu(v + element(w, `${name}.D`, c) * at(u, t)));
  });
  return y.map((row) => glu(w, `${name}.output_linear.0`, row));
}

/** The same discretised by the bilinear rule, by its recurrence. */
export function s4dBilinear(w: Weights, name: string, x: Rows, n: number): number[][] {
  const y = byChannel(x, (u, c) => {
    const A = range(n / 2, (i) => new Complex(-Math.exp(element(w, `${name}.kernel.log_A_real`, c, i)), element(w, `${name}.kernel.A_imag`, c, i)));
    const { A: T, B: b } = bilinear(diagonal(A), A.map(() => one), Math.exp(element(w, `${name}.kernel.log_dt`, c)));
    return unroll(T, b, A.map((_, i) => pair(w, `${name}.kernel.C`, c, i).times(2)), u).map((v, t) => gelu(v + element(w, `${name}.D`, c) * at(u, t)));
  });
  return y.map((row) => glu(w, `${name}.output_linear.0`, row));
}
/** S4D (Gu et al. 2022) by its convolution kernel: K_l = 2 Re sum_n C_n (exp(dt A_n) - 1) / A_n exp(dt A_n l), y = K * u + D u. */
export function s4d(w: Weights, name: string, x: Rows, n: number, real = false): number[][] {
  const y = byChannel(x, (u, c) => {
    const dt = Math.exp(element(w, `${name}.kernel.log_dt`, c));
    const A = range(real ? n : n / 2, (i) => new Complex(-Math.exp(element(w, `${name}.kernel.log_A_real`, c, i)), real ? 0 : element(w, `${name}.kernel.A_imag`, c, i)));
    const C = A.map((_, i) => (real ? new Complex(element(w, `${name}.kernel.C`, c, i)) : pair(w, `${name}.kernel.C`, c, i).times(2)));
    const weight = A.map((a, i) => at(C, i).times(a.times(dt).exp().minus(one).over(a)));
    const K = u.map((_, l) => sum(A.length, (i) => at(weight, i).times(at(A, i).times(dt * l).exp()).re));
    return u.map((v, t) => gelu(sum(t + 1, (l) => at(K, l) * at(u, t - l)) + element(w, `${name}.D`, c) * v));
  });
  return y.map((row) => glu(w, `${name}.output_linear.0`, row));
}

/** GSS (Mehta et al. 2022), its DSS by the convolution kernel Re sum_n C_n exp(Lambda_n l). */
export function gss(w: Weights, name: string, x: Rows, n: number, inner: number, gate: number): number[][] {
  const v = x.map((row) => linear(w, `${name}.v_proj.weight`, gate, row).map(gelu));
  const u = x.map((row) => linear(w, `${name}.u_proj.weight`, inner, row).map(gelu));
  const lambda = range(n, (i) => new Complex(-Math.exp(element(w, `${name}.Lambda_re`, i)), Math.exp(element(w, `${name}.Lambda_im`, i))));
  const powers = x.map((_, l) => lambda.map((z) => z.times(l).exp()));
  const y = byChannel(u, (s, d) => {
    const C = range(n, (i) => pair(w, `${name}.C`, d, i));
    const K = powers.map((p) => sum(n, (i) => at(C, i).times(at(p, i)).re));
    return s.map((_, t) => sum(t + 1, (l) => at(K, l) * at(s, t - l)) + element(w, `${name}.D`, d) * at(s, t));
  });
  return y.map((row, t) => {
    const o = linear(w, `${name}.y_proj.weight`, gate, row).map((a, f) => a * at(at(v, t), f));
    return linear(w, `${name}.out_proj.weight`, at(x, 0).length, o);
  });
}

/** LRU (Orvieto et al. 2023). */
export function lru(w: Weights, name: string, x: Rows, n: number): number[][] {
  const lambda = range(n, (i) => new Complex(-Math.exp(element(w, `${name}.nu_log`, i)), Math.exp(element(w, `${name}.theta_log`, i))).exp());
  const part = (p: string, i: number, j: number): Complex => new Complex(element(w, `${name}.${p}_re`, i, j), element(w, `${name}.${p}_im`, i, j));
  const width = at(x, 0).length;
  const B = range(n, (i) => range(width, (c) => part('B', i, c).times(Math.exp(element(w, `${name}.gamma_log`, i)))));
  const C = range(width, (c) => range(n, (i) => part('C', c, i)));
  const T = diagonal(lambda);
  let h: Complex[] = range(n, () => new Complex(0));
  return x.map((row) => {
    const u = B.map((b) => b.reduce((s, z, c) => s.plus(z.times(at(row, c))), new Complex(0)));
    h = n > 16 ? h.map((z, i) => z.times(at(lambda, i))) : apply(T, h);
    h = h.map((z, i) => z.plus(at(u, i)));
    return C.map((c, k) => c.reduce((s, z, i) => s + z.times(at(h, i)).re, 0) + element(w, `${name}.D`, k) * at(row, k));
  });
}

/** A depthwise causal convolution of the last k steps, weights [channel, 1, k], SiLU: of rows t - k + 1 to t; `ahead` of t to t + k - 1 instead, mirrored. */
function shortConvolution(w: Weights, name: string, x: Rows, k: number, ahead = false): number[][] {
  return x.map((row, t) => row.map((_, d) => silu(element(w, `${name}.bias`, d) + sum(k, (j) => {
    const row2 = x[ahead ? t + k - 1 - j : t - k + 1 + j];
    return row2 ? element(w, `${name}.weight`, d, j) * at(row2, d) : 0;
  }))));
}
interface Selective { readonly suffix: string; readonly A: string; readonly D: string; readonly ahead: boolean }
/** The selective scan of Mamba (Gu, Dao 2023, Algorithm 2) on what the convolution gives; without the gate. */
function selective(w: Weights, name: string, v: Rows, { n, rank, kernel }: { n: number; rank: number; kernel: number }, way: Selective): number[][] {
  const width = at(v, 0).length;
  const u = shortConvolution(w, `${name}.conv1d${way.suffix}`, v, kernel, way.ahead);
  const h = range(width, () => new Float64Array(n));
  const step = (row: readonly number[]): number[] => {
    const p = linear(w, `${name}.x_proj${way.suffix}.weight`, rank + 2 * n, row);
    const low = linear(w, `${name}.dt_proj${way.suffix}.weight`, width, p.slice(0, rank));
    return row.map((a, d) => {
      const dt = softplus(at(low, d) + element(w, `${name}.dt_proj${way.suffix}.bias`, d));
      const s = at(h, d);
      for (let i = 0; i < n; i++) s[i] = Math.exp(-dt * Math.exp(element(w, `${name}.${way.A}`, d, i))) * (s[i] as number) + dt * at(p, rank + i) * a;
      return sum(n, (i) => at(p, rank + n + i) * (s[i] as number)) + element(w, `${name}.${way.D}`, d) * a;
    });
  };
  return way.ahead ? u.toReversed().map(step).toReversed() : u.map(step);
}
const forward: Selective = { suffix: '', A: 'A_log', D: 'D', ahead: false };
const backward: Selective = { suffix: '_b', A: 'A_b_log', D: 'D_b', ahead: true };
/** Mamba from the state dict of mamba_ssm's `Mamba`; `both` ways as Vision Mamba's block. */
export function mamba(w: Weights, name: string, x: Rows, sizes: { n: number; rank: number; kernel: number; expand: number }, both = false): number[][] {
  const c = at(x, 0).length;
  const d = sizes.expand * c;
  const v = x.map((row) => linear(w, `${name}.in_proj.weight`, d, row));
  const z = x.map((row) => linear(w, `${name}.in_proj.weight`, d, row, d));
  const ways = both ? [forward, backward] : [forward];
  const ys = ways.map((way) => selective(w, name, v, sizes, way));
  return x.map((_, t) => linear(w, `${name}.out_proj.weight`, c, range(d, (k) => sum(ys.length, (j) => at(at(at(ys, j), t), k)) * silu(at(at(z, t), k)))));
}

/** Mamba-2 from the state dict of mamba_ssm's `Mamba2Simple`: one decay per head, RMS norm of y SiLU(z) in each group. */
export function mamba2(w: Weights, name: string, x: Rows, s: { n: number; kernel: number; expand: number; headdim: number; groups: number }): number[][] {
  const c = at(x, 0).length;
  const d = s.expand * c;
  const heads = d / s.headdim;
  const mixed = d + 2 * s.groups * s.n;
  const z = x.map((row) => linear(w, `${name}.in_proj.weight`, d, row));
  const xBC = shortConvolution(w, `${name}.conv1d`, x.map((row) => linear(w, `${name}.in_proj.weight`, mixed, row, d)), s.kernel);
  const states = range(d, () => new Float64Array(s.n));
  return x.map((row, t) => {
    const dts = linear(w, `${name}.in_proj.weight`, heads, row, d + mixed).map((a, e) => softplus(a + element(w, `${name}.dt_bias`, e)));
    const v = at(xBC, t);
    const y = range(d, (k) => {
      const head = Math.floor(k / s.headdim);
      const group = Math.floor(head / (heads / s.groups));
      const state = at(states, k);
      const decay = Math.exp(-at(dts, head) * Math.exp(element(w, `${name}.A_log`, head)));
      for (let i = 0; i < s.n; i++) state[i] = decay * (state[i] as number) + at(dts, head) * at(v, d + group * s.n + i) * at(v, k);
      const read = sum(s.n, (i) => at(v, d + s.groups * s.n + group * s.n + i) * (state[i] as number)) + element(w, `${name}.D`, head) * at(v, k);
      return read * silu(at(at(z, t), k));
    });
    const size = d / s.groups;
    const normed = y.map((a, k) => {
      const from = Math.floor(k / size) * size;
      return (a / Math.sqrt(sum(size, (j) => at(y, from + j) ** 2) / size + 1e-5)) * element(w, `${name}.norm.weight`, k);
    });
    return linear(w, `${name}.out_proj.weight`, c, normed);
  });
}

/** Coupled Mamba's state space with fixed coefficients (Li et al. 2024, equations 5 and 6): each chain goes on from Σ_i weight[m][i] h^i. Rows by chain. */
export function coupledSsm(w: Weights, name: string, x: ReadonlyMap<string, Rows>, n: number, kind: 'mean' | 'sum' | 'softmax' | 'none' | 'full'): Map<string, number[][]> {
  const chains = [...x.keys()];
  const width = at(at([...x.values()], 0), 0).length;
  const length = at([...x.values()], 0).length;
  const logits = kind === 'softmax' ? chains.map((_, i) => Math.exp(element(w, `${name}.coupling.logits`, i))) : [];
  const share = (m: number, i: number): number => {
    switch (kind) {
      case 'sum': return 1;
      case 'mean': case 'full': return 1 / chains.length;
      case 'softmax': return at(logits, i) / logits.reduce((a, b) => a + b, 0);
      case 'none': return m === i ? 1 : 0;
    }
  };
  const out = new Map(chains.map((m) => [m, [] as number[][]]));
  let h = chains.map(() => range(width * n, () => 0));
  for (let t = 0; t < length; t++) {
    const next = chains.map((chain, m) => range(width * n, (k) => {
      const [c, s] = [Math.floor(k / n), k % n];
      const dt = softplus(element(w, `${name}.${chain}.dt_bias`, c));
      const decay = (i: number): number => Math.exp(-dt * Math.exp(kind === 'full' ? element(w, `${name}.${chain}.A_log`, i, c, s) : element(w, `${name}.${chain}.A_log`, c, s)));
      return sum(chains.length, (i) => share(m, i) * decay(i) * at(at(h, i), k)) + dt * element(w, `${name}.${chain}.B`, c, s) * at(at(x.get(chain) as Rows, t), c);
    }));
    h = next;
    chains.forEach((chain, m) => (out.get(chain) as number[][]).push(range(width, (c) =>
      sum(n, (s) => element(w, `${name}.${chain}.C`, c, s) * at(at(h, m), c * n + s)) + element(w, `${name}.${chain}.D`, c) * at(at(x.get(chain) as Rows, t), c))));
  }
  return out;
}

/** The forward pass of a coupled hidden Markov model: predict from the beliefs of all chains, multiply by the emissions, normalise. */
export function coupledHmm(w: Weights, name: string, emission: ReadonlyMap<string, Rows>): Map<string, number[][]> {
  const chains = [...emission.keys()];
  const states = at(at([...emission.values()], 0), 0).length;
  const softmax = (logits: readonly number[]): number[] => {
    const e = logits.map((x) => Math.exp(x));
    return e.map((x) => x / e.reduce((a, b) => a + b, 0));
  };
  const weights = chains.map((_, m) => softmax(chains.map((_c, i) => element(w, `${name}.coupling.logits`, m, i))));
  const transition = chains.map((chain) => chains.map((_, i) => range(states, (l) => softmax(range(states, (k) => element(w, `${name}.${chain}.transition.logits`, i, l, k))))));
  let belief = chains.map((chain) => softmax(range(states, (k) => element(w, `${name}.${chain}.initial.logits`, k))));
  const out = new Map(chains.map((m) => [m, [] as number[][]]));
  for (let t = 0; t < at([...emission.values()], 0).length; t++) {
    belief = chains.map((chain, m) => {
      const p = range(states, (k) => at(at(emission.get(chain) as Rows, t), k) * sum(chains.length, (i) => at(at(weights, m), i) * sum(states, (l) => at(at(at(at(transition, m), i), l), k) * at(at(belief, i), l))));
      return p.map((x) => x / p.reduce((a, b) => a + b, 0));
    });
    chains.forEach((chain, m) => (out.get(chain) as number[][]).push(at(belief, m)));
  }
  return out;
}
