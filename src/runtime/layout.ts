/**
 * Where every buffer lies in wasm memory: a function of the manifest, the batch and the steps of a tile. Constants come first, at the
 * same addresses at load and at run; then the lengths, the carries and batch buffers, whose places don't depend on the steps, so that a
 * stream's state stays where it is; then the slots of the activations.
 */
import { failure } from './errors.js';
import type { Manifest } from './manifest.js';

export interface Layout {
  /** By BufferId; -1 where the buffer doesn't exist at this time. */
  readonly addresses: readonly number[];
  readonly lengths: number;
  /** Bytes from the first carry to the last batch buffer: what one user of the memory must keep while another runs. */
  readonly kept: { readonly from: number; readonly to: number };
  readonly bytes: number;
}

/** Below it is what kernels use for themselves while they run. */
const firstAddress = 1024;
const alignment = 64;
/** Kernels may read and write whole vectors past the end of a buffer. */
const slack = 256;
const pageBytes = 65536;
export const memoryLimit = 2 ** 32;

class Cursor {
  at = firstAddress;
  take(bytes: number): number {
    const address = this.at;
    this.at = Math.ceil((address + bytes + slack) / alignment) * alignment;
    return address;
  }
}

function constants(manifest: Manifest, cursor: Cursor): number[] {
  return manifest.buffers.map((b) => (b.kind === 'constant' ? cursor.take(b.size * 4) : -1));
}

/** The end of the constants, which begin at the same address in both memories. */
export function constantsRange(manifest: Manifest): { readonly from: number; readonly to: number } {
  const cursor = new Cursor();
  constants(manifest, cursor);
  return { from: firstAddress, to: cursor.at };
}

/** The scratch memory in which load-time launches run: constants and float64 buffers. */
export function loadLayout(manifest: Manifest): Layout {
  const cursor = new Cursor();
  const addresses = constants(manifest, cursor);
  manifest.buffers.forEach((b, i) => {
    if (b.kind === 'load') addresses[i] = cursor.take(b.size * 8);
  });
  return { addresses, lengths: 0, kept: { from: 0, to: 0 }, bytes: cursor.at };
}

export function runLayout(manifest: Manifest, batch: number, steps: number): Layout {
  const cursor = new Cursor();
  const addresses = constants(manifest, cursor);
  const lengths = cursor.take(batch * 4);
  const from = cursor.at;
  for (const kind of ['carry', 'batch'] as const) {
    manifest.buffers.forEach((b, i) => {
      if (b.kind === kind) addresses[i] = cursor.take(batch * b.row * 4);
    });
  }
  const to = cursor.at;
  manifest.buffers.forEach((b, i) => {
    if (b.kind === 'chunks') addresses[i] = cursor.take(batch * Math.ceil(steps / b.steps) * b.row * 4);
  });
  const slots = new Map<number, number>();
  for (const b of manifest.buffers) if (b.kind === 'rows') slots.set(b.slot, Math.max(slots.get(b.slot) ?? 0, b.row));
  for (const [slot, row] of slots) slots.set(slot, cursor.take(batch * steps * row * 4));
  manifest.buffers.forEach((b, i) => {
    if (b.kind === 'rows') addresses[i] = slots.get(b.slot) as number;
  });
  return { addresses, lengths, kept: { from, to }, bytes: cursor.at };
}

/** Grows a memory to hold `bytes`. @throws LoadError SSM5205. */
export function ensure(memory: WebAssembly.Memory, bytes: number): void {
  if (bytes > memoryLimit) throw failure('SSM5205', { bytes, why: `WebAssembly addresses at most ${memoryLimit}` });
  const pages = Math.ceil((bytes - memory.buffer.byteLength) / pageBytes);
  if (pages <= 0) return;
  try {
    memory.grow(pages);
  } catch (error) {
    throw failure('SSM5205', { bytes, why: 'there is not as much' }, error);
  }
}
