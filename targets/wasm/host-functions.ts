/** Functions of float64 at load time: the host's, and what is composed of them. */
import type { KernelUnary } from '../../src/ir/kernel.js';
import type { Assembler } from './assembler.js';

/** What a module may import from `env`, each a function of one number by its name in Math, but for erfc. */
export const hostFunctions = ['exp', 'expm1', 'log', 'log1p', 'sin', 'cos', 'tanh', 'exp2', 'erfc'] as const;
export type HostFunction = (typeof hostFunctions)[number];

/** Pops x, pushes f(x). */
export function emitHostFunction(a: Assembler, name: KernelUnary, callee: (name: HostFunction) => number): void {
  const call = (f: HostFunction): void => a.call(callee(f));
  const x = a.keep('f64');
  switch (name) {
    case 'exp': case 'expm1': case 'log': case 'log1p': case 'sin': case 'cos': case 'tanh': case 'exp2':
      a.get(x);
      call(name);
      return;
    case 'exp2_decay': a.get(x); call('exp2'); return;
    case 'exp2m1': case 'exp2m1_decay':
      a.get(x);
      a.f64(Math.LN2);
      a.emit('f64.mul');
      call('expm1');
      return;
    case 'rsqrt':
      a.f64(1);
      a.get(x);
      a.emit('f64.sqrt', 'f64.div');
      return;
    case 'softplus':
      a.get(x);
      a.f64(0);
      a.emit('f64.max');
      a.get(x);
      a.emit('f64.abs', 'f64.neg');
      call('exp');
      call('log1p');
      a.emit('f64.add');
      return;
    case 'sigmoid': case 'silu':
      // 1/(1 + e^−x): at large −x the exponential is infinite and the quotient 0, as it should be.
      if (name === 'silu') a.get(x);
      else a.f64(1);
      a.f64(1);
      a.get(x);
      a.emit('f64.neg');
      call('exp');
      a.emit('f64.add', 'f64.div');
      return;
    case 'gelu':
      a.get(x);
      a.f64(0.5);
      a.emit('f64.mul');
      a.get(x);
      a.f64(-Math.SQRT1_2);
      a.emit('f64.mul');
      call('erfc');
      a.emit('f64.mul');
      return;
    default: throw new Error(`${name} has no float64 form`);
  }
}
