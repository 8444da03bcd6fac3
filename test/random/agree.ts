/** A random program on wasm against the interpreter: every legal strategy, lengths, streams. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile, type CompiledModule, type CompileOptions } from '../../src/compile.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { interpret } from '../../src/interpreter/interpret.js';
import type { Program } from '../../src/ir/program.js';
import type { Strategy } from '../../src/ir/stages.js';
import { runModel, normwise, type Doubles } from '../../src/cli/tensors.js';
import { loadModel } from '../../src/runtime/index.js';
import { Random } from '../../src/interpreter/random.js';

const folder = join(import.meta.dirname, '../../grammar/std');
export const std: ReadonlyMap<string, string> = new Map(readdirSync(folder).filter((f) => f.endsWith('.ssm')).map((f) => [`std/${f}`, readFileSync(join(folder, f), 'utf8')]));

export interface Disagreement {
  readonly strategy: string;
  readonly output: string;
  readonly error: number;
}
export const TOLERANCE = 1e-5;

export function compileText(text: string, strategy: 'auto' | Strategy = 'auto', also: boolean | Pick<CompileOptions, 'cuda' | 'webgpu' | 'storage'> = false): ReturnType<typeof compile> {
  return compile('spec.ssm', { std, read: (p) => (p === 'spec.ssm' ? text : undefined) }, { specHash: '', strategy, ...(typeof also === 'boolean' ? { webgpu: also } : also) });
}
export function randomInputs(program: Program, batch: number, steps: number, seed: number): Map<string, Doubles> {
  const random = new Random(seed, 'inputs');
  return new Map(program.inputs.flatMap((port) => port.tensors.map((t) => {
    const shape = [batch, ...(program.definitions[port.def]?.time ? [steps] : []), ...t.shape];
    return [t.name, { shape, data: Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.fround(random.uniform() * 2 - 1)) }] as const;
  })));
}

/** A program with the weights, inputs and lengths that a seed makes for it, and what the interpreter says of them. */
export interface Problem {
  readonly module: CompiledModule;
  readonly weights: ReadonlyMap<string, Doubles>;
  readonly inputs: ReadonlyMap<string, Doubles>;
  readonly lengths: readonly number[] | undefined;
  readonly reference: ReadonlyMap<string, Doubles>;
}
/** Throws where the text does not compile. */
export function problem(first: ReturnType<typeof compile>, seed: number): Problem {
  if (!first.program || !first.module) throw new Error(first.diagnostics.filter((d) => d.severity === 'error').map((d) => `${d.code} ${d.text}`).join('\n'));
  const weights = new Map([...initialise(first.program, seed)].map(([n, t]) => [n, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
  const random = new Random(seed, 'sizes');
  const batch = random.integer(1, 3);
  const steps = [1, 2, 3, 7, 17, 70, 130][random.integer(0, 6)] as number;
  const inputs = randomInputs(first.program, batch, steps, seed);
  const lengths = random.uniform() < 0.5 ? Array.from({ length: batch }, () => random.integer(1, steps)) : undefined;
  return { module: first.module, weights, inputs, lengths, reference: interpret(first.program, weights, inputs, lengths ? { lengths } : {}).outputs };
}
/** Each output's error beside the reference. */
export function errors(reference: ReadonlyMap<string, Doubles>, out: ReadonlyMap<string, { data: Float32Array }>): { output: string; error: number }[] {
  return [...reference].map(([output, t]) => {
    // An output that is 0 but for float64's own rounding has no size of its own to be measured by.
    const zero = t.data.every((v) => Math.abs(v) < 1e-12);
    const y = out.get(output)?.data ?? new Float32Array();
    return { output, error: zero ? Math.max(...y.map(Math.abs)) : normwise(y, t.data) };
  });
}

/** Where wasm and the interpreter differ by more than the tolerance. Throws where something fails. */
export async function disagreements(text: string, seed: number): Promise<{ found: Disagreement[]; strategies: string[]; worst: number }> {
  const found: Disagreement[] = [];
  const strategies: string[] = [];
  let worst = 0;
  const first = compileText(text);
  const { module: whole, weights, inputs, lengths, reference } = problem(first, seed);
  const compare = (strategy: string, out: ReadonlyMap<string, { data: Float32Array }>): void => {
    strategies.push(strategy);
    for (const { output, error } of errors(reference, out)) {
      worst = Math.max(worst, error);
      if (!(error <= TOLERANCE)) found.push({ strategy, output, error });
    }
  };
  for (const strategy of ['auto', 'serial', 'chunked', 'convolution', 'step'] as const) {
    const module = strategy === 'auto' ? whole : compileText(text, strategy).module;
    if (!module) continue;
    const model = await loadModel(module.manifest, { wasm: module.wasm as Uint8Array }, { weights: Object.fromEntries(weights) });
    compare(strategy, await runModel(model, inputs, lengths));
    if (strategy === 'auto' || strategy === 'convolution') compare(`${strategy}, tiles of 5`, await tiled(module, weights, inputs, lengths));
  }
  return { found, strategies, worst };
}
async function tiled(module: CompiledModule, weights: ReadonlyMap<string, Doubles>, inputs: ReadonlyMap<string, Doubles>, lengths: readonly number[] | undefined): Promise<Map<string, { shape: readonly number[]; data: Float32Array }>> {
  const model = await loadModel({ ...module.manifest, tile: 5 }, { wasm: module.wasm as Uint8Array }, { weights: Object.fromEntries(weights) });
  return runModel(model, inputs, lengths);
}
