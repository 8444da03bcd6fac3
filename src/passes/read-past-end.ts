/**
 * What stands after the last step of a backward state is its initial value. Its own recurrence begins with it; where others read past the
 * end, h[t+k] becomes where(here[t+k] == 0, initial, h[t+k]) with here[t] = 1: a kernel's read outside the sequence gives 0. Exact: a choice
 * between the same two values.
 */
import { affineConstant, affineValue, dependencies, mapExpr, substitute, type Builder } from '../ir/builder.js';
import { components } from '../ir/components.js';
import type { Affine, Definition, DefinitionId, Expr, ExprOf, Index, Program } from '../ir/program.js';
import { affineRange } from './binding-times.js';
import type { Pass } from './pass.js';

export const readPastEnd: Pass = {
  name: 'read-past-end',
  why: 'the initial value of a backward state is what others read after the last step',
  run(program: Program, b: Builder): Program {
    const defs: Definition[] = [...program.definitions];
    const group = new Map<DefinitionId, number>();
    components(defs.map((d) => d.id), (id) => dependencies(defs[id] as Definition)).forEach((ids, k) => { for (const id of ids) group.set(id, k); });
    let here: DefinitionId | undefined;
    const isHere = (time: Affine, owner: Definition): Expr => {
      if (here === undefined) {
        here = defs.length as DefinitionId;
        defs.push({ kind: 'equation', id: here, name: '#here', time: true, indices: [], type: 'real', span: owner.span, body: b.const(1) });
      }
      return b.read(here, 'real', [], time);
    };
    for (const d of program.definitions) {
      if (d.kind !== 'equation') continue;
      const body = mapExpr(b, d.body, (e) => {
        const initial = e.kind === 'read' && group.get(e.def) !== group.get(d.id) ? initialPastEnd(program, e) : undefined;
        if (!initial || e.kind !== 'read' || !e.time) return e;
        const outside = b.binary('eq', isHere(e.time, d), b.const(0));
        // A window may also reach back before the first step, where a backward state is 0.
        const past = affineRange(e.time).low > 0 ? outside : b.binary('and', b.binary('lt', b.const(0), affineValue(b, e.time)), outside);
        return b.select(past, substitute(b, initial.value, (i) => initial.at.get(i)), e);
      });
      // A read of `here` in a body that was rewritten before says that it was.
      if (body !== d.body && !marked(program, d.body)) defs[d.id] = { ...d, body };
    }
    return here === undefined || defs.slice(0, program.definitions.length).every((d, k) => d === program.definitions[k]) ? program : { ...program, definitions: defs };
  },
};
function initialPastEnd(program: Program, e: ExprOf<'read'>): { readonly value: Expr; readonly at: ReadonlyMap<Index, Affine> } | undefined {
  const d = program.definitions[e.def] as Definition;
  if (!e.time || d.kind !== 'equation' || d.state?.direction !== 'backward' || !d.state.initial || affineRange(e.time).high <= 0) return undefined;
  return { value: d.state.initial, at: new Map(d.indices.map((i, k) => [i, e.at[k] ?? affineConstant(0)])) };
}
function marked(program: Program, body: Expr): boolean {
  const here = program.definitions.find((d) => d.name === '#here');
  return here !== undefined && [...dependencies({ ...here, kind: 'equation', body } as Definition)].includes(here.id);
}
