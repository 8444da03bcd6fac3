/** What is in memory while each stage runs: constants, states, and the activations that are alive. */
import type { Report } from '../report.js';
import { size } from '../units.js';
import { escaped } from './escape.js';

const [W, H, left, right, top, bottom] = [760, 250, 74, 14, 12, 40];
const layers = [
  { key: 'constants', title: 'constants and packed weights', colour: 'var(--contraction)' },
  { key: 'states', title: 'states and past', colour: 'var(--scan)' },
  { key: 'activations', title: 'activations', colour: 'var(--pointwise)' },
] as const;

export function memoryFigure({ memory, stages, tile, batch }: Report): string {
  if (memory.length === 0) return '<p>Nothing runs.</p>';
  const all = memory.map((m) => m.constants + m.states + m.activations);
  const most = Math.max(...all, 1);
  const x = (k: number): number => Math.round((left + (k / memory.length) * (W - left - right)) * 10) / 10;
  const y = (bytes: number): number => Math.round((H - bottom - (bytes / most) * (H - bottom - top)) * 10) / 10;
  const base = memory.map(() => 0);
  const areas = layers.map((l) => {
    const upper = memory.map((m, k) => (base[k] as number) + m[l.key]);
    const path = [...upper.map((v, k) => `${k === 0 ? 'M' : 'L'}${x(k)} ${y(v)}H${x(k + 1)}`), ...base.toReversed().map((v, back) => `L${x(memory.length - back)} ${y(v)}H${x(memory.length - back - 1)}`)].join('');
    upper.forEach((v, k) => { base[k] = v; });
    return `<path d="${path}Z" style="fill:${l.colour};opacity:.75"><title>${escaped(l.title)}</title></path>`;
  });
  const peak = all.indexOf(most);
  const every = Math.ceil(memory.length / 24);
  return `<figure><ul class="key">${layers.map((l) => `<li><i style="background:${l.colour}"></i>${l.title}, ${size(Math.max(...memory.map((m) => m[l.key])))} at most</li>`).join('')}</ul>
<div class="scroll wide" tabindex="0" role="region" aria-label="Memory over the run"><svg role="img" aria-label="Memory while each stage runs: ${size(most)} at most, in stage ${peak + 1}" viewBox="0 0 ${W} ${H}" width="${W}" height="${H}">
${[0, 0.5, 1].map((f) => `<path class="axis" d="M${left} ${y(f * most)}H${W - right}"/><text class="soft" x="${left - 6}" y="${y(f * most) + 4}" text-anchor="end">${size(Math.round(f * most))}</text>`).join('')}
${areas.join('\n')}
${stages.map((_, k) => (k % every === 0 ? `<text class="soft" x="${(x(k) + x(k + 1)) / 2}" y="${H - bottom + 16}" text-anchor="middle">${k + 1}</text>` : '')).join('')}
<text class="soft" x="${(left + W - right) / 2}" y="${H - 6}" text-anchor="middle">stage</text>
</svg></div><figcaption>For a tile of ${tile} steps, batch ${batch}: ${size(most)} at most, while stage ${peak + 1} runs (${escaped(stages[peak]?.title ?? '')}). Buffers whose lives don't overlap share memory.</figcaption></figure>`;
}
