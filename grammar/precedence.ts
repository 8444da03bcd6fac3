/**
 * From the flat list of operands and operators that the parser reads to a tree, so that an operator's precedence costs the parser no
 * recursion. From the weakest: `||`, `&&`, comparisons (which don't chain), `+ -`, `* /`, the prefixes `- !`, and `^`, which groups
 * to the right and binds tighter than a minus on its left: `-x^2` is `-(x^2)`.
 */
import type { BinaryOp, Expr, Span, SyntaxFault, UnaryExpr } from './ast.js';

export interface Prefix {
  readonly op: UnaryExpr['op'];
  readonly start: number;
}
export interface Operand {
  readonly prefixes: readonly Prefix[];
  readonly expr: Expr;
}
export interface Operator {
  readonly op: BinaryOp;
  readonly span: Span;
}

/** So many operators and prefixes in one expression at most: chains of sums nest in the tree. */
export const maxOperators = 1000;

export const strength: Readonly<Record<BinaryOp, number>> = {
  '||': 1, '&&': 2, '<': 3, '<=': 3, '>': 3, '>=': 3, '==': 3, '!=': 3, '+': 4, '-': 4, '*': 5, '/': 5, '^': 7,
};
/** Of `-` and `!` before an operand. */
export const prefixStrength = 6;

/** `operands` has one element more than `operators`. */
export function tree(operands: readonly Operand[], operators: readonly Operator[], faults: SyntaxFault[]): Expr {
  const first = operands[0] as Operand;
  const file = first.expr.span.file;
  const size = operators.length + operands.reduce((n, o) => n + o.prefixes.length, 0);
  if (size > maxOperators) {
    const span = { file, start: first.expr.span.start, end: (operands.at(-1) as Operand).expr.span.end };
    faults.push({ code: 'SSM1010', span, args: { limit: maxOperators, what: 'operators in one expression' } });
    return first.expr;
  }
  let at = 0; // the operand being read; operators[at] follows it

  const binary = (op: BinaryOp, left: Expr, right: Expr): Expr =>
    ({ kind: 'binary', op, left, right, span: { file, start: left.span.start, end: right.span.end } });

  const prefixed = (skip: number): Expr => {
    const { prefixes, expr } = operands[at] as Operand;
    const prefix = prefixes[skip];
    if (prefix !== undefined) {
      const operand = prefixed(skip + 1);
      return { kind: 'unary', op: prefix.op, operand, span: { file, start: prefix.start, end: operand.span.end } };
    }
    if (operators[at]?.op !== '^') return expr;
    at++;
    return binary('^', expr, prefixed(0));
  };
  const climb = (weakest: number): Expr => {
    let left = prefixed(0);
    for (let next = operators[at]; next !== undefined && strength[next.op] >= weakest; next = operators[at]) {
      const level = strength[next.op];
      at++;
      left = binary(next.op, left, climb(level + 1));
      const after = operators[at];
      if (level === strength['<'] && after !== undefined && strength[after.op] === level) {
        faults.push({ code: 'SSM1011', span: after.span, args: {} });
      }
    }
    return left;
  };
  return climb(1);
}
