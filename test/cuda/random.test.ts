/** The CUDA source on the CPU: random programs and examples against the interpreter. */
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileText, errors, problem, TOLERANCE, type Problem } from '../random/agree.js';
import { randomSpec } from '../random/generate.js';
import { emulate } from './emulate.js';
import { buildLibrary, missing } from './library.js';

const seed = Number(process.env['SEED'] ?? 0);
const count = Number(process.env['COUNT'] ?? 100);

interface Case {
  readonly seed: number;
  readonly strategy: 'auto' | 'serial';
  readonly prefix: string;
  readonly problem: Problem;
}
/** So few points are run in chunks, where they can be: the program is run in both ways. */
function cases(s: number): Case[] {
  const { text } = randomSpec(s);
  const chosen = compileText(text, 'auto', { cuda: true });
  const chunks = chosen.module?.cuda?.graph.stages.some((stage) => stage.strategy?.name === 'chunked');
  return [
    { seed: s, strategy: 'auto', prefix: `s${s}_`, problem: problem(chosen, s) },
    ...(chunks ? [{ seed: s, strategy: 'serial' as const, prefix: `s${s}s_`, problem: problem(compileText(text, 'serial', { cuda: true }), s) }] : []),
  ];
}

describe.skipIf(missing !== undefined)(`random programs, seeds ${seed} to ${seed + count - 1}, of the CUDA source on the CPU and the interpreter${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, () => {
  let all: Case[] = [];
  let library = '';
  beforeAll(async () => {
    all = Array.from({ length: count }, (_, k) => cases(seed + k)).flat();
    library = await buildLibrary(all.map(({ prefix, problem: { module } }) => ({ prefix, source: module.cuda?.source ?? '' })));
  }, 1_200_000);
  afterAll(() => {
    if (library !== '') rmSync(dirname(library), { recursive: true, force: true });
  });
  it.each([undefined, 5, 64])('tiles of %s steps', async (tile) => {
    const found: string[] = [];
    for (const { seed: s, strategy, prefix, problem: { module, weights, inputs, lengths, reference } } of all) {
      if (!module.cuda) throw new Error('no kernels for CUDA');
      // Chunks stand at fixed steps of a tile: one of another length has other bits, and no others are asked for here.
      const out = await emulate(library, prefix, module.cuda, { weights, inputs, lengths, ...(tile === undefined ? {} : { tile }) }).catch((error: unknown) => error);
      if (out instanceof Error) found.push(`seed ${s}, ${strategy}: ${out.message}\n${randomSpec(s).text}`);
      else found.push(...errors(reference, out as Map<string, { data: Float32Array }>).filter(({ error }) => !(error <= TOLERANCE)).map(({ output, error }) => `seed ${s}, ${strategy}: ${output} differs by ${error}\n${randomSpec(s).text}`));
    }
    expect(found.join('\n')).toBe('');
  }, 1_200_000);
});
