/**
 * An equation that reads the states of several recurrences, as the two directions of a bidirectional model, gets what it reads of all but the first (of all
 * but its own, if it is part of one) as definitions: each can then be computed with its recurrence, and none has to store its states for all steps, which are as many
 * times larger as there are states to a channel. Exact: only expressions are named.
 */
import { affineConstant, affineOf, children, dependencies, freeIndices, rebuild, substitute, type Builder } from '../ir/builder.js';
import { components } from '../ir/components.js';
import type { Definition, DefinitionId, Expr, Index, Program } from '../ir/program.js';
import type { Pass } from './pass.js';

export const extractReadouts: Pass = {
  name: 'extract-readouts',
  why: 'what is read of a recurrence is computed with it, and its states are not stored',
  run(program: Program, b: Builder): Program {
    const recurrence = recurrences(program);
    const definitions: Definition[] = [...program.definitions];
    for (const d of program.definitions) {
      if (d.kind !== 'equation' || !d.time) continue;
      const own = recurrence.get(d.id);
      const read = [...touched(d.body, recurrence)].filter((r) => r !== own).sort((x, y) => x - y);
      // It is computed with the first that it reads, where it isn't part of one itself.
      const others = own === undefined ? read.slice(1) : read;
      if (others.length === 0) continue;
      const made = new Map<Expr, Expr>();
      const named = (e: Expr): Expr => {
        const known = made.get(e);
        if (known) return known;
        const id = definitions.length as DefinitionId;
        const free = [...freeIndices(e)].sort((x, y) => x.id - y.id);
        const indices = free.map((i) => b.newIndex(i.name, i.axis));
        const body = substitute(b, e, (i) => { const image = indices[free.indexOf(i)]; return image && affineOf(image); });
        definitions.push({ kind: 'equation', id, name: `${d.name}#readout.${made.size + 1}`, time: true, indices, type: e.type, span: d.span, body });
        const element = b.read(id, e.type, free.map((i) => affineOf(i)), affineConstant(0));
        made.set(e, element);
        return element;
      };
      const visit = (e: Expr): Expr => {
        const of = touched(e, recurrence);
        if (![...of].some((r) => others.includes(r))) return e;
        if (of.size === 1 && isSum(e, recurrence)) return named(e);
        return e.kind === 'reduce' && e.over === 'time' ? e : rebuild(b, e, children(e).map(visit));
      };
      const body = visit(d.body);
      if (body !== d.body) definitions[d.id] = { ...d, body };
    }
    return { ...program, definitions };
  },
};

/** Of each definition in a recurrence a number that stands for it, by its first definition. */
function recurrences(program: Program): ReadonlyMap<DefinitionId, number> {
  const dependenciesOf = (id: DefinitionId): ReadonlySet<DefinitionId> => dependencies(program.definitions[id] as Definition);
  const out = new Map<DefinitionId, number>();
  for (const group of components(program.definitions.map((d) => d.id), dependenciesOf)) {
    const [only] = group;
    if (group.length > 1 || (only !== undefined && dependenciesOf(only).has(only))) for (const id of group) out.set(id, Math.min(...group));
  }
  return out;
}
function touched(e: Expr, recurrence: ReadonlyMap<DefinitionId, number>): ReadonlySet<number> {
  const found = new Set<number>();
  const seen = new Set<Expr>();
  const visit = (x: Expr): void => {
    if (seen.has(x)) return;
    seen.add(x);
    const r = x.kind === 'read' ? recurrence.get(x.def) : undefined;
    if (r !== undefined) found.add(r);
    for (const kid of children(x)) visit(kid);
  };
  visit(e);
  return found;
}
/** It has sums of states, and is no larger than these. */
function isSum(e: Expr, recurrence: ReadonlyMap<DefinitionId, number>): boolean {
  const sums = new Set<Index>();
  let found = false;
  const visit = (x: Expr): void => {
    if (x.kind !== 'reduce' || x.over === 'time') { for (const kid of children(x)) visit(kid); return; }
    if (touched(x.body, recurrence).size === 0) return;
    found = true;
    for (const i of freeIndices(x)) sums.add(i);
  };
  visit(e);
  return found && [...freeIndices(e)].every((i) => sums.has(i));
}
