/**
 * How long a stage takes at least on a machine (Williams et al. 2009): as long as memory takes for its bytes, or as its arithmetic and
 * exponentials take. Figures of a machine are peaks; nothing is measured here.
 */
export interface RooflineMachine {
  readonly name: string;
  readonly title: string;
  /** Additions and multiplications a second. */
  readonly operations: number;
  /** Exponentials and logarithms a second. */
  readonly exponentials: number;
  /** Bytes a second between memory and the processor. */
  readonly bandwidth: number;
}
export const machines: readonly RooflineMachine[] = [
  { name: 'core', title: 'one core with 128-bit vectors, no FMA (60 G operations/s, 2 G exponentials/s, 20 GB/s)', operations: 60e9, exponentials: 2e9, bandwidth: 20e9 },
  { name: 'laptop', title: 'a graphics processor that shares its memory (2.6 T operations/s, 160 G exponentials/s, 100 GB/s)', operations: 2.6e12, exponentials: 160e9, bandwidth: 100e9 },
  { name: 'h100', title: 'NVIDIA H100 SXM (67 T operations/s, 4 T exponentials/s, 3.35 TB/s)', operations: 67e12, exponentials: 4e12, bandwidth: 3.35e12 },
];

export interface Work {
  readonly bytes: number;
  readonly arithmetic: number;
  readonly exponentials: number;
}
export interface Roof {
  /** Seconds. */
  readonly memory: number;
  readonly arithmetic: number;
  readonly exponentials: number;
  /** The larger of memory's and the others' sum. */
  readonly least: number;
  readonly bound: 'memory' | 'arithmetic' | 'exponentials';
}
export function roofOf({ bytes, arithmetic, exponentials }: Work, machine: RooflineMachine): Roof {
  const memory = bytes / machine.bandwidth;
  const plain = arithmetic / machine.operations;
  const functions = exponentials / machine.exponentials;
  const bound = memory >= plain + functions ? 'memory' : functions > plain ? 'exponentials' : 'arithmetic';
  return { memory, arithmetic: plain, exponentials: functions, least: Math.max(memory, plain + functions), bound };
}
/** Exponentials counted as the operations that the machine does in the time. */
export const operationsOf = ({ arithmetic, exponentials }: Work, machine: RooflineMachine): number => arithmetic + exponentials * (machine.operations / machine.exponentials);
