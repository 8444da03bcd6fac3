/** What commands touch of the world, so that tests can give them another. */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import pc from 'picocolors';
import type { SourceHost } from '../check/index.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { jsonDiagnostic, plain, renderDiagnostic, summary, type Colours } from '../diagnostics/render.js';

export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly cwd: string;
  readonly colour: boolean;
  /** The error stream is a terminal: progress may be shown. */
  readonly terminal: boolean;
  /** All of standard input; the process's own where this is absent. */
  readonly stdin?: () => Uint8Array;
  /** Ends `--watch`. */
  readonly stop?: AbortSignal;
}
/** The user's call is wrong: exit 2. */
export class UsageError extends Error {}
/** What the user gave is at fault: exit 1. */
export class InputFault extends Error {}

export const colours = (io: Io): Colours => (io.colour ? pc.createColors(true) : plain);

/** The package's root, from dist/ or from source. */
export function packageRoot(): string {
  let at = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(at, 'grammar', 'std', 'linear.ssm'))) {
    const up = dirname(at);
    if (up === at) throw new Error('the standard library is missing from the package');
    at = up;
  }
  return at;
}
let library: ReadonlyMap<string, string> | undefined;
export function standardLibrary(): ReadonlyMap<string, string> {
  const folder = join(packageRoot(), 'grammar', 'std');
  library ??= new Map(readdirSync(folder).filter((f) => f.endsWith('.ssm')).sort().map((f) => [`std/${f}`, readFileSync(join(folder, f), 'utf8')]));
  return library;
}

export interface Opened {
  readonly host: SourceHost;
  /** Absolute paths of all that was read, or looked for in vain. */
  readonly touched: () => readonly string[];
  /** The spec's path as the compiler sees it. */
  readonly entry: string;
  readonly root: string;
  /** SHA-256 of the spec and all it read, hex; after compiling. */
  readonly hash: () => string;
  readonly source: (file: string) => string | undefined;
}
/** The root of a spec's project, above which imports may not climb: the nearest folder with a package.json or .git, else the spec's own. */
export function projectRoot(spec: string): string {
  for (let at = dirname(spec); ; at = dirname(at)) {
    if (existsSync(join(at, 'package.json')) || existsSync(join(at, '.git'))) return at;
    if (dirname(at) === at) return dirname(spec);
  }
}
function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
export function openSpec(path: string, io: Io): Opened {
  const full = resolve(io.cwd, path);
  const found = statSync(full, { throwIfNoEntry: false });
  if (!found) throw new InputFault(`can't find \`${path}\``);
  if (found.isDirectory()) throw new InputFault(`\`${path}\` is a folder, not a spec`);
  const root = projectRoot(full);
  const texts = new Map<string, string>();
  const touched = new Set([full]);
  const read = (file: string): string | undefined => {
    const known = texts.get(file);
    if (known !== undefined) return known;
    touched.add(join(root, file));
    const text = textOf(join(root, file));
    if (text === undefined) return undefined;
    if (text.includes('\0')) throw new InputFault(`\`${file}\` is no text in UTF-8, as specs are: it has zero bytes`);
    texts.set(file, text);
    return text;
  };
  const std = standardLibrary();
  const entry = relative(root, full).split(sep).join('/');
  return {
    entry, root, host: { read, std }, touched: () => [...touched], source: (file) => texts.get(file) ?? std.get(file),
    hash: () => {
      const h = createHash('sha256');
      read(entry);
      for (const [file, text] of [...texts].sort(([a], [b]) => (a < b ? -1 : 1))) h.update(`${file}\0${text}\0`);
      for (const [file, text] of std) h.update(`${file}\0${text}\0`);
      return h.digest('hex');
    },
  };
}

/** Prints diagnostics on the error stream, or as JSON where asked; true if there is an error. */
export function report(list: readonly Diagnostic[], opened: Opened, io: Io, json: boolean): boolean {
  return reportWith(list, opened.source, io, json ? {} : undefined);
}
/** The same with sources from elsewhere. `json` is what else the object holds; without it the report is for people. */
export function reportWith(list: readonly Diagnostic[], source: (file: string) => string | undefined, io: Io, json?: object): boolean {
  if (json) io.out(`${JSON.stringify({ diagnostics: list.map((d) => jsonDiagnostic(d, source)), ...json })}\n`);
  else if (list.length > 0) {
    for (const d of list) io.err(`${renderDiagnostic(d, source, colours(io))}\n\n`);
    io.err(`${summary(list)}\n`);
  }
  return list.some((d) => d.severity === 'error');
}
/** Node reads no file of 2 GiB at once. */
const mostAtOnce = 2 ** 31 - 1;
export function readInPieces(file: string, size: number, piece = 2 ** 30): Uint8Array {
  const bytes = new Uint8Array(size);
  const handle = openSync(file, 'r');
  try {
    for (let at = 0; at < size;) {
      const read = readSync(handle, bytes, at, Math.min(piece, size - at), at);
      if (read === 0) throw new Error(`it ends after ${at} bytes of ${size}`);
      at += read;
    }
  } finally {
    closeSync(handle);
  }
  return bytes;
}
export function readBytes(path: string, what: string, io: Io): Uint8Array {
  try {
    const file = resolve(io.cwd, path);
    const { size } = statSync(file);
    return size > mostAtOnce ? readInPieces(file, size) : new Uint8Array(readFileSync(file));
  } catch (error) {
    throw new InputFault(`can't read ${what} \`${path}\`: ${error instanceof Error ? error.message : String(error)}`);
  }
}
