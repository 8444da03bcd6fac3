/** Moving elements between tensors and the strided places that the manifest gives them. */
import type { Placement } from './manifest.js';

type Floats = Float32Array | Float64Array;

/**
 * `count` rows of the tensor `data`, from element `from`, into rows of `row` elements of `floats` that begin at `at`; `out`: the way back.
 */
export function move(out: boolean, floats: Floats, at: number, row: number, place: Placement, data: Floats, from: number, count: number): void {
  const { runs, length, stride } = place;
  const size = runs * length;
  const [target, source] = out ? [data, floats] : [floats, data];
  const copy = (here: number, there: number, n: number): void => {
    const to = out ? there : here;
    const first = out ? here : there;
    if (n > 32) target.set(source.subarray(first, first + n), to);
    else for (let i = 0; i < n; i++) target[to + i] = source[first + i] as number;
  };
  const base = at + place.offset;
  if (size === row && (runs === 1 || stride === length)) copy(base, from, count * size);
  else for (let i = 0; i < count; i++) for (let r = 0; r < runs; r++) copy(base + i * row + r * stride, from + i * size + r * length, length);
}
