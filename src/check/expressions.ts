/** Expressions of equations to expressions of the program: indices resolved, axes and types checked. */
import type { CallExpr, Expr as Syntax, MatchExpr, NameExpr, ReductionExpr, Span } from '../../grammar/ast.js';
import type { Diagnostics } from '../diagnostics/diagnostic.js';
import { affineAdd, affineConstant, affineOf, affineValue, freeIndices, readsTime, substitute, type Builder } from '../ir/builder.js';
import type { Affine, Axis, DefinitionId, Draw, Expr, Index, ReduceOp, Type, UnaryOp } from '../ir/program.js';
import type { ArrayEntity } from './broadcast.js';
import { nearest } from './names.js';
import type { Entity, Scope } from './scope.js';
import { constantValue } from './sizes.js';

/** Indices in scope; `t` as the present step, if there is one. */
export interface Env {
  readonly indices: ReadonlyMap<string, Index>;
  readonly time: boolean;
  /** The indices that a bare array's axes take: the equation has no indices of its own. */
  readonly bare?: (array: ArrayEntity) => readonly Index[];
  /** In a parameter's initialiser: a random number for each of its elements. */
  readonly draw?: (draw: Draw, span: Span) => Expr;
}
/** Functions of a whole matrix, written like reductions over its rows and columns. */
export type MatrixOp = 'inverse' | 'eigenvalues' | 'eigenvectors';
const matrixOps: ReadonlySet<string> = new Set<MatrixOp>(['inverse', 'eigenvalues', 'eigenvectors']);
/** What the elaborator of definitions does for expressions. */
export interface Definitions {
  readonly lookup: (name: string, scope: Scope) => Entity | undefined;
  readonly typeOf: (def: DefinitionId) => Type | undefined;
  /** A definition of its own for a part of an expression. */
  readonly auxiliary: (suffix: string, span: Span, indices: readonly Index[], time: boolean, body: Expr) => DefinitionId;
  readonly isBlock: (name: string) => boolean;
  /** Its import failed, which was reported. */
  readonly isMissing: (name: string) => boolean;
  /** An operation on the last two indices of a matrix. */
  readonly ofMatrix: (op: MatrixOp, span: Span, indices: readonly Index[], matrix: DefinitionId) => DefinitionId;
}

const unary: ReadonlySet<string> = new Set<UnaryOp>(['exp', 'expm1', 'log', 'sqrt', 'rsqrt', 'sigmoid', 'silu', 'softplus', 'relu', 'gelu', 'tanh', 'sin', 'cos', 'abs', 'floor', 'ceil', 're', 'im', 'conj']);
const complexFunctions: ReadonlySet<string> = new Set(['exp', 'expm1', 'abs', 're', 'im', 'conj']);
/** Draws, in initialisers only. */
const random: ReadonlySet<string> = new Set<Draw['kind']>(['uniform', 'loguniform', 'normal']);
const reductions: ReadonlySet<string> = new Set(['sum', 'mean', 'max', 'min', 'last']);
export const functionNames: readonly string[] = [...unary, 'min', 'max', 'where', 'complex', 'size', 'inverse_softplus'];
export const reductionNames: readonly string[] = [...reductions, 'softmax', ...matrixOps];

export class Expressions {
  readonly #b: Builder;
  readonly #diagnostics: Diagnostics;
  readonly #defs: Definitions;
  readonly #memberAxes = new Map<Axis, readonly Axis[]>();
  constructor(b: Builder, diagnostics: Diagnostics, defs: Definitions) {
    this.#b = b;
    this.#diagnostics = diagnostics;
    this.#defs = defs;
  }

  /** The expression, or undefined where an error was reported. */
  of(e: Syntax, scope: Scope, env: Env): Expr | undefined {
    const b = this.#b;
    switch (e.kind) {
      case 'number': return b.const(e.value);
      case 'name': return this.#name(e, scope, env);
      case 'unary': {
        const x = this.of(e.operand, scope, env);
        if (!x || !this.#want(x, e.operand.span, e.op === '!' ? ['bool'] : ['real', 'complex'])) return undefined;
        return b.unary(e.op === '!' ? 'not' : 'neg', x);
      }
      case 'binary': return this.#binary(e, scope, env);
      case 'match': return this.#match(e, scope, env);
      case 'reduction': return this.#reduction(e, scope, env);
      case 'call': return this.#call(e, scope, env);
    }
  }
  #want(e: Expr, span: Span, types: readonly Type[], what = 'this'): boolean {
    if (types.includes(e.type)) return true;
    this.#diagnostics.error('SSM2022', span, { what, type: e.type === 'bool' ? 'a condition' : `a ${e.type} number`, want: types.map((t) => (t === 'bool' ? 'a condition' : `${t}`)).join(' or ') });
    return false;
  }

  // --- names and indices -------------------------------------------------------------------------------------------------

  #name(e: NameExpr, scope: Scope, env: Env): Expr | undefined {
    const b = this.#b;
    const name = e.name.text;
    const index = e.indices ? undefined : env.indices.get(name);
    if (index) return b.index(index);
    if (!e.indices && name === 'pi') return b.const(Math.PI);
    if (!e.indices && name === 'inf') return b.const(Infinity);
    const found = this.#defs.lookup(name, scope);
    if (!found) {
      this.#diagnostics.error('SSM2001', e.name.span, { name, near: nearest(name, [...scope.names.keys(), ...scope.forward.keys(), ...env.indices.keys()]) });
      return undefined;
    }
    switch (found.kind) {
      case 'number': return e.indices ? this.#notArray(e) : b.const(found.value);
      case 'array': return this.#read(e, found, scope, env);
      case 'axis': this.#diagnostics.error('SSM2009', e.span, { index: name }); return undefined;
      case 'choice': this.#diagnostics.error('SSM2022', e.span, { what: `option \`${name}\``, type: 'a choice', want: 'a number; use `match`' }); return undefined;
      case 'absent': return b.const(0);
      case 'broken': return undefined;
    }
  }
  #notArray(e: NameExpr): undefined {
    this.#diagnostics.error('SSM2007', e.span, { name: e.name.text, want: 'none', got: e.indices?.length ?? 0 });
    return undefined;
  }
  #read(e: NameExpr, array: Extract<Entity, { kind: 'array' }>, scope: Scope, env: Env): Expr | undefined {
    const type = this.#defs.typeOf(array.def);
    if (type === undefined) return undefined;
    if (!e.indices) return this.#readBare(e, array, type, env);
    const given = e.indices.filter((i) => !(i.kind === 'name' && !i.indices && scope.names.get(i.name.text)?.kind === 'absent'));
    const positions = array.axes.length + (array.time ? 1 : 0);
    if (given.length !== positions) {
      const want = [...(array.time ? ['t'] : []), ...array.axes.map((a) => a.name)];
      const timed = given[0] !== undefined && mentionsTime(given[0]);
      if (timed && !array.time && given.length === positions + 1) this.#diagnostics.error('SSM2040', e.span, { name: e.name.text });
      else this.#diagnostics.error('SSM2007', e.span, { name: e.name.text, want: want.length === 0 ? 'none' : `${want.length}: [${want.join(', ')}]`, got: given.length });
      return undefined;
    }
    let time: Affine | undefined;
    if (array.time) {
      const at = this.#affine(given[0] as Syntax, scope, env, true);
      if (!at) return undefined;
      if (at.t !== 1 || !env.time) {
        if (at.t === 1 || !env.time) this.#diagnostics.error('SSM2039', (given[0] as Syntax).span, { name: e.name.text });
        else this.#diagnostics.error('SSM2010', (given[0] as Syntax).span, { what: 'a time without t' });
        return undefined;
      }
      time = at.affine;
    }
    const at: Affine[] = [];
    const rest = given.slice(array.time ? 1 : 0);
    let ok = true;
    rest.forEach((syntax, p) => {
      const axis = array.axes[p] as Axis;
      const found = this.#position(syntax, axis, e.name.text, scope, env, array.axes, at);
      if (found) at.push(found);
      else { ok = false; at.push(affineConstant(0)); }
    });
    return ok ? this.#b.read(array.def, type, at, time) : undefined;
  }
  #readBare(e: NameExpr, array: Extract<Entity, { kind: 'array' }>, type: Type, env: Env): Expr | undefined {
    if (array.axes.length === 0 && !array.time) return this.#b.read(array.def, type, []);
    if (!env.bare) {
      this.#diagnostics.error('SSM2023', e.span, { name: e.name.text, axes: [...(array.time ? ['t'] : []), ...array.axes.map((a) => a.name)].join(', ') });
      return undefined;
    }
    const twice = array.axes.find((a, k) => array.axes.indexOf(a) !== k);
    if (twice) {
      this.#diagnostics.error('SSM2024', e.span, { name: e.name.text, axis: twice.name });
      return undefined;
    }
    return this.#b.read(array.def, type, env.bare(array).map((i) => affineOf(i)), array.time ? affineConstant(0) : undefined);
  }
  /** An index expression in the place of an axis, its range proved. */
  #position(e: Syntax, axis: Axis, array: string, scope: Scope, env: Env, axes: readonly Axis[], before: readonly Affine[]): Affine | undefined {
    if (e.kind === 'name' && !e.indices && e.name.text.includes('.')) {
      const member = this.#member(e, scope);
      if (member) {
        if (member.axis === axis) return affineConstant(member.value);
        this.#diagnostics.error('SSM2011', e.span, { index: `\`${e.name.text}\``, name: array, axis: axis.name });
        return undefined;
      }
    }
    const found = this.#affine(e, scope, env, false);
    if (!found) return undefined;
    const a = found.affine;
    const [term, ...more] = a.terms;
    const plain = term && more.length === 0 && term.coefficient === 1 && a.constant === 0 ? term.index : undefined;
    if (axis.labels && !(plain && plain.axis === axis)) {
      this.#diagnostics.error('SSM2011', e.span, { index: `\`${text(e)}\``, name: array, axis: axis.name });
      return undefined;
    }
    let { size } = axis;
    if (axis.ragged) {
      const governor = before[axes.indexOf(axis.ragged.over)];
      // At one member its features are as many as it has; at an index they go with that index.
      if (governor?.terms.length !== 0) return this.#ragged(e, axis, array, plain, governor) ? a : undefined;
      size = axis.ragged.sizes[governor.constant] ?? 0;
    }
    let low = a.constant;
    let high = a.constant;
    for (const t of a.terms) {
      const span = t.coefficient * (t.index.axis.size - 1);
      low += Math.min(0, span);
      high += Math.max(0, span);
    }
    if (low < 0 || high >= size) {
      this.#diagnostics.error('SSM2008', e.span, { index: `\`${text(e)}\``, low, high, name: array, size });
      return undefined;
    }
    return a;
  }
  #ragged(e: Syntax, axis: Axis, array: string, plain: Index | undefined, governor: Affine | undefined): boolean {
    const { over } = axis.ragged as NonNullable<Axis['ragged']>;
    const same = plain?.axis === axis && governor?.terms.length === 1 && plain.governor === governor.terms[0]?.index;
    if (!same) this.#diagnostics.error('SSM2012', e.span, { name: array, index: axis.name, over: over.name });
    return same;
  }
  #member(e: NameExpr, scope: Scope): { axis: Axis; value: number } | undefined {
    const dot = e.name.text.indexOf('.');
    const axis = scope.names.get(e.name.text.slice(0, dot));
    if (axis?.kind !== 'axis' || !axis.axis.labels) return undefined;
    scope.used.add(e.name.text.slice(0, dot));
    const value = axis.axis.labels.indexOf(e.name.text.slice(dot + 1));
    return value < 0 ? undefined : { axis: axis.axis, value };
  }
  /** Σ of indices and constants; `t` counts apart. */
  #affine(e: Syntax, scope: Scope, env: Env, inTime: boolean): { affine: Affine; t: number } | undefined {
    const reject = (): undefined => {
      this.#diagnostics.error('SSM2010', e.span, { what: `\`${text(e)}\`` });
      return undefined;
    };
    const constant = (x: Syntax): { affine: Affine; t: number } | undefined => {
      const value = constantValue(x, scope, this.#diagnostics);
      if (value === undefined) return undefined;
      return Number.isInteger(value) ? { affine: affineConstant(value), t: 0 } : reject();
    };
    switch (e.kind) {
      case 'name': {
        if (e.indices) return reject();
        if (e.name.text === 't' && inTime) return { affine: affineConstant(0), t: 1 };
        const index = env.indices.get(e.name.text);
        if (index) return { affine: affineOf(index), t: 0 };
        const found = scope.names.get(e.name.text);
        if (found?.kind === 'axis' || e.name.text === 't') {
          this.#diagnostics.error('SSM2009', e.span, { index: e.name.text });
          return undefined;
        }
        return constant(e);
      }
      case 'unary': {
        const x = this.#affine(e.operand, scope, env, inTime);
        return x && (e.op === '-' ? scaled(x, -1) : reject());
      }
      case 'binary': {
        if (e.op === '+' || e.op === '-') {
          const x = this.#affine(e.left, scope, env, inTime);
          const y = this.#affine(e.right, scope, env, inTime);
          if (!x || !y) return undefined;
          const z = e.op === '+' ? y : scaled(y, -1);
          return { affine: affineAdd(x.affine, z.affine), t: x.t + z.t };
        }
        if (e.op !== '*') return uses(e, env) ? reject() : constant(e);
        const left = uses(e.left, env);
        if (left && uses(e.right, env)) return reject();
        const factor = constantValue(left ? e.right : e.left, scope, this.#diagnostics);
        const x = this.#affine(left ? e.left : e.right, scope, env, inTime);
        if (factor === undefined || !x) return undefined;
        return Number.isInteger(factor) ? scaled(x, factor) : reject();
      }
      default: return uses(e, env) ? reject() : constant(e);
    }
  }

  // --- operators --------------------------------------------------------------------------------------------------------

  #binary(e: Extract<Syntax, { kind: 'binary' }>, scope: Scope, env: Env): Expr | undefined {
    const b = this.#b;
    const x = this.of(e.left, scope, env);
    if (e.op === '^') {
      if (uses(e.right, env)) return this.#powerOfIndex(e, x, scope, env);
      const n = constantValue(e.right, scope, this.#diagnostics);
      if (!x || n === undefined) return undefined;
      if (!Number.isInteger(n)) {
        this.#diagnostics.error('SSM2022', e.right.span, { what: 'the exponent', type: `${n}`, want: 'a whole number; use exp and log for others' });
        return undefined;
      }
      return this.#want(x, e.left.span, ['real', 'complex']) ? b.power(x, n) : undefined;
    }
    const y = this.of(e.right, scope, env);
    if (!x || !y) return undefined;
    const numbers: Type[] = ['real', 'complex'];
    const both = (types: readonly Type[]): boolean => this.#want(x, e.left.span, types) && this.#want(y, e.right.span, types);
    switch (e.op) {
      case '+': return both(numbers) ? b.binary('add', x, y) : undefined;
      case '-': return both(numbers) ? b.binary('sub', x, y) : undefined;
      case '*': return both(numbers) ? b.binary('mul', x, y) : undefined;
      case '/': return both(numbers) ? b.binary('div', x, y) : undefined;
      case '<': return both(['real']) ? b.binary('lt', x, y) : undefined;
      case '<=': return both(['real']) ? b.binary('le', x, y) : undefined;
      case '>': return both(['real']) ? b.binary('lt', y, x) : undefined;
      case '>=': return both(['real']) ? b.binary('le', y, x) : undefined;
      case '==': return both(['real']) ? b.binary('eq', x, y) : undefined;
      case '!=': return both(['real']) ? b.binary('ne', x, y) : undefined;
      case '&&': return both(['bool']) ? b.binary('and', x, y) : undefined;
      case '||': return both(['bool']) ? b.binary('or', x, y) : undefined;
    }
  }
  /** A constant to an index, such as (-1)^n: 2^(n·log2 |c|), its sign cos(πn). */
  #powerOfIndex(e: Extract<Syntax, { kind: 'binary' }>, base: Expr | undefined, scope: Scope, env: Env): Expr | undefined {
    const b = this.#b;
    if (!base) return undefined;
    const value = numberOf(base);
    if (!value || mentionsTime(e.right)) {
      this.#diagnostics.error('SSM2019', e.right.span, { what: mentionsTime(e.right) ? 'an exponent with t' : 'an exponent with an index, of anything but a constant other than 0,' });
      return undefined;
    }
    const found = this.#affine(e.right, scope, env, false);
    if (!found) return undefined;
    const n = affineValue(b, found.affine);
    const size = b.unary('exp2', b.binary('mul', b.const(Math.log2(Math.abs(value))), n));
    const sign = b.unary('cos', b.binary('mul', b.const(Math.PI), n));
    if (Math.abs(value) === 1) return value > 0 ? b.const(1) : sign;
    return value > 0 ? size : b.binary('mul', size, sign);
  }
  #match(e: MatchExpr, scope: Scope, env: Env): Expr | undefined {
    const arm = chosenArm(e.subject, e.arms, scope, this.#diagnostics, e.span);
    return arm && this.of(arm.value, scope, env);
  }
  #call(e: CallExpr, scope: Scope, env: Env): Expr | undefined {
    const b = this.#b;
    const name = e.callee.text;
    if (name === 'size') {
      const value = constantValue(e, scope, this.#diagnostics);
      return value === undefined ? undefined : b.const(value);
    }
    if (this.#defs.isBlock(name)) {
      this.#diagnostics.error('SSM2025', e.span, { block: name });
      return undefined;
    }
    if (random.has(name)) return this.#draw(e, name as Draw['kind'], scope, env);
    if (this.#defs.isMissing(name)) return undefined;
    if (!functionNames.includes(name)) {
      this.#diagnostics.error('SSM2020', e.callee.span, reductionNames.includes(name) ? { name, reduction: true } : { name, near: nearest(name, functionNames) });
      return undefined;
    }
    const want = unary.has(name) || name === 'inverse_softplus' ? 1 : name === 'where' ? 3 : 2;
    if (e.args.length !== want) {
      this.#diagnostics.error('SSM2021', e.span, { name, want, got: e.args.length });
      return undefined;
    }
    const args = e.args.map((a) => this.of(a.value, scope, env));
    const [x, y, z] = args;
    if (!x || args.includes(undefined)) return undefined;
    const real = (v: Expr, k: number): boolean => this.#want(v, (e.args[k] as { value: Syntax }).value.span, ['real'], `the argument of \`${name}\``);
    if (unary.has(name)) {
      if (!complexFunctions.has(name) ? !real(x, 0) : !this.#want(x, e.span, ['real', 'complex'])) return undefined;
      return b.unary(name as UnaryOp, x);
    }
    // y + log(1 − exp(−y)), which keeps its digits for small y.
    if (name === 'inverse_softplus') return real(x, 0) ? b.binary('add', x, b.unary('log', b.unary('neg', b.unary('expm1', b.unary('neg', x))))) : undefined;
    if (name === 'where') return this.#want(x, e.span, ['bool'], 'the condition') && y && z && this.#want(y, e.span, ['real', 'complex']) && this.#want(z, e.span, ['real', 'complex']) ? b.select(x, y, z) : undefined;
    if (!y || !real(x, 0) || !real(y, 1)) return undefined;
    return b.binary(name as 'min' | 'max' | 'complex', x, y);
  }

  #draw(e: CallExpr, kind: Draw['kind'], scope: Scope, env: Env): Expr | undefined {
    if (!env.draw) {
      this.#diagnostics.error('SSM2032', e.span, { what: `\`${kind}\`` });
      return undefined;
    }
    if (e.args.length !== 2) {
      this.#diagnostics.error('SSM2021', e.span, { name: kind, want: 2, got: e.args.length });
      return undefined;
    }
    const [a, c] = e.args.map((x) => constantValue(x.value, scope, this.#diagnostics));
    return a === undefined || c === undefined ? undefined : env.draw({ kind, a, b: c }, e.span);
  }

  // --- reductions -------------------------------------------------------------------------------------------------------

  #reduction(e: ReductionExpr, scope: Scope, env: Env): Expr | undefined {
    const op = e.op.text;
    if (matrixOps.has(op)) return this.#ofMatrix(e, op as MatrixOp, scope, env);
    if (!reductions.has(op) && op !== 'softmax') {
      this.#diagnostics.error('SSM2020', e.op.span, { name: op, near: nearest(op, reductionNames) });
      return undefined;
    }
    const rest = (k: number, at: Env): Expr | undefined => {
      const binder = e.binders[k];
      if (!binder) return this.of(e.body, scope, at);
      const name = binder.name.text;
      if (name === 't' && !binder.over) {
        if (scope.timeless) return rest(k + 1, at);
        const body = rest(k + 1, { ...at, time: true });
        if (!body || !this.#reducible(body, op, e)) return undefined;
        return op === 'softmax' ? this.#softmax(body, 'time', e.span, at) : this.#b.reduce(op as ReduceOp, 'time', body);
      }
      if (scope.names.get(binder.over?.text ?? name)?.kind === 'absent') return rest(k + 1, at);
      const axis = this.#binderAxis(binder, e.body, scope);
      if (!axis) return undefined;
      const governor = axis.ragged && [...at.indices.values()].find((i) => i.axis === axis.ragged?.over);
      if (op === 'softmax') {
        // The result is still indexed by the binder.
        const own = at.indices.get(name);
        if (!own) { this.#diagnostics.error('SSM2009', binder.name.span, { index: name }); return undefined; }
        const body = rest(k + 1, at);
        return body && this.#reducible(body, op, e) ? this.#softmax(body, own, e.span, at) : undefined;
      }
      const index = this.#b.newIndex(name, axis, governor);
      const body = rest(k + 1, { ...at, indices: new Map(at.indices).set(name, index) });
      return body && this.#reducible(body, op, e) ? this.#b.reduce(op as ReduceOp, index, body) : undefined;
    };
    return rest(0, env);
  }
  #reducible(body: Expr, op: string, e: ReductionExpr): boolean {
    return this.#want(body, e.body.span, op === 'sum' || op === 'mean' || op === 'last' ? ['real', 'complex'] : ['real'], `what \`${op}\` reduces`);
  }
  #binderAxis(binder: ReductionExpr['binders'][number], body: Syntax, scope: Scope): Axis | undefined {
    const declared = scope.names.get((binder.over ?? binder.name).text);
    scope.used.add((binder.over ?? binder.name).text);
    // What is wrong with it was said where it stands.
    if (declared?.kind === 'broken') return undefined;
    if (declared?.kind === 'axis') return (declared.axis.ragged && this.#axisOfUse(binder.name.text, body, scope)) ?? declared.axis;
    if (binder.over) {
      this.#diagnostics.error('SSM2042', binder.over.span, { name: binder.over.text });
      return undefined;
    }
    const found = this.#axisOfUse(binder.name.text, body, scope);
    if (!found) this.#diagnostics.error('SSM2034', binder.name.span, { name: binder.name.text });
    return found;
  }
  /** The axis of the first position where the name stands alone. */
  #axisOfUse(name: string, e: Syntax, scope: Scope): Axis | undefined {
    if (e.kind === 'name' && e.indices) {
      const array = this.#defs.lookup(e.name.text, scope);
      if (array?.kind === 'array') {
        const given = e.indices.filter((i) => !(i.kind === 'name' && !i.indices && scope.names.get(i.name.text)?.kind === 'absent'));
        const p = given.findIndex((i) => i.kind === 'name' && !i.indices && i.name.text === name);
        const axis = array.axes[p - (array.time ? 1 : 0)];
        if (p >= 0 && axis) return this.#ofMember(axis, array.axes, given.slice(array.time ? 1 : 0), scope) ?? axis;
      }
    }
    for (const kid of parts(e)) {
      const found = this.#axisOfUse(name, kid, scope);
      if (found) return found;
    }
    return undefined;
  }
  /** A ragged axis where its modality is one member: as many features as this has. */
  #ofMember(axis: Axis, axes: readonly Axis[], at: readonly Syntax[], scope: Scope): Axis | undefined {
    const { ragged } = axis;
    const position = ragged && at[axes.indexOf(ragged.over)];
    const member = position?.kind === 'name' && !position.indices ? this.#member(position, scope) : undefined;
    if (!ragged || !member) return undefined;
    const known = this.#memberAxes.get(axis) ?? ragged.sizes.map((size, k) => ({ name: `${axis.name}.${ragged.over.labels?.[k] ?? k}`, size }));
    this.#memberAxes.set(axis, known);
    return known[member.value];
  }
  /** exp(e − max) / Σ exp(e − max), the maximum and the sum as definitions of their own. */
  #softmax(body: Expr, over: Index | 'time', span: Span, env: Env): Expr {
    const b = this.#b;
    const free = [...freeIndices(body)].filter((i) => i !== over).sort((x, y) => x.id - y.id);
    // Without a t in it, it is fixed at load time wherever it is written.
    const timed = over !== 'time' && env.time && readsTime(body);
    const shift = timed ? affineConstant(0) : undefined;
    const bound = over === 'time' ? 'time' : b.newIndex(over.name, over.axis, over.governor);
    const reduced = (op: ReduceOp, e: Expr): Expr => b.reduce(op, bound, bound === 'time' || over === 'time' ? e : rename(b, e, over, bound));
    const read = (id: DefinitionId): Expr => b.read(id, 'real', free.map((i) => affineOf(i)), shift);
    const top = this.#defs.auxiliary('max', span, free, timed, reduced('max', body));
    const centred = b.unary('exp', b.binary('sub', body, read(top)));
    const total = this.#defs.auxiliary('sum', span, free, timed, reduced('sum', centred));
    return b.binary('div', centred, read(total));
  }
  /** The rows' index stays free; the columns' too, but for eigenvalues, which have one index. */
  #ofMatrix(e: ReductionExpr, op: MatrixOp, scope: Scope, env: Env): Expr | undefined {
    const [row, col, ...more] = e.binders;
    if (!row || !col || more.length > 0) {
      this.#diagnostics.error('SSM2021', e.span, { name: op, want: 2, got: e.binders.length });
      return undefined;
    }
    const r = env.indices.get(row.name.text);
    const bound = op === 'eigenvalues' ? this.#binderAxis(col, e.body, scope) : undefined;
    if (op === 'eigenvalues' && !bound) return undefined;
    const c = bound ? this.#b.newIndex(col.name.text, bound) : env.indices.get(col.name.text);
    if (!r || !c) {
      this.#diagnostics.error('SSM2009', (r ? col : row).name.span, { index: (r ? col : row).name.text });
      return undefined;
    }
    const body = this.of(e.body, scope, bound ? { ...env, indices: new Map(env.indices).set(col.name.text, c) } : env);
    if (!body) return undefined;
    if (r.axis.size !== c.axis.size) {
      this.#diagnostics.error('SSM2029', e.span, { what: `\`${op}\` takes a square matrix, got ${r.axis.size}×${c.axis.size}` });
      return undefined;
    }
    const rest = [...freeIndices(body)].filter((i) => i !== r && i !== c).sort((x, y) => x.id - y.id);
    const matrix = this.#defs.auxiliary('matrix', e.span, [...rest, r, c], false, body);
    const order = bound ? [...rest, r] : [...rest, r, c];
    const id = this.#defs.ofMatrix(op, e.span, order, matrix);
    return this.#b.read(id, op === 'eigenvalues' ? 'real' : body.type, order.map((i) => affineOf(i)));
  }
}

function rename(b: Builder, root: Expr, from: Index, to: Index): Expr {
  return substitute(b, root, (i) => (i === from ? affineOf(to) : undefined));
}
const scaled = (x: { affine: Affine; t: number }, by: number): { affine: Affine; t: number } =>
  ({ affine: { constant: x.affine.constant * by, terms: x.affine.terms.map((t) => ({ index: t.index, coefficient: t.coefficient * by })) }, t: x.t * by });
/** Of a number as it is written: 2, -1, 1 / 3. */
function numberOf(e: Expr): number | undefined {
  if (e.kind === 'const') return e.value;
  if (e.kind === 'unary' && e.op === 'neg') { const x = numberOf(e.arg); return x === undefined ? undefined : -x; }
  if (e.kind !== 'binary' || e.op !== 'div') return undefined;
  const [x, y] = [numberOf(e.left), numberOf(e.right)];
  return x === undefined || y === undefined ? undefined : x / y;
}
function uses(e: Syntax, env: Env): boolean {
  if (e.kind === 'name' && !e.indices) return e.name.text === 't' || env.indices.has(e.name.text);
  if (e.kind === 'call' && e.callee.text === 'size') return false;
  return parts(e).some((k) => uses(k, env));
}
function mentionsTime(e: Syntax): boolean {
  return (e.kind === 'name' && e.name.text === 't') || parts(e).some(mentionsTime);
}
/** Children of a syntax node. */
export function parts(e: Syntax): readonly Syntax[] {
  switch (e.kind) {
    case 'number': return [];
    case 'name': return e.indices ?? [];
    case 'call': return e.args.map((a) => a.value);
    case 'reduction': return [e.body];
    case 'unary': return [e.operand];
    case 'binary': return [e.left, e.right];
    case 'match': return [e.subject, ...e.arms.map((a) => a.value)];
  }
}
/** A short form of an index expression, for messages. */
function text(e: Syntax): string {
  switch (e.kind) {
    case 'number': return e.text;
    case 'name': return e.name.text;
    case 'unary': return `${e.op}${text(e.operand)}`;
    case 'binary': return `${text(e.left)} ${e.op} ${text(e.right)}`;
    case 'call': return `${e.callee.text}(${e.args.map((a) => text(a.value)).join(', ')})`;
    default: return '…';
  }
}
/** The arm that an option chooses; every arm's names and their completeness are checked. */
export function chosenArm<A extends { readonly patterns: readonly { readonly text: string; readonly span: Span }[] }>(subject: Syntax, arms: readonly A[], scope: Scope, diagnostics: Diagnostics, span: Span): A | undefined {
  const name = subject.kind === 'name' && !subject.indices ? subject.name.text : undefined;
  const option = name === undefined ? undefined : scope.names.get(name);
  if (name !== undefined) scope.used.add(name);
  if (option?.kind !== 'choice') {
    if (option?.kind !== 'broken') diagnostics.error('SSM2017', subject.span, { what: 'a match is on an option that names choices, such as `coupling = mean | sum`' });
    return undefined;
  }
  const seen = new Set<string>();
  for (const arm of arms) for (const p of arm.patterns) {
    if (!option.choices.includes(p.text)) diagnostics.error('SSM2017', p.span, { what: `\`${p.text}\` is not a choice of \`${name}\`: ${option.choices.join(', ')}` });
    else if (seen.has(p.text)) diagnostics.error('SSM2017', p.span, { what: `\`${p.text}\` has an arm already` });
    seen.add(p.text);
  }
  const missing = option.choices.filter((c) => !seen.has(c));
  if (missing.length > 0) diagnostics.error('SSM2017', span, { what: `this match lacks ${missing.map((m) => `\`${m}\``).join(', ')}` });
  return arms.find((a) => a.patterns.some((p) => p.text === option.value));
}
