/** The words of a file by what they mean, for colouring. */
import type { Project } from './project.js';
import type { Occurrence, SymbolKind } from './symbols.js';
import { builtin } from './builtins.js';
import { endOf, isKeyword, isName, tokensOf } from './words.js';

export const tokenTypes = ['keyword', 'function', 'class', 'type', 'enumMember', 'parameter', 'variable', 'namespace', 'number', 'string', 'comment'] as const;
export const tokenModifiers = ['declaration', 'readonly', 'defaultLibrary', 'modification'] as const;
export interface SemanticToken {
  readonly start: number;
  readonly end: number;
  readonly type: (typeof tokenTypes)[number];
  readonly modifiers: readonly (typeof tokenModifiers)[number][];
}

/** Keywords that make a name known, where others say what is done. */
const declaring = new Set(['block', 'model', 'axis', 'modalities', 'input', 'param', 'state', 'output', 'initial']);
const typeOf: Readonly<Record<SymbolKind, SemanticToken['type']>> = {
  block: 'class', model: 'class', axis: 'type', binder: 'type', member: 'enumMember', choice: 'enumMember', option: 'parameter', argument: 'variable',
  input: 'variable', param: 'variable', state: 'variable', output: 'variable', equation: 'variable', instance: 'namespace',
};

/** In order of place; none overlaps another. */
export function semanticTokensOf(project: Project, path: string): readonly SemanticToken[] {
  const file = project.file(path);
  if (!file) return [];
  const { tokens, comments } = tokensOf(file.text, path);
  const named = project.occurrences(path).map((o) => ofOccurrence(o, project));
  const starts = new Set(named.map((n) => n.start));
  const words = tokens.flatMap((t): SemanticToken[] => {
    const place = { start: t.startOffset, end: endOf(t) };
    if (starts.has(place.start)) return [];
    if (isKeyword(t)) return [{ ...place, type: 'keyword', modifiers: declaring.has(t.image) ? ['declaration'] : [] }];
    if (t.tokenType.name === 'Num') return [{ ...place, type: 'number', modifiers: [] }];
    if (t.tokenType.name === 'Str') return [{ ...place, type: 'string', modifiers: [] }];
    if (!isName(t) || !builtin(t.image)) return [];
    return [{ ...place, type: t.image === 't' || t.image === 'pi' || t.image === 'inf' ? 'variable' : 'function', modifiers: ['defaultLibrary'] }];
  });
  const notes = comments.map((c): SemanticToken => ({ start: c.span.start, end: c.span.end, type: 'comment', modifiers: [] }));
  let end = 0;
  return [...named, ...words, ...notes].toSorted((a, b) => a.start - b.start).filter((t) => {
    if (t.start < end || t.end <= t.start) return false;
    end = t.end;
    return true;
  });
}
function ofOccurrence(o: Occurrence, project: Project): SemanticToken {
  const { kind, file } = o.symbol;
  return {
    start: o.span.start, end: o.span.end, type: typeOf[kind],
    modifiers: [
      ...(o.defines ? ['declaration' as const] : []), ...(kind === 'param' ? ['readonly' as const] : []),
      ...(kind === 'block' && project.isLibrary(file) ? ['defaultLibrary' as const] : []), ...(kind === 'state' ? ['modification' as const] : []),
    ],
  };
}
