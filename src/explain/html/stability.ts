/** The proved bound of each recurrence's growth in a step, on a line on which 1 divides what fades from what can grow. */
import type { StabilityReport } from '../../passes/stability.js';
import { stabilityText } from '../stability.js';
import { escaped, shortened } from './escape.js';

const [W, left, right, row] = [760, 236, 90, 26];
const colours: Readonly<Record<StabilityReport['verdict'], string>> = { contraction: 'var(--good)', 'non-expansive': 'var(--good)', 'may-grow': 'var(--bad)', unknown: 'var(--warn)' };
const classes: Readonly<Record<StabilityReport['verdict'], string>> = { contraction: 'good', 'non-expansive': 'good', 'may-grow': 'bad', unknown: 'warn' };

export function stabilityFigure(reports: readonly StabilityReport[]): string {
  if (reports.length === 0) return '<p>The model has no recurrence.</p>';
  const finite = reports.map((r) => r.bound).filter(Number.isFinite);
  const most = Math.max(1.5, 1.1 * Math.max(0, ...finite));
  const x = (v: number): number => Math.round((left + (v / most) * (W - left - right)) * 10) / 10;
  const H = 40 + reports.length * row;
  const ticks = most <= 3 ? [0, 0.5, 1, ...(most >= 1.5 ? [1.5] : []), ...(most >= 2 ? [2] : [])] : [0, 1, Math.floor(most)];
  const lines = reports.map((r, k) => {
    const y = 14 + k * row;
    const name = `<text x="${left - 10}" y="${y + 10}" text-anchor="end">${escaped(shortened(r.states.join(', '), 32))}</text>`;
    if (!Number.isFinite(r.bound)) return `<g><title>${escaped(stabilityText(r))}</title>${name}<rect x="${x(0)}" y="${y}" width="${x(most) - x(0)}" height="13" rx="3" style="fill:none;stroke:${colours[r.verdict]}" stroke-dasharray="4 3"/><text x="${x(most) + 8}" y="${y + 11}">not proved</text></g>`;
    return `<g><title>${escaped(stabilityText(r))}</title>${name}<rect x="${x(0)}" y="${y}" width="${Math.max(2, x(r.bound) - x(0))}" height="13" rx="3" style="fill:${colours[r.verdict]}"/><text x="${x(r.bound) + 8}" y="${y + 11}">${Number(r.bound.toPrecision(4))}</text></g>`;
  });
  return `<figure><div class="scroll wide" tabindex="0" role="region" aria-label="Bounds of growth"><svg role="img" aria-label="The bound on the growth of each state in a step; the list below says the same" viewBox="0 0 ${W} ${H}" width="${W}" height="${H}">
${ticks.map((t) => `<path class="axis" d="M${x(t)} 6V${H - 22}"/><text class="soft" x="${x(t)}" y="${H - 7}" text-anchor="middle">${t}</text>`).join('')}
${lines.join('\n')}
<path d="M${x(1)} 4V${H - 22}" style="stroke:var(--ink);stroke-width:1.5" stroke-dasharray="5 3"/>
</svg></div><figcaption>How much the largest state can grow in a step. Up to 1, states can't grow; below 1, what they held fades.</figcaption></figure>
<ul>${reports.map((r) => `<li class="${classes[r.verdict]}">${escaped(stabilityText(r))}</li>`).join('')}</ul>`;
}
