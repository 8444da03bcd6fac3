/**
 * Which point of a stage's domain a thread stands for. Neighbouring threads stand for neighbouring members of the lane index, the
 * one that lies contiguous in memory.
 */
import type { Groups, Int } from '../../../ir/kernel.js';
import type { Index } from '../../../ir/program.js';
import type { Stage } from '../../../ir/stages.js';
import { iadd, imul, int } from '../ints.js';
import type { Env, Envs } from '../places.js';
import type { Writer } from '../writer.js';
import { GROUP } from './access.js';

/** The domain, the lane index last. */
export function domainOrder(stage: Stage, lane: Index | undefined): readonly Index[] {
  return lane ? [...stage.domain.filter((i) => i !== lane), lane] : stage.domain;
}
export const countPoints = (order: readonly Index[]): number => order.reduce((n, i) => n * i.axis.size, 1);

/** a / by and a mod by; a is not negative. */
export function divide(a: Int, by: number): { readonly quotient: Int; readonly rest: Int } {
  if (by === 1) return { quotient: a, rest: int(0) };
  if (a.kind === 'int') return { quotient: int(Math.floor(a.value / by)), rest: int(a.value % by) };
  return { quotient: { kind: 'idiv', left: a, by }, rest: { kind: 'imod', left: a, by } };
}

/** The tile of a product that a group computes: where its rows and columns begin, of which of the matrices; and the groups that all tiles take. */
export function tileOfGroup(w: Writer, lane: Index, outer: readonly Index[], rows: number, columns: number): { readonly row: Int; readonly column: Int; readonly matrix: Int; readonly groups: Groups } {
  const columnTiles = Math.ceil(lane.axis.size / columns);
  const matrices = countPoints(outer);
  // Groups that share rows are neighbours: what they read is in the cache.
  const byColumn = divide(GROUP, columnTiles);
  const byMatrix = divide(w.int('tile', byColumn.quotient), matrices);
  const column = w.int('column', imul(byColumn.rest, columns));
  const row = w.int('row', imul(w.int('band', byMatrix.quotient), rows));
  return { row, column, matrix: byMatrix.rest, groups: { times: columnTiles * matrices, of: 'R', each: 1, per: rows } };
}

/** Binds every index of `order` to its value at a linear point number. */
export function bindPoint(w: Writer, envs: Envs, env: Env, order: readonly Index[], point: Int): Env {
  let bound = env;
  let rest = point;
  const first = order.find((i) => i.axis.size > 1);
  for (const index of order.toReversed()) {
    const last = index === first;
    if (index.axis.size === 1) {
      bound = envs.bind(bound, index, { int: int(0), lane: false });
      continue;
    }
    const split = divide(rest, index.axis.size);
    bound = envs.bind(bound, index, { int: w.int(safe(index.name), last ? rest : split.rest), lane: false });
    if (!last) rest = w.int('rest', split.quotient);
  }
  return bound;
}
/** The linear number of a point whose indices are bound. */
export function pointOf(order: readonly Index[], at: (i: Index) => Int): Int {
  return order.reduce<Int>((sum, i) => iadd(imul(sum, i.axis.size), at(i)), int(0));
}
export const safe = (name: string): string => `${name.replace(/[^A-Za-z0-9]/g, '_')}_`;
