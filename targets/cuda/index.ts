/**
 * CUDA: one source a model, in C++ that includes nothing and knows no library, for compute capability 8.0 and later. nvcc takes it when a
 * model is compiled, NVRTC when it is loaded. A kernel's parameters are its launch's arguments in their order: a pointer to each buffer,
 * an int for each scalar.
 */
import type { Kernel } from '../../src/ir/kernel.js';
import { withoutUnused } from '../../src/ir/unused.js';
import type { BufferSpec, GpuEntry } from '../../src/runtime/manifest.js';
import type { Capabilities } from '../target.js';
import { arrange, type ArenaKind } from '../wgsl/arenas.js';
import { functionTexts, type CudaFunction } from './functions.js';
import { limits, sharedBytes } from './limits.js';
import { primitives, reduction } from './primitives.js';
import { ENTRY, printEntry } from './print.js';

export const cuda = {
  name: 'cuda',
  caps: { lanes: 1, registers: 64, threads: { perGroup: limits.threads, shared: limits.sharedBytes, sharedWorth: limits.sharedBytes / 2, tileWorth: limits.sharedBytes / 2, toFill: 65536, maybeFew: false, exchange: 32, wide: true, copies: true, tensor: ['f16', 'bf16'], unroll: 64 }, storage: { f16: { together: 1, side: 8 }, bf16: { together: 1, side: 8 } } } satisfies Capabilities,
  emit,
} as const;

/** What nvcc and NVRTC are told: a product and a sum are contracted where the source says so, and nowhere else; nothing is approximated. */
export const options: readonly string[] = ['--std=c++17', '--fmad=false', '--ftz=false', '--prec-div=true', '--prec-sqrt=true'];

const ALIGN = 8;

export interface CudaModule {
  readonly text: string;
  /** Per kernel its function, and the threads of a block: kernels that are the same but for their buffers share one. */
  readonly entries: ReadonlyMap<string, GpuEntry>;
  readonly arenas: readonly ArenaKind[];
  /** What copies of sixteen bytes ask of a buffer's begin, in elements. */
  readonly align: number;
  /** Per buffer of the manifest; -1: at load time only. */
  readonly arenaOf: readonly number[];
}

/** `pasts`: the buffers that hold the past of others. */
function emit(kernels: readonly Kernel[], buffers: readonly BufferSpec[], pasts: ReadonlySet<number>): CudaModule {
  const run = kernels.filter((k) => k.grid);
  // A kernel may take any number of pointers: each slot of activations has an arena of its own.
  const { kinds, of } = arrange(buffers, pasts, run, { bindingBytes: Infinity, storageBuffers: Infinity });
  const entries = new Map<string, GpuEntry>();
  const names = new Map<string, string>();
  const texts: string[] = [];
  const functions = new Set<CudaFunction>();
  const reductions = new Set<string>();
  for (const k of run) {
    if (sharedBytes(k) > limits.sharedBytes) throw new Error(`${k.name} takes ${sharedBytes(k)} bytes of shared memory`);
    const printed = printEntry(withoutUnused(k));
    const known = names.get(printed.key);
    entries.set(k.name, { entry: known ?? k.name, threads: k.grid?.threads ?? 1, arenas: [], lengths: false });
    if (known !== undefined) continue;
    names.set(printed.key, k.name);
    texts.push(printed.text.replaceAll(ENTRY, k.name));
    for (const f of printed.functions) functions.add(f);
    for (const r of printed.reductions) reductions.add(r);
  }
  const text = [primitives, ...functionTexts(functions), ...[...reductions].sort().map(reduction), ...texts].join('\n\n');
  return { text: `${text}\n`, entries, arenas: kinds, align: ALIGN, arenaOf: of };
}
