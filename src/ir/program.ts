/**
 * Program: the resolved, monomorphic meaning of a spec. Every definition is one scalar expression over named indices; batch is
 * implicit. The float64 interpreter runs this, and every pass maps it to another Program of the same meaning.
 *
 * What is already gone here: blocks, options, `match`, `repeat`, optional indices, aliases, `softmax` (exp over auxiliary
 * max and sum definitions) and `inverse` in expressions (a definition of its own kind).
 */

export interface Span {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

/** A finite index set. Two axes are the same only if they are the same object. */
export interface Axis {
  readonly name: string;
  /** Number of members; for a ragged axis, the largest of `ragged.sizes`. */
  readonly size: number;
  /** Member names of a `modalities` axis. */
  readonly labels?: readonly string[];
  /** A feature axis whose size depends on the member of a modalities axis. */
  readonly ragged?: { readonly over: Axis; readonly sizes: readonly number[] };
}

/** An index variable, ranging over an axis. Identity matters, not the name. */
export interface Index {
  readonly id: number;
  readonly name: string;
  readonly axis: Axis;
  /** For a ragged axis: the variable whose value selects the size. */
  readonly governor?: Index;
}

/** constant + Σ coefficient · index. Integers throughout. Never contains time. */
export interface Affine {
  readonly constant: number;
  readonly terms: readonly { readonly index: Index; readonly coefficient: number }[];
}

export type Type = 'real' | 'complex' | 'bool';

export type UnaryOp =
  | 'neg' | 'not' | 'exp' | 'expm1' | 'exp2' | 'exp2m1' | 'log' | 'log1p' | 'sqrt' | 'rsqrt' | 'sigmoid' | 'silu' | 'softplus' | 'relu' | 'gelu' | 'tanh'
  | 'sin' | 'cos' | 'abs' | 'floor' | 'ceil' | 're' | 'im' | 'conj';
export type BinaryOp =
  | 'add' | 'sub' | 'mul' | 'div' | 'min' | 'max' | 'lt' | 'le' | 'eq' | 'ne' | 'and' | 'or' | 'complex';
export type ReduceOp = 'sum' | 'mean' | 'max' | 'min' | 'last';

/** Hash-consed: build expressions with `Builder` only, then `===` is structural equality. */
export type Expr = { readonly id: number; readonly type: Type } & (
  | { readonly kind: 'const'; readonly value: number }
  /** The numeric value of an index (0-based), as a real. */
  | { readonly kind: 'index'; readonly index: Index }
  /**
   * An element of a definition. `at` has one entry per index of the definition, in its order. `time` is present iff the definition
   * has time: the offset from the current t (`h[t-1]` is -1). A time outside the sequence reads 0, or a state's initial value before it.
   */
  | { readonly kind: 'read'; readonly def: DefinitionId; readonly time?: Affine; readonly at: readonly Affine[] }
  | { readonly kind: 'unary'; readonly op: UnaryOp; readonly arg: Expr }
  /** `gt`/`ge` do not exist: swap the operands. `complex(a, b)` is a + ib. */
  | { readonly kind: 'binary'; readonly op: BinaryOp; readonly left: Expr; readonly right: Expr }
  /** Integer power, exponent known at compile time. */
  | { readonly kind: 'power'; readonly base: Expr; readonly exponent: number }
  /** Only the chosen side is meant: the other may be NaN. */
  | { readonly kind: 'select'; readonly cond: Expr; readonly then: Expr; readonly else: Expr }
  /** Over an index variable, or over all steps of the sequence ('time': then `body` is at the bound t). `last` takes the last member. */
  | { readonly kind: 'reduce'; readonly op: ReduceOp; readonly over: Index | 'time'; readonly body: Expr }
);
export type ExprOf<K extends Expr['kind']> = Extract<Expr, { kind: K }>;

export type DefinitionId = number & { readonly brand: 'DefinitionId' };

/** An interval that every element of a definition is known or assumed to lie in. */
export interface Fact {
  readonly low: number;
  readonly high: number;
  readonly span: Span;
}

/** What every definition has. */
export interface DefinitionBase {
  readonly id: DefinitionId;
  /** Instance path, unique: `layers.0.mixer.h`. Rebinding in one scope appends `#2`; auxiliary definitions have `#kind`. */
  readonly name: string;
  readonly time: boolean;
  readonly indices: readonly Index[];
  readonly type: Type;
  readonly span: Span;
  readonly doc?: string;
  readonly fact?: Fact;
}
export type Definition =
  | (DefinitionBase & { readonly kind: 'input' })
  | (DefinitionBase & { readonly kind: 'param'; readonly pieces: readonly Piece[]; readonly init?: Initialiser })
  /** `state` if it was declared so: it reads itself, perhaps through others, at another time. */
  | (DefinitionBase & { readonly kind: 'equation'; readonly body: Expr; readonly state?: State })
  /** def[..., row, col] = inverse of matrix[..., row, col] in its last two indices. Load time only. */
  | (DefinitionBase & { readonly kind: 'inverse'; readonly matrix: DefinitionId })
  /** Of a Hermitian matrix[..., row, col]: def[..., k] its eigenvalues, ascending, or def[..., row, k] its unit eigenvectors. Initialisers only. */
  | (DefinitionBase & { readonly kind: 'eigen'; readonly part: 'values' | 'vectors'; readonly matrix: DefinitionId })
  /** A random number for each element of a parameter, which has the same axes. Initialisers only. */
  | (DefinitionBase & { readonly kind: 'draw'; readonly draw: Draw; readonly param: DefinitionId })
  /** def[m, rest] = parts[m][rest]: the first index enumerates the parts. Made by the pass that splits ragged axes. */
  | (DefinitionBase & { readonly kind: 'stack'; readonly parts: readonly DefinitionId[] });
export type DefinitionOf<K extends Definition['kind']> = Extract<Definition, { kind: K }>;

export interface State {
  /** forward reads h[t-1], backward g[t+1]. */
  readonly direction: 'forward' | 'backward';
  /** Over the definition's own indices, no time: what stands before the first step (after the last, if backward). Absent: 0. */
  readonly initial?: Expr;
}

/** One stored tensor of a parameter: the whole of it, or the slice of one modality. */
export interface Piece {
  /** The name in the weight file, after renames. */
  readonly name: string;
  /** The value of the modality index, when the piece is one member's slice. */
  readonly member?: number;
  /** Shape of the slice, without the modality axis when `member` is given. A file may hold extra axes of size 1. */
  readonly shape: readonly number[];
}

/** How a parameter is initialised: it may read draws of its own, other parameters' initial values, and what is made of these and of indices. */
export interface Initialiser {
  readonly expr: Expr;
  readonly over: readonly Index[];
  readonly span: Span;
}
/** Uniform in [a, b), uniform in the logarithm, or normal of mean a and deviation b. */
export interface Draw {
  readonly kind: 'uniform' | 'loguniform' | 'normal';
  readonly a: number;
  readonly b: number;
}

/** How users meet an input: one tensor, or one per modality. */
export interface InputPort {
  readonly def: DefinitionId;
  /** Names under which `run` takes the tensors, one per member when split by modality; `path` is the property path in TypeScript. */
  readonly tensors: readonly { readonly name: string; readonly path: readonly string[]; readonly member?: number; readonly shape: readonly number[] }[];
}
export interface OutputPort {
  readonly name: string;
  readonly def: DefinitionId;
}

export interface Program {
  readonly name: string;
  readonly doc?: string;
  /** Dense: `definitions[id]` has that id. Order is not evaluation order. */
  readonly definitions: readonly Definition[];
  readonly inputs: readonly InputPort[];
  readonly outputs: readonly OutputPort[];
}
