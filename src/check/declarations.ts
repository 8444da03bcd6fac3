/**
 * Statements that give a name its meaning at once: axes, modalities, inputs and parameters, and a block's options. What is read when it is needed
 * (equations) is in `equations.ts`.
 */
import type { Declaration, Expr as Syntax, ParamStatement, Span, Statement } from '../../grammar/ast.js';
import type { Diagnostics } from '../diagnostics/diagnostic.js';
import { affineOf } from '../ir/builder.js';
import type { Axis, Definition, DefinitionId, DefinitionOf, Draw, Expr, Index, Initialiser } from '../ir/program.js';
import type { Equations } from './equations.js';
import type { Env } from './expressions.js';
import { nearest } from './names.js';
import type { ParamInfo, Place, Port } from './places.js';
import type { Scope } from './scope.js';
import { axisSize, constantValue } from './sizes.js';

export class Declarations {
  readonly inputs: Port[] = [];
  readonly params: ParamInfo[] = [];
  readonly #equations: Equations;
  readonly #diagnostics: Diagnostics;
  /** The sizes of a modalities axis's members' features. */
  readonly #features = new Map<Axis, readonly number[]>();

  constructor(equations: Equations, diagnostics: Diagnostics) {
    this.#equations = equations;
    this.#diagnostics = diagnostics;
  }
  modalities(s: Extract<Statement, { kind: 'modalities' }>, scope: Scope): void {
    const labels = s.members.map((m) => m.label.text);
    const twice = s.members.find((m, k) => labels.indexOf(m.label.text) !== k);
    if (twice) this.#diagnostics.error('SSM2002', twice.label.span, { name: twice.label.text });
    const axis: Axis = { name: s.name.text, size: labels.length, labels };
    scope.names.set(s.name.text, { kind: 'axis', axis });
    const sizes = s.members.map((m) => (m.size ? axisSize(m.size, m.label.text, scope, this.#diagnostics) : undefined));
    if (sizes.every((x): x is number => x !== undefined)) this.#features.set(axis, sizes);
  }
  axis(s: Extract<Statement, { kind: 'axis' }>, scope: Scope): void {
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
  input(s: Extract<Statement, { kind: 'input' }>, scope: Scope): void {
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
      if (known?.kind !== 'broken') this.#diagnostics.error('SSM2001', p.span, { name: p.name, near: nearest(p.name, scope.names.keys()) });
      scope.names.set(s.name.text, { kind: 'broken' });
      return;
    }
    const label = axes.findIndex((a) => a.labels !== undefined);
    // Stored with modalities first, so that a member's tensor is one piece; read in the order of the spec.
    const stored = label > 0 ? [axes[label] as Axis, ...axes.filter((_, k) => k !== label)] : axes;
    const input = this.#equations.table.add(label > 0 ? `${s.name.text}#stored` : s.name.text, s.span, this.#equations.table.newIndices(stored), time, 'real', (base) => ({ ...base, kind: 'input' }), s.doc);
    this.inputs.push({ name: s.name.text, def: input, span: s.name.span });
    const def = label > 0 ? this.#reordered(s, input, axes, label, time) : input;
    scope.names.set(s.name.text, { kind: 'array', def, time, axes, name: s.name.text });
  }
  #reordered(s: Extract<Statement, { kind: 'input' }>, input: DefinitionId, axes: readonly Axis[], label: number, time: boolean): DefinitionId {
    const indices = this.#equations.table.newIndices(axes);
    const at = [indices[label] as Index, ...indices.filter((_, k) => k !== label)].map((i) => affineOf(i));
    const body = this.#equations.builder.read(input, 'real', at, time ? { constant: 0, terms: [] } : undefined);
    return this.#equations.table.add(s.name.text, s.span, indices, time, 'real', (base) => ({ ...base, kind: 'equation', body }), s.doc);
  }
  param(s: ParamStatement, scope: Scope, place: Place): void {
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
    const indices = this.#equations.table.newIndices(axes, names);
    const env: Env = { indices: new Map(indices.flatMap((i, k) => (names[k] ? [[names[k] as string, i] as const] : []))), time: false };
    const def = this.#equations.table.add([...place.path, s.name.text].join('.'), s.span, indices, false, 'real', (base) => ({ ...base, kind: 'param', pieces: [] }), s.doc);
    const init = s.init ? this.#initialiser(s.init, s.name.text, scope, env, def, indices) : undefined;
    if (init) this.#equations.table.list[def] = { ...(this.#equations.table.list[def] as DefinitionOf<'param'>), init };
    this.params.push({ def, path: place.path, name: s.name.text, span: s.name.span });
    scope.names.set(s.name.text, { kind: 'array', def, time: false, axes, name: s.name.text });
  }
  #initialiser(e: Syntax, name: string, scope: Scope, env: Env, param: DefinitionId, over: readonly Index[]): Initialiser | undefined {
    const current = { name: (this.#equations.table.list[param] as Definition).name, span: e.span };
    const draw = (draw: Draw, span: Span): Expr => {
      const own = this.#equations.table.newIndices(over.map((i) => i.axis), over.map((i) => i.name));
      const id = this.#equations.table.add(`${current.name}#draw`, span, own, false, 'real', (base) => ({ ...base, kind: 'draw', draw, param }));
      return this.#equations.builder.read(id, 'real', over.map((i) => affineOf(i)));
    };
    const expr = this.#equations.evaluate(e, scope, { ...env, draw }, current);
    if (!expr || expr.type === 'real') return expr && { expr, over, span: e.span };
    this.#diagnostics.error('SSM2022', e.span, { what: `the initial value of \`${name}\``, type: expr.type === 'bool' ? 'a condition' : 'a complex number', want: 'real: complex parameters are stored as pairs of real numbers' });
    return undefined;
  }
  option(p: Extract<Declaration['parameters'][number], { kind: 'option' }>, given: Syntax | undefined, outer: Scope, scope: Scope, block: string): void {
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
}
