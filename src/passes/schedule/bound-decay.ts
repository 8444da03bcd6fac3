/**
 * A decay 2^x is clamped below, where exponents would wrap: an operation in twenty of a scan. In a loop over states x = v·A[k], v known
 * before it and A constant, so |v|·max|A| bounds all of them: the largest |A| is found once, before the loop over steps, and a step whose
 * bound is small runs the same loop without clamps. Both loops give the same bits: a clamp that doesn't bind is the identity.
 */
import type { Cond, Kernel, Stmt, Value } from '../../ir/kernel.js';
import { mapStmts } from '../../ir/map-kernel.js';
import { intVars } from './ints.js';

type For = Extract<Stmt, { kind: 'for' }>;
type Load = Extract<Value, { kind: 'load' }>;
/** A loop being walked through, and what is to stand at the start of its body. */
interface Frame {
  readonly name?: string;
  readonly before: Stmt[];
}
/** Exponents v·A[k] of one v and one A. */
interface Product {
  readonly varying: Value;
  readonly constant: Load;
}

/** 2^x is a normal number for x ≥ −126. */
const LEAST = 126;
/** A loop of fewer rounds saves less than the test costs. */
const ROUNDS = 8;

export function boundDecay(kernel: Kernel): Kernel {
  if (kernel.precision === 'f64') return kernel;
  const constants = new Set(kernel.parameters.flatMap((p) => (p.kind === 'buffer' && p.access === 'read' ? [p.name] : [])));
  const root: Frame = { before: [] };
  const body = new Walk(constants).list(kernel.body, [root]);
  return { ...kernel, body: [...root.before, ...body] };
}

class Walk {
  readonly #constants: ReadonlySet<string>;
  #count = 0;

  constructor(constants: ReadonlySet<string>) {
    this.#constants = constants;
  }
  list(stmts: readonly Stmt[], frames: readonly Frame[]): Stmt[] {
    return stmts.flatMap((s) => this.#stmt(s, frames));
  }
  #stmt(s: Stmt, frames: readonly Frame[]): Stmt[] {
    if (s.kind === 'if') return [{ ...s, then: this.list(s.then, frames), else: this.list(s.else, frames) }];
    if (s.kind !== 'for') return [s];
    const bounded = this.#bounded(s, frames);
    if (bounded) return bounded;
    const frame: Frame = { name: s.name, before: [] };
    const body = this.list(s.body, [...frames, frame]);
    return [{ ...s, body: [...frame.before, ...body] }];
  }
  #bounded(loop: For, frames: readonly Frame[]): Stmt[] | undefined {
    const products = productsOf(loop, this.#constants);
    if (!products || products.length === 0) return undefined;
    const used = new Set(products.flatMap((p) => [...intVars(p.constant.at)]));
    used.delete(loop.name);
    const home = frames.findLastIndex((f) => f.name !== undefined && used.has(f.name));
    const place = frames[Math.max(home, 0)] as Frame;
    const known = new Set(frames.slice(0, home + 1).map((f) => f.name));
    // Only loops' own variables and parameters are known there; and it must be outside of a loop that repeats this one.
    if ([...used].some((name) => !known.has(name) && !name.startsWith('$')) || home >= frames.length - 1) return undefined;
    const conditions = products.map((p): Value => ({
      kind: 'binary', op: 'le', right: { kind: 'number', value: LEAST },
      left: { kind: 'binary', op: 'mul', left: { kind: 'unary', op: 'abs', arg: p.varying }, right: { kind: 'reg', name: this.#largest(p.constant, loop, place) } },
    }));
    const cond: Cond = { kind: 'all', mask: conditions.reduce((left, right) => ({ kind: 'binary', op: 'and', left, right })) };
    const free = mapStmts([loop], { value: (v) => (v.kind === 'decay' ? { ...v, bounded: true } : undefined) });
    return [{ kind: 'if', cond, then: free, else: [loop] }];
  }
  /** A register of max |A[k]| over the loop. */
  #largest(load: Load, loop: For, place: Frame): string {
    const name = `largest${this.#count++}`;
    const magnitude: Value = { kind: 'unary', op: 'abs', arg: load };
    place.before.push(
      { kind: 'var', name, value: { kind: 'number', value: 0 } },
      { ...loop, body: [{ kind: 'set', name, value: { kind: 'binary', op: 'max', left: { kind: 'reg', name }, right: magnitude } }] },
    );
    return name;
  }
}

/** The exponents of a loop's decays; undefined where one is not such a product, or where the loop holds other loops. */
function productsOf(loop: For, constants: ReadonlySet<string>): readonly Product[] | undefined {
  const own = new Map<string, Value | undefined>();
  const found = new Map<string, Product>();
  let all = true;
  const resolve = (v: Value): Value | undefined => (v.kind === 'reg' && own.has(v.name) ? own.get(v.name) : v);
  const outside = (v: Value): boolean => v.kind === 'reg' && !own.has(v.name);
  const isConstant = (v: Value | undefined): v is Load => v?.kind === 'load' && constants.has(v.buffer) && typeof v.access !== 'object';
  const note = (v: Value): undefined => {
    if (v.kind !== 'decay') return undefined;
    const x = resolve(v.exponent);
    if (x?.kind !== 'binary' || x.op !== 'mul') { all = false; return undefined; }
    const [varying, constant] = outside(x.left) ? [x.left, resolve(x.right)] : [x.right, resolve(x.left)];
    if (!outside(varying) || !isConstant(constant)) { all = false; return undefined; }
    found.set(JSON.stringify([varying, constant]), { varying, constant });
    return undefined;
  };
  if (loop.lanes === true || loop.from.kind !== 'int' || loop.to.kind !== 'int' || (loop.to.value - loop.from.value) / loop.step < ROUNDS) return undefined;
  for (const s of loop.body) {
    if (s.kind === 'for' || s.kind === 'if' || s.kind === 'int') return undefined;
    mapStmts([s], { value: note });
    if (s.kind === 'let') own.set(s.name, s.value);
    else if (s.kind === 'var' || s.kind === 'set') own.set(s.name, undefined);
  }
  return all ? [...found.values()] : undefined;
}
