import { describe, expect, it } from 'vitest';
import { initialise } from '../../src/interpreter/initialise.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { move } from '../../src/runtime/copies.js';
import { invert } from '../../src/runtime/inverse.js';
import { ensure, loadLayout } from '../../src/runtime/layout.js';
import { callKernel, compileModule, instantiate } from '../../src/runtime/load.js';
import type { CompiledModule } from '../../src/compile.js';
import type { Doubles } from '../../src/cli/tensors.js';
import { compileText } from '../random/agree.js';
import { systems } from './convolution-systems.js';

/** What load-time kernels leave in their scratch, before it is rounded: a float64 buffer by the end of its name. */
async function scratch({ manifest, wasm }: CompiledModule, weights: ReadonlyMap<string, Doubles>, name: string): Promise<Float64Array> {
  const { addresses, bytes } = loadLayout(manifest);
  const memory = new WebAssembly.Memory({ initial: 1 });
  ensure(memory, bytes);
  const exports = instantiate(await compileModule(wasm), memory);
  const doubles = (buffer: number): Float64Array => new Float64Array(memory.buffer, addresses[buffer]);
  for (const w of manifest.weights) move(false, doubles(w.place.buffer), 0, 0, w.place, (weights.get(w.name) as Doubles).data as Float64Array, 0, 1);
  for (const l of manifest.load) {
    if (l.kind === 'inverse') invert(doubles(l.from), doubles(l.to), l.count, l.size, l.name);
    else if (l.kind === 'kernel') callKernel(l, exports, addresses, {});
  }
  const id = manifest.buffers.findIndex((b) => b.name.endsWith(name));
  const buffer = manifest.buffers[id];
  if (buffer?.kind !== 'load') throw new Error(`no scratch ${name}`);
  return doubles(id).slice(0, buffer.size);
}

describe.each(Object.entries(systems))('%s', (_, text) => {
  it.each([4, 16, 64])('N = %i: its kernel is what the recurrence answers to a unit impulse, to 1e-10', async (n) => {
    const { module, program } = compileText(text(n), 'convolution');
    if (!module || !program) throw new Error('not compiled');
    const weights = new Map([...initialise(program, 1)].map(([name, t]) => [name, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
    const kernel = await scratch(module, weights, '#kernel');
    const [length, channels] = [(module.manifest.tile), 6];
    const steps = 1500;
    const names = module.manifest.inputs.map((i) => i.name);
    names.forEach((name, i) => {
      const inputs = new Map(names.map((other) => [other, { shape: [1, steps, channels], data: Float64Array.from({ length: steps * channels }, (__, k) => (other === name && k < channels ? 1 : 0)) }]));
      const y = interpret(program, weights, inputs).outputs.get('y')?.data as Float64Array;
      const rows = names.length;
      const largest = y.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
      let worst = 0;
      for (let o = 0; o < rows; o++) for (let d = 0; d < channels; d++) for (let t = 0; t < steps; t++) {
        const k = kernel[((o * rows + i) * channels + d) * (length + 1) + t] as number;
        worst = Math.max(worst, Math.abs(k - (y[(t * rows + o) * channels + d] as number)));
      }
      expect(worst / largest).toBeLessThan(1e-10);
    });
  });
});
