/** Addresses as sums of multiples of variables: whether neighbours lie side by side, and at multiples of what. */
import type { Int } from '../../../ir/kernel.js';

/** constant + Σ coefficient · variable. */
export interface Linear {
  readonly constant: number;
  readonly terms: ReadonlyMap<string, number>;
}
export function linear(e: Int): Linear | undefined {
  switch (e.kind) {
    case 'int': return { constant: e.value, terms: new Map() };
    case 'ivar': return { constant: 0, terms: new Map([[e.name, 1]]) };
    case 'iadd': {
      let constant = 0;
      const terms = new Map<string, number>();
      for (const t of e.terms) {
        const l = linear(t);
        if (!l) return undefined;
        constant += l.constant;
        for (const [name, c] of l.terms) terms.set(name, (terms.get(name) ?? 0) + c);
      }
      return { constant, terms };
    }
    case 'imul': {
      const parts = e.factors.map(linear);
      let product: Linear = { constant: 1, terms: new Map() };
      for (const p of parts) {
        if (!p || (p.terms.size > 0 && product.terms.size > 0)) return undefined;
        const by = p.terms.size > 0 ? product.constant : p.constant;
        const of = p.terms.size > 0 ? p : product;
        product = { constant: of.constant * by, terms: new Map([...of.terms].map(([n, c]) => [n, c * by])) };
      }
      return product;
    }
    default: return undefined;
  }
}
