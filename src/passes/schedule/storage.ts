/**
 * Which activations are stored in fewer bits than they are computed in. Arithmetic and what is carried from step to step stay float32:
 * only what one kernel writes and others read is rounded, and what is known at load time unless states are multiplied by it. Where elements
 * share the word that a thread can write, a buffer qualifies if one thread computes both: else two threads would write one word.
 */
import { isNow, visitExpr } from '../../ir/builder.js';
import type { StorageTypes, Stored } from '../../ir/kernel.js';
import type { DefinitionId } from '../../ir/program.js';
import type { Item, Stage, StageGraph } from '../../ir/stages.js';
import { UNROLL } from './limits.js';
import { repeatedConstants } from './repeated.js';
import { shapeOf } from './shape.js';

export interface StorageChoice {
  /** The definition that is stored. */
  readonly name: string;
  readonly element: Stored;
  readonly why: string;
}
export interface StoragePlan {
  /** Of a definition that is stored once per step; of any other it is float32. */
  readonly of: (root: DefinitionId) => Stored;
  /** What was asked for, and can be had. */
  readonly wanted: Stored;
  /** Of a definition that is computed at load time, where run-time kernels read it. */
  readonly constants: (def: DefinitionId) => Stored;
  readonly together: number;
  /** Elements that longer lines begin at multiples of. */
  readonly side: number;
  readonly choices: readonly StorageChoice[];
}
/**
 * The shape for which kernels of machines with threads are written: the index of neighbouring threads, and whether a group takes a point together.
 * `exchange`: threads that hand each other registers.
 */
export const threadShape = (stage: Stage, exchange = 1): ReturnType<typeof shapeOf> & { readonly together: boolean } => {
  const shape = shapeOf(stage, { lanes: isRowProduct(stage) ? leastColumns(exchange) : 32, registers: 16 });
  return { ...shape, together: shape.laneLoops && stage.order === 'flat' };
};
/** Columns that a product is tiled for where there may be many rows. A group for each result adds up by barriers, which take longer than the products, or by registers. */
const leastColumns = (exchange: number): number => (exchange > 1 ? 16 : 4);
function isRowProduct(stage: Stage): boolean {
  if (stage.anchor !== 'contraction' || stage.order !== 'flat' || stage.phase !== 'step') return false;
  let now = true;
  for (const item of stage.items) visitExpr(item.body, (e) => { if (e.kind === 'read' && e.time && !isNow(e.time)) now = false; });
  return now;
}
/** States of two points that fit a thread's registers. */
const PAIR_CELLS = 128;

export const plain: StoragePlan = { of: () => 'f32', wanted: 'f32', constants: () => 'f32', together: 1, side: 1, choices: [] };

export function planStorage(graph: StageGraph, types: StorageTypes | undefined, wanted: Stored): StoragePlan {
  const type = wanted === 'f32' ? undefined : types?.[wanted];
  if (!type) return plain;
  const { program } = graph;
  const stackOf = new Map<DefinitionId, DefinitionId>();
  for (const d of program.definitions) if (d.kind === 'stack') for (const part of d.parts) if (!stackOf.has(part)) stackOf.set(part, d.id);
  const rootOf = (id: DefinitionId): DefinitionId => { const stack = stackOf.get(id); return stack === undefined ? id : rootOf(stack); };
  const outputs = new Set(program.outputs.map((o) => rootOf(o.def)));
  /** Why a buffer must stay float32. */
  const against = new Map<DefinitionId, string>();
  const seen = new Set<DefinitionId>();
  for (const stage of graph.stages) for (const item of stage.items) {
    if (!stage.stored.has(item.def) || !program.definitions[item.def]?.time || stage.phase !== 'step') continue;
    const root = rootOf(item.def);
    seen.add(root);
    const why = type.together > 1 ? notPaired(stage, item) : undefined;
    if (why !== undefined && !against.has(root)) against.set(root, why);
  }
  for (const port of program.inputs) if (program.definitions[port.def]?.time) seen.add(rootOf(port.def));
  for (const id of graph.history.keys()) {
    const d = program.definitions[id];
    if (type.together > 1 && d?.kind === 'equation' && d.state?.initial) against.set(rootOf(id), 'its past begins with initial values, which are written one at a time');
  }
  for (const id of outputs) if (seen.has(id)) against.set(id, 'an output: given as it was computed');
  const of = (root: DefinitionId): Stored => (seen.has(root) && !against.has(root) ? wanted : 'f32');
  const choices = [...seen].map((id): StorageChoice => ({ name: program.definitions[id]?.name ?? '', element: of(id), why: against.get(id) ?? 'rounded when it is stored' }));
  const repeated = repeatedConstants(program, graph.stages);
  const kept = [...repeated].map((id): StorageChoice => ({ name: program.definitions[id]?.name ?? '', element: 'f32', why: 'a state is multiplied by it at every step, and its rounding with it' }));
  return { of, wanted, constants: (def) => (repeated.has(def) ? 'f32' : wanted), together: type.together, side: type.side ?? 1, choices: [...choices, ...kept] };
}

/** Why no thread computes two neighbours of this item, where that is so. */
function notPaired(stage: Stage, item: Item): string | undefined {
  const last = item.indices.at(-1);
  if (!last || last.axis.size < 2) return 'one number a step';
  const { lane, together } = threadShape(stage);
  // A group's threads write neighbours, and show them to each other.
  if (together && item.inner.length === 1 && item.inner[0] === last && last.axis.size > UNROLL) return undefined;
  if (last !== (lane ?? stage.domain.at(-1))) return `members of \`${last.name}\` are written one after another`;
  if (stage.strategy?.name === 'convolution') return 'a convolution is asked for: a thread computes steps of one channel';
  const cells = stage.states.reduce((n, s) => n + (s.depth + (s.inPlace ? 0 : 1)) * (stage.items.find((i) => i.def === s.def)?.inner ?? []).reduce((m, i) => m * i.axis.size, 1), 0);
  return 2 * cells > PAIR_CELLS ? `the states of two members of \`${last.name}\` are ${2 * cells} numbers, more than the ${PAIR_CELLS} that a thread keeps` : undefined;
}
