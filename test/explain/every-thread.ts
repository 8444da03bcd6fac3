/** What a kernel of threads loads, stores and waits for, by going through every thread and every round: slow, and plainly right. */
import { isNarrow, type Cond, type Int, type Kernel, type Stmt, type Value } from '../../src/ir/kernel.js';
import type { Sizes } from '../../src/explain/count.js';
import { groupsOf } from '../../src/runtime/gpu/arrangement.js';

export interface Traffic {
  readonly loads: Map<string, number>;
  readonly stores: Map<string, number>;
  barriers: number;
}
type Env = Map<string, number>;

export function everyThread(kernel: Kernel, { batch, steps }: Sizes): Traffic {
  const traffic: Traffic = { loads: new Map(), stores: new Map(), barriers: 0 };
  const { grid } = kernel;
  if (!grid) throw new Error('no kernel of threads');
  const groups = groupsOf({ grid: { ...grid.groups, batches: grid.batches } }, batch, steps);
  for (let b = 0; b < (grid.batches === 'B' ? batch : 1); b++) for (let g = 0; g < groups; g++) for (let l = 0; l < grid.threads; l++) {
    list(kernel, kernel.body, new Map([['$b', b], ['$g', g], ['$l', l], ['$B', batch], ['$T', steps], ['$R', batch * steps]]), traffic);
  }
  return traffic;
}
const add = (to: Map<string, number>, buffer: string): void => { to.set(buffer, (to.get(buffer) ?? 0) + 1); };

function list(k: Kernel, stmts: readonly Stmt[], outer: Env, traffic: Traffic): void {
  const env = new Map(outer);
  const l = env.get('$l') as number;
  for (const s of stmts) {
    switch (s.kind) {
      case 'for':
        for (let v = int(s.from, env); s.step > 0 ? v < int(s.to, env) : v > int(s.to, env); v += s.step) list(k, s.body, new Map(env).set(s.name, v), traffic);
        break;
      case 'int': env.set(s.name, int(s.value, env)); break;
      case 'let': case 'var': case 'set': value(k, s.value, l, traffic); break;
      case 'store': {
        value(k, s.value, l, traffic);
        const { lanes = 1, threads = 1, neighbours } = k.grid ?? {};
        const lane = lanes === threads ? l : neighbours ? l % lanes : Math.floor((l % 32) / (32 / lanes));
        // Halves that two threads have: after one has shown its own, and after the other has seen it.
        if (l === 0 && (lanes === threads || neighbours) && lanes > 1 && !s.second && k.parameters.some((p) => p.kind === 'buffer' && p.name === s.buffer && isNarrow(p.element))) traffic.barriers += 2;
        if (s.where && !holds(s.where, env)) break;
        if (lanes === 1 || k.memories?.some((m) => m.name === s.buffer) || s.lanes === 'vector' || (s.lanes === 'one' ? lane === 0 : lane < int(s.lanes.count, env))) add(traffic.stores, s.buffer);
        break;
      }
      case 'if': list(k, holds(s.cond, env) ? s.then : s.else, env, traffic); break;
      // One thread speaks for its group.
      case 'barrier': if (l === 0) traffic.barriers++; break;
      case 'copy':
        for (let n = 0; n < s.width; n++) {
          if (!s.count || n < int(s.count, env)) add(traffic.loads, s.buffer);
          add(traffic.stores, s.memory);
        }
        break;
      // Each tile has 256 elements, of which a thread of the warp has eight.
      case 'multiply':
        for (const { memory, at } of [s.row, s.column]) for (let n = 0; n < 8 * at.length; n++) add(traffic.loads, memory);
        break;
      case 'commit': case 'await': case 'comment': break;
    }
  }
}
function value(k: Kernel, v: Value, l: number, traffic: Traffic): void {
  const go = (x: Value): void => value(k, x, l, traffic);
  switch (v.kind) {
    case 'load': add(traffic.loads, v.buffer); break;
    case 'unary': case 'lane-of': go(v.arg); break;
    case 'reduce-lanes': {
      go(v.arg);
      // As targets/wgsl/reductions.ts prints it.
      if (l === 0 && (k.grid?.lanes === k.grid?.threads || k.grid?.neighbours)) traffic.barriers += 2;
      break;
    }
    case 'binary': go(v.left); go(v.right); break;
    case 'select': go(v.cond); go(v.then); go(v.else); break;
    case 'muladd': go(v.left); go(v.right); go(v.plus); break;
    case 'decay': go(v.exponent); go(v.state); go(v.plus); break;
    case 'number': case 'reg': case 'lane': case 'from-int': case 'from-cond': break;
  }
}
function int(e: Int, env: Env): number {
  switch (e.kind) {
    case 'int': return e.value;
    case 'ivar': return env.get(e.name) as number;
    case 'iadd': return e.terms.reduce((n, t) => n + int(t, env), 0);
    case 'imul': return e.factors.reduce((n, t) => n * int(t, env), 1);
    case 'imin': return Math.min(int(e.left, env), int(e.right, env));
    case 'imax': return Math.max(int(e.left, env), int(e.right, env));
    case 'idiv': return Math.trunc(int(e.left, env) / e.by);
    case 'imod': return int(e.left, env) % e.by;
    case 'iselect': return int(holds(e.cond, env) ? e.then : e.else, env);
    case 'iload': return env.get('$T') as number;
  }
}
function holds(c: Cond, env: Env): boolean {
  if (c.kind === 'all') return true;
  if (c.kind !== 'icompare') return c.kind === 'iand' ? holds(c.left, env) && holds(c.right, env) : holds(c.left, env) || holds(c.right, env);
  const [a, b] = [int(c.left, env), int(c.right, env)];
  return c.op === 'lt' ? a < b : c.op === 'le' ? a <= b : c.op === 'eq' ? a === b : a !== b;
}
