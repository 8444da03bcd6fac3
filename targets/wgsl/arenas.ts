/**
 * Buffers of a model in few GPU buffers (arenas), since a stage may bind eight and a kernel may not bind one both for reading and for
 * writing: constants (read only), carries, the past of activations (which the host moves on), and one for each slot of activations.
 * Where a kernel would bind too many, the slots share four, chosen so that what a kernel writes lies apart from what it reads where
 * that can be.
 */
import type { Kernel } from '../../src/ir/kernel.js';
import type { BufferSpec } from '../../src/runtime/manifest.js';

export type ArenaKind = 'constants' | 'carry' | 'past' | 'rows';
export interface Arenas {
  readonly kinds: readonly ArenaKind[];
  /** Per buffer of the manifest, its arena; -1 for what exists at load time only. */
  readonly of: readonly number[];
}

const ROW_ARENAS = 4;

export interface ArenaLimits {
  /** Of one arena. */
  readonly bindingBytes: number;
  /** Arenas of one kernel. */
  readonly storageBuffers: number;
}
export function arrange(buffers: readonly BufferSpec[], pasts: ReadonlySet<number>, kernels: readonly Kernel[], { bindingBytes, storageBuffers }: ArenaLimits): Arenas {
  const kinds: ArenaKind[] = [];
  const of = buffers.map(() => -1);
  for (const bytes of [4, 2]) {
    let room = -1;
    buffers.forEach((b, i) => {
      if (b.kind !== 'constant' || bytesOf(b) !== bytes) return;
      if (bytes * b.size > room) {
        kinds.push('constants');
        room = bindingBytes;
      }
      of[i] = kinds.length - 1;
      room -= bytes * b.size;
    });
  }
  for (const [kind, bytes] of [['carry', 4], ['past', 4], ['past', 2]] as const) {
    const mine = buffers.flatMap((b, i) => (isKept(b) && bytesOf(b) === bytes && pasts.has(i) === (kind === 'past') ? [i] : []));
    for (const i of mine) of[i] = kinds.length;
    if (mine.length > 0) kinds.push(kind);
  }
  const first = kinds.length;
  const slots = new Map(buffers.flatMap((b) => (b.kind === 'rows' ? [[b.slot, b.slot] as const] : [])));
  const arenaOf = tooMany(buffers, kernels, of, first, storageBuffers) ? slotArenas(buffers, kernels, storageBuffers - 1 - first) : slots;
  buffers.forEach((b, i) => { if (b.kind === 'rows') of[i] = first + (arenaOf.get(b.slot) ?? 0); });
  for (let k = 0; k < 1 + Math.max(-1, ...arenaOf.values()); k++) kinds.push('rows');
  return { kinds, of };
}
const bytesOf = (b: BufferSpec): number => ('element' in b && b.element ? 2 : 4);
const isKept = (b: BufferSpec): boolean => b.kind === 'carry' || b.kind === 'chunks' || b.kind === 'batch';

/** A kernel that binds each of its slots by itself would bind more than a stage may. */
function tooMany(buffers: readonly BufferSpec[], kernels: readonly Kernel[], of: readonly number[], first: number, most: number): boolean {
  const bound = new Map(buffers.map((b, i) => [b.name, b.kind === 'rows' ? first + b.slot : of[i]]));
  return kernels.some((k) => new Set(k.parameters.flatMap((p) => (p.kind === 'buffer' ? [bound.get(p.name)] : []))).size > most);
}
/** Slots in the order of their first use, each to the arena that it conflicts least with. */
function slotArenas(buffers: readonly BufferSpec[], kernels: readonly Kernel[], room: number): Map<number, number> {
  const slotOf = new Map(buffers.flatMap((b) => (b.kind === 'rows' ? [[b.name, b.slot] as const] : [])));
  const uses = kernels.map((k) => {
    const reads = new Set<number>();
    const writes = new Set<number>();
    for (const p of k.parameters) {
      const slot = p.kind === 'buffer' ? slotOf.get(p.name) : undefined;
      if (slot !== undefined && p.kind === 'buffer') (p.access === 'read' ? reads : writes).add(slot);
    }
    return { reads, writes };
  });
  const arena = new Map<number, number>();
  // An arena holds elements of one size: where there are two, float32 has the last of them.
  const halves = new Set(buffers.flatMap((b) => (b.kind === 'rows' && b.element ? [b.slot] : [])));
  const mixed = halves.size > 0 && buffers.some((b) => b.kind === 'rows' && !b.element);
  const most = mixed ? Math.max(2, Math.min(ROW_ARENAS, room)) : ROW_ARENAS;
  for (const slot of [...new Set(slotOf.values())].sort((a, b) => a - b)) {
    const price = Array.from({ length: most }, (_, a) => (mixed && halves.has(slot) === (a === most - 1) ? Infinity : uses.reduce((n, { reads, writes }) => {
      const mixes = [...arena].some(([other, at]) => at === a && ((reads.has(slot) && writes.has(other)) || (writes.has(slot) && reads.has(other))));
      return n + (mixes ? 1 : 0);
    }, 0)));
    arena.set(slot, price.indexOf(Math.min(...price)));
  }
  return arena;
}
