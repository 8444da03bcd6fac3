/** Float64 memory of load-time kernels, for tests of what is made before it is rounded. */
import { move } from '../../src/runtime/copies.js';
import { invert } from '../../src/runtime/inverse.js';
import { ensure, loadLayout } from '../../src/runtime/layout.js';
import { callKernel, compileModule, instantiate } from '../../src/runtime/load.js';
import type { CompiledModule } from '../../src/compile.js';
import type { Doubles } from '../../src/cli/tensors.js';

/** What load-time kernels leave in their scratch, before it is rounded: a float64 buffer by the end of its name. */
export async function scratch({ manifest, wasm }: CompiledModule, weights: ReadonlyMap<string, Doubles>, name: string): Promise<Float64Array> {
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
