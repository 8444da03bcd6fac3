/**
 * The order of evaluation: definitions in groups, each after what it reads. Definitions that read each other in a cycle make one
 * group, which is stepped through time together.
 */
import { dependencies, reads, visitExpr } from '../ir/builder.js';
import type { Affine, Definition, DefinitionId, Program } from '../ir/program.js';
import { InterpretError } from './error.js';

export interface Group {
  /** In the order in which one step computes them. */
  readonly members: readonly Definition[];
  /** Present for a recurrence: which way its steps go. */
  readonly direction?: 'forward' | 'backward';
}

/** Groups that the wanted definitions need, dependencies first (Tarjan's strongly connected components come in this order). */
export function evaluationOrder(program: Program, wanted: Iterable<DefinitionId>): readonly Group[] {
  const groups: Group[] = [];
  const number = new Map<DefinitionId, number>();
  const low = new Map<DefinitionId, number>();
  const stack: DefinitionId[] = [];
  const visit = (id: DefinitionId): void => {
    const mine = number.size;
    number.set(id, mine);
    let lowest = mine;
    stack.push(id);
    for (const next of dependencies(definitionOf(program, id))) {
      if (!number.has(next)) visit(next);
      if (stack.includes(next)) lowest = Math.min(lowest, low.get(next) ?? number.get(next) ?? 0);
    }
    low.set(id, lowest);
    if (lowest === mine) groups.push(makeGroup(program, stack.splice(stack.indexOf(id))));
  };
  for (const id of wanted) if (!number.has(id)) visit(id);
  return groups;
}

export function definitionOf(program: Program, id: DefinitionId): Definition {
  const found = program.definitions[id];
  if (!found || found.id !== id) throw new InterpretError('program', `there is no definition ${id}`);
  return found;
}

/** The least and the greatest value of an affine expression, its indices over their whole axes. */
export function affineRange(a: Affine): readonly [number, number] {
  let low = a.constant;
  let high = a.constant;
  for (const { index, coefficient } of a.terms) {
    const far = coefficient * (index.axis.size - 1);
    low += Math.min(0, far);
    high += Math.max(0, far);
  }
  return [low, high];
}

function makeGroup(program: Program, ids: readonly DefinitionId[]): Group {
  const members = ids.map((id) => definitionOf(program, id));
  const [only] = members;
  if (only && members.length === 1 && !dependencies(only).has(only.id)) return { members };
  const names = members.map((d) => d.name).join(', ');
  const inside = new Set(ids);
  const sameStep = new Map<DefinitionId, Set<DefinitionId>>();
  let past = false;
  let future = false;
  for (const d of members) {
    if (d.kind !== 'equation' || !d.time) throw new InterpretError('program', `${d.name} depends on itself through ${names}`);
    const before = new Set<DefinitionId>();
    sameStep.set(d.id, before);
    if (d.state?.initial && [...reads(d.state.initial)].some((id) => inside.has(id))) {
      throw new InterpretError('program', `the initial value of ${d.name} depends on ${d.name}`);
    }
    visitExpr(d.body, (e) => {
      if (e.kind === 'reduce' && e.over === 'time' && [...reads(e.body)].some((id) => inside.has(id))) {
        throw new InterpretError('program', `${d.name} reduces over all of its own time`);
      }
      if (e.kind !== 'read' || !inside.has(e.def) || !e.time) return;
      const [low, high] = affineRange(e.time);
      past ||= low < 0;
      future ||= high > 0;
      if (low <= 0 && high >= 0) before.add(e.def);
    });
  }
  if (past && future) throw new InterpretError('program', `the recurrence of ${names} reads both its past and its future`);
  return { members: stepOrder(members, sameStep), direction: future ? 'backward' : 'forward' };
}

/** Members sorted so that what a step reads of itself is computed before. */
function stepOrder(members: readonly Definition[], before: ReadonlyMap<DefinitionId, ReadonlySet<DefinitionId>>): readonly Definition[] {
  const done: Definition[] = [];
  let rest = members;
  while (rest.length > 0) {
    const ready = rest.filter((d) => [...(before.get(d.id) ?? [])].every((id) => done.some((e) => e.id === id)));
    if (ready.length === 0) {
      throw new InterpretError('program', `${rest.map((d) => d.name).join(', ')} read each other at the same time`);
    }
    done.push(...ready);
    rest = rest.filter((d) => !ready.includes(d));
  }
  return done;
}
