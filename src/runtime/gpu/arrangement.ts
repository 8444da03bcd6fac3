/** Where each buffer of a manifest lies in the few large ones of a GPU, its arenas. */
import { slotRows } from '../layout.js';
import type { BufferSpec, GpuPlan, LaunchGrid, Manifest, Narrow } from '../manifest.js';
import type { KernelLaunch } from './machine.js';

/** Elements of each arena, and of each buffer its offset there. */
export interface Arrangement {
  readonly offsets: readonly number[];
  readonly sizes: readonly number[];
  /** What elements of each arena are; undefined: float32. */
  readonly types: readonly (Narrow | undefined)[];
  /** Elements of the carry arena that are kept from step to step: its first. */
  readonly kept: number;
}

export function arrangement(manifest: Manifest, plan: GpuPlan, batch: number, steps: number): Arrangement {
  const { align = 1 } = plan;
  const sizes = plan.arenas.map(() => 0);
  const offsets = manifest.buffers.map(() => 0);
  let kept = 0;
  const take = (i: number, size: number): void => {
    const arena = plan.arenaOf[i] as number;
    const offset = Math.ceil((sizes[arena] as number) / align) * align;
    offsets[i] = offset;
    sizes[arena] = offset + size;
  };
  manifest.buffers.forEach((b, i) => { if (b.kind === 'constant') take(i, b.size); });
  for (const kind of ['carry', 'batch', 'chunks'] as const) {
    manifest.buffers.forEach((b, i) => {
      if (b.kind === kind) take(i, batch * b.row * (b.kind === 'chunks' ? Math.ceil(steps / b.steps) : 1));
    });
    if (kind === 'carry') plan.arenas.forEach((a, k) => { if (a === 'carry') kept = sizes[k] as number; });
  }
  const rows = slotRows(manifest);
  const placed = new Map<number, number>();
  manifest.buffers.forEach((b, i) => {
    if (b.kind !== 'rows') return;
    const known = placed.get(b.slot);
    if (known !== undefined) { offsets[i] = known; return; }
    take(i, batch * steps * (rows[b.slot] as number));
    placed.set(b.slot, offsets[i] as number);
  });
  return { offsets, sizes, types: types(manifest, plan), kept };
}

/** What a buffer's elements are; undefined: float32. */
export const narrowOf = (b: BufferSpec | undefined): Narrow | undefined => (b && 'element' in b ? b.element : undefined);
/** Bytes of an element of a buffer. */
export const widthOf = (b: BufferSpec | undefined): number => (narrowOf(b) ? 2 : 4);
function types({ buffers }: Manifest, plan: GpuPlan): (Narrow | undefined)[] {
  const found = plan.arenas.map((): Narrow | undefined => undefined);
  buffers.forEach((b, i) => { if ((plan.arenaOf[i] as number) >= 0) found[plan.arenaOf[i] as number] = narrowOf(b); });
  return found;
}
/** Bytes of an arena. */
export const arenaBytes = ({ sizes, types: of }: Arrangement, arena: number): number => (of[arena] ? 2 : 4) * (sizes[arena] as number);

/** The arenas that are kept, and how much of each. */
export function keptBytes(plan: GpuPlan, arranged: Arrangement): { readonly arena: number; readonly bytes: number }[] {
  return plan.arenas.flatMap((kind, arena) => {
    const bytes = (arranged.types[arena] ? 2 : 4) * (kind === 'carry' ? arranged.kept : kind === 'past' ? (arranged.sizes[arena] as number) : 0);
    return bytes > 0 ? [{ arena, bytes }] : [];
  });
}
/** Bytes that a stream of a batch keeps. */
export function stateBytes(manifest: Manifest, plan: GpuPlan, batch: number): number {
  return keptBytes(plan, arrangement(manifest, plan, batch, 1)).reduce((n, p) => n + p.bytes, 0);
}
/** Groups of a launch; 0: it isn't launched for a tile of so few steps. */
export function groupsOf({ grid }: Pick<KernelLaunch, 'grid'>, batch: number, steps: number): number {
  if (!grid || steps < (grid.from ?? 0)) return 0;
  const of = grid.of === 'R' ? batch * steps : grid.of === 'T' ? steps : grid.of === 'B' ? batch : 1;
  return grid.times * Math.ceil((of * grid.each) / grid.per);
}
/** Whether it is launched for a part of a sequence: 0 the whole of it, 1 the first of several, 2 what follows or is pushed. `grown`: of constants that say so. */
export function launchedFor({ grid }: { readonly grid?: Pick<LaunchGrid, 'part' | 'grows'> }, part: number, grown: ReadonlySet<number>): boolean {
  const of = grid?.grows !== undefined && grown.has(grid.grows) ? 2 : part;
  return grid?.part === 'within' ? of < 2 : grid?.part !== 'after' || of > 0;
}
/** The constants that launches ask for and that aren't 0. */
export function grownOf({ step, finish, buffers }: Manifest, constants: Uint8Array, addresses: readonly number[]): ReadonlySet<number> {
  const first = addresses[buffers.findIndex((b) => b.kind === 'constant')] as number;
  const asked = [...step, ...finish].flatMap((l) => (l.kind === 'kernel' && l.grid?.grows !== undefined ? [l.grid.grows] : []));
  return new Set(asked.filter((b) => new Float32Array(constants.buffer, constants.byteOffset + (addresses[b] as number) - first, 1)[0] !== 0));
}
/** The name of the largest buffer in an arena: what to tell where there is no room for it. */
export function largestIn(manifest: Manifest, plan: GpuPlan, arena: number): string {
  const size = (i: number): number => { const b = manifest.buffers[i]; return !b ? 0 : 'row' in b ? b.row : b.size; };
  const mine = manifest.buffers.map((_, i) => i).filter((i) => plan.arenaOf[i] === arena);
  const largest = mine.reduce((best, i) => (size(i) > size(best) ? i : best), mine[0] ?? 0);
  return manifest.buffers[largest]?.name ?? 'a buffer';
}
