/**
 * Gives every reduction over time a definition of its own, whose body is just that reduction: it becomes an accumulator that is
 * carried from step to step. mean(t: e) = sum(t: e) / sum(t: 1), exact: the count is a sum like any other.
 */
import { affineOf, freeIndices, mapExpr, substitute, type Builder } from '../ir/builder.js';
import type { Definition, DefinitionId, Expr, Index, Program, ReduceOp } from '../ir/program.js';
import type { Pass } from './pass.js';

export const extractTimeReductions: Pass = {
  name: 'extract-time-reductions',
  why: 'a reduction over time is an accumulator carried from step to step',
  run(program: Program, b: Builder): Program {
    const definitions: Definition[] = [...program.definitions];
    const made = new Map<string, DefinitionId>();

    const accumulator = (owner: Definition, op: ReduceOp, body: Expr): Expr => {
      const free = [...freeIndices(body)].sort((x, y) => x.id - y.id);
      const key = `${op}:${body.id}`;
      let id = made.get(key);
      if (id === undefined) {
        id = definitions.length as DefinitionId;
        made.set(key, id);
        const own = free.map((i) => b.newIndex(i.name, i.axis));
        const by = new Map<Index, Index>(free.map((i, k) => [i, own[k] as Index]));
        // The body stands under the reduction, so its time is bound: indices change, times don't.
        const fresh = substitute(b, b.reduce(op, 'time', body), (i) => { const image = by.get(i); return image && affineOf(image); });
        definitions.push({ kind: 'equation', id, name: `${owner.name}#time.${made.size}`, time: false, indices: own, type: 'real', span: owner.span, body: fresh });
      }
      return b.read(id, 'real', free.map((i) => affineOf(i)));
    };
    const extract = (owner: Definition, root: Expr): Expr =>
      mapExpr(b, root, (e) => {
        if (e.kind !== 'reduce' || e.over !== 'time') return e;
        if (e.op !== 'mean') return accumulator(owner, e.op, e.body);
        return b.binary('div', accumulator(owner, 'sum', e.body), accumulator(owner, 'sum', b.const(1)));
      });
    for (let k = 0; k < program.definitions.length; k++) {
      const d = program.definitions[k] as Definition;
      if (d.kind !== 'equation') continue;
      if (!d.time && d.body.kind === 'reduce' && d.body.over === 'time' && d.body.op !== 'mean') continue;
      const body = extract(d, d.body);
      if (body !== d.body) definitions[k] = { ...d, body };
    }
    return { ...program, definitions };
  },
};
