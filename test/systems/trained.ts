/** Weights as training may leave them: steps of any size, slow decays, phases all around the circle. */
import type { Change, System } from './system.js';

type Variants = NonNullable<System['weights']>;
const steps = (name: string): Variants => ({ 'of small steps': { [name]: () => Math.log(1e-3) }, 'of large steps': { [name]: () => Math.log(1e-1) } });
const spread = (amount: number) => (old: number, draw: () => number): number => old * (1 + amount * (draw() - 0.5));
const slow = (rate: number) => (_: number, draw: () => number): number => Math.log(rate * (0.5 + draw()));

export const gssWeights: Variants = {
  'of slow decays, phases up to pi': { Lambda_re: slow(1e-4), Lambda_im: (_, draw) => Math.log(Math.PI * draw()) },
  'of slow decays, phases near pi': { Lambda_re: slow(1e-4), Lambda_im: (_, draw) => Math.log(Math.PI * (1 - 0.05 * draw())) },
};
export const lruWeights: Variants = {
  'on the circle of radius 0.9999, phases near pi': { nu_log: () => Math.log(-Math.log(0.9999)), theta_log: (_, draw) => Math.log(Math.PI * (1 - 0.05 * draw())) },
};
export const s4dWeights: Variants = {
  ...steps('kernel.log_dt'),
  'moved from where they began': { log_A_real: (old, draw) => old + 3 * (draw() - 0.8), A_imag: spread(0.5) },
  'of slow decays': { log_A_real: () => Math.log(1e-2), 'kernel.log_dt': () => Math.log(0.05) } satisfies Change,
};
export const s4Weights: Variants = {
  ...steps('kernel.inv_dt'),
  'moved from where they began': { A_real: (old, draw) => old + 2 * (draw() - 0.7), A_imag: spread(0.3), 'kernel.P': spread(0.1), 'kernel.B': spread(0.5) },
};
export const lsslWeights: Variants = { ...steps('log_dt'), 'moved from where they began': { 'block.A': spread(0.1) } };
