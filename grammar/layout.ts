/**
 * Where lines break: a document is text with places where it may break, in groups that break as a whole. A group stays on one line
 * where it fits; else its own breaks become line ends, and the groups inside it are tried again (Wadler, A prettier printer, 2003).
 */
export type Layout =
  | string
  | { readonly kind: 'list'; readonly parts: readonly Layout[] }
  /** `flat` where the group stays on one line. */
  | { readonly kind: 'break'; readonly flat: string }
  | { readonly kind: 'group'; readonly body: Layout }
  | { readonly kind: 'indent'; readonly by: number; readonly body: Layout };

export const list = (...parts: Layout[]): Layout => ({ kind: 'list', parts });
export const group = (...parts: Layout[]): Layout => ({ kind: 'group', body: list(...parts) });
export const indent = (by: number, ...parts: Layout[]): Layout => ({ kind: 'indent', by, body: list(...parts) });
export const space: Layout = { kind: 'break', flat: ' ' };
export const nothing: Layout = { kind: 'break', flat: '' };
export const separated = (parts: readonly Layout[], between: Layout): Layout => list(...parts.flatMap((p, i) => (i === 0 ? [p] : [between, p])));

/** The document on one line. */
export function flat(layout: Layout): string {
  if (typeof layout === 'string') return layout;
  switch (layout.kind) {
    case 'list': return layout.parts.map(flat).join('');
    case 'break': return layout.flat;
    case 'group':
    case 'indent': return flat(layout.body);
  }
}

interface Piece {
  readonly layout: Layout;
  readonly indent: number;
  readonly broken: boolean;
}

/** The document in lines of at most `width` where its breaks allow that; it begins at column `column` of a line indented by `column`. */
export function render(layout: Layout, width: number, column: number): string {
  const pending: Piece[] = [{ layout, indent: column, broken: false }];
  let out = '';
  let at = column;
  for (let piece = pending.pop(); piece !== undefined; piece = pending.pop()) {
    const { layout: l, indent: by, broken } = piece;
    if (typeof l === 'string') {
      out += l;
      at += l.length;
    } else if (l.kind === 'list') {
      for (const part of l.parts.toReversed()) pending.push({ layout: part, indent: by, broken });
    } else if (l.kind === 'indent') {
      pending.push({ layout: l.body, indent: by + l.by, broken });
    } else if (l.kind === 'group') {
      const text = flat(l.body);
      pending.push({ layout: l.body, indent: by, broken: at + text.length + tail(pending) > width });
    } else if (broken) {
      out += `\n${' '.repeat(by)}`;
      at = by;
    } else {
      out += l.flat;
      at += l.flat.length;
    }
  }
  return out;
}

/** How much text follows before the next place where the line may end. */
function tail(pending: readonly Piece[]): number {
  let length = 0;
  for (const piece of pending.toReversed()) {
    const until = leading(piece.layout, piece.broken);
    length += until.length;
    if (until.stops) break;
  }
  return length;
}

function leading(layout: Layout, broken: boolean): { length: number; stops: boolean } {
  if (typeof layout === 'string') return { length: layout.length, stops: false };
  switch (layout.kind) {
    case 'break': return broken ? { length: 0, stops: true } : { length: layout.flat.length, stops: false };
    case 'group': return { length: 0, stops: true }; // may break by itself
    case 'indent': return leading(layout.body, broken);
    case 'list': {
      let length = 0;
      for (const part of layout.parts) {
        const inner = leading(part, broken);
        length += inner.length;
        if (inner.stops) return { length, stops: true };
      }
      return { length, stops: false };
    }
  }
}
