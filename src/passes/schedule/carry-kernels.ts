/** Small kernels around the stages: carries between chunks, and the past that a sequence begins with. */
import type { BufferParameter, Int, Kernel, Value } from '../../ir/kernel.js';
import type { DefinitionOf, Index } from '../../ir/program.js';
import { loadConstant } from './access.js';
import { Expressions } from './expressions.js';
import { iadd, imul, int, ivar } from './ints.js';
import type { Layout, StateStorage } from './layout.js';
import { CHUNK, LENGTHS } from './limits.js';
import { Envs, type Env } from './places.js';
import { Writer } from './writer.js';

/** The state that each chunk starts with: S ← S + (Q·S + F) from one chunk to the next. */
export function chunkCarryKernel(state: StateStorage, layout: Layout, entry: string, lanes: number): Kernel {
  const sum = layout.chunkState(state, 'sum').buffer;
  const product = layout.chunkState(state, 'product').buffer;
  const start = layout.chunkState(state, 'start').buffer;
  const w = new Writer([state.buffer, start], ['$B', '$T']);
  const load = (buffer: string, at: Int): Value => w.let({ kind: 'load', buffer, at, access: 'vector' });
  w.loop('b', int(0), ivar('$B'), 1, { parallel: true }, (b) => {
    const perSequence = w.int('chunks', { kind: 'idiv', left: iadd(ivar('$T'), int(CHUNK - 1)), by: CHUNK });
    const count = w.int('count', { kind: 'idiv', left: iadd({ kind: 'iload', buffer: LENGTHS, at: b }, int(CHUNK - 1)), by: CHUNK });
    w.loop('s', int(0), int(state.row), lanes, { lanes: true, parallel: true }, (s) => {
      const carried = w.variable('h', { kind: 'load', buffer: state.buffer, at: iadd(imul(b, state.row), s), access: 'vector' });
      w.loop('c', int(0), count, 1, {}, (c) => {
        const at = iadd(imul(iadd(imul(b, perSequence), c), state.row), s);
        const h: Value = { kind: 'reg', name: carried };
        w.store(start, at, h, 'vector');
        const change: Value = { kind: 'muladd', left: load(product, at), right: h, plus: load(sum, at) };
        w.set(carried, { kind: 'binary', op: 'add', left: h, right: change });
      });
      w.store(state.buffer, iadd(imul(b, state.row), s), { kind: 'reg', name: carried }, 'vector');
    });
  });
  const buffer = (name: string, access: 'read' | 'write' | 'read-write'): BufferParameter => ({ kind: 'buffer', name, element: 'f32', access });
  return {
    name: entry, precision: 'f32', body: w.body,
    parameters: [
      buffer(state.buffer, 'read-write'), buffer(sum, 'read'), buffer(product, 'read'), buffer(start, 'write'),
      { kind: 'buffer', name: LENGTHS, element: 'i32', access: 'read' }, { kind: 'scalar', name: '$B' }, { kind: 'scalar', name: '$T' },
    ],
  };
}

/** A state that others read at earlier steps has its initial value there too. */
export function beginHistoryKernel(buffer: string, depth: number, d: DefinitionOf<'equation'>, entry: string, layout: Layout, lanes: number): Kernel | undefined {
  const initial = d.state?.initial;
  if (!initial) return undefined;
  const storage = layout.of(d.id);
  const w = new Writer([buffer], ['$B']);
  const envs = new Envs();
  const read = new Set<string>();
  const x = new Expressions({
    writer: w, envs, lanes, laneLoops: false, unroll: 1, item: () => undefined, decays: () => false,
    load: (e, env: Env) => {
      const at = layout.of(e.def);
      if (at.kind !== 'load') throw new Error('an initial value that depends on inputs');
      const v = loadConstant(layout, e, env, { lanes, tile: lanes, domain: [], laneIndex: undefined, unroll: 1 });
      if (v.kind === 'load') read.add(v.buffer);
      return v;
    },
  }, []);
  const rest = (k: number, env: Env, at: Int): void => {
    const index: Index | undefined = d.indices[k];
    if (index) w.loop('i', int(0), int(index.axis.size), 1, {}, (i) => rest(k + 1, envs.bind(env, index, { int: i, lane: false }), iadd(at, imul(i, storage.strides[k] as number))));
    else w.store(buffer, at, w.let(x.value(initial, env)), 'one');
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
