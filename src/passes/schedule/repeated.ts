/**
 * Constants that a recurrence multiplies its states by. At each step they are multiplied by again, so what is rounded off one of them is a systematic
 * error, which grows with the memory: of a complex a with |a| = 0.9999, float16 keeps a − 1 to 2^-12 of its size, which turns the state by as much at
 * each of the 10,000 steps that it lasts. What drives a state or reads it out is rounded once, whatever the memory.
 */
import { children, visitExpr } from '../../ir/builder.js';
import type { DefinitionId, Expr, Program } from '../../ir/program.js';
import type { Item, Stage } from '../../ir/stages.js';
import { loadTimeDefinitions } from '../pass.js';

export function repeatedConstants(program: Program, stages: readonly Stage[]): ReadonlySet<DefinitionId> {
  const loaded = loadTimeDefinitions(program);
  const found = new Set<DefinitionId>();
  for (const stage of stages) {
    if (stage.states.length > 0) new Recurrence(stage, loaded, found).collect();
    // What a whole chunk multiplies them by is multiplied by once a chunk.
    if (stage.power) found.add(stage.power.high).add(stage.power.low);
  }
  return found;
}

class Recurrence {
  readonly #loaded: ReadonlySet<DefinitionId>;
  readonly #found: Set<DefinitionId>;
  readonly #items: ReadonlyMap<DefinitionId, Item>;
  readonly #states: ReadonlySet<DefinitionId>;
  readonly #known = new Map<Expr, boolean>();
  readonly #seen = new Set<Expr>();

  constructor(stage: Stage, loaded: ReadonlySet<DefinitionId>, found: Set<DefinitionId>) {
    this.#loaded = loaded;
    this.#found = found;
    this.#items = new Map(stage.items.map((i) => [i.def, i]));
    this.#states = new Set(stage.states.map((s) => s.def));
  }
  /** In what states become; not in what is only made of them. */
  collect(): void {
    for (const id of this.#states) {
      const item = this.#items.get(id);
      if (item) this.#visit(item.body);
    }
  }
  #isPast(e: Expr): boolean {
    return e.kind === 'read' && this.#states.has(e.def) && e.time !== undefined && (e.time.constant !== 0 || e.time.terms.length > 0);
  }
  /** The item of this step that is read. */
  #now(e: Expr): Item | undefined {
    return e.kind === 'read' && !this.#isPast(e) ? this.#items.get(e.def) : undefined;
  }
  /** It has something of an earlier state. */
  #hasState(e: Expr): boolean {
    const known = this.#known.get(e);
    if (known !== undefined) return known;
    this.#known.set(e, false);
    const item = this.#now(e);
    const has = this.#isPast(e) || (item !== undefined && this.#hasState(item.body)) || children(e).some((x) => this.#hasState(x));
    this.#known.set(e, has);
    return has;
  }
  #visit(e: Expr): void {
    if (!this.#hasState(e) || this.#seen.has(e)) return;
    this.#seen.add(e);
    const item = this.#now(e);
    if (item) this.#visit(item.body);
    for (const x of children(e)) this.#visit(x);
    if (e.kind === 'binary' && (e.op === 'mul' || e.op === 'div')) for (const x of [e.left, e.right]) if (!this.#hasState(x)) this.#take(x);
  }
  /** All constants of a factor, through what this stage computes of them. */
  #take(factor: Expr): void {
    visitExpr(factor, (x) => {
      if (x.kind !== 'read') return;
      if (this.#loaded.has(x.def)) this.#found.add(x.def);
      const item = this.#items.get(x.def);
      if (item && !this.#seen.has(item.body)) {
        this.#seen.add(item.body);
        this.#take(item.body);
      }
    });
  }
}
