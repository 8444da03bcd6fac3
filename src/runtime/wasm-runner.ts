/** A model on WebAssembly: one engine, on which runs and streams take turns. */
import { makeEngine, type Engine, type Occupant, type Rows } from './engine.js';
import { readFrom, type UrlLike } from './files.js';
import { slotRows } from './layout.js';
import { compileModule, computeConstants, type OpenWeights, type WasmModule } from './load.js';
import type { Manifest } from './manifest.js';
import type { Job, Runner } from './runner.js';

/** The bytes of a module, or where they are. */
export type ModuleSource = Uint8Array | WasmModule | string | UrlLike;

/** Bytes of activations above which a batch is taken in groups of rows. */
const GROUP_BYTES = 64 * 2 ** 20;

/** @throws LoadError SSM5201, SSM5202, SSM5205, WeightsError SSM5004, SSM5005, SSM5008. */
export async function loadWasm(manifest: Manifest, source: { readonly wasm: ModuleSource; readonly relaxed?: ModuleSource }, weights: OpenWeights): Promise<Runner> {
  const { module, relaxed } = await openModule(source);
  return wasmRunner(manifest, makeEngine(manifest, module, computeConstants(manifest, module, weights)), relaxed);
}
async function openModule({ wasm, relaxed }: { readonly wasm: ModuleSource; readonly relaxed?: ModuleSource }): Promise<{ module: WasmModule; relaxed: boolean }> {
  const first = relaxed === undefined ? undefined : await moduleBytes(relaxed);
  const taken = first !== undefined && (isModule(first) || WebAssembly.validate(first as BufferSource));
  const bytes = taken ? first : await moduleBytes(wasm);
  return { module: isModule(bytes) ? bytes : await compileModule(bytes as Uint8Array), relaxed: taken };
}
const isModule = (from: unknown): from is WasmModule => from instanceof WebAssembly.Module;
const moduleBytes = async (from: ModuleSource): Promise<Uint8Array | WasmModule> => (isModule(from) || ArrayBuffer.isView(from) ? from : readFrom(from as string | UrlLike, 5201));

/** Runs and streams, which take turns on the memory. */
function wasmRunner(manifest: Manifest, { bytes, enter, leave, holds, keep, restore, keptBytes, begin, step, finish }: Engine, relaxed: boolean): Runner {
  /** Tiles of at most `tile` steps, of a run or, after what came `before`, of a stream. */
  const steps = (job: Job, rows: Rows, tile: number, length: number, before?: { readonly steps: number; readonly started: boolean }): void => {
    if (!before?.started) begin(job.inputs, rows);
    for (let at = 0; at < length; at += tile) step({ ...job, rows, at, steps: Math.min(tile, length - at), t0: (before?.steps ?? 0) + at, part: before || at ? 2 : length > tile });
    finish(job.outputs, rows);
  };
  return {
    device: { name: 'wasm', relaxed },
    bytes,
    async run(job) {
      const whole: Occupant = { evict: () => undefined };
      const tile = manifest.notStreamable === undefined ? manifest.tile : job.time;
      const size = 4 * slotRows(manifest).reduce((a, b) => a + b, 0) * Math.min(job.time, tile);
      const group = Math.max(1, Math.floor(GROUP_BYTES / size));
      for (let from = 0; from < job.batch; from += group) {
        const count = Math.min(group, job.batch - from);
        const longest = job.lengths.subarray(from, from + count).reduce((a, b) => Math.max(a, b));
        const most = Math.min(longest, tile);
        enter(whole, count, most);
        steps(job, { from, count }, most, longest);
      }
      leave(whole);
    },
    sequence(batch) {
      // The state lies in the engine's memory while no one else runs there, else here.
      let saved: Uint8Array | undefined;
      const occupant: Occupant = { evict: (state) => { saved = state; } };
      const reset = (): void => {
        leave(occupant);
        saved = undefined;
        self.steps = 0;
        self.started = false;
      };
      const self = {
        steps: 0,
        started: false,
        async push(job: Job) {
          const tile = Math.min(job.time, manifest.tile);
          const away = !holds(occupant);
          enter(occupant, batch, tile);
          if (away && saved) restore(saved);
          saved = undefined;
          const before = { ...self };
          self.started = true;
          steps(job, { from: 0, count: batch }, tile, job.time, before);
          self.steps += job.time;
        },
        keptBytes: keptBytes(batch),
        save: () => saved ?? (holds(occupant) ? keep() : new Uint8Array(self.keptBytes)),
        restore(state: Uint8Array, steps: number, started: boolean) {
          leave(occupant);
          saved = state.slice();
          self.steps = steps;
          self.started = started;
        },
        reset,
        dispose: reset,
      };
      return self;
    },
    dispose: () => undefined,
  };
}
