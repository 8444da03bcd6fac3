/** What changed between two texts, line by line, and within a line that was rewritten word by word: longest common subsequences. */

export type DiffLine =
  | { readonly kind: 'same'; readonly text: string }
  /** `marks`: what differs from the line it replaces, or is replaced by, as ranges; none where there is no such line. */
  | { readonly kind: 'removed' | 'added'; readonly text: string; readonly marks: readonly Range[] };
type Range = readonly [from: number, to: number];

/** Cells of the table; beyond, the middle counts as replaced. */
const most = 4_000_000;

export function diff(before: readonly string[], after: readonly string[]): DiffLine[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < before.length - head && tail < after.length - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  const same = (text: string): DiffLine => ({ kind: 'same', text });
  const middle = changes(before.slice(head, before.length - tail), after.slice(head, after.length - tail));
  return [...before.slice(0, head).map(same), ...middle, ...before.slice(before.length - tail).map(same)];
}
function changes(before: readonly string[], after: readonly string[]): DiffLine[] {
  if (before.length * after.length > most) return paired(before, after);
  const out: DiffLine[] = [];
  let [removed, added]: [string[], string[]] = [[], []];
  const flush = (): void => { out.push(...paired(removed, added)); [removed, added] = [[], []]; };
  for (const step of steps(before, after)) {
    if (step.kind === 'removed') removed.push(step.item);
    else if (step.kind === 'added') added.push(step.item);
    else { flush(); out.push({ kind: 'same', text: step.item }); }
  }
  flush();
  return out;
}
/** Items of both lists in order, those that they have in common once. */
function steps(before: readonly string[], after: readonly string[]): { readonly kind: 'same' | 'removed' | 'added'; readonly item: string }[] {
  const [n, m] = [before.length, after.length];
  const width = m + 1;
  // Length of the longest common subsequence of what is left from (i, j).
  const table = new Uint32Array((n + 1) * width);
  for (let i = n - 1; i >= 0; i--) for (let j = m - 1; j >= 0; j--) {
    table[i * width + j] = before[i] === after[j] ? 1 + (table[(i + 1) * width + j + 1] as number) : Math.max(table[(i + 1) * width + j] as number, table[i * width + j + 1] as number);
  }
  const out: ReturnType<typeof steps> = [];
  for (let i = 0, j = 0; i < n || j < m;) {
    if (i < n && j < m && before[i] === after[j]) { out.push({ kind: 'same', item: before[i] as string }); i++; j++; }
    else if (j === m || (i < n && (table[(i + 1) * width + j] as number) >= (table[i * width + j + 1] as number))) out.push({ kind: 'removed', item: before[i++] as string });
    else out.push({ kind: 'added', item: after[j++] as string });
  }
  return out;
}
/** Lines that define the same thing are shown one under the other. */
function paired(removed: readonly string[], added: readonly string[]): DiffLine[] {
  const left = (line: string): string => (line.split(' = ')[0] ?? line).replace(/^(?:(?:forward|backward) )?state /, '');
  const open = [...added];
  const out: DiffLine[] = [];
  for (const line of removed) {
    const at = open.findIndex((o) => left(o) === left(line));
    const other = at < 0 ? undefined : open[at];
    if (other === undefined) { out.push({ kind: 'removed', text: line, marks: [] }); continue; }
    open.splice(at, 1);
    const words = wordsOf(line).length * wordsOf(other).length > most ? [] : steps(wordsOf(line), wordsOf(other));
    out.push({ kind: 'removed', text: line, marks: marksOf(words, 'removed') }, { kind: 'added', text: other, marks: marksOf(words, 'added') });
  }
  return [...out, ...open.map((text): DiffLine => ({ kind: 'added', text, marks: [] }))];
}
const wordsOf = (line: string): readonly string[] => line.match(/[\w.#]+|\s+|[^\w\s]/g) ?? [];
/** Where the words of one side stand that the other lacks; neighbours in one. */
function marksOf(words: ReturnType<typeof steps>, kind: 'removed' | 'added'): Range[] {
  const marks: [number, number][] = [];
  let at = 0;
  for (const w of words) {
    if (w.kind !== 'same' && w.kind !== kind) continue;
    const end = at + w.item.length;
    const last = marks.at(-1);
    if (w.kind === kind) {
      if (last?.[1] === at) last[1] = end;
      else marks.push([at, end]);
    }
    at = end;
  }
  return marks;
}
