/** Rewriting of kernels: one walk over statements, values and integers. */
import type { Cond, Int, Stmt, Value } from './kernel.js';

export interface Mapping {
  /** Sees a value after its parts; `undefined` keeps it. */
  readonly value?: (v: Value) => Value | undefined;
  /** Sees an integer after its parts. */
  readonly int?: (e: Int) => Int | undefined;
}

export function mapStmts(stmts: readonly Stmt[], m: Mapping): Stmt[] {
  return stmts.map((s) => mapStmt(s, m));
}
function mapStmt(s: Stmt, m: Mapping): Stmt {
  const int = (e: Int): Int => mapInt(e, m);
  const value = (v: Value): Value => mapValue(v, m);
  switch (s.kind) {
    case 'for': return { ...s, from: int(s.from), to: int(s.to), body: mapStmts(s.body, m) };
    case 'int': return { ...s, value: int(s.value) };
    case 'let': case 'var': case 'set': return { ...s, value: value(s.value) };
    case 'store': return { ...s, at: int(s.at), value: value(s.value), ...(s.second ? { second: value(s.second) } : {}), ...(s.where ? { where: mapCond(s.where, m) } : {}), lanes: typeof s.lanes === 'object' ? { ...s.lanes, count: int(s.lanes.count) } : s.lanes };
    case 'if': return { ...s, cond: mapCond(s.cond, m), then: mapStmts(s.then, m), else: mapStmts(s.else, m) };
    case 'copy': return { ...s, at: int(s.at), from: int(s.from), ...(s.count ? { count: int(s.count) } : {}) };
    case 'multiply': return { ...s, row: { ...s.row, at: s.row.at.map(int) }, column: { ...s.column, at: s.column.at.map(int) } };
    case 'barrier': case 'commit': case 'await': case 'comment': return s;
  }
}
export function mapInt(e: Int, m: Mapping): Int {
  const go = (x: Int): Int => mapInt(x, m);
  const made = ((): Int => {
    switch (e.kind) {
      case 'int': case 'ivar': return e;
      case 'iadd': return { ...e, terms: e.terms.map(go) };
      case 'imul': return { ...e, factors: e.factors.map(go) };
      case 'imin': case 'imax': return { ...e, left: go(e.left), right: go(e.right) };
      case 'idiv': case 'imod': return { ...e, left: go(e.left) };
      case 'iselect': return { ...e, cond: mapCond(e.cond, m), then: go(e.then), else: go(e.else) };
      case 'iload': return { ...e, at: go(e.at) };
    }
  })();
  return m.int?.(made) ?? made;
}
function mapCond(c: Cond, m: Mapping): Cond {
  if (c.kind === 'icompare') return { ...c, left: mapInt(c.left, m), right: mapInt(c.right, m) };
  if (c.kind === 'all') return { ...c, mask: mapValue(c.mask, m) };
  return { ...c, left: mapCond(c.left, m), right: mapCond(c.right, m) };
}
function mapValue(v: Value, m: Mapping): Value {
  const go = (x: Value): Value => mapValue(x, m);
  const int = (e: Int): Int => mapInt(e, m);
  const made = ((): Value => {
    switch (v.kind) {
      case 'number': case 'reg': case 'lane': return v;
      case 'load': return { ...v, at: int(v.at), access: typeof v.access === 'object' ? { stride: int(v.access.stride), last: int(v.access.last) } : v.access };
      case 'unary': return { ...v, arg: go(v.arg) };
      case 'binary': return { ...v, left: go(v.left), right: go(v.right) };
      case 'select': return { ...v, cond: go(v.cond), then: go(v.then), else: go(v.else) };
      case 'muladd': return { ...v, left: go(v.left), right: go(v.right), plus: go(v.plus) };
      case 'decay': return { ...v, exponent: go(v.exponent), state: go(v.state), plus: go(v.plus) };
      case 'from-int': return { ...v, value: int(v.value) };
      case 'from-cond': return { ...v, cond: mapCond(v.cond, m) };
      case 'reduce-lanes': return { ...v, arg: go(v.arg), count: int(v.count) };
      case 'lane-of': return { ...v, arg: go(v.arg), lane: int(v.lane) };
    }
  })();
  return m.value?.(made) ?? made;
}
/** Every statement, outer ones first. */
export function visitStmts(stmts: readonly Stmt[], f: (s: Stmt) => void): void {
  for (const s of stmts) {
    f(s);
    if (s.kind === 'for') visitStmts(s.body, f);
    if (s.kind === 'if') { visitStmts(s.then, f); visitStmts(s.else, f); }
  }
}
