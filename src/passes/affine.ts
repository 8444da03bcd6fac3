/**
 * An equation as an affine map of states: body = Σ_terms Σ_bound coefficient · state[t ∓ lag, at] + rest, with coefficients and rest free
 * of states, derived node by node. Definitions of the same step that depend on states are followed; what doesn't depend on them stays
 * a read. Exact: the sum of the terms is the body, up to rounding.
 *
 * It serves the normal form of whole programs (normal-form.ts), and of a stage its chunks (chunk-step.ts) and its convolution
 * (convolution/recognise.ts), which know their equations in different shapes.
 */
import { affineConstant, affineOf, affineSubstitute, children, isNow, plainIndex, substitute, visitExpr, type Builder } from '../ir/builder.js';
import type { Affine, DefinitionId, Expr, ExprOf, Index } from '../ir/program.js';

/** Σ over `bound` of coefficient · from[t ∓ lag, at]. Bound indices belong to this term alone. */
export interface Term {
  readonly from: DefinitionId;
  /** Steps back, or ahead in a backward recurrence: at least 1. */
  readonly lag: number;
  readonly bound: readonly Index[];
  readonly at: readonly Affine[];
  readonly coefficient: Expr;
}
export interface Linear {
  readonly kind: 'linear';
  readonly terms: readonly Term[];
  /** Absent: 0. */
  readonly rest?: Expr;
}
/** The subterm that is not affine in the states, and why. */
export interface Obstacle {
  readonly kind: 'obstacle';
  readonly subterm: Expr;
  readonly why: string;
}
export interface Member {
  readonly indices: readonly Index[];
  readonly body: Expr;
}
/** Equations by definition, and `stacks` of them: the first index picks the part. */
export interface Members {
  readonly equations: ReadonlyMap<DefinitionId, Member>;
  readonly stacks: ReadonlyMap<DefinitionId, readonly DefinitionId[]>;
}

const zero: Linear = { kind: 'linear', terms: [] };

export class AffineMaps {
  readonly #b: Builder;
  readonly #members: Members;
  readonly #forms = new Map<DefinitionId, Linear | Obstacle>();
  readonly #memo = new Map<Expr, Linear | Obstacle>();

  constructor(b: Builder, members: Members) {
    this.#b = b;
    this.#members = members;
  }
  /** The map of a member's equation, over its own indices. */
  of(id: DefinitionId): Linear | Obstacle {
    const known = this.#forms.get(id);
    if (known) return known;
    const member = this.#members.equations.get(id);
    const made = member ? this.#expr(member.body) : zero;
    this.#forms.set(id, made);
    return made;
  }
  /** The map of an expression over the members, at one step. */
  ofExpr(e: Expr): Linear | Obstacle {
    return this.#expr(e);
  }

  #expr(e: Expr): Linear | Obstacle {
    const known = this.#memo.get(e);
    if (known) return known;
    const made = this.#make(e);
    this.#memo.set(e, made);
    return made;
  }
  #make(e: Expr): Linear | Obstacle {
    if (e.kind === 'read') return this.#read(e);
    if (e.kind === 'reduce') return this.#reduce(e);
    if (e.kind === 'select') {
      const cond = this.#expr(e.cond);
      if (cond.kind === 'obstacle' || cond.terms.length > 0) return { kind: 'obstacle', subterm: e, why: 'a choice that depends on a state is not affine' };
    }
    const kids: Linear[] = [];
    for (const kid of children(e)) {
      const form = this.#expr(kid);
      if (form.kind === 'obstacle') return form;
      kids.push(form);
    }
    if (kids.every((k) => k.terms.length === 0)) return { kind: 'linear', terms: [], rest: e };
    const no = (why: string): Obstacle => ({ kind: 'obstacle', subterm: e, why });
    switch (e.kind) {
      case 'unary': return this.#unary(e, kids[0] as Linear, no);
      case 'binary': return this.#binary(e, kids[0] as Linear, kids[1] as Linear, no);
      case 'power': return no('a power of a state is not affine');
      case 'select': return this.#select(e, kids[1] as Linear, kids[2] as Linear);
      case 'const': case 'index': return { kind: 'linear', terms: [], rest: e };
    }
  }

  #unary(e: ExprOf<'unary'>, x: Linear, no: (why: string) => Obstacle): Linear | Obstacle {
    const b = this.#b;
    if (e.op === 'neg') return mapped(x, (c) => b.unary('neg', c));
    if (e.arg.type === 'complex' && ['re', 'im', 'conj'].includes(e.op)) return no(`\`${e.op}\` of a complex state is linear over the real numbers only`);
    return no(`\`${e.op}\` of a state is not affine`);
  }
  #binary(e: ExprOf<'binary'>, x: Linear, y: Linear, no: (why: string) => Obstacle): Linear | Obstacle {
    const b = this.#b;
    const both = x.terms.length > 0 && y.terms.length > 0;
    switch (e.op) {
      case 'add': return added(b, [x, y]);
      case 'sub': return { kind: 'linear', terms: [...x.terms, ...mapped(y, (c) => b.unary('neg', c)).terms], ...difference(b, x.rest, y.rest) };
      case 'complex': return added(b, [x, mapped(y, (c) => b.binary('mul', b.binary('complex', b.const(0), b.const(1)), c))]);
      case 'mul':
        if (both) return no('a product of states is not affine');
        return x.terms.length > 0 ? mapped(x, (c) => times(b, c, e.right)) : mapped(y, (c) => times(b, e.left, c));
      case 'div':
        return y.terms.length > 0 ? no('a division by a state is not affine') : mapped(x, (c) => b.binary('div', c, e.right));
      default: return no(`\`${e.op}\` of a state is not affine`);
    }
  }
  #select(e: ExprOf<'select'>, then: Linear, otherwise: Linear): Linear {
    const b = this.#b;
    const nothing = b.const(0);
    return {
      kind: 'linear',
      terms: [
        ...mapped(then, (c) => b.select(e.cond, c, nothing)).terms,
        ...mapped(otherwise, (c) => b.select(e.cond, nothing, c)).terms,
      ],
      ...(then.rest || otherwise.rest ? { rest: b.select(e.cond, then.rest ?? nothing, otherwise.rest ?? nothing) } : {}),
    };
  }

  #reduce(e: ExprOf<'reduce'>): Linear | Obstacle {
    const b = this.#b;
    const { over } = e;
    const whole: Linear = { kind: 'linear', terms: [], rest: e };
    if (over === 'time') return this.#touches(e.body) ? { kind: 'obstacle', subterm: e, why: 'a reduction over time is no step of a recurrence' } : whole;
    if (this.#picks(e.body, over)) return this.#unrolled(e, over);
    const fresh = b.newIndex(over.name, over.axis, over.governor);
    const inner = this.#expr(e.body);
    if (inner.kind === 'obstacle') return inner;
    if (inner.terms.length === 0) return whole;
    if (e.op === 'last') return this.#expr(substitute(b, e.body, (i) => (i === over ? affineConstant(over.axis.size - 1) : undefined)));
    if (e.op !== 'sum' && e.op !== 'mean') return { kind: 'obstacle', subterm: e, why: `\`${e.op}\` over states is not affine` };
    const renamed = (i: Index): Affine | undefined => (i === over ? affineOf(fresh) : undefined);
    const share = e.op === 'mean' ? memberShare(b, over) : undefined;
    return {
      kind: 'linear',
      terms: inner.terms.map((t): Term => {
        const coefficient = substitute(b, t.coefficient, renamed);
        return { ...t, bound: [fresh, ...t.bound], at: t.at.map((a) => affineSubstitute(a, renamed)), coefficient: share ? times(b, coefficient, share) : coefficient };
      }),
      ...(inner.rest ? { rest: b.reduce(e.op, over, inner.rest) } : {}),
    };
  }
  /** The index decides at which step a member is read, or which part of a stack: its members are told apart. */
  #picks(body: Expr, over: Index): boolean {
    if (over.axis.ragged) return false;
    const uses = (a: Affine | undefined): boolean => a?.terms.some((t) => t.index === over) ?? false;
    let found = false;
    visitExpr(body, (e) => {
      if (e.kind !== 'read') return;
      if (this.#members.equations.has(e.def) && uses(e.time)) found = true;
      if (this.#members.stacks.has(e.def) && (uses(e.time) || uses(e.at[0]))) found = true;
    });
    return found;
  }
  #unrolled(e: ExprOf<'reduce'>, over: Index): Linear | Obstacle {
    const b = this.#b;
    const at = (k: number): Expr => substitute(b, e.body, (i) => (i === over ? affineConstant(k) : undefined));
    if (e.op === 'last') return this.#expr(at(over.axis.size - 1));
    const forms: Linear[] = [];
    for (let k = 0; k < over.axis.size; k++) {
      const form = this.#expr(at(k));
      if (form.kind === 'obstacle') return form;
      forms.push(form);
    }
    if (forms.every((f) => f.terms.length === 0)) return { kind: 'linear', terms: [], rest: e };
    if (e.op !== 'sum' && e.op !== 'mean') return { kind: 'obstacle', subterm: e, why: `\`${e.op}\` over states is not affine` };
    const total = added(b, forms);
    return e.op === 'mean' ? mapped(total, (c) => times(b, c, b.const(1 / over.axis.size))) : total;
  }
  #touches(e: Expr): boolean {
    let found = false;
    visitExpr(e, (x) => { if (x.kind === 'read' && (this.#members.equations.has(x.def) || this.#members.stacks.has(x.def))) found = true; });
    return found;
  }

  #read(e: ExprOf<'read'>): Linear | Obstacle {
    const b = this.#b;
    const parts = this.#members.stacks.get(e.def);
    if (parts) return this.#eachValue(e, e.at[0] as Affine, (k) => this.#expr(b.read(parts[k] as DefinitionId, e.type, e.at.slice(1), e.time)));
    const member = this.#members.equations.get(e.def);
    if (!member || !e.time) return { kind: 'linear', terms: [], rest: e };
    if (e.time.terms.length > 0) return this.#eachValue(e, e.time, (k) => this.#expr(b.read(e.def, e.type, e.at, affineConstant(k))));
    if (!isNow(e.time)) return { kind: 'linear', terms: [{ from: e.def, lag: Math.abs(e.time.constant), bound: [], at: e.at, coefficient: b.const(1) }] };
    const now = this.of(e.def);
    if (now.kind === 'obstacle') return now;
    if (now.terms.length === 0) return { kind: 'linear', terms: [], rest: e };
    return this.#inlined(now, member.indices, e.at);
  }
  /** Another definition's map, read at these elements: its indices replaced, its bound ones renewed. */
  #inlined(form: Linear, indices: readonly Index[], at: readonly Affine[]): Linear {
    const b = this.#b;
    const image = new Map(indices.map((i, k) => [i, at[k] as Affine]));
    return {
      kind: 'linear',
      terms: form.terms.map((t): Term => {
        const bound = t.bound.map((i) => b.newIndex(i.name, i.axis, i.governor));
        const by = (i: Index): Affine | undefined => { const k = t.bound.indexOf(i); return k >= 0 ? affineOf(bound[k] as Index) : image.get(i); };
        return { ...t, bound, at: t.at.map((a) => affineSubstitute(a, by)), coefficient: substitute(b, t.coefficient, by) };
      }),
      ...(form.rest ? { rest: substitute(b, form.rest, (i) => image.get(i)) } : {}),
    };
  }
  /** Σ over the values that an affine expression of the equation's own indices takes: where it is k, what `at(k)` gives. */
  #eachValue(e: Expr, a: Affine, at: (k: number) => Linear | Obstacle): Linear | Obstacle {
    const b = this.#b;
    if (a.terms.length === 0) return at(a.constant);
    let low = a.constant;
    let high = a.constant;
    for (const { index, coefficient } of a.terms) {
      low += Math.min(0, coefficient * (index.axis.size - 1));
      high += Math.max(0, coefficient * (index.axis.size - 1));
    }
    const value = a.terms.map((t): Expr => b.binary('mul', b.const(t.coefficient), b.index(t.index))).reduce((x, y) => b.binary('add', x, y), b.const(a.constant));
    const forms: Linear[] = [];
    for (let k = low; k <= high; k++) {
      const form = at(k);
      if (form.kind === 'obstacle') return form;
      const [term] = a.terms;
      const plain = a.terms.length === 1 && term?.coefficient === 1 && a.constant === 0 ? b.index(term.index) : value;
      forms.push(mapped(form, (c) => b.select(b.binary('eq', plain, b.const(k)), c, b.const(0))));
    }
    return forms.every((f) => f.terms.length === 0) ? { kind: 'linear', terms: [], rest: e } : added(b, forms);
  }
}

/** Every coefficient, and the rest, under a linear map. */
function mapped(form: Linear, f: (c: Expr) => Expr): Linear {
  return { kind: 'linear', terms: form.terms.map((t) => ({ ...t, coefficient: f(t.coefficient) })), ...(form.rest ? { rest: f(form.rest) } : {}) };
}
function added(b: Builder, forms: readonly Linear[]): Linear {
  const rests = forms.flatMap((f) => (f.rest ? [f.rest] : []));
  return { kind: 'linear', terms: forms.flatMap((f) => f.terms), ...(rests.length > 0 ? { rest: rests.reduce((x, y) => b.binary('add', x, y)) } : {}) };
}
function difference(b: Builder, x: Expr | undefined, y: Expr | undefined): { rest?: Expr } {
  if (!y) return x ? { rest: x } : {};
  return { rest: x ? b.binary('sub', x, y) : b.unary('neg', y) };
}
function times(b: Builder, x: Expr, y: Expr): Expr {
  if (x.kind === 'const' && x.value === 1) return y;
  return y.kind === 'const' && y.value === 1 ? x : b.binary('mul', x, y);
}
/** 1 / how many members the index runs over: of a ragged axis, those of its governor's member. */
function memberShare(b: Builder, over: Index): Expr {
  const { ragged } = over.axis;
  const { governor } = over;
  if (!ragged || !governor) return b.const(1 / over.axis.size);
  return ragged.sizes.map((n): Expr => b.const(1 / n)).reduceRight((rest, share, k) => b.select(b.binary('eq', b.index(governor), b.const(k)), share, rest));
}

/** The own index that an element position is, if it is just that. */
export function ownIndex(a: Affine, own: readonly Index[]): Index | undefined {
  const i = plainIndex(a);
  return i && own.includes(i) ? i : undefined;
}
