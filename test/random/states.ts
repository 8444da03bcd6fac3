/** States of a random spec: every kind of recurrence, small gains. Each reads an array [t, m?, d] and leaves another of that shape. */
import type { Maker } from './equations.js';
import { list, type Value, type Writer } from './writer.js';

/** Writes a state's equation, its initial value now and then, and returns it as an array. */
function state(w: Writer, shape: Omit<Value, 'name' | 'size'>, body: (past: (replace?: Readonly<Record<string, string>>) => string, self: Value) => string, size: number): Value {
  const backward = w.chance(0.25);
  w.note(backward ? 'backward' : 'forward');
  const self: Value = { ...shape, name: w.name('h'), size };
  const step = backward ? 't + 1' : 't - 1';
  if (w.chance(0.25)) {
    w.note('initial');
    const own = w.indices({ ...self, time: false });
    const value = w.chance(0.5) ? w.param(own, -1, 1) : w.number(-1, 1);
    w.lines.push(`initial ${self.name}${list(own)} = ${value}`);
  }
  w.lines.push(`state ${self.name}${list(w.indices(self))} = ${body((replace = {}) => w.read(self, { t: step, ...replace }), self)}`);
  w.equations++;
  return self;
}
/** Keeps a state as an array of one axis: itself, or read out over its last one. */
function readOut(w: Writer, h: Value): void {
  const [, n] = h.axes;
  if (n === undefined) {
    w.values.push(h);
    return;
  }
  const c = w.weights([...w.perhapsModal(h), n], n);
  w.define({ ...h, axes: h.axes.slice(0, 1) }, `sum(${n}: ${c} * ${w.read(h)})`, h.size);
}
/** A decay in (0, 1): selective or not. */
function decay(w: Writer, v: Value, n: string | undefined): string {
  const [d] = v.axes as [string];
  const axes = [d, ...(n ? [n] : [])];
  if (w.chance(0.5)) {
    w.note('time-invariant');
    const a = w.name('a');
    const raw = w.param([...(v.modal ? ['m'] : []), ...axes], -2, 1);
    w.lines.push(`${a}${list([...(v.modal ? ['m'] : []), ...axes])} = exp(-exp(${raw}))`);
    w.equations++;
    return `${a}${list([...(v.modal ? ['m'] : []), ...axes])}`;
  }
  w.note('selective');
  const dt = w.define(v, `softplus(${w.read(v)} - ${w.number(0, 1)})${w.chance(0.5) ? ' + 0.01' : ''}`, v.size + 1, 'dt');
  if (w.chance(0.3)) {
    w.note('fact');
    w.lines.push(`fact ${dt.name} >= 0`);
  }
  return n ? `exp(-${w.read(dt)} * (${n} + 1) * 0.3)` : `exp(-${w.read(dt)})`;
}

const diagonal: Maker = (w) => {
  w.note('diagonal');
  const v = w.source();
  const n = w.chance(0.6) ? w.axis('n', 6) : undefined;
  const a = decay(w, v, n);
  const b = n ? w.project(v, n, 'B') : undefined;
  readOut(w, state(w, { ...v, axes: [...v.axes, ...(n ? [n] : [])] }, (past) => `${a} * ${past()} + ${b ? `${w.read(b)} * ` : ''}${w.read(v)}`, 10 * v.size));
};
const coupled: Maker = (w) => {
  const v = w.source();
  if (!v.modal) return diagonal(w);
  const n = w.chance(0.5) ? w.axis('n', 5) : undefined;
  const i = w.second('m');
  const a = decay(w, v, n);
  const kind = w.pick(['sum', 'mean', 'softmax', 'rank-two', 'full']);
  w.note(`coupled-${kind}`);
  const along = (p: string): string => p.replace('[m]', `[${i}]`);
  const coupling = (past: string): string => {
    switch (kind) {
      case 'sum': return `${(0.9 / w.members.length).toFixed(2)} * sum(${i}: ${past})`;
      case 'mean': return `mean(${i}: ${past})`;
      case 'softmax': return `sum(${i}: ${weights} * ${past})`;
      case 'rank-two': return `(sum(${i}: ${u[0]} * ${along(u[1] as string)} * ${past}) + ${u[2]} * sum(${i}: ${along(u[3] as string)} * ${past}))`;
      default: return `sum(${i}: ${full} * ${past})`;
    }
  };
  const bound = Number((0.9 / w.members.length).toFixed(2));
  const u = kind === 'rank-two' ? [0, 1, 2, 3].map((k) => w.param(['m'], k % 2 ? -bound : -0.7, k % 2 ? bound : 0.7)) : [];
  const full = kind === 'full' ? w.param(['m', i], -bound, bound) : '';
  let weights = '';
  if (kind === 'softmax') {
    const convex = w.name('s');
    const score = w.param(['m'], -1, 1);
    w.lines.push(`${convex}[m] = softmax(m: ${score})`);
    weights = `${convex}[${i}]`;
  }
  readOut(w, state(w, { ...v, axes: [...v.axes, ...(n ? [n] : [])] }, (past) => `${a} * ${coupling(past({ m: i }))} + ${w.read(v)}${n ? ` / (${n} + 1)` : ''}`, 10 * v.size));
};
const dense: Maker = (w) => {
  w.note('dense');
  const v = w.source();
  const [d] = v.axes as [string];
  const j = w.second(d);
  const bound = Number((0.9 / w.size(d)).toFixed(2));
  const a = w.param([...w.perhapsModal(v), d, j], -bound, bound);
  readOut(w, state(w, v, (past) => `sum(${j}: ${a} * ${past({ [d]: j })}) + ${w.read(v)}`, 10 * v.size));
};
const secondOrder: Maker = (w) => {
  w.note('second-order');
  const v = w.source();
  readOut(w, state(w, v, (past) => {
    const once = past();
    const twice = once.replace('t - 1', 't - 2').replace('t + 1', 't + 2');
    return `${w.number(0.2, 0.6)} * ${once} - ${w.number(0.1, 0.3)} * ${twice} + ${w.read(v)}`;
  }, 4 * v.size));
};
const mutual: Maker = (w) => {
  w.note('mutual');
  const v = w.source();
  const [h, g] = [w.name('h'), w.name('g')];
  const at = (time: string): string => list(w.indices(v).map((i) => (i === 't' ? time : i)));
  const backward = w.chance(0.25);
  const before = at(backward ? 't + 1' : 't - 1');
  if (backward) w.note('mutual-backward');
  const now = w.chance(0.5);
  if (now) w.note('mutual-same-step');
  const scale = w.param(v.axes, 0.1, 0.5);
  if (w.chance(0.3)) w.lines.push(`initial ${g}${list(w.indices({ ...v, time: false }))} = ${w.number(-1, 1)}`);
  w.lines.push(`state ${h}${at('t')} = ${scale} * ${h}${before} + 0.3 * ${g}${before} + ${w.read(v)}`);
  w.lines.push(`state ${g}${at('t')} = 0.4 * ${g}${before} - 0.5 * ${h}${now ? at('t') : before}`);
  w.equations += 2;
  w.values.push({ ...v, name: h, size: 4 * v.size }, { ...v, name: g, size: 4 * v.size });
};
/** A gate that is no state itself but reads one: a group with an equation between. */
const gated: Maker = (w) => {
  w.note('gated');
  const v = w.source();
  const [h, z] = [w.name('h'), w.name('z')];
  const [d] = v.axes as [string];
  const j = w.second(d);
  const at = (time: string, last: string): string => list([...w.indices(v).slice(0, -1).map((i) => (i === 't' ? time : i)), last]);
  const bound = Number((0.5 / w.size(d)).toFixed(2));
  const u = w.param([...w.perhapsModal(v), d, j], -bound, bound);
  w.lines.push(`${z}${at('t', d)} = sigmoid(${w.read(v)} + sum(${j}: ${u} * ${h}${at('t - 1', j)}))`);
  w.lines.push(`state ${h}${at('t', d)} = ${z}${at('t', d)} * ${h}${at('t - 1', d)} + (1 - ${z}${at('t', d)}) * tanh(${w.read(v)})`);
  w.equations += 2;
  w.values.push({ ...v, name: h, size: 1 });
};
/** A state that reads a window of its own past. */
const windowed: Maker = (w) => {
  w.note('windowed-state');
  const v = w.source();
  const k = w.axis('k', 4);
  const bound = Number((0.8 / w.size(k)).toFixed(2));
  const weights = w.param([...v.axes, k], -bound, bound);
  readOut(w, state(w, v, (past) => `sum(${k}: ${weights} * ${past().replace('t - 1', `t - 1 - ${k}`).replace('t + 1', `t + 1 + ${k}`)}) + ${w.read(v)}`, 5 * v.size));
};
const notAffine: Maker = (w) => {
  w.note('not-affine');
  const v = w.source();
  const [d] = v.axes as [string];
  const j = w.second(d);
  const kind = w.pick(['tanh', 'gate', 'norm']);
  readOut(w, state(w, v, (past) => {
    switch (kind) {
      case 'tanh': return `tanh(${w.number(0.3, 1.2)} * ${past()} + ${w.read(v)})`;
      case 'gate': return `sigmoid(${past()} - 0.5) * ${past()} + ${w.read(v)}`;
      default: return `${past()} * rsqrt(1 + mean(${j}: ${past({ [d]: j })}^2)) + ${w.read(v)}`;
    }
  }, 6 * v.size));
};
const complexDiagonal: Maker = (w) => {
  w.note('complex');
  const v = w.source();
  const n = w.axis('n', 5);
  const [a, h] = [w.name('a'), w.name('h')];
  const raw = w.param([n], -1.5, 0.5);
  const backward = w.chance(0.2);
  const own = [...(v.modal ? ['m'] : []), ...v.axes, n];
  const at = (time: string): string => list([time, ...own]);
  const b = w.param([n], -1, 1);
  w.lines.push(`${a}[${n}] = exp(complex(-exp(${raw}), ${w.number(0.2, 1)} * ${n}))`);
  const before = at(backward ? 't + 1' : 't - 1');
  const mixed = v.modal && w.chance(0.4);
  if (mixed) w.note('complex-coupled');
  const i = mixed ? w.second('m') : 'm';
  const past = mixed ? `mean(${i}: ${h}${before.replace('m,', `${i},`)})` : `${h}${before}`;
  w.lines.push(`state ${h}${at('t')} = ${a}[${n}] * ${past} + complex(${b}, 0.3) * ${w.read(v)}`);
  w.equations += 2;
  const c = w.param([n], -1, 1);
  const text = w.pick([`re(sum(${n}: ${c} * ${h}${at('t')}))`, `sum(${n}: im(conj(${h}${at('t')}) * complex(${c}, 0.5)))`, `sum(${n}: ${c} * re(${h}${at('t')}) - im(${h}${at('t')}))`]);
  w.define(v, text, 10 * v.size);
};

export const stateMakers: readonly Maker[] = [diagonal, diagonal, diagonal, coupled, coupled, coupled, dense, secondOrder, windowed, mutual, gated, notAffine, complexDiagonal];
