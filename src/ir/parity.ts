/** Which integers of a kernel are even, by how they are made: what must stand at the start of a word has to be. It is not a proof of oddness. */
import type { Int, Kernel } from './kernel.js';
import { visitStmts } from './map-kernel.js';

export function isEven(kernel: Kernel): (e: Int) => boolean {
  const variables = new Set<string>();
  const even = (e: Int): boolean => {
    switch (e.kind) {
      case 'int': return e.value % 2 === 0;
      case 'ivar': return variables.has(e.name);
      case 'iadd': return e.terms.every(even);
      case 'imul': return e.factors.some(even);
      case 'imin': case 'imax': return even(e.left) && even(e.right);
      case 'iselect': return even(e.then) && even(e.else);
      case 'idiv': case 'imod': case 'iload': return false;
    }
  };
  // Each stands before its uses.
  visitStmts(kernel.body, (s) => {
    if (s.kind === 'int' ? even(s.value) : s.kind === 'for' && s.step % 2 === 0 && even(s.from)) variables.add((s as { readonly name: string }).name);
  });
  return even;
}
