/**
 * One kernel to one function. Lanes are lanes of v128 (float32), or there is one, a float64, at load time.
 *
 * An address is split by the loops that know its parts: what a loop leaves alone is added up before it, constants go into the
 * instruction, so that the innermost loop adds once per pointer.
 */
import { isNarrow, type Cond, type Int, type Kernel, type KernelUnary, type Stmt, type Value } from '../../src/ir/kernel.js';
import { polynomial, termKey, type Opaque, type Polynomial, type Term } from './address.js';
import { Assembler, type Code } from './assembler.js';
import type { FunctionBody } from './encoder.js';
import { emitHostFunction, type HostFunction } from './host-functions.js';
import { decayStep, exp2Decay, exp2m1Decay, type FunctionName } from './math/functions.js';
import { keep as keepVector, type V } from './math/vector.js';
import type { Op } from './opcodes.js';
import { scratchVariables } from './scratch.js';

/** Where called functions are found. */
export interface Callees {
  readonly vector: (name: FunctionName) => number;
  readonly host: (name: HostFunction) => number;
}
interface Scope {
  readonly code: Code;
  /** Sums of address parts that this scope knows. */
  readonly sums: Map<string, number>;
}

const inlineUnary: Partial<Record<KernelUnary, { f32: Op; f64: Op }>> = {
  neg: { f32: 'f32x4.neg', f64: 'f64.neg' }, abs: { f32: 'f32x4.abs', f64: 'f64.abs' }, sqrt: { f32: 'f32x4.sqrt', f64: 'f64.sqrt' },
  floor: { f32: 'f32x4.floor', f64: 'f64.floor' }, ceil: { f32: 'f32x4.ceil', f64: 'f64.ceil' }, not: { f32: 'v128.not', f64: 'i32.eqz' },
};
const binaryOps: Record<Extract<Value, { kind: 'binary' }>['op'], { f32: Op; f64: Op }> = {
  add: { f32: 'f32x4.add', f64: 'f64.add' }, sub: { f32: 'f32x4.sub', f64: 'f64.sub' }, mul: { f32: 'f32x4.mul', f64: 'f64.mul' }, div: { f32: 'f32x4.div', f64: 'f64.div' },
  min: { f32: 'f32x4.pmin', f64: 'f64.min' }, max: { f32: 'f32x4.pmax', f64: 'f64.max' },
  lt: { f32: 'f32x4.lt', f64: 'f64.lt' }, le: { f32: 'f32x4.le', f64: 'f64.le' }, eq: { f32: 'f32x4.eq', f64: 'f64.eq' }, ne: { f32: 'f32x4.ne', f64: 'f64.ne' },
  and: { f32: 'v128.and', f64: 'i32.and' }, or: { f32: 'v128.or', f64: 'i32.or' },
};

export function kernelFunction(kernel: Kernel, callees: Callees, fma: boolean): FunctionBody {
  return new KernelFunction(kernel, callees, fma).body();
}

class KernelFunction {
  readonly #kernel: Kernel;
  readonly #callees: Callees;
  readonly #a: Assembler;
  readonly #wide: boolean;
  readonly #elements = new Map<string, 'f32' | 'f64' | 'i32'>();
  readonly #scopes: Scope[] = [];
  /** Local and scope depth of integer variables and parameters; locals of registers. */
  readonly #ints = new Map<string, { local: number; depth: number }>();
  readonly #buffers = new Map<string, number>();
  readonly #regs = new Map<string, number>();
  /** Boolean registers of float64 kernels are i32. */
  readonly #masks = new Set<string>();
  /** Addresses of variables that live in memory. */
  readonly #scratch: ReadonlyMap<string, number>;

  constructor(kernel: Kernel, callees: Callees, fma: boolean) {
    this.#kernel = kernel;
    this.#callees = callees;
    this.#wide = kernel.precision === 'f32';
    this.#scratch = this.#wide ? scratchVariables(kernel.body) : new Map();
    this.#a = new Assembler(kernel.parameters.length, fma);
    kernel.parameters.forEach((p, k) => {
      if (p.kind === 'scalar') this.#ints.set(p.name, { local: k, depth: 0 });
      else {
        if (isNarrow(p.element)) throw new Error(`wasm stores no ${p.element}`);
        this.#buffers.set(p.name, k);
        this.#elements.set(p.name, p.element);
      }
    });
  }
  body(): FunctionBody {
    this.#scope(() => this.#list(this.#kernel.body));
    return { type: { parameters: this.#kernel.parameters.map(() => 'i32' as const), results: [] }, ...this.#a.finish(), name: this.#kernel.name };
  }
  /** Runs `f` with a code list of its own, nested where the current one stands when it is done. */
  #scope(f: () => void): Code {
    const outer = this.#a.code;
    const code: Code = [];
    this.#scopes.push({ code, sums: new Map() });
    this.#a.code = code;
    f();
    this.#scopes.pop();
    this.#a.code = outer;
    outer.push(code);
    return code;
  }
  /** While `f` writes a construct with inner scopes, what these hoist into the current one goes before it. */
  #hoisting(f: () => void): void {
    const setup: Code = [];
    this.#a.code.push(setup);
    const at = this.#scopes.length - 1;
    const scope = this.#scopes[at] as Scope;
    this.#scopes[at] = { code: setup, sums: scope.sums };
    f();
    this.#scopes[at] = scope;
  }
  /** Writes into an enclosing scope, at its end: before whatever is being written inside it. */
  #within(depth: number, f: () => void): void {
    const here = this.#a.code;
    this.#a.code = (this.#scopes[depth] as Scope).code;
    f();
    this.#a.code = here;
  }
  get #depth(): number {
    return this.#scopes.length - 1;
  }

  #list(stmts: readonly Stmt[]): void {
    for (const s of stmts) this.#stmt(s);
  }
  #stmt(s: Stmt): void {
    switch (s.kind) {
      case 'comment': return;
      case 'for': this.#loop(s); return;
      case 'int': {
        this.#int(s.value);
        this.#ints.set(s.name, { local: this.#a.keep('i32'), depth: this.#depth });
        return;
      }
      case 'let': case 'var': {
        if (s.kind === 'var' && this.#toScratch(s.name, s.value)) return;
        const mask = !this.#wide && this.#isMask(s.value);
        this.#value(s.value);
        this.#regs.set(s.name, this.#a.keep(this.#wide ? 'v128' : mask ? 'i32' : 'f64'));
        if (mask) this.#masks.add(s.name);
        return;
      }
      case 'set':
        if (this.#toScratch(s.name, s.value)) return;
        this.#value(s.value);
        this.#a.set(this.#regs.get(s.name) as number);
        return;
      case 'store': this.#store(s); return;
      case 'if': {
        this.#hoisting(() => {
          this.#cond(s.cond);
          this.#a.emit('if');
          this.#scope(() => this.#list(s.then));
          if (s.else.length > 0) {
            this.#a.emit('else');
            this.#scope(() => this.#list(s.else));
          }
          this.#a.emit('end');
        });
        return;
      }
    }
  }
  #toScratch(name: string, value: Value): boolean {
    const at = this.#scratch.get(name);
    if (at === undefined) return false;
    this.#a.i32(0);
    this.#value(value);
    this.#a.memory('v128.store', at, 2);
    return true;
  }
  /** Tested once before the first round, then at the end of each. */
  #loop(s: Extract<Stmt, { kind: 'for' }>): void {
    const a = this.#a;
    // The loop's own scope holds what is set up for it; its body's scope is a round.
    this.#scope(() => {
      const i = a.local('i32');
      let limit: number | undefined;
      if (s.to.kind !== 'int') {
        this.#int(s.to);
        limit = a.keep('i32');
      }
      const pushLimit = (): void => { if (limit === undefined) this.#int(s.to); else a.get(limit); };
      this.#int(s.from);
      a.set(i);
      a.emit('block');
      const sure = s.from.kind === 'int' && s.to.kind === 'int';
      if (!sure) {
        a.get(i);
        pushLimit();
        a.emit(s.step > 0 ? 'i32.ge_s' : 'i32.le_s', 'br_if');
        a.bytes([0]);
      }
      this.#hoisting(() => {
        a.emit('loop');
        this.#scope(() => {
          this.#ints.set(s.name, { local: i, depth: this.#depth });
          this.#list(s.body);
        });
      });
      a.get(i);
      a.i32(s.step);
      a.emit('i32.add');
      a.tee(i);
      pushLimit();
      a.emit(s.step > 0 ? 'i32.lt_s' : 'i32.gt_s', 'br_if');
      a.bytes([0]);
      a.emit('end', 'end');
    });
  }

  // --- integers ---------------------------------------------------------------------------------------------------------

  #int(e: Int): void {
    const p = polynomial(e);
    if (p.terms.length === 0) { this.#a.i32(p.constant); return; }
    p.terms.forEach((t, k) => {
      this.#term(t, 1);
      if (k > 0) this.#a.emit('i32.add');
    });
    if (p.constant !== 0) {
      this.#a.i32(p.constant);
      this.#a.emit('i32.add');
    }
  }
  #term(t: Term, scale: number): void {
    t.factors.forEach((f, k) => {
      if (typeof f === 'string') this.#a.get((this.#ints.get(f) as { local: number }).local);
      else this.#opaque(f);
      if (k > 0) this.#a.emit('i32.mul');
    });
    const c = t.coefficient * scale;
    if (c === 1) return;
    const shift = Math.log2(c);
    this.#a.i32(Number.isInteger(shift) ? shift : c);
    this.#a.emit(Number.isInteger(shift) ? 'i32.shl' : 'i32.mul');
  }
  #opaque(e: Opaque): void {
    const a = this.#a;
    switch (e.kind) {
      case 'imin': case 'imax': {
        this.#int(e.left);
        const x = a.keep('i32');
        this.#int(e.right);
        const y = a.keep('i32');
        a.get(x);
        a.get(y);
        a.get(x);
        a.get(y);
        a.emit(e.kind === 'imin' ? 'i32.lt_s' : 'i32.gt_s', 'select');
        return;
      }
      case 'idiv': case 'imod':
        this.#int(e.left);
        a.i32(e.by);
        a.emit(e.kind === 'idiv' ? 'i32.div_s' : 'i32.rem_s');
        return;
      case 'iselect':
        this.#int(e.then);
        this.#int(e.else);
        this.#cond(e.cond);
        a.emit('select');
        return;
      case 'iload': {
        const offset = this.#address(e.buffer, e.at, 4);
        a.memory('i32.load', offset, 2);
        return;
      }
    }
  }
  #cond(c: Cond): void {
    if (c.kind === 'all') {
      this.#value(c.mask);
      if (this.#wide) this.#a.emit('i32x4.all_true');
      return;
    }
    if (c.kind !== 'icompare') {
      this.#cond(c.left);
      this.#cond(c.right);
      this.#a.emit(c.kind === 'iand' ? 'i32.and' : 'i32.or');
      return;
    }
    this.#int(c.left);
    this.#int(c.right);
    this.#a.emit(c.op === 'lt' ? 'i32.lt_s' : c.op === 'le' ? 'i32.le_s' : c.op === 'eq' ? 'i32.eq' : 'i32.ne');
  }

  /** Pushes the byte address of an element without its constant part, which is returned. */
  #address(buffer: string, at: Int, bytes: number): number {
    const p = polynomial(at);
    const negative = p.constant < 0;
    this.#a.get(this.#sum(buffer, p, bytes, negative ? p.constant : 0));
    return negative ? 0 : p.constant * bytes;
  }
  /** A local with base + Σ terms, built up scope by scope. */
  #sum(buffer: string, p: Polynomial, bytes: number, constant: number): number {
    const depths = p.terms.map((t) => Math.max(0, ...t.factors.map((f) => (typeof f === 'string' ? (this.#ints.get(f) as { depth: number }).depth : this.#opaqueDepth(f)))));
    let local = this.#buffers.get(buffer) as number;
    let key = `${buffer}:${bytes}`;
    for (const depth of [...new Set(depths)].sort((x, y) => x - y)) {
      const terms = p.terms.filter((_, k) => depths[k] === depth);
      key += `|${terms.map((t) => `${t.coefficient}*${termKey(t)}`).sort().join('+')}`;
      local = this.#cached(depth, key, () => {
        this.#a.get(local);
        for (const t of terms) {
          this.#term(t, bytes);
          this.#a.emit('i32.add');
        }
      });
    }
    if (constant === 0) return local;
    const depth = Math.max(0, ...depths);
    return this.#cached(depth, `${key}|${constant}`, () => {
      this.#a.get(local);
      this.#a.i32(constant * bytes);
      this.#a.emit('i32.add');
    });
  }
  #cached(depth: number, key: string, push: () => void): number {
    for (let d = depth; d <= this.#depth; d++) {
      const found = (this.#scopes[d] as Scope).sums.get(key);
      if (found !== undefined) return found;
    }
    const local = this.#a.local('i32');
    this.#within(depth, () => {
      push();
      this.#a.set(local);
    });
    (this.#scopes[depth] as Scope).sums.set(key, local);
    return local;
  }
  #opaqueDepth(_: Opaque): number {
    return this.#depth;
  }

  // --- values -----------------------------------------------------------------------------------------------------------

  #isMask(v: Value): boolean {
    switch (v.kind) {
      case 'binary': return ['lt', 'le', 'eq', 'ne', 'and', 'or'].includes(v.op);
      case 'unary': return v.op === 'not';
      case 'from-cond': return true;
      case 'reg': return this.#masks.has(v.name);
      case 'select': return this.#isMask(v.then);
      default: return false;
    }
  }
  #value(v: Value): void {
    const a = this.#a;
    switch (v.kind) {
      case 'number': if (this.#wide) a.splat(v.value); else a.f64(v.value); return;
      case 'reg': {
        const at = this.#scratch.get(v.name);
        if (at === undefined) { a.get(this.#regs.get(v.name) as number); return; }
        a.i32(0);
        a.memory('v128.load', at, 2);
        return;
      }
      case 'load': this.#load(v); return;
      case 'unary': this.#unary(v); return;
      case 'binary':
        this.#value(v.left);
        this.#value(v.right);
        a.emit(binaryOps[v.op][this.#wide ? 'f32' : 'f64']);
        return;
      case 'select':
        this.#value(v.then);
        this.#value(v.else);
        this.#value(v.cond);
        a.emit(this.#wide ? 'v128.bitselect' : 'select');
        return;
      case 'muladd':
        this.#value(v.left);
        this.#value(v.right);
        if (this.#wide && a.fma) {
          this.#value(v.plus);
          a.emit('f32x4.relaxed_madd');
          return;
        }
        a.emit(this.#wide ? 'f32x4.mul' : 'f64.mul');
        this.#value(v.plus);
        a.emit(this.#wide ? 'f32x4.add' : 'f64.add');
        return;
      case 'decay': {
        if (!this.#wide) throw new Error('a decay step at load time');
        const [x, s, plus] = [v.exponent, v.state, v.plus].map((operand) => keepVector(a, () => this.#value(operand)));
        decayStep(a, x as V, s as V, plus as V, v.bounded ?? false)(a);
        return;
      }
      case 'lane': if (this.#wide) this.#lanes([0, 1, 2, 3]); else a.f64(0); return;
      case 'from-int':
        this.#int(v.value);
        if (this.#wide) a.emit('f32.convert_i32_s', 'f32x4.splat');
        else a.emit('f64.convert_i32_s');
        return;
      case 'from-cond':
        if (!this.#wide) { this.#cond(v.cond); return; }
        a.i32(0);
        this.#cond(v.cond);
        a.emit('i32.sub', 'i32x4.splat');
        return;
      case 'reduce-lanes': this.#reduce(v); return;
      case 'lane-of': this.#laneOf(v); return;
    }
  }
  #lanes(values: readonly [number, number, number, number]): void {
    this.#a.emit('v128.const');
    this.#a.bytes([...new Uint8Array(new Float32Array(values).buffer)]);
  }
  #load(v: Extract<Value, { kind: 'load' }>): void {
    const a = this.#a;
    const element = this.#elements.get(v.buffer);
    const bytes = element === 'f64' ? 8 : 4;
    if (!this.#wide) {
      const offset = this.#address(v.buffer, v.at, bytes);
      if (element === 'f64') a.memory('f64.load', offset, 3);
      else {
        a.memory('f32.load', offset, 2);
        a.emit('f64.promote_f32');
      }
      return;
    }
    if (v.access === 'vector' || v.access === 'uniform') {
      const offset = this.#address(v.buffer, v.at, bytes);
      if (v.access === 'vector') a.memory('v128.load', offset, 2);
      else a.memory('v128.load32_splat', offset, 2);
      return;
    }
    // A gather: lane by lane, the index held inside the axis.
    const { stride, last } = v.access;
    const offset = this.#address(v.buffer, v.at, bytes);
    const base = a.keep('i32');
    this.#int(last);
    const limit = a.keep('i32');
    this.#int(stride);
    const step = a.keep('i32');
    a.get(base);
    a.memory('v128.load32_zero', offset, 2);
    const gathered = a.keep('v128');
    for (let lane = 1; lane < 4; lane++) {
      a.get(base);
      a.i32(lane);
      a.get(limit);
      a.i32(lane);
      a.get(limit);
      a.emit('i32.lt_s', 'select');
      a.get(step);
      a.emit('i32.mul');
      a.i32(2);
      a.emit('i32.shl', 'i32.add');
      a.get(gathered);
      a.memory('v128.load32_lane', offset, 2);
      a.bytes([lane]);
      a.set(gathered);
    }
    a.get(gathered);
  }
  #unary(v: Extract<Value, { kind: 'unary' }>): void {
    const a = this.#a;
    const simple = inlineUnary[v.op];
    if (simple) {
      this.#value(v.arg);
      a.emit(simple[this.#wide ? 'f32' : 'f64']);
      return;
    }
    if (!this.#wide) {
      this.#value(v.arg);
      emitHostFunction(a, v.op, this.#callees.host);
      return;
    }
    this.#value(v.arg);
    if (v.op === 'exp2_decay' || v.op === 'exp2m1_decay') {
      const x = a.keep('v128');
      (v.op === 'exp2_decay' ? exp2Decay : exp2m1Decay)(a, keepVector(a, (b) => b.get(x)))(a);
      return;
    }
    a.call(this.#callees.vector(v.op as FunctionName));
  }
  /** Pairwise: (0 ∘ 2) ∘ (1 ∘ 3). */
  #reduce(v: Extract<Value, { kind: 'reduce-lanes' }>): void {
    const a = this.#a;
    this.#value(v.arg);
    if (!this.#wide) return;
    const o: Op = v.op === 'sum' ? 'f32x4.add' : v.op === 'max' ? 'f32x4.pmax' : 'f32x4.pmin';
    if (!(v.count.kind === 'int' && v.count.value >= 4)) {
      const x = a.keep('v128');
      a.get(x);
      a.splat(v.op === 'sum' ? 0 : v.op === 'max' ? -Infinity : Infinity);
      this.#lanes([0, 1, 2, 3]);
      this.#int(v.count);
      a.emit('f32.convert_i32_s', 'f32x4.splat', 'f32x4.lt', 'v128.bitselect');
    }
    for (const lanes of [[2, 3, 0, 1], [1, 0, 3, 2]]) {
      const x = a.keep('v128');
      a.get(x);
      a.get(x);
      a.get(x);
      a.emit('i8x16.shuffle');
      a.bytes(lanes.flatMap((l) => [4 * l, 4 * l + 1, 4 * l + 2, 4 * l + 3]));
      a.emit(o);
    }
  }
  #laneOf(v: Extract<Value, { kind: 'lane-of' }>): void {
    const a = this.#a;
    this.#value(v.arg);
    if (!this.#wide) return;
    const x = a.keep('v128');
    const lane = v.lane.kind === 'int' ? v.lane.value : 0;
    a.get(x);
    a.get(x);
    a.emit('i8x16.shuffle');
    a.bytes([0, 1, 2, 3].flatMap(() => [4 * lane, 4 * lane + 1, 4 * lane + 2, 4 * lane + 3]));
  }
  #store(s: Extract<Stmt, { kind: 'store' }>): void {
    const a = this.#a;
    const element = this.#elements.get(s.buffer);
    const offset = this.#address(s.buffer, s.at, element === 'f64' ? 8 : 4);
    this.#value(s.value);
    if (!this.#wide) {
      if (element === 'f64') a.memory('f64.store', offset, 3);
      else {
        a.emit('f32.demote_f64');
        a.memory('f32.store', offset, 2);
      }
      return;
    }
    if (s.lanes === 'vector') { a.memory('v128.store', offset, 2); return; }
    const apart = typeof s.lanes === 'object' ? (s.lanes.stride ?? 1) : 1;
    const value = a.keep('v128');
    const base = a.keep('i32');
    const one = (lane: number): void => {
      a.get(base);
      a.get(value);
      a.memory('v128.store32_lane', offset + 4 * lane * apart, 2);
      a.bytes([lane]);
    };
    one(0);
    if (s.lanes === 'one') return;
    for (let lane = 1; lane < 4; lane++) {
      a.i32(lane);
      this.#int(s.lanes.count);
      a.emit('i32.lt_s', 'if');
      one(lane);
      a.emit('end');
    }
  }
}
