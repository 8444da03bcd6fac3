/** A loaded model: `run` on whole sequences, streams that are fed step by step, on the device that was chosen at load. */
import { failure, reason, type SsmcError } from './errors.js';
import { openWeights, type OpenWeights, type Weights } from './load.js';
import type { Manifest } from './manifest.js';
import type { DeviceReport, Runner } from './runner.js';
import { makeStream, type Stream } from './stream.js';
import { makeOutputs, nestOutputs, readInputs, type TensorInput, type TensorTree } from './tensors.js';
import { loadWasm, type ModuleSource } from './wasm-runner.js';

export type { ModuleSource } from './wasm-runner.js';
export type { DeviceReport } from './runner.js';

export interface ModelSource {
  readonly wasm: ModuleSource;
  /** The same kernels with relaxed SIMD: taken where the engine has it. */
  readonly relaxed?: ModuleSource;
  /** Other devices than wasm, the preferred ones first. */
  readonly devices?: readonly DeviceSource[];
}
/** A device that the module was compiled for. What it needs is fetched only when it is tried. */
export interface DeviceSource {
  readonly name: 'webgpu' | 'cuda';
  /** @throws LoadError SSM5207 where the device can't be used here. */
  readonly load: (weights: OpenWeights, options: LoadOptions, reference: Reference) => Promise<Runner>;
}
/** The same model on wasm: what a device's results can be held against. */
export interface Reference {
  readonly manifest: Manifest;
  readonly load: () => Promise<Runner>;
}
export interface LoadOptions {
  /** A safetensors file (path, URL or bytes), or tensors by name. */
  readonly weights?: Weights;
  /** `auto`: the first that works; or one by name; or a GPUDevice of yours, which stays yours. */
  readonly device?: 'auto' | 'cuda' | 'webgpu' | 'wasm' | object;
  /** Where WebGPU is found, when not at `navigator.gpu`: in Node, what the package `webgpu` makes. */
  readonly gpu?: object;
  /** Which CUDA device, from 0; and the files of the driver and of NVRTC, where they lie elsewhere than libraries do. */
  readonly cuda?: { readonly device?: number; readonly driver?: string; readonly nvrtc?: string };
  /** Refuse inputs that hold NaN or infinities. */
  readonly finite?: boolean;
}
export interface RunOptions {
  /** Steps of each row of the batch, 1 to the length of the inputs; what lies beyond is not read, and 0 in outputs. */
  readonly lengths?: ArrayLike<number>;
}

export interface Model {
  readonly manifest: Manifest;
  readonly device: DeviceReport;
  /** Bytes of device memory in use: constants, states and the largest tile so far. */
  readonly memoryBytes: number;
  /**
   * Runs whole sequences: tensors [batch, time, …] by their names, or their elements alone for a batch of 1.
   * @throws InputError SSM51xx, DeviceError SSM55xx; the model stays usable.
   */
  run(inputs: TensorTree<TensorInput>, options?: RunOptions): Promise<TensorTree>;
  /**
   * A sequence fed in pieces, of any sizes: the outputs are those of `run` on the whole.
   * @throws StreamError SSM5301 where the model needs the future.
   */
  stream(options?: { readonly batch?: number }): Stream;
  /** Frees the memory. What is used afterwards throws a DisposedError. */
  dispose(): void;
}

/**
 * Loads a compiled model.
 * @throws WeightsError SSM50xx, LoadError SSM52xx.
 */
export async function loadModel(manifest: Manifest, source: ModelSource, options: LoadOptions = {}): Promise<Model> {
  if (manifest.format !== 1) throw failure(5203, { why: `it has format ${manifest.format as number}, this runtime reads format 1` });
  const { device = 'auto', finite } = options;
  const { devices = [] } = source;
  const name = typeof device === 'string' ? device : 'webgpu';
  const auto = name === 'auto';
  const known = ['auto', ...devices.map((d) => d.name), 'wasm'];
  if (!known.includes(name)) throw failure(5204, { device: name, known });
  const weights = await openWeights(options.weights ?? {});
  const passedOver: DeviceReport['passedOver'][number][] = [];
  const load = (): Promise<Runner> => loadWasm(manifest, source, weights);
  for (const d of devices) {
    if (!auto && name !== d.name) continue;
    try {
      return makeModel(manifest, await d.load(weights, options, { manifest, load }), passedOver, finite, auto ? load : undefined);
    } catch (error) {
      // Weights that don't fit this device's model don't fit any other's.
      if (!auto || codeOf(error).startsWith('SSM50')) throw error;
      passedOver.push({ device: d.name, why: reason(error) });
    }
  }
  return makeModel(manifest, await load(), passedOver, finite);
}
const codeOf = (error: unknown): string => String((error as Partial<SsmcError> | undefined)?.code);

/** `fallback`: wasm, which holds nothing that must be freed, for when this device can't be had any more. */
function makeModel(manifest: Manifest, runner: Runner, passedOver: DeviceReport['passedOver'], finite: boolean | undefined, fallback?: () => Promise<Runner>): Model {
  let disposed = false;
  let moving: Promise<void> | undefined;
  const alive = (): void => {
    if (disposed) throw failure(5401, { what: 'model' });
  };
  /** The device is gone for good: from here on, another one. Runs that waited for it together move on together. */
  const moveOn = async (gone: Runner, error: unknown): Promise<void> => {
    if (!fallback || codeOf(error) !== 'SSM5504') throw error;
    alive();
    if (runner === gone) await (moving ??= fallback().then((next) => {
      gone.dispose();
      runner = next;
      passedOver = [...passedOver, { device: gone.device.name, why: reason(error) }];
    }).finally(() => (moving = undefined)));
    alive();
  };
  return {
    manifest,
    get device() {
      return { ...runner.device, passedOver };
    },
    get memoryBytes() {
      return runner.bytes();
    },
    async run(inputs, { lengths } = {}) {
      alive();
      const batch = readInputs(manifest.inputs, inputs, { finite, lengths });
      const outputs = makeOutputs(manifest.outputs, batch);
      const job = { ...batch, outputs };
      const first = runner;
      try {
        await first.run(job);
      } catch (error) {
        await moveOn(first, error);
        await runner.run(job);
      }
      return nestOutputs(outputs, batch);
    },
    stream({ batch = 1 } = {}) {
      alive();
      if (manifest.notStreamable !== undefined) throw failure(5301, { why: manifest.notStreamable });
      if (!Number.isInteger(batch) || batch < 1) throw failure(5206, { option: 'batch', want: 'a whole number from 1', got: String(batch) });
      return makeStream(manifest, runner.sequence(batch), { batch, finite, device: runner.device.name }, alive);
    },
    dispose() {
      if (!disposed) runner.dispose();
      disposed = true;
    },
  };
}
