/** The texts that the editor holds, which override files. Changes come as ranges of the text before. */
import { Lines, type LinePosition } from '../language-service/lines.js';

export interface Document {
  readonly uri: string;
  readonly version: number;
  readonly text: string;
}
export interface Change {
  /** Absent: the whole text. */
  readonly range?: { readonly start: LinePosition; readonly end: LinePosition };
  readonly text: string;
}

export class Documents {
  readonly #open = new Map<string, Document>();

  open(document: Document): void {
    this.#open.set(document.uri, document);
  }
  change(uri: string, version: number, changes: readonly Change[]): void {
    const before = this.#open.get(uri);
    if (before) this.#open.set(uri, { uri, version, text: changes.reduce(changed, before.text) });
  }
  close(uri: string): void {
    this.#open.delete(uri);
  }
  get(uri: string): Document | undefined {
    return this.#open.get(uri);
  }
  get all(): readonly Document[] {
    return [...this.#open.values()];
  }
}
function changed(text: string, { range, text: replacement }: Change): string {
  if (!range) return replacement;
  const lines = new Lines(text);
  const [start, end] = [lines.offsetOf(range.start), lines.offsetOf(range.end)];
  return text.slice(0, start) + replacement + text.slice(Math.max(start, end));
}
