/** What names mean inside one body of a block or model. */
import type { Equation, Span } from '../../grammar/ast.js';
import type { Axis, Definition, DefinitionId } from '../ir/program.js';

export type Entity =
  | { readonly kind: 'array'; readonly def: DefinitionId; readonly time: boolean; readonly axes: readonly Axis[]; readonly name: string }
  | { readonly kind: 'axis'; readonly axis: Axis; /** The name of the modalities index that decides a ragged axis's size. */ readonly governor?: string }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'choice'; readonly value: string; readonly choices: readonly string[] }
  /** An optional index that the argument lacks. */
  | { readonly kind: 'absent' }
  /** Its definition has an error that was reported: what uses it stays silent. */
  | { readonly kind: 'broken' };

/** What a name turned out to mean where it is defined, in one expansion of its body. */
export interface Sighting {
  /** Of the name. */
  readonly span: Span;
  readonly entity: Entity;
  /** Of the instance. */
  readonly path: readonly string[];
}
/** All that one reading of a body found, for editors: also where it has mistakes. */
export interface Sightings {
  readonly list: readonly Sighting[];
  readonly definitions: readonly Definition[];
  /** A block by itself: sizes are no one's. */
  readonly madeUp: boolean;
}

export class Scope {
  readonly names: Map<string, Entity>;
  /** Equations of this body by name, for reads before the definition. */
  readonly forward: Map<string, Equation>;
  readonly used = new Set<string>();
  constructor(names: ReadonlyMap<string, Entity> = new Map(), forward: ReadonlyMap<string, Equation> = new Map()) {
    this.names = new Map(names);
    this.forward = new Map(forward);
  }
  /** t is among the optional indices that the argument lacks. */
  get timeless(): boolean {
    return this.names.get('t')?.kind === 'absent';
  }
}
