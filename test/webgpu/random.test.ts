import { describe, expect, it } from 'vitest';
import { loadModel } from '../../src/runtime/index.js';
import { webgpu } from '../../src/runtime/webgpu/index.js';
import { runModel } from '../../src/cli/tensors.js';
import { compileText, errors, problem, TOLERANCE } from '../random/agree.js';
import { randomSpec } from '../random/generate.js';
import { gpu, missing } from './device.js';

const seed = Number(process.env['SEED'] ?? 0);
const count = Number(process.env['COUNT'] ?? 300);

/** What differs from the interpreter by more than the tolerance, in words. */
async function differences(s: number): Promise<string[]> {
  const { text } = randomSpec(s);
  const { module, weights, inputs, lengths, reference } = problem(compileText(text, 'auto', true), s);
  const { webgpu: made } = module;
  if (!made) throw new Error('no kernels for WebGPU');
  const device = webgpu({ plan: made, wgsl: { text: made.wgsl } });
  const model = await loadModel(module.manifest, { wasm: module.wasm, devices: [device] }, { weights: Object.fromEntries(weights), device: 'webgpu', gpu });
  const out = await runModel(model, inputs, lengths);
  model.dispose();
  return errors(reference, out).filter(({ error }) => !(error <= TOLERANCE)).map(({ output, error }) => `seed ${s}: ${output} differs by ${error}\n${text}`);
}

describe.skipIf(missing !== undefined)(`random programs, seeds ${seed} to ${seed + count - 1}, on WebGPU and the interpreter`, () => {
  const share = 50;
  for (let from = seed; from < seed + count; from += share) {
    it(`seeds ${from} to ${Math.min(from + share, seed + count) - 1}`, async () => {
      const found: string[] = [];
      for (let s = from; s < Math.min(from + share, seed + count); s++) {
        found.push(...(await differences(s).catch((error: unknown) => [`seed ${s}: ${error instanceof Error ? error.stack : String(error)}\n${randomSpec(s).text}`])));
      }
      expect(found.join('\n')).toBe('');
    }, 1_200_000);
  }
});
