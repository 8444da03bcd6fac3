/** What a plain loop computes that stores in float16: the interpreter, with every stored value rounded. float16 storage is judged by it. */
import type { Definition, DefinitionId, Program } from '../ir/program.js';
import { elementsOf } from '../runtime/floats.js';
import { halves } from '../runtime/gpu/halves.js';

/** Every definition as soon as it is known; not outputs, and of states not what the recurrence itself reads. */
export function roundStored({ outputs }: Program): (d: Definition, data: Float64Array) => void {
  const given = new Set<DefinitionId>(outputs.map((o) => o.def));
  return (d, data) => {
    if (!given.has(d.id)) roundHalves(data);
  };
}
/** In place, to the nearest float16. */
export function roundHalves(data: Float64Array): void {
  data.set(elementsOf('F16', new Uint8Array(halves(Float32Array.from(data)).buffer)) ?? []);
}

/** Half a unit in float16's last place: what a plain loop may lose by storing its result alone. */
const UNIT = 2 ** -11;
/** Twice the error of a plain loop that stores in float16. */
export const halfLimit = (loop: number): number => 2 * Math.max(loop, UNIT);
