/**
 * The report as one page that needs nothing else: no script, no font, no network (its policy forbids it). Names and sources are text
 * wherever they stand. Every chart has the same figures beside it in words.
 */
import type { Report } from '../report.js';
import { roofOf } from '../roofline.js';
import { duration, plural, size } from '../units.js';
import { escaped } from './escape.js';
import { graphFigure } from './graph.js';
import { memoryFigure } from './memory.js';
import { passesSection } from './passes.js';
import { recurrencesSection, strategiesSection } from './recurrences.js';
import { costTable, rooflineFigure } from './roofline.js';
import { stabilityFigure } from './stability.js';
import { style } from './style.js';

export function page(report: Report): string {
  const sections = [
    { id: 'stages', title: 'Stages', html: graphFigure(report.stages) },
    { id: 'costs', title: report.ran === undefined ? 'What each stage costs' : 'What each stage costs, and took', html: `${rooflineFigure(report)}${costTable(report)}` },
    { id: 'strategies', title: 'How recurrences are run', html: `${strategiesSection(report)}${report.recurrences.length > 0 ? '<h3>Their normal form</h3>' : ''}${recurrencesSection(report)}` },
    { id: 'stability', title: 'Stability', html: stabilityFigure(report.stability) },
    { id: 'memory', title: 'Memory over the run', html: memoryFigure(report) },
    { id: 'passes', title: 'From the source to the stages', html: passesSection(report) },
    { id: 'kernels', title: 'Kernels', html: report.kernels.map((k) => `<details><summary class="mono">${escaped(k.name)}</summary><div><pre class="mono">${escaped(k.text)}</pre></div></details>`).join('\n') },
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(report.model)}: what ssmc made of it</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>${escaped(report.model)}</h1>
<p class="soft">What ssmc ${escaped(report.compiler)} made of ${report.sources.map((s) => `<code>${escaped(s.path)}</code>`).join(', ')} for ${report.target === 'wasm' ? 'WebAssembly' : 'WebGPU'}.</p>
<ul class="cards">${cards(report).map(([value, what]) => `<li><b>${escaped(value)}</b><span>${escaped(what)}</span></li>`).join('')}</ul>
<nav aria-label="Sections"><ul>${sections.map((s) => `<li><a href="#${s.id}">${escaped(s.title)}</a></li>`).join('')}</ul></nav>
</header>
<main>
${sections.map((s) => `<section id="${s.id}" aria-labelledby="${s.id}-title"><h2 id="${s.id}-title">${escaped(s.title)}</h2>\n${s.html}</section>`).join('\n')}
</main>
</body>
</html>
`;
}
function cards(r: Report): (readonly [value: string, what: string])[] {
  const least = r.stages.reduce((n, s) => n + roofOf(s, r.machine).least, 0);
  const took = r.stages.reduce((n, s) => n + (s.measured ?? 0), 0);
  const peak = Math.max(0, ...r.memory.map((m) => m.constants + m.states + m.activations));
  const scans = r.stages.reduce((n, s) => n + (s.scans?.run ?? 0), 0);
  const chains = r.stages.reduce((n, s) => n + (s.scans?.chains ?? 0), 0);
  return [
    [`${r.stages.length}`, `stages, in ${plural(r.kernels.length, 'kernel')}`],
    ...(chains > 0 ? [[`${scans}`, `${scans === 1 ? 'scan' : 'scans'} for ${plural(chains, 'chain')}`] as const] : []),
    [size(r.stages.reduce((n, s) => n + s.bytes, 0)), `moved at batch ${r.batch}, length ${r.length}`],
    [duration(least), 'at least, by the roofline'],
    ...(r.ran === undefined ? [] : [[duration(took), 'measured, all stages'] as const]),
    [size(peak), 'of memory at most'],
  ];
}
