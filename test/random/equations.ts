/** Equations of a random spec other than states. Each maker adds some, and what later ones may read. */
import type { Value, Writer } from './writer.js';

export type Maker = (w: Writer) => void;

/** Text of a function of `x` that is smooth near the data, and a bound of its values. */
const pointwise: readonly ((x: string, bound: number, w: Writer) => readonly [text: string, bound: number, feature: string])[] = [
  (x, b) => [`exp(-abs(${x})) * ${x}`, Math.min(b, 1), 'exp'],
  (x) => [`exp(tanh(${x}))`, 2.8, 'exp'],
  (x) => [`expm1(0.1 * sin(${x}))`, 0.2, 'expm1'],
  (x, b) => [`log(1 + ${x}^2)`, Math.log(1 + b * b), 'log'],
  (x, b) => [`sqrt(abs(${x}) + 0.5)`, Math.sqrt(b + 0.5), 'sqrt'],
  (x) => [`rsqrt(${x}^2 + 0.7) * ${x}`, 1, 'rsqrt'],
  (x) => [`sigmoid(${x}) - 0.5`, 0.5, 'sigmoid'],
  (x, b) => [`silu(${x})`, b, 'silu'],
  (x, b) => [`softplus(${x})`, b + 0.7, 'softplus'],
  (x, b) => [`relu(${x})`, b, 'relu'],
  (x, b) => [`gelu(${x})`, b, 'gelu'],
  (x) => [`tanh(${x})`, 1, 'tanh'],
  (x) => [`sin(2 * ${x})`, 1, 'sin'],
  (x) => [`cos(${x} - 0.3)`, 1, 'cos'],
  (x, b) => [`abs(${x})`, b, 'abs'],
  (x, b) => [`min(${x}, 0.4)`, b, 'min'],
  (x, b) => [`max(-0.2, ${x}) - 0.1`, b, 'max'],
  (x, b) => [`0.1 * ${x}^3`, 0.1 * b ** 3, 'power'],
  (x) => [`(1 + ${x}^2)^-2`, 1, 'power'],
  (x, b) => [`${x} / (1.5 + cos(${x}))`, 2 * b, 'divide'],
  (x, b) => [`-${x} + 0.25`, b + 0.25, 'negate'],
  (x, b) => [`where(${x}^2 + 1 > 0.5 && !(${x} > 1000), ${x}, log(${x} - 1000))`, b, 'where'],
];

const applyPointwise: Maker = (w) => {
  const v = w.source();
  const [text, bound, feature] = w.pick(pointwise)(w.read(v), v.size, w);
  w.note(feature);
  w.define(v, text, bound);
};
const combine: Maker = (w) => {
  const v = w.source();
  const other = w.pick(w.values.filter((o) => o.axes.every((a) => v.axes.includes(a)) && (v.modal || !o.modal)));
  const scale = w.param(v.axes, -1, 1);
  w.define(v, w.pick([`${w.read(v)} * sigmoid(${w.read(other)})`, `${w.read(v)} - ${scale} * tanh(${w.read(other)})`, `${w.read(v)} * cos(${w.read(other)}) + ${scale}`]), v.size + 1);
};
const contraction: Maker = (w) => {
  w.note('contraction');
  const v = w.source();
  w.project(v, w.chance(0.5) ? w.axis('d') : (v.axes[0] as string) === 'c' ? w.axis('e') : 'c');
};
const indexValues: Maker = (w) => {
  const v = w.source();
  const [a] = v.axes as [string];
  w.note('index-value');
  const condition = w.pick([`${a} < 2`, `${a} == 1 || ${a} >= 3`, `!(${a} == 0)`, `${a} != 2 && ${a} <= 5`, `floor(${a} / 2 + 0.25) > 0`, `ceil(${a} / 2 - 0.25) == 1`]);
  w.define(v, w.pick([
    `where(${condition}, ${w.read(v)}, -0.5 * ${w.read(v)})`,
    `${w.read(v)} * (${a} + 1) / size(${a})`,
    `${w.read(v)} + log(${a} + 1)`,
  ]), v.size + 2);
};
const reduceAxis: Maker = (w) => {
  const v = w.source();
  const op = w.pick(['sum', 'mean', 'max', 'min', 'last']);
  const [a] = v.axes as [string];
  w.note(`${op}-axis`);
  w.define({ ...v, axes: [] }, `${op}(${a}: ${w.read(v)})`, op === 'sum' ? v.size * w.size(a) : v.size);
};
const reduceModalities: Maker = (w) => {
  const v = w.source();
  if (!v.modal) return reduceAxis(w);
  if (w.chance(0.3)) {
    w.note('member');
    w.define({ ...v, modal: false }, `${w.read(v, { m: `m.${w.pick(w.members)}` })} + 0.5 * mean(m: ${w.read(v)})`, 1.5 * v.size);
    return;
  }
  const op = w.pick(['sum', 'mean', 'max']);
  w.note(`${op}-modalities`);
  w.define({ ...v, modal: false }, `${op}(m: ${w.read(v)})`, v.size * w.members.length);
};
export const reduceTime: Maker = (w) => {
  const v = w.source();
  const op = w.pick(['sum', 'mean', 'max', 'min', 'last']);
  w.note(`${op}-time`);
  const pooled = w.define({ ...v, time: false }, `${op}(t: ${w.read(v)})`, op === 'sum' ? 10 * v.size : v.size);
  if (w.chance(0.4)) w.define(pooled, `tanh(${w.read(pooled)})`, 1);
};
const timeInsideTime: Maker = (w) => {
  const v = w.source();
  w.note('time-inside-time');
  w.define(v, `${w.read(v)} - 0.5 * mean(t: ${w.read(v)})`, 1.5 * v.size);
};
const softmax: Maker = (w) => {
  const v = w.source();
  const [a] = v.axes as [string];
  w.note('softmax');
  if (v.modal && w.chance(0.5)) {
    const score = w.param(['m'], -1, 1);
    w.define({ ...v, modal: false }, `sum(m: softmax(m: ${score}) * ${w.read(v)})`, v.size);
  } else {
    w.define(v, `softmax(${a}: ${w.read(v)}) * size(${a})`, w.size(a));
  }
};
const normalise: Maker = (w) => {
  const v = w.source();
  const [a] = v.axes as [string];
  w.note('normalise');
  const mean = w.define({ ...v, axes: [] }, `mean(${a}: ${w.read(v)})`, v.size);
  const variance = w.define({ ...v, axes: [] }, `mean(${a}: (${w.read(v)} - ${w.read(mean)})^2)`, v.size ** 2);
  w.define(v, `(${w.read(v)} - ${w.read(mean)}) * rsqrt(${w.read(variance)} + 0.1)`, 3);
};
const shift: Maker = (w) => {
  const v = w.source();
  const offset = w.pick(['t - 1', 't - 3', 't + 1', 't + 2']);
  w.note(offset.includes('+') ? 'future-shift' : 'past-shift');
  w.define(v, `${w.read(v)} - 0.5 * ${w.read(v, { t: offset })}`, 1.5 * v.size);
};
const window: Maker = (w) => {
  const v = w.source();
  const k = w.axis('k', 5);
  const future = w.chance(0.2);
  w.note(future ? 'future-window' : 'window');
  const weights = w.weights([...w.perhapsModal(v), ...v.axes, k], k);
  const time = future ? `t + ${k}` : `t - size(${k}) + 1 + ${k}`;
  const sum = `sum(${k}: ${weights} * ${w.read(v, { t: time })})`;
  w.define(v, w.chance(0.5) ? `silu(${sum} + ${w.param(v.axes, -0.5, 0.5)})` : sum, 2 * v.size);
};
/** Positions other than a plain index: backwards, every other one, and steps further apart. */
const positions: Maker = (w) => {
  const v = w.source();
  const [a] = v.axes as [string];
  const kind = w.pick(['reverse', 'stride', 'dilate', 'slice']);
  w.note(kind);
  if (kind === 'reverse') {
    w.define(v, `0.5 * ${w.read(v)} + 0.5 * ${w.read(v, { [a]: `size(${a}) - 1 - ${a}` })}`, v.size);
  } else if (kind === 'dilate') {
    const k = w.axis('k', 4);
    const weights = w.weights([...v.axes, k], k);
    w.define(v, `sum(${k}: ${weights} * ${w.read(v, { t: `t - 2 * ${k}` })})`, 2 * v.size);
  } else {
    const half = w.name('q');
    w.sizes.set(half, Math.ceil(w.size(a) / 2));
    w.declarations.push(`axis ${half} = ${w.size(half)}`);
    w.define({ ...v, axes: [half] }, w.read(v, { [a]: kind === 'stride' ? `${w.size(a) % 2 ? '' : '1 + '}2 * ${half}` : `${half} + ${w.size(a) - w.size(half)}` }), v.size);
  }
};
/** A mixture of all steps with weights that sum to 1. */
const attention: Maker = (w) => {
  const v = w.source();
  const [a] = v.axes as [string];
  w.note('softmax-time');
  const score = w.define({ ...v, axes: [] }, `sum(${a}: ${w.param([a], -0.8, 0.8)} * ${w.read(v)})`, v.size);
  w.define({ ...v, time: false }, `sum(t: softmax(t: ${w.read(score)}) * ${w.read(v)})`, v.size);
};
/** All pairs of an axis with itself. */
const pairs: Maker = (w) => {
  const v = w.source();
  const [a] = v.axes as [string];
  const [i, j] = [w.second(a), w.second(a)];
  w.note('two-binders');
  const weights = w.param([i, j], -0.5, 0.5);
  w.define({ ...v, axes: [] }, `sum(${i}, ${j}: ${weights} * ${w.read(v, { [a]: i })} * ${w.read(v, { [a]: j })}) / size(${a})^2`, v.size ** 2);
};
/** A discretised transition (I − A/8)⁻¹(I + A/8), applied to the axis at each step. */
const inverse: Maker = (w) => {
  const v = w.source();
  const [a] = v.axes as [string];
  const [j, l] = [w.second(a), w.second(a)];
  w.note('inverse');
  const weights = w.param([a, j], -1, 1);
  const [base] = weights.split('[') as [string];
  const entry = (row: string, column: string, sign: string): string => `where(${row} == ${column}, ${sign === '-' ? w.size(a) : 1}, 0) ${sign} ${base}[${row}, ${column}] / 8`;
  const [inv, step] = [w.name('inv'), w.name('step')];
  w.lines.push(`${inv}[${a}, ${j}] = inverse(${a}, ${j}: ${entry(a, j, '-')})`);
  w.lines.push(`${step}[${a}, ${j}] = sum(${l}: ${inv}[${a}, ${l}] * (${entry(l, j, '+')}))`);
  w.equations += 2;
  w.define(v, `sum(${j}: ${step}[${a}, ${j}] * ${w.read(v, { [a]: j })}) * ${w.size(a)}`, 2 * v.size);
};
/** A block of the file's own, with an optional index and a choice, used once or in a repeat. */
const block: Maker = (w) => {
  const v = w.source();
  const name = `Gate${w.blocks.length + 1}`;
  const [a] = v.axes as [string];
  w.note('block');
  w.blocks.push(`block ${name}(x[t, m?, c], hidden = 3, gain = 0.5, kind = smooth | ramp | none) {
  axis h = hidden
  param up.weight[m, h, c] = uniform(-0.5, 0.5)
  param down.weight[m, c, h] = normal(0, 0.3)
  p[t, m, h] = sum(c: up.weight[m, h, c] * x[t, m, c])
  q[t, m, h] = match kind { smooth => tanh(p[t, m, h]), ramp => relu(p[t, m, h]), none => p[t, m, h] }
  output out[t, m, c] = gain * sum(h: down.weight[m, c, h] * q[t, m, h])
}
`);
  const options = `hidden = ${w.pick([String(w.random.integer(1, 7)), `size(${a}) + 1`])}, kind = ${w.pick(['smooth', 'ramp', 'none'])}`;
  const y = w.name('y');
  if (w.chance(0.5)) {
    w.note('repeat');
    w.lines.push(`${y} = 0.5 * ${v.name}`, `repeat ${w.random.integer(1, 3)} as layers${y} {\n  ${y} = ${y} + ${name}(${y}, ${options})\n}`);
  } else {
    w.lines.push(`${y} = ${v.name} - ${name}(${v.name}, ${options}, gain = ${w.number(0.1, 0.9)}) as ${w.pick(['_', `gate_${y}`])}`);
  }
  w.equations += 3;
  w.values.push({ ...v, name: y, size: 2 * v.size });
};
const bare: Maker = (w) => {
  const v = w.source();
  w.note('bare');
  const name = w.name('b');
  w.lines.push(`${name} = ${v.name} + 0.25 * tanh(${v.name})`);
  w.equations++;
  w.values.push({ ...v, name, size: v.size + 1 });
};
const library: Maker = (w) => {
  const v = w.tame(w.source());
  const [a] = v.axes as [string];
  const use = (block: string, options = '', shape: Omit<Value, 'name' | 'size'> = v): void => {
    w.note(`std-${block}`);
    w.imports.add(block);
    const y = w.name('y');
    w.lines.push(`${y} = ${block}(${v.name}${options}) as ${block.toLowerCase()}_${y}`);
    w.equations++;
    const result: Value = { ...shape, name: y, size: 4 };
    w.define(result, `0.5 * ${w.read(result)}`, 4);
  };
  const state = w.random.integer(1, 5);
  const plain = ['LayerNorm', 'RmsNorm', 'Linear', 'Mlp', 'Embed', 'Standardize', 'Mamba', 'Mamba', 'MaxPool', 'MeanPool', 'LastPool'];
  const kind = w.pick([...plain, ...(v.modal ? ['CoupledMamba', 'CoupledMamba', 'CoupledMamba', 'Fusion'] : [])]);
  switch (kind) {
    case 'Linear': return use(kind, `, out = size(${a})`);
    case 'Embed': return use(kind, `, width = size(${a})`);
    case 'Mlp': return use(kind, `, hidden = ${w.random.integer(1, 6)}, out = size(${a})`);
    case 'Mamba': return use(kind, `, state = ${state}, expand = ${w.random.integer(1, 2)}, kernel = ${w.random.integer(1, 5)}`);
    // With several modalities `sum` and `full` grow without bound.
    case 'CoupledMamba': return use(kind, `, state = ${state}, expand = 1, coupling = ${w.pick(['mean', 'softmax', 'none', ...(w.members.length === 1 ? ['sum', 'full'] : [])])}`);
    case 'MaxPool': case 'MeanPool': case 'LastPool': return use(kind, '', { ...v, time: false });
    case 'Fusion': return use(kind, '', { ...v, modal: false });
    default: return use(kind);
  }
};

export const makers: readonly Maker[] = [
  applyPointwise, applyPointwise, applyPointwise, applyPointwise, combine, contraction, contraction, indexValues, reduceAxis, reduceModalities, reduceTime, timeInsideTime, softmax,
  normalise, shift, window, window, positions, attention, pairs, inverse, block, bare, library, library,
];
