/**
 * Contractions of one weight with one operand that differ in an offset only are one contraction: sum(k: W[off + j, k]·x[k]) for several
 * off become P[jj] = sum(k: W[jj, k]·x[k]) over all of them, read at off + j. The operand is then read once. Exact: the sums are the same.
 */
import { affineAdd, affineConstant, affineOf, mapExpr, substitute, visitExpr, type Builder } from '../ir/builder.js';
import type { Affine, Axis, Definition, DefinitionId, Expr, ExprOf, Index, Program } from '../ir/program.js';
import { compact, loadTimeDefinitions, type Pass } from './pass.js';

interface Site {
  readonly owner: DefinitionId;
  readonly e: ExprOf<'reduce'>;
  readonly weight: ExprOf<'read'>;
  readonly operand: ExprOf<'read'>;
  /** Position in the weight of the index that moves, its index and its offset. */
  readonly position: number;
  readonly index: Index;
  readonly offset: number;
  readonly key: string;
}

export const mergeContractions: Pass = {
  name: 'merge-contractions',
  why: 'projections of one operand by parts of one weight become one matrix product',
  run(program: Program, b: Builder): Program {
    const loaded = loadTimeDefinitions(program);
    const sites = new Map<string, Site[]>();
    for (const d of program.definitions) {
      if (d.kind !== 'equation' || loaded.has(d.id)) continue;
      visitExpr(d.body, (e) => {
        const site = e.kind === 'reduce' ? siteOf(d.id, e, loaded) : undefined;
        if (site) sites.set(site.key, [...(sites.get(site.key) ?? []), site]);
      });
    }
    const defs: Definition[] = [...program.definitions];
    const images = new Map<Expr, Expr>();
    for (const group of sites.values()) if (contiguous(group)) merge(defs, group, b, images);
    if (images.size === 0) return program;
    const definitions = defs.map((d) => (d.kind === 'equation' ? { ...d, body: mapExpr(b, d.body, (e) => images.get(e) ?? e) } : d));
    return compact(inlineReads({ ...program, definitions }, b), b);
  },
};

function siteOf(owner: DefinitionId, e: ExprOf<'reduce'>, loaded: ReadonlySet<DefinitionId>): Site | undefined {
  if (e.op !== 'sum' || e.over === 'time' || e.body.kind !== 'binary' || e.body.op !== 'mul') return undefined;
  const { left, right } = e.body;
  if (left.kind !== 'read' || right.kind !== 'read') return undefined;
  const [weight, operand] = loaded.has(left.def) ? [left, right] : [right, left];
  if (!loaded.has(weight.def) || loaded.has(operand.def) || !operand.time || operand.time.constant !== 0 || operand.time.terms.length > 0) return undefined;
  const used = new Set(operand.at.flatMap((a) => a.terms.map((t) => t.index)));
  const moving = weight.at.flatMap((a, position) => {
    const [term] = a.terms;
    return term && a.terms.length === 1 && term.coefficient === 1 && !used.has(term.index) && term.index !== e.over ? [{ position, index: term.index, offset: a.constant }] : [];
  });
  const [move] = moving;
  if (!move || moving.length > 1) return undefined;
  // Everything else must be the same up to the names of indices.
  const names = new Map<Index, number>([[e.over, 0]]);
  const key = (a: Affine): string => `${a.constant}${a.terms.map((t) => { if (!names.has(t.index)) names.set(t.index, names.size); return `+${t.coefficient}*${names.get(t.index)}`; }).join('')}`;
  const axes = (): string => [...names.keys()].map((i) => axisId(i.axis)).join(',');
  const parts = [weight.def, ...weight.at.map((a, k) => (k === move.position ? '_' : key(a))), '|', operand.def, ...operand.at.map(key), axes(), move.position];
  return { owner, e, weight, operand, ...move, key: parts.join(' ') };
}
const axisIds = new WeakMap<Axis, number>();
let nextAxis = 0;
function axisId(a: Axis): number {
  if (!axisIds.has(a)) axisIds.set(a, nextAxis++);
  return axisIds.get(a) as number;
}
/** Several different parts that tile a range. */
function contiguous(group: Site[]): boolean {
  const ranges = [...new Map(group.map((s) => [s.offset, s.offset + s.index.axis.size])).entries()].sort((x, y) => x[0] - y[0]);
  return ranges.length > 1 && ranges.every(([from], k) => k === 0 || from === (ranges[k - 1] as [number, number])[1]);
}
function merge(defs: Definition[], group: readonly Site[], b: Builder, images: Map<Expr, Expr>): void {
  const first = group.reduce((x, y) => (y.offset < x.offset ? y : x));
  const end = Math.max(...group.map((s) => s.offset + s.index.axis.size));
  const owner = defs[first.owner] as Definition;
  const weight = defs[first.weight.def] as Definition;
  const axis: Axis = { name: `${first.index.name}+`, size: end - first.offset };
  // The indices that the product keeps: those of the operand that aren't summed, in the operand's order, then the moving one.
  const others = [...new Set([...first.operand.at, ...first.weight.at].flatMap((a) => a.terms.map((t) => t.index)))].filter((i) => i !== first.index && i !== first.e.over);
  const own = others.map((i) => b.newIndex(i.name, i.axis));
  const moving = b.newIndex('j', axis);
  const over = b.newIndex((first.e.over as Index).name, (first.e.over as Index).axis);
  const image = new Map<Index, Index>([...others.map((i, k) => [i, own[k] as Index] as const), [first.e.over as Index, over]]);
  const map = (a: Affine): Affine => ({ constant: a.constant, terms: a.terms.map((t) => ({ ...t, index: image.get(t.index) ?? t.index })) });
  const w = b.read(weight.id, weight.type, first.weight.at.map((a, k) => (k === first.position ? affineAdd(affineOf(moving), affineConstant(first.offset)) : map(a))));
  const x = b.read(first.operand.def, first.operand.type, first.operand.at.map(map), first.operand.time);
  const id = defs.length as DefinitionId;
  defs.push({
    kind: 'equation', id, name: `${owner.name.replace(/[^.]*$/, '')}${weight.name.split('.').slice(-2)[0] ?? weight.name}#${id}`, time: true, indices: [...own, moving], type: first.e.type, span: owner.span,
    body: b.reduce('sum', over, b.binary('mul', w, x)),
  });
  for (const s of group) {
    // The same walk over the indices of each site gives them in the same order.
    const there = [...new Set([...s.operand.at, ...s.weight.at].flatMap((a) => a.terms.map((t) => t.index)))].filter((i) => i !== s.index && i !== s.e.over);
    images.set(s.e, b.read(id, s.e.type, [...there.map((i) => affineOf(i)), affineOf(s.index, s.offset - first.offset)], { constant: 0, terms: [] }));
  }
}

/** A definition that is only a read of this step is read through. */
function inlineReads(program: Program, b: Builder): Program {
  const outputs = new Set(program.outputs.map((o) => o.def));
  const through = new Map<DefinitionId, { indices: readonly Index[]; body: ExprOf<'read'> }>();
  for (const d of program.definitions) {
    if (d.kind !== 'equation' || d.state || outputs.has(d.id) || d.body.kind !== 'read' || !d.time) continue;
    if (!d.body.time || d.body.time.constant !== 0 || d.body.time.terms.length > 0) continue;
    const target = program.definitions[d.body.def] as Definition;
    const parts = program.definitions.some((x) => x.kind === 'stack' && x.parts.includes(d.id));
    if (target.kind === 'equation' && target.state || parts || target.kind === 'input') continue;
    through.set(d.id, { indices: d.indices, body: d.body });
  }
  const go = (root: Expr): Expr => mapExpr(b, root, (e) => {
    if (e.kind !== 'read') return e;
    const t = through.get(e.def);
    if (!t) return e;
    const at = new Map(t.indices.map((i, k) => [i, e.at[k] as Affine]));
    const inner = substitute(b, t.body, (i) => at.get(i)) as ExprOf<'read'>;
    return go(b.read(inner.def, inner.type, inner.at, e.time));
  });
  return { ...program, definitions: program.definitions.map((d) => (d.kind === 'equation' ? { ...d, body: go(d.body) } : d)) };
}
