/** The names that a declaration's body defines. */
import type { Declaration, IndexPattern, Statement } from '../../grammar/ast.js';
import { localId, type BodyNames, type SymbolKind, type Symbol_ } from './symbols.js';

export function bodyNames(file: string, declaration: Declaration): BodyNames {
  const symbols = new Map<string, Symbol_>();
  const choices = new Map<string, readonly string[]>();
  const members = new Map<string, readonly string[]>();
  const add = (name: string, kind: SymbolKind): void => {
    if (name === '' || symbols.has(name)) return;
    symbols.set(name, { id: localId(file, declaration.name.text, name), kind, name, file });
  };
  const indices = (list: readonly IndexPattern[]): void => { for (const i of list) if (i.name !== 't') add(i.name, 'axis'); };
  for (const p of declaration.parameters) {
    if (p.kind === 'argument') {
      add(p.name.text, 'argument');
      indices(p.indices);
    } else {
      add(p.name.text, 'option');
      if (p.choices) choices.set(p.name.text, p.choices.map((c) => c.text));
    }
  }
  const statements = flat(declaration.body);
  for (const s of statements) {
    switch (s.kind) {
      case 'axis': add(s.name.text, 'axis'); break;
      case 'modalities':
        add(s.name.text, 'axis');
        members.set(s.name.text, s.members.map((m) => m.label.text));
        break;
      case 'input': case 'param': add(s.name.text, s.kind); break;
      case 'equation': add(s.name.text, s.role === 'plain' ? 'equation' : s.role); break;
      case 'lost': add(s.name.text, s.output ? 'output' : 'equation'); break;
      default: break;
    }
  }
  // A second index over modalities has their members.
  for (const s of statements) {
    const of = s.kind === 'axis' && s.size.kind === 'name' ? members.get(s.size.name.text) : undefined;
    if (of && s.kind === 'axis') members.set(s.name.text, of);
  }
  // What an input's pattern names and nothing declares is the axis of its features.
  for (const s of statements) if (s.kind === 'input') indices(s.indices);
  return { declaration, symbols, choices, members };
}
/** Every statement, those inside `repeat` and `match` too, in order. */
export function flat(body: readonly Statement[]): Statement[] {
  return body.flatMap((s): Statement[] => {
    switch (s.kind) {
      case 'repeat': return [s, ...flat(s.body)];
      case 'match-statement': return [s, ...s.arms.flatMap((a) => flat(a.body))];
      default: return [s];
    }
  });
}
