/** float16 and bfloat16 storage in the CUDA source, on the CPU, against plain loops that store so: as test/webgpu/halves-numbers.test.ts does for WebGPU. */
import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { narrowLimit, roundNarrow, roundStored } from '../../src/cli/halves.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { compileText, errors, problem, randomInputs, TOLERANCE, type Problem } from '../random/agree.js';
import { randomSpec } from '../random/generate.js';
import { emulate } from './emulate.js';
import { buildLibrary, missing } from './library.js';
import { usage, version } from './nvcc.js';

const root = join(import.meta.dirname, '../..');
const seed = Number(process.env['SEED'] ?? 0);
const count = Math.min(30, Number(process.env['COUNT'] ?? 30));
const text = readFileSync(join(root, 'examples/mex/mex.ssm'), 'utf8');

describe.skipIf(missing !== undefined).each(['f16', 'bf16'] as const)(`stored as %s, on the CPU${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, (storage) => {
  const halves = { cuda: true, storage };
  const mex = compileText(text, 'auto', halves);
  let all: { readonly seed: number; readonly problem: Problem }[] = [];
  let library = '';
  beforeAll(async () => {
    all = Array.from({ length: count }, (_, k) => ({ seed: seed + k, problem: problem(compileText(randomSpec(seed + k).text, 'auto', halves), seed + k) }));
    library = await buildLibrary([{ prefix: 'mex_', source: mex.module?.cuda?.source ?? '' }, ...all.map(({ seed: s, problem: { module } }) => ({ prefix: `s${s}_`, source: module.cuda?.source ?? '' }))]);
  }, 600_000);
  afterAll(() => {
    if (library !== '') rmSync(dirname(library), { recursive: true, force: true });
  });
  it('examples/mex errs by at most twice what a plain loop does, and does store so', async () => {
    const { module, program } = mex;
    if (!module?.cuda || !program) throw new Error('no kernels for CUDA');
    const weights = new Map([...initialise(program, 0)].map(([n, t]) => [n, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
    const inputs = randomInputs(program, 1, 20, 1);
    const exact = interpret(program, weights, inputs).outputs;
    const loop = errors(exact, interpret(program, weights, inputs, { stored: roundStored(program, storage) }).outputs as never);
    errors(exact, await emulate(library, 'mex_', module.cuda, { weights, inputs, tile: 8 })).forEach(({ error }, k) => {
      expect(error).toBeLessThanOrEqual(narrowLimit(loop[k]?.error ?? 0, storage));
      expect(error).toBeGreaterThan(TOLERANCE);
    });
  }, 300_000);
  it(`random programs, seeds ${seed} to ${seed + count - 1}, err by at most twice what a loop does that rounds what the kernels store`, async () => {
    const found: string[] = [];
    for (const { seed: s, problem: { module, weights, inputs, lengths, reference } } of all) {
      const made = module.cuda;
      if (!made) throw new Error('no kernels for CUDA');
      const stored = new Set(made.schedule.storage.filter((c) => c.element === storage).map((c) => c.name));
      const { layout } = made.schedule;
      const constants = new Set(layout.packed.filter((p) => layout.element(p.buffer) === storage).map((p) => p.def));
      const loop = errors(reference, interpret(made.graph.program, weights, inputs, {
        ...(lengths ? { lengths } : {}), stored: (d, data) => { if (stored.has(d.name) || constants.has(d.id)) roundNarrow(data, storage); },
      }).outputs as never);
      errors(reference, await emulate(library, `s${s}_`, made, { weights, inputs, lengths })).forEach(({ output, error }, k) => {
        if (!(error <= 2 * (loop[k]?.error ?? 0) + TOLERANCE)) found.push(`seed ${s}: ${output} differs by ${error}, the loop by ${loop[k]?.error}`);
      });
    }
    expect(found.join('\n')).toBe('');
  }, 600_000);
});
describe.skipIf(version === undefined)(`stored in two bytes, by nvcc${version === undefined ? ' (skipped: it is not on the path)' : ''}`, () => {
  it.each(['f16', 'bf16'] as const)('examples/mex as %s is taken for sm_80 without a warning', async (storage) => {
    expect((await usage(compileText(text, 'auto', { cuda: true, storage }).module?.cuda?.source ?? '', 'sm_80')).size).toBeGreaterThan(10);
  }, 300_000);
});
