/**
 * StageGraph: what runs together. A stage computes its items for every point of its domain; it is one kernel. Items that are
 * neither stored nor kept live in registers.
 */
import type { DefinitionId, Expr, Index, Program } from './program.js';

/** One definition inside a stage, its indices split in those of the domain (substituted by the stage's) and its own inner ones. */
export interface Item {
  readonly def: DefinitionId;
  /** Stage index, per index of the definition; an inner index stands for itself. */
  readonly indices: readonly Index[];
  readonly inner: readonly Index[];
  readonly body: Expr;
}

/** A value kept from step to step in carry memory. `depth` is how many past steps are read. */
export interface KeptState {
  readonly def: DefinitionId;
  readonly depth: number;
  readonly initial?: Expr;
  /** New values may overwrite old ones as they are made: each is read only where it is rewritten. */
  readonly inPlace: boolean;
}
/** acc = op(acc, value of the item) per step: a reduction over time. */
export interface Accumulator {
  readonly def: DefinitionId;
  readonly op: 'sum' | 'max' | 'min' | 'last';
}

/** load: once, float64. begin: at the start of a sequence. step: per tile of steps. finish: when the answer is wanted. */
export type Phase = 'load' | 'begin' | 'step' | 'finish';
export type Strategy = 'serial' | 'chunked' | 'convolution' | 'step';

/** A definition, and the index that each of its own stands for. */
export interface Placed {
  readonly def: DefinitionId;
  readonly at: readonly Index[];
}
/** A load-time coefficient between a row and a column: slots of the state vector, signals, readouts. */
export interface Coefficient extends Placed {
  readonly row: number;
  readonly column: number;
}
/**
 * A recurrence as a convolution: v_t = T·v_{t−1} + b·x_t, r_t = c·v_{t−1} + d·x_t, over a domain of channels; t + 1 for t − 1 if it runs backward. Slots are parts of the state
 * vector v that lie along `elementwise` and mix along axes of their own, named `mixing` as rows of T and `columns` as columns.
 */
export interface Convolved {
  /** Steps of the sequence, from its first (its last, if it runs backward), that the kernels are made for. */
  readonly length: number;
  /** From the sequence's last step to its first. */
  readonly backward: boolean;
  /** The sequence comes as one tile, however long it is: what is longer than the kernels is run by states. */
  readonly whole: boolean;
  readonly domain: readonly Index[];
  readonly elementwise: readonly Index[];
  readonly slots: readonly { readonly mixing: readonly Index[]; readonly columns: readonly Index[] }[];
  /** x, over indices of its own and the domain's: its kernels compute it where they read it. */
  readonly sources: readonly { readonly x: Expr; readonly own: readonly Index[] }[];
  /** r, over its own indices and then the domain's: a definition to read, which is nowhere but in its kernels. */
  readonly readouts: readonly { readonly def: DefinitionId; readonly own: readonly Index[] }[];
  /** What is stored: of readouts, and of anything else at the step. */
  readonly items: readonly Item[];
  readonly transition: readonly Coefficient[];
  /** v before the first step, slot by slot; none where it is 0. */
  readonly initial: readonly Coefficient[];
  readonly drive: readonly Coefficient[];
  readonly readout: readonly Coefficient[];
  readonly through: readonly Coefficient[];
}

export interface Stage {
  readonly name: string;
  readonly anchor: 'contraction' | 'scan' | 'reduction' | 'pointwise' | 'time-reduction';
  readonly phase: Phase;
  /** Rows in any order, or steps in the order of time within a sequence. */
  readonly order: 'flat' | 'forward' | 'backward';
  readonly domain: readonly Index[];
  readonly items: readonly Item[];
  readonly stored: ReadonlySet<DefinitionId>;
  readonly states: readonly KeptState[];
  readonly accumulators: readonly Accumulator[];
  /** How its recurrence is run, and why; absent where there is none. */
  readonly strategy?: {
    readonly name: Strategy;
    readonly why: string;
    /** On devices that few threads fill it is run in the order of time all the same. */
    readonly fewSerial?: boolean;
    /** The other ways to run it: whether they are possible, and what speaks against them. */
    readonly weighed?: readonly { readonly name: Strategy; readonly possible: boolean; readonly why: string }[];
  };
  /** Run as a convolution at the start of a sequence that is given whole; by its states elsewhere. */
  readonly convolved?: Convolved;
  /** Of a chunked recurrence whose transition is known at load, what a whole chunk multiplies its states by, less 1, in two parts: over its row and column and these. */
  readonly power?: { readonly high: DefinitionId; readonly low: DefinitionId; readonly at: readonly Index[] };
}

export interface StageGraph {
  readonly program: Program;
  /** In an order that satisfies all dependencies, phase by phase. */
  readonly stages: readonly Stage[];
  /** Why time can't be cut into tiles, if it can't. */
  readonly wholeSequence?: string;
  /** Steps of the past that a definition stored in rows is read at, by later stages: kept between tiles. */
  readonly history: ReadonlyMap<DefinitionId, number>;
}
