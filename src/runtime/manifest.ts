/**
 * What a compiled model is, besides its kernels: plain JSON data that the runtime interprets. The compiler writes it; the generated
 * module carries it.
 *
 * One wasm module serves both times. At load it is instantiated on a scratch memory: weights are written as float64, the `load`
 * launches run, and the region of constants is copied to the memory that runs use.
 */

export type BufferId = number;
/** What takes two bytes. */
export type Narrow = 'f16' | 'bf16';

/** Element counts, not bytes. Buffers of `float64` exist at load time only. Elements are float32, or of another type where one is named: then rows are of whole words. */
export type BufferSpec =
  /** Fixed size: packed weights and load-time values, computed at load; or what a kernel uses while it runs. f32. */
  | { readonly kind: 'constant'; readonly name: string; readonly size: number; readonly element?: Narrow }
  /** Load-time scratch, f64. */
  | { readonly kind: 'load'; readonly name: string; readonly size: number }
  /** [batch · tile, row] f32. Buffers with the same slot share memory, their lives don't overlap. */
  | { readonly kind: 'rows'; readonly name: string; readonly row: number; readonly slot: number; readonly element?: Narrow }
  /** [batch · ceil(tile / steps), row] f32: one row per chunk of steps, alive for one call. */
  | { readonly kind: 'chunks'; readonly name: string; readonly row: number; readonly steps: number }
  /** [batch, row] f32, alive for one call. */
  | { readonly kind: 'batch'; readonly name: string; readonly row: number }
  /** [batch, row] f32, kept from one tile or push to the next: states, histories, running reductions. What `stream.save` saves. */
  | { readonly kind: 'carry'; readonly name: string; readonly row: number; readonly element?: Narrow };

/**
 * An i32 argument of a kernel. A buffer's byte address; `B` batch, `T` steps in this tile, `R` = B·T; `lengths`: address of B i32,
 * the steps of each row inside this tile (0..T); `starts`: address of B i32, 1 where this tile begins the row's sequence (always the
 * same for all rows); `t0`: steps before this tile; `part`: 0 where this tile is the whole of a run's sequence, 1 where it is the first of
 * several, 2 for later ones and those of a stream.
 */
export type LaunchArgument = { readonly buffer: BufferId } | { readonly scalar: 'B' | 'T' | 'R' | 'lengths' | 't0' | 'part' };

export type Launch =
  | { readonly kind: 'kernel'; readonly entry: string; readonly arguments: readonly LaunchArgument[]; readonly grid?: LaunchGrid }
  /** `count` matrices of size×size, row-major float64: to = inverse of from. Load time only. A singular one is an error. */
  | { readonly kind: 'inverse'; readonly from: BufferId; readonly to: BufferId; readonly count: number; readonly size: number; readonly name: string }
  /**
   * Float64 elements rounded to float32, in another order: to[Σ place(i_k)] = from[offset + Σ i_k · step_k], for every i_k below size_k, with
   * place(i) = ⌊i / tile_k⌋ · stride_k + i mod tile_k. Load time only.
   */
  | { readonly kind: 'pack'; readonly from: BufferId; readonly to: BufferId; readonly offset: number; readonly dimensions: readonly (readonly [size: number, step: number, stride: number, tile: number])[] }
  /** carry[b] = the last `depth` rows of (carry[b] ++ rows[b][0..length_b)): what the next tile reads of the past. */
  | { readonly kind: 'history'; readonly rows: BufferId; readonly carry: BufferId; readonly depth: number };

/** On a machine with threads: times · ⌈of · each / per⌉ groups, for each row of the batch or for all together. */
export interface LaunchGrid {
  readonly times: number;
  readonly of: 'R' | 'T' | 'B' | 1;
  readonly each: number;
  readonly per: number;
  /** Not launched for tiles of fewer steps. */
  readonly from?: number;
  readonly batches: 'B' | 1;
  /** Not launched for every part of a sequence (see `part` above): 'within' for 0 and 1, 'after' for 1 and 2; where the constant `grows` isn't 0, 'after' for all. */
  readonly part?: 'within' | 'after';
  readonly grows?: BufferId;
  /** Only on devices that many threads fill, or only where few do: a CPU that plays a GPU. */
  readonly on?: 'many' | 'few';
}

/** Where a tensor's elements go, or come from: `runs` runs of `length` elements, `stride` apart, from `offset` in the buffer's row. */
export interface Placement {
  readonly buffer: BufferId;
  readonly offset: number;
  readonly runs: number;
  readonly length: number;
  readonly stride: number;
}

export interface TensorSpec {
  /** Name in files. */
  readonly name: string;
  /** Property path in TypeScript: ['depth'] or ['dt', 'audio']. */
  readonly path: readonly string[];
  readonly time: boolean;
  /** Without batch and time. */
  readonly shape: readonly number[];
  readonly doc?: string;
  readonly place: Placement;
}

export interface WeightSpec {
  readonly name: string;
  /** A stored tensor may have extra axes of size 1. */
  readonly shape: readonly number[];
  /** Into a `load` buffer. */
  readonly place: Placement;
  /** Facts of the spec that the values must satisfy, if any. */
  readonly low?: number;
  readonly high?: number;
}

export interface Manifest {
  readonly format: 1;
  readonly compiler: string;
  /** SHA-256 of the spec and all it imports, hex. */
  readonly spec: string;
  readonly model: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly weights: readonly WeightSpec[];
  readonly buffers: readonly BufferSpec[];
  /** Why `stream()` is refused; absent when it works. Then `run` takes all of time as one tile. */
  readonly notStreamable?: string;
  /** Once per load. */
  readonly load: readonly Launch[];
  /** At the start of a run or stream, after carries are zeroed. */
  readonly begin: readonly Launch[];
  /** Per tile of steps. */
  readonly step: readonly Launch[];
  /** When outputs without time are wanted: after the last tile of a run, after each push. Does not change carries. */
  readonly finish: readonly Launch[];
  /** Steps per tile that keep a tile in cache, when streamable. */
  readonly tile: number;
  /** Of a device whose buffers lie in few large ones. */
  readonly gpu?: GpuPlan;
}
/** Arenas: the GPU buffers in which the manifest's buffers lie. Kernels that are the same share an entry point. */
export interface GpuPlan {
  readonly arenas: readonly ('constants' | 'carry' | 'past' | 'rows')[];
  /** Each buffer begins at a multiple of so many elements of its arena (1 where nothing is said). */
  readonly align?: number;
  /** Per buffer; -1: at load time only. */
  readonly arenaOf: readonly number[];
  /** Operations per row of the step that takes most: what a dispatch may be long by. */
  readonly work: number;
  /** Steps of a run, from its first, that are one tile however long it takes: what convolutions are made for. */
  readonly convolved?: number;
  /**
   * Of each kernel its entry point. On WebGPU also the arenas that this binds from binding 2 on, and whether it reads the lengths. On CUDA
   * its parameters are the launch's arguments in their order (a pointer to each buffer and to the lengths, an int for each other scalar).
   */
  readonly entries: Readonly<Record<string, GpuEntry>>;
  /** For messages: of which definition of the spec, and where that stands, each kernel is, and each output in their order. */
  readonly origins: { readonly kernels: Readonly<Record<string, string>>; readonly outputs: readonly string[] };
}
export interface GpuEntry {
  readonly entry: string;
  readonly arenas: readonly number[];
  readonly lengths: boolean;
  /** Threads of a block, where the source doesn't say. */
  readonly threads?: number;
}
