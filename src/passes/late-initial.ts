/**
 * An initial value that is known at the end of a sequence only (`initial h = max(t: x[t])`) can't be set before its first step. What reads the
 * state there reads the value instead: h[t-k] becomes where(here[t-k] == 0, initial, h[t-k]) with here[t] = 1, since a read outside the sequence
 * gives 0. Exact: a choice between the same two values. The whole sequence is run in one piece then, as where a step reads such a value.
 */
import { affineConstant, affineValue, dependencies, mapExpr, substitute, type Builder } from '../ir/builder.js';
import type { Affine, Definition, DefinitionId, DefinitionOf, Expr, Index, Program } from '../ir/program.js';
import { affineRange, bindingTimes, hasTimeReduction } from './binding-times.js';
import type { Pass } from './pass.js';

type Equation = DefinitionOf<'equation'>;

export const lateInitial: Pass = {
  name: 'late-initial',
  why: 'an initial value that needs the whole sequence is read at the steps that need it, for nothing can be set before them',
  run(program: Program, b: Builder): Program {
    const late = lateStates(program);
    if (late.size === 0) return program;
    const here = program.definitions.length as DefinitionId;
    const ends = (time: Affine, backward: boolean): Expr => {
      const outside = b.binary('eq', b.read(here, 'real', [], time), b.const(0));
      const { low, high } = affineRange(time);
      // A window may reach past the other end too, where there is 0.
      if (backward ? low > 0 : high < 0) return outside;
      return b.binary('and', backward ? b.binary('lt', b.const(0), affineValue(b, time)) : b.binary('lt', affineValue(b, time), b.const(0)), outside);
    };
    const read = (e: Expr): Expr => {
      const d = e.kind === 'read' ? late.get(e.def) : undefined;
      if (e.kind !== 'read' || !d?.state?.initial || !e.time) return e;
      const backward = d.state.direction === 'backward';
      const { low, high } = affineRange(e.time);
      if (backward ? high <= 0 : low >= 0) return e;
      const at = new Map<Index, Affine>(d.indices.map((i, k) => [i, e.at[k] ?? affineConstant(0)]));
      return b.select(ends(e.time, backward), substitute(b, d.state.initial, (i) => at.get(i)), e);
    };
    const first = [...late.values()][0] as Equation;
    const definitions = program.definitions.map((d): Definition => {
      if (d.kind !== 'equation') return d;
      const body = mapExpr(b, d.body, read);
      return late.has(d.id) && d.state ? { ...d, body, state: { direction: d.state.direction } } : { ...d, body };
    });
    return { ...program, definitions: [...definitions, { kind: 'equation', id: here, name: '#inside', time: true, indices: [], type: 'real', span: first.span, body: b.const(1) }] };
  },
};

/** States whose initial value reads what is known after the last step. */
function lateStates(program: Program): ReadonlyMap<DefinitionId, Equation> {
  const { phase } = bindingTimes(program);
  const late = new Map<DefinitionId, Equation>();
  for (const d of program.definitions) {
    if (d.kind !== 'equation' || !d.state?.initial) continue;
    const { initial } = d.state;
    const reads = dependencies({ ...d, body: initial, state: { direction: d.state.direction } });
    if (hasTimeReduction(initial) || [...reads].some((id) => phase.get(id) === 'finish')) late.set(d.id, d);
  }
  return late;
}
