/** What must hold of every Program, between any two passes. A broken one is a bug of the compiler: it throws. */
import { children } from './builder.js';
import type { Definition, Expr, Index, Program } from './program.js';

export function verifyProgram(p: Program): void {
  p.definitions.forEach((d, k) => {
    if (d.id !== k) throw new Error(`definition ${d.name} has number ${d.id} in place ${k}`);
    if (d.kind === 'equation') {
      verifyExpr(p, d, d.body, new Set(d.indices));
      if (d.type !== d.body.type) throw new Error(`${d.name} is ${d.type}, its body ${d.body.type}`);
      if (d.state?.initial) verifyExpr(p, d, d.state.initial, new Set(d.indices));
    }
    for (const id of d.kind === 'stack' ? d.parts : d.kind === 'inverse' || d.kind === 'eigen' ? [d.matrix] : []) if (!p.definitions[id]) throw new Error(`${d.name} needs definition ${id}, which is not there`);
  });
}
function verifyExpr(p: Program, owner: Definition, root: Expr, own: ReadonlySet<Index>): void {
  const visit = (e: Expr, bound: ReadonlySet<Index>): void => {
    const known = (i: Index): void => { if (!bound.has(i)) throw new Error(`${owner.name}: index ${i.name}#${i.id} is free`); };
    if (e.kind === 'index') known(e.index);
    if (e.kind === 'read') {
      const d = p.definitions[e.def];
      if (!d) throw new Error(`${owner.name} reads definition ${e.def}, which is not there`);
      if (d.indices.length !== e.at.length || d.time !== (e.time !== undefined)) throw new Error(`${owner.name} reads ${d.name} with ${e.at.length} indices`);
      if (d.type !== e.type) throw new Error(`${owner.name} reads ${d.name} as ${e.type}, but it is ${d.type}`);
      for (const a of [...e.at, ...(e.time ? [e.time] : [])]) for (const t of a.terms) known(t.index);
    }
    const inner = e.kind === 'reduce' && e.over !== 'time' ? new Set([...bound, e.over]) : bound;
    for (const kid of children(e)) visit(kid, inner);
  };
  visit(root, own);
}
