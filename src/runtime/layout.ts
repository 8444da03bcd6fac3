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

/** Hands out addresses, one after another: those of the constants first. */
function placing(manifest: Manifest) {
  const addresses = manifest.buffers.map(() => -1);
  let at = firstAddress;
  const take = (bytes: number): number => {
    const address = at;
    at = Math.ceil((address + bytes + slack) / alignment) * alignment;
    return address;
  };
  const each = <K extends BufferSpec['kind']>(kind: K, bytes: (buffer: Extract<BufferSpec, { kind: K }>) => number): void => {
    manifest.buffers.forEach((b, i) => {
      if (b.kind === kind) addresses[i] = take(bytes(b as Extract<BufferSpec, { kind: K }>));
    });
  };
  each('constant', (b) => b.size * 4);
  return { addresses, take, each, end: () => at };
}

/** The end of the constants, which begin at the same address in both memories. */
export const constantsRange = (manifest: Manifest): { readonly from: number; readonly to: number } => ({ from: firstAddress, to: placing(manifest).end() });

/** The scratch memory in which load-time launches run: constants and float64 buffers. */
export function loadLayout(manifest: Manifest): Pick<Layout, 'addresses' | 'bytes'> {
  const { addresses, each, end } = placing(manifest);
  each('load', (b) => b.size * 8);
  return { addresses, bytes: end() };
}

export function runLayout(manifest: Manifest, batch: number, steps: number): Layout {
  const { addresses, take, each, end } = placing(manifest);
  const rowBytes = (b: { readonly row: number }): number => batch * b.row * 4;
  const lengths = take(batch * 4);
  const from = end();
  each('carry', rowBytes);
  each('batch', rowBytes);
  const to = end();
  each('chunks', (b) => Math.ceil(steps / b.steps) * rowBytes(b));
  const slots = slotRows(manifest).map((row) => take(steps * rowBytes({ row })));
  manifest.buffers.forEach((b, i) => {
    if (b.kind === 'rows') addresses[i] = slots[b.slot] as number;
  });
  return { addresses, lengths, kept: { from, to }, bytes: end() };
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
  const missing = bytes - memory.buffer.byteLength;
  try {
    // More than the limit is refused by every engine, in words of its own.
    if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
  } catch (error) {
    throw failure(5205, { bytes, why: bytes > memoryLimit ? `WebAssembly addresses at most ${memoryLimit}` : 'there is not as much' }, error);
  }
}
