/** S4, S4D and LSSL coupled in every way: two to four chains, by their mean, sum, a learned mixture, and a matrix that no pass can collapse. */
import { std } from '../random/agree.js';
import { coupled, couplings, type Coupling, type Kind } from './chains.js';
import { joined, ofChains, type Change, type System } from './system.js';

export interface CoupledSystem extends System {
  readonly kind: Kind;
  readonly coupling: Coupling;
  readonly chains: readonly string[];
}
const names = ['a', 'b', 'e', 'f'];
const blocks = { s4: 'S4', s4d: 'S4D', lssl: 'LSSL' } as const;

/** The library's block with a matrix of its own in place of the mean. */
function mixing(kind: Kind, n: number, chains: readonly string[]): string {
  const library = std.get(`std/${kind}.ssm`) ?? '';
  const own = library.replace(/(\n {2,}coupling = [^\n]*|coupling = none \| mean[^)]*)/, 'coupling = mean | none | sum | softmax')
    .replace(/mean => mean\(m: h\[t-1, m, c, n\]\)/, 'mean => sum(i: mix[m, i] * h[t-1, i, c, n])')
    .replace(/\) \{\n/, `) {\n  axis i = m\n  param mix[m, i] = uniform(0.05, ${1 / chains.length})\n`);
  const block = blocks[kind];
  return `${own}\nmodel M {\n  modalities m = ${chains.join(', ')}\n  axis c = 2\n  input x[t, m, c]\n  output y = ${block}(x, state = ${n}) as block\n}\n`;
}
/** Sums of up to four chains grow unless each forgets more than three quarters of its state at a step. */
const forgetful: Readonly<Record<Kind, Change>> = {
  s4d: { 'kernel.log_dt': () => 0, 'kernel.log_A_real': (_, draw) => Math.log(1.6 + draw()) },
  // (1 - dt/2 A) / (1 + dt/2 A) is small about A = -2; P = 0.
  s4: { 'kernel.inv_dt': () => 0, 'kernel.A_real': (_, draw) => Math.log(1.8 + 0.4 * draw()), 'kernel.A_imag': (_, draw) => 0.6 * draw(), 'kernel.P': () => 0, 'kernel.B': (_, draw) => draw() },
  lssl: { log_dt: () => Math.log(0.9) },
};
function system(kind: Kind, how: keyof typeof couplings, M: number): CoupledSystem {
  const chains = names.slice(0, M);
  const coupling: Coupling = couplings[how];
  const text = (n: number): string => (how === 'mix' ? mixing(kind, n, chains) : ofChains(blocks[kind], `${blocks[kind]}(x, state = ${n}, coupling = ${how})`, 2, chains));
  return {
    invariant: true, name: `${blocks[kind]}, ${M} chains, coupled by ${how}`, text, kind, coupling, chains,
    // The library's own sums of HiPPO's states grow too fast for float32 beyond a few steps.
    sizes: [4, 16], lengths: how === 'sum' ? [1, 2, 3] : [1, 2, 3, 17, 100],
    ...(how === 'sum' && kind !== 'lssl' ? { weights: { 'that forget': forgetful[kind] } } : {}),
    define: (w, x, n) => new Map([['y', joined(coupled(kind, coupling, w, x, n))]]),
  };
}
export const coupledSystems: readonly CoupledSystem[] = (['s4', 's4d', 'lssl'] as const).flatMap((kind) =>
  (['mean', 'sum', 'softmax', 'mix'] as const).flatMap((how) => (how === 'softmax' ? [3] : [2, 3, 4]).map((M) => system(kind, how, M))));
