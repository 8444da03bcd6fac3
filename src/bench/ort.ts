/** ONNX Runtime, native or compiled to WebAssembly, on one thread. */
import { Unavailable } from './contest.js';

export interface Session {
  run(feeds: Record<string, unknown>): Promise<Record<string, { readonly data: unknown }>>;
  release?(): Promise<void>;
}
export interface Ort {
  readonly env: { readonly wasm: { numThreads?: number }; logLevel?: string };
  readonly Tensor: new (type: 'float32', data: Float32Array, shape: readonly number[]) => unknown;
  readonly InferenceSession: { create(model: Uint8Array, options: Record<string, unknown>): Promise<Session> };
}

export type OrtPackage = 'onnxruntime-node' | 'onnxruntime-web';

/** A development dependency: absent from installations of the package. */
async function load(name: OrtPackage): Promise<Ort> {
  try {
    const loaded = (await import(name)) as Ort & { readonly default?: Ort };
    return loaded.default?.InferenceSession ? loaded.default : loaded;
  } catch (fault) {
    throw new Unavailable(`no ${name} here (${fault instanceof Error ? fault.message.split('\n')[0] : String(fault)})`);
  }
}

export async function openSession(name: OrtPackage, model: Uint8Array): Promise<{ readonly ort: Ort; readonly session: Session }> {
  const ort = await load(name);
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(model, {
    intraOpNumThreads: 1, interOpNumThreads: 1, executionProviders: [name === 'onnxruntime-node' ? 'cpu' : 'wasm'], logSeverityLevel: 3,
  });
  return { ort, session };
}
