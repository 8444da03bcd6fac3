/** Integer expressions as polynomials: what of an address is constant, and what is known at which loop. */
import type { Int } from '../../src/ir/kernel.js';

/** coefficient · Π factors; a factor is a variable's name, or an opaque expression. */
export interface Term {
  readonly coefficient: number;
  readonly factors: readonly (string | Opaque)[];
}
export type Opaque = Extract<Int, { kind: 'imin' | 'imax' | 'idiv' | 'imod' | 'iselect' | 'iload' }>;
export interface Polynomial {
  readonly constant: number;
  readonly terms: readonly Term[];
}

export function polynomial(e: Int): Polynomial {
  switch (e.kind) {
    case 'int': return { constant: e.value, terms: [] };
    case 'ivar': return { constant: 0, terms: [{ coefficient: 1, factors: [e.name] }] };
    case 'iadd': return e.terms.map(polynomial).reduce(plus, zero);
    case 'imul': return e.factors.map(polynomial).reduce(times, { constant: 1, terms: [] });
    default: return { constant: 0, terms: [{ coefficient: 1, factors: [e] }] };
  }
}
const zero: Polynomial = { constant: 0, terms: [] };
const nameOf = (f: string | Opaque): string => (typeof f === 'string' ? f : JSON.stringify(f));
export const termKey = (t: Term): string => t.factors.map(nameOf).join('*');

function plus(a: Polynomial, b: Polynomial): Polynomial {
  return collect(a.constant + b.constant, [...a.terms, ...b.terms]);
}
function times(a: Polynomial, b: Polynomial): Polynomial {
  const terms: Term[] = [];
  if (b.constant !== 0) terms.push(...a.terms.map((t) => ({ ...t, coefficient: t.coefficient * b.constant })));
  if (a.constant !== 0) terms.push(...b.terms.map((t) => ({ ...t, coefficient: t.coefficient * a.constant })));
  for (const x of a.terms) for (const y of b.terms) {
    const factors = [...x.factors, ...y.factors].sort((p, q) => (nameOf(p) < nameOf(q) ? -1 : 1));
    terms.push({ coefficient: x.coefficient * y.coefficient, factors });
  }
  return collect(a.constant * b.constant, terms);
}
function collect(constant: number, terms: readonly Term[]): Polynomial {
  const sums = new Map<string, Term>();
  for (const t of terms) {
    const key = termKey(t);
    sums.set(key, { factors: t.factors, coefficient: (sums.get(key)?.coefficient ?? 0) + t.coefficient });
  }
  return { constant, terms: [...sums.values()].filter((t) => t.coefficient !== 0) };
}
