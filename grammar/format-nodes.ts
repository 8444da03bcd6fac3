/** The canonical layout of expressions and of statements without bodies. Parentheses that change nothing are dropped. */
import type { BinaryExpr, BinaryOp, Declaration, Expr, Import, IndexPattern, MatchExpr, Name, Parameter, Statement } from './ast.js';
import { flat, group, indent, list, nothing, separated, space, type Layout } from './layout.js';
import { prefixStrength, strength } from './precedence.js';

/** Lines are filled up to here. */
export const lineWidth = 120;

const comma = list(',', space);
const names = (all: readonly Name[], between: string): string => all.map((n) => n.text).join(between);
const pattern = (p: IndexPattern): string => (p.size ? flat(index(p.size)) : p.name) + (p.optional ? '?' : '');
const patterns = (all: readonly IndexPattern[]): string => `[${all.map(pattern).join(', ')}]`;

export function expression(e: Expr): Layout {
  switch (e.kind) {
    case 'number': return e.text;
    case 'name': return e.indices ? `${e.name.text}[${e.indices.map((i) => flat(index(i))).join(', ')}]` : e.name.text;
    case 'unary': return list(e.op, operand(e.operand, prefixStrength));
    case 'binary': return chain(e);
    case 'match': return matchExpression(e);
    case 'call': {
      const as = e.as ? ` as ${e.as.text}` : '';
      if (e.args.length === 0) return `${e.callee.text}()${as}`;
      const args = e.args.map((a) => list(a.name ? `${a.name.text} = ` : '', expression(a.value)));
      return group(`${e.callee.text}(`, indent(2, nothing, separated(args, comma)), nothing, `)${as}`);
    }
    case 'reduction': {
      const binders = e.binders.map((b) => b.name.text + (b.over ? ` in ${b.over.text}` : '')).join(', ');
      return group(`${e.op.text}(${binders}:`, indent(2, space, expression(e.body)), nothing, ')');
    }
  }
}

/** Time's neighbours stand close: `h[t-1, c]`. */
function index(e: Expr): Layout {
  const near = e.kind === 'binary' && (e.op === '-' || e.op === '+') && e.right.kind === 'number'
    && e.left.kind === 'name' && e.left.name.text === 't' && !e.left.indices;
  return near ? list('t', e.op, expression(e.right)) : expression(e);
}

const strengthOf = (e: Expr): number => (e.kind === 'binary' ? strength[e.op] : e.kind === 'unary' ? prefixStrength : Infinity);

/** In parentheses where it binds weaker than `weakest`. */
function operand(e: Expr, weakest: number): Layout {
  return strengthOf(e) >= weakest ? expression(e) : group('(', indent(2, nothing, expression(e)), nothing, ')');
}

const comparison = strength['<'];

/** Operators of one strength break together; the operator begins the line. */
function chain(e: BinaryExpr): Layout {
  if (e.op === '^') return list(operand(e.left, strength['^'] + 1), '^', operand(e.right, prefixStrength));
  const level = strength[e.op];
  const rest: { op: BinaryOp; right: Expr }[] = [];
  let left: Expr = e;
  while (left.kind === 'binary' && strength[left.op] === level && (rest.length === 0 || level !== comparison)) {
    rest.unshift(left);
    left = left.left;
  }
  const first = operand(left, level === comparison ? level + 1 : level);
  return group(first, indent(2, ...rest.map(({ op, right }) => list(space, `${op} `, operand(right, level + 1)))));
}

function matchExpression(e: MatchExpr): Layout {
  const arms = e.arms.map((a) => list(`${names(a.patterns, ' | ')} => `, expression(a.value)));
  return group('match ', expression(e.subject), ' {', indent(2, space, separated(arms, comma)), space, '}');
}

/** What stands on the left of `=`, and on its right. */
export interface Sides {
  readonly left: string;
  readonly right?: Layout;
  /** The right side is a chain of operators: where it breaks, they stand under the `=`. */
  readonly hangs?: boolean;
}
const value = (e: Expr): { readonly right: Layout; readonly hangs: boolean } => ({ right: expression(e), hangs: e.kind === 'binary' && e.op !== '^' });

/** A statement without a body. */
export function sides(s: Exclude<Statement, { kind: 'repeat' | 'match-statement' | 'lost' }>): Sides {
  switch (s.kind) {
    case 'axis': return { left: `axis ${s.name.text}`, ...value(s.size) };
    case 'modalities': {
      const members = s.members.map((m) => list(m.label.text, ...(m.size ? ['[', expression(m.size), ']'] : [])));
      return { left: `modalities ${s.name.text}`, right: group(indent(2, separated(members, comma))) };
    }
    case 'input': return { left: `input ${s.name.text}${patterns(s.indices)}` };
    case 'param': {
      const left = `param ${s.name.text}${s.indices.length > 0 ? patterns(s.indices) : ''}`;
      return { left, ...(s.init && value(s.init)) };
    }
    case 'fact': return { left: `fact ${flat(expression(s.condition))}` };
    case 'initial': return { left: `initial ${s.name.text}${s.indices.length > 0 ? patterns(s.indices) : ''}`, ...value(s.value) };
    case 'equation': {
      const role = s.role === 'plain' ? '' : `${s.role} `;
      return { left: `${role}${s.name.text}${s.indices ? patterns(s.indices) : ''}`, ...value(s.value) };
    }
    case 'rename': return { left: `rename "${s.from}" to "${s.to}"` };
  }
}

export function importLine(i: Import): Layout {
  return group('import ', indent(2, separated(i.names.map((n) => n.text), comma)), ` from "${i.from}"`);
}

function parameter(p: Parameter): Layout {
  if (p.kind === 'argument') return p.name.text + patterns(p.indices);
  if (p.choices) return `${p.name.text} = ${names(p.choices, ' | ')}`;
  return p.value ? list(`${p.name.text} = `, expression(p.value)) : p.name.text;
}

/** Up to the brace. */
export function declarationHead(d: Declaration): Layout {
  const head = `${d.kind} ${d.name.text}`;
  return d.parameters.length === 0 ? head : group(`${head}(`, indent(4, nothing, separated(d.parameters.map(parameter), comma)), nothing, ')');
}
