/** Stability reports in words. */
import type { StabilityReport } from '../passes/stability.js';

const verdicts: Readonly<Record<StabilityReport['verdict'], string>> = {
  'contraction': 'a contraction, proved', 'non-expansive': 'non-expansive, proved', 'may-grow': 'may grow', 'unknown': 'nothing is proved about its growth',
};
export function stabilityText(s: StabilityReport): string {
  const bound = Number.isFinite(s.bound) ? `, bound ${Number(s.bound.toPrecision(4))}` : '; a fact about its coefficients, or --weights, may bound it';
  const overflow = s.overflowStep === undefined ? '' : `, float32 overflows after ${s.overflowStep} steps`;
  const memory = s.memory === undefined ? '' : `, memory of ${s.memory} ${s.memory === 1 ? 'step' : 'steps'} at most`;
  return `${s.states.join(', ')}: ${verdicts[s.verdict]}${bound}${overflow}${memory}`;
}
/** JSON has no infinity: an unknown bound is null. */
export const stabilityJson = (s: StabilityReport): object => ({ ...s, bound: Number.isFinite(s.bound) ? s.bound : null });
