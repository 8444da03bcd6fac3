/** Moving elements between tensors and the strided places that the manifest gives them. */
import type { Placement } from './manifest.js';

type Floats = Float32Array | Float64Array;

/** `count` rows of the tensor `source`, from element `from`, into rows of `row` elements that begin at `at`. */
export function scatter(target: Floats, at: number, row: number, place: Placement, source: Floats, from: number, count: number): void {
  const size = place.runs * place.length;
  const base = at + place.offset;
  if (size === row && dense(place)) return target.set(source.subarray(from, from + count * size), base);
  for (let i = 0; i < count; i++) {
    for (let r = 0; r < place.runs; r++) copy(target, base + i * row + r * place.stride, source, from + i * size + r * place.length, place.length);
  }
}

/** The way back. */
export function gather(target: Floats, to: number, source: Floats, at: number, row: number, place: Placement, count: number): void {
  const size = place.runs * place.length;
  const base = at + place.offset;
  if (size === row && dense(place)) return target.set(source.subarray(base, base + count * size), to);
  for (let i = 0; i < count; i++) {
    for (let r = 0; r < place.runs; r++) copy(target, to + i * size + r * place.length, source, base + i * row + r * place.stride, place.length);
  }
}

const dense = (p: Placement): boolean => p.runs === 1 || p.stride === p.length;

function copy(target: Floats, to: number, source: Floats, from: number, length: number): void {
  if (length > 32) target.set(source.subarray(from, from + length), to);
  else for (let i = 0; i < length; i++) target[to + i] = source[from + i] as number;
}
