/** Makes small programs by hand, for tests that must not depend on the parser and the checker. */
import { affineConstant, affineOf, Builder, normalAffine } from '../../src/ir/builder.js';
import type { Affine, Axis, Definition, DefinitionId, Expr, Index, InputPort, Piece, Program, State, Type } from '../../src/ir/program.js';
import type { Tensor } from '../../src/interpreter/interpret.js';

const span = { file: 'test.ssm', start: 0, end: 0 };
type Position = Affine | Index | number;

export class ProgramMaker {
  readonly b = new Builder();
  readonly definitions: Definition[] = [];
  readonly #inputs: InputPort[] = [];
  readonly #outputs: { name: string; def: DefinitionId }[] = [];

  axis(name: string, size: number, more: Partial<Axis> = {}): Axis {
    return { name, size, ...more };
  }
  index(axis: Axis, governor?: Index): Index {
    return this.b.newIndex(axis.name, axis, governor);
  }
  input(name: string, time: boolean, indices: readonly Index[]): DefinitionId {
    const labels = indices.length > 1 ? indices[0]?.axis.labels : undefined;
    const shape = indices.map((i) => i.axis.size);
    const id = this.#add({ kind: 'input', ...this.#base(name, time, indices, 'real') });
    const tensors = labels
      ? labels.map((label, member) => ({ name: label, path: [label], member, shape: indices.slice(1).map((i) => i.axis.ragged?.sizes[member] ?? i.axis.size) }))
      : [{ name, path: [name], shape }];
    this.#inputs.push({ def: id, tensors });
    return id;
  }
  param(name: string, indices: readonly Index[], pieces?: readonly Piece[]): DefinitionId {
    const whole = [{ name, shape: indices.map((i) => i.axis.size) }];
    return this.#add({ kind: 'param', ...this.#base(name, false, indices, 'real'), pieces: pieces ?? whole });
  }
  /** The body sees the definition's own id, for states. */
  define(name: string, time: boolean, indices: readonly Index[], body: (self: DefinitionId) => Expr, more: { type?: Type; state?: State; output?: boolean } = {}): DefinitionId {
    const id = this.definitions.length as DefinitionId;
    this.definitions.push({ kind: 'input', ...this.#base(name, time, indices, more.type ?? 'real') });
    const base = { ...this.#base(name, time, indices, more.type ?? 'real'), id };
    this.definitions[id] = { kind: 'equation', ...base, body: body(id), ...(more.state ? { state: more.state } : {}) };
    if (more.output) this.#outputs.push({ name, def: id });
    return id;
  }
  inverse(name: string, matrix: DefinitionId, indices: readonly Index[], type: Type = 'real'): DefinitionId {
    return this.#add({ kind: 'inverse', ...this.#base(name, false, indices, type), matrix });
  }
  stack(name: string, time: boolean, indices: readonly Index[], parts: readonly DefinitionId[]): DefinitionId {
    return this.#add({ kind: 'stack', ...this.#base(name, time, indices, 'real'), parts });
  }
  /** `time` undefined: the definition has none. */
  read(def: DefinitionId, time: Affine | number | undefined, ...at: readonly Position[]): Expr {
    const offset = typeof time === 'number' ? affineConstant(time) : time;
    return this.b.read(def, this.definitions[def]?.type ?? 'real', at.map(position), offset);
  }
  output(def: DefinitionId): void {
    this.#outputs.push({ name: this.definitions[def]?.name ?? '', def });
  }
  sum(over: Index | 'time', body: Expr): Expr {
    return this.b.reduce('sum', over, body);
  }
  add(...terms: readonly Expr[]): Expr {
    return terms.reduce((x, y) => this.b.binary('add', x, y));
  }
  mul(...factors: readonly Expr[]): Expr {
    return factors.reduce((x, y) => this.b.binary('mul', x, y));
  }
  program(): Program {
    return { name: 'Test', definitions: this.definitions, inputs: this.#inputs, outputs: this.#outputs };
  }

  #base(name: string, time: boolean, indices: readonly Index[], type: Type) {
    return { id: this.definitions.length as DefinitionId, name, time, indices, type, span };
  }
  #add(d: Definition): DefinitionId {
    this.definitions.push(d);
    return d.id;
  }
}
const position = (p: Position): Affine => (typeof p === 'number' ? affineConstant(p) : 'axis' in p ? affineOf(p) : p);
/** constant + Σ coefficient · index */
export const affine = (constant: number, ...terms: readonly (readonly [Index, number])[]): Affine =>
  normalAffine({ constant, terms: terms.map(([index, coefficient]) => ({ index, coefficient })) });

/** A tensor whose elements are a smooth function of their position, different for each salt. */
export function wave(shape: readonly number[], salt: number, scale = 1): Tensor {
  const size = shape.reduce((x, y) => x * y, 1);
  return { shape, data: Float64Array.from({ length: size }, (_, k) => scale * Math.sin(1.7 * k + salt + Math.sin(k * k * 0.31 + salt))) };
}
/** Element of a row-major tensor. */
export function element(t: Tensor, ...at: readonly number[]): number {
  let place = 0;
  at.forEach((i, axis) => {
    if (i < 0 || i >= (t.shape[axis] ?? 0)) throw new RangeError(`position ${at.join()} in a tensor of shape ${t.shape.join()}`);
    place = place * (t.shape[axis] ?? 0) + i;
  });
  return t.data[place] ?? Number.NaN;
}
/** The largest difference between a tensor and a function of the position. */
export function worst(t: Tensor, expected: (...at: number[]) => number): number {
  let largest = 0;
  const strides = t.shape.map((_, axis) => t.shape.slice(axis + 1).reduce((x, y) => x * y, 1));
  t.data.forEach((value, k) => {
    const at = strides.map((stride, axis) => Math.floor(k / stride) % (t.shape[axis] ?? 1));
    const difference = Math.abs(value - expected(...at));
    if (!(difference <= largest)) largest = difference;
  });
  return largest;
}
