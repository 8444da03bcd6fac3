/**
 * Commands on CUDA: encoded, and handed to the addon; those of a push once recorded as a graph. Of a run's tiles two are under way: one's data goes up and
 * another's comes down while kernels run, and the host is at the next one's meanwhile.
 */
import type { Frame } from '../gpu/frame.js';
import type { Command, Equipment, Machine } from '../gpu/machine.js';
import type { GpuPlan, Manifest } from '../manifest.js';
import { encode, gather } from './commands.js';
import { cudaFailure, isLoss } from './errors.js';
import type { NativeBatch, NativeSession, Opened, Ran } from './native.js';

/** Kernels count elements in 32 bits (targets/cuda/limits.ts). */
const MOST_ELEMENTS = 2 ** 31 - 2 ** 16;

export interface Kernels {
  readonly manifest: Manifest;
  readonly plan: GpuPlan;
  /** What a device of this compute capability takes. */
  readonly image: (capability: number) => Promise<Uint8Array>;
}
/** Tiles under way at once: more would take memory for their data, and gain nothing. */
const AHEAD = 2;
interface Kept {
  readonly batch: NativeBatch;
  readonly readFrom: number;
}

/** Sessions that are ending: a context that a failure has poisoned can't be had anew before they have. */
const ending = new Set<Promise<void>>();

export class CudaMachine implements Machine<number> {
  readonly name = 'cuda';
  readonly adapter: string;
  readonly mostBytes: number;
  /** What the driver says of it. */
  readonly device: Omit<Opened, 'session'>;
  readonly #session: NativeSession;
  readonly #kernels: Kernels;
  readonly #functions: ReadonlyMap<string, number>;
  readonly #kept = new Map<Frame<number>, Map<string, Kept>>();
  readonly #flying: Kept[] = [];
  #out = new Float32Array();
  #milliseconds: number[] = [];
  isLost = false;

  private constructor(opened: Opened, kernels: Kernels, functions: ReadonlyMap<string, number>) {
    const { session, name, capability, bytes, driverVersion } = opened;
    this.device = opened;
    this.adapter = `${name}, compute capability ${capability / 10}, driver for CUDA ${Math.floor(driverVersion / 1000)}.${Math.floor((driverVersion % 1000) / 10)}`;
    this.mostBytes = Math.min(bytes, 4 * MOST_ELEMENTS);
    this.#session = session;
    this.#kernels = kernels;
    this.#functions = functions;
  }
  /** With the model's kernels loaded. @throws DeviceError SSM5501 to SSM5504, SSM5511 to SSM5514. */
  static async open(open: () => Promise<Opened>, kernels: Kernels): Promise<CudaMachine> {
    await Promise.all(ending);
    const opened = await open().catch((error: unknown) => { throw cudaFailure(error, 'the model', 0); });
    const { manifest: { begin, step, finish }, plan } = kernels;
    const names = [...new Set([...begin, ...step, ...finish].flatMap((l) => (l.kind === 'kernel' ? [plan.entries[l.entry]?.entry ?? l.entry] : [])))];
    const machine = new CudaMachine(opened, kernels, new Map(names.map((n, k) => [n, k])));
    try {
      const image = await kernels.image(opened.capability);
      await machine.#asking('the kernels', image.length, () => opened.session.load(image, names));
      return machine;
    } catch (error) {
      machine.dispose();
      throw cudaFailure(error, 'the kernels', 0);
    }
  }
  async #asking<T>(name: string, bytes: number, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.isLost ||= isLoss(error);
      throw cudaFailure(error, name, bytes);
    }
  }
  get bytes(): number {
    return this.#session.bytes;
  }
  allocate(name: string, bytes: number): Promise<number> {
    const size = Math.max(16, Math.ceil(bytes / 4) * 4);
    return this.#asking(name, size, () => this.#session.allocate(size));
  }
  free(buffer: number): void {
    this.#session.free(buffer);
  }
  async equip(frame: Frame<number>): Promise<Equipment<number>> {
    this.#kept.set(frame, new Map());
    return {
      prepare: () => [],
      dispose: () => {
        for (const { batch } of this.#kept.get(frame)?.values() ?? []) batch.dispose();
        this.#kept.delete(frame);
      },
    };
  }
  async submit(commands: readonly Command<number>[], again?: { readonly frame: Frame<number>; readonly name: string }): Promise<void> {
    const { manifest: { model }, plan } = this.#kernels;
    const kept = again && this.#kept.get(again.frame);
    const known = kept?.get(again?.name ?? '');
    if (known) {
      await this.#run(model, known, gather(commands).data);
      return;
    }
    if (!again && commands.some((c) => c.kind === 'launch')) {
      await this.#start(model, commands);
      return;
    }
    const { words, data, readFrom } = encode(commands, plan, this.#functions);
    const batch = await this.#asking(model, data.byteLength, () => this.#session.prepare(words, kept !== undefined));
    const made = { batch, readFrom };
    // A frame that was disposed of meanwhile keeps nothing.
    if (again && this.#kept.get(again.frame) === kept) kept?.set(again.name, made);
    try {
      await this.#run(model, made, data);
    } finally {
      if (!kept || this.#kept.get(again?.frame as Frame<number>) !== kept) batch.dispose();
    }
  }
  async #run(model: string, { batch, readFrom }: Kept, data: ArrayBuffer): Promise<void> {
    this.#take(await this.#asking(model, data.byteLength, () => batch.run(data)), readFrom);
  }
  #take({ data, milliseconds }: Ran, readFrom: number): void {
    this.#milliseconds.push(milliseconds);
    this.#out.set(new Float32Array(data), readFrom / 4);
  }
  /** Behind what is under way, without waiting for more than room. */
  async #start(model: string, commands: readonly Command<number>[]): Promise<void> {
    await this.#land(AHEAD - 1);
    const { words, data, readFrom } = encode(commands, this.#kernels.plan, this.#functions);
    const batch = await this.#asking(model, data.byteLength, () => this.#session.prepare(words, false));
    try {
      await this.#asking(model, data.byteLength, () => batch.start(data));
    } catch (error) {
      batch.dispose();
      throw error;
    }
    this.#flying.push({ batch, readFrom });
  }
  /** Until no more than `left` are under way. */
  async #land(left: number): Promise<void> {
    while (this.#flying.length > left) {
      const { batch, readFrom } = this.#flying.shift() as Kept;
      try {
        this.#take(await this.#asking(this.#kernels.manifest.model, 0, () => batch.result()), readFrom);
      } finally {
        batch.dispose();
      }
    }
  }
  async settle(): Promise<readonly number[]> {
    while (this.#flying.length > 0) {
      try {
        await this.#land(0);
      } catch {
        // Who asks for this knows that something failed, or sees what is missing.
      }
    }
    return this.#milliseconds.splice(0);
  }
  async finished(): Promise<readonly number[]> {
    await this.#land(AHEAD - 1);
    return this.#milliseconds.splice(0);
  }
  async reserve(bytes: number): Promise<void> {
    if (this.#out.byteLength < bytes) this.#out = new Float32Array(bytes / 4);
  }
  async fetch(bytes: number): Promise<Float32Array> {
    await this.#land(0);
    this.#milliseconds = [];
    return this.#out.subarray(0, bytes / 4);
  }
  release(): void {
    // What was fetched is the host's own memory.
  }
  dispose(): void {
    const end = this.#session.dispose().finally(() => ending.delete(end));
    ending.add(end);
  }
}
