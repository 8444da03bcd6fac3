/** The transforms of convolutions alone, against npm's fft.js: complex, of 4096 points, four signals. */
import { wasm } from '../../../targets/wasm/index.js';
import type { Int, Kernel, Value } from '../../ir/kernel.js';
import { Fft, tableSize, type Points } from '../../passes/schedule/convolution/fft.js';
import { iadd, imul, int } from '../../passes/schedule/ints.js';
import { Writer } from '../../passes/schedule/writer.js';
import { Unavailable, type Contestant } from '../contest.js';
import { race } from '../rounds.js';
import { filled, normwiseError, numbers } from '../scan/problem.js';

const SIZE = 4096;
const LANES = 4;
const ourName = 'ssmc, wasm simd128: a transform of four signals';
const peerName = 'fft.js: four transforms';

function kernel(): Kernel {
  const w = new Writer(['y'], []);
  const at = (k: Int): Int => imul(k, 2 * LANES);
  const load = (buffer: string) => (k: Int) => ({ re: vector(buffer, at(k)), im: vector(buffer, iadd(at(k), int(LANES))) });
  const points: Points = {
    load: load('y'),
    store: (k, z) => { w.store('y', at(k), z.re, 'vector'); w.store('y', iadd(at(k), int(LANES)), z.im, 'vector'); },
  };
  const uniform = (k: Int): Value => ({ kind: 'load', buffer: 'twiddles', at: k, access: 'uniform' });
  new Fft(w, SIZE, (k) => ({ re: uniform(imul(k, 2)), im: uniform(iadd(imul(k, 2), int(1))) })).plain(load('x'), points);
  const buffer = (name: string, access: 'read' | 'read-write') => ({ kind: 'buffer' as const, name, element: 'f32' as const, access });
  return { name: 'fft', precision: 'f32', body: w.body, parameters: [buffer('x', 'read'), buffer('twiddles', 'read'), buffer('y', 'read-write')] };
}
const vector = (buffer: string, at: Int): Value => ({ kind: 'load', buffer, at, access: 'vector' });

/** [signal][point][re, im] */
function signals(): Float32Array[] {
  const random = numbers(99);
  return Array.from({ length: LANES }, () => filled(2 * SIZE, () => 2 * random() - 1));
}
/** By the definition, in float64: the first bins of the first signal. */
const BINS = 64;
function reference(x: Float32Array): Float64Array {
  const out = new Float64Array(2 * BINS);
  for (let f = 0; f < BINS; f++) for (let j = 0; j < SIZE; j++) {
    const angle = (-2 * Math.PI * ((f * j) % SIZE)) / SIZE;
    const [re, im] = [x[2 * j] as number, x[2 * j + 1] as number];
    out[2 * f] = (out[2 * f] as number) + re * Math.cos(angle) - im * Math.sin(angle);
    out[2 * f + 1] = (out[2 * f + 1] as number) + re * Math.sin(angle) + im * Math.cos(angle);
  }
  return out;
}
/** Where bin f stands: its digits of 4, the lowest first. */
function position(f: number): number {
  let at = 0;
  for (let n = SIZE, rest = f; n > 1; n /= 4, rest = Math.floor(rest / 4)) at = 4 * at + (rest % 4);
  return at;
}

function ours(all: readonly Float32Array[]): Contestant {
  return {
    name: ourName,
    prepare: async () => {
      const [x, twiddles, y] = [1024, 1024 + 8 * LANES * SIZE + 4096, 1024 + 8 * LANES * SIZE + 4096 + 8 * tableSize(SIZE) + 4096];
      const memory = new WebAssembly.Memory({ initial: 16 });
      const { instance } = await WebAssembly.instantiate(wasm.emit([kernel()], { relaxed: false }) as Uint8Array<ArrayBuffer>, { env: { memory } });
      const floats = new Float32Array(memory.buffer);
      for (let k = 0; k < SIZE; k++) {
        floats[twiddles / 4 + 2 * k] = Math.cos((2 * Math.PI * k) / SIZE);
        floats[twiddles / 4 + 2 * k + 1] = -Math.sin((2 * Math.PI * k) / SIZE);
        all.forEach((s, lane) => [0, 1].forEach((part) => { floats[x / 4 + 2 * LANES * k + LANES * part + lane] = s[2 * k + part] as number; }));
      }
      const fft = instance.exports['fft'] as (x: number, twiddles: number, y: number) => void;
      return {
        run: () => fft(x, twiddles, y),
        error: () => {
          fft(x, twiddles, y);
          return normwiseError(Float32Array.from({ length: 2 * BINS }, (_, i) => floats[y / 4 + 2 * LANES * position(i >> 1) + LANES * (i & 1)] as number), reference(all[0] as Float32Array));
        },
      };
    },
  };
}
interface Peer {
  createComplexArray(): number[];
  transform(out: number[], data: readonly number[]): void;
}
function peer(all: readonly Float32Array[]): Contestant {
  return {
    name: peerName,
    prepare: async () => {
      const made = await import('fft.js' as string).catch(() => { throw new Unavailable('fft.js is not installed'); }) as { readonly default: new (size: number) => Peer };
      const fft = new made.default(SIZE);
      const inputs = all.map((x) => [...x]);
      const out = fft.createComplexArray();
      return {
        run: () => { for (const x of inputs) fft.transform(out, x); },
        error: () => {
          fft.transform(out, inputs[0] as number[]);
          return normwiseError(Float32Array.from(out.slice(0, 2 * BINS)), reference(all[0] as Float32Array));
        },
      };
    },
  };
}

export const fft = race('convolution/fft', `complex Fourier transforms of ${SIZE} points`, () => {
  const all = signals();
  return { ours: ourName, contestants: [ours(all), peer(all)], goals: [{ peer: peerName, ours: ourName, atLeast: 3 }], flops: 5 * LANES * SIZE * Math.log2(SIZE), notes: ['a run is four transforms; the operations are 5·n·log2 n each'] };
});
