/**
 * A convolution on a machine with threads, cut as on one with lanes (`convolution/geometry.ts`) and with the same arithmetic: signals, each channel's steps side by
 * side, and the spectra of their blocks; the spectra of superblocks, and what earlier ones give; then the answers of each block: what is given to it, and
 * its own steps directly. Which block gives what is fixed by steps' numbers alone, and a group has one block of one row: bits don't depend on the batch.
 */
import type { Int, Kernel, Value } from '../../../ir/kernel.js';
import type { Convolved } from '../../../ir/stages.js';
import type { Complex } from '../convolution/fft.js';
import { BLOCKS, channels, initialAt, partAt, TAPS, type Geometry, type Instance, type Level } from '../convolution/geometry.js';
import { Readouts } from '../convolution/readouts.js';
import { num } from '../expressions.js';
import { iadd, iand, icompare, imax, imin, imul, int } from '../ints.js';
import type { Layout } from '../layout.js';
import { THREAD } from './access.js';
import { Group, IM, RE, type Task } from './convolution-group.js';
import type { Threads } from './machine.js';
import { divide } from './places.js';

const [BLOCK, SUPER] = BLOCKS;
const TAP = '$taps';
const ANSWERS = '$answers';
/** A transform at work. */
const COMPLEX: ReadonlyMap<string, number> = new Map([[RE, 1], [IM, 1]]);
/** Steps whose direct sums a thread has under way. */
const SIDE = 4;
/** Of a block the steps before which its signals stand, and one more: the taps of its last step reach there. */
const KEPT = BLOCK + 1;

const reg = (name: string): Value => ({ kind: 'reg', name });
const add = (left: Value, right: Value): Value => ({ kind: 'binary', op: 'add', left, right });
const muladd = (left: Value, right: Value, plus: Value): Value => ({ kind: 'muladd', left, right, plus });

/** The kernels, in their order. `entry` names one. */
export function threadConvolution(entry: (part: string) => string, g: Geometry, c: Convolved, layout: Layout, machine: Threads): Kernel[] {
  const made = new ThreadConvolution(g, c, layout, machine);
  const near = made.level(BLOCK);
  const far = made.level(SUPER);
  if (!near) throw new Error(`a convolution over ${c.length} steps has no blocks`);
  return [
    made.signals(entry('signals'), near),
    ...(far ? [made.spectra(entry('spectra'), far), made.give(entry('give'), far)] : []),
    made.answers(entry('answers'), near, far),
  ];
}

class ThreadConvolution {
  readonly #task: Omit<Task, 'size' | 'of' | 'memories' | 'reads' | 'written'>;
  readonly #g: Geometry;
  readonly #points: number;
  /** [block, signal, channel, step]. */
  readonly #signals: string;
  readonly #signalsRow: number;
  readonly #c: Convolved;
  readonly #layout: Layout;

  constructor(geometry: Geometry, convolved: Convolved, layout: Layout, machine: Threads) {
    this.#task = { geometry, convolved, layout, machine };
    this.#g = geometry;
    this.#c = convolved;
    this.#layout = layout;
    this.#points = channels(convolved);
    this.#signalsRow = geometry.inputs.length * this.#points * KEPT;
    this.#signals = layout.blocks('signals', this.#signalsRow, BLOCK);
  }
  level(size: number): Level | undefined {
    return this.#g.levels.find((l) => l.size === size);
  }
  /** [block, signal, channel, re and im, position]. */
  #spectraOf({ size }: Level): { readonly buffer: string; readonly row: number } {
    const row = this.#g.inputs.length * this.#points * 2 * size;
    return { buffer: this.#layout.blocks('spectra', row, size), row };
  }
  /** [superblock, readout, channel, step]. */
  #given(): { readonly buffer: string; readonly row: number } {
    const row = this.#g.outputs.length * this.#points * SUPER;
    return { buffer: this.#layout.blocks('given', row, SUPER), row };
  }

  /** Signals one step late, since a step's own signal is not part of what blocks give; and of blocks that give, the spectra. */
  signals(entry: string, near: Level): Kernel {
    const { inputs } = this.#g;
    const spectra = this.#spectraOf(near);
    const h = new Group({ ...this.#task, size: BLOCK, of: inputs.length, memories: COMPLEX, reads: this.#c.sources.map((x) => x.x), written: [this.#signals, spectra.buffer] });
    const { w, start, length, block } = h;
    return h.kernel(entry, () => {
      h.choose(inputs, (input) => h.share(KEPT, 'channels', (channel, s) => {
        const { x } = this.#c.sources[input.of] as Convolved['sources'][number];
        const step = w.int('step', iadd(start, s, int(-1)));
        h.compute(w.int('within', imin(imax(step, int(0)), iadd(length, int(-1)))), h.point(channel), input.values, (env) => [{ inner: [], body: x, env, sink: (value) =>
          h.store(RE, h.at(channel, s), { kind: 'select', cond: { kind: 'from-cond', cond: icompare('le', int(0), step) }, then: value, else: num(0) }) }]);
      }));
      w.barrier();
      h.share(KEPT, 'steps', (channel, s) => h.ifPoint(channel, () => h.store(this.#signals, this.#signalAt(h, h.which, h.point(channel), block, s), h.load(RE, h.at(channel, s)))));
      const place: Int = { kind: 'imod', left: block, by: near.count };
      w.branch(iand(icompare('lt', iadd(start, int(BLOCK)), length), icompare('lt', place, int(near.count - 1))), () => {
        w.barrier();
        this.#transform(h, near, spectra, (s) => h.load(RE, h.at(h.channel, s)));
      }, () => undefined);
    });
  }
  /** Of superblocks that give. */
  spectra(entry: string, far: Level): Kernel {
    const spectra = this.#spectraOf(far);
    const h = new Group({ ...this.#task, size: SUPER, of: this.#g.inputs.length, memories: COMPLEX, reads: [], written: [spectra.buffer] });
    const { w, start, length, block } = h;
    return h.kernel(entry, () => w.branch(icompare('lt', iadd(start, int(SUPER)), length), () => this.#transform(h, far, spectra, (s) => {
      const split = divide(s, BLOCK);
      return h.load(this.#signals, this.#signalAt(h, h.which, h.point(h.channel), iadd(imul(block, SUPER / BLOCK), split.quotient), split.rest));
    }), () => undefined));
  }
  #transform(h: Group, level: Level, { buffer, row }: { readonly buffer: string; readonly row: number }, signal: (s: Int) => Value): void {
    h.fft(level).forward((s) => ({ re: signal(s) }), h.work(), (f, m, z) => h.ifPoint(h.channel, () => {
      const to = (part: 0 | 1): Int => this.#spectrumAt(h, level, row, h.which, h.point(h.channel), h.block, iadd(f, int(m)), part);
      h.store(buffer, to(0), z.re);
      h.store(buffer, to(1), z.im);
    }));
  }
  #signalAt(h: Group, signal: Int, point: Int, block: Int, s: Int): Int {
    return iadd(imul(h.blockOf(BLOCK, block), this.#signalsRow), imul(iadd(imul(signal, this.#points), point), KEPT), s);
  }
  #spectrumAt(h: Group, { size }: Level, row: number, signal: Int, point: Int, block: Int, f: Int, part: 0 | 1): Int {
    return iadd(imul(h.blockOf(size, block), row), imul(iadd(imul(signal, this.#points), point), 2 * size), f, int(part * size));
  }

  /** What earlier superblocks give to each. */
  give(entry: string, far: Level): Kernel {
    const given = this.#given();
    const h = new Group({ ...this.#task, size: SUPER, of: this.#g.outputs.length, memories: COMPLEX, reads: [], written: [given.buffer] });
    return h.kernel(entry, () => h.w.branch(icompare('lt', int(0), h.block), () => this.#inverse(h, far, h.which, int(0), h.block, (s, value) => {
      h.ifPoint(h.channel, () => h.store(given.buffer, this.#givenAt(h, given.row, h.which, h.block, h.point(h.channel), s), value));
    }), () => undefined));
  }
  #givenAt(h: Group, row: number, which: Int, superblock: Int, point: Int, s: Int): Int {
    return iadd(imul(h.blockOf(SUPER, superblock), row), imul(iadd(imul(which, this.#points), point), SUPER), s);
  }
  /** What the `before` blocks from `first` on give to the one after them, of one readout. */
  #inverse(h: Group, level: Level, which: Int, first: Int, before: Int, output: (s: Int, value: Value) => void): void {
    h.fft(level).inverse((f) => this.#sums(h, level, which, f, first, before), h.work(), output);
  }
  /** Σ over signals and blocks q of X_q·K_{r−q}, at four positions. */
  #sums(h: Group, level: Level, which: Int, f: Int, first: Int, before: Int): Complex[] {
    const { w } = h;
    const { inputs, outputs } = this.#g;
    const { buffer, row } = this.#spectraOf(level);
    const point = h.point(h.channel);
    const sums = Array.from({ length: 4 }, () => [w.variable('re', num(0)), w.variable('im', num(0))] as const);
    this.#each(h, inputs.length, (i) => {
      const pair = w.int('pair', iadd(imul(point, inputs.length * outputs.length), imul(which, inputs.length), i));
      w.loop('q', int(0), before, 1, {}, (q) => sums.forEach(([re, im], m) => {
        const x = (part: 0 | 1): Value => h.load(buffer, this.#spectrumAt(h, level, row, i, point, iadd(first, q), iadd(f, int(m)), part));
        const k = (part: 0 | 1): Value => h.load(level.spectra, partAt(level, 1, pair, f, iadd(before, imul(q, -1), int(-1)), m, part));
        w.set(re, { kind: 'binary', op: 'sub', left: muladd(x(0), k(0), reg(re)), right: { kind: 'binary', op: 'mul', left: x(1), right: k(1) } });
        w.set(im, muladd(x(1), k(0), muladd(x(0), k(1), reg(im))));
      }));
    });
    return sums.map(([re, im]) => ({ re: reg(re), im: reg(im) }));
  }
  #each(h: Group, count: number, body: (k: Int) => void): void {
    if (count === 1) body(int(0));
    else h.w.loop('k', int(0), int(count), 1, {}, body);
  }

  /**
   * The answers of each block, and what is stored of them. A group has one readout where whatever is stored needs no other beside it; else all of
   * them, one after another.
   */
  answers(entry: string, near: Level, far: Level | undefined): Kernel {
    const { outputs } = this.#g;
    const { items } = this.#c;
    const readouts = new Readouts(this.#c);
    const each = items.every((i) => readouts.only(i)) ? 1 : outputs.length;
    const h = new Group({
      ...this.#task, size: BLOCK, of: outputs.length / each, memories: new Map([...COMPLEX, [TAP, 1], ...(each > 1 ? [[ANSWERS, each] as const] : [])]),
      reads: items.map((i) => i.body), written: items.map((i) => this.#layout.of(i.def).buffer),
    });
    const { w, block } = h;
    const kept = each > 1 ? ANSWERS : RE;
    return h.kernel(entry, () => {
      const place = w.int('place', { kind: 'imod', left: block, by: near.count });
      const base = w.int('base', iadd(block, imul(place, -1)));
      this.#each(h, each, (k) => this.#answer(h, each > 1 ? k : h.which, { near, far, place, base }, (channel, s, value) => h.store(kept, h.at(channel, s, k), value)));
      w.barrier();
      const at = (instance: Instance | undefined): void => h.share(BLOCK, 'channels', (channel, s) => {
        const step = w.int('step', iadd(h.start, s));
        w.branch(icompare('lt', step, h.length), () => h.ifPoint(channel, () => this.#store(h, instance, step, channel, readouts, (o) => this.#withInitial(h, each > 1 ? o : h.which, channel, step, h.load(kept, h.at(channel, s, o))))), () => undefined);
      });
      if (each === outputs.length) at(undefined);
      else h.choose(outputs, at);
    });
  }
  /** What is stored of a step, or of it what an instance gives. */
  #store(h: Group, instance: Instance | undefined, step: Int, channel: Int, readouts: Readouts, answer: (o: Int) => Value): void {
    const def = instance && this.#c.readouts[instance.of]?.def;
    const values = [...(instance?.values.values() ?? [])];
    const wanted = this.#c.items.flatMap((item) => {
      const only = instance ? readouts.only(item) : undefined;
      if (instance && only?.def !== def) return [];
      return [{ item, own: new Map(only?.along.map((i, p) => [i, values[p] as number])) }];
    });
    for (const { item, own } of wanted) h.compute(step, h.point(channel), own, (env) => [{ inner: item.inner.filter((i) => !own.has(i)), body: item.body, env, sink: (value, e) => h.access.store(item, value, e) }],
      (e, env) => { const o = readouts.numberOf(e, env); return o && answer(instance ? int(0) : o); });
  }
  /** A readout, with what is left of the initial state. */
  #withInitial(h: Group, which: Int, channel: Int, step: Int, answer: Value): Value {
    const { initial } = this.#g;
    return initial === undefined ? answer : add(answer, h.load(initial, initialAt(this.#g, this.#c, h.point(channel), which, step)));
  }
  /** Of one readout a block's answers, given to `keep` by the threads that have them. */
  #answer(h: Group, which: Int, { near, far, place, base }: Blocks, keep: (channel: Int, s: Int, value: Value) => void): void {
    const { w, block } = h;
    const { inputs, outputs } = this.#g;
    w.branch(icompare('eq', place, int(0)),
      () => h.share(BLOCK, 'steps', (channel, s) => h.store(RE, h.at(channel, s), num(0))),
      () => this.#inverse(h, near, which, base, place, (s, value) => h.store(RE, h.at(h.channel, s), value)));
    w.barrier();
    // A thread has four steps of one channel from here on.
    const mine = divide(THREAD, BLOCK / SIDE);
    const [channel, t] = [w.int('c', mine.quotient), w.int('t', imul(mine.rest, SIDE))];
    const sums = Array.from({ length: SIDE }, (_, k) => w.variable('y', h.load(RE, h.at(channel, iadd(t, int(k))))));
    if (far) this.#fromFar(h, which, channel, t, sums);
    this.#each(h, inputs.length, (i) => {
      w.barrier();
      h.share(KEPT, 'steps', (c, s) => h.store(IM, h.at(c, s), h.load(this.#signals, this.#signalAt(h, i, h.point(c), block, s))));
      h.share(TAPS, 'steps', (c, s) => h.store(TAP, h.at(c, s), h.load(this.#g.taps, iadd(imul(iadd(imul(h.point(c), inputs.length * outputs.length), imul(which, inputs.length), i), TAPS), s))));
      w.barrier();
      this.#direct(h, channel, t, sums);
    });
    w.barrier();
    sums.forEach((name, k) => keep(channel, iadd(t, int(k)), reg(name)));
  }
  #fromFar(h: Group, which: Int, channel: Int, t: Int, sums: readonly string[]): void {
    const { w, block } = h;
    const given = this.#given();
    const { quotient, rest } = divide(block, SUPER / BLOCK);
    const superblock = w.int('super', quotient);
    w.branch(icompare('lt', int(0), superblock), () => sums.forEach((name, k) =>
      w.set(name, add(reg(name), h.load(given.buffer, this.#givenAt(h, given.row, which, superblock, h.point(channel), iadd(imul(rest, BLOCK), t, int(k))))))), () => undefined);
  }
  /** Σ_j k_j·x[t−j] inside the block, for four steps from t on: what stands at s is the signal of the step before. */
  #direct(h: Group, channel: Int, t: Int, sums: readonly string[]): void {
    const { w } = h;
    const tap = (j: Int): Value => h.load(TAP, h.at(channel, j));
    const signal = (s: Int): Value => h.load(IM, h.at(channel, s));
    w.loop('j', int(0), t, SIDE, {}, (j) => {
      const x = sums.map((_, d) => signal(iadd(j, int(d))));
      x.forEach((value, d) => sums.forEach((name, k) => w.set(name, muladd(tap(iadd(t, imul(j, -1), int(1 + k - d))), value, reg(name)))));
    });
    const near = Array.from({ length: SIDE + 1 }, (_, d) => signal(iadd(t, int(d))));
    sums.forEach((name, k) => near.slice(0, k + 2).forEach((value, d) => w.set(name, muladd(tap(int(k + 1 - d)), value, reg(name)))));
  }
}
/** Which blocks give to the one that is answered: the first of them, and how many. */
interface Blocks {
  readonly near: Level;
  readonly far: Level | undefined;
  readonly place: Int;
  readonly base: Int;
}
