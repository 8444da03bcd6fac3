/** The nearest other name, for suggestions. */
export function nearest(name: string, among: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const other of among) {
    // What is there, but can't stand here.
    if (other === name) continue;
    const d = distance(name.toLowerCase(), other.toLowerCase());
    if (d < least && d < Math.max(name.length, other.length)) { least = d; best = other; }
  }
  return best;
}
/** Levenshtein's distance, in which two neighbours that have changed places count as one edit. */
function distance(a: string, b: string): number {
  let before: readonly number[] = [];
  let row: readonly number[] = Array.from({ length: b.length + 1 }, (_, k) => k);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (before[j - 2] as number) + 1 : Infinity;
      next[j] = Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1), swapped);
    }
    [before, row] = [row, next];
  }
  return row[b.length] as number;
}
/** CoupledMamba → coupled_mamba, S4D → s4d, Mamba2Block → mamba2_block. */
export const snakeCase = (name: string): string => name.replace(/([a-z])([A-Z])/g, '$1_$2').replace(/([A-Z0-9]+)([A-Z][a-z])/g, '$1_$2').toLowerCase();
