/**
 * Products in the order of what their factors vary with: (dt·B)·u becomes (dt·u)·B where B has an index more, so that dt·u is computed
 * once outside the loop over that index. Exact up to rounding: multiplication commutes.
 */
import { children, freeIndices, rebuild, type Builder } from '../ir/builder.js';
import type { Expr, Program } from '../ir/program.js';
import { factors, mapBodies, product, type Pass } from './pass.js';

export const reassociate: Pass = {
  name: 'reassociate',
  why: 'factors that vary together are multiplied first, outside the loops of the others',
  run: (program: Program, b: Builder) => mapBodies(program, (root) => {
    const visit = (e: Expr): Expr => {
      if (e.kind !== 'binary' || e.op !== 'mul') return rebuild(b, e, children(e).map(visit));
      const list = factors(e).map(visit);
      // Fewest axes first: the rest of the order stays as written.
      const size = (x: Expr): number => [...freeIndices(x)].filter((i) => i.axis.size > 1 && !i.axis.labels).length;
      const groups = new Map<string, Expr[]>();
      for (const f of list) {
        const key = [...freeIndices(f)].map((i) => i.id).sort((x, y) => x - y).join(',');
        groups.set(key, [...(groups.get(key) ?? []), f]);
      }
      const parts = [...groups.values()].map((g) => product(b, g));
      return product(b, parts.map((x, k) => ({ x, k })).sort((p, q) => size(p.x) - size(q.x) || p.k - q.k).map((p) => p.x));
    };
    return visit(root);
  }),
};
