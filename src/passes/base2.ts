/** Exponentials of a product with a load-time factor to base 2: e^(x·A) = 2^(x·(A·log2 e)); the factor takes the constant in at load. */
import { mapExpr, type Builder } from '../ir/builder.js';
import type { Expr, Program } from '../ir/program.js';
import { factors, isLoadTime, loadTimeDefinitions, mapBodies, product, type Pass } from './pass.js';

export const base2: Pass = {
  name: 'base2',
  why: 'an exponential to base 2 needs no multiplication by log2 e',
  run(program: Program, b: Builder): Program {
    const loaded = loadTimeDefinitions(program);
    const rewrite = (e: Expr): Expr => {
      if (e.kind !== 'unary' || (e.op !== 'exp' && e.op !== 'expm1') || e.arg.type !== 'real') return e;
      const negative = e.arg.kind === 'unary' && e.arg.op === 'neg';
      const list = factors(e.arg.kind === 'unary' && e.arg.op === 'neg' ? e.arg.arg : e.arg);
      const known = list.filter((f) => isLoadTime(f, loaded));
      if (known.every((f) => f.kind === 'const') || known.length === list.length) return e;
      const factor = b.binary('mul', b.const((negative ? -1 : 1) * Math.LOG2E), product(b, known));
      return b.unary(e.op === 'exp' ? 'exp2' : 'exp2m1', product(b, [...list.filter((f) => !known.includes(f)), factor]));
    };
    return mapBodies(program, (e, d) => (loaded.has(d.id) ? e : mapExpr(b, e, rewrite)));
  },
};
