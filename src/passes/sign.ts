/** Whether an expression can't be negative, or can't be positive: enough to know that a decay's exponent is at most 0. */
import type { Definition, DefinitionId, Expr, Program } from '../ir/program.js';

export interface Sign {
  readonly nonNegative: boolean;
  readonly nonPositive: boolean;
}
const unknown: Sign = { nonNegative: false, nonPositive: false };
const positive: Sign = { nonNegative: true, nonPositive: false };
const flip = (s: Sign): Sign => ({ nonNegative: s.nonPositive, nonPositive: s.nonNegative });

export class Signs {
  readonly #program: Program;
  readonly #memo = new Map<DefinitionId, Sign>();
  constructor(program: Program) {
    this.#program = program;
  }
  of(e: Expr): Sign {
    switch (e.kind) {
      case 'const': return { nonNegative: e.value >= 0, nonPositive: e.value <= 0 };
      case 'index': return positive;
      case 'read': return this.#definition(e.def);
      case 'unary':
        if (['exp', 'exp2', 'softplus', 'sigmoid', 'abs', 'relu', 'sqrt', 'rsqrt'].includes(e.op)) return positive;
        if (e.op === 'neg') return flip(this.of(e.arg));
        if (['expm1', 'exp2m1', 'tanh', 'silu', 'gelu', 'floor'].includes(e.op)) {
          const s = this.of(e.arg);
          return e.op === 'floor' ? { nonNegative: s.nonNegative, nonPositive: s.nonPositive } : s;
        }
        return unknown;
      case 'binary': return this.#binary(e.op, this.of(e.left), this.of(e.right));
      case 'power': return e.exponent % 2 === 0 ? positive : this.of(e.base);
      case 'select': return both(this.of(e.then), this.of(e.else));
      case 'reduce': return this.of(e.body);
    }
  }
  #binary(op: string, a: Sign, b: Sign): Sign {
    switch (op) {
      case 'add': return both(a, b);
      case 'sub': return both(a, flip(b));
      case 'mul': case 'div':
        return {
          nonNegative: (a.nonNegative && b.nonNegative) || (a.nonPositive && b.nonPositive),
          nonPositive: (a.nonNegative && b.nonPositive) || (a.nonPositive && b.nonNegative),
        };
      case 'min': return { nonNegative: a.nonNegative && b.nonNegative, nonPositive: a.nonPositive || b.nonPositive };
      case 'max': return { nonNegative: a.nonNegative || b.nonNegative, nonPositive: a.nonPositive && b.nonPositive };
      default: return unknown;
    }
  }
  /** Read at another time it may be outside the sequence, where it is 0, which has either sign. */
  #definition(id: DefinitionId): Sign {
    const known = this.#memo.get(id);
    if (known) return known;
    this.#memo.set(id, unknown);
    const d = this.#program.definitions[id] as Definition;
    let sign = d.kind === 'equation' && !d.state ? this.of(d.body) : d.kind === 'stack' ? d.parts.map((p) => this.#definition(p)).reduce(both) : unknown;
    if (d.fact) sign = { nonNegative: sign.nonNegative || d.fact.low >= 0, nonPositive: sign.nonPositive || d.fact.high <= 0 };
    this.#memo.set(id, sign);
    return sign;
  }
}
const both = (a: Sign, b: Sign): Sign => ({ nonNegative: a.nonNegative && b.nonNegative, nonPositive: a.nonPositive && b.nonPositive });
