/**
 * Bodies of models and blocks to definitions: options, `match`, `repeat` and instances are gone afterwards. Statements are taken in
 * order; an equation with indices is read when it is needed, so that it may use what stands below it.
 */
import type { CallExpr, Declaration, Equation, Expr as Syntax, Span, Statement } from '../../grammar/ast.js';
import type { Diagnostics } from '../diagnostics/diagnostic.js';
import type { Builder } from '../ir/builder.js';
import type { Axis, Definition, DefinitionId, Index } from '../ir/program.js';
import { Declarations } from './declarations.js';
import { Equations, snapshot, type Array_ } from './equations.js';
import { chosenArm, functionNames, parts, reductionNames, type Env } from './expressions.js';
import { broadcast, withSizes } from './broadcast.js';
import type { LoadedFile } from './files.js';
import { nearest, snakeCase } from './names.js';
import { bindPattern, writtenAxes, writtenPattern } from './patterns.js';
import { Scope, type Entity, type Sighting } from './scope.js';
import type { ParamInfo, Place, Port } from './places.js';
import { axisSize, constantValue } from './sizes.js';

/** Definitions before a body is repeated again: a count mistyped must not take the memory of the machine. */
const MAX_DEFINITIONS = 20000;
/** A size with many divisors. */
const madeUp = 12;

export class Elaborator {
  readonly outputs: Port[] = [];
  readonly sightings: Sighting[] = [];
  readonly renames: { readonly from: string; readonly to: string; readonly span: Span }[] = [];
  readonly #diagnostics: Diagnostics;
  readonly #equations: Equations;
  readonly #declarations: Declarations;
  /** Paths of instances, by the scope they are in. */
  readonly #instances = new Set<string>();
  readonly #facts: { condition: Syntax; scope: Scope; span: Span }[] = [];
  readonly #initials: { statement: Extract<Statement, { kind: 'initial' }>; scope: Scope; place: Place }[] = [];

  constructor(b: Builder, diagnostics: Diagnostics) {
    this.#diagnostics = diagnostics;
    this.#equations = new Equations(b, diagnostics);
    this.#declarations = new Declarations(this.#equations, diagnostics);
  }

  get inputs(): readonly Port[] {
    return this.#declarations.inputs;
  }
  get params(): readonly ParamInfo[] {
    return this.#declarations.params;
  }
  /** Written as an equation that is neither state nor output. */
  isPlain(id: DefinitionId): boolean {
    return this.#equations.isPlain(id);
  }
  get definitions(): Definition[] {
    return this.#equations.table.list;
  }
  model(declaration: Declaration, file: LoadedFile): void {
    const scope = new Scope();
    const place: Place = { file, path: [], stack: [declaration] };
    for (const p of declaration.parameters) {
      if (p.kind === 'argument') this.#diagnostics.error('SSM2017', p.span, { what: 'a model takes inputs by `input` statements; only blocks take arrays' });
      else this.#declarations.option(p, undefined, scope, scope, declaration.name.text);
    }
    this.#seenParameters(declaration, scope, []);
    const before = this.#outputsOf(declaration.body, scope, place, true);
    this.finish();
    this.#initialValues();
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
    this.#initialValues();
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
    const def = this.#equations.table.add(p.name.text, p.span, this.#equations.table.newIndices(axes), time, 'real', (base) => ({ ...base, kind: 'input' }));
    scope.names.set(p.name.text, { kind: 'array', def, time, axes, name: p.name.text });
  }
  /** Reads every equation that nothing has needed yet. */
  finish(): void {
    this.#equations.finish();
  }

  // --- statements -------------------------------------------------------------------------------------------------------

  #outputsOf(body: readonly Statement[], scope: Scope, place: Place, top: boolean): { name: string; entity: Entity }[] {
    const outputs: { name: string; entity: Entity; span: Span }[] = [];
    this.#equations.forward(body, scope);
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
    this.#equations.place = place;
    switch (s.kind) {
      case 'axis': this.#declarations.axis(s, scope); return;
      case 'modalities': this.#declarations.modalities(s, scope); return;
      case 'input': this.#declarations.input(s, scope); return;
      case 'param': this.#declarations.param(s, scope, place); return;
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
        this.#equations.forward(arm.body, scope);
        for (const inner of arm.body) this.#statement(inner, scope, place, outputs);
        return;
      }
      case 'repeat': this.#repeat(s, scope, place, outputs); return;
      case 'initial': this.#initials.push({ statement: s, scope: snapshot(scope), place }); return;
      case 'equation': {
        const entity = s.indices ? this.#equations.declare(s, scope, place) : this.#bare(s, scope, place);
        scope.names.set(s.name.text, entity);
        if (s.role === 'output') {
          scope.used.add(s.name.text);
          outputs.push({ name: s.name.text, entity, span: s.name.span });
        }
        return;
      }
    }
  }
  #repeat(s: Extract<Statement, { kind: 'repeat' }>, scope: Scope, place: Place, outputs: { name: string; entity: Entity; span: Span }[]): void {
    const count = axisSize(s.count, 'repeat', scope, this.#diagnostics);
    if (count === undefined) return;
    for (let k = 0; k < count; k++) {
      if (this.#equations.table.list.length > MAX_DEFINITIONS) {
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

  // --- equations --------------------------------------------------------------------------------------------------------

  /** An equation without indices: its arrays' axes decide. A lone array is just another name. */
  #bare(s: Equation, scope: Scope, place: Place): Entity {
    const value = this.#bareValue(s.value, s.name.text, scope, place, s.span, s.doc);
    if (s.role === 'state') this.#diagnostics.error('SSM2035', s.name.span, {});
    return value;
  }
  #bareValue(e: Syntax, name: string, scope: Scope, place: Place, span: Span, doc?: string): Entity {
    if (e.kind === 'call' && !functionNames.includes(e.callee.text)) return this.#instance(e, scope, place);
    if (e.kind === 'name' && !e.indices) {
      const found = this.#equations.lookup(e.name.text, scope);
      if (found?.kind === 'array' || found?.kind === 'broken') return found;
    }
    // Instances inside are made first, in order, and stand in the expression by hidden names.
    const inner = snapshot(scope);
    let broken = false;
    const expanded = this.#hoistInstances(e, inner, place, () => { broken = true; });
    if (broken) return { kind: 'broken' };
    const arrays: Array_[] = [];
    const collect = (x: Syntax): void => {
      if (x.kind === 'name' && !x.indices) {
        const found = this.#equations.lookup(x.name.text, inner);
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
    const indices = this.#equations.table.newIndices(axes);
    const env: Env = { indices: new Map(), time, bare: (array) => array.axes.map((a) => indices[axes.indexOf(places.get(array.def)?.get(a) as Axis)] as Index) };
    const body = this.#equations.evaluate(expanded, inner, env, { name: [...place.path, name].join('.'), span });
    for (const n of inner.used) scope.used.add(n);
    if (!body) return { kind: 'broken' };
    const def = this.#equations.table.add([...place.path, name].join('.'), span, indices, time, body.type, (base) => ({ ...base, kind: 'equation', body }), doc);
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
      this.#diagnostics.error('SSM2020', e.callee.span, reductionNames.includes(name) ? { name, reduction: true } : { name, near: nearest(name, [...place.file.blocks.keys(), ...functionNames]) });
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
      this.#equations.place = place;
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
      if (p.kind === 'option') { this.#declarations.option(p, named.get(p.name.text)?.value, scope, own, block.name.text); continue; }
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
    const isName = (x: Syntax): boolean => x.kind === 'name' && this.#equations.lookup(x.name.text, scope)?.kind === 'array';
    if (e.kind !== 'binary' || !['<', '<=', '>', '>='].includes(e.op) || isName(e.left) === isName(e.right)) {
      this.#diagnostics.error('SSM2033', e.span, {});
      return;
    }
    const left = isName(e.left);
    const array = this.#equations.lookup(((left ? e.left : e.right) as { name: { text: string } }).name.text, scope) as Array_;
    const bound = constantValue(left ? e.right : e.left, scope, this.#diagnostics);
    if (bound === undefined) return;
    const upper = (e.op[0] === '<') === left;
    const old = (this.#equations.table.list[array.def] as Definition).fact ?? { low: -Infinity, high: Infinity, span: e.span };
    this.#equations.replace(array.def, { fact: upper ? { ...old, high: Math.min(old.high, bound) } : { ...old, low: Math.max(old.low, bound) } });
  }
  /** After all equations are read. */
  #initialValues(): void {
    for (const { statement: s, scope, place } of this.#initials) {
      this.#equations.place = place;
      const target = this.#equations.lookup(s.name.text, scope);
      const d = target?.kind === 'array' ? this.#equations.table.list[target.def] : undefined;
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
      const value = this.#equations.evaluate(s.value, scope, env, { name: d.name, span: s.span });
      if (value) this.#equations.table.list[d.id] = { ...(this.#equations.table.list[d.id] as typeof d), state: { ...d.state, initial: value } };
    }
  }
  /** Plain definitions of the model's own body that nothing reads. */
  #unused(scope: Scope, body: readonly Statement[]): void {
    const used = new Set(scope.used);
    for (const own of this.#equations.scopes) for (const n of own.used) used.add(n);
    for (const { scope: own } of [...this.#facts, ...this.#initials]) for (const n of own.used) used.add(n);
    for (const s of body) {
      const name = s.kind === 'equation' && s.role === 'plain' ? s.name : s.kind === 'param' || s.kind === 'input' ? s.name : undefined;
      if (name && !used.has(name.text)) this.#diagnostics.warning('SSM2037', name.span, { name: name.text });
    }
  }
}

