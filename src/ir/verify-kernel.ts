/** What must hold of every kernel: names defined once, before use, in scope; buffers declared; no masks in memory, and nothing else decides a choice. Throws: a broken one is a bug. */
import type { Cond, Int, Kernel, Stmt, Value } from './kernel.js';

export function verifyKernel(k: Kernel): void {
  const buffers = new Set([...k.parameters.filter((p) => p.kind === 'buffer').map((p) => p.name), ...(k.memories ?? []).map((m) => m.name)]);
  const narrow = new Set((k.memories ?? []).flatMap((m) => (m.element ? [m.name] : [])));
  const fail = (what: string): never => { throw new Error(`kernel ${k.name}: ${what}`); };
  const int = (e: Int, ints: ReadonlySet<string>): void => {
    switch (e.kind) {
      case 'int': return;
      case 'ivar': if (!ints.has(e.name)) fail(`integer ${e.name} is unknown here`); return;
      case 'iadd': for (const t of e.terms) int(t, ints); return;
      case 'imul': for (const t of e.factors) int(t, ints); return;
      case 'imin': case 'imax': int(e.left, ints); int(e.right, ints); return;
      case 'idiv': case 'imod': int(e.left, ints); if (e.by <= 0) fail('a division by less than 1'); return;
      case 'iselect': cond(e.cond, ints); int(e.then, ints); int(e.else, ints); return;
      case 'iload': if (!buffers.has(e.buffer)) fail(`buffer ${e.buffer} is unknown`); int(e.at, ints); return;
    }
  };
  const cond = (c: Cond, ints: ReadonlySet<string>, regs?: ReadonlySet<string>): void => {
    if (c.kind === 'all') { if (!regs) fail('a mask decides an integer'); else value(c.mask, ints, regs); } else if (c.kind === 'icompare') { int(c.left, ints); int(c.right, ints); } else { cond(c.left, ints, regs); cond(c.right, ints, regs); }
  };
  const masks = new Set<string>();
  const isMask = (v: Value): boolean => {
    switch (v.kind) {
      case 'from-cond': return true;
      case 'reg': return masks.has(v.name);
      case 'unary': return v.op === 'not';
      case 'binary': return ['lt', 'le', 'eq', 'ne', 'and', 'or'].includes(v.op);
      case 'select': return isMask(v.then);
      default: return false;
    }
  };
  const value = (v: Value, ints: ReadonlySet<string>, regs: ReadonlySet<string>): void => {
    const go = (x: Value): void => value(x, ints, regs);
    switch (v.kind) {
      case 'number': case 'lane': return;
      case 'reg': if (!regs.has(v.name)) fail(`register ${v.name} is unknown here`); return;
      case 'load': if (!buffers.has(v.buffer)) fail(`buffer ${v.buffer} is unknown`); int(v.at, ints); return;
      case 'unary': go(v.arg); return;
      case 'binary': go(v.left); go(v.right); return;
      case 'decay': go(v.exponent); go(v.state); go(v.plus); return;
      case 'muladd': go(v.left); go(v.right); go(v.plus); return;
      case 'select': if (!isMask(v.cond)) fail('a number decides a choice'); go(v.cond); go(v.then); go(v.else); return;
      case 'from-int': int(v.value, ints); return;
      case 'from-cond': cond(v.cond, ints, regs); return;
      case 'reduce-lanes': go(v.arg); int(v.count, ints); return;
      case 'lane-of': go(v.arg); int(v.lane, ints); return;
    }
  };
  const list = (stmts: readonly Stmt[], outerInts: ReadonlySet<string>, outerRegs: ReadonlySet<string>): void => {
    const ints = new Set(outerInts);
    const regs = new Set(outerRegs);
    for (const s of stmts) {
      switch (s.kind) {
        case 'for': int(s.from, ints); int(s.to, ints); if (s.step === 0) fail('a loop without step'); list(s.body, new Set([...ints, s.name]), regs); break;
        case 'int': int(s.value, ints); if (ints.has(s.name)) fail(`${s.name} is defined twice`); ints.add(s.name); break;
        case 'let': case 'var': value(s.value, ints, regs); if (regs.has(s.name)) fail(`${s.name} is defined twice`); regs.add(s.name); masks[isMask(s.value) ? 'add' : 'delete'](s.name); break;
        case 'set': if (!regs.has(s.name)) fail(`${s.name} is set before it is defined`); value(s.value, ints, regs); break;
        case 'store':
          if (!buffers.has(s.buffer)) fail(`buffer ${s.buffer} is unknown`);
          int(s.at, ints);
          for (const v of s.second ? [s.value, s.second] : [s.value]) { if (isMask(v)) fail(`a mask is stored in ${s.buffer}`); value(v, ints, regs); }
          if (s.where) cond(s.where, ints, regs);
          break;
        case 'if': cond(s.cond, ints, regs); list(s.then, ints, regs); list(s.else, ints, regs); break;
        case 'copy': if (!buffers.has(s.buffer) || !buffers.has(s.memory)) fail(`a copy from ${s.buffer} to ${s.memory}, of which one is unknown`); int(s.at, ints); int(s.from, ints); if (s.count) int(s.count, ints); break;
        case 'multiply':
          for (const t of [s.row, s.column]) {
            if (!narrow.has(t.memory)) fail(`${t.memory} holds no tiles of two bytes an element`);
            for (const at of t.at) int(at, ints);
          }
          if (s.sums.length !== s.row.at.length || s.sums.some((r) => r.length !== s.column.at.length)) fail('tiles are multiplied that no sum is for');
          for (const r of s.sums.flat(2)) if (!regs.has(r)) fail(`register ${r} is unknown here`);
          break;
        case 'commit': case 'await': break;
        case 'barrier': if (!k.grid) fail('a barrier without threads'); break;
        case 'comment': break;
      }
    }
  };
  const scalars = new Set(k.parameters.filter((p) => p.kind === 'scalar').map((p) => p.name));
  list(k.body, new Set([...scalars, ...(k.grid ? ['$l', '$g', '$b'] : [])]), new Set());
}
