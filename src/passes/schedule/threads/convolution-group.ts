/**
 * What the kernels of a convolution on a machine with threads are written with: a group takes a block of steps of a few channels, of one signal or
 * readout. Its channels' numbers lie one after another in its memory, and its threads share the rounds of a transform.
 */
import type { Grid, Int, Kernel, Value } from '../../../ir/kernel.js';
import type { Expr, ExprOf, Index } from '../../../ir/program.js';
import type { Convolved } from '../../../ir/stages.js';
import { Fft, type Points } from '../convolution/fft.js';
import { channels, type Geometry, type Level } from '../convolution/geometry.js';
import { Expressions, type Task as Computed } from '../expressions.js';
import { iadd, iand, icompare, imin, imul, int } from '../ints.js';
import type { Layout } from '../layout.js';
import { UNROLL } from '../limits.js';
import { Envs, fixed, type Env } from '../places.js';
import { Writer } from '../writer.js';
import { Access, BATCH, GROUP, THREAD } from './access.js';
import type { Threads } from './machine.js';
import { bindPoint, divide } from './places.js';

/** Channels that a group takes at most: as many lie side by side in what it reads of activations. */
const MOST_CHANNELS = 16;
export const RE = '$re';
export const IM = '$im';

export interface Task {
  readonly geometry: Geometry;
  readonly convolved: Convolved;
  readonly layout: Layout;
  readonly machine: Threads;
  /** Steps of a block. */
  readonly size: number;
  /** Signals or readouts, of which a group has one. */
  readonly of: number;
  /** Memories of a group, by how many numbers each has for every step, and for one step more, of a channel. */
  readonly memories: ReadonlyMap<string, number>;
  /** What its expressions read at a step. */
  readonly reads: readonly Expr[];
  /** What it writes of other memory. */
  readonly written: readonly string[];
}

export class Group {
  readonly w: Writer;
  readonly access: Access;
  readonly points: number;
  /** Channels of the group, and its threads: four steps of a channel for each, where they are enough. */
  readonly channels: number;
  readonly threads: number;
  /** Numbers of a channel in the group's memory. */
  readonly stride: number;
  /** The block's number, its first step, and how long the sequence is. */
  readonly block: Int;
  readonly start: Int;
  readonly length: Int;
  /** Which signal or readout. */
  readonly which: Int;
  readonly #first: Int;
  readonly #task: Task;
  readonly #grid: Grid;
  readonly #envs = new Envs();
  readonly #x: Expressions;
  #readout: ((e: ExprOf<'read'>, env: Env) => Value | undefined) | undefined;
  /** The channel whose round is being written. */
  #channel: Int = int(0);

  constructor(task: Task) {
    const { convolved, layout, machine, size, of, memories, written, reads } = task;
    this.#task = task;
    this.points = channels(convolved);
    this.stride = size + 1;
    this.channels = channelsOf(this.points, size, [...memories.values()].reduce((a, b) => a + b), machine);
    this.threads = Math.min(machine.perGroup, (this.channels * size) / 4);
    this.w = new Writer([...memories.keys(), ...written], ['$T', '$l', '$g', '$b']);
    this.access = new Access(reads, layout, this.w, 1, convolved.domain.at(-1));
    this.#x = new Expressions({
      writer: this.w, envs: this.#envs, lanes: 1, laneLoops: false, unroll: UNROLL, item: () => undefined, decays: () => false,
      load: (e, env) => this.#readout?.(e, env) ?? this.access.read(e, env),
    }, reads.map((body) => ({ body })));
    for (const [m, each] of memories) this.access.memory(m, each * this.channels * this.stride, 'group');
    const tiles = Math.ceil(this.points / this.channels);
    const { w } = this;
    const byBlock = divide(GROUP, tiles * of);
    const byTile = divide(w.int('rest', byBlock.rest), tiles);
    this.block = w.int('block', byBlock.quotient);
    this.which = w.int('which', byTile.quotient);
    this.#first = w.int('first', imul(byTile.rest, this.channels));
    this.start = w.int('start', imul(this.block, size));
    this.length = this.access.length();
    this.#grid = { threads: this.threads, lanes: 1, groups: { times: tiles * of, of: 'T', each: 1, per: size }, batches: 'B' };
  }
  /** `body` for blocks that have steps, of sequences that the kernels reach. */
  kernel(entry: string, body: () => void): Kernel {
    const { whole, length } = this.#task.convolved;
    const has = icompare('lt', this.start, this.length);
    this.w.branch(whole ? iand(has, icompare('le', this.length, int(length))) : has, body, () => undefined);
    return this.access.finish(entry, this.w.body, this.#grid);
  }
  load(buffer: string, at: Int): Value {
    const { memories } = this.#task;
    return this.w.let({ kind: 'load', buffer: memories.has(buffer) ? buffer : this.access.touch(buffer, 'read'), at, access: 'uniform' });
  }
  store(buffer: string, at: Int, value: Value): void {
    if (!this.#task.memories.has(buffer)) this.access.touch(buffer, 'write');
    this.w.store(buffer, at, value, 'one');
  }
  /** A place in a memory of the group; of one that has several numbers for a step, the k-th's. */
  at(channel: Int, step: Int, k: Int = int(0)): Int {
    return iadd(imul(channel, this.stride), step, imul(k, this.channels * this.stride));
  }
  /** A channel's number among all; past the last one the last one again. */
  point(channel: Int): Int {
    const own = iadd(this.#first, channel);
    return this.w.int('p', this.points % this.channels === 0 ? own : imin(own, int(this.points - 1)));
  }
  ifPoint(channel: Int, body: () => void): void {
    if (this.points % this.channels === 0) body();
    else this.w.branch(icompare('lt', iadd(this.#first, channel), int(this.points)), body, () => undefined);
  }
  /** Threads share `steps` of each channel: neighbours have neighbouring steps, or channels where these lie side by side. */
  share(steps: number, side: 'steps' | 'channels', body: (channel: Int, step: Int) => void): void {
    const { w } = this;
    const round = (n: Int): void => {
      const { quotient, rest } = divide(n, side === 'steps' ? steps : this.channels);
      const [channel, step] = side === 'steps' ? [quotient, rest] : [rest, quotient];
      body(w.int('c', channel), w.int('s', step));
    };
    const all = steps * this.channels;
    if (all === this.threads) round(THREAD);
    else w.loop('n', THREAD, int(all), this.threads, {}, round);
  }
  /** The one of a list that this group has. */
  choose<T>(list: readonly T[], body: (one: T) => void): void {
    if (list.length === 1) list.forEach(body);
    else list.forEach((one, k) => this.w.branch(icompare('eq', this.which, int(k)), () => body(one), () => undefined));
  }

  /** Computes expressions at the convolution's `t`-th step of a point, with indices of their own at fixed values; `readout` is where they find what is not in memory for all. */
  compute(t: Int, point: Int, own: ReadonlyMap<Index, number>, tasks: (env: Env) => readonly Computed[], readout?: (e: ExprOf<'read'>, env: Env) => Value | undefined): void {
    const { w } = this;
    const step = this.#task.convolved.backward ? w.int('at', iadd(this.length, imul(t, -1), int(-1))) : t;
    const row = w.int('row', iadd(imul(BATCH, this.access.scalar('T')), step));
    const at = [...own].reduce((e, [i, n]) => this.#envs.bind(e, i, fixed(n)), this.#envs.root(row));
    this.access.step = { t: step, length: this.length };
    this.#readout = readout;
    this.#x.run(tasks(bindPoint(w, this.#envs, at, this.#task.convolved.domain, point)));
    this.#readout = undefined;
    this.access.step = undefined;
  }
  /** The number of this row's block among those of all rows. */
  blockOf(size: number, block: Int): Int {
    const all: Int = { kind: 'idiv', left: iadd(this.access.scalar('T'), int(size - 1)), by: size };
    return iadd(imul(BATCH, all), block);
  }

  /** A transform for each channel at once, at work in the group's memory; `body` of a round finds its channel in `channel`. */
  fft(level: Level): Fft {
    return new Fft(this.w, level.size, (k) => ({ re: this.load(level.twiddles, imul(k, 2)), im: this.load(level.twiddles, iadd(imul(k, 2), int(1))) }), (count, body) => {
      this.share(count, 'steps', (channel, n) => {
        this.#channel = channel;
        body(n);
      });
      this.w.barrier();
    });
  }
  get channel(): Int {
    return this.#channel;
  }
  work(): Points {
    return {
      load: (k) => ({ re: this.load(RE, this.at(this.#channel, k)), im: this.load(IM, this.at(this.#channel, k)) }),
      store: (k, z) => { this.store(RE, this.at(this.#channel, k), z.re); this.store(IM, this.at(this.#channel, k), z.im); },
    };
  }
}

/** A power of two: by what their memories may take, and the threads that they keep busy. */
function channelsOf(points: number, size: number, memories: number, machine: Threads): number {
  const most = Math.min(MOST_CHANNELS, points, machine.sharedWorth / (4 * size * memories), (4 * machine.perGroup) / size);
  return 2 ** Math.max(0, Math.floor(Math.log2(most)));
}
