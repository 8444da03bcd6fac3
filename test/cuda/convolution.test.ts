/** Convolutions in the CUDA source on the CPU, which sees what threads of a group read of each other without a barrier between. */
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systems } from '../passes/convolution-systems.js';
import { compileText, errors, problem, randomInputs, TOLERANCE } from '../random/agree.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { emulate } from './emulate.js';
import { buildLibrary, missing } from './library.js';

const cases = Object.values(systems).map((text, k) => {
  const compiled = compileText(text(4), 'convolution', { cuda: true });
  return { prefix: `s${k}_`, compiled, problem: problem(compiled, 1) };
});

describe.skipIf(missing !== undefined)(`convolutions, of the CUDA source on the CPU and the interpreter${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, () => {
  let library = '';
  beforeAll(async () => {
    library = await buildLibrary(cases.map(({ prefix, problem: { module } }) => ({ prefix, source: module.cuda?.source ?? '' })));
  }, 1_200_000);
  afterAll(() => {
    if (library !== '') rmSync(dirname(library), { recursive: true, force: true });
  });
  it.each(Object.keys(systems).map((name, k) => [name, k] as const))('%s', async (_, k) => {
    const { prefix, compiled: { program }, problem: { module, weights } } = cases[k] as (typeof cases)[number];
    if (!module.cuda || !program) throw new Error('no kernels for CUDA');
    expect(module.cuda.manifest.step.some((l) => l.kind === 'kernel' && l.grid?.part === 'within')).toBe(true);
    for (const [steps, lengths, tile] of [[200, [200, 65]], [2100, [2100, 1025]], [130, [130, 64], 50]] as const) {
      const inputs = randomInputs(program, 2, steps, steps);
      const out = await emulate(library, prefix, module.cuda, { weights, inputs, lengths, ...(tile === undefined ? {} : { tile }) });
      expect(Math.max(...errors(interpret(program, weights, inputs, { lengths }).outputs, out).map((e) => e.error)), `L = ${lengths}`).toBeLessThan(TOLERANCE);
    }
  }, 600_000);
});
