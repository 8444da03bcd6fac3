/** The past that a sequence begins with, of what others read at earlier steps. */
import type { Int, Kernel, Value } from '../../ir/kernel.js';
import type { DefinitionOf, ExprOf, Index } from '../../ir/program.js';
import { element, loadConstant } from './access.js';
import { Expressions } from './expressions.js';
import { iadd, imul, int, ivar } from './ints.js';
import type { Layout, Storage } from './layout.js';
import { Envs, type Env } from './places.js';
import { Writer } from './writer.js';

/** Of an input without time, or what is computed of one. */
function ofRow(storage: Storage, e: ExprOf<'read'>, env: Env): Value {
  const { at } = element(env, storage.strides, e.at, storage.offset);
  return { kind: 'load', buffer: storage.buffer, at: iadd(imul(env.row, storage.row), at), access: 'uniform' };
}

/** A state that others read at earlier steps has its initial value there too. */
export function beginHistoryKernel(buffer: string, depth: number, d: DefinitionOf<'equation'>, entry: string, layout: Layout, lanes: number): Kernel | undefined {
  const initial = d.state?.initial;
  // What stands before the first step of a backward state is 0.
  if (!initial || d.state?.direction === 'backward') return undefined;
  const storage = layout.of(d.id);
  const w = new Writer([buffer], ['$B']);
  const envs = new Envs();
  const read = new Set<string>();
  const x = new Expressions({
    writer: w, envs, lanes, laneLoops: false, unroll: 1, item: () => undefined, decays: () => false,
    load: (e, env: Env) => {
      const at = layout.of(e.def);
      const v = at.kind === 'load' ? loadConstant(layout, e, env, { lanes, tile: lanes, domain: [], laneIndex: undefined, unroll: 1 }) : ofRow(at, e, env);
      if (v.kind === 'load') read.add(v.buffer);
      return v;
    },
  }, []);
  const rest = (k: number, env: Env, at: Int): void => {
    const index: Index | undefined = d.indices[k];
    if (index) w.loop('i', int(0), int(index.axis.size), 1, {}, (i) => rest(k + 1, envs.bind(env, index, { int: i, lane: false }), iadd(at, imul(i, storage.strides[k] as number))));
    else x.run([{ inner: [], body: initial, env, sink: (v) => w.store(buffer, at, v, 'one') }]);
  };
  w.loop('b', int(0), ivar('$B'), 1, {}, (b) =>
    w.loop('s', int(0), int(depth), 1, {}, (s) => rest(0, envs.root(b), iadd(imul(iadd(imul(b, depth), s), storage.row), int(storage.offset)))));
  return {
    name: entry, precision: 'f32', body: w.body,
    parameters: [
      ...[...read].map((name) => ({ kind: 'buffer' as const, name, element: 'f32' as const, access: 'read' as const })),
      { kind: 'buffer', name: buffer, element: 'f32', access: 'write' }, { kind: 'scalar', name: '$B' },
    ],
  };
}
