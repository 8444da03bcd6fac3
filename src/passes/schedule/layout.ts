/**
 * Where values live. Activations are [batch·time, indices…], the last index padded to whole vectors so that no store needs a tail;
 * what belongs to a sequence is [batch, indices…]; what is known at load time is float64 scratch, of which run-time kernels get float32
 * copies in the order in which they read them (packed constants).
 */
import type { BufferSpec } from '../../runtime/manifest.js';
import type { Affine, Definition, DefinitionId, Index, Program } from '../../ir/program.js';
import type { Phase, Stage, StageGraph } from '../../ir/stages.js';
import type { Narrow, Stored } from '../../ir/kernel.js';
import { roundUp } from './ints.js';
import { CHUNK } from './limits.js';
import { plain, type StoragePlan } from './storage.js';

export interface Storage {
  readonly kind: 'rows' | 'batch' | 'load';
  readonly buffer: string;
  /** Elements per row; for `load`, in all. */
  readonly row: number;
  readonly offset: number;
  /** One per index of the definition. */
  readonly strides: readonly number[];
}
/** The past of a stored definition: the `depth` rows before this tile, [batch, depth, row]. */
export interface History {
  readonly buffer: string;
  readonly depth: number;
}
/** Carry memory of one recurrent state: per domain point `slots` blocks of `cells` elements; slot k ≥ 1 is the value k steps ago. */
export interface StateStorage {
  readonly buffer: string;
  readonly cells: number;
  readonly slots: number;
  readonly row: number;
}
/** A dimension of a packed constant, outermost first. The lane dimension is split: tiles outside, the lanes of a tile innermost. */
export interface PackDimension {
  readonly size: number;
  readonly stride: number;
  /** For the lane dimension: element l stands at floor(l / tile)·stride + l mod tile. */
  readonly tile?: number;
}
export interface PackedConstant {
  readonly buffer: string;
  readonly def: DefinitionId;
  readonly dimensions: readonly PackDimension[];
  /** Per index of the definition, its value from those of the dimensions. */
  readonly at: readonly { readonly constant: number; readonly coefficients: readonly number[] }[];
  readonly size: number;
}

/** Lines of so many elements begin where copies may. */
const LONG = 16;

export class Layout {
  readonly program: Program;
  readonly #graph: StageGraph;
  readonly #lanes: number;
  readonly #storing: StoragePlan;
  readonly #phase: ReadonlyMap<DefinitionId, Phase>;
  readonly #buffers: BufferSpec[] = [];
  readonly #ids = new Map<string, number>();
  readonly #storage = new Map<DefinitionId, Storage>();
  readonly #lost = new Map<string, string>();
  readonly #history = new Map<string, History>();
  readonly #historyDepth = new Map<string, number>();
  readonly #historyOf = new Map<string, { rows: string; depth: number; def: DefinitionId }>();
  readonly #states = new Map<string, StateStorage>();
  readonly #packed = new Map<string, PackedConstant>();
  readonly #tables = new Map<string, string>();
  readonly #partOf = new Map<DefinitionId, { stack: DefinitionId; member: number }>();

  constructor(graph: StageGraph, lanes: number, phase: ReadonlyMap<DefinitionId, Phase>, storing: StoragePlan = plain) {
    this.program = graph.program;
    this.#graph = graph;
    this.#lanes = lanes;
    this.#storing = storing;
    this.#phase = phase;
    for (const d of this.program.definitions) {
      if (d.kind === 'stack') d.parts.forEach((part, member) => { if (!this.#partOf.has(part)) this.#partOf.set(part, { stack: d.id, member }); });
    }
    for (const [id, depth] of graph.history) {
      const root = this.of(id);
      this.#historyDepth.set(root.buffer, Math.max(this.#historyDepth.get(root.buffer) ?? 0, depth));
    }
  }
  get buffers(): readonly BufferSpec[] {
    return this.#buffers;
  }
  get packed(): readonly PackedConstant[] {
    return [...this.#packed.values()];
  }
  get histories(): ReadonlyMap<string, { rows: string; depth: number; def: DefinitionId }> {
    return this.#historyOf;
  }
  id(buffer: string): number {
    const found = this.#ids.get(buffer);
    if (found === undefined) throw new Error(`no buffer ${buffer}`);
    return found;
  }
  phase(id: DefinitionId): Phase {
    return this.#phase.get(id) ?? 'load';
  }
  #add(spec: BufferSpec): string {
    let name = spec.name;
    for (let k = 2; this.#ids.has(name); k++) name = `${spec.name}~${k}`;
    this.#ids.set(name, this.#buffers.length);
    this.#buffers.push({ ...spec, name });
    return name;
  }
  /** What a buffer's elements are. */
  element(buffer: string): Stored {
    const spec = this.#buffers[this.id(buffer)];
    return (spec && 'element' in spec ? spec.element : undefined) ?? 'f32';
  }
  /** What is stored is to be stored as, where it can. */
  get wanted(): Stored {
    return this.#storing.wanted;
  }
  /** What the run has of a load-time definition is stored as. */
  constantElement(def: DefinitionId): Stored {
    return this.#storing.constants(def);
  }
  /** Room for a line of so many neighbours of a constant: of longer ones whole copies. */
  padded(size: number): number {
    return size >= LONG ? roundUp(size, this.#storing.side) : size;
  }
  /** Neighbours in it share a word, and must be written together. */
  isPaired(buffer: string): boolean {
    return this.#storing.together === 2 && this.element(buffer) !== 'f32';
  }
  setSlot(buffer: string, slot: number): void {
    const id = this.id(buffer);
    const spec = this.#buffers[id];
    if (spec?.kind === 'rows') this.#buffers[id] = { ...spec, slot };
  }

  of(id: DefinitionId): Storage {
    const known = this.#storage.get(id);
    if (known) return known;
    const made = this.#make(this.program.definitions[id] as Definition);
    this.#storage.set(id, made);
    return made;
  }
  #make(d: Definition): Storage {
    const part = this.#partOf.get(d.id);
    if (part) {
      const whole = this.of(part.stack);
      return { ...whole, offset: whole.offset + part.member * (whole.strides[0] as number), strides: whole.strides.slice(1) };
    }
    const phase = this.phase(d.id);
    const sizes = d.indices.map((i) => i.axis.size);
    if (phase === 'load') {
      const strides = rowMajor(sizes);
      const size = sizes.reduce((n, s) => n * s, 1);
      return { kind: 'load', buffer: this.#add({ kind: 'load', name: d.name, size }), row: size, offset: 0, strides };
    }
    const stored = typed(d.time ? this.#storing.of(d.id) : 'f32');
    const padded = sizes.map((s, k) => (k === sizes.length - 1 ? roundUp(stored.element ? roundUp(this.padded(s), 2) : s, this.#lanes) : s));
    const row = padded.reduce((n, s) => n * s, 1);
    const strides = rowMajor(padded);
    const width = sizes.length === 0 ? this.#lanes : row;
    if (d.time) return { kind: 'rows', buffer: this.#add({ kind: 'rows', name: d.name, row: width, slot: -1, ...stored }), row: width, offset: 0, strides };
    const keeps = phase === 'begin' || this.#graph.stages.some((s) => s.accumulators.some((a) => a.def === d.id));
    return { kind: 'batch', buffer: this.#add({ kind: keeps ? 'carry' : 'batch', name: d.name, row: width }), row: width, offset: 0, strides };
  }

  /** What sums over time have rounded away so far, element for element beside them. */
  lost(id: DefinitionId): string {
    const sums = this.of(id);
    const known = this.#lost.get(sums.buffer);
    if (known !== undefined) return known;
    const made = this.#add({ kind: 'carry', name: `${sums.buffer}#lost`, row: sums.row });
    this.#lost.set(sums.buffer, made);
    return made;
  }

  history(id: DefinitionId): History {
    const root = this.of(id);
    const known = this.#history.get(root.buffer);
    if (known) return known;
    const depth = this.#historyDepth.get(root.buffer) ?? 0;
    const made = { depth, buffer: this.#add({ kind: 'carry', name: `${root.buffer}#past`, row: depth * root.row, ...typed(this.element(root.buffer)) }) };
    this.#history.set(root.buffer, made);
    this.#historyOf.set(made.buffer, { rows: root.buffer, depth, def: id });
    return made;
  }

  state(stage: Stage, def: DefinitionId, cells: number, points: number, depth: number, inPlace: boolean): StateStorage {
    const key = `${stage.name}:${def}`;
    const known = this.#states.get(key);
    if (known) return known;
    // Slot 0 holds the next value while the old one is still read.
    const slots = depth + (inPlace ? 0 : 1);
    const row = cells * slots * points;
    const made = { buffer: this.#add({ kind: 'carry', name: `${(this.program.definitions[def] as Definition).name}#state`, row }), cells, slots, row };
    this.#states.set(key, made);
    return made;
  }

  /** Per chunk of steps what a state is: its sum from zero, or the value that it starts with. */
  chunkState(state: StateStorage, which: 'sum' | 'start'): StateStorage {
    return this.chunkMemory(`${state.buffer}.${which}`, state);
  }
  /** Memory for each chunk of steps, under a name of its own. */
  chunkMemory(name: string, shape: Omit<StateStorage, 'buffer'>): StateStorage {
    const known = this.#states.get(name);
    if (known) return known;
    const made = { ...shape, buffer: this.#add({ kind: 'chunks', name, row: shape.row, steps: CHUNK }) };
    this.#states.set(name, made);
    return made;
  }

  /** Memory of a fixed size that kernels lay out themselves: of the run ('constant': what is made at load, or scratch), or of load time. */
  table(name: string, kind: 'constant' | 'load', size: number): string {
    const known = this.#tables.get(name);
    if (known !== undefined) return known;
    const made = this.#add({ kind, name, size });
    this.#tables.set(name, made);
    return made;
  }
  /** Memory for each `steps` steps of a tile, alive for one call: equal requests share it. */
  blocks(what: string, row: number, steps: number): string {
    const key = `#${steps}.${row}.${what}`;
    const known = this.#tables.get(key);
    if (known !== undefined) return known;
    const made = this.#add({ kind: 'chunks', name: key, row, steps });
    this.#tables.set(key, made);
    return made;
  }
  /** A float32 copy of a load-time definition, laid out as its reader goes through it. Equal requests share one. */
  constant(def: DefinitionId, dimensions: readonly PackDimension[], at: PackedConstant['at'], size: number): PackedConstant {
    const key = JSON.stringify([def, dimensions, at]);
    const known = this.#packed.get(key);
    if (known) return known;
    const name = `${(this.program.definitions[def] as Definition).name}#packed`;
    const element = this.constantElement(def);
    const made = { def, dimensions, at, size, buffer: this.#add({ kind: 'constant', name, size: element === 'f32' ? size : roundUp(size, 2), ...typed(element) }) };
    this.#packed.set(key, made);
    return made;
  }
}

const typed = (element: Stored): { readonly element?: Narrow } => (element === 'f32' ? {} : { element });

export function rowMajor(sizes: readonly number[]): number[] {
  const strides: number[] = sizes.map(() => 1);
  for (let k = sizes.length - 2; k >= 0; k--) strides[k] = (strides[k + 1] as number) * (sizes[k + 1] as number);
  return strides;
}
/** The distinct indices of an access, in order of appearance. */
export function accessIndices(at: readonly Affine[]): Index[] {
  return [...new Set(at.flatMap((a) => a.terms.map((t) => t.index)))];
}
