/**
 * A recurrence that is run as a convolution: its coefficients become load-time definitions; its signals, and what is stored of its readouts, stay
 * expressions, for its kernels to compute. The stage itself stays too: it is how a stream, and what lies beyond the kernels' length, is run.
 */
import { affineConstant, affineOf, freeIndices, substitute, type Builder } from '../../ir/builder.js';
import type { Definition, DefinitionId, Expr, Index, Program } from '../../ir/program.js';
import type { Coefficient, Convolved, Item, Placed, Stage, StageGraph } from '../../ir/stages.js';
import { loadStage } from '../load-stage.js';
import type { Convolution, Entry } from './recognise.js';

export function applyConvolutions(graph: StageGraph, chosen: ReadonlyMap<Stage, Convolution>, length: number, b: Builder): StageGraph {
  const definitions = [...graph.program.definitions];
  const load: Stage[] = [];
  const stages = graph.stages.map((stage): Stage => {
    const convolution = chosen.get(stage);
    if (!convolution) return stage;
    const made = new Application(stage, convolution, { ...graph.program, definitions }, b).run(length, graph.wholeSequence !== undefined);
    definitions.push(...made.definitions);
    load.push(...made.load);
    return { ...stage, convolved: made.convolved };
  });
  // What is known at load comes before all steps.
  const first = stages.findIndex((s) => s.phase !== 'load');
  return { ...graph, program: { ...graph.program, definitions }, stages: [...stages.slice(0, first), ...load, ...stages.slice(first)] };
}

class Application {
  readonly #stage: Stage;
  readonly #convolution: Convolution;
  readonly #program: Program;
  readonly #b: Builder;
  readonly #definitions: Definition[] = [];
  readonly #load: Stage[] = [];

  constructor(stage: Stage, convolution: Convolution, program: Program, b: Builder) {
    this.#stage = stage;
    this.#convolution = convolution;
    this.#program = program;
    this.#b = b;
  }
  run(length: number, whole: boolean): { definitions: readonly Definition[]; load: readonly Stage[]; convolved: Convolved } {
    const c = this.#convolution;
    const { domain, name } = this.#stage;
    const readouts = c.readouts.map(({ e, own }, k) => ({ def: this.#define(`${name}#readout${k}`, [...own, ...domain], e, true).def, own }));
    const bodies = this.#bodies(readouts.map((r) => r.def));
    const all = (what: string, list: readonly Entry[]): Coefficient[] => list.map(({ row, column, value }) => ({ row, column, ...this.#coefficient(`${name}#${what}.${row}.${column}`, value) }));
    const convolved: Convolved = {
      length, whole, backward: this.#stage.order === 'backward', domain, elementwise: c.elementwise, sources: c.sources, readouts,
      items: this.#stage.items.filter((i) => this.#stage.stored.has(i.def)).map((i) => ({ ...i, body: bodies.get(i.def) as Expr })),
      slots: c.slots.map(({ mixing }, k) => ({ mixing, columns: c.columns[k] as readonly Index[] })),
      transition: all('transition', c.transition), initial: all('initial', c.initial), drive: all('drive', c.drive), readout: all('out', c.readout), through: all('through', c.through),
    };
    return { definitions: this.#definitions, load: this.#load, convolved };
  }
  /** A new definition over copies of these indices. */
  #define(name: string, indices: readonly Index[], body: Expr, time: boolean): Placed {
    const b = this.#b;
    const own = indices.map((i) => b.newIndex(i.name, i.axis));
    const image = new Map(indices.map((i, k) => [i, own[k] as Index]));
    const id = (this.#program.definitions.length + this.#definitions.length) as DefinitionId;
    this.#definitions.push({
      kind: 'equation', id, name, time, indices: own, type: 'real', span: this.#span(), body: substitute(b, body, (i) => { const x = image.get(i); return x && affineOf(x); }),
    });
    return { def: id, at: indices };
  }
  #span(): Definition['span'] {
    const [first] = this.#stage.items;
    return (this.#program.definitions[(first as Item).def] as Definition).span;
  }
  /** Over the indices that it depends on: a transition that all channels share is kept once. */
  #coefficient(name: string, value: Expr): Placed {
    const free = [...freeIndices(value)].sort((x, y) => x.id - y.id);
    const placed = this.#define(name, free, value, false);
    this.#load.push(loadStage(this.#definitions.at(-1) as Extract<Definition, { kind: 'equation' }>));
    return placed;
  }
  /** What the stage stores, from the readouts. */
  #bodies(readouts: readonly DefinitionId[]): ReadonlyMap<DefinitionId, Expr> {
    const b = this.#b;
    return this.#convolution.epilogue((k, own) => b.read(readouts[k] as DefinitionId, 'real', [...own, ...this.#stage.domain.map((i) => affineOf(i))], affineConstant(0)));
  }
}
