/**
 * The steps that a convolution's kernels are made for: memory and load time grow with them, and what lies beyond is run by states. One
 * length for a model, so that all of its convolutions see the same tile of steps.
 */
import type { Index } from '../../ir/program.js';
import type { Stage, StageGraph } from '../../ir/stages.js';
import type { Convolution } from './recognise.js';

export const MIN_LENGTH = 512;
export const MAX_LENGTH = 16384;
/** A shorter one isn't worth its load time where no one asked for it. */
export const WORTHWHILE_LENGTH = 4096;
/** Bytes that the spectra of a model's convolutions may take, beside which a kernel's other constants are small. */
const SPECTRA_BYTES = 128 * 2 ** 20;
/** Bytes that activations may take for the steps of one tile, which are the kernels' length. */
const ROWS_BYTES = 128 * 2 ** 20;
/** Stored values of the widest stage that are alive together, about. */
const ALIVE = 6;

const size = (indices: readonly Index[]): number => indices.reduce((n, i) => n * i.axis.size, 1);
const outputsOf = (c: Convolution): number => c.readouts.reduce((n, r) => n + size(r.own), 0);
export const pairsOf = (c: Convolution): number => c.sources.reduce((n, s) => n + size(s.own), 0) * outputsOf(c);

/** A power of two; undefined where even the shortest would take too much. */
export function kernelLength(graph: StageGraph, chosen: readonly (readonly [Stage, Convolution])[]): number | undefined {
  const rows = graph.stages.filter((s) => s.phase === 'step').map((s) => [...s.stored].reduce((n, id) => n + 4 * size(graph.program.definitions[id]?.indices ?? []), 0));
  const perRow = ALIVE * Math.max(0, ...rows);
  // A complex number for each step, and what is left of an initial state.
  const perStep = chosen.reduce((n, [stage, c]) => n + (8 * pairsOf(c) + (c.initial.length > 0 ? 4 * outputsOf(c) : 0)) * size(stage.domain), 0);
  for (let length = MAX_LENGTH; length >= MIN_LENGTH; length /= 2) if (length * perStep <= SPECTRA_BYTES && length * perRow <= ROWS_BYTES) return length;
  return undefined;
}
