import { describe, expect, it } from 'vitest';
import { loadModel } from '../../src/runtime/index.js';
import { webgpu } from '../../src/runtime/webgpu/index.js';
import { runModel } from '../../src/cli/tensors.js';
import { compileText, errors, problem, TOLERANCE } from '../random/agree.js';
import { randomSpec } from '../random/generate.js';
import { gpu, many, missing } from './device.js';

const seed = Number(process.env['SEED'] ?? 0);
const count = Number(process.env['COUNT'] ?? 300);

/** `chosen`: on a device that many threads fill. */
type Way = 'auto' | 'serial' | 'chunked' | 'chosen';
/** What differs from the interpreter by more than the tolerance, in words. A strategy that a program doesn't allow has nothing to differ. */
async function differences(s: number, strategy: Way = 'auto'): Promise<string[]> {
  const { text } = randomSpec(s);
  const compiled = compileText(text, strategy === 'chosen' ? 'auto' : strategy, true);
  if (strategy === 'chunked' && !compiled.module && compiled.diagnostics.some((d) => d.code === 'SSM4101')) return [];
  const { module, weights, inputs, lengths, reference } = problem(compiled, s);
  const { webgpu: made } = module;
  if (!made) throw new Error('no kernels for WebGPU');
  const device = webgpu({ plan: made, wgsl: { text: made.wgsl } });
  const model = await loadModel(module.manifest, { wasm: module.wasm, devices: [device] }, { weights: Object.fromEntries(weights), device: 'webgpu', gpu: strategy === 'chosen' ? many : gpu });
  const out = await runModel(model, inputs, lengths);
  model.dispose();
  return errors(reference, out).filter(({ error }) => !(error <= TOLERANCE)).map(({ output, error }) => `seed ${s}, ${strategy}: ${output} differs by ${error}\n${text}`);
}

describe.skipIf(missing !== undefined)(`random programs, seeds ${seed} to ${seed + count - 1}, on WebGPU and the interpreter`, () => {
  const check = async (from: number, to: number, strategy: Way): Promise<void> => {
    const found: string[] = [];
    for (let s = from; s < to; s++) {
      found.push(...(await differences(s, strategy).catch((error: unknown) => [`seed ${s}, ${strategy}: ${error instanceof Error ? error.stack : String(error)}\n${randomSpec(s).text}`])));
    }
    expect(found.join('\n')).toBe('');
  };
  const share = 50;
  for (let from = seed; from < seed + count; from += share) {
    it(`seeds ${from} to ${Math.min(from + share, seed + count) - 1}`, () => check(from, Math.min(from + share, seed + count), 'auto'), 1_200_000);
  }
  // The sizes of random programs are those for which chunks are chosen, on a device that many threads fill; each strategy is asked for, too.
  const some = Math.ceil(count / 5);
  for (const strategy of ['chosen', 'chunked', 'serial'] as const) it(`${strategy}, seeds ${seed} to ${seed + some - 1}`, () => check(seed, seed + some, strategy), 1_200_000);
});
