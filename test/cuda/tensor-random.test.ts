/** Random layers of products of tiles on the CPU, stored in two bytes, against a loop that rounds what the kernels store. */
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { roundNarrow } from '../../src/cli/halves.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { Random } from '../../src/interpreter/random.js';
import { compileText, errors, problem, TOLERANCE, type Problem } from '../random/agree.js';
import { emulate } from './emulate.js';
import { buildLibrary, missing } from './library.js';

const seed = Number(process.env['SEED'] ?? 0);
const count = Math.min(12, Number(process.env['COUNT'] ?? 12));

/** Two layers, each of one to three products of what came before, of sizes that tiles seldom divide, with and without modalities. */
function layers(s: number): string {
  const random = new Random(s, 'tiles');
  const pick = <T>(list: readonly T[]): T => list[random.integer(0, list.length - 1)] as T;
  const m = random.uniform() < 0.4 ? 'm, ' : '';
  const size = (low: number, high: number): number => (random.uniform() < 0.5 ? 8 * random.integer(low / 8, high / 8) : random.integer(low, high));
  const lines = [...(m === '' ? [] : ['modalities m = one, two']), `axis k = ${size(16, 100)}`, `axis c = ${size(32, 140)}`, `axis d = ${size(32, 80)}`, `input x[t, ${m}k]`];
  const sum = (out: string, over: string, from: string, name: string): string => {
    lines.push(`param ${name}[${m}${out}, ${over}] = normal(0, 0.3)`);
    const read = `${from}[t, ${m}${over}]`;
    const body = pick([read, read, read, `relu(${read})`, `silu(${read})`, `max(${read}, 0.5)`, `where(${read} > 0, ${read}, 0.25)`]);
    return `${pick(['sum', 'mean'])}(${over}: ${name}[${m}${out}, ${over}] * ${body})`;
  };
  const layer = (out: string, over: string, from: string, to: string, more: string): string => {
    const sums = Array.from({ length: random.integer(1, 3) }, (_, q) => sum(out, over, from, `${to}${q}`));
    lines.push(`param bias_${to}[${m}${out}] = normal(0, 0.5)`);
    const [first, ...rest] = sums.map((text, q) => (q === 0 ? text : `${pick(['tanh', 'sigmoid', 'silu'])}(${text})`));
    return `${pick(['', 'silu', 'tanh'])}(${[first, ...rest].join(pick([' * ', ' + ']))} + bias_${to}[${m}${out}])${more}`;
  };
  lines.push(`h[t, ${m}c] = ${layer('c', 'k', 'x', 'u', '')}`);
  lines.push(`output y[t, ${m}d] = ${layer('d', 'c', 'h', 'v', random.uniform() < 0.3 ? ` + 0.5 * h[t, ${m}0]` : '')}`);
  return `model Layers {\n${lines.map((l) => `  ${l}`).join('\n')}\n}\n`;
}

const bitsOf = (t: { readonly data: Float32Array } | undefined): string => Buffer.from(t?.data.slice().buffer ?? new ArrayBuffer(0)).toString('hex');

describe.skipIf(missing !== undefined).each(['f16', 'bf16'] as const)(`random products stored as %s, seeds ${seed} to ${seed + count - 1}${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, (storage) => {
  let all: { readonly seed: number; readonly problem: Problem }[] = [];
  let library = '';
  beforeAll(async () => {
    all = Array.from({ length: count }, (_, k) => ({ seed: seed + k, problem: problem(compileText(layers(seed + k), 'auto', { cuda: true, storage }), seed + k) }));
    library = await buildLibrary(all.map(({ seed: s, problem: { module } }) => ({ prefix: `s${s}_`, source: module.cuda?.source ?? '' })));
  }, 600_000);
  afterAll(() => {
    if (library !== '') rmSync(dirname(library), { recursive: true, force: true });
  });
  it('err by at most twice what the loop does, whole and in pieces of the same bits', async () => {
    const found: string[] = [];
    let tiles = 0;
    for (const { seed: s, problem: { module, weights, inputs, lengths, reference } } of all) {
      const made = module.cuda;
      if (!made) throw new Error('no kernels for CUDA');
      if (made.source.includes(`  ssm_multiply_${storage}(acc`)) tiles++;
      const stored = new Set(made.schedule.storage.filter((c) => c.element === storage).map((c) => c.name));
      const constants = new Set(made.schedule.layout.packed.map((p) => p.def));
      const loop = errors(reference, interpret(made.graph.program, weights, inputs, {
        ...(lengths ? { lengths } : {}), stored: (d, data) => { if (stored.has(d.name) || constants.has(d.id)) roundNarrow(data, storage); },
      }).outputs as never);
      const run = (tile?: number): Promise<Map<string, { readonly data: Float32Array }>> => emulate(library, `s${s}_`, made, { weights, inputs, lengths, ...(tile === undefined ? {} : { tile }) });
      const whole = await run();
      const pieces = await run(5);
      errors(reference, whole).forEach(({ output, error }, k) => {
        if (!(error <= 2 * (loop[k]?.error ?? 0) + TOLERANCE)) found.push(`seed ${s}: ${output} differs by ${error}, the loop by ${loop[k]?.error}\n${layers(s)}`);
        if (bitsOf(whole.get(output)) !== bitsOf(pieces.get(output))) found.push(`seed ${s}: ${output} has other bits in pieces\n${layers(s)}`);
      });
    }
    expect(found.join('\n')).toBe('');
    expect(tiles).toBeGreaterThan(0.8 * count);
  }, 600_000);
});
