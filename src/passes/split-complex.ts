/** Complex definitions as pairs of real ones, and complex arithmetic written out: kernels have real numbers only. */
import { affineOf, substitute, type Builder } from '../ir/builder.js';
import type { Axis, Definition, DefinitionId, Expr, Index, Program } from '../ir/program.js';
import { compact, type Pass } from './pass.js';
import { simplifyExpr } from './simplify.js';

export const splitComplex: Pass = {
  name: 'split-complex',
  why: 'a complex number is a pair of real ones',
  run: (program, b) => (program.definitions.some((d) => d.type === 'complex' || (d.kind === 'equation' && mentionsComplex(d.body))) ? new Splitter(program, b).run() : program),
};
function mentionsComplex(e: Expr): boolean {
  const seen = new Set<Expr>();
  const visit = (x: Expr): boolean => {
    if (seen.has(x)) return false;
    seen.add(x);
    if (x.type === 'complex' || (x.kind === 'unary' && ['re', 'im', 'conj'].includes(x.op))) return true;
    switch (x.kind) {
      case 'unary': return visit(x.arg);
      case 'binary': return visit(x.left) || visit(x.right);
      case 'power': return visit(x.base);
      case 'select': return visit(x.cond) || visit(x.then) || visit(x.else);
      case 'reduce': return visit(x.body);
      default: return false;
    }
  };
  return visit(e);
}
interface Pair {
  readonly re: Expr;
  readonly im: Expr;
}

class Splitter {
  readonly #program: Program;
  readonly #b: Builder;
  readonly #defs: Definition[];
  readonly #halves = new Map<DefinitionId, { re: DefinitionId; im: DefinitionId }>();
  readonly #memo = new Map<Expr, Pair>();

  constructor(program: Program, b: Builder) {
    this.#program = program;
    this.#b = b;
    this.#defs = [...program.definitions];
  }
  run(): Program {
    for (const d of this.#program.definitions) if (d.type === 'complex') this.#reserve(d);
    for (const d of this.#program.definitions) {
      if (d.type === 'complex') this.#fill(d);
      else if (d.kind === 'equation') this.#defs[d.id] = { ...d, body: this.#real(d.body), ...this.#state(d, (p) => p.re) };
    }
    return compact({ ...this.#program, definitions: this.#defs }, this.#b);
  }
  #real(e: Expr): Expr {
    return simplifyExpr(this.#b, this.#pair(e).re);
  }
  #state(d: Extract<Definition, { kind: 'equation' }>, part: (p: Pair) => Expr): object {
    return d.state ? { state: { ...d.state, ...(d.state.initial ? { initial: part(this.#pair(d.state.initial)) } : {}) } } : {};
  }
  #reserve(d: Definition): void {
    const re = this.#defs.length as DefinitionId;
    const im = (re + 1) as DefinitionId;
    for (const [id, suffix] of [[re, 're'], [im, 'im']] as const) this.#defs.push({ ...d, id, type: 'real', name: `${d.name}#${suffix}` });
    this.#halves.set(d.id, { re, im });
  }
  #fill(d: Definition): void {
    const { re, im } = this.#halves.get(d.id) as { re: DefinitionId; im: DefinitionId };
    if (d.kind === 'inverse') { this.#inverse(d, re, im); return; }
    if (d.kind === 'stack') {
      for (const [id, half] of [[re, 're'], [im, 'im']] as const) this.#defs[id] = { ...(this.#defs[id] as typeof d), parts: d.parts.map((p) => this.#halves.get(p)?.[half] as DefinitionId) };
      return;
    }
    if (d.kind !== 'equation') return;
    const body = this.#pair(d.body);
    for (const [id, half] of [[re, 're'], [im, 'im']] as const) {
      const own = this.#fresh(d);
      const map = (e: Expr): Expr => simplifyExpr(this.#b, this.#moved(e, own.map));
      const initial = d.state?.initial && map(this.#pair(d.state.initial)[half]);
      const { state: _, ...plain } = d;
      this.#defs[id] = {
        ...plain, id, type: 'real', name: `${d.name}#${half}`, indices: own.indices, body: map(body[half]),
        ...(d.state ? { state: { direction: d.state.direction, ...(initial ? { initial } : {}) } } : {}),
      };
    }
    this.#defs[d.id] = { ...d, type: 'real', body: this.#b.const(0) };
  }
  #fresh(d: Definition): { indices: Index[]; map: Map<Index, Index> } {
    const indices = d.indices.map((i) => this.#b.newIndex(i.name, i.axis));
    return { indices, map: new Map(d.indices.map((i, k) => [i, indices[k] as Index])) };
  }
  #moved(e: Expr, map: ReadonlyMap<Index, Index>): Expr {
    return substitute(this.#b, e, (i) => { const x = map.get(i); return x && affineOf(x); });
  }
  /** (A + iB)^-1 from the real matrix [[A, −B], [B, A]], whose inverse is [[P, −Q], [Q, P]] with P + iQ the answer. */
  #inverse(d: Extract<Definition, { kind: 'inverse' }>, re: DefinitionId, im: DefinitionId): void {
    const b = this.#b;
    const half = this.#halves.get(d.matrix) as { re: DefinitionId; im: DefinitionId };
    const n = d.indices.at(-1)?.axis.size ?? 1;
    const outer = d.indices.slice(0, -2);
    const wide: Axis = { name: `${d.indices.at(-1)?.axis.name ?? 'n'}#2`, size: 2 * n };
    const indices = [...outer.map((i) => b.newIndex(i.name, i.axis)), b.newIndex('r', wide), b.newIndex('c', wide)];
    const [r, c] = indices.slice(-2) as [Index, Index];
    const at = (row: Index, col: Index): ReturnType<typeof affineOf>[] => [...indices.slice(0, -2).map((i) => affineOf(i)), affineOf(row), affineOf(col)];
    const k = b.newIndex('k', { name: 'k', size: n });
    const l = b.newIndex('l', { name: 'l', size: n });
    const block = (id: DefinitionId, top: boolean, left: boolean): Expr => {
      // Σ over the block's own rows and columns of those that stand at [r, c].
      const here = (i: Index, own: Index, first: boolean): Expr => b.binary('eq', b.index(i), b.binary('add', b.index(own), b.const(first ? 0 : n)));
      const cell = b.select(b.binary('and', here(r, k, top), here(c, l, left)), b.read(id, 'real', at(k, l)), b.const(0));
      return b.reduce('sum', k, b.reduce('sum', l, cell));
    };
    const sum = [block(half.re, true, true), b.unary('neg', block(half.im, true, false)), block(half.im, false, true), block(half.re, false, false)].reduce((x, y) => b.binary('add', x, y));
    const matrix = this.#defs.length as DefinitionId;
    this.#defs.push({ kind: 'equation', id: matrix, name: `${d.name}#real`, time: false, indices, type: 'real', span: d.span, body: sum });
    const inverse = this.#defs.length as DefinitionId;
    this.#defs.push({ kind: 'inverse', id: inverse, name: `${d.name}#wide`, time: false, indices: indices.map((i) => b.newIndex(i.name, i.axis)), type: 'real', span: d.span, matrix });
    for (const [id, offset, suffix] of [[re, 0, 're'], [im, n, 'im']] as const) {
      const own = this.#fresh(d).indices;
      const [row, col] = own.slice(-2) as [Index, Index];
      const body = b.read(inverse, 'real', [...own.slice(0, -2).map((i) => affineOf(i)), affineOf(row, offset), affineOf(col)]);
      this.#defs[id] = { kind: 'equation', id, name: `${d.name}#${suffix}`, time: false, indices: own, type: 'real', span: d.span, body };
    }
  }

  #pair(e: Expr): Pair {
    const known = this.#memo.get(e);
    if (known) return known;
    const made = this.#make(e);
    this.#memo.set(e, made);
    return made;
  }
  #make(e: Expr): Pair {
    const b = this.#b;
    const zero = b.const(0);
    switch (e.kind) {
      case 'const': case 'index': return { re: e, im: zero };
      case 'read': {
        const half = this.#halves.get(e.def);
        return half ? { re: b.read(half.re, 'real', e.at, e.time), im: b.read(half.im, 'real', e.at, e.time) } : { re: e, im: zero };
      }
      case 'reduce': {
        const p = this.#pair(e.body);
        const over = (x: Expr): Expr => (x.kind === 'const' && x.value === 0 ? x : b.reduce(e.op, e.over, x));
        return { re: over(p.re), im: over(p.im) };
      }
      case 'select': {
        const cond = this.#pair(e.cond).re;
        const x = this.#pair(e.then);
        const y = this.#pair(e.else);
        return { re: b.select(cond, x.re, y.re), im: x.im === zero && y.im === zero ? zero : b.select(cond, x.im, y.im) };
      }
      case 'power': return this.#power(this.#pair(e.base), e.exponent, e);
      case 'unary': return this.#unary(e, this.#pair(e.arg));
      case 'binary': return this.#binary(e, this.#pair(e.left), this.#pair(e.right));
    }
  }
  #isReal(p: Pair): boolean {
    return p.im.kind === 'const' && p.im.value === 0;
  }
  #unary(e: Extract<Expr, { kind: 'unary' }>, p: Pair): Pair {
    const b = this.#b;
    const zero = b.const(0);
    switch (e.op) {
      case 're': return { re: p.re, im: zero };
      case 'im': return { re: p.im, im: zero };
      case 'conj': return { re: p.re, im: b.unary('neg', p.im) };
      case 'neg': return { re: b.unary('neg', p.re), im: this.#isReal(p) ? zero : b.unary('neg', p.im) };
      case 'abs': return { re: this.#isReal(p) ? b.unary('abs', p.re) : b.unary('sqrt', b.binary('add', b.binary('mul', p.re, p.re), b.binary('mul', p.im, p.im))), im: zero };
      case 'exp': {
        const r = b.unary('exp', p.re);
        return this.#isReal(p) ? { re: r, im: zero } : { re: b.binary('mul', r, b.unary('cos', p.im)), im: b.binary('mul', r, b.unary('sin', p.im)) };
      }
      case 'expm1': {
        if (this.#isReal(p)) return { re: b.unary('expm1', p.re), im: zero };
        // e^z − 1: the real part is expm1(x) cos y − 2 sin²(y/2), which keeps its digits near 0.
        const half = b.unary('sin', b.binary('mul', b.const(0.5), p.im));
        const turned = b.binary('mul', b.const(2), b.binary('mul', half, half));
        return {
          re: b.binary('sub', b.binary('mul', b.unary('expm1', p.re), b.unary('cos', p.im)), turned),
          im: b.binary('mul', b.unary('exp', p.re), b.unary('sin', p.im)),
        };
      }
      default: return { re: b.unary(e.op, p.re), im: zero };
    }
  }
  #binary(e: Extract<Expr, { kind: 'binary' }>, x: Pair, y: Pair): Pair {
    const b = this.#b;
    const zero = b.const(0);
    const real = this.#isReal(x) && this.#isReal(y);
    switch (e.op) {
      case 'complex': return { re: x.re, im: y.re };
      case 'add': case 'sub': return { re: b.binary(e.op, x.re, y.re), im: real ? zero : simplifyExpr(b, b.binary(e.op, x.im, y.im)) };
      case 'mul': return this.#mul(x, y);
      case 'div': {
        if (this.#isReal(y)) return { re: b.binary('div', x.re, y.re), im: this.#isReal(x) ? zero : b.binary('div', x.im, y.re) };
        const size = b.binary('add', b.binary('mul', y.re, y.re), b.binary('mul', y.im, y.im));
        const top = this.#mul(x, { re: y.re, im: b.unary('neg', y.im) });
        return { re: b.binary('div', top.re, size), im: b.binary('div', top.im, size) };
      }
      default: return { re: b.binary(e.op, x.re, y.re), im: zero };
    }
  }
  #mul(x: Pair, y: Pair): Pair {
    const b = this.#b;
    const m = (p: Expr, q: Expr): Expr => b.binary('mul', p, q);
    if (this.#isReal(x) && this.#isReal(y)) return { re: m(x.re, y.re), im: b.const(0) };
    if (this.#isReal(x)) return { re: m(x.re, y.re), im: m(x.re, y.im) };
    if (this.#isReal(y)) return { re: m(x.re, y.re), im: m(x.im, y.re) };
    return { re: b.binary('sub', m(x.re, y.re), m(x.im, y.im)), im: b.binary('add', m(x.re, y.im), m(x.im, y.re)) };
  }
  #power(p: Pair, exponent: number, e: Expr): Pair {
    const b = this.#b;
    if (this.#isReal(p)) return { re: e.type === 'real' && e.kind === 'power' && e.base === p.re ? e : b.power(p.re, exponent), im: b.const(0) };
    if (exponent < 0) {
      const q = this.#power(p, -exponent, e);
      const size = b.binary('add', b.binary('mul', q.re, q.re), b.binary('mul', q.im, q.im));
      return { re: b.binary('div', q.re, size), im: b.unary('neg', b.binary('div', q.im, size)) };
    }
    let result: Pair = { re: b.const(1), im: b.const(0) };
    for (let k = 0; k < exponent; k++) result = this.#mul(result, p);
    return result;
  }
}
