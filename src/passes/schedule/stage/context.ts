/** What the parts of a stage's kernel share while it is written: the stage and its shape, where its states lie, and the chunk the code at hand is for. */
import type { Int } from '../../../ir/kernel.js';
import type { DefinitionId } from '../../../ir/program.js';
import type { Item, Stage } from '../../../ir/stages.js';
import type { Layout } from '../layout.js';
import type { Env } from '../places.js';
import { Rows } from '../rows.js';
import { shapeOf, type Machine, type Shape } from '../shape.js';
import { Storages, type Part } from './storages.js';

/** A name that a loop's variable can have. */
export const loopName = (name: string): string => `${name.replace(/[^A-Za-z0-9]/g, '_')}_`;

export class StageContext extends Rows {
  readonly stage: Stage;
  readonly shape: Shape;
  readonly part: Part;
  readonly items: ReadonlyMap<DefinitionId, Item>;
  readonly storages: Storages;
  /** Inside a chunk: its number among all chunks of the batch. */
  chunk: Int | undefined;

  constructor(stage: Stage, layout: Layout, machine: Machine, part: Part) {
    const shape = shapeOf(stage, machine);
    const storages = new Storages(stage, layout, machine.lanes, shape, part);
    super(layout, machine.lanes, stage.phase === 'load', writtenBy(stage, layout, storages, part));
    this.stage = stage;
    this.part = part;
    this.shape = shape;
    this.items = new Map(stage.items.map((i) => [i.def, i]));
    this.storages = storages;
  }
  /** The row of carry or chunk memory that the code at hand works on: a chunk's, or its sequence's. */
  row(env: Env): Int {
    return this.chunk ?? this.step?.b ?? env.row;
  }
}
function writtenBy(stage: Stage, layout: Layout, storages: Storages, part: Part): Set<string> {
  const written = new Set<string>();
  for (const id of stage.stored) written.add(layout.of(id).buffer);
  for (const s of stage.states) {
    written.add(storages.state(s).buffer);
    if (part.kind === 'carry') written.add(storages.chunkState(s, 'start').buffer);
    if (part.kind === 'apply' && part.step.powers.length > 0) written.add(storages.home(s).buffer);
  }
  if (part.kind === 'summary') for (const q of part.step.products) written.add(storages.product(q).buffer);
  for (const a of stage.accumulators) {
    written.add(layout.of(a.def).buffer);
    if (a.op === 'sum') written.add(layout.lost(a.def));
  }
  return written;
}
