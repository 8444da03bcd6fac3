/** Chains of S4, S4D or LSSL that go on from mixtures of all chains' last states, in plain float64: step by step, and what they answer to an impulse. */
import { diagonal, s4Matrix } from './definitions.js';
import { apply, at, bilinear, Complex, element, gelu, glu, linear, matrix, one, pair, plus, range, type Matrix, type Rows, type Weights } from './plain.js';

export type Kind = 's4' | 'lssl' | 's4d';
export type Chains = ReadonlyMap<string, Rows>;
/** K[m][i]: how much of chain i's state chain m goes on from. */
export type Coupling = (w: Weights, m: number, i: number, chains: number) => number;
export const couplings = {
  mean: (_w, _m, _i, chains) => 1 / chains,
  sum: () => 1,
  softmax: (w, _m, i, chains) => {
    const e = range(chains, (k) => Math.exp(element(w, 'block.coupling.logits', k)));
    return at(e, i) / e.reduce((a, b) => a + b, 0);
  },
  /** A matrix of its own. */
  mix: (w, m, i) => element(w, 'block.mix', m, i),
} satisfies Record<string, Coupling>;

/** A chain's channel, discretised: h = T last + b u, y = Re C h + D u. */
interface Channel { readonly T: Matrix; readonly b: readonly Complex[]; readonly C: readonly Complex[]; readonly D: number }
function channelOf(kind: Kind, own: Weights, c: number, n: number): Channel {
  const D = element(own, 'block.D', c);
  if (kind === 's4') {
    const { A, B, C } = s4Matrix(own, 'block', c, n);
    const { A: T, B: b } = bilinear(A, B, Math.exp(element(own, 'block.kernel.inv_dt', c)));
    return { T, b, C, D };
  }
  if (kind === 'lssl') {
    const A = matrix(n, (i, k) => new Complex(element(own, 'block.A', c, i, k)));
    const { A: T, B: b } = bilinear(A, range(n, (i) => new Complex(element(own, 'block.B', c, i))), Math.exp(element(own, 'block.log_dt', c)));
    return { T, b, C: range(n, (i) => new Complex(element(own, 'block.C', c, i))), D };
  }
  const dt = Math.exp(element(own, 'block.kernel.log_dt', c));
  const A = range(n / 2, (i) => new Complex(-Math.exp(element(own, 'block.kernel.log_A_real', c, i)), element(own, 'block.kernel.A_imag', c, i)));
  return { T: diagonal(A.map((a) => a.times(dt).exp())), b: A.map((a) => a.times(dt).exp().minus(one).over(a)), C: A.map((_, i) => pair(own, 'block.kernel.C', c, i).times(2)), D };
}
/** The weights of a chain, under the names that they have without chains. */
const ofChain = (w: Weights, chain: string): Weights => new Map([...w].filter(([k]) => k.split('.').includes(chain)).map(([k, v]) => [k.split('.').filter((part) => part !== chain).join('.'), v]));

/** One channel of all chains. */
class Channels {
  readonly #of: readonly Channel[];
  readonly #share: readonly (readonly number[])[];
  #h: readonly (readonly Complex[])[];
  constructor(of: readonly Channel[], share: readonly (readonly number[])[]) {
    this.#of = of;
    this.#share = share;
    this.#h = of.map((s) => s.b.map(() => new Complex(0)));
  }
  step(u: readonly number[]): number[] {
    const before = this.#h;
    this.#h = this.#of.map((s, m) => {
      const last = s.b.map((_, k) => before.reduce((z, h, i) => z.plus(at(h, k).times(at(at(this.#share, m), i))), new Complex(0)));
      const next = s.T.every((row, r) => row.every((z, k) => r === k || z.abs() === 0)) ? last.map((z, k) => z.times(at(at(s.T, k), k))) : apply(s.T, last);
      return next.map((z, k) => z.plus(at(s.b, k).times(at(u, m))));
    });
    return this.#of.map((s, m) => s.C.reduce((a, z, k) => a + z.times(at(at(this.#h, m), k)).re, 0) + s.D * at(u, m));
  }
}
function channelsOf(kind: Kind, coupling: Coupling, w: Weights, chains: readonly string[], width: number, n: number): Channels[] {
  const share = range(chains.length, (m) => range(chains.length, (i) => coupling(w, m, i, chains.length)));
  return range(width, (c) => new Channels(chains.map((chain) => channelOf(kind, ofChain(w, chain), c, n)), share));
}

/** The block's answers. */
export function coupled(kind: Kind, coupling: Coupling, w: Weights, x: Chains, n: number): Map<string, number[][]> {
  const chains = [...x.keys()];
  const inputs = [...x.values()];
  const width = at(at(inputs, 0), 0).length;
  const channels = channelsOf(kind, coupling, w, chains, width, n);
  const out = (chain: string, row: readonly number[]): number[] => {
    const own = ofChain(w, chain);
    return kind === 'lssl' ? plus(linear(own, 'block.output_linear.weight', row.length, row), range(row.length, (o) => element(own, 'block.output_linear.bias', o))) : glu(own, 'block.output_linear.0', row);
  };
  const rows = new Map(chains.map((m) => [m, [] as number[][]]));
  for (let t = 0; t < at(inputs, 0).length; t++) {
    const read = channels.map((s, c) => s.step(inputs.map((of) => at(at(of, t), c))));
    chains.forEach((chain, m) => (rows.get(chain) as number[][]).push(out(chain, read.map((y) => gelu(at(y, m))))));
  }
  return rows;
}
/** [answer of chain m][impulse in chain i][channel][step], before GELU. */
export function impulses(kind: Kind, coupling: Coupling, w: Weights, chains: readonly string[], width: number, n: number, steps: number): number[][][][] {
  const found = range(chains.length, () => range(chains.length, () => range(width, () => [] as number[])));
  chains.forEach((_, i) => channelsOf(kind, coupling, w, chains, width, n).forEach((s, c) => {
    for (let t = 0; t < steps; t++) s.step(chains.map((__, m) => (m === i && t === 0 ? 1 : 0))).forEach((y, m) => at(at(at(found, m), i), c).push(y));
  }));
  return found;
}
