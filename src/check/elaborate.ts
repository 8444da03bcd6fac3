/**
 * Bodies of models and blocks to definitions: options, `match`, `repeat` and instances are gone afterwards. Statements are taken in
 * order; an equation with indices is read when it is needed, so that it may use what stands below it.
 */
import type { CallExpr, Declaration, Equation, Expr as Syntax, IndexPattern, ParamStatement, Span, Statement } from '../../grammar/ast.js';
import type { Diagnostics } from '../diagnostics/diagnostic.js';
import { affineOf, type Builder } from '../ir/builder.js';
import type { Axis, Definition, DefinitionId, DefinitionOf, Draw, Expr, Fact, Index, Initialiser, Type } from '../ir/program.js';
import { chosenArm, Expressions, functionNames, parts, type Env } from './expressions.js';
import { broadcast, withSizes } from './broadcast.js';
import type { LoadedFile } from './files.js';
import { nearest, snakeCase } from './names.js';
import { bindPattern, writtenAxes, writtenPattern } from './patterns.js';
import { Scope, type Entity, type Sighting } from './scope.js';
import type { ParamInfo, Pending, Place, Port } from './places.js';
import { axisSize, constantValue } from './sizes.js';
import { DefinitionTable } from './table.js';

type Array_ = Extract<Entity, { kind: 'array' }>;
/** Definitions before a body is repeated again: a count mistyped must not take the memory of the machine. */
const MAX_DEFINITIONS = 20000;
/** A size with many divisors. */
const madeUp = 12;

export class Elaborator {
  readonly inputs: Port[] = [];
  readonly outputs: Port[] = [];
  readonly params: ParamInfo[] = [];
  readonly sightings: Sighting[] = [];
  readonly renames: { readonly from: string; readonly to: string; readonly span: Span }[] = [];
  readonly #b: Builder;
  readonly #diagnostics: Diagnostics;
  readonly #table: DefinitionTable;
  readonly #x: Expressions;
  /** Paths of instances, by the scope they are in. */
  readonly #instances = new Set<string>();
  readonly #pending = new Map<DefinitionId, Pending>();
  readonly #broken = new Set<DefinitionId>();
  #current: { name: string; span: Span } = { name: '', span: { file: '', start: 0, end: 0 } };
  #place: Place | undefined;

  constructor(b: Builder, diagnostics: Diagnostics) {
    this.#b = b;
    this.#diagnostics = diagnostics;
    this.#table = new DefinitionTable(b, diagnostics);
    this.#x = new Expressions(b, diagnostics, {
      lookup: (name, scope) => this.#lookup(name, scope),
      typeOf: (def) => this.#typeOf(def),
      auxiliary: (suffix, span, indices, time, body) => this.#table.auxiliary(`${this.#current.name}#${suffix}`, span, indices, time, body),
      isBlock: (name) => this.#place?.file.blocks.get(name)?.declaration.kind === 'block',
      isMissing: (name) => this.#place?.file.missing.has(name) ?? false,
      ofMatrix: (op, span, indices, matrix) => this.#table.ofMatrix(`${this.#current.name}#${op}`, op, span, indices, matrix),
    });
  }

  get definitions(): Definition[] {
    return this.#table.list;
  }
  model(declaration: Declaration, file: LoadedFile): void {
    const scope = new Scope();
    const place: Place = { file, path: [], stack: [declaration] };
    for (const p of declaration.parameters) {
      if (p.kind === 'argument') this.#diagnostics.error('SSM2017', p.span, { what: 'a model takes inputs by `input` statements; only blocks take arrays' });
      else this.#option(p, undefined, scope, scope, declaration.name.text);
    }
    this.#seenParameters(declaration, scope, []);
    const before = this.#outputsOf(declaration.body, scope, place, true);
    this.finish();
    if (before.length === 0 && declaration.broken === undefined) this.#diagnostics.error('SSM2028', declaration.name.span, { model: declaration.name.text });
    if (!this.#diagnostics.hasErrors) this.#unused(scope, declaration.body);
  }
  /** A block alone, on arrays of `madeUp` members along every axis. */
  block(declaration: Declaration, file: LoadedFile, choices: ReadonlyMap<string, string>): void {
    const scope = new Scope();
    for (const p of declaration.parameters) {
      if (p.kind === 'argument') this.#madeUpArgument(p, scope);
      else if (p.choices) scope.names.set(p.name.text, { kind: 'choice', value: choices.get(p.name.text) ?? p.choices[0]?.text ?? '', choices: p.choices.map((c) => c.text) });
      else {
        const value = p.value ? constantValue(p.value, scope, this.#diagnostics) : madeUp;
        scope.names.set(p.name.text, value === undefined ? { kind: 'broken' } : { kind: 'number', value });
      }
    }
    this.#seenParameters(declaration, scope, []);
    const outputs = this.#outputsOf(declaration.body, scope, { file, path: [], stack: [declaration] }, false);
    this.finish();
    this.initials();
    if (outputs.length !== 1) this.#diagnostics.error('SSM2027', declaration.name.span, { name: declaration.name.text, got: outputs.length });
  }
  #madeUpArgument(p: Extract<Declaration['parameters'][number], { kind: 'argument' }>, scope: Scope): void {
    const axes = p.indices.filter((i) => i.name !== 't').map((i): Axis => {
      const known = scope.names.get(i.name);
      if (known?.kind === 'axis') return known.axis;
      const axis: Axis = { name: i.name, size: madeUp };
      scope.names.set(i.name, { kind: 'axis', axis });
      return axis;
    });
    const time = axes.length < p.indices.length;
    const def = this.#table.add(p.name.text, p.span, this.#table.newIndices(axes), time, 'real', (base) => ({ ...base, kind: 'input' }));
    scope.names.set(p.name.text, { kind: 'array', def, time, axes, name: p.name.text });
  }
  /** Reads every equation that nothing has needed yet. */
  finish(): void {
    for (const id of this.#pending.keys()) this.#force(id);
  }

  // --- statements -------------------------------------------------------------------------------------------------------

  #outputsOf(body: readonly Statement[], scope: Scope, place: Place, top: boolean): { name: string; entity: Entity }[] {
    const outputs: { name: string; entity: Entity; span: Span }[] = [];
    this.#forward(body, scope);
    for (const s of body) this.#statement(s, scope, place, outputs);
    if (top) {
      for (const o of outputs) {
        if (o.entity.kind !== 'array') continue;
        const ragged = o.entity.axes.find((a) => a.ragged);
        if (ragged) this.#diagnostics.error('SSM2043', o.span, { name: o.name, index: ragged.name, over: ragged.ragged?.over.name ?? '' });
        if (this.outputs.some((x) => x.name === o.name)) this.#diagnostics.error('SSM2041', o.span, { name: o.name });
        this.outputs.push({ name: o.name, def: o.entity.def, span: o.span });
      }
    }
    return outputs;
  }
  #forward(body: readonly Statement[], scope: Scope): void {
    for (const s of body) if (s.kind === 'equation' && s.indices && !scope.forward.has(s.name.text)) scope.forward.set(s.name.text, s);
  }
  #seen(name: { readonly text: string; readonly span: Span }, scope: Scope, path: readonly string[]): void {
    const entity = scope.names.get(name.text);
    if (entity) this.sightings.push({ span: name.span, entity, path });
  }
  #seenParameters(declaration: Declaration, scope: Scope, path: readonly string[]): void {
    for (const p of declaration.parameters) {
      this.#seen(p.name, scope, path);
      if (p.kind === 'argument') for (const i of p.indices) this.#seen({ text: i.name, span: i.span }, scope, path);
    }
  }
  #statement(s: Statement, scope: Scope, place: Place, outputs: { name: string; entity: Entity; span: Span }[]): void {
    this.#read(s, scope, place, outputs);
    if ('name' in s && s.name && s.kind !== 'repeat' && s.kind !== 'initial') this.#seen(s.name, scope, place.path);
    if (s.kind === 'input') for (const i of s.indices) this.#seen({ text: i.name, span: i.span }, scope, place.path);
  }
  #read(s: Statement, scope: Scope, place: Place, outputs: { name: string; entity: Entity; span: Span }[]): void {
    this.#place = place;
    switch (s.kind) {
      case 'axis': this.#axis(s, scope); return;
      case 'modalities': {
        const labels = s.members.map((m) => m.label.text);
        const twice = s.members.find((m, k) => labels.indexOf(m.label.text) !== k);
        if (twice) this.#diagnostics.error('SSM2002', twice.label.span, { name: twice.label.text });
        const axis: Axis = { name: s.name.text, size: labels.length, labels };
        scope.names.set(s.name.text, { kind: 'axis', axis });
        const sizes = s.members.map((m) => (m.size ? axisSize(m.size, m.label.text, scope, this.#diagnostics) : undefined));
        if (sizes.every((x): x is number => x !== undefined)) this.#features.set(axis, sizes);
        return;
      }
      case 'input': this.#input(s, scope); return;
      case 'param': this.#param(s, scope, place); return;
      case 'fact': this.#facts.push({ condition: s.condition, scope, span: s.span }); this.#fact(s.condition, scope); return;
      case 'lost':
        scope.names.set(s.name.text, { kind: 'broken' });
        if (s.output) outputs.push({ name: s.name.text, entity: { kind: 'broken' }, span: s.span });
        return;
      case 'rename':
        if (place.path.length > 0 || place.stack.length > 1) this.#diagnostics.error('SSM2017', s.span, { what: '`rename` belongs to the model' });
        else this.renames.push(s);
        return;
      case 'match-statement': {
        const arm = chosenArm(s.subject, s.arms, scope, this.#diagnostics, s.span);
        if (!arm) return;
        this.#forward(arm.body, scope);
        for (const inner of arm.body) this.#statement(inner, scope, place, outputs);
        return;
      }
      case 'repeat': this.#repeat(s, scope, place, outputs); return;
      case 'initial': this.#initials.push({ statement: s, scope: this.#snapshot(scope), place }); return;
      case 'equation': {
        const entity = s.indices ? this.#declare(s, scope, place) : this.#bare(s, scope, place);
        scope.names.set(s.name.text, entity);
        if (s.role === 'output') {
          scope.used.add(s.name.text);
          outputs.push({ name: s.name.text, entity, span: s.name.span });
        }
        return;
      }
    }
  }
  readonly #features = new Map<Axis, readonly number[]>();
  readonly #facts: { condition: Syntax; scope: Scope; span: Span }[] = [];
  readonly #initials: { statement: Extract<Statement, { kind: 'initial' }>; scope: Scope; place: Place }[] = [];

  #snapshot(scope: Scope): Scope {
    return new Scope(scope.names, scope.forward);
  }
  #axis(s: Extract<Statement, { kind: 'axis' }>, scope: Scope): void {
    if (s.name.text === 't') { this.#diagnostics.error('SSM2002', s.name.span, { name: 't' }); return; }
    const alias = s.size.kind === 'name' && !s.size.indices ? scope.names.get(s.size.name.text) : undefined;
    if (alias?.kind === 'axis') {
      scope.used.add((s.size as { name: { text: string } }).name.text);
      scope.names.set(s.name.text, alias.axis.labels ? alias : { kind: 'axis', axis: { name: s.name.text, size: alias.axis.size } });
      return;
    }
    const size = axisSize(s.size, s.name.text, scope, this.#diagnostics);
    scope.names.set(s.name.text, size === undefined ? { kind: 'broken' } : { kind: 'axis', axis: { name: s.name.text, size } });
  }
  #repeat(s: Extract<Statement, { kind: 'repeat' }>, scope: Scope, place: Place, outputs: { name: string; entity: Entity; span: Span }[]): void {
    const count = axisSize(s.count, 'repeat', scope, this.#diagnostics);
    if (count === undefined) return;
    for (let k = 0; k < count; k++) {
      if (this.#table.list.length > MAX_DEFINITIONS) {
        this.#diagnostics.error('SSM1010', s.count.span, { limit: MAX_DEFINITIONS, what: `definitions, after ${k} of ${count} repetitions` });
        return;
      }
      const path = s.name ? [...place.path, s.name.text, `${k}`] : [...place.path, `${k}`];
      for (const inner of s.body) if (inner.kind === 'equation' && inner.indices) scope.forward.set(inner.name.text, inner);
      for (const inner of s.body) this.#statement(inner, scope, { ...place, path }, outputs);
      // Long chains are read as they grow: reading one from its end would recurse as deep as it is long.
      if (k % 32 === 31) this.finish();
    }
  }

  // --- inputs, parameters, options ---------------------------------------------------------------------------------------

  #input(s: Extract<Statement, { kind: 'input' }>, scope: Scope): void {
    const axes: Axis[] = [];
    let time = false;
    for (const [k, p] of s.indices.entries()) {
      if (p.name === 't') {
        if (k > 0) this.#diagnostics.error('SSM2017', p.span, { what: 't is the first index of an input' });
        time = true;
        continue;
      }
      const known = p.name === '' ? undefined : scope.names.get(p.name);
      if (known?.kind === 'axis') { axes.push(known.axis); scope.used.add(p.name); continue; }
      const over = axes.find((a) => this.#features.has(a));
      if (p.name !== '' && over && !known) {
        const sizes = this.#features.get(over) as readonly number[];
        const uniform = sizes.every((x) => x === sizes[0]);
        const axis: Axis = uniform ? { name: p.name, size: sizes[0] as number } : { name: p.name, size: Math.max(...sizes), ragged: { over, sizes } };
        scope.names.set(p.name, { kind: 'axis', axis });
        axes.push(axis);
        continue;
      }
      if (p.size) {
        const size = axisSize(p.size, s.name.text, scope, this.#diagnostics);
        if (size === undefined) { scope.names.set(s.name.text, { kind: 'broken' }); return; }
        axes.push({ name: `${s.name.text}.${k}`, size });
        continue;
      }
      this.#diagnostics.error('SSM2001', p.span, { name: p.name, near: nearest(p.name, scope.names.keys()) });
      scope.names.set(s.name.text, { kind: 'broken' });
      return;
    }
    const label = axes.findIndex((a) => a.labels !== undefined);
    // Stored with modalities first, so that a member's tensor is one piece; read in the order of the spec.
    const stored = label > 0 ? [axes[label] as Axis, ...axes.filter((_, k) => k !== label)] : axes;
    const input = this.#table.add(label > 0 ? `${s.name.text}#stored` : s.name.text, s.span, this.#table.newIndices(stored), time, 'real', (base) => ({ ...base, kind: 'input' }), s.doc);
    this.inputs.push({ name: s.name.text, def: input, span: s.name.span });
    const def = label > 0 ? this.#reordered(s, input, axes, label, time) : input;
    scope.names.set(s.name.text, { kind: 'array', def, time, axes, name: s.name.text });
  }
  #reordered(s: Extract<Statement, { kind: 'input' }>, input: DefinitionId, axes: readonly Axis[], label: number, time: boolean): DefinitionId {
    const indices = this.#table.newIndices(axes);
    const at = [indices[label] as Index, ...indices.filter((_, k) => k !== label)].map((i) => affineOf(i));
    const body = this.#b.read(input, 'real', at, time ? { constant: 0, terms: [] } : undefined);
    return this.#table.add(s.name.text, s.span, indices, time, 'real', (base) => ({ ...base, kind: 'equation', body }), s.doc);
  }
  #param(s: ParamStatement, scope: Scope, place: Place): void {
    const axes: Axis[] = [];
    const names: string[] = [];
    for (const [k, p] of s.indices.entries()) {
      if (p.size) {
        const size = axisSize(p.size, s.name.text, scope, this.#diagnostics);
        if (size === undefined) { scope.names.set(s.name.text, { kind: 'broken' }); return; }
        axes.push({ name: `${s.name.text}.${k}`, size });
        names.push('');
        continue;
      }
      const known = scope.names.get(p.name);
      scope.used.add(p.name);
      if (known?.kind === 'absent') continue;
      if (known?.kind === 'axis') { axes.push(known.axis); names.push(p.name); continue; }
      if (known?.kind === 'number') { axes.push({ name: p.name, size: known.value }); names.push(''); continue; }
      if (known?.kind !== 'broken') this.#diagnostics.error(p.name === 't' ? 'SSM2035' : 'SSM2001', p.span, { name: p.name, near: nearest(p.name, scope.names.keys()) });
      scope.names.set(s.name.text, { kind: 'broken' });
      return;
    }
    const indices = this.#table.newIndices(axes, names);
    const env: Env = { indices: new Map(indices.flatMap((i, k) => (names[k] ? [[names[k] as string, i] as const] : []))), time: false };
    const def = this.#table.add([...place.path, s.name.text].join('.'), s.span, indices, false, 'real', (base) => ({ ...base, kind: 'param', pieces: [] }), s.doc);
    const init = s.init ? this.#initialiser(s.init, s.name.text, scope, env, def, indices) : undefined;
    if (init) this.#table.list[def] = { ...(this.#table.list[def] as DefinitionOf<'param'>), init };
    this.params.push({ def, path: place.path, name: s.name.text, span: s.name.span });
    scope.names.set(s.name.text, { kind: 'array', def, time: false, axes, name: s.name.text });
  }
  #initialiser(e: Syntax, name: string, scope: Scope, env: Env, param: DefinitionId, over: readonly Index[]): Initialiser | undefined {
    const before = this.#current;
    this.#current = { name: (this.#table.list[param] as Definition).name, span: e.span };
    const draw = (draw: Draw, span: Span): Expr => {
      const own = this.#table.newIndices(over.map((i) => i.axis), over.map((i) => i.name));
      const id = this.#table.add(`${this.#current.name}#draw`, span, own, false, 'real', (base) => ({ ...base, kind: 'draw', draw, param }));
      return this.#b.read(id, 'real', over.map((i) => affineOf(i)));
    };
    const expr = this.#x.of(e, scope, { ...env, draw });
    this.#current = before;
    if (!expr || expr.type === 'real') return expr && { expr, over, span: e.span };
    this.#diagnostics.error('SSM2022', e.span, { what: `the initial value of \`${name}\``, type: expr.type === 'bool' ? 'a condition' : 'a complex number', want: 'real: complex parameters are stored as pairs of real numbers' });
    return undefined;
  }
  #option(p: Extract<Declaration['parameters'][number], { kind: 'option' }>, given: Syntax | undefined, outer: Scope, scope: Scope, block: string): void {
    const name = p.name.text;
    if (p.choices) {
      const choices = p.choices.map((c) => c.text);
      let value = choices[0] as string;
      if (given) {
        const text = given.kind === 'name' && !given.indices ? given.name.text : '';
        const forwarded = outer.names.get(text);
        outer.used.add(text);
        const chosen = choices.includes(text) ? text : forwarded?.kind === 'choice' ? forwarded.value : '';
        if (!choices.includes(chosen)) this.#diagnostics.error('SSM2014', given.span, { name, got: text === '' ? 'that' : `\`${text}\``, want: choices.map((c) => `\`${c}\``).join(', '), near: nearest(text, choices) });
        else value = chosen;
      }
      scope.names.set(name, { kind: 'choice', value, choices });
      return;
    }
    const source = given ?? p.value;
    if (!source) {
      this.#diagnostics.error('SSM2015', p.span, { name, block });
      scope.names.set(name, { kind: 'broken' });
      return;
    }
    const value = constantValue(source, given ? outer : scope, this.#diagnostics);
    scope.names.set(name, value === undefined ? { kind: 'broken' } : { kind: 'number', value });
  }

  // --- equations --------------------------------------------------------------------------------------------------------

  #lookup(name: string, scope: Scope): Entity | undefined {
    scope.used.add(name);
    const found = scope.names.get(name);
    if (found) return found;
    const later = scope.forward.get(name);
    if (!later || !this.#place) return undefined;
    const entity = this.#declare(later, scope, this.#place);
    scope.names.set(name, entity);
    return entity;
  }
  readonly #declared = new Map<Equation, Map<string, Entity>>();
  /** Gives an equation with indices its definition; its right side is read later. */
  #declare(s: Equation, scope: Scope, place: Place): Entity {
    const path = place.path.join('.');
    const known = this.#declared.get(s)?.get(path);
    if (known && scope.forward.get(s.name.text) === s) {
      scope.forward.delete(s.name.text);
      return known;
    }
    const axes: Axis[] = [];
    const names: string[] = [];
    let time = false;
    for (const p of s.indices as readonly IndexPattern[]) {
      if (p.name === 't') { time = !scope.timeless; continue; }
      const found = p.name === '' ? undefined : scope.names.get(p.name);
      scope.used.add(p.name);
      if (found?.kind === 'absent') continue;
      if (found?.kind === 'axis') { axes.push(found.axis); names.push(p.name); continue; }
      if (p.name === '') this.#diagnostics.error('SSM2035', p.span, {});
      else if (found?.kind !== 'broken') this.#diagnostics.error('SSM2001', p.span, { name: p.name, near: nearest(p.name, [...scope.names].filter(([, e]) => e.kind === 'axis').map(([n]) => n)) });
      return { kind: 'broken' };
    }
    const twice = names.find((n, k) => names.indexOf(n) !== k);
    if (twice !== undefined) { this.#diagnostics.error('SSM2002', s.span, { name: twice }); return { kind: 'broken' }; }
    const indices = this.#table.newIndices(axes, names);
    const env: Env = { indices: new Map(indices.map((i, k) => [names[k] as string, i])), time };
    const def = this.#table.add([...place.path, s.name.text].join('.'), s.span, indices, time, 'real', (base) =>
      ({ ...base, kind: 'equation', body: this.#b.const(0), ...(s.role === 'state' ? { state: { direction: 'forward' as const } } : {}) }), s.doc);
    const entity: Array_ = { kind: 'array', def, time, axes, name: s.name.text };
    const own = this.#snapshot(scope);
    own.forward.delete(s.name.text);
    if (s.role === 'state' || !scope.names.has(s.name.text)) own.names.set(s.name.text, entity);
    this.#pending.set(def, { equation: s, scope: own, place, env, state: 'waiting' });
    this.#declared.set(s, (this.#declared.get(s) ?? new Map<string, Entity>()).set(path, entity));
    return entity;
  }
  #force(id: DefinitionId): void {
    const p = this.#pending.get(id);
    if (!p || p.state !== 'waiting') return;
    p.state = 'running';
    const before = { current: this.#current, place: this.#place };
    this.#current = { name: (this.#table.list[id] as Definition).name, span: p.equation.span };
    this.#place = p.place;
    const outer = this.#meanwhile;
    const read = this.#meanwhile = [] as DefinitionId[];
    let body = this.#x.of(p.equation.value, p.scope, p.env);
    if (body?.type === 'complex' && (this.#table.list[id] as Definition).type !== 'complex') {
      // It may have been read as real, by itself or by what it needs: these are read again, knowing better.
      this.#replace(id, { type: 'complex' });
      for (const x of read) if (!this.#broken.has(x)) (this.#pending.get(x) as Pending).state = 'waiting';
      body = this.#x.of(p.equation.value, p.scope, p.env);
    }
    outer?.push(id, ...read);
    this.#meanwhile = outer;
    this.#current = before.current;
    this.#place = before.place;
    p.state = 'done';
    for (const name of p.scope.used) this.#usedNames.add(`${p.place.path.join('.')}|${name}`);
    if (!body) { this.#broken.add(id); return; }
    if (body.type === 'bool') {
      this.#diagnostics.error('SSM2022', p.equation.value.span, { what: `\`${p.equation.name.text}\``, type: 'a condition', want: 'a number; use `where`' });
      this.#broken.add(id);
      return;
    }
    this.#replace(id, { type: body.type, body });
  }
  readonly #usedNames = new Set<string>();
  /** What has been read while the equation at hand was. */
  #meanwhile: DefinitionId[] | undefined;
  #replace(id: DefinitionId, change: { type?: Type; body?: Expr; fact?: Fact }): void {
    this.#table.list[id] = { ...(this.#table.list[id] as Definition), ...change } as Definition;
  }
  #typeOf(id: DefinitionId): Type | undefined {
    this.#force(id);
    return this.#broken.has(id) ? undefined : (this.#table.list[id] as Definition).type;
  }
  /** An equation without indices: its arrays' axes decide. A lone array is just another name. */
  #bare(s: Equation, scope: Scope, place: Place): Entity {
    const value = this.#bareValue(s.value, s.name.text, scope, place, s.span, s.doc);
    if (s.role === 'state') this.#diagnostics.error('SSM2035', s.name.span, {});
    return value;
  }
  #bareValue(e: Syntax, name: string, scope: Scope, place: Place, span: Span, doc?: string): Entity {
    if (e.kind === 'call' && !functionNames.includes(e.callee.text)) return this.#instance(e, scope, place);
    if (e.kind === 'name' && !e.indices) {
      const found = this.#lookup(e.name.text, scope);
      if (found?.kind === 'array' || found?.kind === 'broken') return found;
    }
    // Instances inside are made first, in order, and stand in the expression by hidden names.
    const inner = this.#snapshot(scope);
    let broken = false;
    const expanded = this.#hoistInstances(e, inner, place, () => { broken = true; });
    if (broken) return { kind: 'broken' };
    const arrays: Array_[] = [];
    const collect = (x: Syntax): void => {
      if (x.kind === 'name' && !x.indices) {
        const found = this.#lookup(x.name.text, inner);
        scope.used.add(x.name.text);
        if (found?.kind === 'array') arrays.push(found);
      }
      for (const k of x.kind === 'name' ? [] : parts(x)) collect(k);
    };
    collect(expanded);
    const { axes, places, misfit } = broadcast(arrays);
    if (misfit) {
      this.#diagnostics.error('SSM2044', e.span, { name: misfit.array.name, own: withSizes(misfit.own), others: withSizes(misfit.others) });
      return { kind: 'broken' };
    }
    const time = arrays.some((a) => a.time);
    const indices = this.#table.newIndices(axes);
    const env: Env = { indices: new Map(), time, bare: (array) => array.axes.map((a) => indices[axes.indexOf(places.get(array.def)?.get(a) as Axis)] as Index) };
    const before = this.#current;
    this.#current = { name: [...place.path, name].join('.'), span };
    const body = this.#x.of(expanded, inner, env);
    this.#current = before;
    for (const n of inner.used) scope.used.add(n);
    if (!body) return { kind: 'broken' };
    const def = this.#table.add([...place.path, name].join('.'), span, indices, time, body.type, (base) => ({ ...base, kind: 'equation', body }), doc);
    return { kind: 'array', def, time, axes, name };
  }
  #hoistInstances(e: Syntax, scope: Scope, place: Place, fail: () => void): Syntax {
    const go = (x: Syntax): Syntax => {
      switch (x.kind) {
        case 'call': {
          if (functionNames.includes(x.callee.text)) return { ...x, args: x.args.map((a) => ({ ...a, value: go(a.value) })) };
          const entity = this.#instance(x, scope, place);
          if (entity.kind !== 'array') { fail(); return x; }
          const hidden = `#${scope.names.size}`;
          scope.names.set(hidden, entity);
          return { kind: 'name', name: { text: hidden, span: x.span }, span: x.span };
        }
        case 'unary': return { ...x, operand: go(x.operand) };
        case 'binary': return { ...x, left: go(x.left), right: go(x.right) };
        default: return x;
      }
    };
    return go(e);
  }

  // --- blocks -----------------------------------------------------------------------------------------------------------

  #instance(e: CallExpr, scope: Scope, place: Place): Entity {
    const name = e.callee.text;
    const found = place.file.blocks.get(name);
    if (place.file.missing.has(name) || found?.declaration.broken) return { kind: 'broken' };
    if (found?.declaration.kind !== 'block') {
      this.#diagnostics.error('SSM2020', e.callee.span, { name, near: nearest(name, [...place.file.blocks.keys(), ...functionNames]) });
      return { kind: 'broken' };
    }
    const { declaration: block, home } = found;
    if (place.stack.includes(block)) {
      this.#diagnostics.error('SSM2026', e.span, { block: name });
      return { kind: 'broken' };
    }
    const own = new Scope();
    const path = this.#instancePath(e, name, place);
    if (!this.#bindArguments(e, block, scope, own, place, path)) return { kind: 'broken' };
    this.#seenParameters(block, own, path);
    return this.#diagnostics.within({ text: `\`${name}\` is used here`, span: e.span }, () => {
      const outputs = this.#outputsOf(block.body, own, { file: home, path, stack: [...place.stack, block] }, false);
      this.#place = place;
      if (outputs.length !== 1) this.#diagnostics.error('SSM2027', block.name.span, { name, got: outputs.length });
      return outputs.length === 1 ? (outputs[0] as { entity: Entity }).entity : { kind: 'broken' };
    });
  }
  #instancePath(e: CallExpr, block: string, place: Place): readonly string[] {
    if (e.as?.text === '_') return place.path;
    const base = e.as?.text ?? snakeCase(block);
    const prefix = place.path.join('.');
    let name = base;
    for (let k = 2; this.#instances.has(`${prefix}/${name}`); k++) name = `${base}_${k}`;
    if (e.as && name !== base) this.#diagnostics.error('SSM2002', e.as.span, { name: base });
    this.#instances.add(`${prefix}/${name}`);
    return [...place.path, name];
  }
  #bindArguments(e: CallExpr, block: Declaration, scope: Scope, own: Scope, place: Place, path: readonly string[]): boolean {
    const positional = e.args.filter((a) => !a.name);
    const named = new Map(e.args.flatMap((a) => (a.name ? [[a.name.text, a] as const] : [])));
    const known = block.parameters.map((p) => p.name.text);
    let ok = true;
    for (const [n, a] of named) {
      if (known.includes(n)) continue;
      this.#diagnostics.error('SSM2013', a.name?.span ?? a.value.span, { name: n, block: block.name.text, near: nearest(n, known) });
      ok = false;
    }
    const wanted = block.parameters.filter((p) => p.kind === 'argument').length;
    if (positional.length > wanted) {
      this.#diagnostics.error('SSM2021', e.span, { name: block.name.text, want: wanted, got: positional.length });
      return false;
    }
    let next = 0;
    for (const p of block.parameters) {
      if (p.kind === 'option') { this.#option(p, named.get(p.name.text)?.value, scope, own, block.name.text); continue; }
      const given = (named.get(p.name.text) ?? positional[next++])?.value;
      if (!given) {
        this.#diagnostics.error('SSM2015', e.span, { name: p.name.text, block: block.name.text });
        return false;
      }
      const entity = this.#bareValue(given, `${path.at(-1) ?? ''}#${p.name.text}`, scope, place, given.span);
      if (entity.kind !== 'array') {
        if (entity.kind !== 'broken') this.#diagnostics.error('SSM2022', given.span, { what: `\`${p.name.text}\``, type: 'not an array', want: 'an array' });
        return false;
      }
      if (!bindPattern(p.indices, entity, own)) {
        this.#diagnostics.error('SSM2016', given.span, { block: block.name.text, argument: p.name.text, want: writtenPattern(p.indices), got: writtenAxes(entity) });
        return false;
      }
      own.names.set(p.name.text, entity);
    }
    return ok;
  }
  // --- facts and initial values -----------------------------------------------------------------------------------------

  #fact(e: Syntax, scope: Scope): void {
    if (e.kind === 'binary' && e.op === '&&') { this.#fact(e.left, scope); this.#fact(e.right, scope); return; }
    const isName = (x: Syntax): boolean => x.kind === 'name' && this.#lookup(x.name.text, scope)?.kind === 'array';
    if (e.kind !== 'binary' || !['<', '<=', '>', '>='].includes(e.op) || isName(e.left) === isName(e.right)) {
      this.#diagnostics.error('SSM2033', e.span, {});
      return;
    }
    const left = isName(e.left);
    const array = this.#lookup(((left ? e.left : e.right) as { name: { text: string } }).name.text, scope) as Array_;
    const bound = constantValue(left ? e.right : e.left, scope, this.#diagnostics);
    if (bound === undefined) return;
    const upper = (e.op[0] === '<') === left;
    const old = (this.#table.list[array.def] as Definition).fact ?? { low: -Infinity, high: Infinity, span: e.span };
    this.#replace(array.def, { fact: upper ? { ...old, high: Math.min(old.high, bound) } : { ...old, low: Math.max(old.low, bound) } });
  }
  /** After all equations are read. */
  initials(): void {
    for (const { statement: s, scope, place } of this.#initials) {
      this.#place = place;
      const target = this.#lookup(s.name.text, scope);
      const d = target?.kind === 'array' ? this.#table.list[target.def] : undefined;
      if (target?.kind === 'broken') continue;
      const shown = s.indices.some((p) => p.name === 't');
      if (d?.kind !== 'equation' || !d.state || shown) {
        this.#diagnostics.error('SSM3105', s.span, { name: s.name.text });
        continue;
      }
      const named = s.indices.filter((p) => scope.names.get(p.name)?.kind !== 'absent');
      const matches = named.length === d.indices.length && named.every((p, k) => { const a = scope.names.get(p.name); return a?.kind === 'axis' && a.axis === d.indices[k]?.axis; });
      if (!matches) {
        this.#diagnostics.error('SSM2007', s.span, { name: s.name.text, want: `${d.indices.length}: [${d.indices.map((i) => i.name).join(', ')}]`, got: named.length });
        continue;
      }
      const env: Env = { indices: new Map(named.map((p, k) => [p.name, d.indices[k] as Index])), time: false };
      this.#current = { name: d.name, span: s.span };
      const value = this.#x.of(s.value, scope, env);
      if (value) this.#table.list[d.id] = { ...(this.#table.list[d.id] as typeof d), state: { ...d.state, initial: value } };
    }
  }
  /** Plain definitions of the model's own body that nothing reads. */
  #unused(scope: Scope, body: readonly Statement[]): void {
    const used = new Set(scope.used);
    for (const p of this.#pending.values()) for (const n of p.scope.used) used.add(n);
    for (const f of this.#facts) for (const n of f.scope.used) used.add(n);
    for (const s of body) {
      const name = s.kind === 'equation' && s.role === 'plain' ? s.name : s.kind === 'param' || s.kind === 'input' ? s.name : undefined;
      if (name && !used.has(name.text)) this.#diagnostics.warning('SSM2037', name.span, { name: name.text });
    }
  }
}

