/**
 * Bytes from wherever they are: a path or a file: URL in Node, any URL where there is fetch. Node's file system is asked for when it
 * is needed, and not by an import, so that bundlers for browsers have nothing to resolve.
 */

/** A URL, without asking for the type of any platform. */
export interface UrlLike {
  readonly href: string;
}

interface NodeFiles {
  readFile(path: string | object): Promise<Uint8Array>;
}
interface Platform {
  readonly process?: { readonly versions?: { readonly node?: string }; getBuiltinModule?(name: string): unknown };
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
  const isUrl = typeof from !== 'string' || /^[a-z][a-z0-9+.-]+:/i.test(address);
  const files = platform.process?.versions?.node ? (platform.process.getBuiltinModule?.('node:fs/promises') as NodeFiles | undefined) : undefined;
  if (files && (!isUrl || /^file:/i.test(address))) {
    const buffer = await files.readFile(isUrl ? new URL(address) : address);
    return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  }
  if (!platform.fetch) throw new Error('there is neither a file system nor fetch here');
  const response = await platform.fetch(address);
  if (!response.ok) throw new Error(`HTTP status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
