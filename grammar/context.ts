/**
 * Between the lexer and the grammar: decides which names are keywords, which begin an equation and which are reductions, from the
 * tokens around them. After this the grammar needs two tokens of lookahead at most, and recovery knows where statements begin
 * without parsing.
 *
 * The rules that users see: line ends mean nothing inside an expression, so an operator or a bracket at the beginning of a line goes
 * on with the line before. A statement begins at `name =`, at `name[...] =` and at a keyword. A keyword is only one where no operand
 * can stand, or where it begins its line and what it introduces follows on that line; everywhere else it is a name.
 */
import type { IToken, TokenType } from 'chevrotain';
import type { SyntaxFault } from './ast.js';
import {
  Arrow, As, Bar, Block, Colon, Comma, DeclarationStart, Equals, From, Identifier, In, LBrace, LBracket, LParen, Match, Minus, Model,
  Not, Num, openingKeywords, operators, RBrace, RBracket, Reducer, RParen, StatementStart, Str, Target, To,
} from './tokens.js';

/** Brackets and operators nest at most so deep: what reads the tree recurses. */
export const maxNesting = 100;

const opens = new Set<TokenType>([LParen, LBracket, LBrace]);
const closes = new Set<TokenType>([RParen, RBracket, RBrace]);
const beforeOperand = new Set<TokenType>([
  ...operators, Not, Equals, LParen, LBracket, Comma, Colon, Bar, Arrow, ...openingKeywords.values(), As, In, From, To,
]);
const afterKeyword = new Set<TokenType>([Identifier, Num, Str, LParen, Minus, Not]);
const afterName = new Set<TokenType>([Equals, LBracket, Arrow, Bar]);

function retype(token: IToken, type: TokenType): void {
  token.tokenType = type;
  token.tokenTypeIdx = type.tokenTypeIdx as number;
}
const begins = (token: IToken, category: TokenType): boolean => token.tokenType.CATEGORIES?.includes(category) ?? false;

/** Gives names their role, in place. */
export function resolveContext(tokens: IToken[]): void {
  let depth = 0; // of ( and [ in this statement
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] as IToken;
    const previous = tokens[at - 1];
    if (token.tokenType === LParen || token.tokenType === LBracket) depth++;
    if (token.tokenType === RParen || token.tokenType === RBracket) depth = Math.max(0, depth - 1);
    if (token.tokenType !== Identifier) continue;
    const firstOnLine = previous === undefined || previous.endLine !== token.startLine;
    const operand = previous !== undefined && beforeOperand.has(previous.tokenType);
    const type = (depth === 0 || firstOnLine || isMatch(tokens, at) ? opening(tokens, at, operand, firstOnLine) : undefined)
      ?? (operand ? undefined : joining(tokens, at)) ?? (isReducer(tokens, at) ? Reducer : undefined);
    if (type === undefined) continue;
    retype(token, type);
    if (begins(token, StatementStart) && !(type === Match && operand) || begins(token, DeclarationStart)) depth = 0;
  }
}

/** `match kind {`, which nothing else can be, also inside brackets. */
function isMatch(tokens: IToken[], at: number): boolean {
  return tokens[at]?.image === 'match' && tokens[at + 1]?.tokenType === Identifier && tokens[at + 2]?.tokenType === LBrace;
}

/** Whether a statement or declaration begins at this name. */
function opening(tokens: IToken[], at: number, operand: boolean, firstOnLine: boolean): TokenType | undefined {
  const token = tokens[at] as IToken;
  const next = tokens[at + 1];
  const previous = tokens[at - 1];
  const keyword = openingKeywords.get(token.image);
  const sameLine = next !== undefined && next.startLine === token.endLine;
  if (keyword !== undefined) {
    if (operand) {
      const introduces = sameLine && (next.tokenType === Identifier || next.tokenType === Num || next.tokenType === Str);
      if (introduces && (firstOnLine || keyword === Match)) return keyword;
    } else if (next === undefined || !sameLine && !afterName.has(next.tokenType) || afterKeyword.has(next.tokenType)) {
      return keyword;
    } else if ((keyword === Block || keyword === Model) && next.tokenType === LBrace) {
      return keyword;
    }
  }
  const named = previous !== undefined && openingKeywords.has(previous.image) && previous.tokenType !== Identifier;
  if (named && !firstOnLine) return undefined;
  const equals = afterIndices(tokens, at + 1);
  if (tokens[equals]?.tokenType !== Equals) return undefined;
  if (equals > at + 1) return Target;
  // `name =` after a comma or a bracket is an argument.
  return previous !== undefined && (previous.tokenType === Comma || previous.tokenType === LParen) ? undefined : Target;
}

/** The position after `[...]`, if that stands at `at`; else `at`. */
function afterIndices(tokens: IToken[], at: number): number {
  if (tokens[at]?.tokenType !== LBracket) return at;
  let depth = 0;
  for (let i = at; i < tokens.length; i++) {
    const type = (tokens[i] as IToken).tokenType;
    if (type === LBracket) depth++;
    else if (type === RBracket && --depth === 0) return i + 1;
    else if (type === LBrace || type === RBrace || type === Equals) return at;
  }
  return at;
}

/** `as`, `in`, `from` and `to` after a complete operand. */
function joining(tokens: IToken[], at: number): TokenType | undefined {
  const previous = tokens[at - 1]?.tokenType;
  const next = tokens[at + 1]?.tokenType;
  if (next === undefined) return undefined;
  switch ((tokens[at] as IToken).image) {
    case 'as': return next === Identifier || next === Num ? As : undefined;
    case 'in': return previous === Identifier && next === Identifier ? In : undefined;
    case 'from': return next === Str ? From : undefined;
    case 'to': return previous === Str && next === Str ? To : undefined;
    default: return undefined;
  }
}

/** `name(i in m, j: ...`. */
function isReducer(tokens: IToken[], at: number): boolean {
  if (tokens[at + 1]?.tokenType !== LParen) return false;
  for (let i = at + 2; ; i++) {
    if (tokens[i]?.tokenType !== Identifier) return false;
    if (tokens[i + 1]?.image === 'in' && tokens[i + 2]?.tokenType === Identifier) i += 2;
    i++;
    if (tokens[i]?.tokenType === Colon) return true;
    if (tokens[i]?.tokenType !== Comma) return false;
  }
}

/** Cuts out what stands in brackets nested too deep. */
export function limitNesting(tokens: readonly IToken[], path: string, faults: SyntaxFault[]): IToken[] {
  const open: TokenType[] = [];
  const kept: IToken[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] as IToken;
    if (begins(token, DeclarationStart)) open.length = 0;
    else if (begins(token, StatementStart) && token.tokenType !== Match) while (open.length > 0 && open.at(-1) !== LBrace) open.pop();
    if (closes.has(token.tokenType)) open.pop();
    kept.push(token);
    if (!opens.has(token.tokenType)) continue;
    open.push(token.tokenType);
    if (open.length <= maxNesting) continue;
    faults.push({
      code: 'SSM1010', span: { file: path, start: token.startOffset, end: token.startOffset + 1 },
      args: { limit: maxNesting, what: 'brackets inside each other' },
    });
    at = endOfBracket(tokens, at) - 1;
    if (token.tokenType !== LBrace) kept.push(filler(token));
  }
  return kept;
}

/** The position of what closes the bracket at `at`, or of the statement before which it stays open. */
function endOfBracket(tokens: readonly IToken[], at: number): number {
  const parenthesis = (tokens[at] as IToken).tokenType !== LBrace;
  let depth = 0;
  for (let i = at; i < tokens.length; i++) {
    const token = tokens[i] as IToken;
    if (opens.has(token.tokenType)) depth++;
    if (closes.has(token.tokenType) && --depth === 0) return i;
    if (begins(token, DeclarationStart) || parenthesis && begins(token, StatementStart) && token.tokenType !== Match) return i;
  }
  return tokens.length;
}

/** An operand in place of what was cut out. */
function filler(token: IToken): IToken {
  return { ...token, image: '0', tokenType: Num, tokenTypeIdx: Num.tokenTypeIdx as number };
}
