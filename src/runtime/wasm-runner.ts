/** A model on WebAssembly: one engine, on which runs and streams take turns. */
import { Engine, type Occupant } from './engine.js';
import { failure, reason } from './errors.js';
import { fetchBytes, type UrlLike } from './files.js';
import { slotRows } from './layout.js';
import { compileModule, computeConstants, type OpenWeights, type WasmModule } from './load.js';
import type { Manifest } from './manifest.js';
import type { Job, Runner, Sequence } from './runner.js';

/** The bytes of a module, or where they are. */
export type ModuleSource = Uint8Array | WasmModule | string | UrlLike;

/** Bytes of activations above which a batch is taken in groups of rows. */
const GROUP_BYTES = 64 * 2 ** 20;

/** @throws LoadError SSM5201, SSM5202, SSM5205, WeightsError SSM5004, SSM5005, SSM5008. */
export async function loadWasm(manifest: Manifest, source: { readonly wasm: ModuleSource; readonly relaxed?: ModuleSource }, weights: OpenWeights): Promise<Runner> {
  const { module, relaxed } = await openModule(source);
  return new WasmRunner(new Engine(manifest, module, computeConstants(manifest, module, weights)), relaxed);
}
async function openModule(source: { readonly wasm: ModuleSource; readonly relaxed?: ModuleSource }): Promise<{ module: WasmModule; relaxed: boolean }> {
  if (source.relaxed !== undefined) {
    const bytes = await moduleBytes(source.relaxed);
    if (bytes instanceof WebAssembly.Module) return { module: bytes, relaxed: true };
    if (WebAssembly.validate(bytes as Uint8Array<ArrayBuffer>)) return { module: await compileModule(bytes), relaxed: true };
  }
  return { module: await readModule(source.wasm), relaxed: false };
}
export async function readModule(source: ModuleSource): Promise<WasmModule> {
  const bytes = await moduleBytes(source);
  return bytes instanceof WebAssembly.Module ? bytes : compileModule(bytes);
}
async function moduleBytes(from: ModuleSource): Promise<Uint8Array | WebAssembly.Module> {
  if (from instanceof WebAssembly.Module || ArrayBuffer.isView(from)) return from as Uint8Array | WebAssembly.Module;
  try {
    return await fetchBytes(from as string | UrlLike);
  } catch (error) {
    throw failure('SSM5201', { from: `\`${typeof from === 'string' ? from : (from as UrlLike).href}\``, why: reason(error) }, error);
  }
}

class WasmRunner implements Runner {
  readonly device;
  readonly #engine: Engine;
  readonly #occupant: Occupant = { evict: () => undefined };

  constructor(engine: Engine, relaxed: boolean) {
    this.#engine = engine;
    this.device = { name: 'wasm', relaxed } as const;
  }
  get bytes(): number {
    return this.#engine.bytes;
  }
  async run(job: Job): Promise<void> {
    const group = this.#groupRows(job.time);
    for (let from = 0; from < job.batch; from += group) this.#runRows(job, { from, count: Math.min(group, job.batch - from) });
    this.#engine.leave(this.#occupant);
  }
  #runRows(job: Job, rows: { from: number; count: number }): void {
    let longest = 0;
    for (let b = 0; b < rows.count; b++) longest = Math.max(longest, job.lengths[rows.from + b] as number);
    const steps = Math.min(longest, this.#tileSteps(longest));
    this.#engine.enter(this.#occupant, rows.count, steps);
    this.#engine.begin(job.inputs, rows);
    for (let at = 0; at < longest; at += steps) this.#engine.step({ ...job, rows, at, steps: Math.min(steps, longest - at), t0: at });
    this.#engine.finish(job.outputs, rows);
  }
  #tileSteps(longest: number): number {
    const { manifest } = this.#engine;
    return manifest.notStreamable === undefined ? manifest.tile : longest;
  }
  #groupRows(time: number): number {
    const bytes = 4 * slotRows(this.#engine.manifest).reduce((a, b) => a + b, 0) * Math.min(time, this.#tileSteps(time));
    return Math.max(1, Math.floor(GROUP_BYTES / Math.max(1, bytes)));
  }
  sequence(batch: number): Sequence {
    return new WasmSequence(this.#engine, batch);
  }
  dispose(): void {
    this.#engine.leave(this.#occupant);
  }
}

/** Its state lies in the engine's memory while no one else runs there, else here. */
class WasmSequence implements Sequence {
  readonly #engine: Engine;
  readonly #batch: number;
  #saved: Uint8Array | undefined;
  readonly #occupant: Occupant = { evict: (bytes) => { this.#saved = bytes; } };
  steps = 0;
  started = false;

  constructor(engine: Engine, batch: number) {
    this.#engine = engine;
    this.#batch = batch;
  }
  async push(job: Job): Promise<void> {
    const rows = { from: 0, count: this.#batch };
    const tile = Math.max(1, Math.min(job.time, this.#engine.manifest.tile));
    const away = !this.#engine.holds(this.#occupant);
    this.#engine.enter(this.#occupant, this.#batch, tile);
    if (away && this.#saved) this.#engine.restore(this.#saved);
    this.#saved = undefined;
    if (!this.started) this.#engine.begin(job.inputs, rows);
    this.started = true;
    for (let at = 0; at < job.time; at += tile) this.#engine.step({ ...job, rows, at, steps: Math.min(tile, job.time - at), t0: this.steps + at });
    this.steps += job.time;
    this.#engine.finish(job.outputs, rows);
  }
  get keptBytes(): number {
    return this.#engine.keptBytes(this.#batch);
  }
  save(): Uint8Array {
    return this.#saved ?? (this.started && this.#engine.holds(this.#occupant) ? this.#engine.keep() : new Uint8Array(this.keptBytes));
  }
  restore(state: Uint8Array, steps: number, started: boolean): void {
    this.reset();
    this.#saved = state.slice();
    this.steps = steps;
    this.started = started;
  }
  reset(): void {
    this.#engine.leave(this.#occupant);
    this.#saved = undefined;
    this.started = false;
    this.steps = 0;
  }
  dispose(): void {
    this.reset();
  }
}
