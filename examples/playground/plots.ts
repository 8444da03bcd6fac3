/** Plots as SVG: lines over time, bars in parts. Each says in words what it shows. */
import { drawing, element } from './dom.js';

export interface Line {
  readonly label: string;
  readonly values: readonly number[];
  /** Which of the page's colours. */
  readonly colour: number;
  readonly ghost?: boolean;
}
export interface LineChart {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly log?: boolean;
  /** A step to mark. */
  readonly now?: number;
  readonly unit: string;
}
const wide = 560;
const high = 190;
const edge = { left: 52, right: 8, top: 8, bottom: 22 };
export const colour = (k: number): string => `var(--c${k % 5})`;

export function lineChart({ title, lines, log = false, now, unit }: LineChart): HTMLElement {
  const all = lines.flatMap((l) => l.values.filter((v) => Number.isFinite(v) && (!log || v > 0)));
  const scale = (v: number): number => (log ? Math.log10(v) : v);
  const low = log ? Math.floor(scale(Math.min(...all, 1))) : Math.min(0, ...all);
  const top = Math.max(low + (log ? 1 : 1e-9), log ? Math.ceil(scale(Math.max(...all, 1e-3))) : Math.max(...all, 0));
  const steps = Math.max(2, ...lines.map((l) => l.values.length));
  const x = (t: number): number => edge.left + (t / (steps - 1)) * (wide - edge.left - edge.right);
  const y = (v: number): number => high - edge.bottom - ((Math.max(low, scale(v)) - low) / (top - low)) * (high - edge.top - edge.bottom);
  const between = log ? Math.ceil((top - low) / 4) : (top - low) / 4;
  const ticks = Array.from({ length: 5 }, (_, k) => low + between * k).filter((v) => v <= top + 1e-12);
  const svg = drawing('svg', { class: 'chart', viewBox: `0 0 ${wide} ${high}`, role: 'img', 'aria-label': `${title}. ${wordsOf(lines)}` },
    ...ticks.flatMap((v) => [
      drawing('line', { class: 'axis', x1: edge.left, x2: wide - edge.right, y1: y(log ? 10 ** v : v), y2: y(log ? 10 ** v : v) }),
      drawing('text', { x: edge.left - 6, y: y(log ? 10 ** v : v) + 4, 'text-anchor': 'end' }, log ? power(v) : short(v)),
    ]),
    drawing('text', { x: edge.left, y: high - 6 }, '0'), drawing('text', { x: wide - edge.right, y: high - 6, 'text-anchor': 'end' }, `step ${steps - 1}`),
    ...(now === undefined ? [] : [drawing('line', { class: 'now', x1: x(now), x2: x(now), y1: edge.top, y2: high - edge.bottom })]),
    ...lines.map((l) => drawing('path', { d: path(l.values, x, y, log), stroke: colour(l.colour), class: l.ghost ? 'ghost' : '' })),
  );
  return element('figure', {}, element('figcaption', {}, `${title}${unit === '' ? '' : ` (${unit})`}`), svg, key(lines));
}
function path(values: readonly number[], x: (t: number) => number, y: (v: number) => number, log: boolean): string {
  let pen = 'M';
  return values.map((v, t) => {
    if (!Number.isFinite(v) || (log && v <= 0)) { pen = 'M'; return ''; }
    const at = `${pen}${x(t).toFixed(1)} ${y(v).toFixed(1)}`;
    pen = 'L';
    return at;
  }).join('');
}
const wordsOf = (lines: readonly Line[]): string => lines.slice(0, 8).map((l) => `${l.label}: from ${short(l.values[0] ?? 0)} to ${short(l.values.at(-1) ?? 0)}, at most ${short(Math.max(...l.values))}`).join('; ');
function key(lines: readonly Line[]): HTMLElement {
  return element('ul', { class: 'key' }, ...lines.map((l) => element('li', {}, element('span', { class: l.ghost ? 'dashed' : '', style: `border-color: ${colour(l.colour)}` }), l.label)));
}
export function short(v: number): string {
  if (!Number.isFinite(v)) return v > 0 ? 'infinity' : String(v);
  return v === 0 ? '0' : Math.abs(v) >= 1e5 || Math.abs(v) < 1e-3 ? v.toExponential(1) : String(Number(v.toPrecision(3)));
}
const power = (exponent: number): string => `1e${exponent}`;

/** A bar of parts, those below zero to the left of where zero stands. */
export function partsBar(parts: readonly number[], low: number, high: number): SVGElement {
  const at = (v: number): number => (100 * (v - low)) / (high - low || 1);
  let [left, right] = [0, 0];
  const boxes = parts.map((v, k) => {
    const from = v < 0 ? (left += v) : right;
    if (v >= 0) right += v;
    return drawing('rect', { x: at(from), width: Math.max(0, at(from + Math.abs(v)) - at(from)), y: 2, height: 14, fill: colour(k) });
  });
  return drawing('svg', { viewBox: '0 0 100 18', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, ...boxes, drawing('line', { x1: at(0), x2: at(0), y1: 0, y2: 18, stroke: 'currentColor', 'stroke-width': 0.4 }));
}
