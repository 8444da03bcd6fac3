/** Sizes beside the names that have them: of axes that are computed, of inputs' features, and the shape of what has no indices of its own. */
import type { Analyses } from './analysis.js';
import { flat } from './body-names.js';
import { factsAt, shapeText, sizesText, type Fact } from './facts.js';
import type { Project } from './project.js';

export interface Hint {
  /** Right behind a name. */
  readonly offset: number;
  readonly text: string;
}

export function hintsOf(project: Project, analyses: Analyses, path: string, from = 0, to = Number.POSITIVE_INFINITY): readonly Hint[] {
  const hints: Hint[] = [];
  const facts = (start: number): readonly Fact[] => factsAt(analyses, path, start);
  const size = (start: number, end: number): void => {
    const text = sizesText(facts(start));
    if (text !== undefined) hints.push({ offset: end, text: `: ${text}` });
  };
  for (const d of project.file(path)?.declarations ?? []) {
    if (d.span.end < from || d.span.start > to) continue;
    for (const p of d.parameters) if (p.kind === 'argument') for (const i of p.indices) if (i.name !== 't') size(i.span.start, i.span.end);
    for (const s of flat(d.body)) {
      if (s.kind === 'axis' && s.size.kind !== 'number') size(s.name.span.start, s.name.span.end);
      if (s.kind === 'equation' && !s.indices) {
        const shapes = [...new Set(facts(s.name.span.start).flatMap((f) => (f.entity.kind === 'array' && !f.madeUp ? [shapeText(f.entity, false)] : [])))];
        if (shapes.length === 1 && shapes[0]) hints.push({ offset: s.name.span.end, text: shapes[0] });
      }
    }
  }
  return hints.filter((h) => h.offset >= from && h.offset <= to).toSorted((a, b) => a.offset - b.offset);
}
