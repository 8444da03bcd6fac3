/**
 * Equations with indices: a definition at once, their right sides read when something needs them, so that an equation may use what stands below it.
 */
import type { Equation, Expr as Syntax, IndexPattern, Span, Statement } from '../../grammar/ast.js';
import type { Diagnostics } from '../diagnostics/diagnostic.js';
import type { Builder } from '../ir/builder.js';
import type { Axis, Definition, DefinitionId, Expr, Fact, Type } from '../ir/program.js';
import { Expressions, type Env } from './expressions.js';
import { nearest } from './names.js';
import type { Pending, Place } from './places.js';
import { Scope, type Entity } from './scope.js';
import { DefinitionTable } from './table.js';

export type Array_ = Extract<Entity, { kind: 'array' }>;
/** What is being read: auxiliary definitions are named after it. */
interface Current {
  readonly name: string;
  readonly span: Span;
}

export const snapshot = (scope: Scope): Scope => new Scope(scope.names, scope.forward);

export class Equations {
  readonly builder: Builder;
  readonly table: DefinitionTable;
  /** Where the body stands that is being read. */
  place: Place | undefined;
  readonly #diagnostics: Diagnostics;
  readonly #x: Expressions;
  readonly #pending = new Map<DefinitionId, Pending>();
  readonly #broken = new Set<DefinitionId>();
  readonly #declared = new Map<Equation, Map<string, Entity>>();
  #current: Current = { name: '', span: { file: '', start: 0, end: 0 } };
  /** What has been read while the equation at hand was. */
  #meanwhile: DefinitionId[] | undefined;

  constructor(b: Builder, diagnostics: Diagnostics) {
    this.builder = b;
    this.#diagnostics = diagnostics;
    this.table = new DefinitionTable(b, diagnostics);
    this.#x = new Expressions(b, diagnostics, {
      lookup: (name, scope) => this.lookup(name, scope),
      typeOf: (def) => this.#typeOf(def),
      auxiliary: (suffix, span, indices, time, body) => this.table.auxiliary(`${this.#current.name}#${suffix}`, span, indices, time, body),
      isBlock: (name) => this.place?.file.blocks.get(name)?.declaration.kind === 'block',
      isMissing: (name) => this.place?.file.missing.has(name) ?? false,
      ofMatrix: (op, span, indices, matrix) => this.table.ofMatrix(`${this.#current.name}#${op}`, op, span, indices, matrix),
    });
  }
  /** Written as an equation that is neither state nor output. */
  isPlain(id: DefinitionId): boolean {
    return this.#pending.get(id)?.equation.role === 'plain';
  }
  /** Scopes of equations, with the names that they have used. */
  get scopes(): Scope[] {
    return [...this.#pending.values()].map((p) => p.scope);
  }
  /** Reads every equation that nothing has needed yet. */
  finish(): void {
    for (const id of this.#pending.keys()) this.#force(id);
  }
  /** The equations of a body, for reads above them. */
  forward(body: readonly Statement[], scope: Scope): void {
    for (const s of body) if (s.kind === 'equation' && s.indices && !scope.forward.has(s.name.text)) scope.forward.set(s.name.text, s);
  }
  evaluate(e: Syntax, scope: Scope, env: Env, current: Current): Expr | undefined {
    const before = this.#current;
    this.#current = current;
    const value = this.#x.of(e, scope, env);
    this.#current = before;
    return value;
  }
  lookup(name: string, scope: Scope): Entity | undefined {
    scope.used.add(name);
    const found = scope.names.get(name);
    if (found) return found;
    const later = scope.forward.get(name);
    if (!later || !this.place) return undefined;
    const entity = this.declare(later, scope, this.place);
    scope.names.set(name, entity);
    return entity;
  }
  /** Gives an equation with indices its definition; its right side is read later. */
  declare(s: Equation, scope: Scope, place: Place): Entity {
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
    const indices = this.table.newIndices(axes, names);
    const env: Env = { indices: new Map(indices.map((i, k) => [names[k] as string, i])), time };
    const def = this.table.add([...place.path, s.name.text].join('.'), s.span, indices, time, 'real', (base) =>
      ({ ...base, kind: 'equation', body: this.builder.const(0), ...(s.role === 'state' ? { state: { direction: 'forward' as const } } : {}) }), s.doc);
    const entity: Array_ = { kind: 'array', def, time, axes, name: s.name.text };
    const own = snapshot(scope);
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
    const before = { current: this.#current, place: this.place };
    this.#current = { name: (this.table.list[id] as Definition).name, span: p.equation.span };
    this.place = p.place;
    const outer = this.#meanwhile;
    const read = this.#meanwhile = [] as DefinitionId[];
    let body = this.#x.of(p.equation.value, p.scope, p.env);
    if (body?.type === 'complex' && (this.table.list[id] as Definition).type !== 'complex') {
      // It may have been read as real, by itself or by what it needs: these are read again, knowing better.
      this.replace(id, { type: 'complex' });
      for (const x of read) if (!this.#broken.has(x)) (this.#pending.get(x) as Pending).state = 'waiting';
      body = this.#x.of(p.equation.value, p.scope, p.env);
    }
    outer?.push(id, ...read);
    this.#meanwhile = outer;
    this.#current = before.current;
    this.place = before.place;
    p.state = 'done';
    if (!body) { this.#broken.add(id); return; }
    if (body.type === 'bool') {
      this.#diagnostics.error('SSM2022', p.equation.value.span, { what: `\`${p.equation.name.text}\``, type: 'a condition', want: 'a number; use `where`' });
      this.#broken.add(id);
      return;
    }
    this.replace(id, { type: body.type, body });
  }
  replace(id: DefinitionId, change: { type?: Type; body?: Expr; fact?: Fact }): void {
    this.table.list[id] = { ...(this.table.list[id] as Definition), ...change } as Definition;
  }
  #typeOf(id: DefinitionId): Type | undefined {
    this.#force(id);
    return this.#broken.has(id) ? undefined : (this.table.list[id] as Definition).type;
  }
}
