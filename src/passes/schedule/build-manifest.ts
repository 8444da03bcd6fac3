/** What the runtime needs to know of a schedule, as plain data. */
import type { Manifest, Placement, TensorSpec, WeightSpec } from '../../runtime/manifest.js';
import type { Definition, DefinitionOf, Program } from '../../ir/program.js';
import type { StageGraph } from '../../ir/stages.js';
import { ASKED } from '../choose-strategy.js';
import { CHUNK } from './limits.js';
import type { Layout, Storage } from './layout.js';
import type { Schedule } from './schedule.js';

export interface Identity {
  readonly compiler: string;
  /** SHA-256 of the spec and all it imports, hex. */
  readonly spec: string;
}
/** Bytes of activations that one tile of steps may take: what a second-level cache holds. */
const TILE_BYTES = 1 << 20;
/** Fewer steps than this, and reading and writing the states of each tile would show. */
const MIN_TILE = 64;

export function buildManifest(graph: StageGraph, schedule: Schedule, identity: Identity): Manifest {
  const { program } = graph;
  const { layout, buffers, launches } = schedule;
  const slots = new Map<number, number>();
  for (const b of buffers) if (b.kind === 'rows') slots.set(b.slot, Math.max(slots.get(b.slot) ?? 0, b.row * (b.element ? 2 : 4)));
  const rowBytes = [...slots.values()].reduce((a, b) => a + b, 0);
  const tile = tileSteps(graph, rowBytes);
  return {
    format: 1, compiler: identity.compiler, spec: identity.spec, model: program.name,
    inputs: inputs(program, layout), outputs: outputs(program, layout), weights: weights(program, layout),
    buffers, ...(graph.wholeSequence ? { notStreamable: graph.wholeSequence } : {}),
    load: launches.load, begin: launches.begin, step: launches.step, finish: launches.finish, tile,
  };
}

/**
 * As many steps as a convolution's kernels, whole chunks of a chunked scan, one step for a stepped one, else what fits. But for a convolution
 * it never changes an answer's bits.
 */
function tileSteps(graph: StageGraph, rowBytes: number): number {
  const lengths = graph.stages.flatMap((s) => (s.convolved ? [s.convolved.length] : []));
  if (lengths.length > 0) return Math.min(...lengths);
  const strategies = new Set(graph.stages.map((s) => (s.strategy?.why === ASKED ? s.strategy.name : undefined)));
  if (strategies.has('step')) return 1;
  const unit = graph.stages.some((s) => s.strategy?.name === 'chunked') ? CHUNK : 16;
  return Math.min(256, Math.max(MIN_TILE, unit * Math.floor(TILE_BYTES / Math.max(1, rowBytes) / unit)));
}

/** Elements of a definition, or of one member of its modality axis, in its storage. */
function place(layout: Layout, d: Definition, member?: number): Placement {
  const p = strided(layout, d, member);
  // Runs that touch are one.
  return p.stride === p.length || p.runs === 1 ? { ...p, runs: 1, length: p.runs * p.length, stride: p.runs * p.length } : p;
}
function strided(layout: Layout, d: Definition, member?: number): Placement {
  const s: Storage = layout.of(d.id);
  const buffer = layout.id(s.buffer);
  const sizes = d.indices.map((i) => i.axis.size);
  const p = member === undefined ? -1 : d.indices.findIndex((i) => i.axis.labels !== undefined);
  if (p < 0 || member === undefined) {
    const length = sizes.at(-1) ?? 1;
    return { buffer, offset: s.offset, runs: sizes.slice(0, -1).reduce((n, x) => n * x, 1), length, stride: s.strides.at(-2) ?? length };
  }
  const offset = s.offset + member * (s.strides[p] as number);
  if (p === 0) {
    const rest = sizes.slice(1);
    const length = rest.at(-1) ?? 1;
    return { buffer, offset, runs: rest.slice(0, -1).reduce((n, x) => n * x, 1), length, stride: rest.length > 1 ? (s.strides.at(-2) as number) : length };
  }
  // The modality stands inside: one run per value of the indices before it. Scratch of load time is dense, so a run is all that follows.
  const after = sizes.slice(p + 1).reduce((n, x) => n * x, 1);
  return { buffer, offset, runs: sizes.slice(0, p).reduce((n, x) => n * x, 1), length: after, stride: s.strides[p - 1] as number };
}
function inputs(program: Program, layout: Layout): TensorSpec[] {
  return program.inputs.flatMap((port) => {
    const d = program.definitions[port.def] as Definition;
    return port.tensors.map((t): TensorSpec => ({
      name: t.name, path: t.path, time: d.time, shape: t.shape, place: place(layout, d, t.member), ...(d.doc ? { doc: d.doc } : {}),
    }));
  });
}
function outputs(program: Program, layout: Layout): TensorSpec[] {
  return program.outputs.map((port): TensorSpec => {
    const d = program.definitions[port.def] as Definition;
    return { name: port.name, path: [port.name], time: d.time, shape: d.indices.map((i) => i.axis.size), place: place(layout, d), ...(d.doc ? { doc: d.doc } : {}) };
  });
}
function weights(program: Program, layout: Layout): WeightSpec[] {
  return program.definitions.filter((d): d is DefinitionOf<'param'> => d.kind === 'param').flatMap((d) =>
    d.pieces.map((piece): WeightSpec => ({
      name: piece.name, shape: piece.shape, place: place(layout, d, piece.member),
      ...(d.fact && d.fact.low > -Infinity ? { low: d.fact.low } : {}), ...(d.fact && d.fact.high < Infinity ? { high: d.fact.high } : {}),
    })));
}
