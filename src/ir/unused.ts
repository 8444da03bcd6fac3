/** A kernel without the integers, registers and memories that nothing in it uses: some compilers warn of them. What it does is the same. */
import type { Kernel, Stmt } from './kernel.js';
import { mapStmts, visitStmts } from './map-kernel.js';

export function withoutUnused(kernel: Kernel): Kernel {
  let { body } = kernel;
  for (;;) {
    const used = usedNames(body);
    const kept = sweep(body, used);
    if (count(kept) === count(body)) return { ...kernel, body, ...(kernel.memories ? { memories: kernel.memories.filter((m) => used.has(m.name)) } : {}) };
    body = kept;
  }
}
function usedNames(stmts: readonly Stmt[]): Set<string> {
  const used = new Set<string>();
  mapStmts(stmts, {
    value: (v) => {
      if (v.kind === 'reg') used.add(v.name);
      if (v.kind === 'load') used.add(v.buffer);
      return undefined;
    },
    int: (e) => {
      if (e.kind === 'ivar') used.add(e.name);
      return undefined;
    },
  });
  visitStmts(stmts, (s) => {
    if (s.kind === 'store' || s.kind === 'copy') used.add(s.buffer);
    if (s.kind === 'copy') used.add(s.memory);
    if (s.kind === 'multiply') for (const name of [s.row.memory, s.column.memory, ...s.sums.flat(2)]) used.add(name);
  });
  return used;
}
/** A register of a scope is for what follows there: one of the same name elsewhere is another. Variables are set from inner scopes, and go by their names alone. */
function sweep(stmts: readonly Stmt[], used: ReadonlySet<string>): Stmt[] {
  const after = new Set<string>();
  const kept: Stmt[] = [];
  for (const s of stmts.toReversed()) {
    const swept = sweepOne(s, used, after);
    if (!swept) continue;
    for (const name of usedNames([swept])) after.add(name);
    kept.push(swept);
  }
  return kept.reverse();
}
function sweepOne(s: Stmt, used: ReadonlySet<string>, after: ReadonlySet<string>): Stmt | undefined {
  switch (s.kind) {
    case 'int': case 'let': return after.has(s.name) ? s : undefined;
    case 'var': case 'set': return used.has(s.name) ? s : undefined;
    case 'for': return { ...s, body: sweep(s.body, used) };
    case 'if': return { ...s, then: sweep(s.then, used), else: sweep(s.else, used) };
    default: return s;
  }
}
function count(stmts: readonly Stmt[]): number {
  let n = 0;
  visitStmts(stmts, () => { n++; });
  return n;
}
