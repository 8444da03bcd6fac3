/**
 * A model on a GPU that may be lost at any time (a driver reset, a fault of a kernel, a laptop that changes its graphics card): the call
 * at hand fails with a typed error, the next one takes the device anew and carries on.
 */
import { reason, type SsmcError } from '../errors.js';
import type { TensorSpec } from '../manifest.js';
import type { Reference } from '../model.js';
import type { Job, Runner, Sequence } from '../runner.js';
import type { Bound } from '../tensors.js';
import { narrowOf, stateBytes } from './arrangement.js';
import { gpuFailure } from './errors.js';
import type { Frame } from './frame.js';
import type { Machine } from './machine.js';
import { knownAnswer, runSteps, selfTest, type KnownAnswer } from './self-test.js';
import { Session, type GpuModel } from './session.js';

const TRIES = 3;
/** Steps that a stream's frame holds at most: a longer push is cut. */
const MOST_STEPS = 256;

/** How a model comes to run on a device, now and when it is lost. */
export interface Opening<B> {
  readonly of: GpuModel;
  /** A machine with the model's kernels, or an error and nothing left behind; `plain`: with those that need nothing special of a device. */
  readonly open: (plain?: boolean) => Promise<Machine<B>>;
  /** Whether many threads fill the device (default), or few. */
  readonly kind?: 'many' | 'few';
  /** Why a lost device can't be had again, where that is so. */
  readonly once?: string;
}

/** A session that has passed the self-test, behind a runner. The answers to test by are computed while the machine's kernels are compiled. */
export async function runOn<B>(opening: Opening<B>, opened: Promise<Machine<B>>, reference: Reference): Promise<Runner> {
  const answer = knownAnswer(reference, runSteps(opening.of.manifest), opening.kind ?? 'many');
  // Nobody asks for it where there is no machine.
  answer.catch(() => undefined);
  const machine = await opened;
  let known: KnownAnswer | undefined;
  try {
    known = await answer;
  } catch (error) {
    machine.dispose();
    throw error;
  }
  return new GpuRunner(opening, await begin(machine, opening, known), known);
}
/** A session; by plain kernels where the driver does others wrong. */
async function begin<B>(machine: Machine<B>, { of, open }: Opening<B>, known: KnownAnswer | undefined): Promise<Session<B>> {
  try {
    return await complete(machine, of, known);
  } catch (error) {
    if (!machine.features?.length || (error as Partial<SsmcError>).code !== 'SSM5505') throw error;
    return complete(await open(true), of, known);
  }
}
/** A session that is complete, or an error and nothing left behind. */
async function complete<B>(machine: Machine<B>, of: GpuModel, known: KnownAnswer | undefined): Promise<Session<B>> {
  try {
    const session = await Session.open(machine, of);
    if (known) await test(session, of, known);
    return session;
  } catch (error) {
    machine.dispose();
    throw error;
  }
}
/** @throws DeviceError SSM5505 where the device's results are wrong. */
async function test<B>(session: Session<B>, of: GpuModel, known: KnownAnswer): Promise<void> {
  const stored = of.manifest.buffers.map(narrowOf).find((type) => type !== undefined);
  const { outputs } = of.plan.origins;
  const whole = [...(of.manifest.notStreamable === undefined ? [] : known.pieces), ...(known.run ? [known.run] : [])];
  // Each is a sequence of its own, and is read.
  for (const job of whole) await selfTest([job], outputs, (mine) => session.run(placed(of, mine)), stored);
  if (of.manifest.notStreamable !== undefined) return;
  const frame = await session.frame(1, Math.max(...known.pieces.map((job) => job.time)));
  try {
    await selfTest(known.pieces, outputs, async (job, first) => { await session.steps(frame, { job: placed(of, job), rows: { from: 0, count: 1 }, time: job.time, begin: first }); }, stored);
  } finally {
    frame.dispose();
  }
}
/** The tensors with their places on this device: they came with those of the model's own manifest. */
function placed({ manifest: { inputs, outputs } }: GpuModel, job: Job): Job {
  const own = (specs: readonly TensorSpec[], bound: readonly Bound[]): Bound[] => bound.map(({ data }, k) => ({ data, spec: specs[k] as TensorSpec }));
  return { ...job, inputs: own(inputs, job.inputs), outputs: own(outputs, job.outputs) };
}

class GpuRunner<B> implements Runner {
  readonly opening: Opening<B>;
  readonly #known: KnownAnswer | undefined;
  #session: Session<B>;
  #last: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(opening: Opening<B>, session: Session<B>, known: KnownAnswer | undefined) {
    this.opening = opening;
    this.#known = known;
    this.#session = session;
  }
  get device(): Runner['device'] {
    const { name, adapter, features } = this.#session.machine;
    return { name, adapter, ...(features ? { features } : {}) };
  }
  bytes(): number {
    return this.#session.machine.bytes;
  }
  /** One call at a time: frames and what outputs are read through are shared. */
  exclusive<T>(work: (session: Session<B>) => Promise<T>): Promise<T> {
    const mine = this.#last.then(async () => work(await this.#live()));
    this.#last = mine.catch(() => undefined);
    return mine;
  }
  /** The session, or a new one where its device is gone. @throws DeviceError SSM5504 after three tries. */
  async #live(): Promise<Session<B>> {
    if (this.#disposed) throw this.#givenUp();
    if (!this.#session.machine.isLost) return this.#session;
    this.#session.dispose();
    const { open, once } = this.opening;
    if (once !== undefined) throw gpuFailure(5504, { tries: 0, why: once });
    let why = '';
    for (let k = 0; k < TRIES && !this.#disposed; k++) {
      try {
        this.#session = await begin(await open(), this.opening, this.#known);
      } catch (error) {
        why = reason(error);
        continue;
      }
      if (!this.#disposed) return this.#session;
      this.#session.dispose();
    }
    throw this.#disposed ? this.#givenUp() : gpuFailure(5504, { tries: TRIES, why });
  }
  /** For calls that still waited when the model was disposed of, or went on elsewhere. */
  #givenUp(): Error {
    return gpuFailure(5504, { tries: 0, why: 'the model has given this device up' });
  }
  run(job: Job): Promise<void> {
    return this.exclusive((session) => session.run(placed(this.opening.of, job)));
  }
  sequence(batch: number): Sequence {
    return new GpuSequence(this, batch);
  }
  dispose(): void {
    this.#disposed = true;
    this.#session.dispose();
  }
}

/** Its state stays on the GPU; a copy of it, as of the last push that succeeded, is what `save` gives and a new device begins with. */
class GpuSequence<B> implements Sequence {
  readonly #runner: GpuRunner<B>;
  readonly #batch: number;
  #frame: { readonly frame: Frame<B>; readonly session: Session<B> } | undefined;
  #state: Uint8Array | undefined;
  steps = 0;
  started = false;
  /** Pushes under way: until they end it isn't known what the state will be. */
  #pushes = 0;

  constructor(runner: GpuRunner<B>, batch: number) {
    this.#runner = runner;
    this.#batch = batch;
  }
  get keptBytes(): number {
    const { manifest, plan } = this.#runner.opening.of;
    return stateBytes(manifest, plan, this.#batch);
  }
  async push(job: Job): Promise<void> {
    this.#pushes++;
    try {
      await this.#push(job);
    } catch (error) {
      // Other devices keep the same cells in other places, and sums over time with what they lost: nothing that `run` moves on to could take this state up.
      if (!this.started || (error as Partial<SsmcError>).code !== 'SSM5504') throw error;
      throw gpuFailure(5307, { device: this.#runner.device.name, why: reason(error) }, error);
    } finally {
      this.#pushes--;
    }
  }
  #idle(what: string): void {
    if (this.#pushes > 0) throw gpuFailure(5306, { what });
  }
  #push(job: Job): Promise<void> {
    return this.#runner.exclusive(async (session) => {
      try {
        const frame = await this.#ready(session, job.time);
        this.#state = await session.steps(frame, { job: placed(this.#runner.opening.of, job), rows: { from: 0, count: this.#batch }, time: job.time, begin: !this.started, keep: true });
      } catch (error) {
        // What the GPU holds now is not the state before this push.
        this.#drop();
        throw error;
      }
      this.started = true;
      this.steps += job.time;
    });
  }
  async #ready(session: Session<B>, time: number): Promise<Frame<B>> {
    const known = this.#frame;
    if (known && known.session === session && known.frame.capacity >= Math.min(time, MOST_STEPS)) return known.frame;
    this.#drop();
    const frame = await session.frame(this.#batch, Math.min(time, MOST_STEPS));
    this.#frame = { frame, session };
    if (this.#state) await session.restore(frame, this.#state);
    return frame;
  }
  #drop(): void {
    const known = this.#frame;
    this.#frame = undefined;
    if (known && !known.session.machine.isLost) known.frame.dispose();
  }
  save(): Uint8Array {
    this.#idle('save');
    return this.#state ?? new Uint8Array(this.keptBytes);
  }
  restore(state: Uint8Array, steps: number, started: boolean): void {
    this.#idle('restore');
    this.#drop();
    this.#state = state.slice();
    this.steps = steps;
    this.started = started;
  }
  reset(): void {
    this.#idle('reset');
    this.dispose();
    this.started = false;
    this.steps = 0;
  }
  dispose(): void {
    this.#drop();
    this.#state = undefined;
  }
}
