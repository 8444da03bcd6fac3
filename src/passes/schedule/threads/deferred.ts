/**
 * Where the lanes of a scan share a point, its sums over the state, and what is made of them, are put off to the end of a tile of steps: each
 * lane leaves its part of a sum in the group's memory, and after a barrier the lanes take a step each, add the parts and go on from the sum. So
 * nothing is exchanged at a step, what follows a sum (D, gates, activations) is computed once and not in every lane, and a machine needs
 * no exchange of registers for it.
 *
 * for t: early; s = Σ lanes x; late(s)   becomes   for tiles: { for t: early; parts[t, lane] = x }; barrier; for every lanes-th t: s = Σ parts[t]; late(s)
 */
import type { Int, Kernel, Stmt, Value, ValueOf } from '../../../ir/kernel.js';
import { mapStmts, visitStmts } from '../../../ir/map-kernel.js';
import { iadd, icompare, imin, imul, int, intVars, ivar } from '../ints.js';

type For = Extract<Stmt, { kind: 'for' }>;
type Let = Extract<Stmt, { kind: 'let' }>;
type Sum = Let & { readonly value: ValueOf<'reduce-lanes'> };

/** One step's body, in two. Where a sum's parts of the step lie is told later: `at(sum)`, `at(sum, lane)`. */
export interface Deferred {
  readonly sums: number;
  readonly early: (memory: string, at: (sum: number) => Int) => readonly Stmt[];
  readonly late: (memory: string, at: (sum: number, lane: number) => Int) => readonly Stmt[];
}

/** Undefined where a later step, or another lane, needs what follows a sum; or where what follows needs the state itself. */
export function deferred(kernel: Kernel, loop: For, lanes: number): Deferred | undefined {
  const sums = loop.body.filter((s): s is Sum => s.kind === 'let' && s.value.kind === 'reduce-lanes');
  const numbered = new Map(sums.map((s, k) => [s.name, k]));
  if (countSums(loop.body) !== sums.length) return undefined;
  const late = lateStmts(loop.body, numbered);
  const own = new Set((kernel.memories ?? []).map((m) => m.name));
  const stored = new Set<string>();
  visitStmts(loop.body, (s) => { if (s.kind === 'store') stored.add(s.buffer); });
  const first = loop.body.filter((s) => !late.has(s));
  const after = loop.body.filter((s) => late.has(s) && !isSum(s, numbered));
  const again = needed(first, after);
  const last = loop.body.filter((s) => again.has(s) || after.includes(s));
  const varying = perLane([...kernel.body.slice(0, kernel.body.indexOf(loop)), ...loop.body], own);
  if (!last.every((s) => isOfPoint(s, (b) => own.has(b) || stored.has(b)) && ![...registers(s)].some((r) => varying.has(r)))) return undefined;
  return {
    sums: sums.length,
    early: (memory, at) => loop.body.flatMap((s): Stmt[] => {
      if (isSum(s, numbered)) return [{ kind: 'store', buffer: memory, at: at(numbered.get(s.name) as number), value: s.value.arg, lanes: 'one' }];
      return late.has(s) ? [] : [s];
    }),
    late: (memory, at) => [
      ...last.filter((s) => s.kind === 'int'),
      ...sums.map((s, k): Stmt => ({ kind: 'let', name: s.name, value: pairwise(s.value.op, Array.from({ length: lanes }, (_, lane): Value => ({ kind: 'load', buffer: memory, at: at(k, lane), access: 'uniform' }))) })),
      ...last.filter((s) => s.kind !== 'int'),
    ],
  };
}
const isSum = (s: Stmt, sums: ReadonlyMap<string, number>): s is Sum => s.kind === 'let' && sums.has(s.name);
function countSums(body: readonly Stmt[]): number {
  let n = 0;
  mapStmts(body, { value: (v) => { if (v.kind === 'reduce-lanes') n++; return undefined; } });
  return n;
}
/** The sums, and all that depends on them. */
function lateStmts(body: readonly Stmt[], sums: ReadonlyMap<string, number>): ReadonlySet<Stmt> {
  const late = new Set<Stmt>();
  const names = new Set<string>();
  for (const s of body) {
    if (!isSum(s, sums) && ![...registers(s)].some((r) => names.has(r))) continue;
    late.add(s);
    if (s.kind === 'let') names.add(s.name);
  }
  return late;
}
/** What of the first part's integers and registers the second needs too, and computes again. */
function needed(first: readonly Stmt[], last: readonly Stmt[]): ReadonlySet<Stmt> {
  const found = new Set<Stmt>();
  const wanted = new Set(last.flatMap((s) => [...registers(s), ...integers(s)]));
  for (const s of first.toReversed()) {
    if ((s.kind !== 'let' && s.kind !== 'int' && s.kind !== 'var') || !wanted.has(s.name)) continue;
    found.add(s);
    for (const name of [...registers(s), ...integers(s)]) wanted.add(name);
  }
  return found;
}
/** Registers that lanes have different values in, or that change. */
function perLane(stmts: readonly Stmt[], own: ReadonlySet<string>): ReadonlySet<string> {
  const found = new Set<string>();
  visitStmts(stmts, (s) => {
    if (s.kind === 'var') found.add(s.name);
    if (s.kind !== 'let' || s.value.kind === 'reduce-lanes') return;
    let varies = [...registers(s)].some((r) => found.has(r));
    mapStmts([s], { value: (v) => { varies ||= v.kind === 'lane' || (v.kind === 'load' && (v.access !== 'uniform' || own.has(v.buffer))); return undefined; } });
    if (varies) found.add(s.name);
  });
  return found;
}
/** A statement that one lane can do for all: it reads no lane's memory, changes no register, and writes what is the point's. */
function isOfPoint(s: Stmt, isTaken: (buffer: string) => boolean): boolean {
  let ok = true;
  const look = (x: Stmt): void => {
    if (x.kind === 'var' || x.kind === 'set' || x.kind === 'for' || x.kind === 'barrier') ok = false;
    if (x.kind === 'store' && typeof x.lanes === 'object') ok = false;
  };
  visitStmts([s], look);
  mapStmts([s], { value: (v) => {
    if (v.kind === 'lane' || (v.kind === 'load' && (v.access !== 'uniform' || isTaken(v.buffer)))) ok = false;
    return undefined;
  } });
  return ok;
}
function registers(s: Stmt): ReadonlySet<string> {
  const found = new Set<string>();
  mapStmts([s], { value: (v) => { if (v.kind === 'reg') found.add(v.name); return undefined; } });
  visitStmts([s], (x) => { if (x.kind === 'set') found.add(x.name); });
  return found;
}
function integers(s: Stmt): ReadonlySet<string> {
  const found = new Set<string>();
  mapStmts([s], { int: (e) => { for (const v of intVars(e)) found.add(v); return undefined; } });
  return found;
}
function pairwise(op: 'sum' | 'max' | 'min', list: readonly Value[]): Value {
  if (list.length === 1) return list[0] as Value;
  const half = Math.ceil(list.length / 2);
  return { kind: 'binary', op: op === 'sum' ? 'add' : op, left: pairwise(op, list.slice(0, half)), right: pairwise(op, list.slice(half)) };
}

/** Statements outside of the second part, whose lanes are threads: what one lane stores, or a few, they store. */
export function storesOfThreads(body: readonly Stmt[], lanes: number, isMemory: (buffer: string) => boolean): Stmt[] {
  return body.map((s): Stmt => {
    if (s.kind === 'for') return { ...s, body: storesOfThreads(s.body, lanes, isMemory) };
    if (s.kind === 'if') return { ...s, then: storesOfThreads(s.then, lanes, isMemory), else: storesOfThreads(s.else, lanes, isMemory) };
    if (s.kind !== 'store' || isMemory(s.buffer)) return s;
    const { count, stride = 1 } = s.lanes === 'one' ? { count: int(1) } : s.lanes === 'vector' ? { count: int(lanes) } : s.lanes;
    const store: Stmt = { ...s, at: iadd(s.at, imul(LANE, stride)), lanes: 'one' };
    return count.kind === 'int' && count.value >= lanes ? store : { kind: 'if', cond: icompare('lt', LANE, count), then: [store], else: [] };
  });
}
/** What lanes load, loaded by threads: the lane is a number like others. */
export function loadsOfThreads(kernel: Kernel, lanes: number, lane: Int): Kernel {
  const body = mapStmts(kernel.body, { value: (v) => {
    switch (v.kind) {
      case 'load': {
        if (v.access === 'uniform') return undefined;
        const { stride, last } = v.access === 'vector' ? { stride: int(1), last: int(lanes - 1) } : v.access;
        const at = last.kind === 'int' && last.value >= lanes - 1 ? LANE : imin(LANE, last);
        return { ...v, at: iadd(v.at, imul(at, stride)), access: 'uniform' };
      }
      case 'lane': return { kind: 'from-int', value: LANE };
      case 'reduce-lanes': case 'lane-of': throw new Error(`${kernel.name}: lanes still exchange registers`);
      default: return undefined;
    }
  } });
  return { ...kernel, ...(kernel.grid ? { grid: { ...kernel.grid, lanes: 1 } } : {}), body: [{ kind: 'int', name: 'part', value: lane }, ...body] };
}
export const LANE: Int = ivar('part');
