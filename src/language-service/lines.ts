/** Offsets and positions of a text. Both count UTF-16 units; lines end with \n, \r\n or \r, as in the language server protocol. */

export interface LinePosition {
  /** From 0. */
  readonly line: number;
  readonly character: number;
}

export class Lines {
  readonly #text: string;
  readonly #starts: readonly number[];
  constructor(text: string) {
    const starts = [0];
    for (const m of text.matchAll(/\r\n|\r|\n/g)) starts.push(m.index + m[0].length);
    this.#text = text;
    this.#starts = starts;
  }
  positionOf(offset: number): LinePosition {
    const at = Math.max(0, Math.min(offset, this.#text.length));
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#starts[middle] as number) <= at) low = middle;
      else high = middle - 1;
    }
    return { line: low, character: at - (this.#starts[low] as number) };
  }
  /** A character past its line's end stands at the end. */
  offsetOf({ line, character }: LinePosition): number {
    if (line < 0) return 0;
    const start = this.#starts[line];
    if (start === undefined) return this.#text.length;
    const next = this.#starts[line + 1] ?? this.#text.length;
    const end = next - (/(?:\r\n|\r|\n)$/.exec(this.#text.slice(start, next))?.[0].length ?? 0);
    return Math.max(start, Math.min(start + character, Math.max(start, end)));
  }
}
