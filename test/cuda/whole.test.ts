/** Random programs through all of it: the runtime, the addon, a driver, the kernels' CPU builds; against the interpreter, and stored as float16 or bfloat16 against the launches alone. */
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runModel } from '../../src/cli/tensors.js';
import { cuda } from '../../src/runtime/cuda/index.js';
import { loadModel, type Model } from '../../src/runtime/index.js';
import { compileText, errors, problem, TOLERANCE, type Problem } from '../random/agree.js';
import { randomSpec } from '../random/generate.js';
import { ended, missing, tools, type Tools } from './driver/tools.js';
import { emulate } from './emulate.js';
import { buildLibrary, imageText } from './library.js';

const seed = Number(process.env['SEED'] ?? 0);
const count = Math.min(30, Number(process.env['COUNT'] ?? 30));
interface Case {
  readonly seed: number;
  readonly prefix: string;
  readonly problem: Problem;
}

describe.skipIf(missing !== undefined)(`random programs, seeds ${seed} to ${seed + count - 1}, on the addon${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, () => {
  let t: Tools;
  let library = '';
  const all = { f32: [] as Case[], narrow: [] as Case[] };
  beforeAll(async () => {
    t = await tools();
    for (const kind of ['f32', 'narrow'] as const) for (let s = seed; s < seed + count; s++) {
      const storage = kind === 'f32' ? kind : s % 2 === 0 ? 'f16' : 'bf16';
      all[kind].push({ seed: s, prefix: `${storage}_${s}_`, problem: problem(compileText(randomSpec(s).text, 'auto', { cuda: true, storage }), s) });
    }
    library = await buildLibrary([...all.f32, ...all.narrow].map(({ prefix, problem: { module } }) => ({ prefix, source: module.cuda?.source ?? '' })));
  }, 600_000);
  afterAll(() => {
    if (library !== '') rmSync(dirname(library), { recursive: true, force: true });
  });
  const load = ({ prefix, problem: { module, weights } }: Case): Promise<Model> => {
    const made = module.cuda;
    if (!made) throw new Error('no kernels for CUDA');
    const code = new TextEncoder().encode(imageText('sm_90', library, made.source, prefix));
    const device = cuda({ manifest: made.manifest, load: made.load, source: { text: made.source }, options: [], images: [{ arch: 'sm_90', ptx: code, cubin: code }] });
    return loadModel(module.manifest, { wasm: '/no/such.wasm', devices: [device] }, { weights: Object.fromEntries(weights), device: 'cuda', cuda: { driver: t.driver } });
  };
  const each = async (cases: readonly Case[], check: (of: Case, out: Map<string, { readonly data: Float32Array }>) => Promise<string[]> | string[]): Promise<void> => {
    const found: string[] = [];
    for (const of of cases) {
      try {
        const model = await load(of);
        const out = await runModel(model, of.problem.inputs, of.problem.lengths);
        model.dispose();
        found.push(...(await check(of, out)).map((words) => `seed ${of.seed}: ${words}\n${randomSpec(of.seed).text}`));
      } catch (error) {
        found.push(`seed ${of.seed}: ${error instanceof Error ? error.stack : String(error)}`);
      }
    }
    expect(found.join('\n')).toBe('');
    expect(t.control.look().misuses).toEqual([]);
    await ended(t);
  };
  it('agree with the interpreter', () => each(all.f32, ({ problem: { reference } }, out) => errors(reference, out).filter(({ error }) => !(error <= TOLERANCE)).map(({ output, error }) => `${output} differs by ${error}`)), 300_000);
  it('stored as float16 and bfloat16, have the bits of the launches alone', () => each(all.narrow, async ({ prefix, problem: { module, weights, inputs, lengths } }, out) => {
    const want = await emulate(library, prefix, module.cuda as NonNullable<typeof module.cuda>, { weights, inputs, lengths });
    return [...want].filter(([name, { data }]) => Buffer.compare(Buffer.from(data.buffer), Buffer.from(new Float32Array(out.get(name)?.data ?? []).buffer)) !== 0).map(([name]) => `${name} differs`);
  }), 300_000);
});
