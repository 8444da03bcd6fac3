/** Order in time: nothing needs itself at the same step, and what needs its own past says so. */
import type { Diagnostics } from '../diagnostics/diagnostic.js';
import { dependencies, visitExpr } from '../ir/builder.js';
import { components } from '../ir/components.js';
import type { Definition, DefinitionId, Expr, Program } from '../ir/program.js';

/** The program, with the direction of each recurrence. `markable`: an equation that `state` can be written before, where it stands. */
export function checkCausality(program: Program, markable: (id: DefinitionId) => boolean, diagnostics: Diagnostics): Program {
  const defs = [...program.definitions];
  const def = (id: DefinitionId): Definition => defs[id] as Definition;
  checkInverses(program, diagnostics);
  const ids = defs.map((d) => d.id);
  for (const group of components(ids, (id) => dependencies(def(id)))) {
    const self = group.length > 1 || dependencies(def(group[0] as DefinitionId)).has(group[0] as DefinitionId);
    if (!self) {
      const d = def(group[0] as DefinitionId);
      if (d.kind === 'equation' && d.state) diagnostics.error('SSM3103', d.span, { name: d.name });
      continue;
    }
    checkGroup(group, def, markable, diagnostics, defs);
  }
  const now = (id: DefinitionId): DefinitionId[] => sameStep(def(id));
  for (const group of components(ids, now)) {
    const first = group[0] as DefinitionId;
    if (group.length === 1 && !now(first).includes(first)) continue;
    const names = cycle(group, now).map((id) => def(id).name);
    diagnostics.error('SSM3101', def(first).span, { cycle: [...names, names[0] as string].map((n) => `\`${n}\``).join(' → ') }, group.map((id) => ({ text: `\`${def(id).name}\` is here`, span: def(id).span })));
  }
  return { ...program, definitions: defs };
}

function checkGroup(group: readonly DefinitionId[], def: (id: DefinitionId) => Definition, markable: (id: DefinitionId) => boolean, diagnostics: Diagnostics, defs: Definition[]): void {
  const offsets: number[] = [];
  for (const id of group) {
    const d = def(id);
    if (d.kind !== 'equation') continue;
    eachRead(d.body, (e, inTime) => {
      if (!group.includes(e.def)) return;
      if (inTime) diagnostics.error('SSM3106', d.span, { name: d.name });
      if (e.time) offsets.push(...ends(e.time));
    });
  }
  const past = offsets.some((o) => o < 0);
  const future = offsets.some((o) => o > 0);
  const names = group.map((id) => `\`${def(id).name}\``).join(', ');
  // An output can't be a state too: one that can is what the message is about.
  const mark = group.find(markable);
  const span = def(mark ?? (group[0] as DefinitionId)).span;
  if (past && future) diagnostics.error('SSM3104', span, { names });
  const states = group.map(def).filter((d) => d.kind === 'equation' && d.state);
  if ((past || future) && states.length === 0) diagnostics.error('SSM3102', span, { names, mark: mark !== undefined });
  if (!future) return;
  for (const d of states) if (d.kind === 'equation' && d.state) defs[d.id] = { ...d, state: { ...d.state, direction: 'backward' } };
}
function ends(a: { constant: number; terms: readonly { index: { axis: { size: number } }; coefficient: number }[] }): [number, number] {
  let low = a.constant;
  let high = a.constant;
  for (const t of a.terms) {
    const span = t.coefficient * (t.index.axis.size - 1);
    low += Math.min(0, span);
    high += Math.max(0, span);
  }
  return [low, high];
}
function eachRead(e: Expr, f: (e: Extract<Expr, { kind: 'read' }>, inTime: boolean) => void): void {
  const inner = new Set<Expr>();
  visitExpr(e, (x) => { if (x.kind === 'reduce' && x.over === 'time') visitExpr(x.body, (y) => inner.add(y)); });
  visitExpr(e, (x) => { if (x.kind === 'read') f(x, inner.has(x)); });
}
/** Definitions read at this very step, or at a step that may be this one. */
function sameStep(d: Definition): DefinitionId[] {
  if (d.kind !== 'equation') return [...dependencies(d)];
  const out = new Set<DefinitionId>();
  eachRead(d.body, (e, inTime) => {
    if (!e.time || inTime) { out.add(e.def); return; }
    const [low, high] = ends(e.time);
    if (low <= 0 && high >= 0) out.add(e.def);
  });
  return [...out];
}
/** One cycle through the group, for the message. */
function cycle(group: readonly DefinitionId[], edges: (id: DefinitionId) => DefinitionId[]): DefinitionId[] {
  const path: DefinitionId[] = [];
  let at = group[0] as DefinitionId;
  while (!path.includes(at)) {
    path.push(at);
    at = edges(at).find((n) => group.includes(n)) as DefinitionId;
  }
  return path.slice(path.indexOf(at));
}
/** An inverse is of a matrix known at load time. */
function checkInverses(program: Program, diagnostics: Diagnostics): void {
  const seen = new Map<DefinitionId, boolean>();
  const fixed = (id: DefinitionId): boolean => {
    const known = seen.get(id);
    if (known !== undefined) return known;
    seen.set(id, true);
    const d = program.definitions[id] as Definition;
    const result = !d.time && d.kind !== 'input' && [...dependencies(d)].every(fixed);
    seen.set(id, result);
    return result;
  };
  for (const d of program.definitions) if (d.kind === 'inverse' && !fixed(d.matrix)) diagnostics.error('SSM2038', d.span, { name: d.name });
}
