/**
 * Integers of a kernel over ranges of the variables that they depend on: what a condition or a bound is for many threads, or many rounds
 * of a loop, at once. Where it isn't the same for all, it is known on which variables that hangs.
 */
import type { Cond, Int } from '../ir/kernel.js';

export interface Range {
  readonly low: number;
  readonly high: number;
  /** Variables whose value inside their own range makes the difference between low and high; none where these are equal. */
  readonly on: ReadonlySet<string>;
}
export type Env = ReadonlyMap<string, Range>;

/** A condition or bound that isn't the same throughout: whoever gave one of these variables a range has to divide it. */
export class Undecided {
  readonly on: ReadonlySet<string>;
  constructor(on: ReadonlySet<string>) {
    this.on = on;
  }
}

const NONE: ReadonlySet<string> = new Set();
export const point = (value: number): Range => ({ low: value, high: value, on: NONE });

function range(low: number, high: number, of: readonly Range[]): Range {
  return low === high ? point(low) : { low, high, on: new Set(of.flatMap((r) => [...r.on])) };
}

/** `steps`: what the one integer buffer holds, the lengths of the sequences. */
export function rangeOf(e: Int, env: Env, steps: number): Range {
  const go = (x: Int): Range => rangeOf(x, env, steps);
  switch (e.kind) {
    case 'int': return point(e.value);
    case 'ivar': {
      const known = env.get(e.name);
      if (!known) throw new Error(`the kernel reads ${e.name}, which nothing sets`);
      return known;
    }
    case 'iadd': {
      const terms = e.terms.map(go);
      return range(terms.reduce((n, t) => n + t.low, 0), terms.reduce((n, t) => n + t.high, 0), terms);
    }
    case 'imul': return e.factors.map(go).reduce((a, b) => {
      const corners = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high];
      return range(Math.min(...corners), Math.max(...corners), [a, b]);
    }, point(1));
    case 'imin': case 'imax': {
      const [a, b] = [go(e.left), go(e.right)];
      const f = e.kind === 'imin' ? Math.min : Math.max;
      return range(f(a.low, b.low), f(a.high, b.high), [a, b]);
    }
    case 'idiv': {
      const a = go(e.left);
      return range(Math.floor(a.low / e.by), Math.floor(a.high / e.by), [a]);
    }
    case 'imod': {
      const a = go(e.left);
      const first = e.by * Math.floor(a.low / e.by);
      return a.high < first + e.by ? range(a.low - first, a.high - first, [a]) : range(0, e.by - 1, [a]);
    }
    case 'iselect': {
      const holds = truth(e.cond, env, steps);
      if (typeof holds === 'boolean') return go(holds ? e.then : e.else);
      const [a, b] = [go(e.then), go(e.else)];
      return range(Math.min(a.low, b.low), Math.max(a.high, b.high), [a, b, { low: 0, high: 1, on: holds }]);
    }
    case 'iload': return point(steps);
  }
}
/** The value of what must be one number. @throws Undecided */
export function numberOf(e: Int, env: Env, steps: number): number {
  const r = rangeOf(e, env, steps);
  if (r.low !== r.high) throw new Undecided(r.on);
  return r.low;
}
/** @throws Undecided */
export function decide(c: Cond, env: Env, steps: number): boolean {
  const holds = truth(c, env, steps);
  if (typeof holds !== 'boolean') throw new Undecided(holds);
  return holds;
}
/** Or the variables on which it hangs. */
function truth(c: Cond, env: Env, steps: number): boolean | ReadonlySet<string> {
  // What masks guard is the common case: every lane passes.
  if (c.kind === 'all') return !c.rare;
  if (c.kind !== 'icompare') {
    const [a, b] = [truth(c.left, env, steps), truth(c.right, env, steps)];
    const settles = c.kind === 'ior';
    if (a === settles || b === settles) return settles;
    const open = [a, b].filter((x) => typeof x !== 'boolean');
    return open.length === 0 ? !settles : new Set(open.flatMap((x) => [...x]));
  }
  const [a, b] = [rangeOf(c.left, env, steps), rangeOf(c.right, env, steps)];
  const open = (): ReadonlySet<string> => new Set([...a.on, ...b.on]);
  const one = a.low === a.high && b.low === b.high;
  switch (c.op) {
    case 'lt': return a.high < b.low ? true : a.low >= b.high ? false : open();
    case 'le': return a.high <= b.low ? true : a.low > b.high ? false : open();
    case 'eq': case 'ne': {
      const apart = a.high < b.low || b.high < a.low;
      return one || apart ? (one && a.low === b.low) === (c.op === 'eq') : open();
    }
  }
}
