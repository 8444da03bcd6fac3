/**
 * A convolution's kernel, in float64 when weights are bound: k_0 = d, k_{1+j} = c·T^j·b, what the recurrence answers to a unit impulse.
 *
 * j = 64·q + l: T^l·b is made step by step, T^64 by six squarings, c·(T^64)^q by steps of that, and each k is one product of the two. No
 * eigenvalues: T may be as far from normal as HiPPO's is. Per channel and elementwise index, with K numbers that mix, it takes 64·K² + 6·K³ + L/64·K²
 * multiplications, and L·K for the products; a diagonal T is K = 1.
 */
import type { Int, Kernel, Value } from '../../../ir/kernel.js';
import type { Index } from '../../../ir/program.js';
import type { Coefficient, Convolved } from '../../../ir/stages.js';
import { iadd, imul, int } from '../ints.js';
import type { Layout } from '../layout.js';
import { BLOCKS, channels, type Geometry, type Instance } from './geometry.js';
import { Host, mul, num, type At } from './host.js';

const LOW = 64;
const SQUARINGS = 6;
/** What kernels may grow by from one block to the next: a transform rounds relative to the largest of what it adds up. */
const GROWTH = 8;
const size = (indices: readonly Index[]): number => indices.reduce((n, i) => n * i.axis.size, 1);

export function impulseKernel(entry: string, g: Geometry, c: Convolved, layout: Layout): Kernel {
  return new Impulse(g, c, layout).kernel(entry);
}

class Impulse {
  readonly #g: Geometry;
  readonly #c: Convolved;
  readonly #host: Host;
  /** Where each slot begins in a vector of K numbers. */
  readonly #offsets: readonly number[];
  readonly #K: number;
  readonly #elements: number;
  readonly #high: number;
  readonly #A: string;
  readonly #square: string;
  readonly #V: string;
  readonly #R: string;

  constructor(g: Geometry, c: Convolved, layout: Layout) {
    this.#g = g;
    this.#c = c;
    let next = 0;
    this.#offsets = c.slots.map((s) => { const at = next; next += size(s.mixing); return at; });
    this.#K = next;
    this.#elements = size(c.elementwise);
    this.#high = c.length / LOW;
    const scratch = (what: string, n: number): string => layout.table(`${g.name}#${what}`, 'load', n);
    this.#A = scratch('power', next * next);
    this.#square = scratch('square', next * next);
    this.#V = scratch('low', (g.inputs.length + (c.initial.length > 0 ? 1 : 0)) * LOW * this.#elements * next);
    this.#R = scratch('high', g.outputs.length * this.#high * this.#elements * next);
    this.#host = new Host(layout, [this.#A, this.#square, this.#V, this.#R, g.kernel, g.grows]);
  }
  kernel(entry: string): Kernel {
    const c = this.#c;
    this.#host.each(c.domain, new Map(), (at, channel) => {
      this.#host.each(c.elementwise, at, (element, e) => {
        this.#assemble(element);
        this.#g.inputs.forEach((x, k) => this.#impulses(c.drive.filter((t) => t.column === x.of), x.values, k, element, e));
        if (c.initial.length > 0) this.#impulses(c.initial, new Map(), this.#g.inputs.length, element, e);
        for (let s = 0; s < SQUARINGS; s++) this.#squared(...(s % 2 === 0 ? [this.#A, this.#square] as const : [this.#square, this.#A] as const));
        this.#g.outputs.forEach((r, k) => this.#readouts(r, k, element, e));
      });
      this.#g.outputs.forEach((r, o) => {
        this.#g.inputs.forEach((x, i) => {
          const through = c.through.find((t) => t.row === r.of && t.column === x.of);
          const own = new Map([...at, ...[...r.values, ...x.values].map(([index, v]) => [index, int(v)] as const)]);
          this.#taps(o, i, o * this.#g.inputs.length + i, channel, through ? this.#host.w.let(this.#host.element(through, own)) : num(0));
        });
        if (c.initial.length > 0) this.#taps(o, this.#g.inputs.length, this.#g.outputs.length * this.#g.inputs.length + o, channel, num(0));
      });
    });
    this.#growth();
    return this.#host.kernel(entry);
  }
  #fill(buffer: string, from: Int, count: number): void {
    this.#host.w.loop('z', int(0), int(count), 1, {}, (z) => this.#host.store(buffer, iadd(from, z), num(0)));
  }
  #assemble(at: At): void {
    const h = this.#host;
    const K = this.#K;
    this.#fill(this.#A, int(0), K * K);
    for (const t of this.#c.transition) {
      const [row, column] = [this.#c.slots[t.row] as Convolved['slots'][number], this.#c.slots[t.column] as Convolved['slots'][number]];
      h.each(row.mixing, at, (rows, r) => h.each(column.columns, rows, (all, k) =>
        h.store(this.#A, iadd(imul(iadd(r, int(this.#offsets[t.row] as number)), K), iadd(k, int(this.#offsets[t.column] as number))), h.w.let(h.element(t, all)))));
    }
  }
  /** The coefficients of one signal or readout along a slot's elements. */
  #vector(list: readonly Coefficient[], slot: (t: Coefficient) => number, values: Instance['values'], at: At, buffer: string, from: Int): void {
    const h = this.#host;
    this.#fill(buffer, from, this.#K);
    const own = new Map([...at, ...[...values].map(([i, v]) => [i, int(v)] as const)]);
    for (const t of list) {
      const s = slot(t);
      h.each((this.#c.slots[s] as Convolved['slots'][number]).mixing, own, (all, k) => h.store(buffer, iadd(from, k, int(this.#offsets[s] as number)), h.w.let(h.element(t, all))));
    }
  }
  #low(input: number, l: Int, e: Int): Int {
    return iadd(imul(iadd(imul(l, this.#elements), e), this.#K), int(input * LOW * this.#elements * this.#K));
  }
  #highAt(output: number, q: Int, e: Int): Int {
    return iadd(imul(iadd(imul(q, this.#elements), e), this.#K), int(output * this.#high * this.#elements * this.#K));
  }
  /** T^l·b, b what a signal drives with or an initial state. */
  #impulses(b: readonly Coefficient[], values: Instance['values'], k: number, at: At, e: Int): void {
    const h = this.#host;
    const K = this.#K;
    this.#vector(b, (t) => t.row, values, at, this.#V, this.#low(k, int(0), e));
    h.w.loop('l', int(1), int(LOW), 1, {}, (l) => h.fours(K, (r, count) => {
      const before = this.#low(k, iadd(l, int(-1)), e);
      const sums = h.sums(count, K, (c) => h.load(this.#V, iadd(before, c)), (n, c) => h.load(this.#A, iadd(imul(iadd(r, int(n)), K), c)));
      sums.forEach((v, n) => h.store(this.#V, iadd(this.#low(k, l, e), r, int(n)), v));
    }));
  }
  #squared(from: string, to: string): void {
    const h = this.#host;
    const K = this.#K;
    h.w.loop('r', int(0), int(K), 1, {}, (r) => h.fours(K, (c, count) => {
      const sums = h.sums(count, K, (x) => h.load(from, iadd(imul(r, K), x)), (n, x) => h.load(from, iadd(imul(x, K), c, int(n))));
      sums.forEach((v, n) => h.store(to, iadd(imul(r, K), c, int(n)), v));
    }));
  }
  /** c·(T^64)^q. */
  #readouts(r: Instance, k: number, at: At, e: Int): void {
    const h = this.#host;
    const K = this.#K;
    this.#vector(this.#c.readout.filter((t) => t.row === r.of), (t) => t.column, r.values, at, this.#R, this.#highAt(k, int(0), e));
    h.w.loop('q', int(1), int(this.#high), 1, {}, (q) => h.fours(K, (c, count) => {
      const before = this.#highAt(k, iadd(q, int(-1)), e);
      const sums = h.sums(count, K, (x) => h.load(this.#R, iadd(before, x)), (n, x) => h.load(this.#A, iadd(imul(x, K), c, int(n))));
      sums.forEach((v, n) => h.store(this.#R, iadd(this.#highAt(k, q, e), c, int(n)), v));
    }));
  }
  /**
   * Whether the largest |k| so far becomes more than GROWTH times itself within a block, at either of their sizes: then the answers of early steps
   * would drown in what is rounded of later ones, and the recurrence is run. Not finite is growth too.
   */
  #growth(): void {
    const h = this.#host;
    const { w } = h;
    const [block, superblock] = BLOCKS;
    const { length } = this.#c;
    const rows = this.#g.outputs.length * this.#g.inputs.length * channels(this.#c);
    const largest = w.variable('largest', num(0));
    const grows = w.variable('grows', num(0));
    const upTo = (from: Int, count: number): void => w.loop('r', int(0), int(rows), 1, {}, (r) => w.loop('j', int(0), int(count), 1, {}, (j) =>
      w.set(largest, { kind: 'binary', op: 'max', left: { kind: 'reg', name: largest }, right: { kind: 'unary', op: 'abs', arg: h.load(this.#g.kernel, iadd(imul(r, length + 1), from, j)) } })));
    const blocks = (size: number, first: number, end: number): void => w.loop('p', int(first), int(end), 1, {}, (p) => {
      const before = w.variable('before', { kind: 'reg', name: largest });
      upTo(iadd(imul(p, size), int(1)), size);
      const tame: Value = { kind: 'binary', op: 'le', left: { kind: 'reg', name: largest }, right: mul(num(GROWTH), { kind: 'reg', name: before }) };
      w.set(grows, { kind: 'select', cond: tame, then: { kind: 'reg', name: grows }, else: num(1) });
    });
    upTo(int(0), block + 1);
    blocks(block, 1, Math.min(length, superblock) / block);
    blocks(superblock, 1, length / superblock);
    h.store(this.#g.grows, int(0), { kind: 'reg', name: grows });
  }
  /** The kernel of this number: k_0 and c·T^j·b. */
  #taps(o: number, i: number, kernel: number, channel: Int, first: Value): void {
    const h = this.#host;
    const { length } = this.#c;
    const from = iadd(imul(channel, length + 1), int(kernel * channels(this.#c) * (length + 1)));
    h.store(this.#g.kernel, from, first);
    const each = this.#elements * this.#K;
    h.w.loop('q', int(0), int(this.#high), 1, {}, (q) => h.w.loop('l', int(0), int(LOW), 4, {}, (l) => {
      const left = this.#highAt(o, q, int(0));
      const sums = h.sums(4, each, (e) => h.load(this.#R, iadd(left, e)), (n, e) => h.load(this.#V, iadd(this.#low(i, iadd(l, int(n)), int(0)), e)));
      sums.forEach((v, n) => h.store(this.#g.kernel, iadd(from, imul(q, LOW), l, int(1 + n)), v));
    }));
  }
}
