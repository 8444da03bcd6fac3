/** States shared out among invocations, which tell each other through the workgroup's memory: against the interpreter, and the bits that must not differ. */
import { describe, expect, it } from 'vitest';
import { runModel } from '../../src/cli/tensors.js';
import { loadModel } from '../../src/runtime/index.js';
import { webgpu } from '../../src/runtime/webgpu/index.js';
import { compileText, errors, problem, TOLERANCE } from '../random/agree.js';
import { sharedStates } from '../random/shared-states.js';
import { gpu, missing } from './device.js';

/** Invocations that each scan's points are to have. */
const lanesOf: Readonly<Record<string, number>> = { 'no runs of four': 1, 'all lanes of a warp': 4, 'the states given out': 1, 'three hundred states': 1, 'coupled chains': 4 };
/** With sequences of 70, 7, 130 and 70 steps. */
const SEEDS = [1, 3, 5, 6];

describe.skipIf(missing !== undefined)('states shared out among invocations', () => {
  it.each(sharedStates(64))('%s', async (name, body) => {
    const compiled = compileText(`model M {\n${body}}\n`, 'auto', true);
    for (const seed of SEEDS) {
      const { module, weights, inputs, lengths, reference } = problem(compiled, seed);
      const { webgpu: made } = module;
      if (!made) throw new Error('no kernels for WebGPU');
      // The kernel in the order of time, which is this device's.
      const scans = [...made.schedule.kernelsOf].filter(([stage]) => stage.anchor === 'scan').map(([, [{ grid } = {}]]) => (grid ? grid.threads / grid.groups.per : 0));
      expect(scans).toContain(lanesOf[name] ?? 2);
      const model = await loadModel(module.manifest, { wasm: module.wasm, devices: [webgpu({ plan: made, wgsl: { text: made.wgsl } })] }, { weights: Object.fromEntries(weights), device: 'webgpu', gpu });
      for (const { output, error } of errors(reference, await runModel(model, inputs, lengths))) expect(error, `${output}, seed ${seed}`).toBeLessThanOrEqual(TOLERANCE);
      model.dispose();
    }
  }, 120_000);
});
