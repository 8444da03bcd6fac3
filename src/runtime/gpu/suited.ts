/**
 * A model for the device at hand, where its recurrences have been compiled for two kinds: those that many threads fill, and those that few do.
 * Only what is launched is made into pipelines, and memory that only the others' kernels use takes no room.
 */
import type { LaunchGrid, Manifest } from '../manifest.js';
import type { GpuModel } from './session.js';

export function suitedTo(kind: NonNullable<LaunchGrid['on']>, of: GpuModel): GpuModel {
  return { ...of, manifest: manifestFor(kind, of.manifest) };
}
export function manifestFor(kind: NonNullable<LaunchGrid['on']>, manifest: Manifest): Manifest {
  const step = manifest.step.filter((l) => l.kind !== 'kernel' || l.grid?.on === undefined || l.grid.on === kind);
  if (step.length === manifest.step.length) return manifest;
  const used = new Set([...manifest.begin, ...step, ...manifest.finish].flatMap((l) => (l.kind === 'kernel' ? l.arguments.flatMap((a) => ('buffer' in a ? [a.buffer] : [])) : [])));
  const buffers = manifest.buffers.map((b, i) => (b.kind === 'chunks' && !used.has(i) ? { ...b, row: 0 } : b));
  return { ...manifest, step, buffers };
}
