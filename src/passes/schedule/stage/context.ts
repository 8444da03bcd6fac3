/**
 * What the parts of a stage's kernel share while it is written: the stage and its shape, the writer, which step, sequence and chunk the code
 * at hand is for, and what buffers and scalars have been used so far, which become the kernel's parameters in that order.
 */
import type { Int, Kernel, Value } from '../../../ir/kernel.js';
import type { Affine, DefinitionId } from '../../../ir/program.js';
import type { Item, Stage } from '../../../ir/stages.js';
import { ivar } from '../ints.js';
import type { Layout } from '../layout.js';
import { LENGTHS } from '../limits.js';
import { Envs, type Env } from '../places.js';
import { shapeOf, type Machine, type Shape } from '../shape.js';
import { Writer } from '../writer.js';
import { Storages, type Part } from './storages.js';

export const isNow = (time: Affine | undefined): boolean => !time || (time.constant === 0 && time.terms.length === 0);
/** A name that a loop's variable can have. */
export const loopName = (name: string): string => `${name.replace(/[^A-Za-z0-9]/g, '_')}_`;

/** Inside the loop over steps: the step, the sequence's number and length; and whether every shifted read is inside the sequence. */
export interface Step {
  readonly t: Int;
  readonly b: Int;
  readonly length: Int;
  readonly inside: boolean;
}

export class StageContext {
  readonly stage: Stage;
  readonly layout: Layout;
  readonly lanes: number;
  readonly shape: Shape;
  /** It runs once, when weights are bound, in float64. */
  readonly load: boolean;
  readonly part: Part;
  readonly items: ReadonlyMap<DefinitionId, Item>;
  readonly storages: Storages;
  readonly envs = new Envs();
  readonly w: Writer;
  step: Step | undefined;
  /** Inside a chunk: its number among all chunks of the batch. */
  chunk: Int | undefined;
  readonly #used = new Map<string, 'read' | 'write' | 'read-write'>();
  readonly #scalars = new Set<string>();

  constructor(stage: Stage, layout: Layout, machine: Machine, part: Part) {
    this.stage = stage;
    this.part = part;
    this.layout = layout;
    this.lanes = machine.lanes;
    this.load = stage.phase === 'load';
    this.shape = shapeOf(stage, machine);
    this.items = new Map(stage.items.map((i) => [i.def, i]));
    this.storages = new Storages(stage, layout, machine.lanes, this.shape, part);
    this.w = new Writer(this.#written(), ['$R', '$B', '$T', '$t0']);
  }
  #written(): Set<string> {
    const { stage, layout, part } = this;
    const written = new Set<string>();
    for (const id of stage.stored) written.add(layout.of(id).buffer);
    for (const s of stage.states) {
      written.add(this.storages.state(s).buffer);
      if (part.kind === 'carry') written.add(this.storages.chunkState(s, 'start').buffer);
    }
    if (part.kind === 'summary') for (const q of part.step.products) written.add(this.storages.product(q).buffer);
    for (const a of stage.accumulators) {
      written.add(layout.of(a.def).buffer);
      if (a.op === 'sum') written.add(layout.lost(a.def));
    }
    return written;
  }

  scalar(name: 'R' | 'B' | 'T' | 't0'): Int {
    this.#scalars.add(`$${name}`);
    return ivar(`$${name}`);
  }
  touch(buffer: string, how: 'read' | 'write'): string {
    const before = this.#used.get(buffer);
    this.#used.set(buffer, before && before !== how ? 'read-write' : how);
    return buffer;
  }
  /** The same value, its buffer taken for read. */
  touched(v: Value): Value {
    if (v.kind === 'load') this.touch(v.buffer, 'read');
    return v;
  }
  /** The row of carry or chunk memory that the code at hand works on: a chunk's, or its sequence's. */
  row(env: Env): Int {
    return this.chunk ?? this.step?.b ?? env.row;
  }
  kernel(name: string): Kernel {
    return {
      name, precision: this.load ? 'f64' : 'f32', body: this.w.body,
      parameters: [
        ...[...this.#used].map(([buffer, access]) => ({ kind: 'buffer' as const, name: buffer, access, element: this.#element(buffer) })),
        ...[...this.#scalars].map((s) => ({ kind: 'scalar' as const, name: s })),
      ],
    };
  }
  #element(buffer: string): 'f32' | 'f64' | 'i32' {
    if (buffer === LENGTHS) return 'i32';
    return this.load && this.layout.buffers[this.layout.id(buffer)]?.kind === 'load' ? 'f64' : 'f32';
  }
}
