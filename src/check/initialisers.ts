/** Initialisers read what has neither time nor inputs in it; what works in them only stays out of what runs. No cycles: a parameter is seen below its declaration only. */
import type { Diagnostics } from '../diagnostics/diagnostic.js';
import { dependencies, reads } from '../ir/builder.js';
import type { Definition, DefinitionId, Program } from '../ir/program.js';

export function checkInitialisers(program: Program, diagnostics: Diagnostics): void {
  const def = (id: DefinitionId): Definition => program.definitions[id] as Definition;
  const needs = (id: DefinitionId): readonly DefinitionId[] => {
    const d = def(id);
    return [...(d.kind === 'param' ? (d.init ? reads(d.init.expr) : []) : dependencies(d))];
  };
  for (const d of program.definitions) {
    if (d.kind !== 'param' || !d.init) continue;
    const wrong = first([d.id], needs, (id) => def(id).time || def(id).kind === 'input');
    if (wrong !== undefined) diagnostics.error('SSM2046', d.init.span, { name: d.name, on: def(wrong).name });
  }
  for (const o of program.outputs) {
    const found = first([o.def], (id) => [...dependencies(def(id))], (id) => def(id).kind === 'eigen');
    if (found === undefined) continue;
    const d = def(found);
    diagnostics.error('SSM2045', d.span, { what: d.kind === 'eigen' ? `eigen${d.part}` : d.name, name: o.name });
  }
}
/** The first definition that is so, among what these need. */
function first(from: readonly DefinitionId[], needs: (id: DefinitionId) => readonly DefinitionId[], is: (id: DefinitionId) => boolean): DefinitionId | undefined {
  const seen = new Set(from);
  const queue = [...from];
  for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
    if (is(id)) return id;
    for (const next of needs(id)) if (!seen.has(next)) { seen.add(next); queue.push(next); }
  }
  return undefined;
}
