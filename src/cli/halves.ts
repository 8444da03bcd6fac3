/** What a plain loop computes that stores in float16 or bfloat16: the interpreter, with every stored value rounded. Such storage is judged by it. */
import type { Definition, DefinitionId, Program } from '../ir/program.js';
import { elementsOf } from '../runtime/floats.js';
import { narrowed } from '../runtime/gpu/halves.js';
import type { Narrow } from '../runtime/manifest.js';

/** Every definition as soon as it is known; not outputs, and of states not what the recurrence itself reads. */
export function roundStored({ outputs }: Program, type: Narrow): (d: Definition, data: Float64Array) => void {
  const given = new Set<DefinitionId>(outputs.map((o) => o.def));
  return (d, data) => {
    if (!given.has(d.id)) roundNarrow(data, type);
  };
}
/** In place, to the nearest that the type has. */
export function roundNarrow(data: Float64Array, type: Narrow): void {
  data.set(elementsOf(type === 'f16' ? 'F16' : 'BF16', new Uint8Array(narrowed(Float32Array.from(data), type).buffer)) ?? []);
}

/** Half a unit in the last place: what a plain loop may lose by storing its result alone. */
const UNIT: Readonly<Record<Narrow, number>> = { f16: 2 ** -11, bf16: 2 ** -8 };
/** Twice the error of a plain loop that stores in this type. */
export const narrowLimit = (loop: number, type: Narrow): number => 2 * Math.max(loop, UNIT[type]);
