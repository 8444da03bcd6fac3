/**
 * How far a scan's points fill a machine with threads, and whether chunks are worth their second pass.
 *
 * Run in the order of time, a scan takes the same time whether its points fill the machine or a tenth of it. In k chunks it takes k times as
 * many threads, up to those that fill the machine, and r times the arithmetic: with a share s of the machine filled otherwise, chunks are
 * min(1 / s, k) / r times as fast. s is that of a typical batch, with the lanes that share a point, and k that of a typical length: never
 * those at hand, on which bits must not depend.
 */
import type { DefinitionId, Expr } from '../ir/program.js';
import type { Stage } from '../ir/stages.js';
import type { ChunkStep, NoChunkStep, ProductEntry } from './chunk-step.js';
import { neededFor, operations, size } from './convolution/cost.js';
import { CHUNK, TYPICAL_BATCH, TYPICAL_CHUNKS } from './schedule/limits.js';
import { splitOf } from './schedule/threads/split.js';
import type { Threads } from './schedule/threads/machine.js';

export interface Fill {
  /** Whether they are to be chunks. */
  readonly chunks: boolean;
  /** What speaks for or against each, in words. */
  readonly serial: string;
  readonly chunked: string;
}
/** By how much chunks have to be faster: they take memory, and what pieces of a stream cut has the run's values but not its bits. */
const WORTHWHILE = 1.5;
/** Products of a chunk's summary that a thread's registers hold beside its states. */
const PRODUCTS = 96;

export function fillOf(stage: Stage, step: ChunkStep | NoChunkStep, machine: Threads): Fill {
  const points = size(stage.domain);
  const lanes = splitOf(stage, machine, 'memory')?.lanes ?? 1;
  const threads = TYPICAL_BATCH * points * lanes;
  const each = lanes > 1 ? `${lanes} lanes` : 'a thread';
  const serial = `${each} per point: ${points} points of a batch of ${TYPICAL_BATCH} are ${threads} threads, ${percent(threads / machine.toFill)} of the ${machine.toFill} that fill the machine`;
  if (step.kind === 'none') return { chunks: false, serial, chunked: step.why };
  const sharing = splitOf(stage, machine, 'memory', TYPICAL_CHUNKS, step.products)?.lanes ?? 1;
  const products = (step.products.length * size(step.elementwise)) / sharing;
  if (products > PRODUCTS) return { chunks: false, serial, chunked: `a thread would keep ${products} products for a chunk's summary, more than its registers hold beside its states` };
  const ratio = chunkedCost(stage, step);
  const faster = Math.min(machine.toFill / threads, TYPICAL_CHUNKS) / ratio;
  const chunks = faster >= WORTHWHILE;
  const verdict = chunks ? `about ${shown(faster)} times as fast in ${TYPICAL_CHUNKS * CHUNK} steps${machine.maybeFew ? '; a device that few threads fill goes in the order of time' : ''}` : threads >= machine.toFill ? 'the machine is full without' : `${shown(faster)} times as fast, less than the ${WORTHWHILE} that it takes`;
  return { chunks, serial, chunked: `${shown(ratio)} times the arithmetic; ${percent(threads / machine.toFill)} of the machine filled without (${threads} threads of ${machine.toFill}): ${verdict}` };
}
const shown = (x: number): string => `${Number(x.toPrecision(2))}`;
const percent = (share: number): string => (share >= 1 ? 'all' : `${shown(100 * share)} %`);

/** How many times the arithmetic of a scan it is to run it in chunks: the states of the summary and the products come on top. */
function chunkedCost(stage: Stage, { products, elementwise }: ChunkStep): number {
  const states = stage.states.map((s) => s.def);
  return 1 + count(stage, states, products, size(elementwise)) / Math.max(1, count(stage, [...stage.stored, ...states], [], 0));
}
function count(stage: Stage, roots: readonly DefinitionId[], products: readonly ProductEntry[], each: number): number {
  const seen = new Set<Expr>();
  const items = neededFor(stage, roots).reduce((n, item) => n + size(item.inner) * operations(item.body, seen), 0);
  // The functions of a transition are computed for the step already.
  return products.reduce((n, q) => n + each * operations(q.body, seen, 0), items);
}
