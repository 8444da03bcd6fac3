/** TensorFlow.js on WebAssembly, whose products are XNNPACK's, 128-bit SIMD and one thread. */
import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import { Unavailable, type Contestant } from '../contest.js';
import { normwiseError } from '../scan/problem.js';
import type { ProductProblem } from './problem.js';

interface Tensor {
  dataSync(): Float32Array;
  dispose(): void;
}
interface Core {
  env(): { set(flag: string, value: boolean): void };
  setBackend(name: string): Promise<boolean>;
  tensor2d(data: Float32Array, shape: readonly [number, number]): Tensor;
  matMul(a: Tensor, b: Tensor): Tensor;
}
export const tfjsName = 'tfjs wasm (XNNPACK)';

let core: Core | undefined;
/** Development dependencies: absent from installations of the package. */
async function load(): Promise<Core> {
  if (core) return core;
  const require = createRequire(import.meta.url);
  try {
    const tf = require('@tensorflow/tfjs-core') as Core;
    const backend = require('@tensorflow/tfjs-backend-wasm') as { setWasmPaths(folder: string): void };
    backend.setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm'))}${sep}`);
    tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
    if (!(await tf.setBackend('wasm'))) throw new Error('its wasm backend does not start');
    return (core = tf);
  } catch (fault) {
    throw new Unavailable(`no tfjs here (${fault instanceof Error ? fault.message.split('\n')[0] : String(fault)})`);
  }
}

export function tfjsProduct({ shape, x, transposed, y64 }: ProductProblem): Contestant {
  return {
    name: tfjsName,
    prepare: async () => {
      const tf = await load();
      const a = tf.tensor2d(x, [shape.rows, shape.from]);
      const b = tf.tensor2d(transposed, [shape.from, shape.to]);
      return {
        run: () => tf.matMul(a, b).dispose(),
        error: () => {
          const y = tf.matMul(a, b);
          const error = normwiseError(y.dataSync(), y64);
          y.dispose();
          return error;
        },
        close: () => {
          a.dispose();
          b.dispose();
        },
      };
    },
  };
}
