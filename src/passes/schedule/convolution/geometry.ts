/**
 * How a convolution is cut. Steps of a block are convolved directly; what earlier blocks of the same superblock give to it, and what earlier
 * superblocks give, goes through spectra, one for each distance. Blocks stand at fixed steps and give only once they are complete, so that no
 * step's answer depends on later steps, in any bit.
 */
import type { Int } from '../../../ir/kernel.js';
import type { Index } from '../../../ir/program.js';
import type { Convolved } from '../../../ir/stages.js';
import { iadd, imul, int } from '../ints.js';
import type { Layout } from '../layout.js';
import { indicesOfTime, type Machine } from '../shape.js';

/** Steps of a block: a size that is transformed. The one before divides the next. */
export const BLOCKS = [64, 1024] as const;

/** One signal or readout of a channel: its own indices at fixed values. */
export interface Instance {
  readonly of: number;
  readonly values: ReadonlyMap<Index, number>;
}
export interface Level {
  readonly size: number;
  /** Blocks of this size in one of the next, or in the kernels' length. */
  readonly count: number;
  /**
   * float32 [outer, tile, readout, signal, position / 4, distance − 1, position mod 4, re and im, lane]: what is added up lies in a row. For
   * threads, which take neighbouring positions, [channel, readout, signal, distance − 1, re and im, position].
   */
  readonly spectra: string;
  readonly twiddles: string;
  /** Positions lie side by side, not distances. */
  readonly positions: boolean;
}
export interface Geometry {
  readonly name: string;
  readonly inputs: readonly Instance[];
  readonly outputs: readonly Instance[];
  readonly outer: readonly Index[];
  readonly lane: Index | undefined;
  readonly lanes: number;
  readonly tiles: number;
  readonly levels: readonly Level[];
  /** float32 [outer, tile, readout, signal, tap, lane]: k_0 and those of the first block. */
  readonly taps: string;
  /** float64 [readout, signal, channel, length + 1]: k; then [readout, channel, length + 1]: one step late what is left of an initial state. */
  readonly kernel: string;
  /** float32 [outer, tile, readout, step, lane]: what is left of an initial state, where there is one. */
  readonly initial: string | undefined;
  /** float32, one number: 1 where the kernels grow too fast for transforms. */
  readonly grows: string;
}

export function geometryOf(name: string, convolved: Convolved, layout: Layout, { lanes, threads }: Machine): Geometry {
  const inputs = instances(convolved.sources);
  const outputs = instances(convolved.readouts);
  const { domain, sources, items } = convolved;
  const last = domain.at(-1);
  const lane = last && indicesOfTime([...sources.map((s) => s.x), ...items.map((i) => i.body)]).has(last) ? undefined : last;
  const outer = lane ? domain.slice(0, -1) : domain;
  const tiles = Math.ceil((lane?.axis.size ?? 1) / lanes);
  const places = outer.reduce((n, i) => n * i.axis.size, 1) * tiles;
  const pairs = inputs.length * outputs.length;
  const starts = convolved.initial.length > 0;
  const levels = BLOCKS.flatMap((size, k): Level[] => {
    const count = Math.min(BLOCKS[k + 1] ?? Infinity, convolved.length) / size;
    if (count < 2) return [];
    return [{
      size, count, positions: threads !== undefined, twiddles: layout.table(`#${size}.twiddles`, 'constant', 4 * size),
      spectra: layout.table(`${name}#${size}.spectra`, 'constant', places * pairs * (count - 1) * 2 * size * lanes),
    }];
  });
  return {
    name, inputs, outputs, outer, lane, lanes, tiles, levels,
    taps: layout.table(`${name}#taps`, 'constant', places * pairs * TAPS * lanes),
    grows: growsOf(name, layout, lanes),
    kernel: layout.table(`${name}#kernel`, 'load', (pairs + (starts ? outputs.length : 0)) * channels(convolved) * (convolved.length + 1)),
    initial: starts ? layout.table(`${name}#initial`, 'constant', places * outputs.length * convolved.length * lanes) : undefined,
  };
}
/** Where it is said that a stage's kernels grow too fast. */
export const growsOf = (stage: string, layout: Layout, lanes: number): string => layout.table(`${stage}#grows`, 'constant', lanes);
/** Where the four numbers from position f on begin, of block or distance `number`; f is a multiple of 4. */
export function spectrumAt({ size, count }: Level, lanes: number, which: Int, f: Int, number: Int): Int {
  return iadd(imul(which, (count - 1) * size * 2 * lanes), imul(f, (count - 1) * 2 * lanes), imul(number, 8 * lanes));
}
/** Where the m-th of these four stands, its real or imaginary part. */
export function partAt(level: Level, lanes: number, which: Int, f: Int, number: Int, m: number, part: 0 | 1): Int {
  if (!level.positions) return iadd(spectrumAt(level, lanes, which, f, number), int((2 * m + part) * lanes));
  const { size, count } = level;
  return iadd(imul(which, (count - 1) * 2 * size), imul(number, 2 * size), f, int(m + part * size));
}
/** Where what is left of an initial state stands, of a readout of the channels at `place`, at a step of the convolution. */
export function initialAt({ outputs, lanes }: Geometry, { length }: Convolved, place: Int, readout: Int, step: Int): Int {
  return imul(iadd(imul(iadd(imul(place, outputs.length), readout), length), step), lanes);
}
/** k_0, and the taps of a block. */
export const TAPS = BLOCKS[0] + 1;
export const channels = (c: Convolved): number => c.domain.reduce((n, i) => n * i.axis.size, 1);

function instances(list: readonly { readonly own: readonly Index[] }[]): Instance[] {
  return list.flatMap(({ own }, of): Instance[] => {
    let all: Map<Index, number>[] = [new Map()];
    for (const i of own) all = all.flatMap((m) => Array.from({ length: i.axis.size }, (_, k) => new Map(m).set(i, k)));
    return all.map((values) => ({ of, values }));
  });
}
