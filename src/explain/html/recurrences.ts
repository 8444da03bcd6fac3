/** Each recurrence's normal form, how it is run, and what was weighed. */
import type { Report, ReportStage } from '../report.js';
import { recurrenceText } from '../recurrences.js';
import { plural } from '../units.js';
import { escaped } from './escape.js';

export function strategiesSection({ stages }: Report): string {
  const found = stages.flatMap((s, k) => (s.strategy ? [{ s, k }] : []));
  if (found.length === 0) return '<p>Nothing runs over time: there is no recurrence.</p>';
  return found.map(({ s, k }) => `<h3>${k + 1}. ${escaped(s.title)}</h3>${scansText(s)}${table(s)}`).join('\n');
}
function scansText({ scans }: ReportStage): string {
  if (!scans) return '';
  return `<p>${scans.run === 1 ? 'One scan' : `${scans.run} scans`} over time for ${plural(scans.chains, 'chain')} of the source.</p>`;
}
function table({ strategy }: ReportStage): string {
  if (!strategy) return '';
  const row = (name: string, what: string, kind: string, why: string): string => `<tr><th scope="row">${escaped(name)}</th><td><span class="tag ${kind}">${what}</span></td><td>${escaped(why)}</td></tr>`;
  return `<div class="scroll" tabindex="0" role="region" aria-label="Strategies"><table><thead><tr><th scope="col">strategy</th><th scope="col">outcome</th><th scope="col">because</th></tr></thead><tbody>${row(strategy.name, 'chosen', 'good', strategy.why)}${
    strategy.weighed.map((w) => row(w.name, w.possible ? 'possible' : 'not possible', w.possible ? '' : 'bad', w.why)).join('')}</tbody></table></div>`;
}
export function recurrencesSection({ recurrences }: Report): string {
  if (recurrences.length === 0) return '';
  return recurrences.map((r) => {
    const [head, ...rest] = recurrenceText(r);
    return `<div class="panel" style="margin-bottom:.6rem"><pre class="mono"><b>${escaped(head ?? '')}</b>\n${escaped(rest.join('\n'))}</pre></div>`;
  }).join('\n');
}
