/** Programs as text: a line per definition. */
import { affineConstant } from './builder.js';
import type { Affine, Definition, Expr, Program } from './program.js';

export function printProgram(p: Program): string {
  return p.definitions.map((d) => printDefinition(p, d)).join('\n') + '\n';
}
export function printDefinition(p: Program, d: Definition): string {
  const left = `${d.name}[${[...(d.time ? ['t'] : []), ...d.indices.map((i) => `${i.name}:${i.axis.size}`)].join(', ')}]${d.type === 'complex' ? ' complex' : ''}`;
  switch (d.kind) {
    case 'input': return `input ${left}`;
    case 'param': return `param ${left}`;
    case 'draw': return `${left} = ${d.draw.kind}(${Number(d.draw.a.toPrecision(6))}, ${Number(d.draw.b.toPrecision(6))})`;
    case 'eigen': return `${left} = eigen${d.part} ${p.definitions[d.matrix]?.name ?? ''}`;
    case 'inverse': return `${left} = inverse ${p.definitions[d.matrix]?.name ?? ''}`;
    case 'stack': return `${left} = stack ${d.parts.map((x) => p.definitions[x]?.name ?? '').join(', ')}`;
    case 'equation': return `${d.state ? `${d.state.direction} state ` : ''}${left} = ${printExpr(p, d.body)}${d.state?.initial ? `, initial ${printExpr(p, d.state.initial)}` : ''}`;
  }
}
const symbols: Readonly<Record<string, string>> = { add: '+', sub: '-', mul: '*', div: '/', lt: '<', le: '<=', eq: '==', ne: '!=', and: '&&', or: '||' };
/** `special` may print a node otherwise. */
export function printExpr(p: Program, e: Expr, special: (e: Expr, go: (e: Expr) => string) => string | undefined = () => undefined): string {
  const go = (x: Expr): string => special(x, go) ?? plain(x);
  const plain = (x: Expr): string => {
    switch (x.kind) {
      case 'const': return `${Number(x.value.toPrecision(7))}`;
      case 'index': return x.index.name;
      case 'read': return `${p.definitions[x.def]?.name ?? ''}[${[...(x.time ? [`t${offset(x.time)}`] : []), ...x.at.map(printAffine)].join(', ')}]`;
      case 'unary': return x.op === 'neg' ? `-${go(x.arg)}` : `${x.op}(${go(x.arg)})`;
      case 'binary': { const s = symbols[x.op]; return s ? `(${go(x.left)} ${s} ${go(x.right)})` : `${x.op}(${go(x.left)}, ${go(x.right)})`; }
      case 'power': return `${go(x.base)}^${x.exponent}`;
      case 'select': return `where(${go(x.cond)}, ${go(x.then)}, ${go(x.else)})`;
      case 'reduce': return `${x.op}(${x.over === 'time' ? 't' : x.over.name}: ${go(x.body)})`;
    }
  };
  return go(e);
}
function offset(a: Affine): string {
  const zero = affineConstant(0);
  return a.constant === zero.constant && a.terms.length === 0 ? '' : ` + ${printAffine(a)}`.replace('+ -', '- ');
}
export function printAffine(a: Affine): string {
  const terms = a.terms.map((t) => (t.coefficient === 1 ? t.index.name : `${t.coefficient}*${t.index.name}`));
  if (a.constant !== 0 || terms.length === 0) terms.push(`${a.constant}`);
  return terms.join(' + ').replaceAll('+ -', '- ');
}
