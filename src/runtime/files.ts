/**
 * Bytes from wherever they are: a path or a file: URL in Node, any URL where there is fetch. Node's file system is asked for when it
 * is needed, and not by an import, so that bundlers for browsers have nothing to resolve.
 */

import { failure, reason } from './errors.js';

/** A URL, without asking for the type of any platform. */
export interface UrlLike {
  readonly href: string;
}

interface NodeFiles {
  readFile(path: string | object): Promise<Uint8Array>;
}
interface Platform {
  readonly process?: { getBuiltinModule?(name: string): unknown };
  readonly fetch?: (url: string) => Promise<{ readonly ok: boolean; readonly status: number; arrayBuffer(): Promise<ArrayBuffer> }>;
}

/**
 * The bytes at a path (in Node) or a URL.
 * @throws Error as the platform words it; callers wrap it in a typed one.
 */
export async function fetchBytes(from: string | UrlLike): Promise<Uint8Array> {
  const platform = globalThis as Platform;
  const address = typeof from === 'string' ? from : from.href;
  // A single letter before the colon is a Windows drive.
  const isUrl = typeof from !== 'string' || /^[a-z][\w+.-]+:/i.test(address);
  const files = platform.process?.getBuiltinModule?.('node:fs/promises') as NodeFiles | undefined;
  if (files && (!isUrl || /^file:/i.test(address))) {
    return bytesOf(await files.readFile(isUrl ? new URL(address) : address));
  }
  if (!platform.fetch) throw new Error('there is neither a file system nor fetch here');
  const response = await platform.fetch(address);
  if (!response.ok) throw new Error(`HTTP status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
/** The bytes of any view, Node's Buffer among them. */
export const bytesOf = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/** What is read of a model, or where it can't be read the error of this code. @throws WeightsError SSM5001, LoadError SSM5201. */
export async function readFrom(from: string | UrlLike, code: 5001 | 5201): Promise<Uint8Array> {
  try {
    return await fetchBytes(from);
  } catch (error) {
    throw failure(code, { from: `\`${(Object(from) as Partial<UrlLike>).href ?? from}\``, why: reason(error) }, error);
  }
}
