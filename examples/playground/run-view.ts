/** The Run tab: the recording, what the model says of it, and each modality's part in that; for other models, their outputs over time. */
import type { Tensor } from '../../src/runtime/index.js';
import { byId, element } from './dom.js';
import type { Parts } from './parts.js';
import { colour, lineChart, partsBar, short, type Line } from './plots.js';
import { exercises, paint, sensors, widths, type Recording } from './recordings.js';

const seconds = (moment: number): string => `${(moment / 10).toFixed(1)} s`;

/** Pictures of the cameras at a moment, and the accelerometers over the window. */
export function showRecording(recording: Recording, index: number, count: number, moment: number): void {
  byId('window-label').textContent = `Recording ${index + 1} of ${count}: a person doing ${exercises[recording.label] ?? 'something'}`;
  byId('moment-label').textContent = `Moment: ${seconds(moment)} of 6.4 s`;
  const window = byId<HTMLInputElement>('window');
  window.max = String(count - 1);
  window.value = String(index);
  window.setAttribute('aria-valuetext', `${index + 1}, ${exercises[recording.label] ?? ''}`);
  byId('moment').setAttribute('aria-valuetext', seconds(moment));
  const picture = (sensor: 'depth' | 'pressure', caption: string): HTMLElement => {
    const canvas = element('canvas', { role: 'img', 'aria-label': `${caption} at ${seconds(moment)}` });
    paint(canvas, sensor, recording.signals[sensor], moment);
    return element('figure', {}, canvas, element('figcaption', {}, caption));
  };
  const lines: Line[] = Array.from({ length: widths.accel }, (_, f) => ({
    label: `${f < 3 ? 'thigh' : 'wrist'} ${'xyz'[f % 3] ?? ''}`, colour: f % 5, values: Array.from({ length: 64 }, (_, t) => recording.signals.accel[t * widths.accel + f] as number), ghost: f >= 3,
  }));
  byId('frames').replaceChildren(picture('depth', 'depth camera'), picture('pressure', 'pressure mat'), lineChart({ title: 'accelerometers', unit: 'g', lines, now: moment }));
}

const tag = (text: string): HTMLElement => element('span', { class: 'tag' }, text);
/** Scores of the exercises, each with what the modalities gave to it. */
export function showScores(scores: ArrayLike<number>, truth: number, parts: Parts | undefined): void {
  const values = Array.from(scores);
  const chosen = values.indexOf(Math.max(...values));
  const sums = values.map((v, k) => (parts ? [...parts.parts.map((p) => p[k] as number), parts.rest[k] as number] : [v]));
  const low = Math.min(0, ...sums.map((s) => s.reduce((a, v) => a + Math.min(0, v), 0)));
  const high = Math.max(0, ...sums.map((s) => s.reduce((a, v) => a + Math.max(0, v), 0)));
  const names = [...sensors, 'constant'];
  const rows = values.map((v, k) => element('tr', k === chosen ? { class: 'chosen' } : {},
    element('th', { scope: 'row' }, exercises[k] ?? '', ...(k === chosen ? [tag('said')] : []), ...(k === truth ? [tag('true')] : [])),
    element('td', {}, short(v)),
    ...(parts ? (sums[k] as number[]).map((p) => element('td', { class: 'optional' }, short(p))) : []),
    element('td', { class: 'bar-cell' }, partsBar(sums[k] as number[], low, high)),
  ));
  const head = element('tr', {}, element('th', { scope: 'col' }, 'exercise'), element('th', { scope: 'col' }, 'score'),
    ...(parts ? names.map((n) => element('th', { scope: 'col', class: 'optional' }, n)) : []), element('td', { class: 'bar-cell' }, 'parts'));
  byId('outputs').replaceChildren(
    element('p', {}, chosen === truth ? 'It is right.' : `It is wrong: it takes ${exercises[truth] ?? ''} for ${exercises[chosen] ?? ''}.`),
    element('table', { class: 'scores' }, element('caption', { class: 'hush' }, "Scores, and each modality's part in them"), element('thead', {}, head), element('tbody', {}, ...rows)),
    ...(parts ? [
      element('ul', { class: 'key' }, ...names.map((n, k) => element('li', {}, element('span', { style: `border-color: ${colour(k)}` }), n))),
      element('p', { class: 'soft' }, 'A score is the sum of its parts: with the hidden units that are on taken as they are, the head is linear in the fused modalities.'),
    ] : []),
  );
}

/** At most six features of each output. */
export function showOutputs(outputs: ReadonlyMap<string, Tensor>, timed: (name: string) => boolean): void {
  byId('outputs').replaceChildren(...[...outputs].map(([name, { data, shape }]) => {
    const steps = timed(name) ? (shape[1] ?? 1) : 1;
    const inner = data.length / steps;
    if (steps === 1) return element('p', {}, `${name} = ${Array.from(data.subarray(0, 24), short).join(', ')}${inner > 24 ? ', …' : ''}`);
    const lines = Array.from({ length: Math.min(6, inner) }, (_, k): Line => ({ label: inner === 1 ? name : `${name} ${k}`, colour: k, values: Array.from({ length: steps }, (_, t) => data[t * inner + k] as number) }));
    return lineChart({ title: `${name}${inner > 6 ? `, the first 6 of ${inner} features` : ''}`, unit: '', lines });
  }));
}
