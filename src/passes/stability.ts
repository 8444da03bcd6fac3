/**
 * How fast states can grow. For h^m_t = Σ_i T^{mi}_t h^i_{t-1} + f, the largest Σ_i |T^{mi}| bounds the growth of the largest state in a step: at
 * most 1 is non-expansive, proved; below 1 a contraction, whose memory length follows. Sound: intervals over the equations.
 */
import type { Diagnostics } from '../diagnostics/diagnostic.js';
import { dependencies, isNow, type Builder } from '../ir/builder.js';
import { components } from '../ir/components.js';
import type { Definition, DefinitionId, Expr, Index, Program, UnaryOp } from '../ir/program.js';
import { Intervals, type Interval } from './interval.js';
import { isMixture } from './mixture.js';
import { factors } from './pass.js';

export interface StabilityReport {
  /** The states of the recurrence, by name. */
  readonly states: readonly string[];
  readonly bound: number;
  readonly verdict: 'contraction' | 'non-expansive' | 'may-grow' | 'unknown';
  /** Steps until a state is below 1/e of what it was, at least this fast; for contractions. */
  readonly memory?: number;
  /** The step at which float32 overflows, from a state of 1 at the bound's growth. */
  readonly overflowStep?: number;
}

export function stabilityReport(program: Program, b: Builder, diagnostics: Diagnostics, weights?: Pick<ReadonlyMap<string, Interval>, 'get'>, options: { readonly deny?: boolean } = {}): StabilityReport[] {
  const defs = program.definitions;
  const reports: StabilityReport[] = [];
  const intervals = new Intervals(program, weights);
  for (const group of components(defs.map((d) => d.id), (id) => dependencies(defs[id] as Definition))) {
    const first = group[0] as DefinitionId;
    if (group.length === 1 && !dependencies(defs[first] as Definition).has(first)) continue;
    const states = group.map((id) => defs[id] as Definition).filter((d) => d.kind === 'equation' && d.state);
    const gain = new Gain(program, group, intervals, b);
    const bound = Math.max(...states.map((d) => (d.kind === 'equation' ? gain.of(d.body) : 0)));
    const report = verdict(states.map((d) => d.name), bound);
    reports.push(report);
    const d = states[0];
    if (report.verdict !== 'may-grow' || !d) continue;
    const args = { state: report.states.join('`, `'), bound: shown(bound), step: report.overflowStep ?? 0 };
    const notes = [{ text: 'couplings whose weights sum to 1 can\'t grow: `mean`, `softmax`, or `none`' }];
    if (options.deny) diagnostics.error('SSM3201', d.span, args, notes);
    else diagnostics.warning('SSM3201', d.span, args, notes);
  }
  return reports;
}
const shown = (x: number): string => `${Number(x.toPrecision(4))}`;
function verdict(states: readonly string[], bound: number): StabilityReport {
  if (!Number.isFinite(bound)) return { states, bound, verdict: 'unknown' };
  if (bound > 1 + 1e-9) return { states, bound, verdict: 'may-grow', overflowStep: Math.ceil(Math.log(3.4028234663852886e38) / Math.log(bound)) };
  if (bound > 1 - 1e-9) return { states, bound: Math.min(bound, 1), verdict: 'non-expansive' };
  return { states, bound, verdict: 'contraction', memory: bound === 0 ? 1 : Math.ceil((1 - 1e-9) / -Math.log(bound)) };
}

const linear: ReadonlySet<UnaryOp> = new Set<UnaryOp>(['neg', 're', 'im', 'conj', 'abs']);
/** The steepest slope of a function of a real number. */
const slopes: ReadonlyMap<UnaryOp, number> = new Map<UnaryOp, number>([
  ...[...linear, 'relu', 'softplus', 'tanh', 'sin', 'cos'].map((op) => [op as UnaryOp, 1] as const), ['sigmoid', 0.25], ['silu', 1.1], ['gelu', 1.13],
]);

/** Σ |∂e/∂states| over the last step's states; Infinity where nothing is proved. */
class Gain {
  readonly #program: Program;
  readonly #group: ReadonlySet<DefinitionId>;
  readonly #intervals: Intervals;
  readonly #b: Builder;
  readonly #active = new Set<DefinitionId>();
  /** Inside a definition of the last step: the states it reads are the last ones. */
  #past = false;
  constructor(program: Program, group: readonly DefinitionId[], intervals: Intervals, b: Builder) {
    this.#program = program;
    this.#group = new Set(group);
    this.#intervals = intervals;
    this.#b = b;
  }
  of(e: Expr): number {
    switch (e.kind) {
      case 'const': case 'index': return 0;
      case 'read': return this.#read(e);
      case 'unary': {
        const g = this.of(e.arg);
        const steepest = e.arg.type === 'complex' ? (linear.has(e.op) ? 1 : undefined) : slopes.get(e.op);
        return g === 0 ? 0 : steepest === undefined ? Infinity : g * steepest;
      }
      case 'binary': return this.#binary(e);
      case 'power': return this.of(e.base) === 0 ? 0 : Infinity;
      case 'select': return this.of(e.cond) === 0 ? Math.max(this.of(e.then), this.of(e.else)) : Infinity;
      case 'reduce': {
        if (e.over === 'time') return Infinity;
        if (e.op !== 'sum') return this.of(e.body);
        return this.#sum(e.body, e.over);
      }
    }
  }
  #read(e: Extract<Expr, { kind: 'read' }>): number {
    if (!this.#group.has(e.def)) return 0;
    const d = this.#program.definitions[e.def] as Definition;
    const past = e.time !== undefined && (e.time.constant !== 0 || e.time.terms.length > 0);
    if (d.kind === 'equation' && d.state && (past || this.#past)) return 1;
    if (past && !this.#past) {
      // What isn't a state itself is made of the states of its own step.
      this.#past = true;
      const g = this.#read({ ...e, time: { constant: 0, terms: [] } });
      this.#past = false;
      return g;
    }
    if (this.#active.has(e.def) || d.kind !== 'equation') return Infinity;
    this.#active.add(e.def);
    const g = this.of(d.body);
    this.#active.delete(e.def);
    return g;
  }
  #binary(e: Extract<Expr, { kind: 'binary' }>): number {
    const x = this.of(e.left);
    const y = this.of(e.right);
    if (x === 0 && y === 0) return 0;
    switch (e.op) {
      case 'add': case 'sub': case 'complex': return x + y;
      case 'min': case 'max': return Math.max(x, y);
      case 'mul': return x > 0 && y > 0 ? Infinity : x > 0 ? scaled(x, this.#size(e.right)) : scaled(y, this.#size(e.left));
      case 'div': {
        const d = this.#intervals.of(e.right);
        const least = d.low > 0 ? d.low : d.high < 0 ? -d.high : 0;
        return y > 0 || least === 0 ? Infinity : x / least;
      }
      default: return Infinity;
    }
  }
  /** Σ over an axis: a convex mixture keeps the bound, times what stands beside it; else every member counts. */
  #sum(body: Expr, over: Index): number {
    const list = factors(body);
    const [state, ...more] = list.filter((f) => this.of(f) > 0);
    const weights = list.filter((f) => this.of(f) === 0);
    const mixture = (w: readonly Expr[]): boolean => w.length > 0 && isMixture(w, over, this.#program, this.#b);
    if (state && more.length === 0) {
      if (mixture(weights)) return this.of(state);
      const one = weights.find((w) => mixture([w]));
      if (one) return weights.reduce((g, w) => (w === one ? g : scaled(g, this.#size(w))), this.of(state));
    }
    return this.of(body) * over.axis.size;
  }
  /** The largest absolute value. */
  #size(e: Expr): number {
    if (e.type === 'complex') return this.#complexSize(e);
    const a = this.#intervals.of(e);
    return Math.max(Math.abs(a.low), Math.abs(a.high));
  }
  #complexSize(e: Expr): number {
    switch (e.kind) {
      case 'unary': {
        if (e.op === 'neg' || e.op === 'conj') return this.#size(e.arg);
        // |e^z| = e^(Re z)
        const re = e.op === 'exp' ? this.#realPart(e.arg) : undefined;
        return re ? Math.exp(this.#intervals.of(re).high) : Infinity;
      }
      case 'binary': {
        const [x, y] = [this.#size(e.left), this.#size(e.right)];
        switch (e.op) {
          case 'complex': return Math.hypot(x, y);
          case 'mul': return scaled(x, y);
          case 'add': case 'sub': return x + y;
          case 'div': {
            const d = this.#intervals.of(e.right);
            const least = d.low > 0 ? d.low : d.high < 0 ? -d.high : 0;
            return e.right.type === 'complex' || least === 0 ? Infinity : x / least;
          }
          default: return Infinity;
        }
      }
      case 'select': return Math.max(this.#size(e.then), this.#size(e.else));
      case 'reduce': return e.over === 'time' && e.op !== 'mean' && e.op !== 'last' ? Infinity : this.#size(e.body) * (e.op === 'sum' && e.over !== 'time' ? e.over.axis.size : 1);
      case 'read': {
        const d = this.#program.definitions[e.def] as Definition;
        return d.kind === 'equation' && !d.state && !this.#group.has(d.id) ? this.#size(d.body) : Infinity;
      }
      default: return Infinity;
    }
  }
  #realPart(e: Expr): Expr | undefined {
    if (e.type !== 'complex') return e;
    if (e.kind === 'unary' && e.op === 'neg') { const part = this.#realPart(e.arg); return part && this.#b.unary('neg', part); }
    if (e.kind === 'binary' && e.op === 'complex') return e.left;
    if (e.kind === 'binary' && e.op === 'mul') {
      const [real, other] = e.left.type === 'complex' ? [e.right, e.left] : [e.left, e.right];
      const part = real.type === 'complex' ? undefined : this.#realPart(other);
      return part && this.#b.binary('mul', real, part);
    }
    // Read at another step it may be outside the sequence, where it is 0.
    if (e.kind === 'read' && isNow(e.time)) {
      const d = this.#program.definitions[e.def] as Definition;
      return d.kind === 'equation' && !d.state ? this.#realPart(d.body) : undefined;
    }
    return undefined;
  }
}
const scaled = (gain: number, by: number): number => (gain === 0 || by === 0 ? 0 : gain * by);
