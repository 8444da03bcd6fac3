/** Numbers known at compile time: sizes, options and what is computed from them. */
import type { Expr } from '../../grammar/ast.js';
import type { Diagnostics } from '../diagnostics/diagnostic.js';
import { nearest } from './names.js';
import type { Scope } from './scope.js';

const functions: Readonly<Record<string, (...x: readonly number[]) => number>> = {
  ceil: Math.ceil, floor: Math.floor, min: Math.min, max: Math.max, abs: Math.abs, sqrt: Math.sqrt, exp: Math.exp, log: Math.log,
};

/** The value, or undefined where an error was reported. */
export function constantValue(e: Expr, scope: Scope, diagnostics: Diagnostics): number | undefined {
  const of = (x: Expr): number | undefined => constantValue(x, scope, diagnostics);
  switch (e.kind) {
    case 'number': return e.value;
    case 'unary': { const x = of(e.operand); return x === undefined || e.op === '!' ? undefined : -x; }
    case 'binary': {
      const x = of(e.left);
      const y = of(e.right);
      if (x === undefined || y === undefined) return undefined;
      switch (e.op) {
        case '+': return x + y;
        case '-': return x - y;
        case '*': return x * y;
        case '/': return x / y;
        case '^': return x ** y;
        default: break;
      }
      diagnostics.error('SSM2019', e.span, { what: `the comparison \`${e.op}\`` });
      return undefined;
    }
    case 'name': {
      if (e.name.text === 'pi') return Math.PI;
      if (e.name.text === 'inf') return Infinity;
      const found = e.indices ? undefined : scope.names.get(e.name.text);
      scope.used.add(e.name.text);
      if (found?.kind === 'number') return found.value;
      if (found?.kind === 'axis' && !found.axis.ragged) return found.axis.size;
      if (found?.kind === 'absent') return 1;
      if (found?.kind === 'broken') return undefined;
      if (found?.kind === 'axis' && found.axis.ragged) diagnostics.error('SSM2047', e.span, { name: e.name.text, over: found.axis.ragged.over.name, sizes: found.axis.ragged.sizes.join(', ') });
      else if (found || e.indices) diagnostics.error('SSM2019', e.span, { what: `\`${e.name.text}\`` });
      else diagnostics.error('SSM2001', e.span, { name: e.name.text, near: nearest(e.name.text, scope.names.keys()) });
      return undefined;
    }
    case 'call': {
      const name = e.callee.text;
      const args = e.args.map((a) => a.value);
      if (name === 'size') return args[0] ? of(args[0]) : undefined;
      const f = functions[name];
      if (!f) {
        diagnostics.error('SSM2019', e.span, { what: `\`${name}(...)\`` });
        return undefined;
      }
      const values = args.map(of);
      return values.includes(undefined) ? undefined : f(...(values as number[]));
    }
    case 'match': {
      const s = e.subject.kind === 'name' ? scope.names.get(e.subject.name.text) : undefined;
      const arm = s?.kind === 'choice' ? e.arms.find((x) => x.patterns.some((p) => p.text === s.value)) : undefined;
      if (arm) return of(arm.value);
      diagnostics.error('SSM2019', e.span, { what: 'this match' });
      return undefined;
    }
    case 'reduction':
      diagnostics.error('SSM2019', e.span, { what: 'a reduction' });
      return undefined;
  }
}

/** What an index of 32 bits can tell apart. */
export const MAX_ELEMENTS = 2147483647;

/** The size of an axis: a whole number, at least 1. */
export function axisSize(e: Expr, name: string, scope: Scope, diagnostics: Diagnostics): number | undefined {
  const value = constantValue(e, scope, diagnostics);
  if (value === undefined) return undefined;
  if (Number.isInteger(value) && value >= 1 && value <= MAX_ELEMENTS) return value;
  diagnostics.error('SSM2018', e.span, { name, got: value });
  return undefined;
}
