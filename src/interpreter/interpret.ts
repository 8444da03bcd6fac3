/**
 * The oracle: what a program means, computed in float64 by plain loops, one row of the batch after the other, each over its own
 * length. It shares nothing with the passes, so that a test of theirs against it can't repeat their mistake.
 */
import { dependencies, visitExpr } from '../ir/builder.js';
import type { Definition, DefinitionId, DefinitionOf, Program } from '../ir/program.js';
import { InterpretError } from './error.js';
import { Evaluator } from './evaluate.js';
import { inverseOf } from './matrix.js';
import { definitionOf, evaluationOrder, type Group } from './order.js';
import { agree, bindInput, bindParameter, sizes, stepSize, width, type BoundInput, type Tensor, type Tensors } from './tensors.js';

export type { Tensor, Tensors } from './tensors.js';
export { InterpretError } from './error.js';

export interface InterpretOptions {
  /** Steps of each row, from 1 to the inputs'. What stands beyond can't be seen in any result. */
  readonly lengths?: readonly number[];
  /** Names of definitions whose values are wanted too. */
  readonly trace?: readonly string[];
  /**
   * Sees every definition's values, [time?, indices...], when all of them are known and before others read them, and may round them in
   * place: what a loop computes that stores them in fewer bits. A recurrence has by then read its own as they were.
   */
  readonly stored?: (d: Definition, data: Float64Array) => void;
  /** Told now and then how much is done, from 0 to 1. */
  readonly progress?: (fraction: number) => void;
}
export interface Interpretation {
  readonly outputs: Map<string, Tensor>;
  readonly traces: Map<string, Tensor>;
}

/**
 * Weights under their stored names; inputs and outputs [batch, time, ...], or [batch, ...] without time. Outputs with time are 0
 * beyond a row's length. A complex result has a last axis of size 2. Throws InterpretError for missing or misshapen tensors and
 * for singular matrices under `inverse`.
 */
export function interpret(program: Program, weights: Tensors, inputs: Tensors, options: InterpretOptions = {}): Interpretation {
  const traced = (options.trace ?? []).map((name) => findTraced(program, name));
  const wanted = new Set([...program.outputs.map((o) => o.def), ...traced.map((d) => d.id)]);
  const groups = evaluationOrder(program, wanted);
  const bound = bindInputs(program, inputs);
  const { batch, steps, lengths } = extents(bound, options.lengths);

  const run = new Run(program, groups, bound, weights);
  const results = new Map([...wanted].map((id) => [id, emptyTensor(definitionOf(program, id), batch, steps)]));
  for (let row = 0; row < batch; row++) {
    if (options.stored) run.stored = options.stored;
    run.progress = (part) => options.progress?.((row + part) / batch);
    run.row(row, lengths[row] as number, (d, data) => results.get(d.id)?.data.set(data, row * (d.time ? steps : 1) * stepSize(d)));
  }
  const result = (id: DefinitionId): Tensor => results.get(id) as Tensor;
  return {
    outputs: new Map(program.outputs.map((o) => [o.name, result(o.def)])),
    traces: new Map(traced.map((d) => [d.name, result(d.id)])),
  };
}

function findTraced(program: Program, name: string): Definition {
  const found = program.definitions.find((d) => d.name === name);
  if (found) return found;
  const names = program.definitions.map((d) => d.name).filter((n) => !n.includes('#'));
  const close = names.filter((n) => n.endsWith(`.${name}`) || n.toLowerCase().includes(name.toLowerCase()));
  throw new InterpretError('input', `there is no definition \`${name}\`; there are ${(close.length > 0 ? close : names).slice(0, 20).join(', ')}${(close.length > 0 ? close : names).length > 20 ? ', …' : ''}`);
}

function bindInputs(program: Program, inputs: Tensors): ReadonlyMap<DefinitionId, BoundInput> {
  return new Map(program.inputs.map((port) => [port.def, bindInput(definitionOf(program, port.def), port, inputs)]));
}

/** Batch, steps and lengths, on which all inputs must agree. A program without inputs runs one row; without a timed input, the longest length counts. */
function extents(bound: ReadonlyMap<DefinitionId, BoundInput>, given: readonly number[] | undefined): { batch: number; steps: number; lengths: readonly number[] } {
  const all = [...bound.values()];
  const batch = all.length > 0 ? agree(all.map((i) => [i.name, i.batch]), 'batch') : (given?.length ?? 1);
  const timed = all.flatMap((i) => (i.steps === undefined ? [] : [[i.name, i.steps] as const]));
  const steps = timed.length > 0 ? agree(timed, 'steps') : Math.max(1, ...(given ?? []));
  const lengths = given ?? Array.from({ length: batch }, () => steps);
  if (steps < 1) throw new InterpretError('input', 'the inputs have no steps; at least 1 is needed');
  if (lengths.length !== batch) throw new InterpretError('input', `${lengths.length} lengths were given for a batch of ${batch}`);
  const wrong = lengths.find((n) => !Number.isInteger(n) || n < 1 || n > steps);
  if (wrong !== undefined) throw new InterpretError('input', `a length is ${wrong}, expected 1 to ${steps}`);
  return { batch, steps, lengths };
}

function emptyTensor(d: Definition, batch: number, steps: number): Tensor {
  const shape = [batch, ...(d.time ? [steps] : []), ...sizes(d), ...(d.type === 'complex' ? [2] : [])];
  return { shape, data: new Float64Array(batch * (d.time ? steps : 1) * stepSize(d)) };
}

/** A program with its closures made and its load-time values computed: rows can be run one after another. */
class Run {
  readonly #evaluator: Evaluator;
  readonly #loadTime: ReadonlySet<DefinitionId>;
  readonly #steps: readonly { readonly group: Group; readonly compute: (length: number) => void; readonly release: readonly DefinitionId[] }[];
  readonly #inputs: ReadonlyMap<DefinitionId, BoundInput>;
  #loaded = false;
  #row = 0;
  #group = 0;
  progress: (fraction: number) => void = () => undefined;
  stored: (d: Definition, data: Float64Array) => void = () => undefined;

  constructor(program: Program, groups: readonly Group[], inputs: ReadonlyMap<DefinitionId, BoundInput>, weights: Tensors) {
    this.#inputs = inputs;
    this.#evaluator = new Evaluator((id) => definitionOf(program, id));
    this.#loadTime = loadTime(groups);
    const lastReader = new Map<DefinitionId, Group>();
    for (const group of groups) for (const d of group.members) for (const id of [d.id, ...dependencies(d)]) lastReader.set(id, group);
    this.#steps = groups.map((group) => ({
      group,
      compute: this.#computation(program, group, weights),
      release: [...lastReader].flatMap(([id, last]) => (last === group && !this.#loadTime.has(id) ? [id] : [])),
    }));
  }

  /** `done` sees every definition's values, [time?, indices...] over the row's own length; they are dropped after their last reader. */
  row(row: number, length: number, done: (d: Definition, data: Float64Array) => void): void {
    const evaluator = this.#evaluator;
    this.#row = row;
    evaluator.length = length;
    for (const [at, { group, compute, release }] of this.#steps.entries()) {
      this.#group = at;
      this.progress(at / this.#steps.length);
      const fixed = group.members.every((d) => this.#loadTime.has(d.id));
      if (!fixed || !this.#loaded) {
        compute(length);
        for (const d of group.members) this.stored(d, evaluator.cell(d.id).data);
      }
      for (const d of group.members) done(d, evaluator.cell(d.id).data);
      for (const id of release) evaluator.cell(id).data = new Float64Array(0);
    }
    this.#loaded = true;
  }

  #computation(program: Program, group: Group, weights: Tensors): (length: number) => void {
    const evaluator = this.#evaluator;
    const [only] = group.members;
    if (group.direction || only?.kind === 'equation') return this.#equations(group);
    if (only === undefined) throw new InterpretError('program', 'a group without members');
    const cell = evaluator.cell(only.id);
    switch (only.kind) {
      case 'input': {
        const input = this.#inputs.get(only.id);
        if (!input) throw new InterpretError('program', `the input ${only.name} has no port`);
        return (length) => { cell.data = input.row(this.#row, length); };
      }
      case 'param': return () => { cell.data = bindParameter(only, weights); };
      case 'inverse': {
        const matrix = definitionOf(program, only.matrix);
        return () => { cell.data = inverseOf(only, matrix, evaluator.cell(matrix.id).data); };
      }
      case 'eigen': case 'draw': throw new InterpretError('program', `${only.name} is for initialisers`);
      case 'stack': {
        const parts = only.parts.map((id) => definitionOf(program, id));
        return (length) => { cell.data = stack(only, parts, parts.map((p) => evaluator.cell(p.id).data), length); };
      }
    }
  }

  /** All members at one step, then at the next; a definition alone needs no order of steps, and one without time has but one. */
  #equations(group: Group): (length: number) => void {
    const evaluator = this.#evaluator;
    const members = group.members.map((d) => {
      if (d.kind !== 'equation') throw new InterpretError('program', `${d.name} stands in a recurrence`);
      const initial = d.state?.initial;
      return {
        time: d.time,
        size: stepSize(d),
        cell: evaluator.cell(d.id),
        fill: evaluator.filler(d.indices, d.body, d.type === 'complex'),
        fillInitial: initial && evaluator.filler(d.indices, initial, d.type === 'complex'),
      };
    });
    return (length) => {
      for (const { time, size, cell, fillInitial } of members) {
        cell.data = new Float64Array(size * (time ? length : 1));
        cell.initial = fillInitial && new Float64Array(size);
        if (cell.initial) fillInitial?.(cell.initial, 0);
      }
      const steps = members.some((d) => d.time) ? length : 1;
      for (let step = 0; step < steps; step++) {
        const t = group.direction === 'backward' ? steps - 1 - step : step;
        evaluator.t = t;
        if (step % 16 === 15) this.progress((this.#group + step / steps) / this.#steps.length);
        for (const { size, cell, fill } of members) fill(cell.data, t * size);
      }
    };
  }
}

/** Definitions that need neither an input nor the length of the sequence. */
function loadTime(groups: readonly Group[]): ReadonlySet<DefinitionId> {
  const found = new Set<DefinitionId>();
  for (const { members } of groups) {
    const fixed = (d: Definition): boolean => d.kind !== 'input' && !d.time && !(d.kind === 'equation' && hasTimeReduction(d)) && [...dependencies(d)].every((id) => found.has(id));
    if (members.every(fixed)) for (const d of members) found.add(d.id);
  }
  return found;
}
function hasTimeReduction(d: DefinitionOf<'equation'>): boolean {
  let found = false;
  visitExpr(d.body, (e) => { found ||= e.kind === 'reduce' && e.over === 'time'; });
  return found;
}

/** def[m, rest] = parts[m][rest]; a part smaller than the whole's padded axes fills their beginning. */
function stack(d: Definition, parts: readonly Definition[], data: readonly Float64Array[], length: number): Float64Array {
  const [count, ...rest] = sizes(d);
  if (count !== parts.length) throw new InterpretError('program', `${d.name} stacks ${parts.length} parts on an axis of ${count}`);
  const numbers = width(d);
  const size = stepSize(d);
  const result = new Float64Array(size * (d.time ? length : 1));
  parts.forEach((part, m) => {
    const shape = sizes(part);
    const own = stepSize(part);
    for (let t = 0; t < (d.time ? length : 1); t++) {
      for (let k = 0; k < own / width(part); k++) {
        const place = t * size + (m * (size / numbers / parts.length) + replace(k, shape, rest)) * numbers;
        for (let p = 0; p < width(part); p++) result[place + p] = data[m]?.[(part.time ? t : 0) * own + k * width(part) + p] as number;
      }
    }
  });
  return result;
}
/** Element k of an array of shape `from`, as an element of one of shape `to`. */
function replace(k: number, from: readonly number[], to: readonly number[]): number {
  let place = 0;
  let stride = 1;
  let rest = k;
  for (let axis = from.length - 1; axis >= 0; axis--) {
    place += (rest % (from[axis] as number)) * stride;
    rest = Math.floor(rest / (from[axis] as number));
    stride *= to[axis] as number;
  }
  return place;
}
