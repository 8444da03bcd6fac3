/**
 * Expressions as closures over a scope: the current step, the values of the index variables, and one cell of numbers per definition.
 * A closure computes its expression as it is written; there is no algebra and no caching here.
 */
import type { Affine, Definition, DefinitionId, Expr, ExprOf, Index } from '../ir/program.js';
import { add, complexUnary, div, mul, power, sub, type Pair } from './complex.js';
import { InterpretError } from './error.js';
import { realUnary } from './functions.js';
import { affineRange } from './order.js';
import { extent, sizes, width } from './tensors.js';

/** What a definition holds for the row at hand: [time?, indices...], and a state's initial value [indices...]. */
export interface Cell {
  data: Float64Array;
  initial: Float64Array | undefined;
}
type Real = () => number;
type Complex = () => Pair;
type Count = () => number;

export class Evaluator {
  /** The current step, and the number of steps of the row at hand. */
  t = 0;
  length = 0;
  /** Values of index variables, by slot. */
  readonly #at: number[] = [];
  readonly #slots = new Map<Index, number>();
  readonly #cells = new Map<DefinitionId, Cell>();

  constructor(readonly definition: (id: DefinitionId) => Definition) {}

  cell(id: DefinitionId): Cell {
    let found = this.#cells.get(id);
    if (!found) this.#cells.set(id, (found = { data: new Float64Array(0), initial: undefined }));
    return found;
  }

  /** Computes an expression for every value of the indices into target, elements from `offset` on (counted in numbers). */
  filler(indices: readonly Index[], body: Expr, complex: boolean): (target: Float64Array, offset: number) => void {
    const slots = indices.map((i) => this.#slot(i));
    const extents = indices.map((i) => this.#extent(i));
    const at = this.#at;
    const real = complex ? undefined : this.real(body);
    const pair = complex ? this.complex(body) : undefined;
    const loop = (depth: number, place: number, target: Float64Array, offset: number): void => {
      const index = indices[depth];
      if (!index) {
        if (real) target[offset + place] = real();
        if (pair) [target[offset + 2 * place], target[offset + 2 * place + 1]] = pair();
        return;
      }
      const slot = slots[depth] as number;
      const count = (extents[depth] as Count)();
      for (let value = 0; value < count; value++) {
        at[slot] = value;
        loop(depth + 1, place * index.axis.size + value, target, offset);
      }
    };
    return (target, offset) => loop(0, 0, target, offset);
  }

  /** Booleans are 0 and 1. */
  real(e: Expr): Real {
    if (e.type === 'complex') throw new InterpretError('program', `a complex ${e.kind} stands where a real number must`);
    switch (e.kind) {
      case 'const': { const { value } = e; return () => value; }
      case 'index': return this.#affine({ constant: 0, terms: [{ index: e.index, coefficient: 1 }] });
      case 'read': {
        const element = this.#element(e);
        return () => element(0);
      }
      case 'unary': return this.#realUnary(e);
      case 'binary': return this.#realBinary(e);
      case 'power': {
        const base = this.real(e.base);
        const { exponent } = e;
        return () => base() ** exponent;
      }
      case 'select': {
        const [cond, yes, no] = [this.real(e.cond), this.real(e.then), this.real(e.else)];
        return () => (cond() !== 0 ? yes() : no());
      }
      case 'reduce': return this.#realReduce(e);
    }
  }

  complex(e: Expr): Complex {
    if (e.type !== 'complex') {
      const real = this.real(e);
      return () => [real(), 0];
    }
    switch (e.kind) {
      case 'const': case 'index': throw new InterpretError('program', `a ${e.kind} is never complex`);
      case 'read': {
        const element = this.#element(e);
        return () => [element(0), element(1)];
      }
      case 'unary': {
        const [f, arg] = [complexUnary(e.op), this.complex(e.arg)];
        return () => f(arg());
      }
      case 'binary': return this.#complexBinary(e);
      case 'power': {
        const base = this.complex(e.base);
        const { exponent } = e;
        return () => power(base(), exponent);
      }
      case 'select': {
        const [cond, yes, no] = [this.real(e.cond), this.complex(e.then), this.complex(e.else)];
        return () => (cond() !== 0 ? yes() : no());
      }
      case 'reduce': return this.#complexReduce(e);
    }
  }

  #realUnary(e: ExprOf<'unary'>): Real {
    if (e.arg.type === 'complex') {
      const [f, arg] = [complexUnary(e.op), this.complex(e.arg)];
      return () => f(arg())[0];
    }
    const [f, arg] = [realUnary[e.op], this.real(e.arg)];
    return () => f(arg());
  }

  #realBinary(e: ExprOf<'binary'>): Real {
    if ((e.op === 'eq' || e.op === 'ne') && (e.left.type === 'complex' || e.right.type === 'complex')) {
      const [a, b, same] = [this.complex(e.left), this.complex(e.right), e.op === 'eq' ? 1 : 0];
      return () => { const [x, y] = [a(), b()]; return x[0] === y[0] && x[1] === y[1] ? same : 1 - same; };
    }
    const [a, b] = [this.real(e.left), this.real(e.right)];
    switch (e.op) {
      case 'add': return () => a() + b();
      case 'sub': return () => a() - b();
      case 'mul': return () => a() * b();
      case 'div': return () => a() / b();
      case 'min': return () => Math.min(a(), b());
      case 'max': return () => Math.max(a(), b());
      case 'lt': return () => (a() < b() ? 1 : 0);
      case 'le': return () => (a() <= b() ? 1 : 0);
      case 'eq': return () => (a() === b() ? 1 : 0);
      case 'ne': return () => (a() !== b() ? 1 : 0);
      case 'and': return () => (a() !== 0 && b() !== 0 ? 1 : 0);
      case 'or': return () => (a() !== 0 || b() !== 0 ? 1 : 0);
      case 'complex': throw new InterpretError('program', 'complex(a, b) is not a real number');
    }
  }

  #complexBinary(e: ExprOf<'binary'>): Complex {
    if (e.op === 'complex') {
      const [re, im] = [this.real(e.left), this.real(e.right)];
      return () => [re(), im()];
    }
    const [a, b] = [this.complex(e.left), this.complex(e.right)];
    switch (e.op) {
      case 'add': return () => add(a(), b());
      case 'sub': return () => sub(a(), b());
      case 'mul': return () => mul(a(), b());
      case 'div': return () => div(a(), b());
      default: throw new InterpretError('program', `${e.op} has no meaning on complex numbers`);
    }
  }

  #realReduce(e: ExprOf<'reduce'>): Real {
    const body = this.real(e.body);
    const each = this.#members(e.over);
    const combine = (start: number, step: (total: number, x: number) => number): Real => () => {
      let total = start;
      each(() => { total = step(total, body()); });
      return total;
    };
    switch (e.op) {
      case 'sum': return combine(0, (total, x) => total + x);
      case 'mean': {
        const [sum, count] = [combine(0, (total, x) => total + x), this.#count(e.over)];
        return () => sum() / count();
      }
      case 'max': return combine(-Infinity, (total, x) => Math.max(total, x));
      case 'min': return combine(Infinity, (total, x) => Math.min(total, x));
      case 'last': return this.#atLast(e.over, body);
    }
  }

  #complexReduce(e: ExprOf<'reduce'>): Complex {
    const body = this.complex(e.body);
    if (e.op === 'last') return this.#atLast(e.over, body);
    if (e.op !== 'sum' && e.op !== 'mean') throw new InterpretError('program', `${e.op} has no meaning on complex numbers`);
    const [each, count]: [(visit: () => void) => void, Count] = [this.#members(e.over), e.op === 'mean' ? this.#count(e.over) : () => 1];
    return () => {
      let total: Pair = [0, 0];
      each(() => { total = add(total, body()); });
      const n = count();
      return [total[0] / n, total[1] / n];
    };
  }

  /** Runs something with the bound variable at each of its values in turn; time is set back afterwards, for it may be bound outside. */
  #members(over: ExprOf<'reduce'>['over']): (visit: () => void) => void {
    if (over === 'time') {
      return (visit) => {
        const outer = this.t;
        for (let t = 0; t < this.length; t++) { this.t = t; visit(); }
        this.t = outer;
      };
    }
    const [at, slot, count] = [this.#at, this.#slot(over), this.#extent(over)];
    return (visit) => {
      const n = count();
      for (let value = 0; value < n; value++) { at[slot] = value; visit(); }
    };
  }
  #atLast<T>(over: ExprOf<'reduce'>['over'], body: () => T): () => T {
    const count = this.#count(over);
    if (over === 'time') {
      return () => {
        const outer = this.t;
        this.t = count() - 1;
        const value = body();
        this.t = outer;
        return value;
      };
    }
    const [at, slot] = [this.#at, this.#slot(over)];
    return () => { at[slot] = count() - 1; return body(); };
  }
  #count(over: ExprOf<'reduce'>['over']): Count {
    return over === 'time' ? () => this.length : this.#extent(over);
  }

  /** One number of an element of a definition: part 0, or 1 for the imaginary part. */
  #element(e: ExprOf<'read'>): (part: 0 | 1) => number {
    const d = this.definition(e.def);
    if (e.at.length !== d.indices.length || (e.time !== undefined) !== d.time) {
      throw new InterpretError('program', `${d.name} is read with other indices than it has`);
    }
    const cell = this.cell(e.def);
    const numbers = width(d);
    const place = this.#place(d, e.at);
    if (!e.time) return (part) => cell.data[place() * numbers + part] as number;
    const shape = sizes(d);
    const step = shape.reduce((a, b) => a * b, numbers);
    const offset = this.#affine(e.time);
    const direction = d.kind === 'equation' ? d.state?.direction : undefined;
    return (part) => {
      const t = this.t + offset();
      if (t >= 0 && t < this.length) return cell.data[t * step + place() * numbers + part] as number;
      const initial = (direction === 'forward' && t < 0) || (direction === 'backward' && t >= this.length);
      return initial && cell.initial ? (cell.initial[place() * numbers + part] as number) : 0;
    };
  }

  /** The element's number in the definition's dense order. Positions that could leave their axis are tested each time. */
  #place(d: Definition, at: readonly Affine[]): Count {
    const shape = sizes(d);
    let constant = 0;
    const terms = new Map<Index, number>();
    const tests: (() => void)[] = [];
    at.forEach((a, k) => {
      const stride = shape.slice(k + 1).reduce((x, y) => x * y, 1);
      constant += a.constant * stride;
      for (const { index, coefficient } of a.terms) terms.set(index, (terms.get(index) ?? 0) + coefficient * stride);
      const [low, high] = affineRange(a);
      const size = shape[k] as number;
      if (low >= 0 && high < size) return;
      const value = this.#affine(a);
      tests.push(() => {
        const v = value();
        if (v < 0 || v >= size) throw new InterpretError('program', `index ${k} of ${d.name} is ${v}, outside of 0..${size - 1}`);
      });
    });
    const place = this.#affine({ constant, terms: [...terms].map(([index, coefficient]) => ({ index, coefficient })) });
    if (tests.length === 0) return place;
    return () => { for (const test of tests) test(); return place(); };
  }

  #affine(a: Affine): Count {
    const { constant } = a;
    if (a.terms.length === 0) return () => constant;
    const at = this.#at;
    const slots = a.terms.map((t) => this.#slot(t.index));
    const factors = a.terms.map((t) => t.coefficient);
    return () => {
      let sum = constant;
      for (let k = 0; k < slots.length; k++) sum += (factors[k] as number) * (at[slots[k] as number] as number);
      return sum;
    };
  }

  #extent(index: Index): Count {
    const { axis, governor } = index;
    if (!axis.ragged || !governor) { const { size } = axis; return () => size; }
    const [at, slot] = [this.#at, this.#slot(governor)];
    return () => extent(axis, at[slot]);
  }
  #slot(index: Index): number {
    let found = this.#slots.get(index);
    if (found === undefined) {
      this.#slots.set(index, (found = this.#at.length));
      this.#at.push(0);
    }
    return found;
  }
}

