/**
 * Ragged axes away: a definition in which a size depends on the modality becomes one definition per member, each over plain axes; where
 * the result itself isn't ragged they are the parts of a `stack`. Exact: it is the same table, written member by member.
 */
import { affineConstant, affineOf, children, rebuild, visitExpr, type Builder } from '../ir/builder.js';
import type { Affine, Axis, Definition, DefinitionId, Expr, Index, InputPort, Program } from '../ir/program.js';
import { compact, type Pass } from './pass.js';

export const splitRagged: Pass = {
  name: 'split-ragged',
  why: 'modalities with features of different sizes become definitions of their own',
  run: (program, b) => new Splitter(program, b).run(),
};

class Splitter {
  readonly #program: Program;
  readonly #b: Builder;
  readonly #defs: Definition[];
  readonly #axes = new Map<Axis, Axis[]>();
  /** Parts of ragged definitions, by member, and the position of the modality index. */
  readonly #parts = new Map<DefinitionId, { position: number; parts: DefinitionId[] }>();

  constructor(program: Program, b: Builder) {
    this.#program = program;
    this.#b = b;
    this.#defs = [...program.definitions];
  }
  run(): Program {
    const order = this.#program.definitions.filter((d) => this.#governor(d) !== undefined);
    if (order.length === 0 && !this.#program.definitions.some((d) => d.kind === 'equation' && hasRagged(d.body))) return this.#program;
    // Ragged definitions get their parts' numbers first: they may read one another.
    for (const d of order) if (d.indices.some((i) => i.axis.ragged)) this.#reserve(d);
    for (const d of this.#program.definitions) if (this.#parts.has(d.id)) this.#fill(d);
    for (const d of order) if (!this.#parts.has(d.id)) this.#stack(d);
    for (const d of this.#program.definitions) {
      const now = this.#defs[d.id] as Definition;
      if (now.kind === 'equation' && !this.#parts.has(d.id)) this.#defs[d.id] = { ...now, body: this.#rewrite(now.body, new Map()) };
    }
    const inputs = this.#program.inputs.flatMap((port): InputPort[] => {
      const split = this.#parts.get(port.def);
      if (!split) return [port];
      return port.tensors.map((t, k): InputPort => ({ def: split.parts[t.member ?? k] as DefinitionId, tensors: [{ name: t.name, path: t.path, shape: t.shape }] }));
    });
    const ragged = new Set(this.#parts.keys());
    const definitions = this.#defs.map((d): Definition => (ragged.has(d.id) ? { kind: 'equation', id: d.id, name: d.name, time: false, indices: [], type: 'real', span: d.span, body: this.#b.const(0) } : d));
    return compact({ ...this.#program, definitions, inputs }, this.#b);
  }
  /** The own index whose member decides sizes in this definition. */
  #governor(d: Definition): Index | undefined {
    const own = d.indices.find((i) => i.governor)?.governor;
    if (own) return own;
    let found: Index | undefined;
    if (d.kind === 'equation') visitExpr(d.body, (e) => {
      if (e.kind === 'reduce' && e.over !== 'time' && e.over.governor && d.indices.includes(e.over.governor)) found = e.over.governor;
    });
    return found;
  }
  #plainAxis(axis: Axis, member: number): Axis {
    const sizes = axis.ragged?.sizes ?? [];
    const known = this.#axes.get(axis) ?? sizes.map((size, k) => ({ name: `${axis.name}.${axis.ragged?.over.labels?.[k] ?? k}`, size }));
    this.#axes.set(axis, known);
    return known[member] as Axis;
  }
  #reserve(d: Definition): void {
    const m = this.#governor(d) as Index;
    const labels = m.axis.labels ?? [];
    const position = d.indices.indexOf(m);
    const parts = Array.from({ length: m.axis.size }, (_, k) => {
      const id = this.#defs.length as DefinitionId;
      const indices = d.indices.filter((i) => i !== m).map((i) => this.#b.newIndex(i.name, i.axis.ragged ? this.#plainAxis(i.axis, k) : i.axis));
      this.#defs.push({ ...d, id, name: `${d.name}.${labels[k] ?? k}`, indices } as Definition);
      return id;
    });
    this.#parts.set(d.id, { position, parts });
  }
  #fill(d: Definition): void {
    const { parts } = this.#parts.get(d.id) as { parts: DefinitionId[] };
    parts.forEach((id, member) => {
      const part = this.#defs[id] as Definition;
      if (d.kind === 'param') {
        this.#defs[id] = { ...part, kind: 'param', pieces: d.pieces.filter((p) => p.member === member).map((p) => ({ name: p.name, shape: p.shape })) } as Definition;
      } else if (d.kind === 'equation') this.#defs[id] = { ...part, ...this.#memberOf(d, member, part.indices) } as Definition;
    });
  }
  /** The body for one member, over the part's own indices. */
  #memberOf(d: Extract<Definition, { kind: 'equation' }>, member: number, own: readonly Index[]): { body: Expr } {
    const m = this.#governor(d) as Index;
    const kept = d.indices.filter((i) => i !== m);
    const map = new Map<Index, Affine>([[m, affineConstant(member)], ...kept.map((i, k) => [i, affineOf(own[k] as Index)] as const)]);
    return { body: this.#rewrite(d.body, map) };
  }
  #stack(d: Definition): void {
    if (d.kind !== 'equation') return;
    const m = this.#governor(d) as Index;
    const labels = m.axis.labels ?? [];
    const rest = d.indices.filter((i) => i !== m);
    const parts = Array.from({ length: m.axis.size }, (_, member) => {
      const id = this.#defs.length as DefinitionId;
      const indices = rest.map((i) => this.#b.newIndex(i.name, i.axis));
      const { state: _state, ...plain } = d;
      this.#defs.push({ ...plain, id, name: `${d.name}.${labels[member] ?? member}`, indices, ...this.#memberOf(d, member, indices) });
      return id;
    });
    const { id, name, time, type, span, indices } = d;
    const first = [m, ...rest];
    if (indices[0] === m) this.#defs[d.id] = { kind: 'stack', id, name, time, indices: first, type, span, parts, ...(d.doc === undefined ? {} : { doc: d.doc }) };
    else this.#transposed(d, first, parts);
  }
  /** A stack has its modality first; other orders read it through. */
  #transposed(d: Extract<Definition, { kind: 'equation' }>, first: readonly Index[], parts: readonly DefinitionId[]): void {
    const id = this.#defs.length as DefinitionId;
    const own = first.map((i) => this.#b.newIndex(i.name, i.axis));
    this.#defs.push({ kind: 'stack', id, name: `${d.name}#members`, time: d.time, indices: own, type: d.type, span: d.span, parts });
    const body = this.#b.read(id, d.type, first.map((i) => affineOf(i)), d.time ? affineConstant(0) : undefined);
    this.#defs[d.id] = { ...d, body };
  }

  /** Indices replaced, ragged sums written for the member that is fixed, reads of ragged definitions led to their parts. */
  #rewrite(root: Expr, map: ReadonlyMap<Index, Affine>): Expr {
    const b = this.#b;
    const memo = new Map<Expr, Expr>();
    const place = (a: Affine): Affine => {
      let constant = a.constant;
      const terms: { index: Index; coefficient: number }[] = [];
      for (const t of a.terms) {
        const image = map.get(t.index);
        if (!image) { terms.push(t); continue; }
        constant += image.constant * t.coefficient;
        terms.push(...image.terms.map((x) => ({ index: x.index, coefficient: x.coefficient * t.coefficient })));
      }
      return { constant, terms };
    };
    const visit = (e: Expr): Expr => {
      const known = memo.get(e);
      if (known) return known;
      const made = make(e);
      memo.set(e, made);
      return made;
    };
    const make = (e: Expr): Expr => {
      if (e.kind === 'index') {
        const a = map.get(e.index);
        const [term] = a?.terms ?? [];
        return !a ? e : term ? b.index(term.index) : b.const(a.constant);
      }
      if (e.kind === 'read') {
        const at = e.at.map(place);
        const time = e.time && place(e.time);
        const split = this.#parts.get(e.def);
        if (!split) return b.read(e.def, e.type, at, time);
        const member = (at[split.position] as Affine).constant;
        return b.read(split.parts[member] as DefinitionId, e.type, at.filter((_, k) => k !== split.position), time);
      }
      if (e.kind === 'reduce' && e.over !== 'time') {
        const over = e.over;
        if (over.axis.ragged) {
          const member = (map.get(over.governor as Index) as Affine).constant;
          const fresh = b.newIndex(over.name, this.#plainAxis(over.axis, member));
          return b.reduce(e.op, fresh, this.#rewrite(e.body, new Map(map).set(over, affineOf(fresh))));
        }
        if (governs(e.body, over)) return this.#unrolled(e, over, map);
      }
      return rebuild(b, e, children(e).map(visit));
    };
    return visit(root);
  }
  /** A reduction over the modalities themselves, member by member. */
  #unrolled(e: Extract<Expr, { kind: 'reduce' }>, over: Index, map: ReadonlyMap<Index, Affine>): Expr {
    const b = this.#b;
    const members = Array.from({ length: over.axis.size }, (_, k) => this.#rewrite(e.body, new Map(map).set(over, affineConstant(k))));
    if (e.op === 'last') return members.at(-1) as Expr;
    const op = e.op === 'max' || e.op === 'min' ? e.op : 'add';
    const total = members.reduce((x, y) => b.binary(op, x, y));
    return e.op === 'mean' ? b.binary('mul', total, b.const(1 / members.length)) : total;
  }
}
function governs(body: Expr, m: Index): boolean {
  let found = false;
  visitExpr(body, (e) => { if (e.kind === 'reduce' && e.over !== 'time' && e.over.governor === m) found = true; });
  return found;
}
function hasRagged(body: Expr): boolean {
  let found = false;
  visitExpr(body, (e) => { if (e.kind === 'reduce' && e.over !== 'time' && e.over.axis.ragged) found = true; });
  return found;
}
