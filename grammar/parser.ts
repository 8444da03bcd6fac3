/**
 * The grammar, and `parse`. One run reports every fault of a file: a statement that can't be read is dropped, and parsing goes on at
 * the next one, which `context.ts` has marked. A closing bracket that is missing at a statement's end is taken as read.
 */
import { tokenMatcher, type IToken } from 'chevrotain';
import type {
  Argument, BinaryOp, Declaration, Expr, Import, IndexPattern, MatchExpr, MatchStatement, ModalitiesStatement, Name, Parameter,
  ReductionExpr, SourceFile, Span, Statement, SyntaxFault,
} from './ast.js';
import { limitNesting, resolveContext } from './context.js';
import { tree, type Operand, type Operator, type Prefix } from './precedence.js';
import {
  Any, Arrow, As, Axis, Bar, Block, Colon, Comma, Equals, Fact, From, Identifier, Import as ImportWord, In, Initial, Input,
  LBrace, LBracket, LParen, lex, Match, Minus, Modalities, Model, Not, Num, operators, Output, Param, Question, RBrace, RBracket,
  Reducer, Rename, Repeat, RParen, State, Str, Target, To,
} from './tokens.js';
import { describe, RecoveringParser, zero } from './recovery.js';

/** Parses one file. `path` goes into spans as it is. Never throws for what the text holds. */
export function parse(text: string, path: string): { file: SourceFile; faults: SyntaxFault[] } {
  const { tokens, comments, faults } = lex(text, path);
  resolveContext(tokens);
  parser.begin(limitNesting(tokens, path, faults), text, path, comments, faults);
  const { imports, declarations } = parser.file();
  const file: SourceFile = { kind: 'file', path, text, imports, declarations, comments, span: { file: path, start: 0, end: text.length } };
  return { file, faults: faults.toSorted((a, b) => a.span.start - b.span.start || (a.code < b.code ? -1 : 1)) };
}

interface FileParts {
  readonly imports: Import[];
  readonly declarations: Declaration[];
}

class SpecParser extends RecoveringParser {
  constructor() {
    super();
    this.performSelfAnalysis();
  }

  // Files and declarations.

  readonly file = this.RULE('file', (): FileParts => {
    const parts: FileParts = { imports: [], declarations: [] };
    this.MANY({ MAX_LOOKAHEAD: 1, DEF: () => {
      this.OR({
        DEF: [
          { ALT: () => {
            const got = this.guarded(() => this.SUBRULE(this.importLine), this.declarationBegins);
            if (got !== undefined) parts.imports.push(got);
          } },
          { ALT: () => {
            const got = this.guarded(() => this.SUBRULE(this.declaration), this.declarationBegins);
            if (got !== undefined) parts.declarations.push(got);
          } },
          { GATE: () => !this.declarationBegins(), ALT: () => this.SUBRULE(this.outside) },
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
      this.fault('SSM1005', token, { got: describe(token) });
      return;
    }
    this.fault('SSM1006', token, { want: '\'import\', \'block\' or \'model\'', got: describe(token) });
    while (!this.declarationBegins()) this.SKIP_TOKEN();
  });

  private readonly importLine = this.RULE('importLine', (): Import => {
    const start = this.CONSUME(ImportWord);
    const names: Name[] = [];
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => { names.push(this.SUBRULE(this.name)); } });
    this.CONSUME(From);
    const from = this.CONSUME(Str);
    return { kind: 'import', names, from: unquote(from), fromSpan: this.spanOf(from), span: this.spanSince(start) };
  });

  private readonly declaration = this.RULE('declaration', (): Declaration => {
    let kind: Declaration['kind'] = 'block';
    let start!: IToken;
    this.OR([
      { ALT: () => { start = this.CONSUME(Block); } },
      { ALT: () => { start = this.CONSUME(Model); kind = 'model'; } },
    ]);
    const doc = this.docOf(start);
    const named = this.LA(1);
    const header = this.guarded(() => this.SUBRULE(this.header), () => tokenMatcher(this.LA(1), LBrace) || this.statementBegins());
    const body = this.SUBRULE(this.body);
    const name = header?.name ?? (tokenMatcher(named, Identifier) ? this.nameOf(named) : { text: '_', span: this.spanOf(start) });
    return { kind, name, parameters: header?.parameters ?? [], body, ...(header === undefined && { broken: true as const }), ...doc, span: this.spanSince(start) };
  });

  private readonly header = this.RULE('header', (): { name: Name; parameters: Parameter[] } => {
    const name = this.SUBRULE(this.name);
    const parameters: Parameter[] = [];
    this.OPTION(() => {
      this.opening(this.CONSUME(LParen), RParen);
      this.MANY_SEP({ SEP: Comma, DEF: () => { parameters.push(this.SUBRULE(this.parameter)); } });
      this.closing(1, RParen);
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
    return { ...rest, name, span: this.spanFrom(name) };
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
    this.faultAt('SSM1013', first.span, {});
    return { choices: others };
  });

  // Statements.

  private readonly body = this.RULE('body', (): Statement[] => {
    const statements: Statement[] = [];
    this.opening(this.CONSUME(LBrace), RBrace);
    // Closing braces of statements that were given up. While there are any, stray tokens belong to those statements.
    let given = 0;
    let torn = false;
    this.MANY({
      MAX_LOOKAHEAD: 1,
      GATE: () => !this.declarationBegins() && (given > 0 || !tokenMatcher(this.LA(1), RBrace)),
      DEF: () => {
        this.OR({
          DEF: [
            { ALT: () => {
              const lost = this.definedHere();
              const got = this.guarded(() => this.SUBRULE(this.statement), this.statementBegins, (braces) => { given += braces; torn ||= braces > 0; });
              if (got !== undefined) statements.push(got);
              else if (lost !== undefined) statements.push(lost);
            } },
            { GATE: () => !this.statementBegins(), ALT: () => {
              const stray = this.SUBRULE(this.stray, { ARGS: [torn] });
              if (stray === 'closed') given--;
              if (stray === 'opened') given++;
            } },
          ],
          MAX_LOOKAHEAD: 1, IGNORE_AMBIGUITIES: true,
        });
      },
    });
    this.closing(1, RBrace);
    return statements;
  });

  /** What can't begin a statement: skipped up to the next one, and reported unless `silent`. */
  private readonly stray = this.RULE('stray', (silent: boolean): 'closed' | 'opened' | 'skipped' => {
    const token = this.CONSUME(Any);
    if (this.RECORDING_PHASE) return 'skipped';
    if (tokenMatcher(token, RBrace)) return 'closed';
    const closes = tokenMatcher(token, RParen) || tokenMatcher(token, RBracket);
    if (!silent && closes) this.fault('SSM1005', token, { got: describe(token) });
    else if (!silent) this.fault('SSM1006', token, { want: 'a statement', got: describe(token) });
    if (closes) return 'skipped';
    // What it holds is read as if it stood outside.
    if (tokenMatcher(token, LBrace)) return 'opened';
    let depth = 0;
    while (!this.declarationBegins()) {
      if (depth === 0 && (this.statementBegins() || tokenMatcher(this.LA(1), RBrace))) break;
      depth += tokenMatcher(this.LA(1), LBrace) ? 1 : tokenMatcher(this.LA(1), RBrace) ? -1 : 0;
      this.SKIP_TOKEN();
    }
    return 'skipped';
  });

  private readonly statement = this.RULE('statement', (): Statement => {
    const first = this.LA(1);
    const doc = this.docOf(first);
    const span = (): Span => this.spanSince(first);
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
        const indices = this.OPTION6(() => this.SUBRULE(this.patterns)) ?? [];
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
        const name = this.nameOf(this.CONSUME(Target));
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
        this.opening(this.CONSUME(LBracket), RBracket);
        const value = this.SUBRULE(this.expression);
        this.closing(1, RBracket);
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
    this.opening(brace, RBrace);
    const arms: MatchStatement['arms'][number][] = [];
    this.MANY(() => {
      const patterns = this.SUBRULE(this.alternatives);
      this.CONSUME(Arrow);
      const body = this.SUBRULE(this.body);
      this.OPTION(() => this.CONSUME(Comma));
      arms.push({ patterns, body, span: { ...this.spanSince(start), start: patterns[0]?.span.start ?? 0 } });
    });
    this.closing(1, RBrace);
    this.atLeastOneArm(arms, brace);
    return { kind: 'match-statement', subject, arms, span: this.spanSince(start) };
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
    this.opening(this.CONSUME(LBracket), RBracket);
    this.MANY_SEP({ SEP: Comma, DEF: () => { indices.push(this.SUBRULE(this.pattern)); } });
    this.closing(1, RBracket);
    return indices;
  });

  private readonly pattern = this.RULE('pattern', (): IndexPattern => {
    const start = this.LA(1);
    const given = this.SUBRULE(this.expression);
    const optional = this.OPTION(() => this.CONSUME(Question)) !== undefined;
    if (given.kind === 'name' && given.indices === undefined) return { name: given.name.text, optional, span: this.spanSince(start) };
    return { name: '', optional, size: given, span: this.spanSince(start) };
  });

  // Expressions.

  private readonly expression = this.RULE('expression', (): Expr => {
    const operands: Operand[] = [];
    const joints: Operator[] = [];
    operands.push(this.SUBRULE(this.operand));
    this.MANY(() => {
      const op = this.OR(operators.map((type, i) => ({ ALT: () => this.consume(i, type) })));
      joints.push({ op: op.image as BinaryOp, span: this.spanOf(op) });
      operands.push(this.SUBRULE1(this.operand));
    });
    return this.RECORDING_PHASE ? zero : tree(operands, joints, this.faults);
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
        return { kind: 'number', value: Number(number.image), text: number.image, span: this.spanOf(number) };
      } },
      { ALT: () => {
        const open = this.CONSUME(LParen);
        this.opening(open, RParen);
        const inner = this.SUBRULE(this.expression);
        this.closing(1, RParen);
        return { ...inner, span: this.spanSince(open) };
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
        this.opening(this.CONSUME(LBracket), RBracket);
        this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => { indices.push(this.SUBRULE(this.expression)); } });
        this.closing(1, RBracket);
        return { kind: 'name', name, indices, span: this.spanFrom(name) };
      } },
      { ALT: () => {
        const args: Argument[] = [];
        this.opening(this.CONSUME(LParen), RParen);
        this.MANY_SEP({ SEP: Comma, DEF: () => { args.push(this.SUBRULE(this.argument)); } });
        this.closing(2, RParen);
        const as = this.OPTION(() => {
          this.CONSUME(As);
          return this.SUBRULE(this.asName);
        });
        return { kind: 'call', callee: name, args, ...(as !== undefined && { as }), span: this.spanFrom(name) };
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
    return { ...(name !== undefined && { name }), value, span: this.spanSince(start) };
  });

  private readonly reduction = this.RULE('reduction', (): ReductionExpr => {
    const op = this.CONSUME(Reducer);
    const binders: ReductionExpr['binders'][number][] = [];
    this.opening(this.CONSUME(LParen), RParen);
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
    this.closing(1, RParen);
    return { kind: 'reduction', op: this.nameOf(op), binders, body, span: this.spanSince(op) };
  });

  private readonly matchExpression = this.RULE('matchExpression', (): MatchExpr => {
    const start = this.CONSUME(Match);
    const subject = this.SUBRULE(this.expression);
    const brace = this.CONSUME(LBrace);
    this.opening(brace, RBrace);
    const arms: MatchExpr['arms'][number][] = [];
    this.MANY(() => {
      const patterns = this.SUBRULE(this.alternatives);
      this.CONSUME(Arrow);
      const value = this.SUBRULE1(this.expression);
      arms.push({ patterns, value, span: { ...this.spanSince(start), start: patterns[0]?.span.start ?? 0 } });
      this.OPTION(() => this.CONSUME(Comma));
    });
    this.closing(1, RBrace);
    this.atLeastOneArm(arms, brace);
    return { kind: 'match', subject, arms, span: this.spanSince(start) };
  });

  private readonly name = this.RULE('name', (): Name => this.nameOf(this.CONSUME(Identifier)));

  /** After `as`: a name, or a whole number as PyTorch's sequences have it. */
  private readonly asName = this.RULE('asName', (): Name => {
    const token = this.OR([{ ALT: () => this.CONSUME(Identifier) }, { ALT: () => this.CONSUME(Num) }]);
    if (!this.RECORDING_PHASE && tokenMatcher(token, Num) && !/^\d+$/.test(token.image)) {
      this.fault('SSM1001', token, { want: 'a name or a whole number', got: describe(token) });
    }
    return this.nameOf(token);
  });
}

const unquote = (token: IToken): string => token.image.replaceAll('"', '');

const parser = new SpecParser();
