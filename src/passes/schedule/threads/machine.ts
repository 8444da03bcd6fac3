/** What a machine with threads can do, as far as kernels are shaped by it. */
import type { Narrow } from '../../../ir/kernel.js';

export interface Threads {
  /** Threads of a group at most. */
  readonly perGroup: number;
  /** Bytes of memory that a group may share. */
  readonly shared: number;
  /** Bytes of it that a group takes unless it needs more: what it costs to have them, against the barriers that they save. */
  readonly sharedWorth: number;
  /** The same for a tile of a scan's steps: at a barrier there a thread holds its states and all that it knows of them. */
  readonly tileWorth: number;
  /** Threads that have to run at once to fill the machine. */
  readonly toFill: number;
  /** Some devices of its kind are CPUs that play one: few threads fill them, and they say so when they are opened. */
  readonly maybeFew: boolean;
  /** Neighbouring threads that can hand each other registers; 1: none. */
  readonly exchange: number;
  /** One load brings four numbers that lie side by side at a multiple of four. */
  readonly wide: boolean;
  /** A group's memory can be filled while its threads compute. */
  readonly copies: boolean;
  /** Matrices of 16 × 16 of these types can be multiplied by the threads of a warp together, with sums in float32. */
  readonly tensor?: readonly Narrow[];
  /** Copies of a loop's body that are worth their compile time. */
  readonly unroll: number;
}
