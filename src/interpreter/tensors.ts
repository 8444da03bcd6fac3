/**
 * Between tensors as users hand them in and the arrays that definitions are evaluated in: dense [indices...], a ragged axis padded
 * with zeros to its largest size, a complex element as two numbers.
 */
import type { Axis, Definition, DefinitionOf, InputPort } from '../ir/program.js';
import { InterpretError } from './error.js';

export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}
export type Tensors = ReadonlyMap<string, Tensor>;

/** Numbers per element. */
export const width = (d: Definition): number => (d.type === 'complex' ? 2 : 1);
export const sizes = (d: Definition): readonly number[] => d.indices.map((i) => i.axis.size);
export const product = (factors: readonly number[]): number => factors.reduce((a, b) => a * b, 1);
/** Numbers of one step. */
export const stepSize = (d: Definition): number => product(sizes(d)) * width(d);

/** The number of members of an axis where its governing index has the given value. */
export function extent(axis: Axis, governor: number | undefined): number {
  return axis.ragged && governor !== undefined ? (axis.ragged.sizes[governor] ?? 0) : axis.size;
}

/** The position among a definition's indices that a tensor for one member leaves out: its first modalities axis. */
function memberPosition(d: Definition): number {
  const found = d.indices.findIndex((i) => i.axis.labels !== undefined);
  if (found < 0) throw new InterpretError('program', `${d.name} is split by member but has no modalities axis`);
  return found;
}

interface Part {
  readonly name: string;
  readonly member?: number;
}
/** Sizes of a part's own axes, the member's ragged sizes put in. */
export function partShape(d: Definition, part: Part): readonly number[] {
  if (part.member === undefined) return sizes(d);
  const split = memberPosition(d);
  const governing = d.indices[split];
  return d.indices.flatMap((i, k) => (k === split ? [] : [extent(i.axis, i.governor && i.governor === governing ? part.member : undefined)]));
}
/** Where in the definition's dense array element k of the part lies, in order of k. */
export function partPlaces(d: Definition, part: Part): Int32Array {
  const full = sizes(d);
  const split = part.member === undefined ? -1 : memberPosition(d);
  const shape = partShape(d, part);
  const places = new Int32Array(product(shape));
  const at = shape.map(() => 0);
  for (let k = 0; k < places.length; k++) {
    let place = 0;
    let own = 0;
    full.forEach((size, axis) => { place = place * size + (axis === split ? (part.member ?? 0) : (at[own++] ?? 0)); });
    places[k] = place;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (at[axis] ?? 0) + 1;
      at[axis] = next < (shape[axis] ?? 0) ? next : 0;
      if (at[axis] !== 0) break;
    }
  }
  return places;
}

function fetch(tensors: Tensors, name: string, fault: 'weight' | 'input'): Tensor {
  const found = tensors.get(name);
  if (!found) throw new InterpretError(fault, `the ${fault} ${name} is missing; given are ${[...tensors.keys()].join(', ') || 'none'}`);
  if (product(found.shape) !== found.data.length) throw new InterpretError(fault, `the ${fault} ${name} of shape [${found.shape.join(', ')}] has ${found.data.length} elements`);
  return found;
}

/** A parameter as one dense array. Axes of size 1 in the file don't count. */
export function bindParameter(d: DefinitionOf<'param'>, weights: Tensors): Float64Array {
  const array = new Float64Array(stepSize(d));
  for (const piece of d.pieces) {
    const tensor = fetch(weights, piece.name, 'weight');
    const squeeze = (shape: readonly number[]): string => shape.filter((n) => n !== 1).join(', ');
    if (squeeze(tensor.shape) !== squeeze(partShape(d, piece))) {
      throw new InterpretError('weight', `the weight ${piece.name} has shape [${tensor.shape.join(', ')}], expected [${partShape(d, piece).join(', ')}]`);
    }
    partPlaces(d, piece).forEach((place, k) => { array[place] = tensor.data[k] ?? 0; });
  }
  return array;
}

/** An input with its tensors found and their shapes held against each other; `row` gives one row of the batch as a dense array. */
export interface BoundInput {
  /** Of its first tensor, for messages. */
  readonly name: string;
  readonly batch: number;
  readonly steps: number | undefined;
  readonly row: (row: number, length: number) => Float64Array;
}
export function bindInput(d: Definition, port: InputPort, inputs: Tensors): BoundInput {
  const rank = d.time ? 2 : 1;
  const parts = port.tensors.map((part) => {
    const tensor = fetch(inputs, part.name, 'input');
    const want = [d.time ? 'batch, time' : 'batch', ...partShape(d, part)].join(', ');
    if (tensor.shape.slice(rank).join() !== partShape(d, part).join() || tensor.shape.length < rank) {
      throw new InterpretError('input', `the input ${part.name} has shape [${tensor.shape.join(', ')}], expected [${want}]`);
    }
    return { name: part.name, tensor, places: partPlaces(d, part) };
  });
  const batch = agree(parts.map((p) => [p.name, p.tensor.shape[0] ?? 0]), 'batch');
  const steps = d.time ? agree(parts.map((p) => [p.name, p.tensor.shape[1] ?? 0]), 'steps') : undefined;
  const size = stepSize(d);
  const row = (b: number, length: number): Float64Array => {
    const array = new Float64Array((d.time ? length : 1) * size);
    for (const { tensor, places } of parts) {
      for (let t = 0; t < (d.time ? length : 1); t++) {
        const from = (b * (steps ?? 1) + t) * places.length;
        for (let k = 0; k < places.length; k++) array[t * size + (places[k] as number)] = tensor.data[from + k] as number;
      }
    }
    return array;
  };
  return { name: parts[0]?.name ?? d.name, batch, steps, row };
}

/** The one value that all give, else an error that names two which differ. */
export function agree(given: readonly (readonly [name: string, value: number])[], what: string): number {
  const [first] = given;
  if (!first) throw new InterpretError('program', `nothing gives the number of ${what}`);
  const other = given.find(([, value]) => value !== first[1]);
  if (other) throw new InterpretError('input', `the input ${first[0]} has ${what} ${first[1]}, the input ${other[0]} ${other[1]}`);
  return first[1];
}
