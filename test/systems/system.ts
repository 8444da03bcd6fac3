/** A system's block against its paper's definition: on the interpreter, on wasm, in pieces, and on WebGPU where there is a device. */
import { describe, expect, it } from 'vitest';
import { normwise, runModel, type Doubles } from '../../src/cli/tensors.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { loadModel, type TensorTree } from '../../src/runtime/index.js';
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
  /** It is time-invariant: a global convolution gives the same. */
  readonly invariant?: boolean;
  /** What the definition's cost allows. */
  readonly lengths?: readonly number[];
}
export const LENGTHS = [1, 2, 3, 17, 1000] as const;

/** Everything that a size asks for, made once. */
type Strategy = 'auto' | 'convolution';
function problem(system: System, n: number, steps: number, onGpu = false, strategy: Strategy = 'auto') {
  const { program, module, diagnostics } = compileText(system.text(n), strategy, onGpu);
  if (!program || !module) throw new Error(diagnostics.map((d) => `${d.code} ${d.text}`).join('\n'));
  const weights = new Map([...initialise(program, n)].map(([name, t]) => [name, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
  const inputs = randomInputs(program, 1, steps, 7);
  return { program, module, weights, inputs };
}
const rowsOf = (t: Doubles): Rows => {
  const width = t.shape.slice(2).reduce((a, b) => a * b, 1);
  return Array.from({ length: t.data.length / width }, (_, k) => [...t.data.subarray(k * width, (k + 1) * width)]);
};
const flat = (rows: Rows): Float64Array => Float64Array.from(rows.flat());
/** The first steps of one row. */
const cut = (t: Doubles, steps: number): Doubles => ({ shape: [1, steps, ...t.shape.slice(2)], data: t.data.slice(0, (t.data.length / (t.shape[1] as number)) * steps) });

/** The largest normwise errors of the interpreter and of wasm against the definition; of wasm by a convolution too, where the system has one. */
export async function errorsOf(system: System, n: number, steps: number, interpreter = true): Promise<{ interpreter: number; wasm: number; convolution: number }> {
  const { program, module, weights, inputs } = problem(system, n, steps);
  const want = system.define(weights, new Map([...inputs].map(([name, t]) => [name, rowsOf(t)])), n);
  const against = (got: ReadonlyMap<string, { readonly data: ArrayLike<number> }>): number => Math.max(...[...want].map(([name, rows]) => {
    const y = got.get(name)?.data ?? [];
    return y.length === flat(rows).length ? normwise(y, flat(rows)) : Infinity;
  }));
  const onWasm = async (made: typeof module): Promise<number> => {
    const model = await loadModel(made.manifest, { wasm: made.wasm }, { weights: Object.fromEntries(weights) });
    const error = against(await runModel(model, inputs, undefined));
    model.dispose();
    return error;
  };
  return {
    interpreter: interpreter ? against(interpret(program, weights, inputs).outputs) : 0,
    wasm: await onWasm(module),
    convolution: system.invariant ? await onWasm(problem(system, n, 1, false, 'convolution').module) : 0,
  };
}

export function checkSystem(system: System): void {
  const sizes = system.sizes ?? [4, 16, 64];
  describe(system.name, () => {
    it.each(sizes)('is what its paper defines, N = %i', async (n) => {
      for (const steps of system.lengths ?? LENGTHS) {
        const { interpreter, wasm, convolution } = await errorsOf(system, n, steps);
        expect(interpreter, `the interpreter over ${steps} steps`).toBeLessThan(1e-10);
        expect(wasm, `wasm over ${steps} steps`).toBeLessThan(TOLERANCE);
        expect(convolution, `wasm by a convolution over ${steps} steps`).toBeLessThan(TOLERANCE);
      }
    });
    it.skipIf(system.whole === true)('in pieces gives the bits of the whole, or its values where the whole is a convolution', async () => {
      const { module, weights, inputs } = problem(system, 16, 40);
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
      const { module, weights, inputs: all } = problem(system, 16, 17, true);
      const { webgpu: made } = module;
      if (!made) throw new Error('no kernels for WebGPU');
      const model = await loadModel(module.manifest, { wasm: module.wasm, devices: [webgpu({ plan: made, wgsl: { text: made.wgsl } })] }, { weights: Object.fromEntries(weights), device: 'webgpu', gpu });
      for (const steps of [1, 3, 17]) {
        const inputs = new Map([...all].map(([name, t]) => [name, cut(t, steps)]));
        const want = system.define(weights, new Map([...inputs].map(([name, t]) => [name, rowsOf(t)])), 16);
        const got = await runModel(model, inputs, undefined);
        for (const [name, rows] of want) expect(normwise(got.get(name)?.data ?? [], flat(rows)), `${steps} steps`).toBeLessThan(TOLERANCE);
      }
      model.dispose();
    });
  });
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
