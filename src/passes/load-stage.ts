/** A stage of one equation that is computed when weights are bound. */
import type { DefinitionOf } from '../ir/program.js';
import type { Stage } from '../ir/stages.js';

export function loadStage(d: DefinitionOf<'equation'>): Stage {
  return {
    name: d.name, anchor: 'pointwise', phase: 'load', order: 'flat', domain: d.indices,
    items: [{ def: d.id, indices: d.indices, inner: [], body: d.body }], stored: new Set([d.id]), states: [], accumulators: [],
  };
}
