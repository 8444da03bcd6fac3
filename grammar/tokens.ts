/**
 * The tokens of the language, and the lexer. Keywords are contextual: the lexer knows names only, and `context.ts` decides which
 * names are keywords where they stand.
 */
import { createToken, Lexer, type IToken, type TokenType } from 'chevrotain';
import type { Comment, SyntaxFault } from './ast.js';

/** Every token: what recovery skips. */
export const Any = createToken({ name: 'Any', pattern: Lexer.NA });
/** What begins a statement of a body. Recovery stops here. */
export const StatementStart = createToken({ name: 'StatementStart', pattern: Lexer.NA, label: 'a statement', categories: [Any] });
/** What begins a declaration of a file. */
export const DeclarationStart = createToken({ name: 'DeclarationStart', pattern: Lexer.NA, label: 'a declaration', categories: [Any] });

const punctuation = (name: string, pattern: string): TokenType =>
  createToken({ name, pattern, label: `'${pattern}'`, categories: [Any] });
/** A name that `context.ts` found to be a keyword. */
const keyword = (text: string, category: TokenType = Any): TokenType =>
  createToken({ name: `keyword ${text}`, pattern: Lexer.NA, label: `'${text}'`, categories: category === Any ? [Any] : [category, Any] });

export const Identifier = createToken({ name: 'Identifier', pattern: /[A-Za-z_]\w*(?:\.\w+)*/, label: 'a name', categories: [Any] });
/** A name with which an equation begins. */
export const Target = createToken({ name: 'Target', pattern: Lexer.NA, label: 'an equation', categories: [StatementStart, Any] });
/** The operator of a reduction: a name before `(i: ...)`. */
export const Reducer = createToken({ name: 'Reducer', pattern: Lexer.NA, label: 'a reduction', categories: [Any] });
export const Num = createToken({ name: 'Num', pattern: /\.?\d(?:[eE][+-](?=\d)|[\w.])*/, label: 'a number', categories: [Any] });
export const Str = createToken({ name: 'Str', pattern: /"[^"\r\n]*"?/, label: 'a string', categories: [Any] });

export const LParen = punctuation('LParen', '(');
export const RParen = punctuation('RParen', ')');
export const LBracket = punctuation('LBracket', '[');
export const RBracket = punctuation('RBracket', ']');
export const LBrace = punctuation('LBrace', '{');
export const RBrace = punctuation('RBrace', '}');
export const Comma = punctuation('Comma', ',');
export const Colon = punctuation('Colon', ':');
export const Question = punctuation('Question', '?');
export const Arrow = punctuation('Arrow', '=>');
export const Equals = punctuation('Equals', '=');
export const Bar = punctuation('Bar', '|');
export const Not = punctuation('Not', '!');
export const Minus = punctuation('Minus', '-');
/** Binary operators other than minus. The longer ones come first, for the lexer takes the first that fits. */
const binaryOperators = ['==', '!=', '<=', '>=', '&&', '||', '<', '>', '+', '*', '/', '^'].map((o) => punctuation(`Operator ${o}`, o));

export const Axis = keyword('axis', StatementStart);
export const Modalities = keyword('modalities', StatementStart);
export const Input = keyword('input', StatementStart);
export const Param = keyword('param', StatementStart);
export const Fact = keyword('fact', StatementStart);
export const State = keyword('state', StatementStart);
export const Initial = keyword('initial', StatementStart);
export const Output = keyword('output', StatementStart);
export const Repeat = keyword('repeat', StatementStart);
export const Match = keyword('match', StatementStart);
export const Rename = keyword('rename', StatementStart);
export const Block = keyword('block', DeclarationStart);
export const Model = keyword('model', DeclarationStart);
export const Import = keyword('import', DeclarationStart);
export const From = keyword('from');
export const As = keyword('as');
export const In = keyword('in');
export const To = keyword('to');

/** The keywords that begin a statement or a declaration. */
export const openingKeywords: ReadonlyMap<string, TokenType> = new Map(
  [Axis, Modalities, Input, Param, Fact, State, Initial, Output, Repeat, Match, Rename, Block, Model, Import]
    .map((t) => [t.name.slice('keyword '.length), t]),
);
export const operators: readonly TokenType[] = [...binaryOperators, Minus];

const space = createToken({ name: 'Space', pattern: /\s+/, group: Lexer.SKIPPED, line_breaks: true });
const comment = createToken({ name: 'Comment', pattern: /\/\/[^\r\n]*/, group: 'comments' });
/** A comment as other languages write it: one fault, and not one for each of its words. */
const foreignComment = createToken({ name: 'ForeignComment', pattern: /#[^\r\n]*/, group: 'foreign comments' });
export const vocabulary: TokenType[] = [
  space, comment, foreignComment, Any, StatementStart, DeclarationStart, Target, Reducer, ...openingKeywords.values(), From, As, In, To,
  Arrow, ...binaryOperators.slice(0, 6), Identifier, Num, Str, LParen, RParen, LBracket, RBracket, LBrace, RBrace, Comma, Colon, Question,
  Equals, Bar, Not, Minus, ...binaryOperators.slice(6),
];
const lexer = new Lexer(vocabulary, { positionTracking: 'full', ensureOptimizations: false });

export interface Lexed {
  readonly tokens: IToken[];
  readonly comments: readonly Comment[];
  readonly faults: SyntaxFault[];
}

const properNumber = /^\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** The text's tokens. A malformed number or string stays in the stream, so that its fault is the only one. */
export function lex(text: string, path: string): Lexed {
  const result = lexer.tokenize(text);
  const faults: SyntaxFault[] = [];
  const fault = (code: string, start: number, length: number, args: SyntaxFault['args']): void => {
    faults.push({ code, span: { file: path, start, end: start + length }, args });
  };
  for (const error of result.errors) {
    fault('SSM1002', error.offset, error.length, { text: quote(text.slice(error.offset, error.offset + error.length)) });
  }
  for (const c of result.groups['foreign comments'] ?? []) fault('SSM1002', c.startOffset, 1, { text: quote('#') });
  for (const token of result.tokens) {
    if (token.tokenType === Num && !(properNumber.test(token.image) && Number.isFinite(Number(token.image)))) {
      fault('SSM1007', token.startOffset, token.image.length, { text: quote(token.image) });
    }
    if (token.tokenType === Str && (token.image.length < 2 || !token.image.endsWith('"'))) {
      fault('SSM1012', token.startOffset, token.image.length, {});
    }
  }
  const comments = (result.groups['comments'] ?? []).map((c) => ({
    text: c.image.trimEnd(), span: { file: path, start: c.startOffset, end: c.startOffset + c.image.trimEnd().length },
  }));
  return { tokens: result.tokens, comments, faults };
}

/** A piece of the source for a message: in quotes, cut where it is long. */
export function quote(text: string): string {
  return `'${text.length > 40 ? `${text.slice(0, 37)}...` : text}'`;
}
