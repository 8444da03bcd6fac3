/**
 * Which variables live in memory instead of registers. An engine's compiler orders the instructions of a block by what they feed, level by
 * level: long chains of arithmetic that end in several accumulators are all begun at once, and their intermediate values spilled. Stores
 * keep their order, so accumulators in memory make it finish one chain before the next. Short chains (matrix products) stay in registers.
 */
import type { Stmt, Value } from '../../src/ir/kernel.js';

/** Memory below this address belongs to the kernel that runs; buffers begin above it. */
export const SCRATCH_BYTES = 1024;
const VECTOR = 16;
/** Operations per accumulator from which on its chain is long. */
const LONG = 6;
/** Operations of a decay step or another elementary function that is written in place. */
const FUNCTION = 15;

/** Byte addresses by the variable's name. */
export function scratchVariables(body: readonly Stmt[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  visit(body, 0, found);
  return found;
}
/** Variables of lists that are not open together share addresses. */
function visit(stmts: readonly Stmt[], from: number, found: Map<string, number>): void {
  let next = from;
  const long = new Set<string>();
  for (const loop of loopsOf(stmts)) for (const name of accumulators(loop.body)) long.add(name);
  for (const s of stmts) {
    if (s.kind === 'var' && long.has(s.name) && next + VECTOR <= SCRATCH_BYTES) {
      found.set(s.name, next);
      next += VECTOR;
    }
    if (s.kind === 'for') visit(s.body, next, found);
    if (s.kind === 'if') { visit(s.then, next, found); visit(s.else, next, found); }
  }
}
/** The loops of a list, those that a condition chooses between too. */
function loopsOf(stmts: readonly Stmt[]): readonly Extract<Stmt, { kind: 'for' }>[] {
  return stmts.flatMap((s) => (s.kind === 'for' ? [s] : s.kind === 'if' ? [...loopsOf(s.then), ...loopsOf(s.else)] : []));
}
/** Those of a loop's own body, where their chains are long. */
function accumulators(body: readonly Stmt[]): readonly string[] {
  const sets = body.filter((s) => s.kind === 'set');
  const work = body.reduce((n, s) => n + (s.kind === 'let' || s.kind === 'set' || s.kind === 'store' ? operations(s.value) : 0), 0);
  return sets.length > 1 && work >= LONG * sets.length ? sets.map((s) => s.name) : [];
}
function operations(v: Value): number {
  switch (v.kind) {
    case 'number': case 'reg': case 'load': case 'lane': case 'from-int': case 'from-cond': return 0;
    case 'unary': return operations(v.arg) + (v.op === 'exp2_decay' || v.op === 'exp2m1_decay' ? FUNCTION : 1);
    case 'binary': return 1 + operations(v.left) + operations(v.right);
    case 'select': return 1 + operations(v.cond) + operations(v.then) + operations(v.else);
    case 'muladd': return 2 + operations(v.left) + operations(v.right) + operations(v.plus);
    case 'decay': return FUNCTION + operations(v.exponent) + operations(v.state) + operations(v.plus);
    case 'reduce-lanes': case 'lane-of': return 2 + operations(v.arg);
  }
}
