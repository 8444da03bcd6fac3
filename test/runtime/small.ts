/** Small models, compiled, initialised and loaded, for tests of what surrounds the kernels. */
import type { CompiledModule } from '../../src/compile.js';
import type { Strategy } from '../../src/ir/stages.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { loadModel, type LoadOptions, type Model } from '../../src/runtime/index.js';
import { compileText } from '../random/agree.js';

export interface Small {
  readonly module: CompiledModule;
  readonly model: Model;
  readonly weights: Readonly<Record<string, { readonly data: Float64Array; readonly shape: readonly number[] }>>;
}
export async function small(text: string, strategy: 'auto' | Strategy = 'auto', options: LoadOptions = {}): Promise<Small> {
  const { module, program, diagnostics } = compileText(text, strategy);
  if (!module || !program) throw new Error(diagnostics.map((d) => `${d.code} ${d.text}`).join('\n'));
  const weights = Object.fromEntries(initialise(program, 1));
  return { module, weights, model: await loadModel(module.manifest, { wasm: module.wasm as Uint8Array }, { weights, ...options }) };
}
/** The outputs' elements, one output after another. */
export const elements = (tree: object): number[] =>
  Object.values(tree as Record<string, { data: Float32Array } | object>).flatMap((t) => ('data' in t ? [...(t as { data: Float32Array }).data] : elements(t)));
/** Reproducible numbers in (-1, 1). */
export function numbers(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * seed));
}
