import { describe, expect, it } from 'vitest';
import { metBy, Unavailable, type Contest, type Contestant } from '../../src/bench/contest.js';
import { resultText, tally, type Paint } from '../../src/bench/report.js';
import { measure } from '../../src/bench/rounds.js';
import { pick, suite } from '../../src/bench/suite.js';

const plain: Paint = { good: (s) => s, bad: (s) => s, dim: (s) => s };
const closed: string[] = [];

/** Reports the times that it is given, the last one for ever; no clock decides anything here. */
function scripted(name: string, times: readonly number[], error?: number): Contestant {
  return {
    name,
    prepare: async () => {
      let turn = 0;
      return {
        run: async () => {
          // Longer than a turn or a warm-up takes at least, so that each run is a turn.
          await new Promise((resolve) => setTimeout(resolve, turn === 0 ? 260 : 60));
          return times[Math.min(turn++, times.length - 1)] as number;
        },
        ...(error === undefined ? {} : { error: () => error }), close: () => void closed.push(name),
      };
    },
  };
}
const absent = (name: string, fault: Error): Contestant => ({ name, prepare: () => Promise.reject(fault) });
const contest = (contestants: readonly Contestant[], more: Partial<Contest> = {}): Contest => ({ name: 'demo/one', title: 'a contest', ours: 'ours', contestants, goals: [], ...more });
const options = { rounds: 2, cap: 1e6 };

describe('a contest', () => {
  it('of a device says bytes and exponentials a second, and their share of what it could do', async () => {
    const limits = { name: 'a card', bytesPerSecond: 1e10, exponentialsPerSecond: 0 };
    const ours: Contestant = { ...scripted('ours', [4]), prepare: async () => ({ ...(await scripted('ours', [4]).prepare()), limits }) };
    const result = await measure(contest([ours, absent('peer', new Unavailable('none'))], { work: { bytes: 2e7, exponentials: 6e6 } }), options);
    expect(result.device).toEqual(limits);
    expect(result.rows).toEqual([{ name: 'ours', ms: 4, ratio: 1, bytesPerSecond: 5e9, exponentialsPerSecond: 1.5e9 }, { name: 'peer', skipped: 'none' }]);
    expect(resultText(result, plain)).toMatch(/a card: at most 10.0 GB\/s, 0.00 G exponentials\/s\n {2}ours +4.000 ms +1.00x {2}5.00 GB\/s \(50.0 %\) {2}1.50 G exp\/s\n/);
  });
  it('takes the minimum over rounds, ratios to ours, and says which goals were met', async () => {
    const result = await measure(contest([scripted('ours', [9, 4, 5], 1e-7), scripted('slow', [30, 20, 40]), scripted('quick', [3, 3])], {
      flops: 8e6, notes: ['what is timed'],
      goals: [{ peer: 'slow', ours: 'ours', atLeast: 4 }, { peer: 'quick', ours: 'ours', atLeast: 0.9 }, { peer: 'nobody', ours: 'ours', atLeast: 1 }],
    }), options);
    expect(result.rows).toEqual([
      { name: 'ours', ms: 4, ratio: 1, error: 1e-7, gflops: 2 }, { name: 'slow', ms: 20, ratio: 5, gflops: 0.4 }, { name: 'quick', ms: 3, ratio: 0.75, gflops: 8 / 3 },
    ]);
    expect(result.goals).toEqual([
      { text: 'slow / ours', want: 4, got: 5, met: true }, { text: 'quick / ours', want: 0.9, got: 0.75, met: false }, { text: 'nobody / ours', want: 1 },
    ]);
    expect(tally([result])).toEqual({ met: 1, missed: 1, unmeasured: 1 });
    expect(resultText(result, plain)).toBe([
      'demo/one: a contest', `  minimum of ${result.rounds} interleaved rounds, one thread; error: max|y - y64| / max|y64|`,
      '  ours       4.000 ms     1.00x     2.0 GFLOP/s  error 1.0e-7', '  slow       20.00 ms     5.00x     0.4 GFLOP/s', '  quick      3.000 ms     0.75x     2.7 GFLOP/s',
      '  met      slow / ours: wanted 4.00, got 5.00', '  not met  quick / ours: wanted 0.90, got 0.75', '  not measured  nobody / ours: wanted 1.00', '  what is timed', '',
    ].join('\n'));
  });
  it('goes on while minima fall, and stops at the cap', async () => {
    expect((await measure(contest([scripted('ours', [9, 8, 7, 6, 5, 5])]), options)).rounds).toBe(5);
    expect((await measure(contest([scripted('ours', [9, 8, 7, 6, 5, 5])]), { rounds: 3, cap: 0 })).rounds).toBe(1);
  });
  it('skips who is absent, breaks or errs, with the reason', async () => {
    const { rows } = await measure(contest([
      scripted('ours', [1]), absent('no tools', new Unavailable('no compiler here')), absent('broken', new Error('it fell over')), scripted('wrong', [1], 0.5), scripted('not a number', [1], NaN),
    ]), options);
    expect(rows.slice(1)).toEqual([
      { name: 'no tools', skipped: 'no compiler here' }, { name: 'broken', skipped: 'it fell over' },
      { name: 'wrong', skipped: 'wrong result: error 5.0e-1' }, { name: 'not a number', skipped: 'wrong result: error NaN' },
    ]);
  });
  it('does not hide a fault of ours, and closes everyone', async () => {
    closed.length = 0;
    await expect(measure(contest([scripted('first', [1]), scripted('ours', [1], 1)]), options)).rejects.toThrow('wrong result');
    expect(closed.sort()).toEqual(['first', 'ours']);
  });
});

it('figures stand beside their goals, where they have one', () => {
  expect([metBy({ name: 'a', value: 2, unit: 's', atMost: 2 }), metBy({ name: 'a', value: 3, unit: 's', atMost: 2 }), metBy({ name: 'a', value: 3, unit: '%' }), metBy({ name: 'a', unit: 's', atMost: 2 })]).toEqual([true, false, undefined, undefined]);
  const text = resultText({ kind: 'figures', name: 'size', title: 'bytes', notes: [], figures: [{ name: 'module', value: 61, unit: 'KB', atMost: 60 }, { name: 'runtime', unit: 'KB', atMost: 20, remark: 'no bundler here' }] }, plain);
  expect(text).toBe('size: bytes\n  module   61.0 KB, wanted at most 60  not met\n  runtime  not measured  no bundler here\n');
});

it('picks benches by name or by its first part', () => {
  expect(pick(suite, 'scan/r1')?.map((b) => b.name)).toEqual(['scan/r1']);
  expect(pick(suite, 'matmul')?.map((b) => b.name)).toEqual(['matmul/in_proj', 'matmul/x_proj', 'matmul/dt_proj', 'matmul/out_proj']);
  expect(pick(suite, 'scan/invariant')?.length).toBe(2);
  expect(pick(suite, 'sca')).toBeUndefined();
  expect(new Set(suite.map((b) => b.name)).size).toBe(suite.length);
});
