/**
 * Fourier transforms as statements of a kernel, of sizes 4^a or 2·4^a: radix 4, decimation in frequency forward and in time back, so that
 * spectra stand in digit-reversed order and nothing is permuted. Every lane transforms a signal of its own; or the threads of a group share the
 * rounds of every pass.
 *
 * Right-angle convolution: with x_j twisted by w^j, w = e^{iπ/2P}, a circular convolution of length P gives lo_k + i·hi_k once it is
 * untwisted, lo and hi the two halves of the linear convolution: w^P = i. No padding, and no packing of two real signals in one complex. The twist
 * is part of the first pass: as a spectrum it is the one at the frequencies f − 1/4.
 */
import type { Int, Value } from '../../../ir/kernel.js';
import { iadd, imul, int } from '../ints.js';
import type { Writer } from '../writer.js';

export interface Complex {
  readonly re: Value;
  readonly im: Value;
}
/** Complex numbers in memory, by position. */
export interface Points {
  readonly load: (at: Int) => Complex;
  readonly store: (at: Int, z: Complex) => void;
}
/** How threads share rounds: each of `count` by one of them, all of them seen by those of the next. */
export type Rounds = (count: number, body: (n: Int) => void) => void;
/** e^{−2πi·k/P} at k, and at P + m·P/4 + k the twiddles of the twisted pass, e^{−2πi·k(m − 1/4)/P}. */
export type Twiddles = (at: Int) => Complex;
/** Complex numbers in a table of twiddles. */
export const tableSize = (size: number): number => 2 * size;

const add = (left: Value, right: Value): Value => ({ kind: 'binary', op: 'add', left, right });
const sub = (left: Value, right: Value): Value => ({ kind: 'binary', op: 'sub', left, right });
const mul = (left: Value, right: Value): Value => ({ kind: 'binary', op: 'mul', left, right });
const num = (value: number): Value => ({ kind: 'number', value });

/** e^{iπl/8}, the twist of quarter l. */
const quarter = [0, 1, 2, 3].map((l) => ({ cos: Math.cos((Math.PI * l) / 8), sin: Math.sin((Math.PI * l) / 8) }));

export class Fft {
  readonly #w: Writer;
  readonly #size: number;
  readonly #table: Twiddles;
  readonly #rounds: Rounds | undefined;

  constructor(w: Writer, size: number, table: Twiddles, rounds?: Rounds) {
    this.#rounds = rounds;
    this.#w = w;
    this.#size = size;
    this.#table = table;
  }
  /** Lengths of the blocks that each pass of the forward transform takes apart. */
  get #lengths(): readonly number[] {
    const out: number[] = [];
    for (let n = this.#size; n > 1; n /= n >= 4 ? 4 : 2) out.push(n);
    return out;
  }
  /** The spectrum of a twisted signal: of four numbers from a position on, the m-th goes to `output`. `input` is real where it has no `im`. */
  forward(input: (at: Int) => { readonly re: Value; readonly im?: Value }, work: Points, output: (from: Int, m: number, z: Complex) => void): void {
    const q = this.#size / 4;
    this.#each('k', q, 1, (k) => {
      const x = quarter.map((c, l) => this.#turned(input(iadd(k, int(l * q))), c));
      const out = this.#butterfly(x, 1);
      out.forEach((z, m) => work.store(iadd(k, int(m * q)), this.#times(z, this.#read(iadd(k, int(this.#size + m * q))), 1)));
    });
    for (const n of this.#lengths.slice(1, -1)) this.#decimate(n, work);
    this.#each('f', this.#size, 4, (f) => {
      const x = [0, 1, 2, 3].map((m) => this.#named(work.load(iadd(f, int(m)))));
      const out = this.#lengths.at(-1) === 4 ? this.#butterfly(x, 1) : [...this.#pair(x.slice(0, 2)), ...this.#pair(x.slice(2))];
      out.forEach((z, m) => output(f, m, z));
    });
  }
  /** A whole complex transform, without twist, of what `input` gives. */
  plain(input: Points['load'], work: Points): void {
    this.#lengths.forEach((n, k) => this.#decimate(n, k === 0 ? { ...work, load: input } : work));
  }
  /** The untwisted signal's real part, times the size; `spectrum` gives the four numbers that begin at a position. */
  inverse(spectrum: (at: Int) => readonly Complex[], work: Points, output: (at: Int, re: Value) => void): void {
    const [, ...lengths] = this.#lengths.toReversed();
    const first = this.#lengths.at(-1) === 2 ? 2 : 4;
    this.#each('f', this.#size, 4, (f) => {
      const x = spectrum(f);
      const out = first === 4 ? this.#butterfly(x, -1) : [...this.#pair(x.slice(0, 2)), ...this.#pair(x.slice(2))];
      out.forEach((z, m) => work.store(iadd(f, int(m)), z));
    });
    for (const n of lengths.slice(0, -1)) this.#pass(n, (base, step, twiddles) => {
      const x = twiddles.map((t, m) => this.#turn(work.load(iadd(base, int(m * step))), t, -1));
      this.#butterfly(x, -1).forEach((z, l) => work.store(iadd(base, int(l * step)), z));
    });
    const q = this.#size / 4;
    this.#each('k', q, 1, (k) => {
      const x = [0, 1, 2, 3].map((m) => this.#times(work.load(iadd(k, int(m * q))), this.#read(iadd(k, int(this.#size + m * q))), -1));
      this.#butterfly(x, -1).forEach((z, l) => {
        const { cos, sin } = quarter[l] as { cos: number; sin: number };
        output(iadd(k, int(l * q)), l === 0 ? z.re : add(mul(z.re, num(cos)), mul(z.im, num(sin))));
      });
    });
  }

  #each(prefix: string, to: number, step: number, body: (n: Int) => void): void {
    if (this.#rounds) this.#rounds(to / step, (n) => body(imul(n, step)));
    else this.#w.loop(prefix, int(0), int(to), step, {}, body);
  }
  /** The pass that takes blocks of n apart. */
  #decimate(n: number, work: Points): void {
    this.#pass(n, (base, step, twiddles) => {
      const x = twiddles.map((_, l) => this.#named(work.load(iadd(base, int(l * step)))));
      const out = n === 2 ? this.#pair(x) : this.#butterfly(x, 1);
      out.forEach((z, m) => work.store(iadd(base, int(m * step)), this.#turn(z, twiddles[m], 1)));
    });
  }
  /** One pass over blocks of n, a twiddle's blocks together; of the first number of each the twiddle is 1. */
  #pass(n: number, body: (base: Int, step: number, twiddles: readonly (Complex | undefined)[]) => void): void {
    const w = this.#w;
    const radix = n === 2 ? 2 : 4;
    const step = n / radix;
    const ones = Array.from({ length: radix }, () => undefined);
    const turns = (k: Int): readonly (Complex | undefined)[] => ones.map((_, m) => (m === 0 ? undefined : this.#read(imul(k, (m * this.#size) / n))));
    if (this.#rounds) {
      this.#rounds(this.#size / radix, (r) => {
        const k = w.int('k', { kind: 'imod', left: r, by: step });
        const g = step === 1 ? imul(r, n) : iadd(imul({ kind: 'idiv', left: r, by: step }, n), k);
        body(w.int('at', g), step, step === 1 ? ones : turns(k));
      });
      return;
    }
    const blocks = (k: Int, twiddles: readonly (Complex | undefined)[]): void =>
      w.loop('g', int(0), int(this.#size), n, {}, (g) => body(iadd(g, k), step, twiddles));
    if (step === 1) { blocks(int(0), ones); return; }
    w.loop('k', int(0), int(step), 1, {}, (k) => blocks(k, turns(k)));
  }
  #read(at: Int): Complex {
    return this.#named(this.#table(at));
  }
  #named({ re, im }: Complex): Complex {
    return { re: this.#w.let(re), im: this.#w.let(im) };
  }
  #turn(z: Complex, t: Complex | undefined, sign: 1 | -1): Complex {
    return t ? this.#times(z, t, sign) : this.#named(z);
  }
  /** z·t, or z·conj(t). */
  #times(z: Complex, t: Complex, sign: 1 | -1): Complex {
    const { re, im } = this.#named(z);
    const [a, b, c, d] = [mul(re, t.re), mul(im, t.im), mul(re, t.im), mul(im, t.re)];
    return this.#named(sign > 0 ? { re: sub(a, b), im: add(c, d) } : { re: add(a, b), im: sub(d, c) });
  }
  #turned(x: { readonly re: Value; readonly im?: Value }, c: { cos: number; sin: number }): Complex {
    const re = this.#w.let(x.re);
    if (!x.im) return c.sin === 0 ? { re, im: num(0) } : this.#named({ re: mul(re, num(c.cos)), im: mul(re, num(c.sin)) });
    return this.#times({ re, im: x.im }, { re: num(c.cos), im: num(c.sin) }, 1);
  }
  /** Of two: sum and difference. */
  #pair([x, y]: readonly Complex[]): Complex[] {
    const [a, b] = [x as Complex, y as Complex];
    return [this.#named({ re: add(a.re, b.re), im: add(a.im, b.im) }), this.#named({ re: sub(a.re, b.re), im: sub(a.im, b.im) })];
  }
  /** Of four, by e^{∓iπ/2}. */
  #butterfly(x: readonly Complex[], sign: 1 | -1): Complex[] {
    const [sum, difference] = this.#pair([x[0] as Complex, x[2] as Complex]) as [Complex, Complex];
    const [plus, minus] = this.#pair([x[1] as Complex, x[3] as Complex]) as [Complex, Complex];
    const a = this.#pair([sum, plus]) as [Complex, Complex];
    // −i·minus forward, i·minus back.
    const b = sign > 0
      ? [{ re: add(difference.re, minus.im), im: sub(difference.im, minus.re) }, { re: sub(difference.re, minus.im), im: add(difference.im, minus.re) }]
      : [{ re: sub(difference.re, minus.im), im: add(difference.im, minus.re) }, { re: add(difference.re, minus.im), im: sub(difference.im, minus.re) }];
    const [one, three] = b.map((z) => this.#named(z)) as [Complex, Complex];
    return [a[0], one, a[1], three];
  }
}
