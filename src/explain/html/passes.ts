/** The source beside each representation, with what each pass changed. */
import type { Report, Representation } from '../report.js';
import { plural } from '../units.js';
import { diff, type DiffLine } from './diff.js';
import { escaped } from './escape.js';

export function passesSection({ sources, representations }: Report): string {
  const shown = sources.map((s, k) => `<h3 class="mono">${escaped(s.path)}</h3><ol class="mono" aria-label="${escaped(s.path)}">${s.text.replace(/\n$/, '').split('\n').map((l) => `<li>${l === '' ? ' ' : escaped(l)}</li>`).join('')}</ol>${k === sources.length - 1 ? '' : '<br>'}`);
  const lines = representations.map((r) => r.text.replace(/\n$/, '').split('\n'));
  const passes = representations.map((r, k) => (k === 0 ? whole(r, lines[0] as string[], 'what the text means') : step(r, k, representations[k - 1] as Representation, lines[k - 1] as string[], lines[k] as string[])));
  return `<div class="beside"><div class="panel source" tabindex="0" role="region" aria-label="Source">${shown.join('')}</div><div>${passes.join('\n')}</div></div>`;
}
function whole(r: Representation, lines: readonly string[], what: string): string {
  return `<details><summary><b>${escaped(r.name)}</b> <span class="soft">${escaped(r.why)}; ${what}, ${plural(lines.length, 'line')}</span></summary><div><pre class="mono">${escaped(lines.join('\n'))}</pre></div></details>`;
}
function step(r: Representation, k: number, before: Representation, old: readonly string[], now: readonly string[]): string {
  if (r.text === before.text) return `<details class="unchanged"><summary><b>${escaped(r.name)}</b> <span class="soft">${escaped(r.why)}: changed nothing</span></summary><div><p class="soft">The program is what it was.</p></div></details>`;
  const changes = diff(old, now);
  // From definitions to stages everything is written anew.
  const kept = changes.filter((c) => c.kind === 'same').length;
  if (kept === 0 || r.name === 'fuse') return whole(r, now, 'a form of its own');
  const [removed, added] = (['removed', 'added'] as const).map((kind) => changes.filter((c) => c.kind === kind).length) as [number, number];
  return `<details${k === firstChange ? ' open' : ''}><summary><b>${escaped(r.name)}</b> <span class="soft">${escaped(r.why)}</span> <span class="tag"><span class="good">+${added}</span> <span class="bad">−${removed}</span></span></summary><div>${listed(changes)}<details><summary>all of it, ${plural(now.length, 'line')}</summary><div><pre class="mono">${escaped(now.join('\n'))}</pre></div></details></div></details>`;
}
const firstChange = 2;
/** A line of what stayed around each change; the rest as a count. */
function listed(changes: readonly DiffLine[]): string {
  const near = changes.map((c, k) => c.kind !== 'same' || changes[k - 1]?.kind === 'removed' || changes[k - 1]?.kind === 'added' || changes[k + 1]?.kind === 'removed' || changes[k + 1]?.kind === 'added');
  const out: string[] = [];
  let hidden = 0;
  const flush = (): void => {
    if (hidden > 0) out.push(`<li class="gap">${plural(hidden, 'line')} as before</li>`);
    hidden = 0;
  };
  changes.forEach((c, k) => {
    if (!near[k]) { hidden++; return; }
    flush();
    out.push(line(c));
  });
  flush();
  return `<ul class="diff">${out.join('\n')}</ul>`;
}
function line(c: DiffLine): string {
  if (c.kind === 'same') return `<li>  ${escaped(c.text)}</li>`;
  const [sign, word] = c.kind === 'added' ? ['+', 'added'] : ['−', 'removed'];
  let at = 0;
  let text = '';
  for (const [from, to] of c.marks) {
    text += `${escaped(c.text.slice(at, from))}<b>${escaped(c.text.slice(from, to))}</b>`;
    at = to;
  }
  text += escaped(c.text.slice(at));
  return `<li class="${c.kind}"><span aria-label="${word}">${sign}</span> ${text}</li>`;
}
