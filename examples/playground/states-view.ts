/** The States tab: how large each modality's state is over time, beside what it would be if modalities were summed. */
import { byId } from './dom.js';
import { lineChart, type Line } from './plots.js';
import type { StateLines } from './protocol.js';

/** `summed`: the same states with `coupling = sum`. */
export function showStates(states: readonly StateLines[], summed: readonly StateLines[] | undefined, moment: number | undefined): void {
  byId('states').replaceChildren(...states.flatMap((s) => {
    const mark = moment === undefined ? {} : { now: moment };
    const lines = s.lines.map((values, m): Line => ({ label: s.labels[m] ?? s.name, values, colour: m }));
    const ghosts = (summed?.find((o) => o.name === s.name)?.lines ?? []).map((values, m): Line => ({ label: `${s.labels[m] ?? s.name}, summed`, values, colour: m, ghost: true }));
    return [
      lineChart({ title: `${s.name}: root mean square over channels`, unit: '', lines, ...mark }),
      ...(ghosts.length > 0 ? [lineChart({ title: `${s.name}, beside what summing makes of it`, unit: 'powers of ten', lines: [...lines, ...ghosts], log: true, ...mark })] : []),
    ];
  }));
}
const call = /(\w+\s*\([^()]*(?:\([^()]*\)[^()]*)*?coupling\s*=\s*)(\w+)/g;
/** The coupling of the blocks that have one, where all have the same. */
export function couplingOf(text: string): string | undefined {
  const found = new Set([...text.matchAll(call)].map((m) => m[2] ?? ''));
  return found.size === 1 ? [...found][0] : undefined;
}
export const withCoupling = (text: string, coupling: string): string => text.replace(call, (_, before: string) => `${before}${coupling}`);
