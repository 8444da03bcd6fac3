/**
 * Our side of a contest. A spec is compiled as `ssmc compile` would; what is timed is either `run`, with its copies in and out, or the
 * work alone: the launches of a sequence by the runtime's own engine, over inputs that are in its memory already, as they are for the
 * loops in C. Then the whole sequence is one tile.
 */
import { compile, type CompiledModule } from '../compile.js';
import { standardLibrary } from '../cli/io.js';
import type { Strategy } from '../ir/stages.js';
import type { Program } from '../ir/program.js';
import { makeEngine, type Occupant } from '../runtime/engine.js';
import { compileModule, computeConstants, openWeights, type Weights } from '../runtime/load.js';
import { makeOutputs, type Bound } from '../runtime/tensors.js';
import { Unavailable } from './contest.js';

export function compileSpec(source: string, options: { readonly relaxed?: boolean; readonly webgpu?: boolean; readonly cuda?: boolean; readonly strategy?: Strategy } = {}): { readonly module: CompiledModule; readonly program: Program } {
  const { module, program, diagnostics } = compile('bench.ssm', { std: standardLibrary(), read: (path) => (path === 'bench.ssm' ? source : undefined) }, { specHash: 'bench', ...options });
  if (!module || !program) throw new Error(`a spec of the benchmarks doesn't compile: ${diagnostics.map((d) => d.text).join('; ')}`);
  return { module, program };
}

/** Float32 tensors by the names that files give them, [time, …]. */
export type Tensors = Readonly<Record<string, Float32Array>>;
export interface InMemory {
  /** The launches of a whole sequence, from its initial state. */
  readonly run: () => void;
  /** One more pass, with its outputs fetched: the first output. */
  readonly result: () => Float32Array;
}

/**
 * A model of one output, its inputs placed once, or before each pass where it has several stages.
 */
export async function inMemory(module: CompiledModule, weights: Weights, inputs: Tensors, steps: number, relaxed = false): Promise<InMemory> {
  return (await placing(module, weights, relaxed))(inputs, steps);
}
/** The same with weights bound once, for inputs of several lengths: those placed last are the ones that are run. */
export async function placing(module: CompiledModule, weights: Weights, relaxed = false): Promise<(inputs: Tensors, steps: number) => InMemory> {
  const bytes = relaxed ? module.relaxed : module.wasm;
  if (!bytes || !WebAssembly.validate(bytes as Uint8Array<ArrayBuffer>)) throw new Unavailable(relaxed ? 'this engine has no relaxed SIMD' : 'this engine refuses the module');
  const { manifest } = module;
  // In longer models an input's memory is used again once it has been read.
  const once = module.graph.stages.filter((x) => x.phase === 'step').length === 1;
  const wasm = await compileModule(bytes);
  const engine = makeEngine(manifest, wasm, computeConstants(manifest, wasm, await openWeights(weights)));
  return (inputs, steps) => {
    const bound = manifest.inputs.map((spec): Bound => {
      const data = inputs[spec.name];
      if (!data) throw new Error(`no input ${spec.name}`);
      return { spec, data };
    });
    const outputs = makeOutputs(manifest.outputs, { batch: 1, time: steps });
    const me: Occupant = { evict: () => undefined };
    const rows = { from: 0, count: 1 };
    const lengths = Int32Array.of(steps);
    engine.enter(me, 1, steps);
    const pass = (ins: readonly Bound[], outs: readonly Bound[]): void => {
      engine.begin([], rows);
      engine.step({ inputs: ins, outputs: outs, rows, time: steps, at: 0, steps, t0: 0, part: 0, lengths });
    };
    pass(bound, []);
    return {
      run: () => pass(once ? [] : bound, []),
      result: () => {
        pass(once ? [] : bound, outputs);
        return (outputs[0] as Bound).data;
      },
    };
  };
}
