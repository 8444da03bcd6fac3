/** A system's block against its paper's definition: on the interpreter, on wasm with every strategy, in pieces, and on WebGPU where there is a device. */
import { describe, expect, it } from 'vitest';
import { normwise, runModel, type Doubles } from '../../src/cli/tensors.js';
import type { CompiledModule } from '../../src/compile.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { Random } from '../../src/interpreter/random.js';
import type { Program } from '../../src/ir/program.js';
import type { Strategy } from '../../src/ir/stages.js';
import { loadModel, type Model, type TensorTree } from '../../src/runtime/index.js';
import { webgpu } from '../../src/runtime/webgpu/index.js';
import { compileText, randomInputs, TOLERANCE } from '../random/agree.js';
import { gpu, missing } from '../webgpu/device.js';
import type { Rows, Weights } from './plain.js';

export interface System {
  readonly name: string;
  /** The spec for N states. */
  readonly text: (n: number) => string;
  /** The outputs by the paper's definition, from the state dict and the rows of each input. */
  readonly define: (w: Weights, inputs: ReadonlyMap<string, Rows>, n: number) => ReadonlyMap<string, Rows>;
  readonly sizes?: readonly number[];
  /** It reads the future, so that nothing can be pushed. */
  readonly whole?: boolean;
  /** It is time-invariant: every strategy that is legal gives the same. */
  readonly invariant?: boolean;
  /** What the definition's cost allows. */
  readonly lengths?: readonly number[];
  /** Weights as training may leave them, from those that its initialisers make. */
  readonly weights?: Readonly<Record<string, Change>>;
}
/** Of a tensor by the end of its name, each element anew; the draws are from 0 to 1. */
export type Change = Readonly<Record<string, (old: number, draw: () => number) => number>>;
export const LENGTHS = [1, 2, 3, 17, 1000] as const;
/** Of one that is not time-invariant. */
const one: readonly ('auto' | Strategy)[] = ['auto'];
const all: readonly ('auto' | Strategy)[] = ['auto', 'convolution', 'serial', 'step', 'chunked'];

/** A system for N states: compiled once for each strategy, with its weights. */
export class Problem {
  readonly system: System;
  readonly n: number;
  readonly program: Program;
  readonly module: CompiledModule;
  readonly weights: ReadonlyMap<string, Doubles>;
  readonly #models = new Map<string, Model>();

  private constructor(system: System, n: number, program: Program, module: CompiledModule, weights: ReadonlyMap<string, Doubles>) {
    this.system = system;
    this.n = n;
    this.program = program;
    this.module = module;
    this.weights = weights;
  }
  static make(system: System, n: number, { onGpu = false, change }: { onGpu?: boolean; change?: Change | undefined } = {}): Problem {
    const { program, module, diagnostics } = compileText(system.text(n), 'auto', onGpu);
    if (!program || !module) throw new Error(diagnostics.map((d) => `${d.code} ${d.text}`).join('\n'));
    const random = new Random(n, 'change');
    const weights = new Map([...initialise(program, n)].map(([name, t]) => {
      const f = Object.entries(change ?? {}).find(([end]) => name.endsWith(end))?.[1];
      return [name, { shape: t.shape, data: Float64Array.from(t.data, (v) => Math.fround(f ? f(v, () => random.uniform()) : v)) }];
    }));
    return new Problem(system, n, program, module, weights);
  }
  async load(strategies: readonly ('auto' | Strategy)[]): Promise<void> {
    for (const strategy of strategies) {
      const { module, diagnostics } = strategy === 'auto' ? { module: this.module, diagnostics: [] } : compileText(this.system.text(this.n), strategy);
      // Chunks of a large dense state are refused: every other strategy must be legal.
      if (!module && strategy === 'chunked' && diagnostics.some((d) => d.code === 'SSM4101')) continue;
      if (!module) throw new Error(`${strategy}: ${diagnostics.map((d) => `${d.code} ${d.text}`).join('\n')}`);
      this.#models.set(strategy, await loadModel(module.manifest, { wasm: module.wasm }, { weights: Object.fromEntries(this.weights) }));
    }
  }
  inputs(steps: number): ReadonlyMap<string, Doubles> {
    return randomInputs(this.program, 1, steps, 7);
  }
  wanted(inputs: ReadonlyMap<string, Doubles>): ReadonlyMap<string, Rows> {
    return this.system.define(this.weights, new Map([...inputs].map(([name, t]) => [name, rowsOf(t)])), this.n);
  }
  /** The largest normwise error of each strategy against the definition, and of the interpreter where it is asked for. */
  async errors(steps: number, interpreter: boolean): Promise<ReadonlyMap<string, number>> {
    const inputs = this.inputs(steps);
    const want = this.wanted(inputs);
    const found = new Map<string, number>();
    if (interpreter) found.set('interpreter', worst(want, interpret(this.program, this.weights, inputs).outputs));
    for (const [strategy, model] of this.#models) found.set(strategy, worst(want, await runModel(model, inputs, undefined)));
    return found;
  }
  dispose(): void {
    for (const model of this.#models.values()) model.dispose();
  }
}
const rowsOf = (t: Doubles): Rows => {
  const width = t.shape.slice(2).reduce((a, b) => a * b, 1);
  return Array.from({ length: t.data.length / width }, (_, k) => [...t.data.subarray(k * width, (k + 1) * width)]);
};
const flat = (rows: Rows): Float64Array => Float64Array.from(rows.flat());
/** The first steps of one row. */
const cut = (t: Doubles, steps: number): Doubles => ({ shape: [1, steps, ...t.shape.slice(2)], data: t.data.slice(0, (t.data.length / (t.shape[1] as number)) * steps) });
function worst(want: ReadonlyMap<string, Rows>, got: ReadonlyMap<string, { readonly data: ArrayLike<number> }>): number {
  return Math.max(...[...want].map(([name, rows]) => {
    const y = got.get(name)?.data ?? [];
    return y.length === flat(rows).length ? normwise(y, flat(rows)) : Infinity;
  }));
}
/** Each length against the definition: the interpreter to 1e-10, every strategy to 1e-5. Returns the largest error of each. */
export async function holds(system: System, n: number, lengths: readonly number[], change?: Change, interpreter = true): Promise<ReadonlyMap<string, number>> {
  const problem = Problem.make(system, n, { change });
  await problem.load(system.invariant ? all : one);
  const largest = new Map<string, number>();
  for (const steps of lengths) for (const [strategy, error] of await problem.errors(steps, interpreter)) {
    expect(error, `${strategy}, N = ${n}, ${steps} steps`).toBeLessThan(strategy === 'interpreter' ? 1e-10 : TOLERANCE);
    largest.set(strategy, Math.max(error, largest.get(strategy) ?? 0));
  }
  problem.dispose();
  return largest;
}

export function checkSystem(system: System): void {
  const sizes = system.sizes ?? [4, 16, 64];
  describe(system.name, () => {
    it.each(sizes)('is what its paper defines, N = %i', async (n) => { await holds(system, n, system.lengths ?? LENGTHS); });
    for (const [name, change] of Object.entries(system.weights ?? {})) {
      it.each(sizes)(`with weights ${name}, N = %i`, async (n) => { await holds(system, n, (system.lengths ?? LENGTHS).slice(-2), change); });
    }
    it.skipIf(system.whole === true)('in pieces gives the bits of the whole, or its values where the whole is a convolution', async () => {
      const { module, weights, inputs } = ofSteps(system, 40);
      const convolved = module.graph.stages.some((s) => s.convolved);
      const model = await loadModel(module.manifest, { wasm: module.wasm }, { weights: Object.fromEntries(weights) });
      const nested = (of: (t: Doubles) => Doubles): TensorTree => Object.fromEntries([...inputs].map(([name, t]) => { const d = of(t); return [name, { shape: d.shape, data: Float32Array.from(d.data) }]; }));
      const whole = await model.run(nested((t) => t) as never);
      const stream = model.stream();
      let from = 0;
      for (const steps of [1, 2, 17, 1, 19]) {
        const piece = await stream.push(nested((t) => {
          const width = t.data.length / 40;
          return { shape: [1, steps, ...t.shape.slice(2)], data: t.data.slice(from * width, (from + steps) * width) };
        }) as never);
        const walk = (a: TensorTree, b: TensorTree): void => {
          for (const [name, t] of Object.entries(a)) {
            if (!('data' in t)) { walk(t as TensorTree, b[name] as TensorTree); continue; }
            const all = b[name] as { data: Float32Array };
            const width = all.data.length / 40;
            const same = all.data.slice(from * width, (from + steps) * width);
            // A stream runs by states: each piece within the tolerance of all, for a piece may be small.
            if (convolved) expect(Math.max(...same.map((v, k) => Math.abs(v - ((t as { data: Float32Array }).data[k] as number)))) / Math.max(...all.data.map(Math.abs))).toBeLessThan(TOLERANCE);
            else expect(t.data, name).toEqual(same);
          }
        };
        walk(piece as TensorTree, whole as TensorTree);
        from += steps;
      }
      model.dispose();
    });
    it.skipIf(missing !== undefined)('on WebGPU', async () => {
      const { problem, module, weights, inputs: all } = ofSteps(system, 17, true);
      const { webgpu: made } = module;
      if (!made) throw new Error('no kernels for WebGPU');
      const model = await loadModel(module.manifest, { wasm: module.wasm, devices: [webgpu({ plan: made, wgsl: { text: made.wgsl } })] }, { weights: Object.fromEntries(weights), device: 'webgpu', gpu });
      for (const steps of [1, 3, 17]) {
        const inputs = new Map([...all].map(([name, t]) => [name, cut(t, steps)]));
        expect(worst(problem.wanted(inputs), await runModel(model, inputs, undefined)), `${steps} steps`).toBeLessThan(TOLERANCE);
      }
      model.dispose();
    });
  });
}
function ofSteps(system: System, steps: number, onGpu = false): { problem: Problem; module: CompiledModule; weights: ReadonlyMap<string, Doubles>; inputs: ReadonlyMap<string, Doubles> } {
  const problem = Problem.make(system, 16, { onGpu });
  return { problem, module: problem.module, weights: problem.weights, inputs: problem.inputs(steps) };
}

/** A spec of one block on an input of so many channels. */
export const alone = (block: string, call: string, channels = 3): string => `import ${block} from "std"\nmodel M {\n  axis c = ${channels}\n  input x[t, c]\n  output y = ${call} as block\n}\n`;
export const ofChains = (block: string, call: string, channels = 2, chains: readonly string[] = ['a', 'b', 'e']): string =>
  `import ${block} from "std"\nmodel M {\n  modalities m = ${chains.join(', ')}\n  axis c = ${channels}\n  input x[t, m, c]\n  output y = ${call} as block\n}\n`;
/** Chains as members of one output. */
export const joined = (chains: ReadonlyMap<string, Rows>): Rows => {
  const all = [...chains.values()];
  return (all[0] ?? []).map((_, t) => all.flatMap((rows) => rows[t] as readonly number[]));
};
/** Of a system with one input x and one output y. */
export const single = (f: (w: Weights, x: Rows, n: number) => Rows): System['define'] => (w, inputs, n) => new Map([['y', f(w, inputs.get('x') as Rows, n)]]);
