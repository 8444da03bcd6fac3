/**
 * What the rules of `parser.ts` stand on: faults are reported and a statement that can't be read is skipped, a missing bracket is taken as read,
 * and nodes get their spans. No rules of the grammar.
 *
 * Chevrotain's own recovery is off: it guesses where to go on from the sets of tokens that may follow, and here nearly every
 * rule may be followed by a name.
 */
import { EmbeddedActionsParser, EOF, isRecognitionException, tokenMatcher, type IParserErrorMessageProvider, type IToken, type TokenType } from 'chevrotain';
import type { Comment, Expr, Name, Span, Statement, SyntaxFault } from './ast.js';
import { docComments } from './comments.js';
import {
  Axis, DeclarationStart, Equals, Identifier, Input, LBrace, Modalities, Output, Param, quote, RBrace, RBracket, RParen, State, StatementStart,
  Target, vocabulary,
} from './tokens.js';

export const describe = (token: IToken): string => (tokenMatcher(token, EOF) ? 'the end of the file' : quote(token.image));
const label = (type: TokenType): string => (tokenMatcher({ tokenTypeIdx: type.tokenTypeIdx } as IToken, EOF) ? 'the end of the file' : type.LABEL ?? type.name);

/** What the rules with several beginnings begin with, for messages. */
const beginnings: Readonly<Record<string, string>> = { asName: 'a name or a number', choices: 'a name' };
/** Chevrotain keeps a text only; this one is read back in `#record`. */
const messages: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected }) =>
    `SSM1001 ${label(expected)}`,
  buildNotAllInputParsedMessage: () => 'SSM1001 the end of the file',
  buildNoViableAltMessage: ({ ruleName }) => (ruleName in beginnings ? `SSM1001 ${beginnings[ruleName]}` : 'SSM1003'),
  buildEarlyExitMessage: () => 'SSM1003',
};

interface Opened {
  readonly token: IToken;
  readonly close: TokenType;
}

/** Stands for any expression while Chevrotain records the rules. */
export const zero: Expr = { kind: 'number', value: 0, text: '0', span: { file: '', start: 0, end: 0 } };

export class RecoveringParser extends EmbeddedActionsParser {
  #path = '';
  #length = 0;
  #faults: SyntaxFault[] = [];
  #docs: ReadonlyMap<number, string> = new Map();
  /** Brackets that are open, outermost first. */
  #open: Opened[] = [];

  constructor() {
    super(vocabulary, { recoveryEnabled: false, maxLookahead: 2, errorMessageProvider: messages });
  }

  begin(tokens: IToken[], text: string, path: string, comments: readonly Comment[], faults: SyntaxFault[]): void {
    this.#path = path;
    this.#length = text.length;
    this.#faults = faults;
    this.#docs = docComments(text, comments, tokens);
    this.#open = [];
    this.input = tokens;
  }
  protected get faults(): SyntaxFault[] {
    return this.#faults;
  }

  // Recovery.

  /** Runs `rule`; if it fails, reports that and skips to where `until` holds, telling how many braces stay open behind it. */
  protected guarded<T>(rule: () => T, until: () => boolean, unclosed: (braces: number) => void = () => undefined): T | undefined {
    if (this.RECORDING_PHASE) return rule();
    const outside = this.#open.length;
    try {
      return rule();
    } catch (error) {
      if (!(error instanceof Error) || !isRecognitionException(error)) throw error;
      this.#record(error as Error & { token: IToken });
      let braces = this.#open.splice(outside).filter((o) => o.close === RBrace).length;
      for (; !this.#ended() && !until(); this.SKIP_TOKEN()) {
        if (tokenMatcher(this.LA(1), LBrace)) braces++;
        if (tokenMatcher(this.LA(1), RBrace) && --braces < 0) break;
      }
      unclosed(Math.max(0, braces));
      return undefined;
    }
  }

  /** What the statement that begins here defines, should it turn out to be unreadable. */
  protected definedHere(): Statement | undefined {
    const [first, second] = [this.LA(1), this.LA(2)];
    const target = tokenMatcher(first, Target);
    if (!target && (![Axis, Modalities, Input, Param, State, Output].some((k) => tokenMatcher(first, k)) || !tokenMatcher(second, Identifier))) return undefined;
    const name = this.nameOf(target ? first : second);
    return { kind: 'lost', name, output: tokenMatcher(first, Output), span: name.span };
  }

  readonly #ended = (): boolean => tokenMatcher(this.LA(1), EOF);
  protected readonly declarationBegins = (): boolean => this.#ended() || tokenMatcher(this.LA(1), DeclarationStart);
  protected readonly statementBegins = (): boolean => this.declarationBegins() || tokenMatcher(this.LA(1), StatementStart);

  protected opening(token: IToken, close: TokenType): void {
    if (!this.RECORDING_PHASE) this.#open.push({ token, close });
  }

  /** Whether this closes what is open last, or stands where that should have been closed. */
  #closes(type: TokenType): boolean {
    const next = this.LA(1);
    return tokenMatcher(next, type) || this.statementBegins()
      || [RParen, RBracket, RBrace, LBrace, Equals].some((other) => tokenMatcher(next, other));
  }

  protected closing(occurrence: number, type: TokenType): void {
    if (this.RECORDING_PHASE || tokenMatcher(this.LA(1), type) || !this.#closes(type)) {
      this.consume(occurrence, type);
      this.#open.pop();
      return;
    }
    const opened = (this.#open.pop() as Opened).token;
    this.fault('SSM1004', this.LA(1), { want: label(type), open: quote(opened.image), line: opened.startLine ?? 1, after: this.spanOf(this.LA(0)).end });
    const other = [RParen, RBracket].find((t) => tokenMatcher(this.LA(1), t));
    // A bracket of the wrong kind was meant as this one, unless an outer bracket waits for it.
    if (other !== undefined && !this.#open.some((o) => o.close === other)) this.SKIP_TOKEN();
  }

  protected atLeastOneArm(arms: readonly unknown[], brace: IToken): void {
    if (arms.length === 0 && !this.RECORDING_PHASE) this.fault('SSM1008', brace, {});
  }

  #record(error: Error & { token: IToken }): void {
    const [code, ...want] = error.message.split(' ');
    this.fault(code as string, error.token, { ...(code === 'SSM1001' && { want: want.join(' ') }), got: describe(error.token) });
  }

  protected fault(code: string, token: IToken, args: SyntaxFault['args']): void {
    this.faultAt(code, this.spanOf(token), args);
  }
  protected faultAt(code: string, span: Span, args: SyntaxFault['args']): void {
    // What the lexer or the nesting limit objected to is not reported twice.
    if (!this.#faults.some((f) => f.span.start === span.start)) this.#faults.push({ code, span, args });
  }

  // Spans and names.

  protected spanOf(token: IToken): Span {
    if (this.RECORDING_PHASE) return zero.span;
    if (tokenMatcher(token, EOF)) return { file: this.#path, start: this.#length, end: this.#length };
    return { file: this.#path, start: token.startOffset, end: token.startOffset + token.image.length };
  }
  /** From `start` to the token before. */
  protected spanSince(start: IToken): Span {
    if (this.RECORDING_PHASE) return zero.span;
    const last = this.LA(0);
    const from = this.spanOf(start).start;
    return { file: this.#path, start: from, end: Math.max(from, tokenMatcher(last, EOF) ? from : last.startOffset + last.image.length) };
  }
  protected spanFrom(name: Name): Span {
    if (this.RECORDING_PHASE) return zero.span;
    const last = this.LA(0);
    return { ...name.span, end: Math.max(name.span.end, tokenMatcher(last, EOF) ? 0 : last.startOffset + last.image.length) };
  }
  protected nameOf(token: IToken): Name {
    return { text: token.image, span: this.spanOf(token) };
  }
  protected docOf(token: IToken): { doc?: string } {
    const doc = this.#docs.get(token.startOffset);
    return doc === undefined ? {} : { doc };
  }
}
