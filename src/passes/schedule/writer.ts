/**
 * Writes kernels: nested scopes with common subexpressions shared and every value placed in the outermost scope that knows what it
 * depends on (so loop-invariant work leaves its loop without a pass for it). A scope may be a barrier: code guarded by a condition stays in it.
 */
import type { Cond, Int, Stmt, Tiles, Value } from '../../ir/kernel.js';
import { condKey, condVars, intKey, intVars, ivar } from './ints.js';

interface Scope {
  readonly stmts: Stmt[];
  readonly lets: Map<string, Value>;
  readonly ints: Map<string, Int>;
  readonly barrier: boolean;
  /** What the lowering remembers for as long as this scope is open. */
  readonly notes: Map<string, Value>;
}

export class Writer {
  readonly #scopes: Scope[] = [];
  readonly #depth = new Map<string, number>();
  readonly #keys = new Map<Value, string>();
  #counter = 0;
  /** Buffers that the kernel writes, with a version that each store advances: loads of them don't move. */
  readonly #versions = new Map<string, number>();

  constructor(mutable: Iterable<string>, parameters: Iterable<string>) {
    for (const name of mutable) this.#versions.set(name, 0);
    for (const name of parameters) this.#depth.set(name, 0);
    this.#open(false);
  }
  fresh(prefix: string): string {
    return `${prefix}${this.#counter++}`;
  }
  get body(): readonly Stmt[] {
    return (this.#scopes[0] as Scope).stmts;
  }
  get #top(): Scope {
    return this.#scopes.at(-1) as Scope;
  }
  #open(barrier: boolean): void {
    this.#scopes.push({ stmts: [], lets: new Map(), ints: new Map(), barrier, notes: new Map() });
  }

  note(key: string, value: Value): void {
    this.#top.notes.set(key, value);
  }
  noted(key: string): Value | undefined {
    for (let k = this.#scopes.length - 1; k >= 0; k--) {
      const found = (this.#scopes[k] as Scope).notes.get(key);
      if (found) return found;
    }
    return undefined;
  }

  loop(prefix: string, from: Int, to: Int, step: number, options: { lanes?: boolean; parallel?: boolean; unroll?: boolean }, body: (i: Int) => void): void {
    if (from.kind === 'int' && to.kind === 'int' && (step > 0 ? from.value >= to.value : from.value <= to.value)) return;
    const name = this.fresh(prefix);
    this.#open(false);
    this.#depth.set(name, this.#scopes.length - 1);
    body(ivar(name));
    const { stmts } = this.#scopes.pop() as Scope;
    if (stmts.length === 0) return;
    this.#top.stmts.push({ kind: 'for', name, from, to, step, ...(options.lanes ? { lanes: true } : {}), ...(options.parallel ? { parallel: true } : {}), ...(options.unroll ? { unroll: true } : {}), body: stmts });
  }
  branch(cond: Cond, then: () => void, otherwise: () => void): void {
    const arm = (f: () => void): Stmt[] => {
      this.#open(true);
      f();
      return (this.#scopes.pop() as Scope).stmts;
    };
    const versions = new Map(this.#versions);
    const a = arm(then);
    for (const [k, v] of versions) this.#versions.set(k, v);
    const b = arm(otherwise);
    if (a.length + b.length > 0) this.#top.stmts.push({ kind: 'if', cond, then: a, else: b });
    for (const k of this.#versions.keys()) this.#advance(k);
  }
  /** What was read of the group's memory before is not known to hold after. */
  barrier(): void {
    this.#top.stmts.push({ kind: 'barrier' });
    for (const k of this.#versions.keys()) this.#advance(k);
  }
  /** What is read of this memory is known no longer than until the next barrier. */
  mutable(memory: string): void {
    this.#versions.set(memory, 0);
  }
  /** To the group's memory without waiting; `commit` closes a group of copies, `await` waits for all but the last `pending`. */
  copy(memory: string, at: Int, buffer: string, from: Int, width: 1 | 2 | 4 | 8, count?: Int): void {
    this.#top.stmts.push({ kind: 'copy', memory, at, buffer, from, width, ...(count ? { count } : {}) });
  }
  multiply(sums: Extract<Stmt, { kind: 'multiply' }>['sums'], row: Tiles, column: Tiles): void {
    this.#top.stmts.push({ kind: 'multiply', sums, row, column });
  }
  commit(): void {
    this.#top.stmts.push({ kind: 'commit' });
  }
  await(pending: number): void {
    this.#top.stmts.push({ kind: 'await', pending });
  }
  comment(text: string): void {
    this.#top.stmts.push({ kind: 'comment', text });
  }
  /** Names an integer in this scope, unless it has a name already. */
  int(prefix: string, value: Int): Int {
    if (value.kind === 'int' || value.kind === 'ivar') return value;
    const key = intKey(value);
    const known = this.#scopes.findLast((s) => s.ints.has(key))?.ints.get(key);
    if (known) return known;
    const name = this.fresh(prefix);
    this.#top.ints.set(key, ivar(name));
    this.#depth.set(name, this.#scopes.length - 1);
    this.#top.stmts.push({ kind: 'int', name, value });
    return ivar(name);
  }
  /** A mutable register of this scope. */
  variable(prefix: string, value: Value): string {
    const name = this.fresh(prefix);
    this.#depth.set(name, this.#scopes.length - 1);
    this.#top.stmts.push({ kind: 'var', name, value });
    return name;
  }
  set(name: string, value: Value): void {
    this.#top.stmts.push({ kind: 'set', name, value });
  }
  store(buffer: string, at: Int, value: Value, lanes: Extract<Stmt, { kind: 'store' }>['lanes'], { second, where }: Pick<Extract<Stmt, { kind: 'store' }>, 'second' | 'where'> = {}): void {
    this.#top.stmts.push({ kind: 'store', buffer, at, value, lanes, ...(second ? { second } : {}), ...(where ? { where } : {}) });
    this.#advance(buffer);
  }
  #advance(buffer: string): void {
    this.#versions.set(buffer, (this.#versions.get(buffer) ?? 0) + 1);
  }

  /** The value in a register, computed once where it is invariant. */
  let(value: Value): Value {
    if (value.kind === 'number' || value.kind === 'reg' || value.kind === 'lane') return value;
    const key = this.#key(value);
    const here = this.#scopes.length - 1;
    for (let k = here; k >= 0; k--) {
      const found = (this.#scopes[k] as Scope).lets.get(key);
      if (found) return found;
    }
    let barrier = 0;
    for (let k = here; k > 0; k--) if ((this.#scopes[k] as Scope).barrier) { barrier = k; break; }
    const depth = Math.max(this.#depthOf(value), barrier);
    const target = this.#scopes[depth] as Scope;
    const name = this.fresh('v');
    this.#depth.set(name, depth);
    target.stmts.push({ kind: 'let', name, value });
    const reg: Value = { kind: 'reg', name };
    target.lets.set(key, reg);
    return reg;
  }
  #depthOf(value: Value): number {
    let depth = 0;
    const vars = (names: Iterable<string>): void => { for (const n of names) depth = Math.max(depth, this.#depth.get(n) ?? this.#scopes.length - 1); };
    const visit = (v: Value): void => {
      switch (v.kind) {
        case 'number': case 'lane': break;
        case 'reg': depth = Math.max(depth, this.#depth.get(v.name) ?? this.#scopes.length - 1); break;
        case 'load':
          if (this.#versions.has(v.buffer)) depth = this.#scopes.length - 1;
          vars(intVars(v.at));
          if (typeof v.access === 'object') { vars(intVars(v.access.stride)); vars(intVars(v.access.last)); }
          break;
        case 'unary': visit(v.arg); break;
        case 'binary': visit(v.left); visit(v.right); break;
        case 'select': visit(v.cond); visit(v.then); visit(v.else); break;
        case 'decay': visit(v.exponent); visit(v.state); visit(v.plus); break;
        case 'muladd': visit(v.left); visit(v.right); visit(v.plus); break;
        case 'from-int': vars(intVars(v.value)); break;
        case 'from-cond': vars(condVars(v.cond)); break;
        case 'reduce-lanes': visit(v.arg); vars(intVars(v.count)); break;
        case 'lane-of': visit(v.arg); vars(intVars(v.lane)); break;
      }
    };
    visit(value);
    return depth;
  }
  #key(v: Value): string {
    const known = this.#keys.get(v);
    if (known !== undefined && v.kind !== 'load') return known;
    const key = this.#makeKey(v);
    this.#keys.set(v, key);
    return key;
  }
  #makeKey(v: Value): string {
    switch (v.kind) {
      case 'number': return Object.is(v.value, -0) ? '#-0' : `#${v.value}`;
      case 'reg': return v.name;
      case 'lane': return 'lane';
      case 'load': {
        const access = typeof v.access === 'string' ? v.access : `g${intKey(v.access.stride)},${intKey(v.access.last)}`;
        return `${v.buffer}@${this.#versions.get(v.buffer) ?? ''}[${intKey(v.at)}]${access}`;
      }
      case 'unary': return `${v.op}(${this.#key(v.arg)})`;
      case 'binary': return `${v.op}(${this.#key(v.left)},${this.#key(v.right)})`;
      case 'select': return `?(${this.#key(v.cond)},${this.#key(v.then)},${this.#key(v.else)})`;
      case 'muladd': return `fma(${this.#key(v.left)},${this.#key(v.right)},${this.#key(v.plus)})`;
      case 'decay': return `decay(${this.#key(v.exponent)},${this.#key(v.state)},${this.#key(v.plus)})`;
      case 'from-int': return `f(${intKey(v.value)})`;
      case 'from-cond': return `m(${condKey(v.cond)})`;
      case 'reduce-lanes': return `R${v.op}(${this.#key(v.arg)},${intKey(v.count)})`;
      case 'lane-of': return `L(${this.#key(v.arg)},${intKey(v.lane)})`;
    }
  }
}
