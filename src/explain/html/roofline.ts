/** The stages under the machine's roof, and in a table with what bounds each; with measured times, those beside the estimates. */
import type { Report, ReportStage } from '../report.js';
import { operationsOf, roofOf, type RooflineMachine } from '../roofline.js';
import { count, duration, size } from '../units.js';
import { colourOf } from './colours.js';
import { escaped } from './escape.js';

const [W, H, left, top, right, bottom] = [760, 400, 76, 16, 18, 46];

export function rooflineFigure({ stages, machine }: Report): string {
  const points = pointsOf(stages, machine);
  const xs = points.map((p) => p.intensity);
  const ys = points.flatMap((p) => [p.attainable, ...(p.measured === undefined ? [] : [p.measured])]);
  const ridge = machine.operations / machine.bandwidth;
  const x = scale(Math.min(ridge / 10, ...xs), Math.max(ridge * 10, ...xs), left, W - right);
  const y = scale(Math.min(machine.operations / 100, ...ys), machine.operations * 2, H - bottom, top);
  const roof = `M${x.at(x.low)} ${y.at(Math.max(y.low, x.low * machine.bandwidth))}L${x.at(ridge)} ${y.at(machine.operations)}L${x.at(x.high)} ${y.at(machine.operations)}`;
  const grid = [
    ...x.ticks.map((t) => `<path class="axis" d="M${x.at(t)} ${top}V${H - bottom}"/><text class="soft" x="${x.at(t)}" y="${H - bottom + 16}" text-anchor="middle">${power(t)}</text>`),
    ...y.ticks.map((t) => `<path class="axis" d="M${left} ${y.at(t)}H${W - right}"/><text class="soft" x="${left - 6}" y="${y.at(t) + 4}" text-anchor="end">${rate(t)}</text>`),
  ];
  const dots = points.map((p) => {
    const [cx, cy] = [x.at(p.intensity), y.at(p.attainable)];
    const ran = p.measured === undefined ? '' : `<path class="strong" d="M${cx} ${cy}V${y.at(p.measured)}" stroke-dasharray="2 3"/><circle cx="${cx}" cy="${y.at(p.measured)}" r="4.5" style="fill:${colourOf(p.anchor)}"/>`;
    return `<g><title>${escaped(`${p.names.join(', ')}: ${p.intensity.toPrecision(3)} operations a byte`)}</title>${ran}<circle cx="${cx}" cy="${cy}" r="4.5" style="fill:var(--paper);stroke:${colourOf(p.anchor)};stroke-width:2"/></g>`;
  });
  const labels = spread(points.map((p) => ({ text: p.numbers, x: x.at(p.intensity), y: y.at(p.attainable) - 9 })));
  return `<figure><div class="scroll wide" tabindex="0" role="region" aria-label="The roofline"><svg role="img" aria-label="Operations a second against operations a byte, for each stage, under the roof of ${escaped(machine.title)}; the table below has the figures" viewBox="0 0 ${W} ${H}" width="${W}" height="${H}">
${grid.join('\n')}
<path d="${roof}" style="fill:none;stroke:var(--accent);stroke-width:2"/>
${dots.join('\n')}
${labels.map((l) => `<text x="${l.x}" y="${l.y}" text-anchor="middle">${escaped(l.text)}</text>`).join('\n')}
<text class="soft" x="${(left + W - right) / 2}" y="${H - 8}" text-anchor="middle">operations per byte</text><text class="soft" transform="translate(14 ${(top + H - bottom) / 2}) rotate(-90)" text-anchor="middle">operations a second</text>
</svg></div><figcaption>The roof of ${escaped(machine.title)}: peaks, not measurements. A ring is what a stage could reach at most${points.some((p) => p.measured !== undefined) ? ', a disc below it what it reached' : ''};
an exponential counts as ${Math.round(machine.operations / machine.exponentials)} operations, the time it takes.</figcaption></figure>`;
}
interface Point {
  readonly numbers: string;
  readonly names: readonly string[];
  readonly anchor: string;
  readonly intensity: number;
  readonly attainable: number;
  readonly measured?: number;
}
/** Layers that share a kernel stand in one place. */
function pointsOf(stages: readonly ReportStage[], machine: RooflineMachine): Point[] {
  const groups = new Map<string, number[]>();
  stages.forEach((s, k) => {
    if (s.bytes === 0 || operationsOf(s, machine) === 0) return;
    const key = `${s.anchor} ${s.bytes} ${s.arithmetic} ${s.exponentials}`;
    groups.set(key, [...(groups.get(key) ?? []), k]);
  });
  return [...groups.values()].map((at) => {
    const of = at.map((k) => stages[k] as ReportStage);
    const first = of[0] as ReportStage;
    const operations = operationsOf(first, machine);
    const times = of.flatMap((s) => (s.measured === undefined ? [] : [s.measured]));
    const mean = times.reduce((a, b) => a + b, 0) / times.length;
    return {
      numbers: at.length > 4 ? `${at.slice(0, 3).map((k) => k + 1).join(', ')} …` : at.map((k) => k + 1).join(', '), names: of.map((s) => s.title), anchor: first.anchor, intensity: operations / first.bytes, attainable: operations / roofOf(first, machine).least,
      ...(times.length > 0 && mean > 0 ? { measured: operations / mean } : {}),
    };
  });
}
interface Scale {
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
  readonly at: (value: number) => number;
}
/** Logarithmic, between powers of ten. */
function scale(least: number, most: number, from: number, to: number): Scale {
  const low = Math.floor(Math.log10(least));
  const high = Math.max(low + 1, Math.ceil(Math.log10(most)));
  return {
    low: 10 ** low, high: 10 ** high, ticks: Array.from({ length: high - low + 1 }, (_, k) => 10 ** (low + k)),
    at: (v) => Math.round((from + ((Math.log10(v) - low) / (high - low)) * (to - from)) * 10) / 10,
  };
}
/** A power of ten in few letters. */
const rate = (t: number): string => (t >= 1e12 ? `${t / 1e12} T` : t >= 1e9 ? `${t / 1e9} G` : t >= 1e6 ? `${t / 1e6} M` : count(t));
const power = (t: number): string => (t >= 1 && t <= 9999 ? `${t}` : t < 1 && t >= 0.001 ? `${t}` : `10^${Math.round(Math.log10(t))}`);
/** Labels that would cover one another are moved up. */
function spread(labels: readonly { readonly text: string; readonly x: number; readonly y: number }[]): { text: string; x: number; y: number }[] {
  const placed: { text: string; x: number; y: number }[] = [];
  for (const l of labels) {
    let { y } = l;
    const wide = (a: string): number => a.length * 3.6 + 6;
    while (placed.some((p) => Math.abs(p.x - l.x) < wide(p.text) + wide(l.text) && Math.abs(p.y - y) < 12)) y -= 12;
    placed.push({ ...l, y });
  }
  return placed;
}

export function costTable(report: Report): string {
  const { stages, machine, batch, length, ran } = report;
  const roofs = stages.map((s) => roofOf(s, machine));
  const total = roofs.reduce((n, r) => n + r.least, 0);
  const times = stages.flatMap((s) => (s.measured === undefined ? [] : [s.measured]));
  const measured = times.reduce((a, b) => a + b, 0);
  const longest = Math.max(...stages.map((s, k) => Math.max(s.measured ?? 0, roofs[k]?.least ?? 0)));
  const rows = stages.map((s, k) => {
    const roof = roofs[k] as (typeof roofs)[number];
    return `<tr><td class="n">${k + 1}</td><td class="name">${escaped(s.title)}<br><span class="soft">${escaped(`${s.anchor} over ${s.domain}`)}</span></td><td class="n">${size(s.bytes)}</td><td class="n">${count(s.arithmetic)}</td><td class="n">${count(s.exponentials)}</td>`
      + `<td>${roof.bound}</td><td class="n">${duration(roof.least)}</td>${ran === undefined ? '' : `<td class="n">${s.measured === undefined ? '' : duration(s.measured)}</td>`}<td>${bars(roof.least, s.measured, longest, colourOf(s.anchor))}</td></tr>`;
  });
  return `<div class="scroll" tabindex="0" role="region" aria-label="What each stage costs"><table><caption>One run of batch ${batch} and length ${length}.${ran === undefined ? '' : ` ${escaped(ran)}`}</caption>
<thead><tr><th class="n" scope="col">#</th><th scope="col">stage</th><th class="n" scope="col">bytes</th><th class="n" scope="col">operations</th><th class="n" scope="col">exponentials</th><th scope="col">bound by</th><th class="n" scope="col">at least</th>${ran === undefined ? '' : '<th class="n" scope="col">measured</th>'}<th scope="col">share</th></tr></thead>
<tbody>${rows.join('\n')}</tbody><tfoot><tr><th></th><th scope="row">in all</th><td class="n">${size(stages.reduce((n, s) => n + s.bytes, 0))}</td><td class="n">${count(stages.reduce((n, s) => n + s.arithmetic, 0))}</td><td class="n">${count(stages.reduce((n, s) => n + s.exponentials, 0))}</td><td></td><td class="n">${duration(total)}</td>${ran === undefined ? '' : `<td class="n">${duration(measured)}</td>`}<td></td></tr></tfoot></table></div>`;
}
/** The estimate as a line, what was measured as a bar. */
function bars(estimate: number, measured: number | undefined, longest: number, colour: string): string {
  const wide = (t: number): number => Math.max(1, Math.round((120 * t) / longest));
  const bar = measured === undefined ? '' : `<rect x="0" y="2" width="${wide(measured)}" height="8" style="fill:${colour};opacity:.55"/>`;
  return `<svg aria-hidden="true" width="124" height="16" viewBox="0 0 124 16">${bar}<rect x="0" y="${measured === undefined ? 4 : 11}" width="${wide(estimate)}" height="${measured === undefined ? 8 : 3}" style="fill:${measured === undefined ? colour : 'var(--ink)'}"/></svg>`;
}
