/** Small kernels around the stages, on a machine with threads: the past that tiles of steps leave to the next, and begin with. */
import type { BufferParameter, Int, Kernel, Value } from '../../../ir/kernel.js';
import type { DefinitionOf } from '../../../ir/program.js';
import type { Stage } from '../../../ir/stages.js';
import { Expressions, num } from '../expressions.js';
import { iadd, icompare, imax, imul, int, ivar } from '../ints.js';
import type { Layout } from '../layout.js';
import { LENGTHS } from '../limits.js';
import { Envs } from '../places.js';
import { Writer } from '../writer.js';
import { Access, BATCH, GROUP, THREAD } from './access.js';
import { bindPoint, countPoints } from './places.js';

const THREADS = 64;

/** carry = the last `depth` rows of (carry ++ rows), column by column: each is read before it is overwritten. */
export function historyKernel(rows: string, carry: string, depth: number, width: number, entry: string): Kernel {
  const w = new Writer([carry], ['$B', '$T', '$l', '$g', '$b']);
  const id = w.int('id', iadd(imul(GROUP, THREADS), THREAD));
  const length = w.int('length', { kind: 'iload', buffer: LENGTHS, at: BATCH });
  const slot = (s: Int): Int => iadd(imul(iadd(imul(BATCH, depth), s), width), id);
  w.branch(icompare('lt', id, int(width)), () => w.loop('s', int(0), int(depth), 1, {}, (s) => {
    const row = iadd(length, s, int(-depth));
    const put = (value: Value): void => w.store(carry, slot(s), w.let(value), 'one');
    w.branch(icompare('lt', row, int(0)),
      () => put({ kind: 'load', buffer: carry, at: slot(iadd(s, length)), access: 'uniform' }),
      () => put({ kind: 'load', buffer: rows, at: iadd(imul(iadd(imul(BATCH, ivar('$T')), imax(row, int(0))), width), id), access: 'uniform' }));
  }), () => undefined);
  const buffer = (name: string, access: BufferParameter['access']): BufferParameter => ({ kind: 'buffer', name, element: 'f32', access });
  return {
    name: entry, precision: 'f32', body: w.body, grid: { threads: THREADS, lanes: 1, groups: { times: 1, of: 1, each: width, per: THREADS }, batches: 'B' },
    parameters: [
      buffer(rows, 'read'), buffer(carry, 'read-write'), { kind: 'buffer', name: LENGTHS, element: 'i32', access: 'read' },
      { kind: 'scalar', name: '$T' },
    ],
  };
}

/** A state that others read at earlier steps has its initial value there too. */
export function beginHistoryKernel(carry: string, depth: number, d: DefinitionOf<'equation'>, entry: string, layout: Layout): Kernel | undefined {
  const initial = d.state?.initial;
  if (!initial) return undefined;
  const storage = layout.of(d.id);
  const w = new Writer([carry], ['$B', '$l', '$g', '$b']);
  const envs = new Envs();
  const none: Stage = { name: entry, anchor: 'pointwise', phase: 'begin', order: 'flat', domain: d.indices, items: [], stored: new Set(), states: [], accumulators: [] };
  const access = new Access(none, layout, w, 1, d.indices.at(-1));
  const x = new Expressions({
    writer: w, envs, lanes: 1, laneLoops: false, unroll: 1, item: () => undefined, decays: () => false, load: (e, env) => access.read(e, env),
  }, []);
  const count = countPoints(d.indices);
  const id = w.int('id', iadd(imul(GROUP, THREADS), THREAD));
  w.branch(icompare('lt', id, int(count)), () => {
    const env = bindPoint(w, envs, envs.root(BATCH), d.indices, id);
    const value = count > 0 ? w.let(x.value(initial, env)) : num(0);
    const at = d.indices.reduce<Int>((sum, i, k) => iadd(sum, imul(env.places.get(i)?.int ?? int(0), storage.strides[k] as number)), int(storage.offset));
    w.loop('s', int(0), int(depth), 1, {}, (s) => w.store(access.touch(carry, 'write'), iadd(imul(iadd(imul(BATCH, depth), s), storage.row), at), value, 'one'));
  }, () => undefined);
  return access.finish(entry, w.body, { threads: THREADS, lanes: 1, groups: { times: 1, of: 1, each: count, per: THREADS }, batches: 'B' });
}
