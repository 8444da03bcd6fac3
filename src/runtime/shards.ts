/**
 * A checkpoint in parts: `model.safetensors.index.json` and the files that it names, as one. A module of its own, which generated ones don't carry:
 * what it gives is what `weights` takes.
 */
import { failure, nearest, reason } from './errors.js';
import { readFrom, type UrlLike } from './files.js';
import { readSafetensors, type SafetensorsFile } from './safetensors.js';

const malformed = (why: string): Error => failure(5002, { why: `the index ${why}` });

/** The part of each tensor, by what an index says. @throws WeightsError SSM5002 where it says something else. */
export function readIndex(text: string): ReadonlyMap<string, string> {
  let index: unknown;
  try {
    index = JSON.parse(text);
  } catch (error) {
    throw malformed(`is not JSON: ${reason(error)}`);
  }
  const map = (Object(index) as { weight_map?: unknown }).weight_map;
  if (Object(map) !== map || Array.isArray(map)) throw malformed('lacks `weight_map`, an object of file names by tensor');
  const parts = new Map(Object.entries(map as object) as [string, unknown][]);
  // Parts lie beside their index: it leads nowhere else.
  for (const [name, file] of parts) if (typeof file !== 'string' || !/^[^/\\:?#]+$/.test(file) || /^\.+$/.test(file)) throw malformed(`names no file for \`${name}\`: ${JSON.stringify(file)}`);
  return parts as ReadonlyMap<string, string>;
}
/** The tensors that an index names, out of its parts. @throws WeightsError SSM5007 where a part lacks one. */
export function joinShards(index: ReadonlyMap<string, string>, parts: ReadonlyMap<string, SafetensorsFile>): SafetensorsFile {
  const tensors = new Map([...index].map(([name, file]) => [name, (parts.get(file) as SafetensorsFile).tensor(name)]));
  return {
    names: [...tensors.keys()],
    metadata: new Map(),
    has: (name) => tensors.has(name),
    tensor(name) {
      const found = tensors.get(name);
      if (!found) throw failure(5007, { name, near: nearest(name, tensors.keys()) });
      return found;
    },
  };
}

/**
 * Reads a checkpoint in parts, at a path (in Node) or a URL: `Mex.load({ weights: await openShards("model.safetensors.index.json") })`.
 * @throws WeightsError SSM5001 where the index or a part can't be read; SSM5002, SSM5003, SSM5007 where one is at fault.
 */
export async function openShards(from: string | UrlLike): Promise<SafetensorsFile> {
  const index = readIndex(new TextDecoder().decode(await readFrom(from, 5001)));
  const address = typeof from === 'string' ? from : from.href;
  const isUrl = /^[a-z][\w+.-]+:/i.test(address);
  const folder = (isUrl ? address.replace(/[?#].*$/, '') : address).replace(/[^/\\]*$/, '');
  const files = [...new Set(index.values())];
  const bytes = await Promise.all(files.map((file) => readFrom(folder + file, 5001)));
  return joinShards(index, new Map(files.map((file, k) => [file, readSafetensors(bytes[k] as Uint8Array)])));
}
