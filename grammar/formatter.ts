/**
 * `ssmc format`: the canonical layout of a file. A statement per line, two spaces inside braces, lines of at most 120 where they can
 * break, the `=` of like neighbours under each other, at most one empty line in a row. Comments stay where they stand: before what they precede, or
 * at the end of the line that they follow. A statement with a comment in its middle keeps its line ends. Formatting twice changes
 * nothing, and the parsed file stays the same but for its spans: `format` holds itself to that, and throws rather than change a meaning.
 */
import type { IToken } from 'chevrotain';
import type { Comment, MatchStatement, SourceFile, Statement, SyntaxFault } from './ast.js';
import { declarationHead, expression, importLine, lineWidth, sides } from './format-nodes.js';
import { indent, list, render, type Layout } from './layout.js';
import { parse } from './parser.js';
import { LBrace, lex, RBrace } from './tokens.js';

/** The file's canonical text; of a file with faults, the faults, for then it isn't known what it means. */
export function format(text: string, path: string): { readonly text: string } | { readonly faults: readonly SyntaxFault[] } {
  const { file, faults } = parse(text, path);
  if (faults.length > 0) return { faults };
  const formatted = new Formatter(file, lex(text, path).tokens).file();
  const again = parse(formatted, path);
  if (again.faults.length > 0 || meaning(again.file) !== meaning(file)) throw new Error(`formatting would change the meaning of ${path}`);
  return { text: formatted };
}

/** What a file says, wherever it says it: its tree and comments without their places. */
export function meaning({ imports, declarations, comments }: SourceFile): string {
  return JSON.stringify([imports, declarations, comments], (key, value: unknown) => (key === 'span' || key === 'fromSpan' ? undefined : value));
}

/** What stands on lines of its own. */
interface Item {
  readonly start: number;
  readonly end: number;
  /** Neighbours of one kind are aligned. */
  readonly kind: string;
  /** Without `right`, all of it up to the body. */
  readonly left: Layout;
  readonly right?: Layout;
  /** The right side's operators begin their lines, under the `=`. */
  readonly hangs?: boolean;
  readonly body?: readonly Item[];
}

/** Lines of output; the last of them may still get a comment. */
interface Line {
  text: string;
  /** Of an item that fits on it: where its `=` may move to. */
  readonly equals?: { readonly kind: string; readonly left: number };
}

/** The most by which an `=` moves to the right. */
const maxPadding = 32;
/** Operators of a long right side stand under the `=`, unless it stands further right than this. */
const maxHang = 48;

class Formatter {
  readonly #source: string;
  readonly #comments: readonly Comment[];
  readonly #lines: Line[] = [];
  readonly #file: SourceFile;
  readonly #tokens: readonly IToken[];

  constructor(file: SourceFile, tokens: readonly IToken[]) {
    this.#file = file;
    this.#source = file.text;
    this.#comments = file.comments;
    this.#tokens = tokens;
  }

  file(): string {
    const { imports, declarations } = this.#file;
    const items: Item[] = [
      ...imports.map((i) => ({ start: i.span.start, end: i.span.end, kind: 'import', left: importLine(i) })),
      ...declarations.map((d) => ({ start: d.span.start, end: d.span.end, kind: 'declaration', left: declarationHead(d), body: d.body.map(toItem) })),
    ];
    this.#items(items.toSorted((a, b) => a.start - b.start), 0, this.#source.length, 0);
    align(this.#lines);
    return this.#lines.map((l) => `${l.text.trimEnd()}\n`).join('');
  }

  /** The items and comments between two offsets. `from` is the end of what the last line holds. */
  #items(items: readonly Item[], from: number, to: number, column: number): void {
    const inside = this.#comments.filter((c) => c.span.start >= from && c.span.end <= to && !items.some((i) => within(c, i)));
    const all = [...items, ...inside].toSorted((a, b) => startOf(a) - startOf(b));
    let end = from;
    let before: string | undefined;
    for (const next of all) {
      const comment = 'text' in next;
      const kind = comment ? 'comment' : next.kind;
      const between = this.#source.slice(end, startOf(next));
      const line = this.#lines.at(-1);
      if (comment && line !== undefined && !between.includes('\n')) {
        line.text += ` ${next.text}`;
      } else {
        const apart = before === 'declaration' || kind === 'declaration' && before === 'import';
        if (before !== undefined && (apart || /\n[^\S\n]*\n/.test(between))) this.#lines.push({ text: '' });
        if (comment) this.#lines.push({ text: ' '.repeat(column) + next.text });
        else this.#item(next, column);
        before = kind;
      }
      end = comment ? next.span.end : next.end;
    }
  }

  #item(item: Item, column: number): void {
    const open = item.body === undefined ? undefined : this.#brace(item);
    const headEnd = open ?? item.end;
    if (this.#comments.some((c) => c.span.start >= item.start && c.span.end <= headEnd)) this.#asWritten(item.start, headEnd, column);
    else this.#push(item, column);
    if (item.body === undefined || open === undefined) return;
    (this.#lines.at(-1) as Line).text += ' {';
    const close = this.#tokens.findLast((t) => t.tokenType === RBrace && t.startOffset < item.end)?.startOffset ?? item.end;
    const count = this.#lines.length;
    const head = this.#lines.at(-1)?.text;
    this.#items(item.body, open + 1, close, column + 2);
    if (this.#lines.length === count && this.#lines.at(-1)?.text === head) (this.#lines.at(-1) as Line).text += '}';
    else this.#lines.push({ text: `${' '.repeat(column)}}` });
  }

  #push(item: Item, column: number): void {
    const pad = ' '.repeat(column);
    const left = render(item.left, lineWidth - (item.body ? 2 : 0), column);
    if (item.right === undefined) {
      for (const [k, text] of left.split('\n').entries()) this.#lines.push({ text: k === 0 ? pad + text : text });
      return;
    }
    const by = !item.hangs ? 0 : left.length <= maxHang ? left.length - 1 : 2; // and 2 of the chain's own
    const lines = render(list(left, ' = ', indent(by, item.right)), lineWidth, column).split('\n');
    const equals = lines.length === 1 ? { equals: { kind: item.kind, left: column + left.length } } : {};
    for (const [k, text] of lines.entries()) this.#lines.push({ text: k === 0 ? pad + text : text, ...equals });
  }

  /** The source with its own line ends, indented anew. */
  #asWritten(start: number, end: number, column: number): void {
    const lines = this.#source.slice(start, end).trimEnd().split('\n');
    for (const [k, line] of lines.entries()) this.#lines.push({ text: ' '.repeat(k === 0 ? column : column + 4) + line.trim() });
    // A brace can't follow a comment on its line.
    if (end < this.#source.length && (lines.at(-1) as string).includes('//')) this.#lines.push({ text: ' '.repeat(column) });
  }

  /** Where the item's body opens: at the brace after its head, which may hold `match` expressions. */
  #brace(item: Item): number {
    const first = item.body?.[0]?.start ?? Infinity;
    let open = item.start;
    let depth = 0;
    for (const token of this.#tokens) {
      if (token.startOffset < item.start) continue;
      if (token.startOffset >= Math.min(first, item.end)) break;
      if (token.tokenType === LBrace && depth++ === 0) open = token.startOffset;
      if (token.tokenType === RBrace) depth--;
    }
    return open;
  }
}

const startOf = (x: Item | Comment): number => ('text' in x ? x.span.start : x.start);
const within = (c: Comment, i: Item): boolean => c.span.start >= i.start && c.span.end <= i.end;

function toItem(s: Statement): Item {
  const { start, end } = s.span;
  if (s.kind === 'repeat') {
    const left = list('repeat ', expression(s.count), s.name ? ` as ${s.name.text}` : '');
    return { start, end, kind: s.kind, left, body: s.body.map(toItem) };
  }
  if (s.kind === 'match-statement') return { start, end, kind: s.kind, left: list('match ', expression(s.subject)), body: s.arms.map(armItem) };
  if (s.kind === 'lost') throw new Error('a file with faults has no layout');
  return { start, end, kind: s.kind === 'equation' ? s.role : s.kind, ...sides(s) };
}

function armItem(a: MatchStatement['arms'][number]): Item {
  return { start: a.span.start, end: a.span.end, kind: 'arm', left: `${a.patterns.map((p) => p.text).join(' | ')} =>`, body: a.body.map(toItem) };
}

/** Puts the `=` of neighbouring lines of a kind under each other, unless a line grows too long by it. */
function align(lines: readonly Line[]): void {
  for (let from = 0; from < lines.length;) {
    const first = lines[from]?.equals;
    let to = from + 1;
    if (first !== undefined) {
      while (lines[to]?.equals?.kind === first.kind) to++;
      alignRun(lines.slice(from, to));
    }
    from = to;
  }
}

function alignRun(run: readonly Line[]): void {
  const lefts = run.map((l) => l.equals?.left ?? 0);
  const widest = Math.max(...lefts);
  const fits = run.every((l, k) => l.text.replace(/ \/\/.*/, '').length + widest - (lefts[k] as number) <= lineWidth);
  if (!fits || widest - Math.min(...lefts) > maxPadding) return;
  for (const [k, line] of run.entries()) {
    const left = lefts[k] as number;
    line.text = line.text.slice(0, left) + ' '.repeat(widest - left) + line.text.slice(left);
  }
}
