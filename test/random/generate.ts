/**
 * Random valid specs as source text: small (a dozen equations), of moderate values, with every construct of the language. The same
 * seed gives the same text.
 */
import { Random } from '../../src/interpreter/random.js';
import { makers, reduceTime } from './equations.js';
import { stateMakers } from './states.js';
import { Writer } from './writer.js';

export interface RandomSpec {
  readonly text: string;
  /** What the spec contains, for choosing among specs and for reports. */
  readonly features: readonly string[];
}

export function randomSpec(seed: number): RandomSpec {
  const random = new Random(seed, 'spec');
  const modal = random.uniform() < 0.55;
  const members = modal ? ['audio', 'video', 'text', 'touch'].slice(0, random.integer(1, 4)) : [];
  const w = new Writer(random, members);
  declare(w);
  const budget = random.integer(3, 10);
  const states = random.uniform() < 0.85 ? random.integer(1, 2) : 0;
  for (let k = 0; k < states; k++) {
    if (w.chance(0.5)) w.pick(makers)(w);
    w.pick(stateMakers)(w);
  }
  for (let tries = 0; w.equations < budget && tries < 20; tries++) w.pick(makers)(w);
  if (w.chance(0.5)) reduceTime(w);
  writeOutputs(w);
  return { text: w.text(), features: [...w.features].toSorted() };
}

/** Axes and inputs, and a first array [t, m?, c]. */
function declare(w: Writer): void {
  const modal = w.members.length > 0;
  w.sizes.set('c', w.random.integer(1, 9));
  if (!modal) {
    w.declarations.push(`axis c = ${w.size('c')}`, 'input x[t, c]');
    w.values.push({ name: 'x', time: true, modal: false, axes: ['c'], size: 2 });
  } else if (w.chance(0.6)) {
    w.note('ragged');
    w.declarations.push(`modalities m = ${w.members.map((name) => `${name}[${w.random.integer(1, 7)}]`).join(', ')}`, `axis c = ${w.size('c')}`, 'input signal[t, m, f]');
    w.lines.push('param embed.weight[m, c, f] = uniform(-0.5, 0.5)');
    w.define({ time: true, modal: true, axes: ['c'] }, 'sum(f: embed.weight[m, c, f] * signal[t, m, f])', 3);
    if (w.chance(0.3)) {
      w.note('ragged-reduction');
      const [x] = w.values as [(typeof w.values)[number]];
      w.define(x, `${w.read(x)} + ${w.pick(['mean', 'max', 'sum', 'last'])}(f: tanh(signal[t, m, f]))`, 5);
    }
  } else {
    w.note('modal-input');
    w.declarations.push(`modalities m = ${w.members.join(', ')}`, `axis c = ${w.size('c')}`, 'input signal[t, m, c]');
    w.values.push({ name: 'signal', time: true, modal: true, axes: ['c'], size: 2 });
  }
  if (modal && w.chance(0.25)) {
    w.note('mask-input');
    w.declarations.push('input mask[t, m]');
    const [x] = w.values as [(typeof w.values)[number]];
    w.define(x, `mask[t, m] * ${w.read(x)}`, 4);
  }
  const [first] = w.values as [(typeof w.values)[number]];
  if (w.chance(0.2) && (first.name === 'x' || first.name === 'signal')) {
    w.note('where-input'); // inputs have the same bits on every device, so comparing them is safe
    w.define(first, `where(${w.read(first)} > 0.25, ${w.read(first)}, 0.1 * ${w.read(first)} + 0.2)`, 2);
  }
  if (w.chance(0.25)) {
    w.note('input-without-time');
    w.declarations.push('input context[c]');
    const x = w.source();
    w.define(x, `${w.read(x)} + 0.5 * context[c]`, x.size + 1);
  }
}

/** The last array with time, the last without, and perhaps one more. */
function writeOutputs(w: Writer): void {
  const timed = w.values.filter((v) => v.time);
  const pooled = w.values.filter((v) => !v.time);
  const chosen = new Set([timed.at(-1), pooled.at(-1), ...(w.chance(0.3) ? [w.pick(timed)] : [])]);
  for (const v of chosen) if (v) w.output(v);
  w.note(`outputs-${w.outputs}`);
}

