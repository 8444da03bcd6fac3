/** Convolutions in the CUDA source on the CPU, which sees what threads of a group read of each other without a barrier between. */
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { layer, others, systems } from '../passes/convolution-systems.js';
import { narrowLimit, roundStored } from '../../src/cli/halves.js';
import { compileText, errors, problem, randomInputs, TOLERANCE } from '../random/agree.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { emulate } from './emulate.js';
import { buildLibrary, missing } from './library.js';

const texts: ReadonlyMap<string, string> = new Map([
  ...Object.entries(systems).map(([name, text]) => [name, text(4)] as const),
  ...['gated by other steps, of a signal made of others', 'the product of two readouts', 'chains that meet in what is stored', 'in both directions'].map((name) => [name, others[name] as string] as const),
]);
const cases = [...texts.values()].map((text, k) => {
  const compiled = compileText(text, 'convolution', { cuda: true });
  return { prefix: `s${k}_`, compiled, problem: problem(compiled, 1) };
});
/** Stored in two bytes. */
const narrow = [layer, texts.get('chains coupled in full') ?? ''].flatMap((text, n) => (['f16', 'bf16'] as const).map((type, k) => {
  const compiled = compileText(text, 'convolution', { cuda: true, storage: type });
  return { prefix: `n${2 * n + k}_`, type, compiled, problem: problem(compiled, 1) };
}));

describe.skipIf(missing !== undefined)(`convolutions, of the CUDA source on the CPU and the interpreter${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, () => {
  let library = '';
  beforeAll(async () => {
    library = await buildLibrary([...cases, ...narrow].map(({ prefix, problem: { module } }) => ({ prefix, source: module.cuda?.source ?? '' })));
  }, 1_200_000);
  afterAll(() => {
    if (library !== '') rmSync(dirname(library), { recursive: true, force: true });
  });
  it.each([...texts.keys()].map((name, k) => [name, k] as const))('%s', async (_, k) => {
    const { prefix, compiled: { program }, problem: { module, weights } } = cases[k] as (typeof cases)[number];
    if (!module.cuda || !program) throw new Error('no kernels for CUDA');
    expect(module.cuda.manifest.step.some((l) => l.kind === 'kernel' && l.grid?.part === 'within')).toBe(true);
    for (const [steps, lengths, tile] of [[200, [200, 65]], [2100, [2100, 1025]], [130, [130, 64], 50]] as const) {
      const inputs = randomInputs(program, 2, steps, steps);
      const out = await emulate(library, prefix, module.cuda, { weights, inputs, lengths, ...(tile === undefined ? {} : { tile }) });
      expect(Math.max(...errors(interpret(program, weights, inputs, { lengths }).outputs, out).map((e) => e.error)), `L = ${lengths}`).toBeLessThan(TOLERANCE);
    }
  }, 600_000);
  it.each(narrow)('$prefix, stored as $type: within twice the error of a loop that stores so', async ({ prefix, type, compiled: { program }, problem: { module, weights } }) => {
    if (!module.cuda || !program) throw new Error('no kernels for CUDA');
    expect(module.cuda.schedule.storage.some((c) => c.element === type)).toBe(true);
    for (const steps of [1, 70, 1300]) {
      const inputs = randomInputs(program, 1, steps, steps);
      const reference = interpret(program, weights, inputs).outputs;
      const loop = errors(reference, interpret(program, weights, inputs, { stored: roundStored(program, type) }).outputs as never);
      errors(reference, await emulate(library, prefix, module.cuda, { weights, inputs })).forEach(({ output, error }, k) => expect(error, `${output}, L = ${steps}`).toBeLessThanOrEqual(narrowLimit(loop[k]?.error ?? 0, type)));
    }
  }, 600_000);
});
