/** What the compiler found out about a symbol where it is defined: one entry per instance of its block. */
import type { Entity } from '../check/index.js';
import type { Definition } from '../ir/program.js';
import type { Analyses, Analysis, ModelAnalysis } from './analysis.js';

export interface Fact {
  readonly entity: Entity;
  /** Of the instance; empty in the model's own body. */
  readonly path: readonly string[];
  readonly analysis: Analysis;
  readonly model: ModelAnalysis;
  /** Of an array. */
  readonly definition?: Definition;
  /** Sizes are no one's: the block stands alone. */
  readonly madeUp: boolean;
}

/** Of the name at `offset` of a file, from the first analysis that knows it, `near` first; those with true sizes where there are some. */
export function factsAt(analyses: Analyses, path: string, offset: number, near = path): readonly Fact[] {
  let alone: readonly Fact[] = [];
  for (const analysis of analyses.around(path, near)) {
    const all = analysis.models.flatMap((model) => factsOf(analysis, model, path, offset));
    const real = all.filter((f) => !f.madeUp);
    if (real.length > 0) return real;
    if (alone.length === 0) alone = all;
  }
  return alone;
}
function factsOf(analysis: Analysis, model: ModelAnalysis, path: string, offset: number): Fact[] {
  return model.seen.flatMap((seen) => seen.list.filter((s) => s.span.start === offset && s.span.file === path && s.entity.kind !== 'broken').map((s): Fact => {
    // The checked program knows more than the body's first reading: directions of states, stored names.
    const definitions = seen.madeUp ? seen.definitions : (model.program?.definitions ?? seen.definitions);
    const definition = s.entity.kind === 'array' ? definitions[s.entity.def] : undefined;
    return { entity: s.entity, path: s.path, analysis, model, madeUp: seen.madeUp, ...(definition ? { definition } : {}) };
  }));
}

/** `[t, m: 3, d: 256]`; sizes only where they are someone's. */
export function shapeText(entity: Extract<Entity, { kind: 'array' }>, madeUp: boolean): string {
  const axes = entity.axes.map((a) => {
    if (madeUp) return a.name;
    return `${a.name}: ${a.ragged ? a.ragged.sizes.join(' | ') : a.size}`;
  });
  const all = [...(entity.time ? ['t'] : []), ...axes];
  return all.length === 0 ? '' : `[${all.join(', ')}]`;
}
export function sizeText(entity: Entity): string | undefined {
  switch (entity.kind) {
    case 'axis': return entity.axis.ragged ? entity.axis.ragged.sizes.join(' | ') : `${entity.axis.size}`;
    case 'number': return `${entity.value}`;
    case 'choice': return entity.value;
    case 'absent': return 'absent';
    default: return undefined;
  }
}
/** The values that its instances have, each once. */
export function sizesText(facts: readonly Fact[]): string | undefined {
  const texts = [...new Set(facts.flatMap((f) => (f.madeUp ? [] : sizeText(f.entity) ?? [])))];
  return texts.length === 0 ? undefined : texts.length > 3 ? `${texts.slice(0, 3).join(' or ')} or …` : texts.join(' or ');
}
