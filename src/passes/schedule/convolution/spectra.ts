/**
 * From a convolution's kernel to what it is run with, in float64 and then rounded: taps, and for each level and distance p the twisted
 * spectrum of k[p·P + i] − √−1·k[(p − 1)·P + i]. The real part of the untwisted product is then all that a block gives to the one p further on:
 * lo of the first and hi of the second.
 */
import type { Int, Kernel, Value } from '../../../ir/kernel.js';
import type { Index } from '../../../ir/program.js';
import type { Convolved } from '../../../ir/stages.js';
import { iadd, imul, int } from '../ints.js';
import type { Layout } from '../layout.js';
import { Fft, tableSize, type Points } from './fft.js';
import { channels, initialAt, partAt, TAPS, type Geometry, type Level } from './geometry.js';
import { Host, mul, num } from './host.js';

/** Below this a number is 0: 2^-100, far below any rounding error of what its products are added to, and far above subnormal numbers, which are slow. */
const NOTHING = 2 ** -100;
function settled(h: Host, value: Value): Value {
  const v = h.w.let(value);
  return { kind: 'select', cond: { kind: 'binary', op: 'lt', left: { kind: 'unary', op: 'abs', arg: v }, right: num(NOTHING) }, then: num(0), else: v };
}

/** The twiddles of a size, in float64 scratch and rounded for the run. */
export function twiddleKernel(entry: string, size: number, layout: Layout): Kernel {
  const exact = twiddlesOf(size, layout);
  const rounded = layout.table(`#${size}.twiddles`, 'constant', 2 * tableSize(size));
  const h = new Host(layout, [exact, rounded]);
  const put = (at: Int, turns: Int): void => {
    // e^{−2πi·turns/4P}
    const angle = h.w.let(mul(num(-Math.PI / (2 * size)), { kind: 'from-int', value: turns }));
    (['cos', 'sin'] as const).forEach((op, part) => {
      const v = h.w.let({ kind: 'unary', op, arg: angle });
      for (const table of [exact, rounded]) h.store(table, iadd(imul(at, 2), int(part)), v);
    });
  };
  h.w.loop('k', int(0), int(size), 1, {}, (k) => put(k, imul(k, 4)));
  h.w.loop('m', int(0), int(4), 1, {}, (m) => h.w.loop('k', int(0), int(size / 4), 1, {}, (k) =>
    put(iadd(imul(m, size / 4), k, int(size)), { kind: 'imul', factors: [k, iadd(imul(m, 4), int(-1))] })));
  return h.kernel(entry);
}
const twiddlesOf = (size: number, layout: Layout): string => layout.table(`#${size}.exact`, 'load', 2 * tableSize(size));

export function spectraKernel(entry: string, g: Geometry, c: Convolved, layout: Layout): Kernel {
  const work = layout.table(`${g.name}#work`, 'load', 2 * Math.max(1, ...g.levels.map((l) => l.size)));
  const h = new Host(layout, [work, g.taps, ...(g.initial === undefined ? [] : [g.initial]), ...g.levels.map((l) => l.spectra)]);
  const points: Points = {
    load: (at) => ({ re: h.load(work, imul(at, 2)), im: h.load(work, iadd(imul(at, 2), int(1))) }),
    store: (at, z) => { h.store(work, imul(at, 2), z.re); h.store(work, iadd(imul(at, 2), int(1)), z.im); },
  };
  const level = (l: Level, from: Int, pair: Int, lane: Int): void => {
    const table = twiddlesOf(l.size, layout);
    const fft = new Fft(h.w, l.size, (at) => ({ re: h.load(table, imul(at, 2)), im: h.load(table, iadd(imul(at, 2), int(1))) }));
    h.w.loop('p', int(1), int(l.count), 1, {}, (p) => {
      const k = (distance: Int, j: Int) => h.load(g.kernel, iadd(from, imul(distance, l.size), j, int(1)));
      fft.forward((j) => ({ re: k(p, j), im: { kind: 'unary', op: 'neg', arg: k(iadd(p, int(-1)), j) } }), points, (f, m, z) => {
        const to = (part: 0 | 1): Int => iadd(partAt(l, g.lanes, pair, f, iadd(p, int(-1)), m, part), lane);
        h.store(l.spectra, to(0), settled(h, mul(z.re, num(1 / l.size))));
        h.store(l.spectra, to(1), settled(h, mul(z.im, num(1 / l.size))));
      });
    });
  };
  const pairs = g.inputs.length * g.outputs.length;
  h.each(c.domain, new Map<Index, Int>(), (_, channel) => {
    const width = g.lane?.axis.size ?? 1;
    const l: Int = { kind: 'imod', left: channel, by: width };
    const place = h.w.int('place', iadd(imul({ kind: 'idiv', left: channel, by: width }, g.tiles), { kind: 'idiv', left: l, by: g.lanes }));
    const lane = h.w.int('lane', { kind: 'imod', left: l, by: g.lanes });
    h.w.loop('pair', int(0), int(pairs), 1, {}, (n) => {
      const from = h.w.int('from', imul(iadd(imul(n, channels(c)), channel), c.length + 1));
      const pair = h.w.int('at', iadd(imul(place, pairs), n));
      h.w.loop('j', int(0), int(TAPS), 1, {}, (j) => h.store(g.taps, iadd(imul(iadd(imul(pair, TAPS), j), g.lanes), lane), settled(h, h.load(g.kernel, iadd(from, j)))));
      for (const x of g.levels) level(x, from, pair, lane);
    });
    const { initial } = g;
    if (initial !== undefined) h.w.loop('o', int(0), int(g.outputs.length), 1, {}, (o) => {
      const from = h.w.int('from', imul(iadd(imul(iadd(o, int(pairs)), channels(c)), channel), c.length + 1));
      h.w.loop('t', int(0), int(c.length), 1, {}, (t) => h.store(initial, iadd(initialAt(g, c, place, o, t), lane), settled(h, h.load(g.kernel, iadd(from, t, int(1))))));
    });
  });
  return h.kernel(entry);
}
