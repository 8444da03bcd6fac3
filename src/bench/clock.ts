/**
 * The clock of every contestant: the wall's, or the processor time of its own process, for a machine that others use at the same time.
 * With one thread each they differ only by what others take.
 */

export type Clock = 'wall' | 'processor';
/** Children are told by the environment. */
const variable = 'SSMC_BENCH_CLOCK';

export function useClock(which: Clock): void {
  process.env[variable] = which;
}
export const clockInUse = (): Clock => (process.env[variable] === 'processor' ? 'processor' : 'wall');

/** Milliseconds since some moment. */
export function clock(): number {
  if (clockInUse() === 'wall') return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
