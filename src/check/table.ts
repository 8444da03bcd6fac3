/** The definitions that a checked program will have, numbered and named as they are added. It knows nothing of scopes. */
import type { Span } from '../../grammar/ast.js';
import type { Diagnostics } from '../diagnostics/diagnostic.js';
import { affineOf, substitute, type Builder } from '../ir/builder.js';
import type { Axis, Definition, DefinitionBase, DefinitionId, Expr, Index, Type } from '../ir/program.js';
import type { MatrixOp } from './expressions.js';
import { MAX_ELEMENTS } from './sizes.js';

export class DefinitionTable {
  readonly list: Definition[] = [];
  readonly #b: Builder;
  readonly #diagnostics: Diagnostics;
  readonly #names = new Set<string>();

  constructor(b: Builder, diagnostics: Diagnostics) {
    this.#b = b;
    this.#diagnostics = diagnostics;
  }
  add(name: string, span: Span, indices: readonly Index[], time: boolean, type: Type, make: (base: DefinitionBase) => Definition, doc?: string): DefinitionId {
    const id = this.list.length as DefinitionId;
    let unique = name;
    for (let k = 2; this.#names.has(unique); k++) unique = `${name}#${k}`;
    this.#names.add(unique);
    const elements = indices.reduce((n, i) => n * i.axis.size, 1);
    if (elements > MAX_ELEMENTS) this.#diagnostics.error('SSM2036', span, { name, elements });
    this.list.push(make({ id, name: unique, time, indices, type, span, ...(doc === undefined ? {} : { doc }) }));
    return id;
  }
  /** An equation whose body stands over indices of the definition that it comes from; here it gets its own. */
  auxiliary(name: string, span: Span, indices: readonly Index[], time: boolean, body: Expr): DefinitionId {
    const own = this.#likenesses(indices);
    const image = new Map(indices.map((i, k) => [i, own[k] as Index]));
    const moved = substitute(this.#b, body, (i) => { const to = image.get(i); return to && affineOf(to); });
    return this.add(name, span, own, time, body.type, (base) => ({ ...base, kind: 'equation', body: moved }));
  }
  ofMatrix(name: string, op: MatrixOp, span: Span, indices: readonly Index[], matrix: DefinitionId): DefinitionId {
    const type = op === 'eigenvalues' ? 'real' : (this.list[matrix] as Definition).type;
    return this.add(name, span, this.#likenesses(indices), false, type, (base) =>
      (op === 'inverse' ? { ...base, kind: 'inverse', matrix } : { ...base, kind: 'eigen', part: op === 'eigenvalues' ? 'values' : 'vectors', matrix }));
  }
  /** An index for each axis, those of ragged axes going with their modality's. */
  newIndices(axes: readonly Axis[], names?: readonly string[]): Index[] {
    const made: Index[] = [];
    axes.forEach((axis, k) => {
      const governor = axis.ragged && made.find((i) => i.axis === axis.ragged?.over);
      made.push(this.#b.newIndex(names?.[k] ?? axis.name, axis, governor));
    });
    return made;
  }
  #likenesses(indices: readonly Index[]): Index[] {
    return this.newIndices(indices.map((i) => i.axis), indices.map((i) => i.name));
  }
}
