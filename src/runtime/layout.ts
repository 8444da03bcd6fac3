/**
 * Where every buffer lies in wasm memory: a function of the manifest, the batch and the steps of a tile. Constants come first, at the
 * same addresses at load and at run; then the lengths, the carries and batch buffers, whose places don't depend on the steps, so that a
 * stream's state stays where it is; then the slots of the activations.
 */
import { failure } from './errors.js';
import type { BufferSpec, Manifest } from './manifest.js';

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

/** Hands out addresses, one after another. */
class Cursor {
  at = firstAddress;
  readonly addresses: number[];
  readonly #manifest: Manifest;

  constructor(manifest: Manifest) {
    this.#manifest = manifest;
    this.addresses = manifest.buffers.map(() => -1);
    this.each('constant', (b) => b.size * 4);
  }
  take(bytes: number): number {
    const address = this.at;
    this.at = Math.ceil((address + bytes + slack) / alignment) * alignment;
    return address;
  }
  each<K extends BufferSpec['kind']>(kind: K, bytes: (buffer: Extract<BufferSpec, { kind: K }>) => number): void {
    this.#manifest.buffers.forEach((b, i) => {
      if (b.kind === kind) this.addresses[i] = this.take(bytes(b as Extract<BufferSpec, { kind: K }>));
    });
  }
}

/** The end of the constants, which begin at the same address in both memories. */
export function constantsRange(manifest: Manifest): { readonly from: number; readonly to: number } {
  return { from: firstAddress, to: new Cursor(manifest).at };
}

/** The scratch memory in which load-time launches run: constants and float64 buffers. */
export function loadLayout(manifest: Manifest): Layout {
  const cursor = new Cursor(manifest);
  cursor.each('load', (b) => b.size * 8);
  return { addresses: cursor.addresses, lengths: 0, kept: { from: 0, to: 0 }, bytes: cursor.at };
}

export function runLayout(manifest: Manifest, batch: number, steps: number): Layout {
  const cursor = new Cursor(manifest);
  const { addresses } = cursor;
  const lengths = cursor.take(batch * 4);
  const from = cursor.at;
  cursor.each('carry', (b) => batch * b.row * 4);
  cursor.each('batch', (b) => batch * b.row * 4);
  const to = cursor.at;
  cursor.each('chunks', (b) => batch * Math.ceil(steps / b.steps) * b.row * 4);
  const slots = slotRows(manifest).map((row) => cursor.take(batch * steps * row * 4));
  manifest.buffers.forEach((b, i) => {
    if (b.kind === 'rows') addresses[i] = slots[b.slot] as number;
  });
  return { addresses, lengths, kept: { from, to }, bytes: cursor.at };
}
/** The widest row of each slot: what it needs for one step. */
export function slotRows(manifest: Manifest): readonly number[] {
  const rows: number[] = [];
  for (const b of manifest.buffers) if (b.kind === 'rows') rows[b.slot] = Math.max(rows[b.slot] ?? 0, b.row);
  return rows;
}

/** What of a WebAssembly.Memory is used: the type itself is missing where neither a browser's library nor Node's is. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
/** Grows a memory to hold `bytes`. @throws LoadError SSM5205. */
export function ensure(memory: WasmMemory, bytes: number): void {
  if (bytes > memoryLimit) throw failure('SSM5205', { bytes, why: `WebAssembly addresses at most ${memoryLimit}` });
  const pages = Math.ceil((bytes - memory.buffer.byteLength) / pageBytes);
  if (pages <= 0) return;
  try {
    memory.grow(pages);
  } catch (error) {
    throw failure('SSM5205', { bytes, why: 'there is not as much' }, error);
  }
}
