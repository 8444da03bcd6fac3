/**
 * What the parser returns: every node with its span in the source. Data only; no name is resolved here.
 */

/** A half-open range of UTF-16 offsets in one file. `file` is the path the host read it by (`std/mamba.ssm` for the library). */
export interface Span {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

interface Node {
  readonly span: Span;
}

/** A name as written. Dotted names (`in_proj.weight`) are one name. */
export interface Name extends Node {
  readonly text: string;
}

/** An index of a pattern on the left side: `t`, `m`, `c`, or `m?`, which an argument may lack. */
export interface IndexPattern extends Node {
  /** Empty where a parameter gives a size instead: `[2 * d, c]`. */
  readonly name: string;
  readonly optional: boolean;
  readonly size?: Expr;
}

export interface Comment extends Node {
  /** With its slashes. `///` lines are doc comments, and stand in `doc` of what follows them too. */
  readonly text: string;
}

export interface SourceFile extends Node {
  readonly kind: 'file';
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
  readonly declarations: readonly Declaration[];
  readonly comments: readonly Comment[];
}

export interface Import extends Node {
  readonly kind: 'import';
  readonly names: readonly Name[];
  /** `std`, or a relative path as written. */
  readonly from: string;
  readonly fromSpan: Span;
}

export interface Declaration extends Node {
  readonly kind: 'block' | 'model';
  readonly name: Name;
  readonly parameters: readonly Parameter[];
  readonly body: readonly Statement[];
  readonly doc?: string;
  /** Its head has a fault: what it takes isn't known. */
  readonly broken?: true;
}

export type Parameter = InputParameter | OptionParameter;
/** `x[t, m?, c]` */
export interface InputParameter extends Node {
  readonly kind: 'argument';
  readonly name: Name;
  readonly indices: readonly IndexPattern[];
}
/** `width`, `state = 16`, or `coupling = mean | sum`, whose first choice is the default. */
export interface OptionParameter extends Node {
  readonly kind: 'option';
  readonly name: Name;
  readonly value?: Expr;
  readonly choices?: readonly Name[];
}

export type Statement =
  | AxisStatement | ModalitiesStatement | InputStatement | ParamStatement | FactStatement | Equation | Initial | Repeat
  | MatchStatement | Rename | Lost;

/** `axis d = expand * c`; `axis i = m` names a second index over m's members. */
export interface AxisStatement extends Node {
  readonly kind: 'axis';
  readonly name: Name;
  readonly size: Expr;
  readonly doc?: string;
}
/** `modalities m = audio[74], text[768]` or, without feature sizes, `modalities m = audio, text`. */
export interface ModalitiesStatement extends Node {
  readonly kind: 'modalities';
  readonly name: Name;
  readonly members: readonly { readonly label: Name; readonly size?: Expr }[];
  readonly doc?: string;
}
/** `input signal[t, m, f]` */
export interface InputStatement extends Node {
  readonly kind: 'input';
  readonly name: Name;
  readonly indices: readonly IndexPattern[];
  readonly doc?: string;
}
/** `param in_proj.weight[m, d, c] = uniform(-1, 1)` */
export interface ParamStatement extends Node {
  readonly kind: 'param';
  readonly name: Name;
  readonly indices: readonly IndexPattern[];
  readonly init?: Expr;
  readonly doc?: string;
}
/** `fact dt > 0.001`, `fact 0 < gain` : an assumption about every element of a definition. */
export interface FactStatement extends Node {
  readonly kind: 'fact';
  readonly condition: Expr;
}
/** `v[t, d] = ...`, `x = Block(x)`, `state h[...] = ...`, `output y[...] = ...`. Without indices the right side's decide. */
export interface Equation extends Node {
  readonly kind: 'equation';
  readonly role: 'plain' | 'state' | 'output';
  readonly name: Name;
  readonly indices?: readonly IndexPattern[];
  readonly value: Expr;
  readonly doc?: string;
}
export interface Initial extends Node {
  readonly kind: 'initial';
  readonly name: Name;
  readonly indices: readonly IndexPattern[];
  readonly value: Expr;
}
/** `repeat 3 as layers { ... }` : instances are named layers.0, layers.1, ... */
export interface Repeat extends Node {
  readonly kind: 'repeat';
  readonly count: Expr;
  readonly name?: Name;
  readonly body: readonly Statement[];
}
export interface MatchStatement extends Node {
  readonly kind: 'match-statement';
  readonly subject: Expr;
  readonly arms: readonly { readonly patterns: readonly Name[]; readonly body: readonly Statement[]; readonly span: Span }[];
}
/** `rename "layers.{i}.norm.{m}.weight" to "layers.{i}.{m}.norm.weight"` : from the instance name to the stored name. */
export interface Rename extends Node {
  readonly kind: 'rename';
  readonly from: string;
  readonly to: string;
}

/** A statement with a fault of syntax: what it would have defined, so that uses of it are no faults of their own. */
export interface Lost extends Node {
  readonly kind: 'lost';
  readonly name: Name;
  readonly output: boolean;
}

export type Expr =
  | NumberExpr | NameExpr | CallExpr | ReductionExpr | UnaryExpr | BinaryExpr | MatchExpr;

export interface NumberExpr extends Node {
  readonly kind: 'number';
  readonly value: number;
  /** As written, for the formatter. */
  readonly text: string;
}
/** `x`, `in_proj.weight[m, d, c]`, `h[t-1, i, d, n]`, `m.audio` in an index. */
export interface NameExpr extends Node {
  readonly kind: 'name';
  readonly name: Name;
  readonly indices?: readonly Expr[];
}
/** A function (`exp(x)`, `size(d)`, `where(c, a, b)`) or a block instance (`Mamba(x, state = 16) as mixer`; `as _` adds no name). */
export interface CallExpr extends Node {
  readonly kind: 'call';
  readonly callee: Name;
  readonly args: readonly Argument[];
  readonly as?: Name;
}
export interface Argument extends Node {
  /** Present for `state = 16`. */
  readonly name?: Name;
  readonly value: Expr;
}
/** `sum(c: ...)`, `max(t: ...)`, `softmax(i in m: ...)`, `inverse(n, k: ...)` */
export interface ReductionExpr extends Node {
  readonly kind: 'reduction';
  readonly op: Name;
  readonly binders: readonly { readonly name: Name; readonly over?: Name }[];
  readonly body: Expr;
}
export interface UnaryExpr extends Node {
  readonly kind: 'unary';
  readonly op: '-' | '!';
  readonly operand: Expr;
}
export type BinaryOp = '+' | '-' | '*' | '/' | '^' | '<' | '<=' | '>' | '>=' | '==' | '!=' | '&&' | '||';
export interface BinaryExpr extends Node {
  readonly kind: 'binary';
  readonly op: BinaryOp;
  readonly left: Expr;
  readonly right: Expr;
}
/** `match coupling { sum => a, mean | softmax => b }` */
export interface MatchExpr extends Node {
  readonly kind: 'match';
  readonly subject: Expr;
  readonly arms: readonly { readonly patterns: readonly Name[]; readonly value: Expr; readonly span: Span }[];
}

/** A fault of syntax: a code of 1xxx and the arguments of its message. */
export interface SyntaxFault {
  readonly code: string;
  readonly span: Span;
  readonly args: Readonly<Record<string, string | number>>;
}
