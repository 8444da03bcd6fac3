/**
 * Makes hash-consed expressions: two structurally equal expressions of one builder are the same object. One builder serves a whole
 * compilation, passes included, so that equality holds across them. No algebra here; see passes/simplify.ts.
 */
import type { Affine, BinaryOp, Definition, DefinitionId, Expr, Index, ReduceOp, Type, UnaryOp } from './program.js';

type Shape<E> = E extends Expr ? Omit<E, 'id' | 'type'> : never;

const comparisons: ReadonlySet<BinaryOp> = new Set<BinaryOp>(['lt', 'le', 'eq', 'ne', 'and', 'or']);

export class Builder {
  readonly #table = new Map<string, Expr>();
  #nextIndex = 0;

  /** A fresh index variable over an axis. */
  newIndex(name: string, axis: Index['axis'], governor?: Index): Index {
    return { id: this.#nextIndex++, name, axis, ...(governor ? { governor } : {}) };
  }
  const(value: number): Expr {
    return this.#intern(`c${Object.is(value, -0) ? '-0' : value}`, 'real', { kind: 'const', value });
  }
  index(index: Index): Expr {
    return this.#intern(`i${index.id}`, 'real', { kind: 'index', index });
  }
  /** `type` is the definition's. */
  read(def: DefinitionId, type: Type, at: readonly Affine[], time?: Affine): Expr {
    const canonical = at.map(normalAffine);
    const offset = time && normalAffine(time);
    const key = `r${def}:${type}(${offset ? affineKey(offset) : ''};${canonical.map(affineKey).join(',')})`;
    return this.#intern(key, type, { kind: 'read', def, at: canonical, ...(offset ? { time: offset } : {}) });
  }
  unary(op: UnaryOp, arg: Expr): Expr {
    const type: Type = op === 're' || op === 'im' || (op === 'abs') ? 'real' : op === 'not' ? 'bool' : arg.type;
    return this.#intern(`u${op}(${arg.id})`, type, { kind: 'unary', op, arg });
  }
  binary(op: BinaryOp, left: Expr, right: Expr): Expr {
    const type: Type = comparisons.has(op) ? 'bool' : op === 'complex' || left.type === 'complex' || right.type === 'complex' ? 'complex' : 'real';
    return this.#intern(`b${op}(${left.id},${right.id})`, type, { kind: 'binary', op, left, right });
  }
  power(base: Expr, exponent: number): Expr {
    return this.#intern(`p${exponent}(${base.id})`, base.type, { kind: 'power', base, exponent });
  }
  select(cond: Expr, then: Expr, otherwise: Expr): Expr {
    const type: Type = then.type === 'complex' || otherwise.type === 'complex' ? 'complex' : then.type;
    return this.#intern(`s(${cond.id},${then.id},${otherwise.id})`, type, { kind: 'select', cond, then, else: otherwise });
  }
  reduce(op: ReduceOp, over: Index | 'time', body: Expr): Expr {
    return this.#intern(`R${op}(${over === 'time' ? 't' : over.id},${body.id})`, body.type, { kind: 'reduce', op, over, body });
  }

  #intern(key: string, type: Type, shape: Shape<Expr>): Expr {
    const found = this.#table.get(key);
    if (found) return found;
    const made = { ...shape, id: this.#table.size, type } as Expr;
    this.#table.set(key, made);
    return made;
  }
}

/** Terms merged, sorted by index, zeros dropped. */
export function normalAffine(a: Affine): Affine {
  const sums = new Map<Index, number>();
  for (const { index, coefficient } of a.terms) sums.set(index, (sums.get(index) ?? 0) + coefficient);
  const terms = [...sums].filter(([, c]) => c !== 0).map(([index, coefficient]) => ({ index, coefficient }));
  terms.sort((x, y) => x.index.id - y.index.id);
  return { constant: a.constant, terms };
}
function affineKey(a: Affine): string {
  return `${a.constant}${a.terms.map((t) => `+${t.coefficient}*${t.index.id}`).join('')}`;
}

/** A read without a step, or of the step at hand. */
export const isNow = (time: Affine | undefined): boolean => !time || (time.constant === 0 && time.terms.length === 0);
export const affineConstant = (constant: number): Affine => ({ constant, terms: [] });
export const affineOf = (index: Index, constant = 0): Affine => ({ constant, terms: [{ index, coefficient: 1 }] });
export function affineAdd(a: Affine, b: Affine): Affine {
  return normalAffine({ constant: a.constant + b.constant, terms: [...a.terms, ...b.terms] });
}
/** Replaces indices by affine expressions. */
export function affineSubstitute(a: Affine, by: (index: Index) => Affine | undefined): Affine {
  let result = affineConstant(a.constant);
  for (const { index, coefficient } of a.terms) {
    const image = by(index) ?? affineOf(index);
    result = affineAdd(result, { constant: image.constant * coefficient, terms: image.terms.map((t) => ({ index: t.index, coefficient: t.coefficient * coefficient })) });
  }
  return result;
}
/** The index, if the expression is just that. */
export function plainIndex(a: Affine): Index | undefined {
  const [term, ...more] = a.terms;
  return term && more.length === 0 && a.constant === 0 && term.coefficient === 1 ? term.index : undefined;
}

/** Children of an expression. */
export function children(e: Expr): readonly Expr[] {
  switch (e.kind) {
    case 'const': case 'index': case 'read': return [];
    case 'unary': return [e.arg];
    case 'binary': return [e.left, e.right];
    case 'power': return [e.base];
    case 'select': return [e.cond, e.then, e.else];
    case 'reduce': return [e.body];
  }
}
/** The same node over other children, in the order of `children`. */
export function rebuild(b: Builder, e: Expr, kids: readonly Expr[]): Expr {
  const kid = (i: number): Expr => kids[i] as Expr;
  switch (e.kind) {
    case 'const': case 'index': case 'read': return e;
    case 'unary': return b.unary(e.op, kid(0));
    case 'binary': return b.binary(e.op, kid(0), kid(1));
    case 'power': return b.power(kid(0), e.exponent);
    case 'select': return b.select(kid(0), kid(1), kid(2));
    case 'reduce': return b.reduce(e.op, e.over, kid(0));
  }
}
/** Bottom-up rewriting with sharing; `f` sees each node once, its children done. */
export function mapExpr(b: Builder, root: Expr, f: (e: Expr) => Expr): Expr {
  const done = new Map<Expr, Expr>();
  const visit = (e: Expr): Expr => {
    const known = done.get(e);
    if (known) return known;
    const kids = children(e);
    const mapped = kids.map(visit);
    const result = f(mapped.some((k, i) => k !== kids[i]) ? rebuild(b, e, mapped) : e);
    done.set(e, result);
    return result;
  };
  return visit(root);
}
/** Every node once, children first. */
export function visitExpr(root: Expr, f: (e: Expr) => void): void {
  const seen = new Set<Expr>();
  const visit = (e: Expr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    for (const kid of children(e)) visit(kid);
    f(e);
  };
  visit(root);
}
/**
 * Replaces index variables (free or bound ones are told apart by identity: variables are never reused) by affine expressions; where a variable's numeric value is used it becomes that
 * expression's value. `shift` adds to every free time offset, for reading a definition's body at another time.
 */
export function substitute(b: Builder, root: Expr, by: (index: Index) => Affine | undefined, shift?: Affine): Expr {
  const visit = (e: Expr, inTime: boolean, memo: Map<Expr, Expr>): Expr => {
    const known = memo.get(e);
    if (known) return known;
    let result: Expr;
    if (e.kind === 'read') {
      const time = e.time && affineSubstitute(e.time, by);
      result = b.read(e.def, e.type, e.at.map((a) => affineSubstitute(a, by)), time && (shift && !inTime ? affineAdd(time, shift) : time));
    } else if (e.kind === 'index') {
      const image = by(e.index);
      result = image ? affineValue(b, image) : e;
    } else if (e.kind === 'reduce' && e.over === 'time' && !inTime) {
      result = b.reduce(e.op, 'time', visit(e.body, true, new Map()));
    } else {
      result = rebuild(b, e, children(e).map((k) => visit(k, inTime, memo)));
    }
    memo.set(e, result);
    return result;
  };
  return visit(root, false, new Map());
}
export function affineValue(b: Builder, a: Affine): Expr {
  let sum: Expr | undefined = a.constant === 0 && a.terms.length > 0 ? undefined : b.const(a.constant);
  for (const { index, coefficient } of a.terms) {
    const term = coefficient === 1 ? b.index(index) : b.binary('mul', b.const(coefficient), b.index(index));
    sum = sum ? b.binary('add', sum, term) : term;
  }
  return sum ?? b.const(0);
}
/** Free index variables: used and not bound by a reduction inside. */
export function freeIndices(root: Expr): ReadonlySet<Index> {
  const memo = new Map<Expr, ReadonlySet<Index>>();
  const visit = (e: Expr): ReadonlySet<Index> => {
    const known = memo.get(e);
    if (known) return known;
    const free = new Set<Index>();
    if (e.kind === 'index') free.add(e.index);
    if (e.kind === 'read') for (const a of [...e.at, ...(e.time ? [e.time] : [])]) for (const t of a.terms) free.add(t.index);
    for (const kid of children(e)) for (const i of visit(kid)) free.add(i);
    if (e.kind === 'reduce' && e.over !== 'time') {
      free.delete(e.over);
      if (e.over.governor) free.add(e.over.governor);
    }
    for (const i of Array.from(free)) if (i.governor) free.add(i.governor);
    memo.set(e, free);
    return free;
  };
  return visit(root);
}
/** It changes from step to step: a read at t, outside a reduction over time. */
export function readsTime(root: Expr): boolean {
  const seen = new Set<Expr>();
  const visit = (e: Expr): boolean => {
    if (seen.has(e)) return false;
    seen.add(e);
    if (e.kind === 'read') return e.time !== undefined;
    return !(e.kind === 'reduce' && e.over === 'time') && children(e).some(visit);
  };
  return visit(root);
}
/** Definitions that an expression reads. */
export function reads(root: Expr): ReadonlySet<DefinitionId> {
  const found = new Set<DefinitionId>();
  visitExpr(root, (e) => { if (e.kind === 'read') found.add(e.def); });
  return found;
}
/** Definitions that a definition needs, initial value included. */
export function dependencies(d: Definition): ReadonlySet<DefinitionId> {
  switch (d.kind) {
    case 'input': case 'param': case 'draw': return new Set();
    case 'inverse': case 'eigen': return new Set([d.matrix]);
    case 'stack': return new Set(d.parts);
    case 'equation': {
      const all = new Set(reads(d.body));
      if (d.state?.initial) for (const id of reads(d.state.initial)) all.add(id);
      return all;
    }
  }
}
