/** The past that a sequence begins with, on a machine with threads. */
import type { Int, Kernel, Value } from '../../../ir/kernel.js';
import type { DefinitionOf } from '../../../ir/program.js';
import { Expressions } from '../expressions.js';
import { iadd, icompare, imul, int } from '../ints.js';
import type { Layout } from '../layout.js';
import { Envs } from '../places.js';
import { Writer } from '../writer.js';
import { Access, BATCH, GROUP, THREAD } from './access.js';
import { bindPoint, countPoints } from './places.js';

const THREADS = 64;

/** A state that others read at earlier steps has its initial value there too. */
export function beginHistoryKernel(carry: string, depth: number, d: DefinitionOf<'equation'>, entry: string, layout: Layout): Kernel | undefined {
  const initial = d.state?.initial;
  // What stands before the first step of a backward state is 0.
  if (!initial || d.state?.direction === 'backward') return undefined;
  const storage = layout.of(d.id);
  const w = new Writer([carry], ['$B', '$l', '$g', '$b']);
  const envs = new Envs();
  const access = new Access([], layout, w, 1, d.indices.at(-1));
  const x = new Expressions({
    writer: w, envs, lanes: 1, laneLoops: false, unroll: 1, item: () => undefined, decays: () => false, load: (e, env) => access.read(e, env),
  }, []);
  const count = countPoints(d.indices);
  const id = w.int('id', iadd(imul(GROUP, THREADS), THREAD));
  w.branch(icompare('lt', id, int(count)), () => {
    const env = bindPoint(w, envs, envs.root(BATCH), d.indices, id);
    const at = d.indices.reduce<Int>((sum, i, k) => iadd(sum, imul(env.places.get(i)?.int ?? int(0), storage.strides[k] as number)), int(storage.offset));
    const sink = (value: Value): void => w.loop('s', int(0), int(depth), 1, {}, (s) => w.store(access.touch(carry, 'write'), iadd(imul(iadd(imul(BATCH, depth), s), storage.row), at), value, 'one'));
    x.run([{ inner: [], body: initial, env, sink: (value) => sink(w.let(value)) }]);
  }, () => undefined);
  return access.finish(entry, w.body, { threads: THREADS, lanes: 1, groups: { times: 1, of: 1, each: count, per: THREADS }, batches: 'B' });
}
