/** Binding times: what of a run-time equation is known once the weights are becomes a definition of its own, computed then, in float64. */
import { affineOf, children, freeIndices, rebuild, substitute, type Builder } from '../ir/builder.js';
import type { Definition, DefinitionId, Expr, Index, Program } from '../ir/program.js';
import { factors, isLoadTime, loadTimeDefinitions, product, type Pass } from './pass.js';

export const hoistLoadTime: Pass = {
  name: 'hoist-load-time',
  why: 'what needs only weights is computed once, in float64',
  run(program: Program, b: Builder): Program {
    const loaded = loadTimeDefinitions(program);
    const defs: Definition[] = [...program.definitions];
    for (const d of program.definitions) {
      if (d.kind !== 'equation' || loaded.has(d.id)) continue;
      const hoist = (e: Expr): Expr => {
        if (e.kind === 'const' || e.kind === 'index' || e.kind === 'read') return e;
        if (isLoadTime(e, loaded) && e.type === 'real' && worthIt(e)) return define(defs, d, e, b);
        if (e.kind === 'binary' && e.op === 'mul') {
          // Load-time factors of a product together.
          const list = factors(e);
          const known = list.filter((f) => isLoadTime(f, loaded));
          const group = product(b, known);
          if (known.length > 1 && known.length < list.length && worthIt(group)) return product(b, [...list.filter((f) => !known.includes(f)).map(hoist), define(defs, d, group, b)]);
        }
        return rebuild(b, e, children(e).map(hoist));
      };
      const body = hoist(d.body);
      if (body !== d.body) defs[d.id] = { ...(defs[d.id] as typeof d), body };
    }
    return { ...program, definitions: defs };
  },
};
/** It reads a weight and computes something. */
function worthIt(e: Expr): boolean {
  if (e.kind === 'read' || e.kind === 'const' || e.kind === 'index') return false;
  const reads = (x: Expr): boolean => x.kind === 'read' || children(x).some(reads);
  return reads(e);
}
function define(defs: Definition[], owner: Definition, e: Expr, b: Builder): Expr {
  const free = [...freeIndices(e)].sort((x, y) => x.id - y.id);
  const own = free.map((i) => b.newIndex(i.name, i.axis));
  const image = new Map<Index, Index>(free.map((i, k) => [i, own[k] as Index]));
  const id = defs.length as DefinitionId;
  const count = defs.filter((d) => d.name.startsWith(`${owner.name}#load`)).length;
  defs.push({
    kind: 'equation', id, name: `${owner.name}#load${count === 0 ? '' : count + 1}`, time: false, indices: own, type: 'real', span: owner.span,
    body: substitute(b, e, (i) => { const x = image.get(i); return x && affineOf(x); }),
  });
  return b.read(id, 'real', free.map((i) => affineOf(i)));
}
