/** What the compiler wrote for a GPU, opened: its manifest, and its constants, computed by the load-time kernels on the host. */
import { failure } from '../errors.js';
import { readFrom, type UrlLike } from '../files.js';
import { compileModule, computeConstants, type OpenWeights } from '../load.js';
import type { Manifest } from '../manifest.js';
import type { GpuModel } from './session.js';

export interface GpuPlanSource {
  readonly manifest: Manifest;
  /** The load-time kernels, which run on the host: a WebAssembly module, in base 64 where it comes from a file. */
  readonly load: Uint8Array | string;
}
/** A value, or where the JSON or text of it is. */
export type Source<T extends object> = T | string | UrlLike;
const isAddress = (x: object | string): x is string | UrlLike => typeof x === 'string' || 'href' in x;

/** @throws LoadError SSM5201. */
export const readText = async (from: Source<{ readonly text: string }>): Promise<string> => (isAddress(from) ? new TextDecoder().decode(await readFrom(from, 5201)) : from.text);

/** @throws LoadError SSM5201 to SSM5203, WeightsError SSM50xx. */
export async function openPlan(from: Source<GpuPlanSource>, weights: OpenWeights): Promise<GpuModel> {
  const { manifest, load } = isAddress(from) ? (JSON.parse(await readText(from)) as GpuPlanSource) : from;
  const { gpu: plan } = manifest;
  if (manifest.format !== 1 || !plan) throw failure(5203, { why: 'it is not one of a GPU model of format 1' });
  const module = await compileModule(typeof load === 'string' ? Uint8Array.from(atob(load), (c) => c.charCodeAt(0)) : load);
  return { manifest, plan, constants: computeConstants(manifest, module, weights) };
}
