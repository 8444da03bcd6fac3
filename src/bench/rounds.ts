/**
 * Interleaved rounds: every contestant once per round, so that whatever else the machine does meets all of them, and the minimum
 * over rounds, which is what the code takes when nothing else runs. Rounds go on until minima are stable or time is up.
 */
import { clock } from './clock.js';
import { Unavailable, type Bench, type Contest, type ContestResult, type Contestant, type GoalResult, type Ready, type Row } from './contest.js';

export interface RoundOptions {
  /** At least so many, unless a single pass takes longer than the cap. */
  readonly rounds: number;
  /** Milliseconds for a contest's timed part. */
  readonly cap: number;
  readonly onProgress?: (text: string) => void;
}

/** A contest as a bench of its own; the problem is made when its turn comes. */
export function race(name: string, title: string, make: () => Omit<Contest, 'name' | 'title'>): Bench {
  return { name, title, run: async (options) => [await measure({ name, title, ...make() }, options)] };
}

interface Entrant {
  readonly contestant: Contestant;
  readonly ready: Ready;
  readonly error?: number;
  best: number;
}

const maximumRounds = 60;
/** Short work is repeated inside a round, so that neither a tick of the clock nor another process counts. */
const leastMsPerTurn = 50;
const warmUpMs = 250;

/** Runs a contest. Peers that fail are rows that say why; our own failure is thrown. */
export async function measure(contest: Contest, options: RoundOptions): Promise<ContestResult> {
  const entrants: Entrant[] = [];
  const skipped = new Map<string, string>();
  try {
    for (const contestant of contest.contestants) {
      options.onProgress?.(`${contest.name}: ${contestant.name}`);
      try {
        entrants.push(await enter(contestant, contest.tolerance ?? 1e-4));
      } catch (fault) {
        if (!(fault instanceof Unavailable) && contestant.name === contest.ours) throw fault;
        skipped.set(contestant.name, fault instanceof Error ? fault.message : String(fault));
      }
    }
    const rounds = await compete(entrants, contest, options);
    return summarise(contest, entrants, skipped, rounds);
  } finally {
    for (const entrant of entrants) await entrant.ready.close?.();
  }
}

async function enter(contestant: Contestant, tolerance: number): Promise<Entrant> {
  const ready = await contestant.prepare();
  try {
    const error = await ready.error?.();
    if (error !== undefined && !(error <= tolerance)) throw new Error(`wrong result: error ${error.toExponential(1)}`);
    const start = performance.now();
    let best = Infinity;
    do best = Math.min(best, await timed(ready));
    while (performance.now() - start < warmUpMs);
    return { contestant, ready, best, ...(error === undefined ? {} : { error }) };
  } catch (fault) {
    await ready.close?.();
    throw fault;
  }
}

async function timed(ready: Ready): Promise<number> {
  const start = clock();
  const own = await ready.run();
  return own ?? clock() - start;
}

async function turn(entrant: Entrant): Promise<number> {
  const start = performance.now();
  let best = Infinity;
  do best = Math.min(best, await timed(entrant.ready));
  while (performance.now() - start < leastMsPerTurn);
  return best;
}

async function compete(entrants: readonly Entrant[], contest: Contest, options: RoundOptions): Promise<number> {
  const start = performance.now();
  let round = 0;
  while (round < maximumRounds) {
    options.onProgress?.(`${contest.name}: round ${round + 1}`);
    let improved = false;
    for (const entrant of entrants) {
      const ms = await turn(entrant);
      if (ms < entrant.best * 0.99) improved = true;
      entrant.best = Math.min(entrant.best, ms);
    }
    round++;
    const enough = round >= options.rounds && !improved;
    if (enough || (round > 0 && performance.now() - start > options.cap)) break;
  }
  return round;
}

function summarise(contest: Contest, entrants: readonly Entrant[], skipped: ReadonlyMap<string, string>, rounds: number): ContestResult {
  const bestOf = (name: string): number | undefined => entrants.find((e) => e.contestant.name === name)?.best;
  const ours = bestOf(contest.ours);
  const rows = contest.contestants.map((contestant): Row => {
    const entrant = entrants.find((e) => e.contestant === contestant);
    if (!entrant) return { name: contestant.name, skipped: skipped.get(contestant.name) ?? 'not run' };
    return {
      name: contestant.name, ms: entrant.best,
      ...(ours === undefined ? {} : { ratio: entrant.best / ours }),
      ...(entrant.error === undefined ? {} : { error: entrant.error }),
      ...(contest.flops === undefined ? {} : { gflops: contest.flops / entrant.best / 1e6 }),
      ...(contest.work === undefined ? {} : { bytesPerSecond: (contest.work.bytes / entrant.best) * 1000, exponentialsPerSecond: (contest.work.exponentials / entrant.best) * 1000 }),
    };
  });
  const goals = contest.goals.map((goal): GoalResult => {
    const text = `${goal.peer} / ${goal.ours}`;
    const peer = bestOf(goal.peer);
    const own = bestOf(goal.ours);
    if (peer === undefined || own === undefined) return { text, want: goal.atLeast };
    const got = peer / own;
    return { text, want: goal.atLeast, got, met: got >= goal.atLeast };
  });
  const device = entrants.find((e) => e.ready.limits)?.ready.limits;
  return { kind: 'contest', name: contest.name, title: contest.title, rounds, ...(device ? { device } : {}), rows, goals, notes: contest.notes ?? [] };
}
