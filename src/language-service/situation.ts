/** Where the cursor stands, by the tokens before it: what may come next. Works on text that does not parse. */
import { Bar, Colon, Comma, Equals, LBrace, LBracket, LParen, Match, RBrace, RBracket, RParen, openingKeywords, StatementStart, Str } from '../../grammar/tokens.js';
import { functions, reductions } from './builtins.js';
import { endOf, isKeyword, isName, tokensOf, type Token } from './words.js';

export type Situation =
  /** Inside a comment or a string that names no file. */
  | { readonly kind: 'nothing' }
  /** Inside the string of an import. */
  | { readonly kind: 'path' }
  /** Among the names of an import, from where if it says so. */
  | { readonly kind: 'import'; readonly from?: string; readonly taken: readonly string[] }
  | { readonly kind: 'declaration' }
  | { readonly kind: 'statement' }
  /** After `m.`, of a name that may be a modalities axis. */
  | { readonly kind: 'member'; readonly of: string }
  /** In the brackets after a name; `definition`: of a left side. */
  | { readonly kind: 'index'; readonly array: string; readonly at: number; readonly definition: boolean }
  /** Before the colon of a reduction. */
  | { readonly kind: 'binder' }
  /** At an argument of a call. */
  | { readonly kind: 'argument'; readonly callee: string; readonly given: readonly string[] }
  /** After `name =` in a call. */
  | { readonly kind: 'value'; readonly callee: string; readonly name: string }
  /** At the patterns of a match's arm. */
  | { readonly kind: 'arm'; readonly subject: string; readonly taken: readonly string[] }
  /** After `match`. */
  | { readonly kind: 'subject' }
  /** A new name is being made. */
  | { readonly kind: 'new-name' }
  | { readonly kind: 'expression' };

export interface Place {
  readonly situation: Situation;
  /** What is typed already and will be replaced. */
  readonly start: number;
  readonly end: number;
  /** Indices that reductions around it bind. */
  readonly bound: readonly string[];
}

export function placeOf(text: string, path: string, offset: number): Place {
  const { tokens, comments } = tokensOf(text, path);
  const nowhere: Place = { situation: { kind: 'nothing' }, start: offset, end: offset, bound: [] };
  if (comments.some((c) => c.span.start < offset && offset <= c.span.end)) return nowhere;
  const string = tokens.findIndex((t) => t.tokenType === Str && t.startOffset < offset && (offset < endOf(t) || !/^".*"$/.test(t.image)));
  if (string >= 0) {
    const token = tokens[string] as Token;
    const quote = token.image.length > 1 && token.image.endsWith('"') ? 1 : 0;
    return tokens[string - 1]?.image === 'from' ? { situation: { kind: 'path' }, start: token.startOffset + 1, end: endOf(token) - quote, bound: [] } : nowhere;
  }
  const typed = /[A-Za-z_][\w.]*$/.exec(text.slice(0, offset))?.[0] ?? '';
  const rest = /^\w*/.exec(text.slice(offset))?.[0] ?? '';
  const dot = typed.indexOf('.');
  const start = offset - typed.length;
  const before = tokens.filter((t) => endOf(t) <= start);
  const open = openBrackets(before);
  const bound = open.flatMap((o) => boundAt(before, o));
  const end = offset + (typed === '' ? 0 : rest.length);
  if (dot >= 0) return { situation: { kind: 'member', of: typed.slice(0, dot) }, start: start + dot + 1, end, bound };
  return { situation: situation(before, open, tokens.filter((t) => t.startOffset >= offset)), start, end, bound };
}

/** Positions of the brackets that are open at the end, outermost first. */
function openBrackets(tokens: readonly Token[]): number[] {
  const open: number[] = [];
  tokens.forEach((t, k) => {
    const type = t.tokenType;
    if (type === LParen || type === LBracket || type === LBrace) open.push(k);
    else if (type === RParen || type === RBracket || type === RBrace) open.pop();
    // A statement leaves behind what was not closed.
    else if (type.CATEGORIES?.includes(StatementStart) && type !== Match) while (open.length > 0 && tokens[open.at(-1) as number]?.tokenType !== LBrace) open.pop();
  });
  return open;
}
/** What the reduction that this bracket belongs to binds. */
function boundAt(tokens: readonly Token[], open: number): string[] {
  const inside = tokens.slice(open + 1);
  const colon = inside.findIndex((t) => t.tokenType === Colon);
  if (tokens[open]?.tokenType !== LParen || colon < 0 || !inside.slice(0, colon).every((t) => isName(t) || isKeyword(t) || t.tokenType === Comma)) return [];
  return inside.slice(0, colon).filter((t, k) => isName(t) && inside[k - 1]?.image !== 'in').map((t) => t.image);
}

function situation(before: readonly Token[], open: readonly number[], after: readonly Token[]): Situation {
  const previous = before.at(-1);
  const at = open.at(-1);
  const opener = at === undefined ? undefined : before[at];
  const owner = at === undefined ? undefined : before[at - 1];
  if (previous && isKeyword(previous)) {
    switch (previous.image) {
      case 'import': return importing([], after);
      case 'match': return { kind: 'subject' };
      case 'as': case 'block': case 'model': case 'axis': case 'modalities': case 'input': case 'param': case 'state': case 'output': return { kind: 'new-name' };
      case 'initial': case 'fact': case 'repeat': case 'in': return { kind: 'expression' };
      default: return { kind: 'nothing' };
    }
  }
  if (!opener || at === undefined) {
    const line = before.findLastIndex((t) => isKeyword(t) && openingKeywords.has(t.image));
    return before[line]?.image === 'import' && previous?.tokenType === Comma ? importing(before.slice(line + 1), after) : { kind: 'declaration' };
  }
  const inside = before.slice(at + 1);
  if (opener.tokenType === LBracket) return owner && isName(owner) ? { kind: 'index', array: owner.image, at: commas(inside), definition: isDefinition(before, at - 1) } : { kind: 'expression' };
  if (opener.tokenType === LParen) return inParentheses(owner, inside, before[at - 2]);
  return inBraces(before, at, inside);
}
function importing(names: readonly Token[], after: readonly Token[]): Situation {
  const from = after.findIndex((t) => t.image === 'from');
  const next = after.findIndex((t) => isKeyword(t) && openingKeywords.has(t.image));
  const path = from >= 0 && (next < 0 || from < next) ? after[from + 1] : undefined;
  const taken = [...names, ...after.slice(0, Math.max(0, from))].filter(isName).map((t) => t.image);
  return { kind: 'import', taken, ...(path?.tokenType === Str ? { from: path.image.replaceAll('"', '') } : {}) };
}
/** A left side, a parameter of a block, an input: its indices are names of axes. */
function isDefinition(before: readonly Token[], owner: number): boolean {
  const first = before[owner - 1];
  const open = openBrackets(before.slice(0, owner)).at(-1);
  const parameters = open !== undefined && before[open]?.tokenType === LParen && ['block', 'model'].includes(before[open - 2]?.image ?? '');
  return parameters || first !== undefined && isKeyword(first) && ['input', 'param', 'state', 'output', 'initial'].includes(first.image);
}
/** Commas that stand in no further bracket. */
function commas(inside: readonly Token[]): number {
  return topLevel(inside).filter((t) => t.tokenType === Comma).length;
}
function topLevel(inside: readonly Token[]): Token[] {
  let depth = 0;
  return inside.filter((t) => {
    if ([LParen, LBracket, LBrace].includes(t.tokenType)) depth++;
    const top = depth === 0;
    if ([RParen, RBracket, RBrace].includes(t.tokenType)) depth--;
    return top;
  });
}
function inParentheses(owner: Token | undefined, inside: readonly Token[], head: Token | undefined): Situation {
  if (!owner || !isName(owner)) return { kind: 'expression' };
  const own = topLevel(inside);
  const last = own.at(-1);
  if (head && ['block', 'model'].includes(head.image)) return last?.tokenType === Equals || last?.tokenType === Bar ? { kind: 'expression' } : { kind: 'new-name' };
  const colon = own.some((t) => t.tokenType === Colon);
  // `max` and `min` are functions of two numbers too.
  if (reductions.has(owner.image) && !functions.has(owner.image)) return colon || own.some((t) => t.tokenType !== Comma && !isName(t)) ? { kind: 'expression' } : { kind: 'binder' };
  if (last?.tokenType === Equals) return { kind: 'value', callee: owner.image, name: own.at(-2)?.image ?? '' };
  if (last === undefined || last.tokenType === Comma) return { kind: 'argument', callee: owner.image, given: own.flatMap((t, k) => (own[k + 1]?.tokenType === Equals ? [t.image] : [])) };
  return { kind: 'expression' };
}
function inBraces(before: readonly Token[], at: number, inside: readonly Token[]): Situation {
  const subject = before[at - 1];
  const last = topLevel(inside).at(-1);
  const previous = before.at(-1);
  if (before[at - 2]?.tokenType === Match && subject && (last === undefined || last.tokenType === Comma || last.tokenType === Bar || previous?.tokenType === RBrace)) {
    const own = topLevel(inside);
    return { kind: 'arm', subject: subject.image, taken: own.flatMap((t, k) => (isName(t) && (own[k + 1]?.image === '=>' || own[k + 1]?.tokenType === Bar) ? [t.image] : [])) };
  }
  if (previous === undefined || previous.tokenType === LBrace || previous.tokenType === RBrace || previous.tokenType === RParen || previous.tokenType === RBracket || isName(previous) || /^[\d"]/.test(previous.image)) return { kind: 'statement' };
  return { kind: 'expression' };
}
