/** WebGPU: one WGSL module a model, within the default limits. Subgroups and f16 are variants, chosen where an adapter has them. */
import type { Kernel } from '../../src/ir/kernel.js';
import type { BufferSpec } from '../../src/runtime/manifest.js';
import type { Capabilities } from '../target.js';
import { arrange, type ArenaKind } from './arenas.js';
import { limits } from './limits.js';
import { functionTexts, type WgslFunction } from './functions.js';
import { halfTexts, type HalfHelper } from './halves.js';
import { dataName, ENTRY, printEntry } from './print.js';
import { isWhole, reductionTexts, type Reduction } from './reductions.js';

export const wgsl = {
  name: 'wgsl',
  // All of a group's memory is set to zero before it runs: by SwiftShader with a store for each element, in code that takes it 0.5 ms to compile.
  caps: { lanes: 1, registers: 64, threads: { perGroup: limits.threads, shared: limits.sharedBytes, sharedWorth: 4096, tileWorth: 8192, toFill: 4096, maybeFew: true, exchange: 1, wide: false, copies: false, unroll: 64 }, storage: { f16: { together: 2 }, bf16: { together: 2 } } } satisfies Capabilities,
  emit,
} as const;

export interface WgslModule {
  readonly text: string;
  /** The same entry points written for adapters that can do more, the best first. */
  readonly variants: readonly WgslVariant[];
  /** Per kernel its entry point, and what that binds: kernels that are the same but for their buffers share one. */
  readonly entries: ReadonlyMap<string, { readonly entry: string; readonly arenas: readonly number[]; readonly lengths: boolean }>;
  readonly arenas: readonly ArenaKind[];
  /** Per buffer of the manifest; -1: at load time only. */
  readonly arenaOf: readonly number[];
}

/** Entry points and bindings are those of the module for any adapter: the manifest is the same. */
export interface WgslVariant {
  readonly features: readonly string[];
  readonly text: string;
}

/** `pasts`: the buffers that hold the past of others. */
function emit(kernels: readonly Kernel[], buffers: readonly BufferSpec[], pasts: ReadonlySet<number>): WgslModule {
  const run = kernels.filter((k) => k.grid);
  const { kinds, of } = arrange(buffers, pasts, run, limits);
  const id = new Map(buffers.map((b, i) => [b.name, i]));
  const arenaOf = (buffer: string): number => of[id.get(buffer) ?? -1] ?? -1;
  const entries = new Map<string, { entry: string; arenas: readonly number[]; lengths: boolean }>();
  const names = new Map<string, string>();
  let most = 0;
  const texts = new Map<string, string>();
  const functions = new Set<WgslFunction>();
  const reductions = new Map<string, Reduction>();
  const halves = new Map<string, HalfHelper>();
  for (const k of run) {
    const printed = printEntry(k, arenaOf);
    const known = names.get(printed.key);
    entries.set(k.name, { entry: known ?? k.name, arenas: printed.arenas, lengths: printed.lengths });
    most = Math.max(most, printed.arenas.length);
    if (known !== undefined) continue;
    names.set(printed.key, k.name);
    texts.set(printed.text, k.name);
    for (const f of printed.functions) functions.add(f);
    for (const [name, r] of printed.reductions) reductions.set(name, r);
    for (const [name, h] of printed.halves) halves.set(name, h);
  }
  const write = (enabled: readonly string[]): string => `${[
    ...enabled.map((f) => `enable ${f};`),
    ...Array.from({ length: most }, (_, n) => (['read', 'read_write'] as const).map((access) => `@group(0) @binding(${2 + n}) var<storage, ${access}> ${dataName(n, access)}: array<f32>;`).join('\n')),
    '@group(0) @binding(1) var<storage, read> lengths: array<i32>;',
    ...halfTexts(halves, enabled.includes('f16')),
    ...functionTexts(functions),
    ...reductionTexts(reductions.values(), enabled.includes('subgroups')),
    ...[...texts].map(([t, name]) => t.replaceAll(ENTRY, name)),
  ].join('\n\n')}\n`;
  // Features, and what they are called where a module enables them.
  const may = [...([...halves.values()].some((h) => h.kind !== 'next' && h.element === 'f16') ? [['shader-f16', 'f16'] as const] : []), ...([...reductions.values()].some(isWhole) ? [['subgroups', 'subgroups'] as const] : [])];
  const sets = may.length === 2 ? [may, ...may.map((m) => [m])] : may.length === 1 ? [may] : [];
  const variants = sets.map((set) => ({ features: set.map(([feature]) => feature), text: write(set.map(([, name]) => name)) }));
  return { text: write([]), variants, entries, arenas: kinds, arenaOf: of };
}
