/**
 * WebGPU: loaded by a generated module when it is tried. A device may be lost at any time (a driver reset, a laptop that changes its
 * graphics card): the call at hand fails with a typed error, the next one takes a new device and carries on.
 */
import { failure, reason, SsmcError } from '../errors.js';
import { readFrom, type UrlLike } from '../files.js';
import { compileModule, computeConstants, type OpenWeights } from '../load.js';
import type { GpuPlan, Manifest, TensorSpec } from '../manifest.js';
import type { DeviceSource, LoadOptions } from '../model.js';
import type { Job, Runner, Sequence } from '../runner.js';
import type { Bound } from '../tensors.js';
import { connect, type Connection, type DeviceWish } from './connection.js';
import { gpuFailure } from './errors.js';
import type { Frame } from './frame.js';
import type { Gpu, GpuDevice } from './gpu.js';
import { knownAnswer, selfTest, type KnownAnswer } from './self-test.js';
import { Session, stateBytes, type SessionOf } from './session.js';

export type { Gpu, GpuAdapter, GpuDevice } from './gpu.js';

/** What the compiler wrote for WebGPU: itself, or where it is. */
export interface WebgpuSource {
  readonly plan: WebgpuPlan | string | UrlLike;
  readonly wgsl: { readonly text: string } | string | UrlLike;
}
export interface WebgpuPlan {
  readonly manifest: Manifest;
  /** The load-time kernels, which run on the host: a WebAssembly module, in base 64 where it comes from a file. */
  readonly load: Uint8Array | string;
}
const TRIES = 3;

/** The device of a generated module. */
export function webgpu(source: WebgpuSource): DeviceSource {
  return {
    name: 'webgpu',
    load: async (weights, options, reference) => {
      const wish = wishOf(options);
      // Most machines that can't use it have no adapter: that is known before anything is fetched.
      const connection = await connect(wish);
      try {
        const of = await prepare(source, weights);
        const known = await knownAnswer(reference);
        return new WebgpuRunner(of, wish, await open(connection, of, known), known);
      } catch (error) {
        connection.dispose();
        if (error instanceof SsmcError && (error.code.startsWith('SSM50') || error.code === 'SSM5505')) throw error;
        throw gpuFailure(5207, { device: 'webgpu', why: reason(error) }, error);
      }
    },
  };
}
function wishOf(options: LoadOptions): DeviceWish {
  const given = typeof options.device === 'object' ? (options.device as GpuDevice) : undefined;
  const gpu = (options.gpu ?? (globalThis as { navigator?: { gpu?: unknown } }).navigator?.gpu) as Gpu | undefined;
  return { device: given, gpu };
}
async function prepare(source: WebgpuSource, weights: OpenWeights): Promise<SessionOf> {
  const text = async (from: string | UrlLike): Promise<string> => new TextDecoder().decode(await readFrom(from, 5201));
  const isAddress = (x: object | string): x is string | UrlLike => typeof x === 'string' || 'href' in x;
  const { manifest, load } = isAddress(source.plan) ? (JSON.parse(await text(source.plan)) as WebgpuPlan) : source.plan;
  const { gpu: plan } = manifest;
  if (manifest.format !== 1 || !plan) throw failure(5203, { why: 'it is not one of a GPU model of format 1' });
  const wgsl = isAddress(source.wgsl) ? await text(source.wgsl) : source.wgsl.text;
  const module = await compileModule(typeof load === 'string' ? Uint8Array.from(atob(load), (c) => c.charCodeAt(0)) : load);
  return { manifest, plan, wgsl, constants: computeConstants(manifest, module, weights) };
}

/** A session that is complete, or an error and nothing left behind. */
async function open(connection: Connection, of: SessionOf, known: KnownAnswer | undefined): Promise<Session> {
  try {
    const session = await Session.open(connection, of);
    if (known) await test(session, of, known);
    return session;
  } catch (error) {
    connection.dispose();
    throw error;
  }
}

/** @throws DeviceError SSM5505 where the device's results are wrong. */
async function test(session: Session, { manifest }: SessionOf, known: KnownAnswer): Promise<void> {
  if (manifest.notStreamable !== undefined) { await selfTest(known, (job) => session.run(placed(manifest, job))); return; }
  const frame = await session.frame(1, Math.max(...known.pieces.map((job) => job.time)));
  try {
    await selfTest(known, (job, first) => session.steps(frame, placed(manifest, job), { from: 0, count: 1 }, job.time, first));
  } finally {
    frame.dispose();
  }
}
/** The tensors with their places on this device: they came with those of the model's own manifest. */
function placed({ inputs, outputs }: Manifest, job: Job): Job {
  const own = (specs: readonly TensorSpec[], bound: readonly Bound[]): Bound[] => bound.map(({ data }, k) => ({ data, spec: specs[k] as TensorSpec }));
  return { ...job, inputs: own(inputs, job.inputs), outputs: own(outputs, job.outputs) };
}

class WebgpuRunner implements Runner {
  readonly of: SessionOf & { readonly plan: GpuPlan };
  readonly #wish: DeviceWish;
  readonly #known: KnownAnswer | undefined;
  #session: Session;
  #last: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(of: SessionOf, wish: DeviceWish, session: Session, known: KnownAnswer | undefined) {
    this.of = of;
    this.#known = known;
    this.#wish = wish;
    this.#session = session;
  }
  get device(): Runner['device'] {
    return { name: 'webgpu', adapter: this.#session.connection.adapter };
  }
  bytes(): number {
    return this.#session.connection.bytes;
  }
  /** One call at a time: frames and the buffer that outputs are read through are shared. */
  exclusive<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const mine = this.#last.then(async () => work(await this.#live()));
    this.#last = mine.catch(() => undefined);
    return mine;
  }
  /** The session, or a new one where its device is gone. @throws DeviceError SSM5504 after three tries. */
  async #live(): Promise<Session> {
    if (this.#disposed) throw this.#givenUp();
    if (!this.#session.connection.isLost) return this.#session;
    this.#session.dispose();
    // A lost device of the user's can't be made anew by us.
    if (this.#wish.device) throw gpuFailure(5504, { tries: 0, why: 'the device that was handed in is lost' });
    let why = '';
    for (let k = 0; k < TRIES && !this.#disposed; k++) {
      try {
        this.#session = await open(await connect(this.#wish), this.of, this.#known);
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
    return this.exclusive((session) => session.run(placed(this.of.manifest, job)));
  }
  sequence(batch: number): Sequence {
    return new WebgpuSequence(this, batch);
  }
  dispose(): void {
    this.#disposed = true;
    this.#session.dispose();
  }
}

/** Its state stays on the GPU; a copy of it, as of the last push that succeeded, is what `save` gives and a new device begins with. */
class WebgpuSequence implements Sequence {
  readonly #runner: WebgpuRunner;
  readonly #batch: number;
  #frame: { readonly frame: Frame; readonly session: Session } | undefined;
  #state: Uint8Array | undefined;
  steps = 0;
  started = false;
  /** Pushes under way: until they end it isn't known what the state will be. */
  #pushes = 0;

  constructor(runner: WebgpuRunner, batch: number) {
    this.#runner = runner;
    this.#batch = batch;
  }
  get keptBytes(): number {
    return stateBytes(this.#runner.of.manifest, this.#runner.of.plan, this.#batch);
  }
  async push(job: Job): Promise<void> {
    this.#pushes++;
    try {
      await this.#push(job);
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
        await session.steps(frame, placed(this.#runner.of.manifest, job), { from: 0, count: this.#batch }, job.time, !this.started);
        this.#state = await session.keep(frame);
      } catch (error) {
        // What the GPU holds now is not the state before this push.
        this.#drop();
        throw error;
      }
      this.started = true;
      this.steps += job.time;
    });
  }
  async #ready(session: Session, time: number): Promise<Frame> {
    const known = this.#frame;
    if (known && known.session === session && known.frame.capacity >= Math.min(time, MOST_STEPS)) return known.frame;
    this.#drop();
    const frame = await session.frame(this.#batch, Math.min(time, MOST_STEPS));
    if (this.#state) session.restore(frame, this.#state);
    this.#frame = { frame, session };
    return frame;
  }
  #drop(): void {
    const known = this.#frame;
    this.#frame = undefined;
    if (known && !known.session.connection.isLost) known.frame.dispose();
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
/** Steps that a stream's frame holds at most: a longer push is cut. */
const MOST_STEPS = 256;
