/** What elaboration keeps of a body, of its parameters and ports, and of equations that are not read yet. */
import type { Declaration, Equation, Span } from '../../grammar/ast.js';
import type { DefinitionId } from '../ir/program.js';
import type { Env } from './expressions.js';
import type { LoadedFile } from './files.js';
import type { Scope } from './scope.js';

/** Where a body stands: its file's blocks, its path, and the blocks being expanded. */
export interface Place {
  readonly file: LoadedFile;
  readonly path: readonly string[];
  readonly stack: readonly Declaration[];
}
/** A parameter before its stored name is known. */
export interface ParamInfo {
  readonly def: DefinitionId;
  readonly path: readonly string[];
  readonly name: string;
  readonly span: Span;
}
export interface Port {
  readonly name: string;
  readonly def: DefinitionId;
  readonly span: Span;
}
export interface Pending {
  readonly equation: Equation;
  readonly scope: Scope;
  readonly place: Place;
  readonly env: Env;
  state: 'waiting' | 'running' | 'done';
}
