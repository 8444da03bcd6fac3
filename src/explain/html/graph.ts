/** The stages and what flows between them: a node per stage, in rows by how much must have run before, an arrow per buffer. */
import type { ReportStage } from '../report.js';
import { size } from '../units.js';
import { anchors, colourOf } from './colours.js';
import { escaped, shortened } from './escape.js';

const [width, height, gapX, gapY] = [214, 58, 18, 34];
const letters = 25;

interface Edge {
  readonly from: number;
  readonly to: number;
  readonly buffer: string;
}
/** What a stage reads that stages before it wrote: several may write parts of one buffer. */
export function edgesOf(stages: readonly ReportStage[]): Edge[] {
  const writers = new Map<string, number[]>();
  return stages.flatMap((s, to) => {
    const edges = s.reads.flatMap((buffer): Edge[] => (writers.get(buffer) ?? []).map((from) => ({ from, to, buffer })));
    for (const b of s.writes) writers.set(b, [...(writers.get(b) ?? []), to]);
    return edges;
  });
}
export function graphFigure(stages: readonly ReportStage[]): string {
  const edges = edgesOf(stages);
  const row: number[] = [];
  stages.forEach((_, k) => row.push(Math.max(0, ...edges.filter((e) => e.to === k).map((e) => (row[e.from] as number) + 1))));
  const rows = Array.from({ length: Math.max(0, ...row) + 1 }, (_, r) => stages.flatMap((_s, k) => (row[k] === r ? [k] : [])));
  const columns = Math.max(1, ...rows.map((r) => r.length));
  const total = columns * (width + gapX) + 120;
  const place = stages.map((_, k) => {
    const inRow = rows[row[k] as number] as number[];
    return { x: (total - inRow.length * (width + gapX) + gapX) / 2 + inRow.indexOf(k) * (width + gapX), y: 8 + (row[k] as number) * (height + gapY) };
  });
  const tall = rows.length * (height + gapY) + 8;
  const arrows = edges.map((e) => arrow(place[e.from] as Point, place[e.to] as Point, (row[e.to] as number) - (row[e.from] as number), stages[e.from]?.anchor ?? ''));
  const nodes = stages.map((s, k) => node(s, k, place[k] as Point));
  const used = anchors.filter((a) => stages.some((s) => s.anchor === a));
  return `<figure><ul class="key">${used.map((a) => `<li><i style="background:${colourOf(a)}"></i>${escaped(a)}</li>`).join('')}</ul>
<div class="scroll wide" tabindex="0" role="region" aria-label="The graph of stages"><svg role="img" aria-label="${stages.length} stages and ${edges.length} buffers between them; the table below lists them" viewBox="0 0 ${total} ${tall}" width="${total}" height="${tall}">
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" style="fill:var(--soft)"/></marker></defs>
${arrows.join('\n')}
${nodes.join('\n')}
</svg></div><figcaption>Each box is one kernel's work; numbers are those of the table. An arrow is a buffer that one writes and another reads.</figcaption></figure>`;
}
interface Point {
  readonly x: number;
  readonly y: number;
}
function arrow(from: Point, to: Point, rows: number, anchor: string): string {
  const [x1, y1, x2, y2] = [from.x + width / 2, from.y + height, to.x + width / 2, to.y - 1];
  // What skips rows bends around what stands between.
  const bend = rows > 1 ? (width / 2 + 8 + 7 * Math.min(rows, 6)) / 0.75 : 0;
  const path = bend === 0 ? `M${x1} ${y1}C${x1} ${y1 + gapY / 2} ${x2} ${y2 - gapY / 2} ${x2} ${y2}` : `M${x1 + 20} ${y1}C${x1 + bend} ${y1 + gapY} ${x2 + bend} ${y2 - gapY} ${x2 + 20} ${y2}`;
  return `<path class="strong" d="${path}" marker-end="url(#tip)"${rows > 1 ? ' stroke-dasharray="3 3"' : ''}><title>from a ${escaped(anchor)}</title></path>`;
}
function node(s: ReportStage, k: number, { x, y }: Point): string {
  const colour = colourOf(s.anchor);
  return `<g><title>${escaped(`${s.title}: ${s.computes.join(', ')}`)}</title>
<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="6" style="fill:var(--panel);stroke:${colour}"/><rect x="${x}" y="${y}" width="5" height="${height}" rx="2" style="fill:${colour}"/>
<text x="${x + 13}" y="${y + 17}" font-weight="600">${k + 1}. ${escaped(shortened(s.title, letters))}</text>
<text class="soft" x="${x + 13}" y="${y + 33}">${escaped(shortened(`${s.anchor} over ${s.domain}`, letters + 9))}</text>
<text class="soft" x="${x + 13}" y="${y + 49}">${escaped(`${size(s.bytes)}${s.strategy ? `, ${s.strategy.name}` : ''}`)}</text></g>`;
}
