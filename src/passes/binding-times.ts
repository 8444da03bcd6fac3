/**
 * When each definition can be computed. Compile time is over; what has no t and reads no input is load time; what has no t but
 * reads inputs belongs to the sequence as a whole, before its steps (`begin`) or after them (`finish`); the rest to each step.
 */
import { dependencies } from '../ir/builder.js';
import type { Definition, DefinitionId, Expr, Program } from '../ir/program.js';
import { visitExpr } from '../ir/builder.js';
import type { Phase } from '../ir/stages.js';

export interface BindingTimes {
  readonly phase: ReadonlyMap<DefinitionId, Phase>;
  /** Why time can't be cut into tiles: something at a step needs what comes after it. */
  readonly wholeSequence?: string;
}

export function bindingTimes(program: Program): BindingTimes {
  const phase = new Map<DefinitionId, Phase>();
  const defs = program.definitions;
  const active = new Set<DefinitionId>();
  let wholeSequence: string | undefined;
  const phaseOf = (id: DefinitionId): Phase => {
    const known = phase.get(id);
    if (known) return known;
    const d = defs[id] as Definition;
    if (d.time || active.has(id)) return 'step';
    active.add(id);
    let result: Phase = d.kind === 'input' ? 'begin' : 'load';
    if (d.kind === 'equation' && hasTimeReduction(d.body)) result = 'finish';
    for (const dep of dependencies(d)) {
      if (dep === id) continue;
      const p = phaseOf(dep);
      if (p === 'finish' || p === 'step') result = 'finish';
      else if (p === 'begin' && result === 'load') result = 'begin';
    }
    active.delete(id);
    phase.set(id, result);
    return result;
  };
  for (const d of defs) phase.set(d.id, phaseOf(d.id));
  for (const d of defs) {
    if (d.kind !== 'equation') continue;
    visitExpr(d.body, (e) => {
      if (e.kind !== 'reduce' || e.over !== 'time') return;
      visitExpr(e.body, (r) => {
        if (r.kind === 'read' && phase.get(r.def) === 'finish') wholeSequence ??= `\`${d.name}\` reads \`${(defs[r.def] as Definition).name}\` at every step, which needs the whole sequence`;
      });
    });
    if (!d.time) continue;
    if (d.state?.direction === 'backward') wholeSequence ??= `\`${d.name}\` runs backward in time`;
    for (const dep of dependencies(d)) {
      if (phase.get(dep) === 'finish') wholeSequence ??= `\`${d.name}\` reads \`${(defs[dep] as Definition).name}\`, which needs the whole sequence`;
    }
    visitExpr(d.body, (e) => {
      if (e.kind === 'read' && e.time && affineRange(e.time).high > 0) wholeSequence ??= `\`${d.name}\` reads the future of \`${(defs[e.def] as Definition).name}\``;
    });
  }
  return { phase, ...(wholeSequence ? { wholeSequence } : {}) };
}

/** It takes a whole sequence, if only its length. */
export function hasTimeReduction(root: Expr): boolean {
  let found = false;
  visitExpr(root, (e) => { if (e.kind === 'reduce' && e.over === 'time') found = true; });
  return found;
}

/** Least and largest value of an affine expression over its indices' axes. */
export function affineRange(a: { readonly constant: number; readonly terms: readonly { readonly index: { readonly axis: { readonly size: number } }; readonly coefficient: number }[] }): { low: number; high: number } {
  let low = a.constant;
  let high = a.constant;
  for (const { index, coefficient } of a.terms) {
    const span = coefficient * (index.axis.size - 1);
    if (span < 0) low += span;
    else high += span;
  }
  return { low, high };
}
