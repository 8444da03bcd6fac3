/** A spec in the part of an address that no server sees: `#example=mex/mex.ssm`, with `&spec=…` where it was changed. */
export interface Shared {
  readonly example: string;
  /** Absent where the example is as it was. */
  readonly text?: string;
}

export async function toHash({ example, text }: Shared): Promise<string> {
  return `#example=${encodeURIComponent(example)}${text === undefined ? '' : `&spec=${base64url(await squeeze(text))}`}`;
}
/** Undefined where it isn't one of ours, or damaged. */
export async function fromHash(hash: string): Promise<Shared | undefined> {
  const given = new URLSearchParams(hash.replace(/^#/, ''));
  const example = given.get('example');
  const spec = given.get('spec');
  if (example === null) return undefined;
  if (spec === null) return { example };
  try {
    return { example, text: await expand(bytesOf(spec)) };
  } catch {
    return undefined;
  }
}
const squeeze = async (text: string): Promise<Uint8Array> => new Uint8Array(await new Response(new Blob([text]).stream().pipeThrough(new CompressionStream('deflate'))).arrayBuffer());
const expand = (bytes: Uint8Array<ArrayBuffer>): Promise<string> => new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'))).text();
const base64url = (bytes: Uint8Array): string => btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join('')).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const bytesOf = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
