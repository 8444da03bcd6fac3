/** Construction of integer expressions, folded as they are made. */
import type { Cond, Int } from '../../ir/kernel.js';

export const int = (value: number): Int => ({ kind: 'int', value });
/** The least multiple of `to` from n on. */
export const roundUp = (n: number, to: number): number => Math.ceil(n / to) * to;
export const ivar = (name: string): Int => ({ kind: 'ivar', name });

export function iadd(...terms: readonly Int[]): Int {
  let constant = 0;
  const rest: Int[] = [];
  for (const t of terms) {
    for (const u of t.kind === 'iadd' ? t.terms : [t]) {
      if (u.kind === 'int') constant += u.value;
      else rest.push(u);
    }
  }
  if (constant !== 0 || rest.length === 0) rest.push(int(constant));
  return rest.length === 1 ? (rest[0] as Int) : { kind: 'iadd', terms: rest };
}
export function imul(a: Int, by: Int | number): Int {
  const b = typeof by === 'number' ? int(by) : by;
  if (a.kind === 'int' && b.kind === 'int') return int(a.value * b.value);
  if (b.kind === 'int') {
    if (b.value === 0) return b;
    if (b.value === 1) return a;
    if (a.kind === 'iadd') return iadd(...a.terms.map((t) => imul(t, b)));
    if (a.kind === 'imul') {
      const [last] = a.factors.slice(-1);
      if (last?.kind === 'int') return imul({ kind: 'imul', factors: a.factors.slice(0, -1) }, last.value * b.value);
    }
  } else if (a.kind === 'int') return imul(b, a);
  if (a.kind === 'imul' && a.factors.length === 1) return imul(a.factors[0] as Int, b);
  return { kind: 'imul', factors: [a, b] };
}
export function imin(left: Int, right: Int): Int {
  if (left.kind === 'int' && right.kind === 'int') return int(Math.min(left.value, right.value));
  return { kind: 'imin', left, right };
}
export function imax(left: Int, right: Int): Int {
  if (left.kind === 'int' && right.kind === 'int') return int(Math.max(left.value, right.value));
  return { kind: 'imax', left, right };
}
export const icompare = (op: 'lt' | 'le' | 'eq' | 'ne', left: Int, right: Int): Cond => ({ kind: 'icompare', op, left, right });
export const iand = (left: Cond, right: Cond): Cond => ({ kind: 'iand', left, right });

/** A text that is equal for equal expressions. */
export function intKey(e: Int): string {
  switch (e.kind) {
    case 'int': return `${e.value}`;
    case 'ivar': return e.name;
    case 'iadd': return `(${e.terms.map(intKey).join('+')})`;
    case 'imul': return `(${e.factors.map(intKey).join('*')})`;
    case 'imin': case 'imax': return `${e.kind}(${intKey(e.left)},${intKey(e.right)})`;
    case 'idiv': case 'imod': return `${e.kind}(${intKey(e.left)},${e.by})`;
    case 'iselect': return `sel(${condKey(e.cond)},${intKey(e.then)},${intKey(e.else)})`;
    case 'iload': return `${e.buffer}[${intKey(e.at)}]`;
  }
}
export function condKey(c: Cond): string {
  if (c.kind === 'all') return JSON.stringify(c);
  return c.kind === 'icompare' ? `${c.op}(${intKey(c.left)},${intKey(c.right)})` : `${c.kind}(${condKey(c.left)},${condKey(c.right)})`;
}
/** Names of the variables in it. */
export function intVars(e: Int, into: Set<string> = new Set()): Set<string> {
  switch (e.kind) {
    case 'int': break;
    case 'ivar': into.add(e.name); break;
    case 'iadd': for (const t of e.terms) intVars(t, into); break;
    case 'imul': for (const t of e.factors) intVars(t, into); break;
    case 'imin': case 'imax': intVars(e.left, into); intVars(e.right, into); break;
    case 'idiv': case 'imod': intVars(e.left, into); break;
    case 'iselect': condVars(e.cond, into); intVars(e.then, into); intVars(e.else, into); break;
    case 'iload': intVars(e.at, into); break;
  }
  return into;
}
export function condVars(c: Cond, into: Set<string> = new Set()): Set<string> {
  if (c.kind === 'icompare') { intVars(c.left, into); intVars(c.right, into); } else if (c.kind !== 'all') { condVars(c.left, into); condVars(c.right, into); }
  return into;
}
