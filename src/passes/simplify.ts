/**
 * Algebra that makes the other passes see what they look for: constants folded, factors out of sums, sums with one term taken.
 * 0·x is kept: x may be infinite.
 */
import { affineConstant, affineOf, freeIndices, mapExpr, substitute, type Builder } from '../ir/builder.js';
import type { Definition, Expr, ExprOf, Index } from '../ir/program.js';
import { factors, mapBodies, product, type Pass } from './pass.js';

type Rule<K extends Expr['kind']> = (e: ExprOf<K>, b: Builder) => Expr | undefined;
/** The first rule that fires replaces the node; the result is simplified again. */
export const rules: { readonly [K in Expr['kind']]?: readonly Rule<K>[] } = {
  unary: [foldUnary, doubleNegation, realParts, logOfOnePlus],
  binary: [foldBinary, neutral, negations, gatherConstants],
  power: [(e, b) => (e.exponent === 1 ? e.base : e.base.kind === 'const' ? b.const(e.base.value ** e.exponent) : undefined)],
  select: [(e) => (e.then === e.else ? e.then : undefined)],
  reduce: [singleMember, onlyOneTerm, outOfSum, constantSum],
};

export const simplify: Pass = {
  name: 'simplify',
  why: 'constants folded, factors out of sums, sums of one term taken, mixtures seen as means',
  run: (program, b) => mapBodies(program, (e, d) => ownMember(simplifyExpr(b, e, [sumIsMean as Rule<never>]), d, b)),
};
export function simplifyExpr(b: Builder, root: Expr, more: readonly Rule<never>[] = []): Expr {
  const apply = (e: Expr): Expr => {
    for (const rule of [...(rules[e.kind] ?? []), ...(e.kind === 'binary' ? more : [])] as readonly Rule<Expr['kind']>[]) {
      const result = rule(e as never, b);
      if (result && result !== e) return mapExpr(b, result, apply);
    }
    return e;
  };
  return mapExpr(b, root, apply);
}

function foldUnary(e: ExprOf<'unary'>, b: Builder): Expr | undefined {
  if (e.arg.kind !== 'const') return undefined;
  const x = e.arg.value;
  switch (e.op) {
    case 'neg': return b.const(-x);
    case 'exp': return b.const(Math.exp(x));
    case 'log': return b.const(Math.log(x));
    case 'sqrt': return b.const(Math.sqrt(x));
    case 'abs': return b.const(Math.abs(x));
    default: return undefined;
  }
}
function doubleNegation(e: ExprOf<'unary'>): Expr | undefined {
  return e.op === 'neg' && e.arg.kind === 'unary' && e.arg.op === 'neg' ? e.arg.arg : undefined;
}
/** log(1 + x): for small x the sum would lose what the logarithm is made of. */
function logOfOnePlus(e: ExprOf<'unary'>, b: Builder): Expr | undefined {
  if (e.op !== 'log' || e.arg.type !== 'real' || e.arg.kind !== 'binary' || e.arg.op !== 'add') return undefined;
  return isConst(e.arg.left, 1) ? b.unary('log1p', e.arg.right) : isConst(e.arg.right, 1) ? b.unary('log1p', e.arg.left) : undefined;
}
function realParts(e: ExprOf<'unary'>, b: Builder): Expr | undefined {
  if (e.arg.type !== 'real') return undefined;
  return e.op === 're' || e.op === 'conj' ? e.arg : e.op === 'im' ? b.const(0) : undefined;
}
function foldBinary(e: ExprOf<'binary'>, b: Builder): Expr | undefined {
  if (e.left.kind !== 'const' || e.right.kind !== 'const') return undefined;
  const [x, y] = [e.left.value, e.right.value];
  switch (e.op) {
    case 'add': return b.const(x + y);
    case 'sub': return b.const(x - y);
    case 'mul': return b.const(x * y);
    case 'div': return b.const(x / y);
    case 'min': return b.const(Math.min(x, y));
    case 'max': return b.const(Math.max(x, y));
    default: return undefined;
  }
}
const isConst = (e: Expr, value: number): boolean => e.kind === 'const' && e.value === value;
function neutral(e: ExprOf<'binary'>, b: Builder): Expr | undefined {
  const { op, left, right } = e;
  if (op === 'add') return isConst(left, 0) ? right : isConst(right, 0) ? left : undefined;
  if (op === 'sub') return isConst(right, 0) ? left : isConst(left, 0) ? b.unary('neg', right) : undefined;
  if (op === 'mul') return isConst(left, 1) ? right : isConst(right, 1) ? left : isConst(left, -1) ? b.unary('neg', right) : isConst(right, -1) ? b.unary('neg', left) : undefined;
  return op === 'div' && isConst(right, 1) ? left : undefined;
}
function negations(e: ExprOf<'binary'>, b: Builder): Expr | undefined {
  const inner = (x: Expr): Expr | undefined => (x.kind === 'unary' && x.op === 'neg' ? x.arg : undefined);
  const right = inner(e.right);
  if (right && e.op === 'add') return b.binary('sub', e.left, right);
  if (right && e.op === 'sub') return b.binary('add', e.left, right);
  const left = inner(e.left);
  if (e.op === 'mul' && (left || right)) return b.unary('neg', b.binary('mul', left ?? e.left, right ?? e.right)) === e ? undefined : left && right ? b.binary('mul', left, right) : b.unary('neg', b.binary('mul', left ?? e.left, right ?? e.right));
  return undefined;
}
/** One constant per product, in front. */
function gatherConstants(e: ExprOf<'binary'>, b: Builder): Expr | undefined {
  if (e.op !== 'mul') return undefined;
  const all = factors(e);
  const constants = all.filter((f) => f.kind === 'const');
  if (constants.length < 2) return undefined;
  const value = constants.reduce((n, c) => n * (c.kind === 'const' ? c.value : 1), 1);
  return b.binary('mul', b.const(value), product(b, all.filter((f) => f.kind !== 'const')));
}

function singleMember(e: ExprOf<'reduce'>, b: Builder): Expr | undefined {
  const { over } = e;
  return over !== 'time' && over.axis.size === 1 ? substitute(b, e.body, (i) => (i === over ? affineConstant(0) : undefined)) : undefined;
}
/** A state that reads the one member of an axis of size 1 reads its own: the recurrence is seen to be first-order, element by element. */
function ownMember(root: Expr, d: Definition, b: Builder): Expr {
  if (d.kind !== 'equation' || !d.state || d.indices.every((i) => i.axis.size > 1)) return root;
  return mapExpr(b, root, (e) => (e.kind === 'read' && e.def === d.id
    ? b.read(e.def, e.type, e.at.map((a, p) => { const own = d.indices[p]; return own?.axis.size === 1 ? affineOf(own) : a; }), e.time)
    : e));
}
/** sum(i: e)/size and (1/size)·sum(i: e) are mean(i: e): a mixture whose weights sum to 1, however it was written. */
function sumIsMean(e: ExprOf<'binary'>, b: Builder): Expr | undefined {
  const overSize = (x: Expr, value: number): ExprOf<'reduce'> | undefined =>
    (x.kind === 'reduce' && x.op === 'sum' && x.over !== 'time' && !x.over.axis.ragged && Math.abs(value * x.over.axis.size - 1) < 1e-12 ? x : undefined);
  if (e.op === 'div' && e.right.kind === 'const') {
    const sum = overSize(e.left, 1 / e.right.value);
    return sum && b.reduce('mean', sum.over, sum.body);
  }
  if (e.op !== 'mul') return undefined;
  const list = factors(e);
  const constant = list.find((f) => f.kind === 'const');
  const sum = constant?.kind === 'const' ? list.find((f) => overSize(f, constant.value)) : undefined;
  return sum?.kind === 'reduce' ? product(b, list.filter((f) => f !== constant).map((f) => (f === sum ? b.reduce('mean', sum.over, sum.body) : f))) : undefined;
}
/** sum(i: where(i == m, e, 0)·f) = (e·f)[i := m]. */
function onlyOneTerm(e: ExprOf<'reduce'>, b: Builder): Expr | undefined {
  const { over } = e;
  if (e.op !== 'sum' || over === 'time') return undefined;
  const list = factors(e.body);
  for (const [k, f] of list.entries()) {
    if (f.kind !== 'select' || !isConst(f.else, 0)) continue;
    const m = equalTo(f.cond, over);
    if (!m || m.axis.size > over.axis.size) continue;
    const rest = product(b, [...list.slice(0, k), f.then, ...list.slice(k + 1)]);
    return substitute(b, rest, (i) => (i === over ? affineOf(m) : undefined));
  }
  return undefined;
}
function equalTo(cond: Expr, over: Index): Index | undefined {
  if (cond.kind !== 'binary' || cond.op !== 'eq' || cond.left.kind !== 'index' || cond.right.kind !== 'index') return undefined;
  const [x, y] = [cond.left.index, cond.right.index];
  return x === over ? y : y === over ? x : undefined;
}
function outOfSum(e: ExprOf<'reduce'>, b: Builder): Expr | undefined {
  const { over } = e;
  if ((e.op !== 'sum' && e.op !== 'mean') || over === 'time') return undefined;
  if (e.body.kind === 'unary' && e.body.op === 'neg') return b.unary('neg', b.reduce(e.op, over, e.body.arg));
  const list = factors(e.body);
  const inside = list.filter((f) => freeIndices(f).has(over));
  if (inside.length === list.length || inside.length === 0) return undefined;
  return product(b, [...list.filter((f) => !inside.includes(f)), b.reduce(e.op, over, product(b, inside))]);
}
function constantSum(e: ExprOf<'reduce'>, b: Builder): Expr | undefined {
  const { over } = e;
  if (over === 'time' || over.axis.ragged || freeIndices(e.body).has(over)) return undefined;
  return e.op === 'sum' ? b.binary('mul', b.const(over.axis.size), e.body) : e.body;
}

/** After the passes that look for means: a mean over a plain axis is a sum times 1/size. */
export const meansToSums: Pass = {
  name: 'means-to-sums',
  why: 'a mean is a sum times a constant',
  run: (program, b) => mapBodies(program, (root) => simplifyExpr(b, mapExpr(b, root, (e) =>
    (e.kind === 'reduce' && e.op === 'mean' && e.over !== 'time' && !e.over.axis.ragged ? b.binary('mul', b.const(1 / e.over.axis.size), b.reduce('sum', e.over, e.body)) : e)))),
};
