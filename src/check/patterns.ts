/** The pattern of a block's argument against an array: `t` takes time, the other indices its axes, in order. */
import type { IndexPattern } from '../../grammar/ast.js';
import { interchangeable, type ArrayEntity } from './broadcast.js';
import type { Scope } from './scope.js';

/** Names the array's axes in the block's scope, and as absent what it lacks; false where it doesn't fit. */
export function bindPattern(patterns: readonly IndexPattern[], array: ArrayEntity, own: Scope): boolean {
  const t = patterns.find((p) => p.name === 't');
  if (array.time && !t) return false;
  if (!array.time && t) {
    if (!t.optional) return false;
    own.names.set('t', { kind: 'absent' });
  }
  const rest = patterns.filter((p) => p.name !== 't');
  let spare = array.axes.length - rest.filter((p) => !p.optional).length;
  let at = 0;
  for (const p of rest) {
    if (p.optional && spare <= 0) { own.names.set(p.name, { kind: 'absent' }); continue; }
    if (p.optional) spare--;
    const axis = array.axes[at++];
    if (!axis) return false;
    const before = own.names.get(p.name);
    if (before?.kind === 'axis' && before.axis !== axis && !interchangeable(before.axis, axis)) return false;
    if (before?.kind !== 'axis') own.names.set(p.name, { kind: 'axis', axis });
  }
  return at === array.axes.length && spare >= 0;
}
/** As `x[t, m?, c]` is written, and as an array's axes are named. */
export const writtenPattern = (patterns: readonly IndexPattern[]): string => patterns.map((p) => `${p.name}${p.optional ? '?' : ''}`).join(', ');
export const writtenAxes = (array: ArrayEntity): string => [...(array.time ? ['t'] : []), ...array.axes.map((a) => a.name)].join(', ');
