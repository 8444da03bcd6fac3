/** WebAssembly with 128-bit SIMD: runs anywhere, no GPU. Relaxed SIMD (fused multiply-add) is a second module of the same kernels. */
import type { Kernel } from '../../src/ir/kernel.js';
import type { Target } from '../target.js';
import { Assembler } from './assembler.js';
import { encodeModule, type FunctionBody, type FunctionType } from './encoder.js';
import { kernelFunction } from './function.js';
import type { HostFunction } from './host-functions.js';
import { functions, type FunctionName } from './math/functions.js';
import { keep, ref } from './math/vector.js';

export interface WasmOptions {
  readonly relaxed: boolean;
}
export const wasm: Target<WasmOptions> = { name: 'wasm', caps: { lanes: 4, registers: 16, costs: { operation: 0.02, taps: 1.5, transforms: [0.8, 0.8], product: 0.28 } }, emit };

const real: FunctionType = { parameters: ['f64'], results: ['f64'] };
const vector: FunctionType = { parameters: ['v128'], results: ['v128'] };

/** Kernels are exported by their names and take i32 arguments, in the order of their parameters; memory is env.memory. */
function emit(kernels: readonly Kernel[], options: WasmOptions): Uint8Array {
  const used = usedFunctions(kernels);
  const imports = used.host.map((name) => ({ name, type: real }));
  const vectorIndex = new Map(used.vector.map((name, k) => [name, imports.length + k]));
  const hostIndex = new Map(used.host.map((name, k) => [name, k]));
  const callees = { vector: (n: FunctionName): number => index(vectorIndex, n), host: (n: HostFunction): number => index(hostIndex, n) };
  return encodeModule({
    imports,
    functions: [...used.vector.map((name) => vectorFunction(name, options.relaxed)), ...kernels.map((k) => kernelFunction(k, callees, options.relaxed))],
  });
}
function index<K>(table: ReadonlyMap<K, number>, name: K): number {
  const found = table.get(name);
  if (found === undefined) throw new Error(`function ${String(name)} was not declared`);
  return found;
}
/** Found by a first emission that numbers functions as they are met. */
function usedFunctions(kernels: readonly Kernel[]): { vector: FunctionName[]; host: HostFunction[] } {
  const vectors = new Set<FunctionName>();
  const host = new Set<HostFunction>();
  const callees = { vector: (n: FunctionName): number => { vectors.add(n); return 0; }, host: (n: HostFunction): number => { host.add(n); return 0; } };
  for (const k of kernels) kernelFunction(k, callees, false);
  return { vector: [...vectors].sort(), host: [...host].sort() };
}
function vectorFunction(name: FunctionName, fma: boolean): FunctionBody {
  const a = new Assembler(1, fma);
  functions[name](a, keep(a, ref(0)))(a);
  return { type: vector, ...a.finish() };
}
