/** Kernels as text, C-like. */
import type { Cond, Int, Kernel, Stmt, Value } from './kernel.js';

export function printKernel(k: Kernel): string {
  const parameters = k.parameters.map((p) => (p.kind === 'scalar' ? p.name : `${p.access === 'read' ? '' : p.access === 'write' ? 'out ' : 'inout '}${p.element} ${p.name}[]`));
  const grid = k.grid ? ` by ${k.grid.threads} threads in ${groups(k.grid)} groups` : '';
  const memories = (k.memories ?? []).map((m) => `  ${m.space} ${m.element ? `${m.element} ` : ''}${m.name}[${m.size}]`);
  return [`kernel ${k.name}(${parameters.join(', ')}) ${k.precision}${grid} {`, ...memories, ...k.body.flatMap((s) => stmt(s, '  ')), '}', ''].join('\n');
}
function groups({ groups: g, batches }: NonNullable<Kernel['grid']>): string {
  return [batches, g.times, g.of === 1 ? Math.ceil(g.each / g.per) : `ceil(${g.of}*${g.each}/${g.per})`].filter((x) => x !== 1).join(' * ') || '1';
}
function stmt(s: Stmt, pad: string): string[] {
  const block = (list: readonly Stmt[]): string[] => list.flatMap((x) => stmt(x, `${pad}  `));
  switch (s.kind) {
    case 'for': return [`${pad}for ${s.name} = ${int(s.from)} .. ${int(s.to)} by ${s.step}${s.lanes ? ' lanes' : ''}${s.parallel ? ' parallel' : ''}${s.unroll ? ' unroll' : ''} {`, ...block(s.body), `${pad}}`];
    case 'int': return [`${pad}int ${s.name} = ${int(s.value)}`];
    case 'let': case 'var': return [`${pad}${s.kind} ${s.name} = ${value(s.value)}`];
    case 'set': return [`${pad}${s.name} = ${value(s.value)}`];
    case 'store': return [`${pad}${s.buffer}[${int(s.at)}${s.lanes === 'vector' ? ' ..' : s.lanes === 'one' ? '' : ` .. ${int(s.lanes.count)}`}] = ${value(s.value)}${s.second ? `, ${value(s.second)}` : ''}${s.where ? ` where ${cond(s.where)}` : ''}`];
    case 'if': return [`${pad}if ${cond(s.cond)} {`, ...block(s.then), ...(s.else.length > 0 ? [`${pad}} else {`, ...block(s.else)] : []), `${pad}}`];
    case 'barrier': case 'commit': return [`${pad}${s.kind}`];
    case 'copy': return [`${pad}copy ${s.memory}[${int(s.at)}] = ${s.buffer}[${int(s.from)}] width ${s.width}${s.count ? ` of which ${int(s.count)}` : ''}`];
    case 'multiply': return s.sums.map((r, i) => `${pad}${r.map((x) => `(${x.join(' ')})`).join(', ')} += ${s.row.memory}[${int(s.row.at[i] as Int)} by ${s.row.stride}] . ${s.column.memory}[${s.column.at.map(int).join(', ')} by ${s.column.stride}]`);
    case 'await': return [`${pad}await ${s.pending}`];
    case 'comment': return [`${pad}// ${s.text}`];
  }
}
export function int(e: Int): string {
  switch (e.kind) {
    case 'int': return `${e.value}`;
    case 'ivar': return e.name;
    case 'iadd': return e.terms.map(int).join(' + ').replaceAll('+ -', '- ');
    case 'imul': return e.factors.map((f) => (f.kind === 'iadd' ? `(${int(f)})` : int(f))).join('*');
    case 'imin': return `min(${int(e.left)}, ${int(e.right)})`;
    case 'imax': return `max(${int(e.left)}, ${int(e.right)})`;
    case 'idiv': return `(${int(e.left)})/${e.by}`;
    case 'imod': return `(${int(e.left)})%${e.by}`;
    case 'iselect': return `(${cond(e.cond)} ? ${int(e.then)} : ${int(e.else)})`;
    case 'iload': return `${e.buffer}[${int(e.at)}]`;
  }
}
function cond(c: Cond): string {
  if (c.kind === 'all') return `all(${value(c.mask)})`;
  if (c.kind !== 'icompare') return `(${cond(c.left)} ${c.kind === 'iand' ? '&&' : '||'} ${cond(c.right)})`;
  return `${int(c.left)} ${{ lt: '<', le: '<=', eq: '==', ne: '!=' }[c.op]} ${int(c.right)}`;
}
const symbols: Readonly<Record<string, string>> = { add: '+', sub: '-', mul: '*', div: '/', lt: '<', le: '<=', eq: '==', ne: '!=', and: '&', or: '|' };
function value(v: Value): string {
  switch (v.kind) {
    case 'number': return `${v.value}`;
    case 'reg': return v.name;
    case 'load': return `${v.buffer}[${int(v.at)}${v.access === 'vector' ? ' ..' : v.access === 'uniform' ? '' : ` by ${int(v.access.stride)}`}]`;
    case 'unary': return `${v.op}(${value(v.arg)})`;
    case 'binary': { const s = symbols[v.op]; return s ? `${value(v.left)} ${s} ${value(v.right)}` : `${v.op}(${value(v.left)}, ${value(v.right)})`; }
    case 'muladd': return `${value(v.left)} * ${value(v.right)} + ${value(v.plus)}`;
    case 'decay': return `decay${v.bounded ? '_bounded' : ''}(${value(v.exponent)}, ${value(v.state)}) + ${value(v.plus)}`;
    case 'select': return `${value(v.cond)} ? ${value(v.then)} : ${value(v.else)}`;
    case 'lane': return 'lane';
    case 'from-int': return `float(${int(v.value)})`;
    case 'from-cond': return `mask(${cond(v.cond)})`;
    case 'reduce-lanes': return `${v.op}_lanes(${value(v.arg)}, ${int(v.count)})`;
    case 'lane-of': return `${value(v.arg)}.lane(${int(v.lane)})`;
  }
}
