/** What the load-time kernels of a convolution are written with: one float64 lane, buffers found as they are touched. */
import type { Int, Kernel, Value } from '../../../ir/kernel.js';
import type { Index } from '../../../ir/program.js';
import type { Placed } from '../../../ir/stages.js';
import { iadd, imul, int } from '../ints.js';
import type { Layout } from '../layout.js';
import { Writer } from '../writer.js';

export type At = ReadonlyMap<Index, Int>;
export const num = (value: number): Value => ({ kind: 'number', value });
export const mul = (left: Value, right: Value): Value => ({ kind: 'binary', op: 'mul', left, right });

export class Host {
  readonly w: Writer;
  readonly #layout: Layout;
  readonly #used = new Map<string, 'read' | 'write' | 'read-write'>();

  constructor(layout: Layout, written: readonly string[]) {
    this.#layout = layout;
    this.w = new Writer(written, []);
  }
  load(buffer: string, at: Int): Value {
    this.#touch(buffer, 'read');
    return { kind: 'load', buffer, at, access: 'uniform' };
  }
  store(buffer: string, at: Int, value: Value): void {
    this.#touch(buffer, 'write');
    this.w.store(buffer, at, value, 'one');
  }
  /** An element of a load-time definition. */
  element(placed: Placed, at: At): Value {
    const s = this.#layout.of(placed.def);
    return this.load(s.buffer, placed.at.reduce((sum, i, p) => iadd(sum, imul(at.get(i) ?? int(0), s.strides[p] as number)), int(s.offset)));
  }
  /** Loops over indices, their values and the element's number in row-major order. */
  each(indices: readonly Index[], at: At, body: (at: At, number: Int) => void): void {
    const rest = (k: number, here: At, number: Int): void => {
      const i = indices[k];
      if (!i) { body(here, number); return; }
      this.w.loop('i', int(0), int(i.axis.size), 1, {}, (v) => rest(k + 1, new Map(here).set(i, v), iadd(imul(number, i.axis.size), v)));
    };
    rest(0, at, int(0));
  }
  /** Loops over 0 to `size` by fours, so that four sums are under way at once, and one by one at the end. */
  fours(size: number, body: (first: Int, count: number) => void): void {
    const whole = size - (size % 4);
    this.w.loop('c', int(0), int(whole), 4, {}, (c) => body(c, 4));
    this.w.loop('c', int(whole), int(size), 1, {}, (c) => body(c, 1));
  }
  /** Σ over x of left(x)·right_k(x), for each k. */
  sums(count: number, size: number, left: (x: Int) => Value, right: (k: number, x: Int) => Value): Value[] {
    const { w } = this;
    const names = Array.from({ length: count }, () => w.variable('acc', num(0)));
    w.loop('x', int(0), int(size), 1, {}, (x) => {
      const l = w.let(left(x));
      names.forEach((name, k) => w.set(name, { kind: 'muladd', left: l, right: right(k, x), plus: { kind: 'reg', name } }));
    });
    return names.map((name) => ({ kind: 'reg', name }));
  }
  kernel(name: string): Kernel {
    return {
      name, precision: 'f64', body: this.w.body,
      parameters: [...this.#used].map(([buffer, access]) => ({ kind: 'buffer' as const, name: buffer, access, element: this.#layout.buffers[this.#layout.id(buffer)]?.kind === 'load' ? 'f64' as const : 'f32' as const })),
    };
  }
  #touch(buffer: string, how: 'read' | 'write'): void {
    const before = this.#used.get(buffer);
    this.#used.set(buffer, before && before !== how ? 'read-write' : how);
  }
}
