/**
 * Kernel: a small SPMD language. Every float register holds one value per lane of the machine (`lanes` of them); integers are
 * uniform, and used for loops and addresses only. A loop with `lanes` true advances by the number of lanes, its variable being the
 * value in lane 0: wasm maps it onto v128, a GPU onto neighbouring threads. Values are trees; sharing is explicit, by `let`.
 */

/** Integer expressions: uniform. Element indices, loop bounds, conditions. */
export type Int =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'ivar'; readonly name: string }
  | { readonly kind: 'iadd'; readonly terms: readonly Int[] }
  | { readonly kind: 'imul'; readonly factors: readonly Int[] }
  | { readonly kind: 'imin' | 'imax'; readonly left: Int; readonly right: Int }
  /** Floor division and remainder by a positive constant. */
  | { readonly kind: 'idiv' | 'imod'; readonly left: Int; readonly by: number }
  | { readonly kind: 'iselect'; readonly cond: Cond; readonly then: Int; readonly else: Int }
  /** An element of an i32 buffer. */
  | { readonly kind: 'iload'; readonly buffer: string; readonly at: Int };
export type Cond =
  | { readonly kind: 'icompare'; readonly op: 'lt' | 'le' | 'eq' | 'ne'; readonly left: Int; readonly right: Int }
  | { readonly kind: 'iand' | 'ior'; readonly left: Cond; readonly right: Cond }
  /**
   * A mask holds in every lane of the machine's registers; of a machine whose lanes are threads, in each thread for itself. Estimates take it to
   * hold, or, if it is `rare`, not to.
   */
  | { readonly kind: 'all'; readonly mask: Value; readonly rare?: true };

export type KernelUnary =
  | 'neg' | 'abs' | 'sqrt' | 'floor' | 'ceil'
  /** Full range, within 3 ulp, NaN and infinities kept, gradual underflow. */
  | 'exp' | 'exp2' | 'expm1' | 'exp2m1' | 'log' | 'log1p' | 'sin' | 'cos' | 'tanh' | 'sigmoid' | 'silu' | 'softplus' | 'gelu' | 'rsqrt'
  /** Arguments at most 0 (proved), results below 2^-100 are 0: the decay of a scan. exp2m1_decay(x) = 2^x - 1, relative accuracy, same range. */
  | 'exp2_decay' | 'exp2m1_decay'
  /** Of masks. */
  | 'not';
export type KernelBinary = 'add' | 'sub' | 'mul' | 'div' | 'min' | 'max' | 'lt' | 'le' | 'eq' | 'ne' | 'and' | 'or';

/** Float (or mask, from comparisons) values, one per lane. */
export type Value =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'reg'; readonly name: string }
  /**
   * `at` is an element index. 'uniform': one element, the same in all lanes. 'vector': lane l reads at + l. A gather: lane l reads
   * at + stride·min(l, last).
   */
  | { readonly kind: 'load'; readonly buffer: string; readonly at: Int; readonly access: 'uniform' | 'vector' | { readonly stride: Int; readonly last: Int } }
  | { readonly kind: 'unary'; readonly op: KernelUnary; readonly arg: Value }
  | { readonly kind: 'binary'; readonly op: KernelBinary; readonly left: Value; readonly right: Value }
  | { readonly kind: 'select'; readonly cond: Value; readonly then: Value; readonly else: Value }
  /** left·right + plus: fused where the machine says so, else two roundings. */
  | { readonly kind: 'muladd'; readonly left: Value; readonly right: Value; readonly plus: Value }
  /**
   * 2^exponent·state + plus, exponent at most 0 (proved): one step of a decay. Where 2^exponent is near 1 the error is relative to the
   * change, (2^exponent − 1)·state + plus, but for the rounding of the result. `bounded`: the exponent is at least −126 here.
   */
  | { readonly kind: 'decay'; readonly exponent: Value; readonly state: Value; readonly plus: Value; readonly bounded?: boolean }
  /** 0, 1, 2, 3: the number of the lane. */
  | { readonly kind: 'lane' }
  | { readonly kind: 'from-int'; readonly value: Int }
  /** A boolean of integers as a mask, the same in all lanes. */
  | { readonly kind: 'from-cond'; readonly cond: Cond }
  /** Over the first `count` lanes (more than the machine's lanes means all); the result is uniform. Order: pairwise, fixed. */
  | { readonly kind: 'reduce-lanes'; readonly op: 'sum' | 'max' | 'min'; readonly arg: Value; readonly count: Int }
  /** Lane `lane` of arg, in all lanes. */
  | { readonly kind: 'lane-of'; readonly arg: Value; readonly lane: Int };
export type ValueOf<K extends Value['kind']> = Extract<Value, { kind: K }>;

export type Stmt =
  /**
   * for (var = from; step > 0 ? var < to : var > to; var += step). `lanes` loops step by the machine's lanes. `parallel`: iterations are independent.
   * `unroll`: a few rounds, which a compiler does best to write out.
   */
  | {
      readonly kind: 'for'; readonly name: string; readonly from: Int; readonly to: Int; readonly step: number;
      readonly lanes?: boolean; readonly parallel?: boolean; readonly unroll?: boolean; readonly body: readonly Stmt[];
    }
  | { readonly kind: 'int'; readonly name: string; readonly value: Int }
  /** Defined once; in scope until the end of the enclosing list. */
  | { readonly kind: 'let'; readonly name: string; readonly value: Value }
  /** A mutable register, and its assignment. */
  | { readonly kind: 'var'; readonly name: string; readonly value: Value }
  | { readonly kind: 'set'; readonly name: string; readonly value: Value }
  /** 'vector' writes all lanes at at..at+lanes-1; 'one' writes lane 0, in memory of the thread or the group every thread; a number of lanes writes the first `count` (at least 1), `stride` elements apart. */
  /** `second`: what stands at at + 1, `at` being even: the two share a word. `where`: threads for which it holds write, but all of a group come here. */
  | {
      readonly kind: 'store'; readonly buffer: string; readonly at: Int; readonly value: Value; readonly second?: Value; readonly where?: Cond;
      readonly lanes: 'vector' | 'one' | { readonly count: Int; readonly stride?: number };
    }
  | { readonly kind: 'if'; readonly cond: Cond; readonly then: readonly Stmt[]; readonly else: readonly Stmt[] }
  /** All threads of the group have come here, and see what the others wrote to the group's memory. */
  | { readonly kind: 'barrier' }
  /**
   * `width` elements (of 4 or 16 bytes together, whose places are both multiples of it) of a buffer to the group's memory, without waiting: they
   * have come when this thread has awaited them, and others see them after a barrier. Copies are awaited in groups, which `commit` closes. Elements of
   * two bytes are copied as they are, `count` of them: the rest is 0.
   */
  | { readonly kind: 'copy'; readonly memory: string; readonly at: Int; readonly buffer: string; readonly from: Int; readonly width: 1 | 2 | 4 | 8; readonly count?: Int }
  | { readonly kind: 'commit' }
  /** All of this thread's groups have come but the last `pending`. */
  | { readonly kind: 'await'; readonly pending: number }
  /**
   * Products of matrices of 16 × 16 by the 32 threads of a warp, which all come here: sums[i][j] += row tile i · column tile j, in float32. `row`
   * tiles lie row by row, `column` tiles member by member of the reduced axis, in a group's memory of two bytes an element. Thread 4g + q of a warp holds of each sum,
   * in eight registers, the elements (g, 2q), (g, 2q + 1), (g + 8, 2q), (g + 8, 2q + 1) and the same four of the columns from 8 on. An element's sum doesn't
   * depend on the others, nor on where it stands in a tile.
   */
  | { readonly kind: 'multiply'; readonly sums: readonly (readonly (readonly string[])[])[]; readonly row: Tiles; readonly column: Tiles }
  | { readonly kind: 'comment'; readonly text: string };

/** Tiles of a group's memory: where each begins, and the elements from one of its lines to the next. */
export interface Tiles {
  readonly memory: string;
  readonly at: readonly Int[];
  readonly stride: number;
}

/** What run-time values are stored as; registers are float32. */
export type Stored = 'f32' | 'f16' | 'bf16';
/** Of two bytes: float32 is rounded to it when it is stored. */
export type Narrow = Exclude<Stored, 'f32'>;
export const isNarrow = (element: BufferParameter['element']): element is Narrow => element === 'f16' || element === 'bf16';
/**
 * What a machine can store beside float32; `together`: elements that one thread must write at once, since they share a word; `side`: lines of some
 * length begin at multiples of so many, for copies of as many.
 */
export type StorageTypes = Readonly<Partial<Record<Narrow, { readonly together: 1 | 2; readonly side?: number }>>>;
export interface BufferParameter {
  readonly kind: 'buffer';
  readonly name: string;
  readonly element: Stored | 'f64' | 'i32';
  readonly access: 'read' | 'write' | 'read-write';
}
export interface ScalarParameter {
  readonly kind: 'scalar';
  readonly name: string;
}
/** A float32 array of one thread (registers, where it is indexed by constants), or shared by the threads of a group: then also of two bytes an element. */
export interface LocalMemory {
  readonly name: string;
  readonly size: number;
  readonly space: 'thread' | 'group';
  readonly element?: Narrow;
}
/** Bytes of the group's memory. */
export const groupMemoryBytes = ({ memories = [] }: Pick<Kernel, 'memories'>): number => memories.reduce((n, m) => n + (m.space === 'group' ? (m.element ? 2 : 4) * m.size : 0), 0);
/**
 * A kernel of a machine with threads: `threads` of them form a group, `groups` × `batches` groups run it. Integers are then each
 * thread's own: `$l` is its number in the group, `$g` the group's, `$b` the batch's.
 */
export interface Grid {
  readonly threads: number;
  /**
   * Threads that share a point, each a lane of its registers; 1: every thread has its own. Fewer than the threads: of each 32 threads the
   * first 32/lanes are lane 0 of as many points, the next lane 1; `neighbours`: a point's lanes stand side by side.
   */
  readonly lanes: number;
  readonly neighbours?: true;
  readonly groups: Groups;
  /** Groups that a core is to hold at once: it has registers for so many. */
  readonly resident?: number;
  /** Groups of their own for each row of the batch, or one set for all. */
  readonly batches: 'B' | 1;
  /** Of a tile that begins a sequence which is given whole: 'within' there alone, 'after' elsewhere, and where states are wanted after it. */
  readonly part?: 'within' | 'after';
  /** A number known at load: where it isn't 0, every part of a sequence is one that `after` is for. */
  readonly grows?: string;
  /** Only on devices that many threads fill, or that few do. */
  readonly on?: 'many' | 'few';
}
/** times · ⌈of · each / per⌉ groups; `of` is the number of rows, of steps, of rows of the batch, or 1. */
export interface Groups {
  readonly times: number;
  readonly of: 'R' | 'T' | 'B' | 1;
  readonly each: number;
  readonly per: number;
  /** None for tiles of fewer steps. */
  readonly from?: number;
}
export interface Kernel {
  readonly name: string;
  /** 'f32': run time, the machine's lanes. 'f64': load time, one lane, functions of the host. f64 kernels may store to f32 buffers. */
  readonly precision: 'f32' | 'f64';
  readonly parameters: readonly (BufferParameter | ScalarParameter)[];
  readonly body: readonly Stmt[];
  readonly grid?: Grid;
  readonly memories?: readonly LocalMemory[];
}
