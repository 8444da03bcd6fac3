/** A loaded model: `run` on whole sequences, streams that are fed step by step, on the device that was chosen at load. */
import { failure, reason, SsmcError } from './errors.js';
import { openWeights, type OpenWeights, type Weights } from './load.js';
import type { Manifest } from './manifest.js';
import type { DeviceReport, Runner } from './runner.js';
import { Stream } from './stream.js';
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
  readonly name: 'webgpu';
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
  readonly device?: 'auto' | 'webgpu' | 'wasm' | object;
  /** Where WebGPU is found, when not at `navigator.gpu`: in Node, what the package `webgpu` makes. */
  readonly gpu?: object;
  /** Refuse inputs that hold NaN or infinities. */
  readonly finite?: boolean;
}
export interface RunOptions {
  /** Steps of each row of the batch, 1 to the length of the inputs; what lies beyond is not read, and 0 in outputs. */
  readonly lengths?: ArrayLike<number>;
}

/**
 * Loads a compiled model.
 * @throws WeightsError SSM50xx, LoadError SSM52xx.
 */
export async function loadModel(manifest: Manifest, source: ModelSource, options: LoadOptions = {}): Promise<Model> {
  if (manifest.format !== 1) throw failure('SSM5203', { why: `it has format ${String(manifest.format)}, this runtime reads format 1` });
  const wanted = options.device ?? 'auto';
  const devices = source.devices ?? [];
  const name = typeof wanted === 'string' ? wanted : 'webgpu';
  const known = ['auto', ...devices.map((d) => d.name), 'wasm'];
  if (!known.includes(name)) throw failure('SSM5204', { device: name, known });
  const weights = await openWeights(options.weights ?? {});
  const passedOver: { device: string; why: string }[] = [];
  const onWasm = (): Promise<Runner> => loadWasm(manifest, source, weights);
  for (const device of devices) {
    if (name !== 'auto' && name !== device.name) continue;
    try {
      const runner = await device.load(weights, options, { manifest, load: onWasm });
      return new Model(manifest, runner, passedOver, options.finite ?? false, name === 'auto' ? onWasm : undefined);
    } catch (error) {
      // Weights that don't fit this device's model don't fit any other's.
      if (name !== 'auto' || (error instanceof SsmcError && error.code.startsWith('SSM50'))) throw error;
      passedOver.push({ device: device.name, why: reason(error) });
    }
  }
  return new Model(manifest, await onWasm(), passedOver, options.finite ?? false);
}

export class Model {
  readonly manifest: Manifest;
  #runner: Runner;
  #passedOver: DeviceReport['passedOver'];
  readonly #finite: boolean;
  /** Another device, for when this one can't be had any more. */
  readonly #fallback: (() => Promise<Runner>) | undefined;
  #moving: Promise<void> | undefined;
  #disposed = false;

  constructor(manifest: Manifest, runner: Runner, passedOver: DeviceReport['passedOver'], finite: boolean, fallback?: () => Promise<Runner>) {
    this.manifest = manifest;
    this.#runner = runner;
    this.#passedOver = passedOver;
    this.#finite = finite;
    this.#fallback = fallback;
  }
  #alive(): void {
    if (this.#disposed) throw failure('SSM5401', { what: 'model' });
  }
  get device(): DeviceReport {
    return { ...this.#runner.device, passedOver: this.#passedOver };
  }
  /** Bytes of device memory in use: constants, states and the largest tile so far. */
  get memoryBytes(): number {
    return this.#runner.bytes;
  }

  /**
   * Runs whole sequences: tensors [batch, time, …] by their names, or their elements alone for a batch of 1.
   * @throws InputError SSM51xx, DeviceError SSM55xx; the model stays usable.
   */
  async run(inputs: TensorTree<TensorInput>, options: RunOptions = {}): Promise<TensorTree> {
    this.#alive();
    const batch = readInputs(this.manifest.inputs, inputs, { finite: this.#finite, lengths: options.lengths });
    const outputs = makeOutputs(this.manifest.outputs, batch.batch, batch.time);
    const job = { ...batch, outputs };
    const runner = this.#runner;
    try {
      await runner.run(job);
    } catch (error) {
      if (!(await this.#movedOn(runner, error))) throw error;
      await this.#runner.run(job);
    }
    return nestOutputs(outputs, batch.batch, batch.time);
  }
  /** The device is gone for good: from here on, another one. Runs that waited for it together move on together. */
  async #movedOn(gone: Runner, error: unknown): Promise<boolean> {
    if (!this.#fallback || !(error instanceof SsmcError) || error.code !== 'SSM5504') return false;
    this.#alive();
    if (this.#runner === gone) await (this.#moving ??= this.#move(this.#fallback, error).finally(() => { this.#moving = undefined; }));
    this.#alive();
    return true;
  }
  async #move(fallback: () => Promise<Runner>, error: SsmcError): Promise<void> {
    const gone = this.#runner;
    const next = await fallback();
    gone.dispose();
    this.#runner = next;
    this.#passedOver = [...this.#passedOver, { device: gone.device.name, why: error.message }];
    if (this.#disposed) next.dispose();
  }

  /**
   * A sequence fed in pieces, of any sizes: the outputs are those of `run` on the whole.
   * @throws StreamError SSM5301 where the model needs the future.
   */
  stream(options: { readonly batch?: number } = {}): Stream {
    this.#alive();
    if (this.manifest.notStreamable !== undefined) throw failure('SSM5301', { why: this.manifest.notStreamable });
    const batch = options.batch ?? 1;
    if (!Number.isInteger(batch) || batch < 1) throw failure('SSM5206', { option: 'batch', want: 'a whole number from 1', got: String(batch) });
    return new Stream(this.manifest, this.#runner.sequence(batch), { batch, finite: this.#finite, device: this.#runner.device.name }, () => this.#alive());
  }
  /** Frees the memory. What is used afterwards throws a DisposedError. */
  dispose(): void {
    if (!this.#disposed) this.#runner.dispose();
    this.#disposed = true;
  }
}
