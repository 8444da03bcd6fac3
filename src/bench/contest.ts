/**
 * What a benchmark is made of: contests, and the contestants that do the same work side by side. Who is absent says why; who is
 * present is checked against float64 before any clock starts. What is not a race (sizes, the time of a compile) is a sheet of figures.
 */
import type { RoundOptions } from './rounds.js';

export interface Contestant {
  readonly name: string;
  /** Sets up outside the clock: builds, loads, packs weights. Throws `Unavailable` where its tools are missing. */
  prepare(): Promise<Ready>;
}
export interface Ready {
  /** One pass over the work. Milliseconds, where the contestant runs in a process of its own and reads its own clock. */
  run(): number | void | Promise<number | void>;
  /** Normwise error of what `run` computes: max|y − y64| / max|y64|. Called before the first timed run. */
  error?(): number | Promise<number>;
  close?(): void | Promise<void>;
  /** Of the device that it runs on, where its driver tells. */
  readonly limits?: DeviceLimits;
}
/** What a device could do at most. */
export interface DeviceLimits {
  readonly name: string;
  readonly bytesPerSecond: number;
  readonly exponentialsPerSecond: number;
}
/** What any way to do a contest's work must do. */
export interface Work {
  /** To move, at least: inputs, outputs and weights once. */
  readonly bytes: number;
  readonly exponentials: number;
}

/** A peer that can't take part here: no compiler, no PyTorch. The message says so. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}

/** `peer`'s time over `ours` must be at least this. A value below 1 allows us to be that much slower. */
export interface Goal {
  readonly peer: string;
  readonly ours: string;
  readonly atLeast: number;
}
export interface Contest {
  /** `scan/r1`: what the command line names, whole or by its first part. */
  readonly name: string;
  readonly title: string;
  readonly contestants: readonly Contestant[];
  /** Ratios are to this contestant's time. */
  readonly ours: string;
  readonly goals: readonly Goal[];
  /** Floating-point operations of a run, where GFLOP/s mean something. */
  readonly flops?: number;
  /** Where bytes and exponentials a second mean something. */
  readonly work?: Work;
  /** Normwise errors above this disqualify. */
  readonly tolerance?: number;
  /** What is timed, and what a reader must know to judge it. */
  readonly notes?: readonly string[];
}

export interface Row {
  readonly name: string;
  /** Minimum over rounds. Absent when skipped. */
  readonly ms?: number;
  /** This row's time over ours. */
  readonly ratio?: number;
  readonly error?: number;
  readonly gflops?: number;
  readonly bytesPerSecond?: number;
  readonly exponentialsPerSecond?: number;
  readonly skipped?: string;
}
export interface GoalResult {
  readonly text: string;
  readonly want: number;
  readonly got?: number;
  readonly met?: boolean;
}
export interface ContestResult {
  readonly kind: 'contest';
  readonly name: string;
  readonly title: string;
  readonly rounds: number;
  /** Where a contestant's device tells. */
  readonly device?: DeviceLimits;
  readonly rows: readonly Row[];
  readonly goals: readonly GoalResult[];
  readonly notes: readonly string[];
}

export interface Figure {
  readonly name: string;
  readonly value?: number;
  readonly unit: 's' | 'KB' | 'MB' | '%' | 'times';
  /** Goals: absent where the figure stands beside another. */
  readonly atMost?: number;
  readonly atLeast?: number;
  /** What the figure is beside, or why it is absent. */
  readonly remark?: string;
}
export interface FigureSheet {
  readonly kind: 'figures';
  readonly name: string;
  readonly title: string;
  readonly figures: readonly Figure[];
  readonly notes: readonly string[];
}
export type Result = ContestResult | FigureSheet;

export const metBy = (f: Figure): boolean | undefined =>
  f.value === undefined || (f.atMost ?? f.atLeast) === undefined ? undefined : f.value <= (f.atMost ?? Infinity) && f.value >= (f.atLeast ?? -Infinity);

/** What can be asked for by name. */
export interface Bench {
  readonly name: string;
  readonly title: string;
  /** What ours runs on, where that isn't the processor. */
  readonly device?: 'webgpu' | 'cuda';
  readonly run: (options: RoundOptions) => Promise<readonly Result[]>;
}
