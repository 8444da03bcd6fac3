/** Results as text: a table of times and ratios for each contest, its goals below, and the figures of sheets. */
import { metBy, type ContestResult, type DeviceLimits, type Figure, type FigureSheet, type GoalResult, type Result, type Row } from './contest.js';

export interface Paint {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly dim: (text: string) => string;
}

export function resultText(result: Result, paint: Paint): string {
  return result.kind === 'contest' ? contestText(result, paint) : sheetText(result, paint);
}

function contestText(r: ContestResult, paint: Paint): string {
  const wide = Math.max(...r.rows.map((row) => row.name.length));
  return [
    `${r.name}: ${r.title}`, paint.dim(`  minimum of ${r.rounds} interleaved round${r.rounds === 1 ? '' : 's'}, one thread; error: max|y - y64| / max|y64|`),
    ...(r.device ? [paint.dim(`  ${r.device.name}: at most ${giga(r.device.bytesPerSecond)} GB/s, ${giga(r.device.exponentialsPerSecond)} G exponentials/s`)] : []),
    ...r.rows.map((row) => `  ${row.name.padEnd(wide)}  ${rowText(row, paint, r.device)}`),
    ...r.goals.map((g) => goalText(g, paint)), ...r.notes.map((n) => paint.dim(`  ${n}`)), '',
  ].join('\n');
}
const giga = (perSecond: number): string => number(perSecond / 1e9);
const share = (got: number, most: number | undefined): string => (most === undefined || most === 0 ? '' : ` (${number((100 * got) / most)} %)`);
function rowText(row: Row, paint: Paint, device?: DeviceLimits): string {
  if (row.ms === undefined) return paint.dim(`skipped: ${row.skipped ?? ''}`);
  const cells = [`${row.ms.toFixed(row.ms < 10 ? 3 : 2).padStart(9)} ms`, `${(row.ratio ?? NaN).toFixed(2).padStart(7)}x`];
  if (row.gflops !== undefined) cells.push(`${row.gflops.toFixed(1).padStart(6)} GFLOP/s`);
  if (row.bytesPerSecond !== undefined) cells.push(`${giga(row.bytesPerSecond)} GB/s${share(row.bytesPerSecond, device?.bytesPerSecond)}`);
  if (row.exponentialsPerSecond !== undefined) cells.push(`${giga(row.exponentialsPerSecond)} G exp/s${share(row.exponentialsPerSecond, device?.exponentialsPerSecond)}`);
  if (row.error !== undefined) cells.push(`error ${row.error.toExponential(1)}`);
  return cells.join('  ');
}
function goalText(g: GoalResult, paint: Paint): string {
  const want = `${g.text}: wanted ${number(g.want)}`;
  if (g.got === undefined) return paint.dim(`  not measured  ${want}`);
  return `  ${g.met ? paint.good('met    ') : paint.bad('not met')}  ${want}, got ${number(g.got)}`;
}

function sheetText(r: FigureSheet, paint: Paint): string {
  const wide = Math.max(...r.figures.map((f) => f.name.length));
  return [`${r.name}: ${r.title}`, ...r.figures.map((f) => `  ${f.name.padEnd(wide)}  ${figureText(f, paint)}`), ...r.notes.map((n) => paint.dim(`  ${n}`)), ''].join('\n');
}
function figureText(f: Figure, paint: Paint): string {
  const remark = f.remark === undefined ? '' : `  ${f.remark}`;
  if (f.value === undefined) return paint.dim(`not measured${remark}`);
  const met = metBy(f);
  const goal = f.atMost !== undefined ? `, wanted at most ${f.atMost}` : f.atLeast !== undefined ? `, wanted at least ${f.atLeast}` : '';
  return `${number(f.value)} ${f.unit}${goal}${met === undefined ? '' : met ? paint.good('  met') : paint.bad('  not met')}${remark}`;
}
const number = (x: number): string => (Math.abs(x) >= 100 ? x.toFixed(0) : x.toFixed(Math.abs(x) >= 10 ? 1 : 2));

/** How many goals there were, and how many were met. */
export function tally(results: readonly Result[]): { readonly met: number; readonly missed: number; readonly unmeasured: number } {
  const verdicts = results.flatMap((r) => (r.kind === 'contest' ? r.goals.map((g) => g.met) : r.figures.filter((f) => (f.atMost ?? f.atLeast) !== undefined).map(metBy)));
  return { met: verdicts.filter((v) => v === true).length, missed: verdicts.filter((v) => v === false).length, unmeasured: verdicts.filter((v) => v === undefined).length };
}
