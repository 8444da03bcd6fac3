/**
 * A recurrence that is run as a convolution: its coefficients become load-time definitions, its signals and readouts definitions of the steps, and
 * what reads the states a pointwise stage after it. The stage itself stays: it is how a stream, and what lies beyond the kernels' length, is run.
 */
import { affineConstant, affineOf, freeIndices, plainIndex, reads, substitute, type Builder } from '../../ir/builder.js';
import type { Definition, DefinitionId, Expr, ExprOf, Index, Program } from '../../ir/program.js';
import type { Coefficient, Convolved, Item, Placed, Stage, StageGraph } from '../../ir/stages.js';
import type { Convolution, Entry } from './recognise.js';

export function applyConvolutions(graph: StageGraph, chosen: ReadonlyMap<Stage, Convolution>, length: number, b: Builder): StageGraph {
  const definitions = [...graph.program.definitions];
  const load: Stage[] = [];
  const stages = graph.stages.flatMap((stage): Stage[] => {
    const convolution = chosen.get(stage);
    if (!convolution) return [stage];
    const made = new Application(stage, convolution, { ...graph.program, definitions }, b).run(length);
    definitions.push(...made.definitions);
    load.push(...made.load);
    return made.stages;
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
  run(length: number): { definitions: readonly Definition[]; load: readonly Stage[]; stages: Stage[] } {
    const c = this.#convolution;
    const { domain } = this.#stage;
    const before: Stage[] = [];
    const sources = c.sources.map(({ x, own }, k) => ({ ...(this.#readAsIs(x, own) ?? this.#signal(x, own, k, before)), own }));
    const defined = c.readouts.map(({ e, own }, k) => ({ ...this.#define(`${this.#stage.name}#readout${k}`, [...own, ...domain], e, true), own }));
    const bodies = this.#bodies(defined);
    const stored = this.#stage.items.filter((i) => this.#stage.stored.has(i.def));
    const plain = new Map(defined.map((r) => [r, stored.find((i) => this.#isJust(r, i, bodies))]));
    const readouts = defined.map((r) => { const item = plain.get(r); return item ? this.#asItem(r, item, bodies) : r; });
    const rest = stored.filter((i) => ![...plain.values()].includes(i)).map((i) => ({ ...i, body: bodies.get(i.def) as Expr }));
    const all = (what: string, list: readonly Entry[]): Coefficient[] => list.map(({ row, column, value }) => ({ row, column, ...this.#coefficient(`${this.#stage.name}#${what}.${row}.${column}`, value) }));
    const convolved: Convolved = {
      length, domain, elementwise: c.elementwise, sources, readouts,
      slots: c.slots.map(({ mixing }, k) => ({ mixing, columns: c.columns[k] as readonly Index[] })),
      transition: all('transition', c.transition), drive: all('drive', c.drive), readout: all('out', c.readout), through: all('through', c.through),
    };
    return { definitions: this.#definitions, load: this.#load, stages: [...before, { ...this.#stage, convolved }, ...(rest.length > 0 ? [this.#epilogue(rest)] : [])] };
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
  #flat(placed: Placed, phase: 'load' | 'step'): Stage {
    const d = this.#definitions.find((x) => x.id === placed.def) as Extract<Definition, { kind: 'equation' }>;
    return {
      name: d.name, anchor: 'pointwise', phase, order: 'flat', domain: d.indices,
      items: [{ def: d.id, indices: d.indices, inner: [], body: d.body }], stored: new Set([d.id]), states: [], accumulators: [],
    };
  }
  /** Over the indices that it depends on: a transition that all channels share is kept once. */
  #coefficient(name: string, value: Expr): Placed {
    const free = [...freeIndices(value)].sort((x, y) => x.id - y.id);
    const placed = this.#define(name, free, value, false);
    this.#load.push(this.#flat(placed, 'load'));
    return placed;
  }
  /** A signal that is an element of something stored, its last index that of the lanes, is read from there. */
  #readAsIs(x: Expr, own: readonly Index[]): Placed | undefined {
    if (x.kind !== 'read' || x.time?.constant !== 0 || x.time.terms.length > 0) return undefined;
    const at = x.at.map(plainIndex);
    const indices = at.filter((i): i is Index => i !== undefined && (own.includes(i) || this.#stage.domain.includes(i)));
    const lane = this.#stage.domain.at(-1);
    const fits = indices.length === at.length && new Set(indices).size === at.length && (!lane || !indices.includes(lane) || indices.at(-1) === lane);
    return fits ? { def: x.def, at: indices } : undefined;
  }
  #signal(x: Expr, own: readonly Index[], k: number, before: Stage[]): Placed {
    const free = this.#stage.domain.filter((i) => freeIndices(x).has(i));
    const placed = this.#define(`${this.#stage.name}#signal${k}`, [...own, ...free], x, true);
    before.push({ ...this.#flat(placed, 'step'), serves: this.#stage.name });
    return placed;
  }
  /** What the stage stores, from the readouts. */
  #bodies(readouts: readonly Placed[]): ReadonlyMap<DefinitionId, Expr> {
    const b = this.#b;
    return this.#convolution.epilogue((k, own) => b.read((readouts[k] as Placed).def, 'real', [...own, ...this.#stage.domain.map((i) => affineOf(i))], affineConstant(0)));
  }
  /** The item is this readout, element for element, its last index that of the lanes, and no other item reads it. */
  #isJust(r: Placed & { readonly own: readonly Index[] }, item: Item, bodies: ReadonlyMap<DefinitionId, Expr>): boolean {
    const body = bodies.get(item.def);
    if (body?.kind !== 'read' || body.def !== r.def) return false;
    const own = body.at.slice(0, r.own.length).map(plainIndex);
    const others = [...bodies].some(([id, e]) => id !== item.def && reads(e).has(r.def));
    return !others && item.indices.at(-1) === this.#stage.domain.at(-1) && item.inner.length === own.length && item.inner.every((i) => own.includes(i));
  }
  #asItem(r: Placed & { readonly own: readonly Index[] }, item: Item, bodies: ReadonlyMap<DefinitionId, Expr>): Placed & { readonly own: readonly Index[] } {
    const at = (bodies.get(item.def) as ExprOf<'read'>).at.map(plainIndex);
    return { def: item.def, own: r.own, at: item.indices.map((i) => r.own[at.indexOf(i)] ?? i) };
  }
  #epilogue(items: readonly Item[]): Stage {
    return {
      name: `${this.#stage.name}#epilogue`, anchor: 'pointwise', phase: this.#stage.phase, order: 'flat', domain: this.#stage.domain, items,
      stored: new Set(items.map((i) => i.def)), states: [], accumulators: [], serves: this.#stage.name,
    };
  }
}
