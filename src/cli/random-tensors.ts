/** Weights and inputs for commands that are given none. */
import { initialise } from '../interpreter/initialise.js';
import type { Fact, Program } from '../ir/program.js';
import type { Doubles } from './tensors.js';

/** Weights as a float32 file would hold them. */
export function randomWeights(program: Program, seed: number): Map<string, Doubles> {
  return new Map([...initialise(program, seed)].map(([n, t]) => [n, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
}
/** What is assumed of inputs, by the names of their tensors. */
function factsOfInputs(program: Program): ReadonlyMap<string, Fact> {
  return new Map(program.inputs.flatMap((port) => {
    const fact = program.definitions[port.def]?.fact;
    return fact ? port.tensors.map((t) => [t.name, fact] as const) : [];
  }));
}
/** From any number to one inside the interval: what a fact says of inputs is not to be broken by those made up here. */
function inside(x: number, { low, high }: Fact): number {
  if (low === -Infinity) return high - Math.exp(x) / 2;
  if (high === Infinity) return low + Math.exp(x) / 2;
  return low + (high - low) * (0.5 + 0.499 * x);
}
/** Of float32, inside the facts that the spec states of them. */
export function randomInputs(
  specs: readonly { readonly name: string; readonly time: boolean; readonly shape: readonly number[] }[], program: Program, batch: number, steps: number, seed: number): Map<string, Doubles> {
  const facts = factsOfInputs(program);
  let state = (seed * 2654435761 + 12345) >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13; state >>>= 0; state ^= state >>> 17; state ^= state << 5; state >>>= 0;
    return state / 2 ** 31 - 1;
  };
  return new Map(specs.map((s) => {
    const shape = [batch, ...(s.time ? [steps] : []), ...s.shape];
    const fact = facts.get(s.name);
    const draw = (): number => (fact ? inside(next(), fact) : next());
    return [s.name, { shape, data: Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.fround(draw())) }];
  }));
}
