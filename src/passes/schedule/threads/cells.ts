/** What a thread keeps for its point from step to step: cells of its own, of which each lane has its part where lanes share a point. */
import type { Int } from '../../../ir/kernel.js';
import { iadd, imul, int } from '../ints.js';
import { rowMajor, type StateStorage } from '../layout.js';
import { memberOf, numberOf, type Split } from './split.js';

/** Elements of its states that a thread keeps to itself; more stay in carry memory. */
const OWN_CELLS = 256;

export interface Cells {
  /** In the memory that its steps begin or end with: a lane's part of it, where lanes share. */
  readonly storage: StateStorage;
  readonly strides: readonly number[];
  /** Cells and strides of all lanes. */
  readonly all: { readonly cells: number; readonly strides: readonly number[] };
  /** The thread's own copy, while it goes through the steps. */
  readonly own: string | undefined;
  /** They are told apart when the kernel is compiled: they can be registers. */
  readonly unrolled: boolean;
  /** Where the axis that is shared out among lanes stands in `strides`. */
  readonly shared?: number;
}
/** Cells of these sizes in a slot of a storage. Loops over at most `unroll` of them are written out. */
export function cellsOf(sizes: readonly number[], storage: StateStorage, name: string, unroll: number, split: Split | undefined): Cells {
  const all = { cells: storage.cells, strides: rowMajor(sizes) };
  const unrolled = sizes.every((s) => s <= unroll);
  if (!split) return { all, unrolled, storage, strides: all.strides, own: storage.cells * storage.slots <= OWN_CELLS ? name : undefined };
  const mine = sizes.map((s) => (s === split.size ? s / split.lanes : s));
  return { all, unrolled, storage: { ...storage, cells: storage.cells / split.lanes }, strides: rowMajor(mine), own: name, shared: sizes.indexOf(split.size) };
}
/** The cell of these members in a slot. */
export function inSlot(split: Split | undefined, k: Cells, inner: readonly Int[], slot: Int): Int {
  return inner.reduce<Int>((at, p, d) => iadd(at, imul(split && d === k.shared && p.kind === 'int' ? int(numberOf(split, p.value)) : p, k.strides[d] as number)), imul(slot, k.storage.cells));
}
/** Of one of a lane's cells its place among all: lane 0's, the next lane's being a run further. */
export function cellOfAll(split: Split, k: Cells, cell: number): number {
  const slot = Math.floor(cell / k.storage.cells);
  let rest = cell % k.storage.cells;
  let at = slot * k.all.cells;
  k.strides.forEach((stride, p) => {
    const i = Math.floor(rest / stride);
    rest %= stride;
    at += (p === k.shared ? memberOf(split, i) : i) * (k.all.strides[p] as number);
  });
  return at;
}
/** Cells from one lane's to the next lane's. */
export const laneStride = (split: Split, k: Cells): number => split.run * (k.all.strides[k.shared ?? 0] as number);
