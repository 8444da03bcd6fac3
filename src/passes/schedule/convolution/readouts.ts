/** Where the expressions of a convolution's answers find its readouts, of which kernels keep one of each instance. */
import type { Int } from '../../../ir/kernel.js';
import type { Affine, DefinitionId, ExprOf, Index } from '../../../ir/program.js';
import type { Convolved, Item } from '../../../ir/stages.js';
import { plainIndex, visitExpr } from '../../../ir/builder.js';
import { iadd, imul, int } from '../ints.js';
import { rowMajor } from '../layout.js';
import { affinePlace, type Env } from '../places.js';

export class Readouts {
  readonly #of: ReadonlyMap<DefinitionId, { readonly own: readonly Index[]; readonly strides: readonly number[]; readonly first: number }>;

  constructor({ readouts }: Convolved) {
    let next = 0;
    this.#of = new Map(readouts.map(({ def, own }) => {
      const sizes = own.map((i) => i.axis.size);
      const first = next;
      next += sizes.reduce((n, s) => n * s, 1);
      return [def, { own, strides: rowMajor(sizes), first }];
    }));
  }
  /** The instance that an expression reads, if it reads one. */
  numberOf(e: ExprOf<'read'>, env: Env): Int | undefined {
    const r = this.#of.get(e.def);
    return r && r.strides.reduce<Int>((sum, stride, p) => iadd(sum, imul(affinePlace(env, e.at[p] as Affine).int, stride)), int(r.first));
  }
  /**
   * Of an item each of whose elements needs one instance alone: the readout, and the item's inner index for each of its own. Then whoever has an
   * instance can compute its elements.
   */
  only(item: Item): { readonly def: DefinitionId; readonly along: readonly Index[] } | undefined {
    const reads: ExprOf<'read'>[] = [];
    visitExpr(item.body, (e) => { if (e.kind === 'read' && this.#of.has(e.def)) reads.push(e); });
    const [first] = reads;
    if (!first || reads.length > 1) return undefined;
    const along = (this.#of.get(first.def)?.own ?? []).map((_, p) => plainIndex(first.at[p] as Affine));
    const inner = along.filter((i): i is Index => i !== undefined && item.inner.includes(i));
    return inner.length === along.length && new Set(inner).size === inner.length ? { def: first.def, along: inner } : undefined;
  }
}
