/** WebGPU's default limits, which every adapter grants, and whether a model keeps within them. */
import { groupMemoryBytes, isNarrow, type Kernel } from '../../src/ir/kernel.js';
import type { BufferSpec } from '../../src/runtime/manifest.js';
import type { WgslModule } from './index.js';

export const limits = { storageBuffers: 8, bindingBytes: 128 * 2 ** 20, sharedBytes: 16384, threads: 256, groups: 65535 } as const;

export interface Excess {
  readonly what: string;
  readonly need: number;
  readonly limit: number;
  /** What it is that needs it: one of the two. */
  readonly kernel?: string;
  readonly buffer?: string;
}
/** What the model needs more of than there is; the runtime cuts batches and time, so one row and one step must fit. */
export function overLimit(kernels: readonly Kernel[], buffers: readonly BufferSpec[], module: WgslModule): Excess | undefined {
  for (const b of buffers) {
    if (b.kind === 'load') continue;
    const bytes = ('element' in b && b.element ? 2 : 4) * ('row' in b ? b.row : b.size);
    if (bytes > limits.bindingBytes) return { what: `\`${b.name}\`, in bytes of one binding,`, need: bytes, limit: limits.bindingBytes, buffer: b.name };
  }
  for (const k of kernels) {
    const use = module.entries.get(k.name);
    const bindings = use ? use.arenas.length + (use.lengths ? 1 : 0) : 0;
    if (bindings > limits.storageBuffers) return { what: `kernel \`${k.name}\`, in storage buffers,`, need: bindings, limit: limits.storageBuffers, kernel: k.name };
    const shared = groupMemoryBytes(k) + (k.grid && k.grid.lanes > 1 ? laneBytes(k) * k.grid.threads : 0);
    if (shared > limits.sharedBytes) return { what: `kernel \`${k.name}\`, in bytes of workgroup memory,`, need: shared, limit: limits.sharedBytes, kernel: k.name };
  }
  return undefined;
}

/** What threads that take a point together use of the group's memory, each: reductions, by subgroups with a mark, and halves that are shown to a neighbour. */
const laneBytes = (k: Kernel): number => 8 + (k.parameters.some((p) => p.kind === 'buffer' && isNarrow(p.element) && p.access !== 'read') ? 4 : 0);
