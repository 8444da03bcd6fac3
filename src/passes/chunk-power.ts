/**
 * What a whole chunk multiplies its states by, where the transition is known at load: (1 + q)^64 − 1 by squarings in float64, Q ← 2Q + Q·Q. What float32
 * would round of the product of 64 steps is the same in every chunk, so that a long memory would add it up. It is kept in two parts, as transitions are.
 */
import { affineOf, freeIndices, type Builder } from '../ir/builder.js';
import type { Axis, Definition, DefinitionId, Expr, Index } from '../ir/program.js';
import type { Stage, StageGraph } from '../ir/stages.js';
import { chunkStep, type ChunkStep } from './chunk-step.js';
import { CHUNK } from './schedule/limits.js';
import { loadStage } from './load-stage.js';
import { highPart } from './two-parts.js';

export function applyPowers(graph: StageGraph, b: Builder): StageGraph {
  const definitions = [...graph.program.definitions];
  const load: Stage[] = [];
  const stages = graph.stages.map((stage): Stage => {
    const step = stage.strategy?.name === 'chunked' ? chunkStep(stage, graph.program, b) : undefined;
    // Backward, the chunk that is cut short comes first: it has nothing to multiply unless the states begin with something.
    if (step?.kind !== 'chunk-step' || !step.fixed || (stage.order === 'backward' && stage.states.some((s) => s.initial))) return stage;
    const [first] = stage.states;
    const span = (definitions[first?.def ?? 0] as Definition).span;
    const made = new Power(step, step.fixed, (name, indices, body) => {
      const id = definitions.length as DefinitionId;
      const d = { kind: 'equation' as const, id, name: `${stage.name}#${name}`, time: false, indices, type: 'real' as const, span, body };
      definitions.push(d);
      load.push(loadStage(d));
      return id;
    }, b);
    return { ...stage, power: made.power() };
  });
  const first = stages.findIndex((s) => s.phase !== 'load');
  return { ...graph, program: { ...graph.program, definitions }, stages: [...stages.slice(0, first), ...load, ...stages.slice(first)] };
}

class Power {
  readonly #fixed: NonNullable<ChunkStep['fixed']>;
  readonly #define: (name: string, indices: readonly Index[], body: Expr) => DefinitionId;
  readonly #b: Builder;
  readonly #axes: readonly [Axis, Axis];
  /** What the transition depends on. */
  readonly #at: readonly Index[];

  constructor(step: ChunkStep, fixed: NonNullable<ChunkStep['fixed']>, define: (name: string, indices: readonly Index[], body: Expr) => DefinitionId, b: Builder) {
    this.#fixed = fixed;
    this.#define = define;
    this.#b = b;
    const size = step.components.length;
    this.#axes = [{ name: 'row', size }, { name: 'column', size }];
    this.#at = [...new Set(fixed.flatMap(({ value }) => [...freeIndices(value)]))].sort((x, y) => x.id - y.id);
  }
  power(): NonNullable<Stage['power']> {
    const b = this.#b;
    let Q = this.#equation('change', (r, c) => this.#fixed.map(({ row, column, value }) =>
      b.select(b.binary('and', b.binary('eq', b.index(r), b.const(row)), b.binary('eq', b.index(c), b.const(column))), value, b.const(0))).reduce((x, y) => b.binary('add', x, y), b.const(0)));
    for (let steps = 2; steps <= CHUNK; steps *= 2) {
      const before = Q;
      Q = this.#equation(`steps${steps}`, (r, c) => {
        const k = b.newIndex('k', this.#axes[0]);
        const twice = b.binary('mul', b.const(2), this.#read(before, r, c));
        return b.binary('add', twice, b.reduce('sum', k, b.binary('mul', this.#read(before, r, k), this.#read(before, k, c))));
      });
    }
    const high = this.#equation('high', (r, c) => highPart(this.#read(Q, r, c), b));
    return { high, low: this.#equation('low', (r, c) => b.binary('sub', this.#read(Q, r, c), this.#read(high, r, c))), at: this.#at };
  }
  #read(def: DefinitionId, row: Index, column: Index): Expr {
    return this.#b.read(def, 'real', [row, column, ...this.#at].map((i) => affineOf(i)));
  }
  #equation(name: string, body: (row: Index, column: Index) => Expr): DefinitionId {
    const [row, column] = this.#axes.map((a) => this.#b.newIndex(a.name, a)) as [Index, Index];
    return this.#define(name, [row, column, ...this.#at], body(row, column));
  }
}
