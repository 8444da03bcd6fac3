/**
 * The buffers for one batch and tiles of up to so many steps, and where each buffer of the manifest lies in them. The past of activations
 * has two: from tile to tile one is read while the other is written.
 */
import type { Launch, Manifest, GpuPlan } from '../manifest.js';
import { arenaBytes, arrangement, groupsOf, keptBytes, largestIn, launchedFor, widthOf, type Arrangement } from './arrangement.js';
import type { Command, Equipment, KernelLaunch, Machine } from './machine.js';

export interface FrameOf<B> {
  readonly manifest: Manifest;
  readonly plan: GpuPlan;
  readonly machine: Machine<B>;
  readonly constants: ReadonlyMap<number, B>;
  /** Constants that say that kernels grow. */
  readonly grown: ReadonlySet<number>;
}
interface Arena<B> {
  readonly buffer: B;
  /** The other half of a past. */
  readonly other?: B;
}

export class Frame<B> {
  readonly batch: number;
  /** Steps of a tile at most. */
  readonly capacity: number;
  readonly arrangement: Arrangement;
  readonly lengths: B;
  /** All that may run on it. */
  readonly launches: readonly KernelLaunch[];
  readonly #of: FrameOf<B>;
  readonly #arenas: readonly Arena<B>[];
  #equipment: Equipment<B> | undefined;
  /** Which half of the past is read now. */
  #half = 0;

  private constructor(of: FrameOf<B>, batch: number, capacity: number, arranged: Arrangement, arenas: readonly Arena<B>[], lengths: B) {
    this.#of = of;
    this.batch = batch;
    this.capacity = capacity;
    this.arrangement = arranged;
    this.#arenas = arenas;
    this.lengths = lengths;
    const { begin, step, finish } = of.manifest;
    this.launches = [...begin, ...step, ...finish].filter((l): l is KernelLaunch => l.kind === 'kernel');
  }
  /** @throws DeviceError SSM5502. */
  static async make<B>(of: FrameOf<B>, batch: number, capacity: number): Promise<Frame<B>> {
    const { manifest, plan, machine } = of;
    const arranged = arrangement(manifest, plan, batch, capacity);
    const made: B[] = [];
    const storage = async (name: string, bytes: number): Promise<B> => {
      const buffer = await machine.allocate(name, bytes);
      made.push(buffer);
      return buffer;
    };
    try {
      const arenas: Arena<B>[] = [];
      for (const [a, kind] of plan.arenas.entries()) {
        const bytes = arenaBytes(arranged, a);
        const name = largestIn(manifest, plan, a);
        if (kind === 'constants') arenas.push({ buffer: of.constants.get(a) as B });
        else arenas.push({ buffer: await storage(name, bytes), ...(kind === 'past' ? { other: await storage(name, bytes) } : {}) });
      }
      const frame = new Frame(of, batch, capacity, arranged, arenas, await storage('lengths', 4 * batch));
      frame.#equipment = await machine.equip(frame);
      return frame;
    } catch (error) {
      // Who asks again with less must find the room that this took.
      for (const buffer of made) machine.free(buffer);
      throw error;
    }
  }
  dispose(): void {
    const { machine, plan } = this.#of;
    this.#equipment?.dispose();
    this.#arenas.forEach(({ buffer, other }, k) => {
      if (plan.arenas[k] === 'constants') return;
      machine.free(buffer);
      if (other) machine.free(other);
    });
    machine.free(this.lengths);
  }
  get equipment(): Equipment<B> | undefined {
    return this.#equipment;
  }

  get half(): number {
    return this.#half;
  }
  /** An arena while this half of the past is the one that is read. */
  arena(arena: number, half: number): B {
    const a = this.#arenas[arena] as Arena<B>;
    return half === 1 && a.other ? a.other : a.buffer;
  }
  /** The buffer in which a buffer of the manifest lies, and its first byte there. */
  place(buffer: number, half = this.#half): { readonly buffer: B; readonly offset: number } {
    return { buffer: this.arena(this.#of.plan.arenaOf[buffer] as number, half), offset: this.#width(buffer) * (this.arrangement.offsets[buffer] as number) };
  }
  #width(buffer: number): number {
    return widthOf(this.#of.manifest.buffers[buffer]);
  }
  /** What is kept from step to step: the carries, and the past. */
  kept(): { readonly buffer: B; readonly bytes: number }[] {
    return keptBytes(this.#of.plan, this.arrangement).map(({ arena, bytes }) => ({ buffer: this.arena(arena, this.#half), bytes }));
  }

  // --- commands -------------------------------------------------------------------------------------------------------------

  clear(): Command<B>[] {
    return this.#of.plan.arenas.flatMap((kind, a) => (kind === 'carry' || kind === 'past' ? [{ kind: 'clear' as const, buffer: this.arena(a, this.#half), bytes: arenaBytes(this.arrangement, a) }] : []));
  }
  /** The launches of one phase, for this part of a sequence. */
  launch(phase: readonly Launch[], steps: number, part = 2): Command<B>[] {
    return phase.flatMap((launch) => (launch.kind === 'kernel' && launchedFor(launch, part, this.#of.grown) && groupsOf(launch, this.batch, steps) > 0 ? [{ kind: 'launch' as const, frame: this, launch, steps, half: this.#half }] : []));
  }
  /** The last rows of this tile become the past of the next: the other half of the past, from then on the one that is read. */
  moveOn(steps: number, lengths: Int32Array): Command<B>[] {
    const { manifest, plan } = this.#of;
    const moves = manifest.step.flatMap((l) => (l.kind === 'history' ? [l] : []));
    if (moves.length === 0) return [];
    const commands: Command<B>[] = [];
    for (const { rows, carry, depth } of moves) {
      const spec = manifest.buffers[rows];
      const width = widthOf(spec) * (spec && 'row' in spec ? spec.row : 0);
      const from = this.place(rows);
      const arena = plan.arenaOf[carry] as number;
      const [old, to] = [this.arena(arena, this.#half), this.arena(arena, 1 - this.#half)];
      const base = this.#width(carry) * (this.arrangement.offsets[carry] as number);
      const copy = (source: B, offset: number, into: number, bytes: number): void => {
        if (bytes > 0) commands.push({ kind: 'copy', from: source, offset, to, into, bytes });
      };
      lengths.forEach((length, b) => {
        const n = Math.min(length, depth);
        const at = base + b * depth * width;
        copy(old, at + n * width, at, (depth - n) * width);
        copy(from.buffer, from.offset + (b * steps + length - n) * width, at + (depth - n) * width, n * width);
      });
    }
    this.#half = 1 - this.#half;
    return commands;
  }
}
