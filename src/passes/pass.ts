/** What a pass is, and what several need. */
import { dependencies, mapExpr, type Builder } from '../ir/builder.js';
import type { Definition, DefinitionId, Expr, Program } from '../ir/program.js';
import { hasTimeReduction } from './binding-times.js';

export interface Pass {
  readonly name: string;
  readonly why: string;
  /** A program of the same meaning. */
  readonly run: (program: Program, builder: Builder) => Program;
}

/** Drops what no input, output or parameter list needs, and numbers the rest anew. Parameters that nothing reads stay out of the program too. */
export function compact(program: Program, b: Builder): Program {
  const live = new Set<DefinitionId>(program.inputs.map((i) => i.def));
  const visit = (id: DefinitionId): void => {
    if (live.has(id)) return;
    live.add(id);
    for (const dep of dependencies(program.definitions[id] as Definition)) visit(dep);
  };
  for (const i of program.inputs) for (const dep of dependencies(program.definitions[i.def] as Definition)) visit(dep);
  for (const o of program.outputs) visit(o.def);
  for (const d of program.definitions) if (d.kind === 'param') live.add(d.id);
  return keep(program, live, b);
}
/** What runs: initialisers, and what they alone can read, are for who makes the weights. */
export function withoutInitialisers(program: Program, b: Builder): Program {
  const drawn = new Map<DefinitionId, boolean>();
  const visit = (id: DefinitionId): boolean => {
    const known = drawn.get(id);
    if (known !== undefined) return known;
    drawn.set(id, false);
    const d = program.definitions[id] as Definition;
    const result = d.kind === 'draw' || d.kind === 'eigen' || [...dependencies(d)].some(visit);
    drawn.set(id, result);
    return result;
  };
  const live = new Set(program.definitions.filter((d) => !visit(d.id)).map((d) => d.id));
  const definitions = program.definitions.map((d): Definition => {
    if (d.kind !== 'param') return d;
    const { init: _, ...plain } = d;
    return plain;
  });
  return keep({ ...program, definitions }, live, b);
}
function keep(program: Program, live: ReadonlySet<DefinitionId>, b: Builder): Program {
  const kept = program.definitions.filter((d) => live.has(d.id));
  if (kept.length === program.definitions.length) return program;
  const to = new Map(kept.map((d, k) => [d.id, k as DefinitionId]));
  const moved = (e: Expr): Expr => mapExpr(b, e, (x) => (x.kind === 'read' ? b.read(to.get(x.def) as DefinitionId, x.type, x.at, x.time) : x));
  return {
    ...program,
    definitions: kept.map((d): Definition => {
      const id = to.get(d.id) as DefinitionId;
      switch (d.kind) {
        case 'input': case 'param': return { ...d, id };
        case 'inverse': case 'eigen': return { ...d, id, matrix: to.get(d.matrix) as DefinitionId };
        case 'draw': return { ...d, id, param: to.get(d.param) as DefinitionId };
        case 'stack': return { ...d, id, parts: d.parts.map((p) => to.get(p) as DefinitionId) };
        case 'equation': return { ...d, id, body: moved(d.body), ...(d.state ? { state: { ...d.state, ...(d.state.initial ? { initial: moved(d.state.initial) } : {}) } } : {}) };
      }
    }),
    inputs: program.inputs.map((i) => ({ ...i, def: to.get(i.def) as DefinitionId })),
    outputs: program.outputs.map((o) => ({ ...o, def: to.get(o.def) as DefinitionId })),
  };
}

/** The program with every equation's body (and initial value) rewritten. */
export function mapBodies(program: Program, f: (e: Expr, d: Definition) => Expr): Program {
  return {
    ...program,
    definitions: program.definitions.map((d): Definition => {
      if (d.kind !== 'equation') return d;
      const body = f(d.body, d);
      const initial = d.state?.initial && f(d.state.initial, d);
      if (body === d.body && initial === d.state?.initial) return d;
      return { ...d, body, ...(d.state ? { state: { ...d.state, ...(initial ? { initial } : {}) } } : {}) };
    }),
  };
}

/** What is known once weights are: no t, no input and no length of a sequence, transitively. */
export function loadTimeDefinitions(program: Program): ReadonlySet<DefinitionId> {
  const known = new Map<DefinitionId, boolean>();
  const visit = (id: DefinitionId): boolean => {
    const seen = known.get(id);
    if (seen !== undefined) return seen;
    known.set(id, false);
    const d = program.definitions[id] as Definition;
    const result = !d.time && d.kind !== 'input' && !(d.kind === 'equation' && hasTimeReduction(d.body)) && [...dependencies(d)].every(visit);
    known.set(id, result);
    return result;
  };
  return new Set(program.definitions.filter((d) => visit(d.id)).map((d) => d.id));
}
/** An expression of load-time definitions, indices and constants only. */
export function isLoadTime(e: Expr, loaded: ReadonlySet<DefinitionId>): boolean {
  if (e.kind === 'read') return loaded.has(e.def);
  if (e.kind === 'reduce') return e.over !== 'time' && isLoadTime(e.body, loaded);
  switch (e.kind) {
    case 'const': case 'index': return true;
    case 'unary': return isLoadTime(e.arg, loaded);
    case 'binary': return isLoadTime(e.left, loaded) && isLoadTime(e.right, loaded);
    case 'power': return isLoadTime(e.base, loaded);
    case 'select': return isLoadTime(e.cond, loaded) && isLoadTime(e.then, loaded) && isLoadTime(e.else, loaded);
  }
}
/** Factors of a product, constants and negations included. */
export function factors(e: Expr): Expr[] {
  return e.kind === 'binary' && e.op === 'mul' ? [...factors(e.left), ...factors(e.right)] : [e];
}
export function product(b: Builder, list: readonly Expr[]): Expr {
  return list.length === 0 ? b.const(1) : list.reduce((x, y) => b.binary('mul', x, y));
}
