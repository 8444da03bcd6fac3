/** What names of a file stand for, as far as the text alone tells: symbols, and where they occur. Sizes and types are not known here. */
import type { Declaration, Span } from '../../grammar/ast.js';

export type SymbolKind =
  | 'block' | 'model'
  /** Of `axis`, `modalities`, a block's argument, or the ragged features of an input. */
  | 'axis'
  /** A label of a modalities axis. */
  | 'member'
  | 'option'
  /** One of the names that an option may have as its value. */
  | 'choice'
  | 'argument' | 'input' | 'param' | 'state' | 'output' | 'equation'
  /** An index that a reduction binds and no statement declares. */
  | 'binder'
  /** What `as` names: a part of stored names. */
  | 'instance';

export interface Symbol_ {
  /** The same in all files. */
  readonly id: string;
  readonly kind: SymbolKind;
  readonly name: string;
  /** The path of the file that defines it. */
  readonly file: string;
}
export interface Occurrence {
  readonly span: Span;
  readonly symbol: Symbol_;
  /** The statement or declaration that defines it here; absent where it is only used. */
  readonly defines?: Defining;
}
export interface Defining {
  readonly extent: Span;
  /** With indices of its own: it may read itself. */
  readonly indexed: boolean;
  /** Arms of `match` around it, outermost first, as `offset:arm`. */
  readonly arms: readonly string[];
  readonly doc?: string;
}
/** A block, and the file where it stands. */
export interface BlockRef {
  readonly file: string;
  readonly declaration: Declaration;
}
/** How a file finds blocks of others. */
export interface Blocks {
  /** By the name that the file uses. */
  readonly named: (name: string) => BlockRef | undefined;
  /** By what an import line says, `from` as written. */
  readonly imported: (name: string, from: string) => BlockRef | undefined;
}

export const declarationId = (file: string, name: string): string => `${file}||${name}`;
export const localId = (file: string, declaration: string, name: string): string => `${file}|${declaration}|${name}`;
export const choiceId = (file: string, declaration: string, option: string, choice: string): string => `${file}|${declaration}|${option}=${choice}`;
export const memberId = (file: string, declaration: string, axis: string, label: string): string => `${file}|${declaration}|${axis}.${label}`;

/** The symbols of one body, by name. Bodies of `repeat` and arms of `match` share their declaration's. */
export interface BodyNames {
  readonly declaration: Declaration;
  readonly symbols: ReadonlyMap<string, Symbol_>;
  /** Choices of each option, labels of each modalities axis. */
  readonly choices: ReadonlyMap<string, readonly string[]>;
  readonly members: ReadonlyMap<string, readonly string[]>;
}
