/** The states that chunks start with: v ← v + (Q·v + F) from one chunk to the next, Q and F the chunk's summary. */
import type { Int, Value } from '../../../ir/kernel.js';
import type { ExprOf } from '../../../ir/program.js';
import type { ChunkStep, Component } from '../../chunk-step.js';
import { iadd, imul, int } from '../ints.js';
import type { StateStorage } from '../layout.js';
import { placeOf, type Env } from '../places.js';
import type { StageContext } from './context.js';
import type { Reads } from './reads.js';

/** For one element of the domain and of what is elementwise, the chunks of its sequence one after another. */
export function carryElement(c: StageContext, reads: Reads, step: ChunkStep, env: Env, b: Int, perSequence: Int, count: Int): void {
  const { w, storages } = c;
  const laned = c.shape.lane !== undefined;
  const load = (buffer: string, at: Int): Value => w.let({ kind: 'load', buffer: c.touch(buffer, 'read'), at, access: laned ? 'vector' : 'uniform' });
  const store = (buffer: string, at: Int, v: Value): void => w.store(c.touch(buffer, 'write'), at, v, laned ? 'vector' : 'one');
  const place = (of: Component, storage: StateStorage): { buffer: string; at: Int } => {
    const inner = of.inner.map((i) => ({ int: typeof i === 'number' ? int(i) : placeOf(env, i).int, lane: 0 }));
    return { buffer: storage.buffer, at: storages.stateElement(of.state, env, c.row(env), inner, int(of.lag), storage).at };
  };
  const home = step.components.map((of) => place(of, storages.state(of.state)));
  const carried = home.map((h) => w.variable('h', load(h.buffer, h.at)));
  w.loop('c', int(0), count, 1, {}, (k) => {
    c.chunk = w.int('chunk', iadd(imul(b, perSequence), c.stage.order === 'backward' ? iadd(count, imul(k, -1), int(-1)) : k));
    const next = step.components.map((component, i): Value => {
      const start = place(component, storages.chunkState(component.state, 'start'));
      const h: Value = { kind: 'reg', name: carried[i] as string };
      store(start.buffer, start.at, h);
      const sum = place(component, storages.chunkState(component.state, 'sum'));
      let change = load(sum.buffer, sum.at);
      for (const q of step.products) {
        if (q.row !== i) continue;
        const { buffer, at } = storages.productElement(q, env, c.row(env), step.elementwise.map((x) => ({ int: placeOf(env, x).int, lane: 0 })));
        change = w.let({ kind: 'muladd', left: load(buffer, at), right: { kind: 'reg', name: carried[q.column] as string }, plus: change });
      }
      for (const part of ['low', 'high'] as const) for (const p of step.powers) {
        if (p.row === i) change = w.let({ kind: 'muladd', left: w.let(reads.load(p[part] as ExprOf<'read'>, env)), right: { kind: 'reg', name: carried[p.column] as string }, plus: change });
      }
      return w.let({ kind: 'binary', op: 'add', left: h, right: change });
    });
    carried.forEach((name, i) => w.set(name, next[i] as Value));
    c.chunk = undefined;
  });
  home.forEach((h, i) => store(h.buffer, h.at, { kind: 'reg', name: carried[i] as string }));
}
