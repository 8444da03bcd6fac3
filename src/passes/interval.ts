/** Sound interval arithmetic over definitions: every value of an expression lies inside. Parameters are unbounded but for facts and bound weights. */
import type { Definition, DefinitionId, Expr, Program } from '../ir/program.js';

export interface Interval {
  readonly low: number;
  readonly high: number;
}
const all: Interval = { low: -Infinity, high: Infinity };
const hull = (a: Interval, b: Interval): Interval => ({ low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) });
/** 0·∞ is 0 here: the infinite end is not attained. */
const times = (x: number, y: number): number => (x === 0 || y === 0 ? 0 : x * y);
function product(a: Interval, b: Interval): Interval {
  const ends = [times(a.low, b.low), times(a.low, b.high), times(a.high, b.low), times(a.high, b.high)];
  return { low: Math.min(...ends), high: Math.max(...ends) };
}
const monotone = (f: (x: number) => number) => (a: Interval): Interval => ({ low: f(a.low), high: f(a.high) });
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => (x === Infinity ? Infinity : Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))));
const clamp = (a: Interval, low: number, high: number): Interval => ({ low: Math.max(low, Math.min(a.low, high)), high: Math.min(high, Math.max(a.high, low)) });

export class Intervals {
  readonly #program: Program;
  readonly #weights: Pick<ReadonlyMap<string, Interval>, 'get'>;
  readonly #memo = new Map<DefinitionId, Interval>();
  constructor(program: Program, weights: Pick<ReadonlyMap<string, Interval>, 'get'> = new Map()) {
    this.#program = program;
    this.#weights = weights;
  }
  /** Of a complex value nothing is known here but that its absolute value is not negative. */
  of(e: Expr): Interval {
    if (e.type === 'complex') return all;
    const found = this.#real(e);
    return Number.isNaN(found.low) || Number.isNaN(found.high) ? all : found;
  }
  #real(e: Expr): Interval {
    switch (e.kind) {
      case 'const': return { low: e.value, high: e.value };
      case 'index': return { low: 0, high: e.index.axis.size - 1 };
      case 'read': {
        const d = this.definition(e.def);
        const shifted = e.time && (e.time.constant !== 0 || e.time.terms.length > 0);
        return shifted ? hull(d, this.#outside(e.def)) : d;
      }
      case 'unary':
        if (e.arg.type === 'complex') return e.op === 'abs' ? { low: 0, high: Infinity } : all;
        return this.#unary(e.op, this.of(e.arg));
      case 'binary': return this.#binary(e, this.of(e.left), this.of(e.right));
      case 'power': {
        const a = this.of(e.base);
        if (e.exponent < 0) return all;
        const ends = [a.low ** e.exponent, a.high ** e.exponent];
        const even = e.exponent % 2 === 0 && a.low < 0 && a.high > 0;
        return { low: even ? 0 : Math.min(...ends), high: Math.max(...ends) };
      }
      case 'select': return hull(this.of(e.then), this.of(e.else));
      case 'reduce': {
        const a = this.of(e.body);
        if (e.op !== 'sum') return a;
        if (e.over === 'time') return { low: a.low < 0 ? -Infinity : 0, high: a.high > 0 ? Infinity : 0 };
        const most = e.over.axis.size;
        const least = Math.min(most, ...(e.over.axis.ragged?.sizes ?? []));
        return { low: times(a.low, a.low > 0 ? least : most), high: times(a.high, a.high < 0 ? least : most) };
      }
    }
  }
  /** What a read beyond the ends of the sequence gives: 0, or a state's initial value. */
  #outside(id: DefinitionId): Interval {
    const d = this.#program.definitions[id] as Definition;
    const initial = d.kind === 'equation' ? d.state?.initial : undefined;
    return initial ? hull(this.of(initial), { low: 0, high: 0 }) : { low: 0, high: 0 };
  }
  definition(id: DefinitionId): Interval {
    const known = this.#memo.get(id);
    if (known) return known;
    this.#memo.set(id, all);
    const d = this.#program.definitions[id] as Definition;
    let found = all;
    if (d.kind === 'equation' && d.type === 'real') found = this.of(d.body);
    if (d.kind === 'param') {
      const pieces = d.pieces.map((p) => this.#weights.get(p.name));
      if (pieces.length > 0 && pieces.every((p) => p !== undefined)) found = (pieces as Interval[]).reduce(hull);
    }
    if (d.kind === 'stack') found = d.parts.map((p) => this.definition(p)).reduce(hull);
    if (d.fact) found = { low: Math.max(found.low, d.fact.low), high: Math.min(found.high, d.fact.high) };
    this.#memo.set(id, found);
    return found;
  }
  #unary(op: string, a: Interval): Interval {
    switch (op) {
      case 'neg': return { low: -a.high, high: -a.low };
      case 'exp': return monotone(Math.exp)(a);
      case 'expm1': return monotone(Math.expm1)(a);
      case 'exp2': return monotone((x) => 2 ** x)(a);
      case 'exp2m1': return monotone((x) => Math.expm1(x * Math.LN2))(a);
      case 'log': return monotone(Math.log)(clamp(a, 0, Infinity));
      case 'log1p': return monotone(Math.log1p)(clamp(a, -1, Infinity));
      case 'sqrt': return monotone(Math.sqrt)(clamp(a, 0, Infinity));
      case 'rsqrt': return { low: 1 / Math.sqrt(Math.max(0, a.high)), high: 1 / Math.sqrt(Math.max(0, a.low)) };
      case 'sigmoid': return monotone(sigmoid)(a);
      case 'softplus': return monotone(softplus)(a);
      case 'tanh': return monotone(Math.tanh)(a);
      case 'relu': return clamp(a, 0, Infinity);
      case 'silu': case 'gelu': return { low: -0.28, high: Math.max(0, a.high) };
      case 'sin': case 'cos': return { low: -1, high: 1 };
      case 'abs': return a.low >= 0 ? a : a.high <= 0 ? { low: -a.high, high: -a.low } : { low: 0, high: Math.max(-a.low, a.high) };
      case 'floor': return monotone(Math.floor)(a);
      case 'ceil': return monotone(Math.ceil)(a);
      default: return all;
    }
  }
  #binary(e: Extract<Expr, { kind: 'binary' }>, a: Interval, b: Interval): Interval {
    switch (e.op) {
      case 'add': return { low: a.low + b.low, high: a.high + b.high };
      case 'sub': return { low: a.low - b.high, high: a.high - b.low };
      case 'mul': return e.left === e.right ? { low: a.low <= 0 && a.high >= 0 ? 0 : Math.min(a.low ** 2, a.high ** 2), high: Math.max(a.low ** 2, a.high ** 2) } : product(a, b);
      case 'div': return b.low > 0 || b.high < 0 ? product(a, { low: 1 / b.high, high: 1 / b.low }) : all;
      case 'min': return { low: Math.min(a.low, b.low), high: Math.min(a.high, b.high) };
      case 'max': return { low: Math.max(a.low, b.low), high: Math.max(a.high, b.high) };
      default: return all;
    }
  }
}
