/**
 * A few steps that are run on wasm and on the GPU before the model is used: drivers do miscompile, and a wrong answer is worse than a slow
 * one. Two pieces, one after the other, so that carries and the past are used too; and a run, where a model has kernels for that alone. Of the pieces
 * the second is read, in which the first's faults are seen: waiting for a GPU is most of what it takes.
 */
import { SsmcError } from '../errors.js';
import type { Manifest, Narrow } from '../manifest.js';
import type { Reference } from '../model.js';
import type { Job } from '../runner.js';
import { makeOutputs, sizeOf, type Bound } from '../tensors.js';
import { gpuFailure } from './errors.js';

/**
 * Steps of each piece: few, so that all of it is little work. A product of up to 8 rows is computed without tiles (../../passes/schedule/threads/tiles.ts),
 * so the second piece has more than that; but not on a CPU that plays a GPU, where it takes half as long again.
 */
const PIECES = { many: [1, 9], few: [2, 3] } as const;
/** Of the run: one more than a convolution's first block, so that it gives to the next. */
const RUN = 70;
/** Of an output's size: float32 in another order differs by far less, a wrong kernel by far more. */
const TOLERANCE = 1e-3;
/** Where activations are rounded between kernels: of bfloat16, which has three bits less, eight times as much. */
const NARROW_TOLERANCE = { f16: 5e-2, bf16: 0.4 } as const;
/** Outputs smaller than this (root mean square) may be what is left where large numbers cancel. */
const LEAST = 1e-3;

/** Steps that a run takes to reach every kernel that pieces are too short for, and to need its results; 0: there is none. */
export function runSteps({ step, gpu }: Manifest): number {
  // The first chunk may begin with 0: what two of them give is read by the third.
  const chunk = Math.max(0, ...step.map((l) => (l.kind === 'kernel' ? (l.grid?.from ?? 0) : 0)));
  return chunk > 0 ? 2 * chunk + 6 : gpu?.convolved === undefined ? 0 : RUN;
}

export interface KnownAnswer {
  /** As wasm filled them. */
  readonly pieces: readonly Job[];
  /** Of runs alone. */
  readonly run?: Job;
}

/** What wasm makes of it; undefined where there is no wasm to ask. `steps`: of a run, where it launches what pushes don't; `kind`: how many threads fill the device. */
export async function knownAnswer({ manifest, load }: Reference, steps: number, kind: keyof typeof PIECES): Promise<KnownAnswer | undefined> {
  try {
    const runner = await load();
    const streamed = manifest.notStreamable === undefined;
    const lengths: readonly number[] = PIECES[kind];
    const pieces = (streamed ? lengths : [lengths.reduce((a, b) => a + b)]).map((time, k) => pieceOf(manifest, time, k));
    const sequence = streamed ? runner.sequence(1) : undefined;
    for (const job of pieces) await (sequence ? sequence.push(job) : runner.run(job));
    sequence?.dispose();
    const run = steps > 0 ? pieceOf(manifest, steps, pieces.length) : undefined;
    if (run) await runner.run(run);
    runner.dispose();
    return { pieces, ...(run ? { run } : {}) };
  } catch (error) {
    if (error instanceof SsmcError && error.code.startsWith('SSM52')) return undefined;
    throw error;
  }
}
function pieceOf(manifest: Manifest, time: number, k: number): Job {
  let seed = 0x9e3779b9 * (k + 1);
  const random = (): number => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return seed / 2 ** 31;
  };
  const inputs = manifest.inputs.map((spec): Bound => ({ spec, data: Float32Array.from({ length: sizeOf(spec.shape) * (spec.time ? time : 1) }, random) }));
  return { inputs, outputs: makeOutputs(manifest.outputs, { batch: 1, time }), batch: 1, time, lengths: Int32Array.of(time) };
}

/**
 * Each of these jobs by `run`, the first of them as the first of a sequence. `origins`: of each output, where the spec computes it.
 * @throws DeviceError SSM5505 where an output of the last differs.
 */
export async function selfTest(jobs: readonly Job[], origins: readonly string[], run: (job: Job, first: boolean) => Promise<void>, stored?: Narrow): Promise<void> {
  const known = jobs.at(-1) as Job;
  for (const job of jobs.slice(0, -1)) await run({ ...job, outputs: [] }, job === jobs[0]);
  const outputs = known.outputs.map(({ spec, data }) => ({ spec, data: new Float32Array(data.length) }));
  await run({ ...known, outputs }, jobs.length === 1);
  for (const [o, { spec, data }] of outputs.entries()) {
    const error = distance(data, (known.outputs[o] as Bound).data);
    if (!(error <= (stored ? NARROW_TOLERANCE[stored] : TOLERANCE))) throw gpuFailure(5505, { why: `in a test of ${known.time} steps, output \`${spec.name}\`, computed by ${origins[o] ?? 'the model'}, is off by ${error.toPrecision(2)} of its size` });
  }
}
/** Normwise; 0 where the known answer is no number: then there is nothing to hold against it. */
function distance(got: Float32Array, want: Float32Array): number {
  let [off, size] = [0, 0];
  want.forEach((w, i) => {
    off += ((got[i] as number) - w) ** 2;
    size += w ** 2;
  });
  return Number.isFinite(size) ? Math.sqrt(off) / Math.max(Math.sqrt(size), LEAST * Math.sqrt(want.length)) : 0;
}
