/** Every name of a file that stands for a symbol, in order of place. Names that mean nothing are left out: the checker says so. */
import type { CallExpr, Declaration, Expr, IndexPattern, MatchExpr, Name, SourceFile, Span, Statement } from '../../grammar/ast.js';
import { bodyNames } from './body-names.js';
import { choiceId, declarationId, localId, memberId, type BlockRef, type Blocks, type BodyNames, type Defining, type Occurrence, type SymbolKind, type Symbol_ } from './symbols.js';

export function occurrencesOf(file: SourceFile, blocks: Blocks): readonly Occurrence[] {
  const found: Occurrence[] = [];
  for (const i of file.imports) for (const name of i.names) {
    const block = blocks.imported(name.text, i.from);
    if (block) found.push({ span: name.span, symbol: blockSymbol(block) });
  }
  for (const d of file.declarations) new Walker(file.path, bodyNames(file.path, d), blocks, found).declaration(d);
  return found.toSorted((a, b) => a.span.start - b.span.start);
}
const blockSymbol = ({ file, declaration }: BlockRef): Symbol_ =>
  ({ id: declarationId(file, declaration.name.text), kind: declaration.kind, name: declaration.name.text, file });

type Locals = ReadonlyMap<string, Symbol_>;

class Walker {
  readonly #file: string;
  readonly #names: BodyNames;
  readonly #blocks: Blocks;
  readonly #found: Occurrence[];
  #arms: readonly string[] = [];

  constructor(file: string, names: BodyNames, blocks: Blocks, found: Occurrence[]) {
    this.#file = file;
    this.#names = names;
    this.#blocks = blocks;
    this.#found = found;
  }

  declaration(d: Declaration): void {
    if (d.broken === undefined || d.name.text !== '_') this.#found.push({ span: d.name.span, symbol: blockSymbol({ file: this.#file, declaration: d }), defines: this.#defining(d.span, false, d.doc) });
    for (const p of d.parameters) {
      this.#define(p.name, p.span, false);
      if (p.kind === 'argument') this.#patterns(p.indices, p.span);
      else if (p.choices) for (const c of p.choices) this.#found.push({ span: c.span, symbol: this.#choice(this.#file, d.name.text, p.name.text, c.text), defines: this.#defining(p.span, false) });
      else if (p.value) this.#expr(p.value, new Map());
    }
    this.#body(d.body);
  }

  #body(body: readonly Statement[]): void {
    for (const s of body) this.#statement(s);
  }
  #statement(s: Statement): void {
    switch (s.kind) {
      case 'axis': this.#define(s.name, s.span, false, s.doc); this.#expr(s.size, new Map()); return;
      case 'modalities':
        this.#define(s.name, s.span, false, s.doc);
        for (const m of s.members) {
          this.#found.push({ span: m.label.span, symbol: this.#member(s.name.text, m.label.text), defines: this.#defining(s.span, false) });
          if (m.size) this.#expr(m.size, new Map());
        }
        return;
      case 'input': this.#define(s.name, s.span, true, s.doc); this.#patterns(s.indices, s.span); return;
      case 'param':
        this.#define(s.name, s.span, true, s.doc);
        this.#patterns(s.indices);
        if (s.init) this.#expr(s.init, new Map());
        return;
      case 'fact': this.#expr(s.condition, new Map()); return;
      case 'equation':
        this.#define(s.name, s.span, s.indices !== undefined, s.doc);
        this.#patterns(s.indices ?? []);
        this.#expr(s.value, new Map());
        return;
      case 'initial': this.#use(s.name, new Map()); this.#patterns(s.indices); this.#expr(s.value, new Map()); return;
      case 'repeat':
        this.#expr(s.count, new Map());
        if (s.name) this.#instance(s.name, s.span);
        this.#body(s.body);
        return;
      case 'match-statement': {
        this.#expr(s.subject, new Map());
        const outside = this.#arms;
        s.arms.forEach((arm, k) => {
          this.#choices(s.subject, arm.patterns);
          this.#arms = [...outside, `${s.span.start}:${k}`];
          this.#body(arm.body);
        });
        this.#arms = outside;
        return;
      }
      case 'lost': this.#define(s.name, s.span, true); return;
      case 'rename': return;
    }
  }

  // --- definitions ------------------------------------------------------------------------------------------------------

  #defining(extent: Span, indexed: boolean, doc?: string): Defining {
    return { extent, indexed, arms: this.#arms, ...(doc === undefined ? {} : { doc }) };
  }
  #define(name: Name, extent: Span, indexed: boolean, doc?: string): void {
    const symbol = this.#names.symbols.get(name.text);
    if (symbol) this.#found.push({ span: name.span, symbol, defines: this.#defining(extent, indexed, doc) });
  }
  /** Index names; with an `extent`, those that nothing declares are defined here. */
  #patterns(indices: readonly IndexPattern[], extent?: Span): void {
    for (const i of indices) {
      if (i.size) { this.#expr(i.size, new Map()); continue; }
      const symbol = this.#names.symbols.get(i.name);
      if (!symbol) continue;
      const span = { ...i.span, end: i.span.start + i.name.length };
      const first = extent !== undefined && symbol.kind === 'axis' && !this.#found.some((o) => o.defines && o.symbol === symbol) && !this.#declared(i.name);
      this.#found.push({ span, symbol, ...(first ? { defines: this.#defining(extent, false) } : {}) });
    }
  }
  #declared(name: string): boolean {
    return this.#names.members.has(name) || this.#names.declaration.body.some((s) => s.kind === 'axis' && s.name.text === name);
  }
  #instance(name: Name, extent: Span): void {
    if (name.text === '_') return;
    this.#found.push({ span: name.span, symbol: { id: localId(this.#file, this.#names.declaration.name.text, `as ${name.text}@${name.span.start}`), kind: 'instance', name: name.text, file: this.#file }, defines: this.#defining(extent, false) });
  }
  #choice(file: string, declaration: string, option: string, choice: string): Symbol_ {
    return { id: choiceId(file, declaration, option, choice), kind: 'choice', name: choice, file };
  }
  #member(axis: string, label: string): Symbol_ {
    const own = this.#names.declaration.name.text;
    return { id: memberId(this.#file, own, this.#modalities(axis), label), kind: 'member', name: label, file: this.#file };
  }
  /** `axis i = m` has the members of m. */
  #modalities(axis: string): string {
    const alias = this.#names.declaration.body.find((s) => s.kind === 'axis' && s.name.text === axis);
    return alias?.kind === 'axis' && alias.size.kind === 'name' ? alias.size.name.text : axis;
  }

  // --- uses -------------------------------------------------------------------------------------------------------------

  #use(name: Name, locals: Locals): void {
    const symbol = locals.get(name.text) ?? this.#names.symbols.get(name.text);
    if (symbol) { this.#found.push({ span: name.span, symbol }); return; }
    const dot = name.text.indexOf('.');
    const axis = this.#names.symbols.get(name.text.slice(0, dot));
    const label = name.text.slice(dot + 1);
    if (dot < 0 || !axis || !this.#names.members.get(axis.name)?.includes(label)) return;
    this.#found.push({ span: { ...name.span, end: name.span.start + dot }, symbol: axis });
    this.#found.push({ span: { ...name.span, start: name.span.start + dot + 1 }, symbol: this.#member(axis.name, label) });
  }
  #expr(e: Expr, locals: Locals): void {
    switch (e.kind) {
      case 'number': return;
      case 'name':
        this.#use(e.name, locals);
        for (const i of e.indices ?? []) this.#expr(i, locals);
        return;
      case 'unary': this.#expr(e.operand, locals); return;
      case 'binary': this.#expr(e.left, locals); this.#expr(e.right, locals); return;
      case 'match': this.#match(e, locals); return;
      case 'call': this.#call(e, locals); return;
      case 'reduction': {
        const inner = new Map(locals);
        for (const b of e.binders) {
          if (b.over) this.#use(b.over, locals);
          const known = b.over ? undefined : this.#names.symbols.get(b.name.text);
          if (known) { this.#found.push({ span: b.name.span, symbol: known }); continue; }
          if (b.name.text === 't' && !b.over) continue;
          const own: Symbol_ = { id: localId(this.#file, this.#names.declaration.name.text, `${b.name.text}@${b.name.span.start}`), kind: 'binder', name: b.name.text, file: this.#file };
          this.#found.push({ span: b.name.span, symbol: own, defines: this.#defining(e.span, false) });
          inner.set(b.name.text, own);
        }
        this.#expr(e.body, inner);
        return;
      }
    }
  }
  #match(e: MatchExpr, locals: Locals): void {
    this.#expr(e.subject, locals);
    for (const arm of e.arms) {
      this.#choices(e.subject, arm.patterns);
      this.#expr(arm.value, locals);
    }
  }
  #choices(subject: Expr, patterns: readonly Name[]): void {
    if (subject.kind !== 'name') return;
    const known = this.#names.choices.get(subject.name.text) ?? [];
    for (const p of patterns) if (known.includes(p.text)) this.#found.push({ span: p.span, symbol: this.#choice(this.#file, this.#names.declaration.name.text, subject.name.text, p.text) });
  }
  #call(e: CallExpr, locals: Locals): void {
    const block = this.#blocks.named(e.callee.text);
    if (block) this.#found.push({ span: e.callee.span, symbol: blockSymbol(block) });
    for (const a of e.args) {
      const parameter = a.name && block?.declaration.parameters.find((p) => p.name.text === a.name?.text);
      const kind: SymbolKind = parameter?.kind === 'argument' ? 'argument' : 'option';
      if (a.name && block && parameter) this.#found.push({ span: a.name.span, symbol: { id: localId(block.file, block.declaration.name.text, a.name.text), kind, name: a.name.text, file: block.file } });
      const choices = parameter?.kind === 'option' ? parameter.choices : undefined;
      const value = a.value.kind === 'name' && !a.value.indices ? a.value.name : undefined;
      if (a.name && block && value && choices?.some((c) => c.text === value.text)) this.#found.push({ span: value.span, symbol: this.#choice(block.file, block.declaration.name.text, a.name.text, value.text) });
      else this.#expr(a.value, locals);
    }
    if (e.as) this.#instance(e.as, e.span);
  }
}
