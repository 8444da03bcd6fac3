/**
 * The grammar, and `parse`. One run reports every fault of a file: a statement that can't be read is dropped, and parsing goes on at
 * the next one, which `context.ts` has marked. A closing bracket that is missing at a statement's end is taken as read.
 *
 * Chevrotain's own recovery is off: it guesses where to go on from the sets of tokens that may follow, and here nearly every
 * rule may be followed by a name.
 */
import { EmbeddedActionsParser, EOF, isRecognitionException, tokenMatcher, type IParserErrorMessageProvider, type IToken, type TokenType } from 'chevrotain';
import type {
  Argument, BinaryOp, Comment, Declaration, Expr, Import, IndexPattern, MatchExpr, MatchStatement, ModalitiesStatement, Name, Parameter,
  ReductionExpr, SourceFile, Span, Statement, SyntaxFault,
} from './ast.js';
import { limitNesting, resolveContext } from './context.js';
import { docComments } from './comments.js';
import { tree, type Operand, type Operator, type Prefix } from './precedence.js';
import {
  Any, Arrow, As, Axis, Bar, Block, Colon, Comma, DeclarationStart, Equals, Fact, From, Identifier, Import as ImportWord, In, Initial, Input,
  LBrace, LBracket, LParen, lex, Match, Minus, Modalities, Model, Not, Num, operators, Output, Param, Question, quote, RBrace, RBracket,
  Reducer, Rename, Repeat, RParen, State, StatementStart, Str, Target, To, vocabulary,
} from './tokens.js';

/** Parses one file. `path` goes into spans as it is. Never throws for what the text holds. */
export function parse(text: string, path: string): { file: SourceFile; faults: SyntaxFault[] } {
  const { tokens, comments, faults } = lex(text, path);
  resolveContext(tokens);
  parser.begin(limitNesting(tokens, path, faults), text, path, comments, faults);
  const { imports, declarations } = parser.file();
  const file: SourceFile = { kind: 'file', path, text, imports, declarations, comments, span: { file: path, start: 0, end: text.length } };
  return { file, faults: faults.toSorted((a, b) => a.span.start - b.span.start || (a.code < b.code ? -1 : 1)) };
}

const describe = (token: IToken): string => (tokenMatcher(token, EOF) ? 'the end of the file' : quote(token.image));
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

interface FileParts {
  readonly imports: Import[];
  readonly declarations: Declaration[];
}
interface Opened {
  readonly token: IToken;
  readonly close: TokenType;
}

class SpecParser extends EmbeddedActionsParser {
  #path = '';
  #length = 0;
  #faults: SyntaxFault[] = [];
  #docs: ReadonlyMap<number, string> = new Map();
  /** Brackets that are open, outermost first. */
  #open: Opened[] = [];

  constructor() {
    super(vocabulary, { recoveryEnabled: false, maxLookahead: 2, errorMessageProvider: messages });
    this.performSelfAnalysis();
  }

  begin(tokens: IToken[], text: string, path: string, comments: readonly Comment[], faults: SyntaxFault[]): void {
    this.#path = path;
    this.#length = text.length;
    this.#faults = faults;
    this.#docs = docComments(text, comments, tokens);
    this.#open = [];
    this.input = tokens;
  }

  // Files and declarations.

  readonly file = this.RULE('file', (): FileParts => {
    const parts: FileParts = { imports: [], declarations: [] };
    this.MANY({ MAX_LOOKAHEAD: 1, DEF: () => {
      this.OR({
        DEF: [
          { ALT: () => {
            const got = this.#guarded(() => this.SUBRULE(this.importLine), this.#declarationBegins);
            if (got !== undefined) parts.imports.push(got);
          } },
          { ALT: () => {
            const got = this.#guarded(() => this.SUBRULE(this.declaration), this.#declarationBegins);
            if (got !== undefined) parts.declarations.push(got);
          } },
          { GATE: () => !this.#declarationBegins(), ALT: () => this.SUBRULE(this.outside) },
        ],
        MAX_LOOKAHEAD: 1, IGNORE_AMBIGUITIES: true,
      });
    } });
    return parts;
  });

  /** What can't stand outside declarations. */
  private readonly outside = this.RULE('outside', (): void => {
    const token = this.CONSUME(Any);
    if (this.RECORDING_PHASE) return;
    if (tokenMatcher(token, RBrace) || tokenMatcher(token, RParen) || tokenMatcher(token, RBracket)) {
      this.#fault('SSM1005', token, { got: describe(token) });
      return;
    }
    this.#fault('SSM1006', token, { want: '\'import\', \'block\' or \'model\'', got: describe(token) });
    while (!this.#declarationBegins()) this.SKIP_TOKEN();
  });

  private readonly importLine = this.RULE('importLine', (): Import => {
    const start = this.CONSUME(ImportWord);
    const names: Name[] = [];
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => { names.push(this.SUBRULE(this.name)); } });
    this.CONSUME(From);
    const from = this.CONSUME(Str);
    return { kind: 'import', names, from: unquote(from), fromSpan: this.#of(from), span: this.#since(start) };
  });

  private readonly declaration = this.RULE('declaration', (): Declaration => {
    let kind: Declaration['kind'] = 'block';
    let start!: IToken;
    this.OR([
      { ALT: () => { start = this.CONSUME(Block); } },
      { ALT: () => { start = this.CONSUME(Model); kind = 'model'; } },
    ]);
    const doc = this.#doc(start);
    const named = this.LA(1);
    const header = this.#guarded(() => this.SUBRULE(this.header), () => tokenMatcher(this.LA(1), LBrace) || this.#statementBegins());
    const body = this.SUBRULE(this.body);
    const name = header?.name ?? (tokenMatcher(named, Identifier) ? this.#nameOf(named) : { text: '_', span: this.#of(start) });
    return { kind, name, parameters: header?.parameters ?? [], body, ...(header === undefined && { broken: true as const }), ...doc, span: this.#since(start) };
  });

  private readonly header = this.RULE('header', (): { name: Name; parameters: Parameter[] } => {
    const name = this.SUBRULE(this.name);
    const parameters: Parameter[] = [];
    this.OPTION(() => {
      this.#opening(this.CONSUME(LParen), RParen);
      this.MANY_SEP({ SEP: Comma, DEF: () => { parameters.push(this.SUBRULE(this.parameter)); } });
      this.#closing(1, RParen);
    });
    return { name, parameters };
  });

  private readonly parameter = this.RULE('parameter', (): Parameter => {
    const name = this.SUBRULE(this.name);
    const rest = this.OR<{ kind: 'argument'; indices: IndexPattern[] } | { kind: 'option'; value?: Expr; choices?: Name[] }>([
      { ALT: () => ({ kind: 'argument', indices: this.SUBRULE(this.patterns) }) },
      { ALT: () => {
        this.CONSUME(Equals);
        return { kind: 'option', ...this.SUBRULE(this.choices) };
      } },
      { ALT: () => ({ kind: 'option' }) },
    ]);
    return { ...rest, name, span: this.#from(name) };
  });

  /** An option's default, or the names to choose from. */
  private readonly choices = this.RULE('choices', (): { value: Expr } | { choices: Name[] } => {
    const first = this.SUBRULE(this.expression);
    const others: Name[] = [];
    this.MANY(() => {
      this.CONSUME(Bar);
      others.push(this.SUBRULE(this.name));
    });
    if (others.length === 0) return { value: first };
    if (first.kind === 'name' && first.indices === undefined) return { choices: [first.name, ...others] };
    this.#faultAt('SSM1013', first.span, {});
    return { choices: others };
  });

  // Statements.

  private readonly body = this.RULE('body', (): Statement[] => {
    const statements: Statement[] = [];
    this.#opening(this.CONSUME(LBrace), RBrace);
    // Closing braces of statements that were given up. While there are any, stray tokens belong to those statements.
    let given = 0;
    let torn = false;
    this.MANY({
      MAX_LOOKAHEAD: 1,
      GATE: () => !this.#declarationBegins() && (given > 0 || !tokenMatcher(this.LA(1), RBrace)),
      DEF: () => {
        this.OR({
          DEF: [
            { ALT: () => {
              const lost = this.#defined();
              const got = this.#guarded(() => this.SUBRULE(this.statement), this.#statementBegins, (braces) => { given += braces; torn ||= braces > 0; });
              if (got !== undefined) statements.push(got);
              else if (lost !== undefined) statements.push(lost);
            } },
            { GATE: () => !this.#statementBegins(), ALT: () => {
              const stray = this.SUBRULE(this.stray, { ARGS: [torn] });
              if (stray === 'closed') given--;
              if (stray === 'opened') given++;
            } },
          ],
          MAX_LOOKAHEAD: 1, IGNORE_AMBIGUITIES: true,
        });
      },
    });
    this.#closing(1, RBrace);
    return statements;
  });

  /** What can't begin a statement: skipped up to the next one, and reported unless `silent`. */
  private readonly stray = this.RULE('stray', (silent: boolean): 'closed' | 'opened' | 'skipped' => {
    const token = this.CONSUME(Any);
    if (this.RECORDING_PHASE) return 'skipped';
    if (tokenMatcher(token, RBrace)) return 'closed';
    const closes = tokenMatcher(token, RParen) || tokenMatcher(token, RBracket);
    if (!silent && closes) this.#fault('SSM1005', token, { got: describe(token) });
    else if (!silent) this.#fault('SSM1006', token, { want: 'a statement', got: describe(token) });
    if (closes) return 'skipped';
    // What it holds is read as if it stood outside.
    if (tokenMatcher(token, LBrace)) return 'opened';
    let depth = 0;
    while (!this.#declarationBegins()) {
      if (depth === 0 && (this.#statementBegins() || tokenMatcher(this.LA(1), RBrace))) break;
      depth += tokenMatcher(this.LA(1), LBrace) ? 1 : tokenMatcher(this.LA(1), RBrace) ? -1 : 0;
      this.SKIP_TOKEN();
    }
    return 'skipped';
  });

  private readonly statement = this.RULE('statement', (): Statement => {
    const first = this.LA(1);
    const doc = this.#doc(first);
    const span = (): Span => this.#since(first);
    return this.OR<Statement>([
      { ALT: () => {
        this.CONSUME(Axis);
        const name = this.SUBRULE(this.name);
        this.CONSUME(Equals);
        const size = this.SUBRULE(this.expression);
        return { kind: 'axis', name, size, ...doc, span: span() };
      } },
      { ALT: () => {
        this.CONSUME(Modalities);
        const name = this.SUBRULE1(this.name);
        this.CONSUME1(Equals);
        const members = this.SUBRULE(this.members);
        return { kind: 'modalities', name, members, ...doc, span: span() };
      } },
      { ALT: () => {
        this.CONSUME(Input);
        const name = this.SUBRULE2(this.name);
        const indices = this.SUBRULE(this.patterns);
        return { kind: 'input', name, indices, ...doc, span: span() };
      } },
      { ALT: () => {
        this.CONSUME(Param);
        const name = this.SUBRULE3(this.name);
        const indices = this.OPTION(() => this.SUBRULE1(this.patterns)) ?? [];
        const init = this.OPTION1(() => {
          this.CONSUME2(Equals);
          return this.SUBRULE1(this.expression);
        });
        return { kind: 'param', name, indices, ...(init !== undefined && { init }), ...doc, span: span() };
      } },
      { ALT: () => {
        this.CONSUME(Fact);
        const condition = this.SUBRULE2(this.expression);
        return { kind: 'fact', condition, span: span() };
      } },
      { ALT: () => {
        const role = this.OR1([
          { ALT: () => { this.CONSUME(State); return 'state' as const; } },
          { ALT: () => { this.CONSUME(Output); return 'output' as const; } },
        ]);
        const name = this.SUBRULE4(this.name);
        const indices = this.OPTION2(() => this.SUBRULE2(this.patterns));
        this.CONSUME3(Equals);
        const value = this.SUBRULE3(this.expression);
        return { kind: 'equation', role, name, ...(indices !== undefined && { indices }), value, ...doc, span: span() };
      } },
      { ALT: () => {
        const name = this.#nameOf(this.CONSUME(Target));
        const indices = this.OPTION3(() => this.SUBRULE3(this.patterns));
        this.CONSUME4(Equals);
        const value = this.SUBRULE4(this.expression);
        return { kind: 'equation', role: 'plain', name, ...(indices !== undefined && { indices }), value, ...doc, span: span() };
      } },
      { ALT: () => {
        this.CONSUME(Initial);
        const name = this.SUBRULE5(this.name);
        const indices = this.OPTION4(() => this.SUBRULE4(this.patterns)) ?? [];
        this.CONSUME5(Equals);
        const value = this.SUBRULE5(this.expression);
        return { kind: 'initial', name, indices, value, span: span() };
      } },
      { ALT: () => {
        this.CONSUME(Repeat);
        const count = this.SUBRULE6(this.expression);
        const name = this.OPTION5(() => {
          this.CONSUME(As);
          return this.SUBRULE(this.asName);
        });
        const body = this.SUBRULE(this.body);
        return { kind: 'repeat', count, ...(name !== undefined && { name }), body, span: span() };
      } },
      { ALT: () => this.SUBRULE(this.matchStatement) },
      { ALT: () => {
        this.CONSUME(Rename);
        const from = unquote(this.CONSUME(Str));
        this.CONSUME(To);
        const to = unquote(this.CONSUME1(Str));
        return { kind: 'rename', from, to, span: span() };
      } },
    ]);
  });

  private readonly members = this.RULE('members', (): ModalitiesStatement['members'] => {
    const members: { label: Name; size?: Expr }[] = [];
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => {
      const name = this.SUBRULE(this.name);
      const size = this.OPTION(() => {
        this.#opening(this.CONSUME(LBracket), RBracket);
        const value = this.SUBRULE(this.expression);
        this.#closing(1, RBracket);
        return value;
      });
      members.push({ label: name, ...(size !== undefined && { size }) });
    } });
    return members;
  });

  private readonly matchStatement = this.RULE('matchStatement', (): MatchStatement => {
    const start = this.CONSUME(Match);
    const subject = this.SUBRULE(this.expression);
    const brace = this.CONSUME(LBrace);
    this.#opening(brace, RBrace);
    const arms: MatchStatement['arms'][number][] = [];
    this.MANY(() => {
      const patterns = this.SUBRULE(this.alternatives);
      this.CONSUME(Arrow);
      const body = this.SUBRULE(this.body);
      this.OPTION(() => this.CONSUME(Comma));
      arms.push({ patterns, body, span: { ...this.#since(start), start: patterns[0]?.span.start ?? 0 } });
    });
    this.#closing(1, RBrace);
    this.#atLeastOneArm(arms, brace);
    return { kind: 'match-statement', subject, arms, span: this.#since(start) };
  });

  /** `a | b`, before an arrow. */
  private readonly alternatives = this.RULE('alternatives', (): Name[] => {
    const names: Name[] = [];
    this.AT_LEAST_ONE_SEP({ SEP: Bar, DEF: () => { names.push(this.SUBRULE(this.name)); } });
    return names;
  });

  /** `[t, m?, c]` */
  private readonly patterns = this.RULE('patterns', (): IndexPattern[] => {
    const indices: IndexPattern[] = [];
    this.#opening(this.CONSUME(LBracket), RBracket);
    this.MANY_SEP({ SEP: Comma, DEF: () => { indices.push(this.SUBRULE(this.pattern)); } });
    this.#closing(1, RBracket);
    return indices;
  });

  private readonly pattern = this.RULE('pattern', (): IndexPattern => {
    const start = this.LA(1);
    const given = this.SUBRULE(this.expression);
    const optional = this.OPTION(() => this.CONSUME(Question)) !== undefined;
    if (given.kind === 'name' && given.indices === undefined) return { name: given.name.text, optional, span: this.#since(start) };
    return { name: '', optional, size: given, span: this.#since(start) };
  });

  // Expressions.

  private readonly expression = this.RULE('expression', (): Expr => {
    const operands: Operand[] = [];
    const joints: Operator[] = [];
    operands.push(this.SUBRULE(this.operand));
    this.MANY(() => {
      const op = this.OR(operators.map((type, i) => ({ ALT: () => this.consume(i, type) })));
      joints.push({ op: op.image as BinaryOp, span: this.#of(op) });
      operands.push(this.SUBRULE1(this.operand));
    });
    return this.RECORDING_PHASE ? zero : tree(operands, joints, this.#faults);
  });

  private readonly operand = this.RULE('operand', (): Operand => {
    const prefixes: Prefix[] = [];
    this.MANY(() => {
      const op = this.OR([{ ALT: () => this.CONSUME(Minus) }, { ALT: () => this.CONSUME(Not) }]);
      prefixes.push({ op: op.image as Prefix['op'], start: op.startOffset });
    });
    const expr = this.OR1<Expr>([
      { ALT: () => {
        const number = this.CONSUME(Num);
        return { kind: 'number', value: Number(number.image), text: number.image, span: this.#of(number) };
      } },
      { ALT: () => {
        const open = this.CONSUME(LParen);
        this.#opening(open, RParen);
        const inner = this.SUBRULE(this.expression);
        this.#closing(1, RParen);
        return { ...inner, span: this.#since(open) };
      } },
      { ALT: () => this.SUBRULE(this.reduction) },
      { ALT: () => this.SUBRULE(this.matchExpression) },
      { ALT: () => this.SUBRULE(this.nameOrCall) },
    ]);
    return { prefixes, expr };
  });

  private readonly nameOrCall = this.RULE('nameOrCall', (): Expr => {
    const name = this.SUBRULE(this.name);
    return this.OR<Expr>([
      { ALT: () => {
        const indices: Expr[] = [];
        this.#opening(this.CONSUME(LBracket), RBracket);
        this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => { indices.push(this.SUBRULE(this.expression)); } });
        this.#closing(1, RBracket);
        return { kind: 'name', name, indices, span: this.#from(name) };
      } },
      { ALT: () => {
        const args: Argument[] = [];
        this.#opening(this.CONSUME(LParen), RParen);
        this.MANY_SEP({ SEP: Comma, DEF: () => { args.push(this.SUBRULE(this.argument)); } });
        this.#closing(2, RParen);
        const as = this.OPTION(() => {
          this.CONSUME(As);
          return this.SUBRULE(this.asName);
        });
        return { kind: 'call', callee: name, args, ...(as !== undefined && { as }), span: this.#from(name) };
      } },
      { ALT: () => ({ kind: 'name', name, span: name.span }) },
    ]);
  });

  private readonly argument = this.RULE('argument', (): Argument => {
    const start = this.LA(1);
    const name = this.OPTION(() => {
      const given = this.SUBRULE(this.name);
      this.CONSUME(Equals);
      return given;
    });
    const value = this.SUBRULE(this.expression);
    return { ...(name !== undefined && { name }), value, span: this.#since(start) };
  });

  private readonly reduction = this.RULE('reduction', (): ReductionExpr => {
    const op = this.CONSUME(Reducer);
    const binders: ReductionExpr['binders'][number][] = [];
    this.#opening(this.CONSUME(LParen), RParen);
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => {
      const name = this.SUBRULE(this.name);
      const over = this.OPTION(() => {
        this.CONSUME(In);
        return this.SUBRULE1(this.name);
      });
      binders.push({ name, ...(over !== undefined && { over }) });
    } });
    this.CONSUME(Colon);
    const body = this.SUBRULE(this.expression);
    this.#closing(1, RParen);
    return { kind: 'reduction', op: this.#nameOf(op), binders, body, span: this.#since(op) };
  });

  private readonly matchExpression = this.RULE('matchExpression', (): MatchExpr => {
    const start = this.CONSUME(Match);
    const subject = this.SUBRULE(this.expression);
    const brace = this.CONSUME(LBrace);
    this.#opening(brace, RBrace);
    const arms: MatchExpr['arms'][number][] = [];
    this.MANY(() => {
      const patterns = this.SUBRULE(this.alternatives);
      this.CONSUME(Arrow);
      const value = this.SUBRULE1(this.expression);
      arms.push({ patterns, value, span: { ...this.#since(start), start: patterns[0]?.span.start ?? 0 } });
      this.OPTION(() => this.CONSUME(Comma));
    });
    this.#closing(1, RBrace);
    this.#atLeastOneArm(arms, brace);
    return { kind: 'match', subject, arms, span: this.#since(start) };
  });

  private readonly name = this.RULE('name', (): Name => this.#nameOf(this.CONSUME(Identifier)));

  /** After `as`: a name, or a whole number as PyTorch's sequences have it. */
  private readonly asName = this.RULE('asName', (): Name => {
    const token = this.OR([{ ALT: () => this.CONSUME(Identifier) }, { ALT: () => this.CONSUME(Num) }]);
    if (!this.RECORDING_PHASE && tokenMatcher(token, Num) && !/^\d+$/.test(token.image)) {
      this.#fault('SSM1001', token, { want: 'a name or a whole number', got: describe(token) });
    }
    return this.#nameOf(token);
  });

  // Recovery.

  /** Runs `rule`; if it fails, reports that and skips to where `until` holds, telling how many braces stay open behind it. */
  #guarded<T>(rule: () => T, until: () => boolean, unclosed: (braces: number) => void = () => undefined): T | undefined {
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
  #defined(): Statement | undefined {
    const [first, second] = [this.LA(1), this.LA(2)];
    const target = tokenMatcher(first, Target);
    if (!target && (![Axis, Modalities, Input, Param, State, Output].some((k) => tokenMatcher(first, k)) || !tokenMatcher(second, Identifier))) return undefined;
    const name = this.#nameOf(target ? first : second);
    return { kind: 'lost', name, output: tokenMatcher(first, Output), span: name.span };
  }

  readonly #ended = (): boolean => tokenMatcher(this.LA(1), EOF);
  readonly #declarationBegins = (): boolean => this.#ended() || tokenMatcher(this.LA(1), DeclarationStart);
  readonly #statementBegins = (): boolean => this.#declarationBegins() || tokenMatcher(this.LA(1), StatementStart);

  #opening(token: IToken, close: TokenType): void {
    if (!this.RECORDING_PHASE) this.#open.push({ token, close });
  }

  /** Whether this closes what is open last, or stands where that should have been closed. */
  #closes(type: TokenType): boolean {
    const next = this.LA(1);
    return tokenMatcher(next, type) || this.#statementBegins()
      || [RParen, RBracket, RBrace, LBrace, Equals].some((other) => tokenMatcher(next, other));
  }

  #closing(occurrence: number, type: TokenType): void {
    if (this.RECORDING_PHASE || tokenMatcher(this.LA(1), type) || !this.#closes(type)) {
      this.consume(occurrence, type);
      this.#open.pop();
      return;
    }
    const opened = (this.#open.pop() as Opened).token;
    this.#fault('SSM1004', this.LA(1), { want: label(type), open: quote(opened.image), line: opened.startLine ?? 1, after: this.#of(this.LA(0)).end });
    const other = [RParen, RBracket].find((t) => tokenMatcher(this.LA(1), t));
    // A bracket of the wrong kind was meant as this one, unless an outer bracket waits for it.
    if (other !== undefined && !this.#open.some((o) => o.close === other)) this.SKIP_TOKEN();
  }

  #atLeastOneArm(arms: readonly unknown[], brace: IToken): void {
    if (arms.length === 0 && !this.RECORDING_PHASE) this.#fault('SSM1008', brace, {});
  }

  #record(error: Error & { token: IToken }): void {
    const [code, ...want] = error.message.split(' ');
    this.#fault(code as string, error.token, { ...(code === 'SSM1001' && { want: want.join(' ') }), got: describe(error.token) });
  }

  #fault(code: string, token: IToken, args: SyntaxFault['args']): void {
    this.#faultAt(code, this.#of(token), args);
  }
  #faultAt(code: string, span: Span, args: SyntaxFault['args']): void {
    // What the lexer or the nesting limit objected to is not reported twice.
    if (!this.#faults.some((f) => f.span.start === span.start)) this.#faults.push({ code, span, args });
  }

  // Spans.

  #of(token: IToken): Span {
    if (this.RECORDING_PHASE) return zero.span;
    if (tokenMatcher(token, EOF)) return { file: this.#path, start: this.#length, end: this.#length };
    return { file: this.#path, start: token.startOffset, end: token.startOffset + token.image.length };
  }
  /** From `start` to the token before. */
  #since(start: IToken): Span {
    if (this.RECORDING_PHASE) return zero.span;
    const last = this.LA(0);
    const from = this.#of(start).start;
    return { file: this.#path, start: from, end: Math.max(from, tokenMatcher(last, EOF) ? from : last.startOffset + last.image.length) };
  }
  #from(name: Name): Span {
    if (this.RECORDING_PHASE) return zero.span;
    const last = this.LA(0);
    return { ...name.span, end: Math.max(name.span.end, tokenMatcher(last, EOF) ? 0 : last.startOffset + last.image.length) };
  }
  #nameOf(token: IToken): Name {
    return { text: token.image, span: this.#of(token) };
  }
  #doc(token: IToken): { doc?: string } {
    const doc = this.#docs.get(token.startOffset);
    return doc === undefined ? {} : { doc };
  }
}

/** Stands for any expression while Chevrotain records the rules. */
const zero: Expr = { kind: 'number', value: 0, text: '0', span: { file: '', start: 0, end: 0 } };

const unquote = (token: IToken): string => token.image.replaceAll('"', '');

const parser = new SpecParser();
