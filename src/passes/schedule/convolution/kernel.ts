/**
 * A convolution as a kernel of a machine with lanes: a tile of channels at a time, its signals, spectra and answers in the nearest caches. The order
 * of work is fixed by the steps' numbers alone, and a block is read by others once it is complete.
 */
import type { Int, Kernel, Value } from '../../../ir/kernel.js';
import type { Expr, Index } from '../../../ir/program.js';
import type { Convolved } from '../../../ir/stages.js';
import { Expressions, num, type Task } from '../expressions.js';
import { iadd, icompare, imin, imul, int } from '../ints.js';
import type { Layout } from '../layout.js';
import { UNROLL } from '../limits.js';
import { fixed, type Env, type Place } from '../places.js';
import { reachOf, Rows, type Reach } from '../rows.js';
import type { Writer } from '../writer.js';
import { Fft, type Complex, type Points } from './fft.js';
import { BLOCKS, initialAt, spectrumAt, TAPS, type Geometry, type Instance, type Level } from './geometry.js';
import { Readouts } from './readouts.js';

/** Steps whose direct sums are under way at once. */
const SIDE = 8;
/** Tiles of channels whose signals are fetched together, and whose answers are stored so: together they fill the lines of a cache. */
const TOGETHER = 4;
const [BLOCK, SUPER] = BLOCKS;
const muladd = (left: Value, right: Value, plus: Value): Value => ({ kind: 'muladd', left, right, plus });

export function convolutionKernel(entry: string, g: Geometry, c: Convolved, layout: Layout): Kernel {
  return new ConvolutionKernel(g, c, layout).kernel(entry);
}

class ConvolutionKernel {
  readonly #g: Geometry;
  readonly #c: Convolved;
  readonly #w: Writer;
  readonly #rows: Rows;
  readonly #x: Expressions;
  /** Whose readouts expressions read. */
  #step: At | undefined;
  #reach: Reach = { past: 0, future: 0 };
  /** Of tiles that go together: signals, one step late, and answers. Of one tile: a transform at work, and the levels'. */
  readonly #signals: string;
  readonly #answers: string;
  readonly #transforms: string;
  readonly #memories: ReadonlyMap<Level, Memories>;
  readonly #super: number;
  readonly #length: number;

  constructor(g: Geometry, c: Convolved, layout: Layout) {
    this.#g = g;
    this.#c = c;
    this.#super = Math.min(SUPER, c.length);
    this.#length = c.length;
    // One row of the batch after another, one convolution after another: they share it.
    const scratch = (what: string, size: number): string => layout.table(`#${what}.${size}`, 'constant', size);
    this.#signals = scratch('signals', g.inputs.length * TOGETHER * (c.length + 1) * g.lanes);
    this.#answers = scratch('answers', g.outputs.length * TOGETHER * c.length * g.lanes);
    this.#transforms = scratch('transform', 2 * this.#super * g.lanes);
    this.#memories = new Map(g.levels.map((l) => {
      const each = (l.count - 1) * 2 * l.size * g.lanes;
      return [l, { spectra: scratch(`blocks.${l.size}`, g.inputs.length * each), given: scratch(`given.${l.size}`, g.outputs.length * each) }];
    }));
    const written = [this.#signals, this.#answers, this.#transforms, ...[...this.#memories.values()].flatMap((m) => [m.spectra, m.given]), ...c.items.map((i) => layout.of(i.def).buffer)];
    this.#rows = new Rows(layout, g.lanes, false, written);
    this.#w = this.#rows.w;
    const shape = { lanes: g.lanes, tile: g.lanes, domain: c.domain, laneIndex: g.lane, unroll: UNROLL };
    const readouts = new Readouts(c);
    this.#x = new Expressions({
      writer: this.#w, envs: this.#rows.envs, lanes: g.lanes, laneLoops: false, unroll: UNROLL, item: () => undefined, decays: () => false,
      load: (e, env) => {
        const o = readouts.numberOf(e, env);
        return o && this.#step ? this.#answer(o, this.#step) : this.#rows.read(e, env, shape, this.#reach);
      },
    }, [...c.items, ...c.sources.map((s) => ({ body: s.x }))]);
  }
  kernel(name: string): Kernel {
    this.#rows.sequences((b, length) => {
      const run = (): void => this.#channels((at, place, count) => this.#together(b, length, at, place, count));
      if (this.#c.whole) this.#w.branch(icompare('le', length, int(this.#length)), run, () => undefined);
      else run();
    });
    return this.#rows.kernel(name);
  }
  /** Signals and readouts are gone through by loops, not by copies of the code: engines compile large functions less well. */
  #each(list: readonly Instance[], body: (k: Int) => void): void {
    if (list.length === 1) body(int(0));
    else this.#w.loop('k', int(0), int(list.length), 1, {}, body);
  }
  /** Tiles of channels that go together: where the first one's indices stand, its number, and how many there are. */
  #channels(body: (at: ReadonlyMap<Index, Int>, place: Int, count: Int) => void): void {
    const { outer, lane, lanes, tiles } = this.#g;
    const rest = (k: number, at: ReadonlyMap<Index, Int>, number: Int): void => {
      const i = outer[k];
      if (i) this.#w.loop('i', int(0), int(i.axis.size), 1, { parallel: true }, (v) => rest(k + 1, new Map(at).set(i, v), iadd(imul(number, i.axis.size), v)));
      else this.#w.loop('tile', int(0), int(tiles), TOGETHER, { parallel: true }, (t) =>
        body(lane ? new Map(at).set(lane, imul(t, lanes)) : at, this.#w.int('place', iadd(imul(number, tiles), t)), this.#w.int('count', imin(int(TOGETHER), iadd(int(tiles), imul(t, -1))))));
    };
    rest(0, new Map(), int(0));
  }

  #load(buffer: string, at: Int): Value {
    return { kind: 'load', buffer: this.#rows.touch(buffer, 'read'), at, access: 'vector' };
  }
  #store(buffer: string, at: Int, value: Value): void {
    this.#w.store(this.#rows.touch(buffer, 'write'), at, value, 'vector');
  }

  /** Signals in, each tile's sequence, answers out; what signals and answers take besides is computed on the way. */
  #together(b: Int, length: Int, at: ReadonlyMap<Index, Int>, place: Int, count: Int): void {
    const w = this.#w;
    const { sources, items } = this.#c;
    this.#g.inputs.forEach((input, k) => {
      const { x } = sources[input.of] as Convolved['sources'][number];
      w.loop('v', int(0), count, 1, {}, (v) => this.#store(this.#signals, this.#signalAt(int(k), v, int(0)), num(0)));
      this.#steps(b, length, at, place, count, [x], input.values, (env, v, t) => [{ inner: [], body: x, env, sink: (value) => this.#store(this.#signals, this.#signalAt(int(k), v, iadd(t, int(1))), value) }]);
    });
    w.loop('v', int(0), count, 1, {}, (v) => this.#sequence(length, v, w.int('own', iadd(place, v))));
    this.#steps(b, length, at, place, count, items.map((i) => i.body), new Map(), (env) => items.map((i) => ({ inner: i.inner, body: i.body, env, sink: (value, e) => this.#rows.store(i, value, e) })));
  }
  /** Each step of each tile of channels: tiles innermost, which lie side by side. The t-th of a convolution that runs backward is the sequence's t-th from its end. */
  #steps(b: Int, length: Int, at: ReadonlyMap<Index, Int>, place: Int, count: Int, bodies: readonly Expr[], own: ReadonlyMap<Index, number>, tasks: (env: Env, v: Int, t: Int) => Task[]): void {
    const w = this.#w;
    const { lane, lanes } = this.#g;
    this.#reach = reachOf(bodies, () => false);
    w.loop('t', int(0), length, 1, {}, (t) => this.#rows.atStep(b, this.#c.backward ? w.int('at', iadd(length, imul(t, -1), int(-1))) : t, length, this.#reach, (root) => w.loop('v', int(0), count, 1, {}, (v) => {
      const places = [...at].map(([i, x]): readonly [Index, Place] => {
        const base = i === lane ? w.int('lane', iadd(x, imul(v, lanes))) : x;
        return [i, i === lane ? { int: base, lane: true, tile: { base, vector: 0 } } : { int: base, lane: false }];
      });
      const fixedPlaces = [...own].map(([i, n]): readonly [Index, Place] => [i, fixed(n)]);
      const env = [...places, ...fixedPlaces].reduce((e, [i, p]) => this.#rows.envs.bind(e, i, p), root);
      this.#step = { v, t, place: iadd(place, v) };
      this.#x.run(tasks(env, v, t));
      this.#step = undefined;
    })));
  }
  /** A readout: what the convolution answers, and what is left of the initial state. */
  #answer(o: Int, { v, t, place }: At): Value {
    const answer = this.#load(this.#answers, this.#answerAt(o, v, t));
    if (this.#g.initial === undefined) return answer;
    return { kind: 'binary', op: 'add', left: this.#w.let(answer), right: this.#w.let(this.#load(this.#g.initial, initialAt(this.#g, this.#c, place, o, t))) };
  }
  /** Superblock after superblock of one tile of channels. */
  #sequence(length: Int, v: Int, place: Int): void {
    const w = this.#w;
    const { outputs, levels } = this.#g;
    const top = levels.find((l) => l.size === SUPER);
    const level = levels.find((l) => l.size === BLOCK);
    if (top) this.#spread(top, v, int(0), length, place);
    w.loop('s', int(0), blocksOf(length, this.#super), 1, {}, (s) => {
      const start = w.int('start', imul(s, this.#super));
      const steps = w.int('steps', imin(int(this.#super), iadd(length, imul(start, -1))));
      this.#each(outputs, (o) => this.#fromBefore(top, s, o, (t) => this.#answerAt(o, v, iadd(start, t))));
      if (level) this.#spread(level, v, start, steps, place);
      this.#blocks(level, v, start, steps, place);
    });
  }
  /** Signal k of the sequence's tile v: what stands at t + 1 is step t's, and at 0 a 0. */
  #signalAt(k: Int, v: Int, t: Int): Int {
    return imul(iadd(t, imul(iadd(v, imul(k, TOGETHER)), this.#length + 1)), this.#g.lanes);
  }
  #answerAt(o: Int, v: Int, t: Int): Int {
    return imul(iadd(t, imul(iadd(v, imul(o, TOGETHER)), this.#length)), this.#g.lanes);
  }
  /** What earlier superblocks give: all that the answers begin with. */
  #fromBefore(top: Level | undefined, s: Int, o: Int, to: (t: Int) => Int): void {
    const w = this.#w;
    const nothing = (): void => w.loop('t', int(0), int(this.#super), 1, {}, (t) => this.#store(this.#answers, to(t), num(0)));
    if (!top) { nothing(); return; }
    w.branch(icompare('eq', s, int(0)), nothing, () => this.#given(top, o, s, (k, value) => this.#store(this.#answers, to(k), value)));
  }
  #blocks(level: Level | undefined, v: Int, start: Int, steps: Int, place: Int): void {
    const w = this.#w;
    const { inputs, outputs } = this.#g;
    w.loop('r', int(0), blocksOf(steps, BLOCK), 1, {}, (r) => {
      const first = w.int('first', iadd(start, imul(r, BLOCK)));
      const end = w.int('end', imin(int(BLOCK), iadd(steps, imul(r, -BLOCK))));
      this.#each(outputs, (o) => {
        const to = (t: Int): Int => this.#answerAt(o, v, iadd(first, t));
        if (level) w.branch(icompare('eq', r, int(0)), () => undefined, () => this.#given(level, o, r, (k, value) =>
          this.#store(this.#answers, to(k), { kind: 'binary', op: 'add', left: w.let(this.#load(this.#answers, to(k))), right: value })));
        this.#each(inputs, (i) => this.#direct(o, i, end, place, to, (t) => this.#load(this.#signals, this.#signalAt(i, v, iadd(first, t)))));
      });
    });
  }
  /** Σ_j k_j·x[t−j] inside a block, eight steps at a time. */
  #direct(o: Int, i: Int, end: Int, place: Int, to: (t: Int) => Int, signal: (t: Int) => Value): void {
    const w = this.#w;
    const { lanes, inputs, outputs } = this.#g;
    const pair = iadd(imul(place, inputs.length * outputs.length), imul(o, inputs.length), i);
    const taps = (j: Int): Value => this.#load(this.#g.taps, imul(iadd(imul(pair, TAPS), j), lanes));
    w.loop('t', int(0), end, SIDE, {}, (t) => {
      const sums = Array.from({ length: SIDE }, (_, c) => w.variable('y', this.#load(this.#answers, to(iadd(t, int(c))))));
      w.loop('j', int(0), t, 2, {}, (j) => {
        const x = [w.let(signal(j)), w.let(signal(iadd(j, int(1))))];
        for (const [d, value] of x.entries()) sums.forEach((name, c) => w.set(name, muladd(w.let(taps(iadd(t, imul(j, -1), int(1 + c - d)))), value, { kind: 'reg', name })));
      });
      // x'_τ = x_{τ−1} stands at τ: k_0 takes the one after.
      const near = Array.from({ length: SIDE + 1 }, (_, c) => w.let(signal(iadd(t, int(c)))));
      sums.forEach((name, c) => {
        let sum: Value = { kind: 'reg', name };
        for (let d = 0; d <= c + 1; d++) sum = muladd(w.let(taps(int(c + 1 - d))), near[d] as Value, sum);
        this.#store(this.#answers, to(iadd(t, int(c))), sum);
      });
    });
  }

  // --- spectra ----------------------------------------------------------------------------------------------------------

  #fft(level: Level): Fft {
    const uniform = (at: Int): Value => ({ kind: 'load', buffer: this.#rows.touch(level.twiddles, 'read'), at, access: 'uniform' });
    return new Fft(this.#w, level.size, (at) => ({ re: uniform(imul(at, 2)), im: uniform(iadd(imul(at, 2), int(1))) }));
  }
  /** A transform at work. */
  #work(): Points {
    const { lanes } = this.#g;
    const at = (k: Int): Int => imul(k, 2 * lanes);
    return {
      load: (k) => ({ re: this.#load(this.#transforms, at(k)), im: this.#load(this.#transforms, iadd(at(k), int(lanes))) }),
      store: (k, z) => { this.#store(this.#transforms, at(k), z.re); this.#store(this.#transforms, iadd(at(k), int(lanes)), z.im); },
    };
  }
  /** The m-th of the numbers of a spectrum that begin at `at`. */
  #complex(buffer: string, at: Int, m: number): Complex {
    const { lanes } = this.#g;
    return { re: this.#w.let(this.#load(buffer, iadd(at, int(2 * m * lanes)))), im: this.#w.let(this.#load(buffer, iadd(at, int((2 * m + 1) * lanes)))) };
  }
  #put(buffer: string, at: Int, m: number, z: Complex): void {
    const { lanes } = this.#g;
    this.#store(buffer, iadd(at, int(2 * m * lanes)), z.re);
    this.#store(buffer, iadd(at, int((2 * m + 1) * lanes)), z.im);
  }
  /**
   * What complete blocks give to later ones: the spectrum of each block but the last, then, four positions at a time, the sums for each block
   * but the first. All blocks' numbers at a position lie in a row, so that they come from memory once.
   */
  #spread(level: Level, v: Int, start: Int, steps: Int, place: Int): void {
    const w = this.#w;
    const { inputs, outputs, lanes } = this.#g;
    const { spectra, given } = this.#memories.get(level) as Memories;
    const blocks = w.int('blocks', blocksOf(steps, level.size));
    w.loop('q', int(0), iadd(blocks, int(-1)), 1, {}, (q) => this.#each(inputs, (k) => {
      const signal = (j: Int): Value => this.#load(this.#signals, this.#signalAt(k, v, iadd(start, imul(q, level.size), j)));
      this.#fft(level).forward((j) => ({ re: signal(j) }), this.#work(), (f, m, z) => this.#put(spectra, spectrumAt(level, lanes, k, f, q), m, z));
    }));
    w.loop('f', int(0), int(level.size), 4, {}, (f) => w.loop('r', int(1), blocks, 1, {}, (r) => this.#each(outputs, (o) =>
      this.#sums(level, o, f, r, place).forEach((z, m) => this.#put(given, spectrumAt(level, lanes, o, f, iadd(r, int(-1))), m, z)))));
  }
  /** Σ over signals and blocks q before r of X_q·K_{r−q}, at four positions. */
  #sums(level: Level, o: Int, f: Int, r: Int, place: Int): Complex[] {
    const w = this.#w;
    const { inputs, outputs, lanes } = this.#g;
    const { spectra } = this.#memories.get(level) as Memories;
    const reg = (name: string): Value => ({ kind: 'reg', name });
    const sums = Array.from({ length: 4 }, () => [w.variable('re', num(0)), w.variable('im', num(0))] as const);
    // Two at a time: more wouldn't fit the registers.
    for (const two of [[0, 1], [2, 3]]) this.#each(inputs, (i) => {
      const pair = iadd(imul(place, inputs.length * outputs.length), imul(o, inputs.length), i);
      w.loop('q', int(0), r, 1, {}, (q) => two.forEach((m) => {
        const [re, im] = sums[m] as readonly [string, string];
        const x = this.#complex(spectra, spectrumAt(level, lanes, i, f, q), m);
        const k = this.#complex(level.spectra, spectrumAt(level, lanes, pair, f, iadd(r, imul(q, -1), int(-1))), m);
        w.set(re, { kind: 'binary', op: 'sub', left: muladd(x.re, k.re, reg(re)), right: { kind: 'binary', op: 'mul', left: x.im, right: k.im } });
        w.set(im, muladd(x.im, k.re, muladd(x.re, k.im, reg(im))));
      }));
    });
    return sums.map(([re, im]) => ({ re: reg(re), im: reg(im) }));
  }
  /** What is given to block r, step by step. */
  #given(level: Level, o: Int, r: Int, give: (k: Int, v: Value) => void): void {
    const { given } = this.#memories.get(level) as Memories;
    const at = (f: Int): Int => spectrumAt(level, this.#g.lanes, o, f, iadd(r, int(-1)));
    this.#fft(level).inverse((f) => [0, 1, 2, 3].map((m) => this.#complex(given, at(f), m)), this.#work(), give);
  }
}
/** A step of a tile of channels: which of those that go together, and its number among all. */
interface At {
  readonly v: Int;
  readonly t: Int;
  readonly place: Int;
}
/** Of one level: the spectra of blocks, by signal, and of what blocks are given, by readout. */
interface Memories {
  readonly spectra: string;
  readonly given: string;
}
const blocksOf = (steps: Int, size: number): Int => ({ kind: 'idiv', left: iadd(steps, int(size - 1)), by: size });
