/**
 * The steps that a convolution's kernels are made for: memory and load time grow with them, and what lies beyond is run by states. One
 * length for a model, so that all of its convolutions see the same tile of steps.
 */
import type { Index } from '../../ir/program.js';
import type { Stage } from '../../ir/stages.js';
import type { Convolution } from './recognise.js';

export const MIN_LENGTH = 512;
export const MAX_LENGTH = 16384;
/** Bytes that the spectra of a model's convolutions may take, beside which a kernel's other constants are small. */
const SPECTRA_BYTES = 64 * 2 ** 20;

const size = (indices: readonly Index[]): number => indices.reduce((n, i) => n * i.axis.size, 1);
export const pairsOf = (c: Convolution): number => c.sources.reduce((n, s) => n + size(s.own), 0) * c.readouts.reduce((n, r) => n + size(r.own), 0);

/** A power of two; undefined where even the shortest would take too much. */
export function kernelLength(chosen: readonly (readonly [Stage, Convolution])[]): number | undefined {
  // A complex number for each step.
  const perStep = chosen.reduce((n, [stage, c]) => n + 8 * pairsOf(c) * size(stage.domain), 0);
  for (let length = MAX_LENGTH; length >= MIN_LENGTH; length /= 2) if (length * perStep <= SPECTRA_BYTES) return length;
  return undefined;
}
