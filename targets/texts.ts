/** What targets that print a language of C's family write alike: statements, integers, conditions, operators, and the functions that a source needs. */
import type { Cond, Int, Stmt, Value } from '../src/ir/kernel.js';

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
/** How statements differ beside: what stands before the name that one declares, and those that a target writes in its own way. */
export interface Statements extends Spelling {
  readonly local: (name: string) => string;
  readonly value: (v: Value) => string;
  readonly declare: (s: Extract<Stmt, { kind: 'for' | 'int' | 'let' | 'var' }>) => string;
  /** Above a loop that is to be unrolled. */
  readonly unroll?: string;
  readonly comment: (text: string) => string;
  readonly own: (s: Extract<Stmt, { kind: 'store' | 'copy' | 'commit' | 'await' | 'barrier' | 'multiply' }>) => readonly string[];
}
/** Lines of a statement, `pad` before each. */
export function stmtText(s: Stmt, pad: string, d: Statements): string[] {
  const block = (list: readonly Stmt[]): string[] => list.flatMap((x) => stmtText(x, `${pad}  `, d));
  switch (s.kind) {
    case 'for': {
      const name = d.local(s.name);
      const step = s.step > 0 ? `+= ${s.step}` : `-= ${-s.step}`;
      const head = `for (${d.declare(s)} ${name} = ${intText(s.from, d)}; ${name} ${s.step > 0 ? '<' : '>'} ${intText(s.to, d)}; ${name} ${step}) {`;
      return [...(s.unroll && d.unroll !== undefined ? [`${pad}${d.unroll}`] : []), `${pad}${head}`, ...block(s.body), `${pad}}`];
    }
    case 'int': return [`${pad}${d.declare(s)} ${d.local(s.name)} = ${intText(s.value, d)};`];
    case 'let': case 'var': return [`${pad}${d.declare(s)} ${d.local(s.name)} = ${d.value(s.value)};`];
    case 'set': return [`${pad}${d.local(s.name)} = ${d.value(s.value)};`];
    case 'if': return [`${pad}if (${condText(s.cond, d)}) {`, ...block(s.then), ...(s.else.length > 0 ? [`${pad}} else {`, ...block(s.else)] : []), `${pad}}`];
    case 'comment': return [`${pad}// ${d.comment(s.text)}`];
    default: return d.own(s).map((line) => `${pad}${line}`);
  }
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
