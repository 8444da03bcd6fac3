/** A loaded model: `run` on whole sequences, streams that are fed step by step. */
import { Engine, type Occupant } from './engine.js';
import { failure, reason } from './errors.js';
import { fetchBytes, type UrlLike } from './files.js';
import { slotRows } from './layout.js';
import { compileModule, computeConstants, openWeights, type Weights } from './load.js';
import type { Manifest } from './manifest.js';
import { Stream } from './stream.js';
import { makeOutputs, nestOutputs, readInputs, type Bound, type TensorInput, type TensorTree } from './tensors.js';

/** The bytes of a module, or where they are. */
export type ModuleSource = Uint8Array | WebAssembly.Module | string | UrlLike;
export interface ModelSource {
  readonly wasm: ModuleSource;
  /** The same kernels with relaxed SIMD: taken where the engine has it. */
  readonly relaxed?: ModuleSource;
}
export interface LoadOptions {
  /** A safetensors file (path, URL or bytes), or tensors by name. */
  readonly weights?: Weights;
  readonly device?: 'auto' | 'wasm';
  /** Refuse inputs that hold NaN or infinities. */
  readonly finite?: boolean;
}
export interface RunOptions {
  /** Steps of each row of the batch, 1 to the length of the inputs; what lies beyond is not read, and 0 in outputs. */
  readonly lengths?: ArrayLike<number>;
}
export interface DeviceReport {
  readonly name: 'wasm';
  readonly relaxed: boolean;
  /** Devices that would have been preferred, and why each was not taken. */
  readonly passedOver: readonly { readonly device: string; readonly why: string }[];
}

/** Bytes of activations above which a batch is taken in groups of rows. */
const GROUP_BYTES = 64 * 2 ** 20;

/**
 * Loads a compiled model.
 * @throws WeightsError SSM50xx, LoadError SSM52xx.
 */
export async function loadModel(manifest: Manifest, source: ModelSource, options: LoadOptions = {}): Promise<Model> {
  if (manifest.format !== 1) throw failure('SSM5203', { why: `it has format ${String(manifest.format)}, this runtime reads format 1` });
  const device = options.device ?? 'auto';
  if (device !== 'auto' && device !== 'wasm') throw failure('SSM5204', { device: String(device), known: ['auto', 'wasm'] });
  const { module, relaxed } = await openModule(source);
  const weights = await openWeights(options.weights ?? {});
  return new Model(manifest, new Engine(manifest, module, computeConstants(manifest, module, weights)), { name: 'wasm', relaxed, passedOver: [] }, options.finite ?? false);
}
async function openModule(source: ModelSource): Promise<{ module: WebAssembly.Module; relaxed: boolean }> {
  if (source.relaxed !== undefined) {
    const bytes = await moduleBytes(source.relaxed);
    if (bytes instanceof WebAssembly.Module) return { module: bytes, relaxed: true };
    if (WebAssembly.validate(bytes as Uint8Array<ArrayBuffer>)) return { module: await compileModule(bytes), relaxed: true };
  }
  const bytes = await moduleBytes(source.wasm);
  return { module: bytes instanceof WebAssembly.Module ? bytes : await compileModule(bytes), relaxed: false };
}
async function moduleBytes(from: ModuleSource): Promise<Uint8Array | WebAssembly.Module> {
  if (from instanceof WebAssembly.Module || ArrayBuffer.isView(from)) return from as Uint8Array | WebAssembly.Module;
  try {
    return await fetchBytes(from as string | UrlLike);
  } catch (error) {
    throw failure('SSM5201', { from: `\`${typeof from === 'string' ? from : (from as UrlLike).href}\``, why: reason(error) }, error);
  }
}

export class Model {
  readonly manifest: Manifest;
  readonly device: DeviceReport;
  readonly #engine: Engine;
  readonly #finite: boolean;
  readonly #occupant: Occupant = { evict: () => undefined };
  #disposed = false;

  constructor(manifest: Manifest, engine: Engine, device: DeviceReport, finite: boolean) {
    this.manifest = manifest;
    this.device = device;
    this.#engine = engine;
    this.#finite = finite;
  }
  #alive(): void {
    if (this.#disposed) throw failure('SSM5401', { what: 'model' });
  }
  /** Bytes of WebAssembly memory in use: constants, states and the largest tile so far. */
  get memoryBytes(): number {
    return this.#engine.bytes;
  }

  /**
   * Runs whole sequences: tensors [batch, time, …] by their names, or their elements alone for a batch of 1.
   * @throws InputError SSM51xx; the model stays usable.
   */
  async run(inputs: TensorTree<TensorInput>, options: RunOptions = {}): Promise<TensorTree> {
    this.#alive();
    const batch = readInputs(this.manifest.inputs, inputs, { finite: this.#finite, lengths: options.lengths });
    const outputs = makeOutputs(this.manifest.outputs, batch.batch, batch.time);
    const group = this.#groupRows(batch.time);
    for (let from = 0; from < batch.batch; from += group) {
      this.#runRows({ inputs: batch.inputs, outputs, time: batch.time, lengths: batch.lengths }, { from, count: Math.min(group, batch.batch - from) });
    }
    this.#engine.leave(this.#occupant);
    return nestOutputs(outputs, batch.batch, batch.time);
  }
  #runRows(job: { inputs: readonly Bound[]; outputs: readonly Bound[]; time: number; lengths: Int32Array }, rows: { from: number; count: number }): void {
    let longest = 0;
    for (let b = 0; b < rows.count; b++) longest = Math.max(longest, job.lengths[rows.from + b] as number);
    const steps = Math.min(longest, this.#tileSteps(longest));
    this.#engine.enter(this.#occupant, rows.count, steps);
    this.#engine.begin(job.inputs, rows);
    for (let at = 0; at < longest; at += steps) this.#engine.step({ ...job, rows, at, steps: Math.min(steps, longest - at), t0: at });
    this.#engine.finish(job.outputs, rows);
  }
  #tileSteps(longest: number): number {
    return this.manifest.notStreamable === undefined ? this.manifest.tile : longest;
  }
  #groupRows(time: number): number {
    const bytes = 4 * slotRows(this.manifest).reduce((a, b) => a + b, 0) * Math.min(time, this.#tileSteps(time));
    return Math.max(1, Math.floor(GROUP_BYTES / Math.max(1, bytes)));
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
    return new Stream(this.manifest, this.#engine, batch, this.#finite, () => this.#alive());
  }
  /** Frees the memory. What is used afterwards throws a DisposedError. */
  dispose(): void {
    this.#disposed = true;
  }
}
