/**
 * Transitions known at load, in two numbers each. What a coefficient loses in float32 is the same at every step, so a state that remembers 10,000 steps
 * adds it up 10,000 times: near the unit circle, and far from 1, it is the largest error of a scan. K·s becomes H·s + L·s, H what 11 bits
 * hold of K and L the rest. H is that short so that L is well above what rounding H·s leaves behind: a smaller L would be rounded away at each step where
 * nothing else is added, and its digits with it.
 *
 * A slight K is L's alone. Beside a product of a state's own size, H·s of a few units of that product's last place would be rounded to whole ones, to the same
 * ones at each step: turns by a quarter, whose cosine float32 leaves at 4e-8, were the worst. L·s is added to the drive first, and of a slight K float32 keeps enough.
 *
 * A state that goes on from itself, s' = s + (q·s + …), goes on from c·s instead, c the nearest of 1, 0 and −1 to 1 + q: s' = c·s + ((q + 1 − c)·s + …), lest
 * sums of twice the state's size be rounded. All of it is exact in real arithmetic.
 *
 * Left as they are: coefficients that float32 holds, decays proved positive in increment form, whose rounding is relative to how fast
 * they forget, and sums over states beside the state itself: what a spec writes as a small change is one.
 */
import { affineOf, dependencies, freeIndices, substitute, type Builder } from '../ir/builder.js';
import { components } from '../ir/components.js';
import type { Definition, DefinitionId, DefinitionOf, Expr, ExprOf, Index, Program } from '../ir/program.js';
import { Intervals } from './interval.js';
import { factors, isLoadTime, loadTimeDefinitions, product, type Pass } from './pass.js';

type Equation = DefinitionOf<'equation'>;

export const twoParts: Pass = {
  name: 'two-parts',
  why: 'a transition known at load keeps what float32 would lose of it at every step',
  run(program: Program, b: Builder): Program {
    const split = new Splitter(program, b);
    for (const d of program.definitions) if (d.kind === 'equation' && d.state && d.type === 'real') split.equation(d);
    return { ...program, definitions: split.definitions };
  },
};

/** K·s, or a sum of such over indices of s, as what H and what L contribute. */
interface Parts {
  readonly high: Expr;
  readonly low: Expr | undefined;
}
interface Term {
  readonly e: Expr;
  readonly negative: boolean;
}
/** What becomes of K·s. */
type Make = (K: Expr, state: Expr) => Parts;

class Splitter {
  readonly definitions: Definition[];
  readonly #program: Program;
  readonly #b: Builder;
  readonly #loaded: ReadonlySet<DefinitionId>;
  readonly #intervals: Intervals;
  readonly #group = new Map<DefinitionId, ReadonlySet<DefinitionId>>();
  /** Real and imaginary parts of a state have the same coefficients: by what they are over indices that stand for any. */
  readonly #made = new Map<Expr, DefinitionId>();
  readonly #standIns = new Map<Index['axis'], Index[]>();

  constructor(program: Program, b: Builder) {
    this.definitions = [...program.definitions];
    this.#program = program;
    this.#b = b;
    this.#loaded = loadTimeDefinitions(program);
    this.#intervals = new Intervals(program);
    const groups = components(program.definitions.map((d) => d.id), (id) => dependencies(program.definitions[id] as Definition));
    for (const group of groups) for (const id of group) this.#group.set(id, new Set(group));
  }
  equation(d: Equation): void {
    const terms = summands(d.body);
    const unit = terms.find((t) => !t.negative && this.#isOwn(t.e, d));
    let inexact = false;
    const probe: Make = (K, state) => { inexact ||= !this.#isExact(K); return { high: state, low: undefined }; };
    const linear = terms.filter((t) => t !== unit && !(unit && t.e.kind === 'reduce') && this.#parts(t.e, d, probe) !== undefined);
    const own = linear.find((t) => factors(t.e).some((f) => this.#isOwn(f, d)));
    if (!inexact || (unit && linear.length === 1 && own && this.#intervals.of(this.#coefficient(own)).low >= -1)) return;
    const rest = terms.filter((t) => t !== unit && !linear.includes(t));
    const bases: Term[] = unit ? [unit] : [];
    const highs: Term[] = [];
    const lows: Term[] = [];
    const take = ({ high, low }: Parts, negative: boolean): void => {
      highs.push({ e: high, negative });
      if (low) lows.push({ e: low, negative });
    };
    for (const t of linear) {
      if (unit && t === own) take(this.#centred(d, this.#coefficient(t), unit.e, (c) => { bases[0] = { e: c, negative: false }; }), false);
      else take(this.#parts(t.e, d, (K, state) => this.#split(d, K, state)) as Parts, t.negative);
    }
    // From the smallest to the largest, as increments are added: what L gives with the drive, then what H gives, then the state.
    const sums = [bases, highs, lows, rest].flatMap((list) => this.#sum(list) ?? []);
    this.definitions[d.id] = { ...d, body: sums.reduceRight((x, y) => this.#b.binary('add', y, x)) };
  }
  /** s + q·s as c·s + (q + 1 − c)·s: the second is returned. */
  #centred(d: Equation, K: Expr, state: Expr, base: (e: Expr) => void): Parts {
    const b = this.#b;
    const q = this.#define(d, 'change', K);
    const centre = this.#define(d, 'centre', b.select(b.binary('lt', q, b.const(-1.5)), b.const(-1), b.select(b.binary('lt', q, b.const(-0.5)), b.const(0), b.const(1))));
    base(b.binary('mul', centre, state));
    return this.#split(d, b.binary('add', q, b.binary('sub', b.const(1), centre)), state);
  }
  #coefficient(t: Term): Expr {
    const K = this.#known(t.e);
    return t.negative ? this.#b.unary('neg', K) : K;
  }
  #sum(terms: readonly Term[]): Expr | undefined {
    const b = this.#b;
    const [first, ...others] = terms.toSorted((x, y) => Number(x.negative) - Number(y.negative));
    return first && others.reduce((sum, t) => b.binary(t.negative ? 'sub' : 'add', sum, t.e), first.negative ? b.unary('neg', first.e) : first.e);
  }
  #isOwn(e: Expr, d: Equation): e is ExprOf<'read'> {
    return e.kind === 'read' && e.def === d.id && Math.abs(e.time?.constant ?? 0) === 1 && this.#isHere(e, d);
  }
  /** Element for element: the indices of the equation's own. */
  #isHere(e: ExprOf<'read'>, d: Equation): boolean {
    return e.at.length === d.indices.length && e.at.every((a, k) => a.constant === 0 && a.terms.length === 1 && a.terms[0]?.coefficient === 1 && a.terms[0].index === d.indices[k]);
  }
  /** Of known·e; undefined where e isn't a sum of states of the recurrence through coefficients known at load. */
  #parts(e: Expr, d: Equation, make: Make, known: Expr = this.#b.const(1)): Parts | undefined {
    const b = this.#b;
    switch (e.kind) {
      case 'binary': {
        if (e.op === 'mul') {
          const [other, ...more] = factors(e).filter((f) => !isLoadTime(f, this.#loaded));
          return other && more.length === 0 ? this.#parts(other, d, make, times(known, this.#known(e), b)) : undefined;
        }
        if (e.op !== 'add' && e.op !== 'sub') return undefined;
        const left = this.#parts(e.left, d, make, known);
        const right = this.#parts(e.right, d, make, known);
        if (!left || !right) return undefined;
        const second = right.low && e.op === 'sub' && !left.low ? b.unary('neg', right.low) : right.low;
        return { high: b.binary(e.op, left.high, right.high), low: left.low && second ? b.binary(e.op, left.low, second) : (left.low ?? second) };
      }
      case 'unary': {
        const inside = e.op === 'neg' ? this.#parts(e.arg, d, make, known) : undefined;
        return inside && { high: b.unary('neg', inside.high), low: inside.low && b.unary('neg', inside.low) };
      }
      case 'reduce': {
        if (e.op !== 'sum' || e.over === 'time') return undefined;
        const { over } = e;
        const inside = this.#parts(e.body, d, make, known);
        return inside && { high: b.reduce('sum', over, inside.high), low: inside.low && b.reduce('sum', over, inside.low) };
      }
      case 'read': return this.#isState(e, d) ? make(known, e) : undefined;
      default: return undefined;
    }
  }
  #isState(e: Expr, d: Equation): boolean {
    const other = e.kind === 'read' ? this.#program.definitions[e.def] : undefined;
    return other?.kind === 'equation' && other.state !== undefined && this.#group.get(d.id)?.has(other.id) === true;
  }
  #known(e: Expr): Expr {
    return product(this.#b, factors(e).filter((f) => isLoadTime(f, this.#loaded)));
  }
  #split(d: Equation, K: Expr, state: Expr): Parts {
    const b = this.#b;
    if (this.#isExact(K)) return { high: times(K, state, b), low: undefined };
    const whole = this.#define(d, 'whole', K);
    const H = this.#define(d, 'high', highPart(whole, b));
    return { high: times(H, state, b), low: times(this.#define(d, 'low', b.binary('sub', whole, H)), state, b) };
  }
  /** float32 holds it, a stored weight or one of numbers that it holds; or it is the rest of one that it doesn't. */
  #isExact(e: Expr): boolean {
    switch (e.kind) {
      case 'const': return Math.fround(e.value) === e.value;
      case 'read': {
        const d = this.#program.definitions[e.def];
        return d?.kind === 'param' || (d?.kind === 'equation' && this.#isExact(d.body));
      }
      case 'unary': return e.op === 'neg' && this.#isExact(e.arg);
      case 'select': return this.#isExact(e.then) && this.#isExact(e.else);
      case 'binary': return isRounded(e) || (e.op === 'sub' && e.right.kind === 'read' && this.#isHigh(e.right.def));
      default: return false;
    }
  }
  #isHigh(id: DefinitionId): boolean {
    const d = this.definitions[id];
    return d?.kind === 'equation' && d.body.kind === 'select' && isRounded(d.body.else);
  }
  /** A definition of what is known at load, over the indices that it depends on. */
  #define(d: Equation, suffix: string, e: Expr): Expr {
    const b = this.#b;
    if (e.kind === 'read' || e.kind === 'const') return e;
    const free = [...freeIndices(e)].sort((x, y) => x.id - y.id);
    const over = (own: readonly Index[]): Expr => {
      const image = new Map<Index, Index>(free.map((i, k) => [i, own[k] as Index]));
      return substitute(b, e, (i) => { const x = image.get(i); return x && affineOf(x); });
    };
    const key = over(free.map((i, k) => this.#standIn(i, free.slice(0, k).filter((x) => x.axis === i.axis).length)));
    let id = this.#made.get(key);
    if (id === undefined) {
      id = this.definitions.length as DefinitionId;
      const own = free.map((i) => b.newIndex(i.name, i.axis, i.governor));
      const name = `${d.name}#${suffix}`;
      const count = this.definitions.filter((x) => x.name.startsWith(name)).length;
      this.definitions.push({ kind: 'equation', id, name: count === 0 ? name : `${name}${count + 1}`, time: false, indices: own, type: 'real', span: d.span, body: over(own) });
      this.#made.set(key, id);
    }
    return b.read(id, 'real', free.map((i) => affineOf(i)));
  }
  #standIn(i: Index, nth: number): Index {
    const known = this.#standIns.get(i.axis) ?? [];
    this.#standIns.set(i.axis, known);
    return (known[nth] ??= this.#b.newIndex(i.name, i.axis, i.governor));
  }
}

function times(x: Expr, y: Expr, b: Builder): Expr {
  if (x.kind === 'const' && x.value === 1) return y;
  return y.kind === 'const' && y.value === 1 ? x : b.binary('mul', x, y);
}
const FAR = 2 ** 42 + 1;
/** 64 units of where the product of a state with a coefficient near 1 is rounded. */
const SLIGHT = 2 ** -18;
/** H of x: 11 bits of it, in float64 (Veltkamp 1968); nothing of what is slight. */
export function highPart(x: Expr, b: Builder): Expr {
  const far = b.binary('mul', b.const(FAR), x);
  return b.select(b.binary('lt', b.unary('abs', x), b.const(SLIGHT)), b.const(0), b.binary('sub', far, b.binary('sub', far, x)));
}
function isRounded(e: Expr): boolean {
  return e.kind === 'binary' && e.op === 'sub' && e.left.kind === 'binary' && e.left.op === 'mul' && e.left.left.kind === 'const' && e.left.left.value === FAR;
}
function summands(e: Expr, negative = false): Term[] {
  if (e.kind === 'binary' && (e.op === 'add' || e.op === 'sub')) return [...summands(e.left, negative), ...summands(e.right, e.op === 'sub' ? !negative : negative)];
  return e.kind === 'unary' && e.op === 'neg' ? summands(e.arg, !negative) : [{ e, negative }];
}
