/** How long each stage takes on WebAssembly here: the runtime as it is, its launches timed one by one. */
import type { CompiledModule } from '../compile.js';
import type { Program } from '../ir/program.js';
import type { Launch } from '../runtime/manifest.js';
import { loadModel, type SafetensorsFile } from '../runtime/index.js';
import { randomInputs, randomWeights } from './random-tensors.js';
import { runModel } from './tensors.js';

/** Rounds: the shortest time of each stage is what it takes; others were disturbed. */
const [fewest, most, patience] = [3, 20, 2000];

export interface Measured {
  /** Seconds of one run, by the stage's name. */
  readonly times: ReadonlyMap<string, number>;
  readonly rounds: number;
}
export async function measureStages(module: CompiledModule, program: Program, sizes: { readonly batch: number; readonly length: number }, weights?: SafetensorsFile): Promise<Measured> {
  const { manifest, wasm } = module;
  const clocks = { begin: new Clock(manifest.begin), step: new Clock(manifest.step), finish: new Clock(manifest.finish) };
  const timed = { ...manifest, begin: clocks.begin.launches, step: clocks.step.launches, finish: clocks.finish.launches };
  const model = await loadModel(timed, { wasm }, { weights: weights ?? Object.fromEntries(randomWeights(program, 0)), device: 'wasm' });
  const inputs = randomInputs(manifest.inputs, program, sizes.batch, sizes.length, 0);
  const best = new Map<string, number>();
  let rounds = 0;
  for (const start = performance.now(); rounds < most && (rounds < fewest || performance.now() - start < patience); rounds++) {
    for (const clock of Object.values(clocks)) clock.reset();
    await runModel(model, inputs, undefined);
    for (const [stage, time] of byStage(module, clocks)) best.set(stage, Math.min(time, best.get(stage) ?? Infinity));
  }
  model.dispose();
  return { times: best, rounds };
}
/** Launches that note how long each took: the runtime takes the next when it is done with one. */
class Clock {
  readonly launches: readonly Launch[];
  readonly times: number[] = [];
  constructor(launches: readonly Launch[]) {
    const { times } = this;
    this.launches = Object.assign([...launches], { *[Symbol.iterator]() {
      for (const [k, launch] of launches.entries()) {
        const start = performance.now();
        yield launch;
        times[k] = (times[k] ?? 0) + (performance.now() - start) / 1000;
      }
    } });
  }
  reset(): void {
    this.times.length = 0;
  }
}
/** A phase's kernels are launched in the order of its stages, after what a beginning needs besides. */
function byStage({ graph, schedule }: CompiledModule, clocks: Readonly<Record<'begin' | 'step' | 'finish', Clock>>): Map<string, number> {
  const found = new Map<string, number>();
  for (const phase of ['begin', 'step', 'finish'] as const) {
    const { launches, times } = clocks[phase];
    const kernels = graph.stages.filter((s) => s.phase === phase).flatMap((s) => (schedule.kernelsOf.get(s) ?? []).map(() => s.name));
    const at = Array.from({ length: launches.length }, (_, k) => k).filter((k) => launches[k]?.kind === 'kernel').slice(-kernels.length || Number.POSITIVE_INFINITY);
    kernels.forEach((stage, k) => found.set(stage, (found.get(stage) ?? 0) + (times[at[k] ?? -1] ?? 0)));
  }
  return found;
}
