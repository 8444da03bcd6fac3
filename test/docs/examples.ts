/** Runs the examples of errors at run time as they stand on the page: each in a function of its own, given what the page says it is given. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile } from '../../src/compile.js';
import { cuda } from '../../src/runtime/cuda/index.js';
import { cuda as inBrowser } from '../../src/runtime/cuda/browser.js';
import { loadModel, readSafetensors, writeSafetensors, type LoadOptions, type Model, type ModelSource } from '../../src/runtime/index.js';
import { webgpu } from '../../src/runtime/webgpu/index.js';
import { options as compilerOptions } from '../../targets/cuda/index.js';
import { buildKernels, missing as noDriver, tools, type Control } from '../cuda/driver/tools.js';
import { std } from '../random/agree.js';
import { gpu, missing as noGpu } from '../webgpu/device.js';
import { preludeOf, spec as plain, type RuntimeCase } from './runtime-cases.js';

type On = NonNullable<RuntimeCase['on']>;
/** Why an example can't run here. */
export function cannotRun(on: RuntimeCase['on']): string | undefined {
  if (on === undefined || on === 'browser') return undefined;
  return process.env['QUICK'] === undefined ? on.startsWith('webgpu') ? noGpu : noDriver : 'no time for GPUs in the quick loop';
}
function moduleOf(spec: string, on: RuntimeCase['on']): NonNullable<ReturnType<typeof compile>['module']> {
  const { module, diagnostics } = compile('spec.ssm', { std, read: () => spec }, { specHash: `${spec.length}${on ?? ''}`, webgpu: on?.startsWith('webgpu') ?? false, cuda: on?.startsWith('cuda') ?? false, storage: on === 'webgpu f16' ? 'f16' : 'f32' });
  if (!module) throw new Error(diagnostics.map((d) => d.text).join('\n'));
  return module;
}
interface Given {
  readonly devices: NonNullable<ModelSource['devices']>;
  /** More names that the example may use. */
  readonly names: Readonly<Record<string, unknown>>;
  readonly end: () => void;
}
type Compiled = ReturnType<typeof moduleOf>;
const onWebGpu = ({ webgpu: made }: Compiled): Given => {
  if (!made) throw new Error('no kernels for WebGPU');
  const plan = { plan: made, wgsl: { text: made.wgsl }, variants: [] };
  return { devices: [webgpu(plan)], names: { gpu, plan, webgpu }, end: () => undefined };
};
async function onCuda({ cuda: made }: Compiled, arch: string): Promise<Given> {
  if (!made) throw new Error('no kernels for CUDA');
  const { driver } = await tools();
  const kernels = await buildKernels(made.source);
  const folder = mkdtempSync(join(tmpdir(), 'ssmc-driver-'));
  // A driver's version is asked for once: the older one is another file.
  const older = join(folder, 'older.node');
  copyFileSync(driver, older);
  const require = createRequire(import.meta.url);
  (require(older) as Control).set('version', 11030);
  (require(driver) as Control).set('capability', 80);
  const device = cuda({ manifest: made.manifest, load: made.load, source: { text: made.source }, options: compilerOptions, images: [{ arch, ptx: kernels.image(`ptx:${arch}`), cubin: kernels.image(arch) }] });
  return { devices: [device], names: { driver, older }, end: () => { rmSync(folder, { recursive: true }); kernels.dispose(); (require(driver) as Control).reset(); } };
}
const settings: Readonly<Record<On, (module: Compiled) => Given | Promise<Given>>> = {
  webgpu: onWebGpu, 'webgpu f16': onWebGpu, cuda: (m) => onCuda(m, 'sm_80'), 'cuda sm_90': (m) => onCuda(m, 'sm_90'), browser: () => ({ devices: [inBrowser()], names: {}, end: () => undefined }),
};
/** A file with one tensor of this dtype, as the page says: elements of a byte, all 0. */
function stored(dtype: string, elements: number): Uint8Array {
  const header = new TextEncoder().encode(JSON.stringify({ a: { dtype, shape: [elements], data_offsets: [0, elements] } }));
  const bytes = new Uint8Array(8 + header.length + elements);
  new DataView(bytes.buffer).setUint32(0, header.length, true);
  bytes.set(header, 8);
  return bytes;
}

/** Rejects with what the example throws. */
export async function runExample(of: RuntimeCase, body: string): Promise<void> {
  const { spec = plain, on } = of;
  const module = moduleOf(spec, on);
  const { manifest, wasm } = module;
  const given = on === undefined ? undefined : await settings[on](module);
  const models: Model[] = [];
  const load = async (...args: Parameters<typeof loadModel>): Promise<Model> => {
    const model = await loadModel(...args);
    models.push(model);
    return model;
  };
  // What stands before is run on wasm, whatever the example is given.
  const Pair = { load: (options: LoadOptions): Promise<Model> => load(manifest, { wasm, devices: given && options.device !== undefined ? given.devices : [] }, options) };
  const first = moduleOf(plain, undefined);
  const saved = (await load(first.manifest, { wasm: first.wasm }, { weights: { a: { data: new Float32Array(2).fill(0.5), shape: [2] } } })).stream().save();
  const names: Readonly<Record<string, unknown>> = { Pair, loadModel: load, manifest, kernels: wasm, readSafetensors, writeSafetensors, stored, saved, ...given?.names };
  try {
    await (new Function(...Object.keys(names), `return (async () => { ${preludeOf(of)}\n${body}\n })()`) as (...values: unknown[]) => Promise<unknown>)(...Object.values(names));
  } finally {
    for (const m of models) m.dispose();
    given?.end();
  }
}
