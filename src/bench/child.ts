/**
 * Our own contestants that need a process of their own: relaxed SIMD, which Node 20 has behind a flag, and the peak memory of a model.
 * Speaks the peers' protocol (peer-process.ts): `child.js scan|model ORDER RESULT`, the order being JSON.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { loadModel, type Manifest, type TensorInput, type TensorTree } from '../runtime/index.js';
import { clock } from './clock.js';
import { randomInputs, type Sizes } from './models/description.js';
import { beginPeak, resident } from './resident.js';
import { ourScanReady } from './scan/ours.js';
import { scanInputs, type ScanShape } from './scan/problem.js';

interface Performer {
  readonly run: () => void | Promise<void>;
  readonly result: () => Float32Array;
  /** Resident before anything was loaded. */
  readonly before?: number | undefined;
}
interface ModelOrder {
  readonly manifest: Manifest;
  readonly wasm: string;
  readonly weights: string;
  readonly sizes: Sizes;
  readonly batch: number;
  readonly steps: number;
}

async function scan({ shape }: { readonly shape: ScanShape }): Promise<Performer> {
  return ourScanReady(scanInputs(shape), true);
}
async function model({ manifest, wasm, weights, sizes, batch, steps }: ModelOrder): Promise<Performer> {
  const before = beginPeak();
  const loaded = await loadModel(manifest, { wasm }, { weights });
  const tensors = randomInputs(sizes, batch, steps);
  const inputs: TensorTree<TensorInput> = Object.fromEntries(sizes.modalities.map(({ name, features }, m) => [name, { data: tensors[m] as Float32Array, shape: [batch, steps, features] }]));
  let last = new Float32Array();
  return {
    before, result: () => last,
    run: async () => {
      last = (Object.values(await loaded.run(inputs))[0] as { data: Float32Array<ArrayBuffer> }).data;
    },
  };
}

const [kind, source, target] = process.argv.slice(2) as [string, string, string];
const order: unknown = JSON.parse(readFileSync(source, 'utf8'));
const { run, result, before } = kind === 'scan' ? await scan(order as { shape: ScanShape }) : await model(order as ModelOrder);
for await (const line of createInterface({ input: process.stdin })) {
  if (line.startsWith('run')) {
    const start = clock();
    await run();
    console.log(clock() - start);
  } else if (line.startsWith('memory')) {
    const peak = resident('VmHWM');
    console.log(before === undefined || peak === undefined ? 'unknown' : peak - before);
  } else {
    const y = result();
    writeFileSync(target, new Uint8Array(y.buffer, y.byteOffset, y.byteLength));
    console.log('saved');
  }
}
