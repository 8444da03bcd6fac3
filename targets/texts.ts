/** What targets that print a language of C's family write alike: integers, conditions, operators, and the functions that a source needs. */
import type { Cond, Int, Value } from '../src/ir/kernel.js';

/** What differs: how a variable is called, how one of two is chosen, how an element and a mask are read. */
export interface Spelling {
  readonly variable: (name: string) => string;
  readonly choose: (cond: string, then: string, otherwise: string) => string;
  readonly element: (e: Extract<Int, { kind: 'iload' }>) => string;
  readonly mask: (v: Value) => string;
  /** Of two conditions: neither has an effect, so that both may be computed. */
  readonly and: string;
  readonly or: string;
}

export function intText(e: Int, s: Spelling): string {
  const go = (x: Int): string => intText(x, s);
  switch (e.kind) {
    case 'int': return `${e.value}`;
    case 'ivar': return s.variable(e.name);
    case 'iadd': return `(${e.terms.map(go).join(' + ').replaceAll('+ -', '- ')})`;
    case 'imul': return `(${e.factors.map(go).join(' * ')})`;
    case 'imin': return `min(${go(e.left)}, ${go(e.right)})`;
    case 'imax': return `max(${go(e.left)}, ${go(e.right)})`;
    case 'idiv': return `(${go(e.left)} / ${e.by})`;
    case 'imod': return `(${go(e.left)} % ${e.by})`;
    case 'iselect': return s.choose(condText(e.cond, s), go(e.then), go(e.else));
    case 'iload': return s.element(e);
  }
}
export function condText(c: Cond, s: Spelling): string {
  if (c.kind === 'all') return s.mask(c.mask);
  if (c.kind === 'icompare') return `${intText(c.left, s)} ${symbols[c.op]} ${intText(c.right, s)}`;
  return `(${condText(c.left, s)}) ${c.kind === 'iand' ? s.and : s.or} (${condText(c.right, s)})`;
}
/** Of binary operations that are written between their sides. */
export const symbols = { add: '+', sub: '-', mul: '*', div: '/', lt: '<', le: '<=', eq: '==', ne: '!=', and: '&&', or: '||' } as const;

/** The texts of functions and of what they need, each after what it calls. */
export function withNeeds<Name extends string>(sources: Readonly<Record<Name, { readonly needs: readonly Name[]; readonly text: string }>>, names: Iterable<Name>): string[] {
  const found = new Set<Name>();
  const visit = (name: Name): void => {
    if (found.has(name)) return;
    for (const n of sources[name].needs) visit(n);
    found.add(name);
  };
  for (const n of [...names].sort()) visit(n);
  return [...found].map((n) => sources[n].text);
}
