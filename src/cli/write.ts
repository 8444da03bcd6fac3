/**
 * A folder of generated files, replaced all or nothing. New files are written beside it and renamed into place one by one, the entry
 * last: the module's other files carry the content's hash in their names, so an old entry goes on finding old files and a new one new
 * ones, whenever the process is killed. Files that no entry needs any more are removed at the end.
 */
import { createHash } from 'node:crypto';
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export interface Output {
  /** The file that is imported, and files that must be replaced with it. */
  readonly entries: ReadonlyMap<string, string>;
  /** Files it refers to, by names that hold their hash. */
  readonly assets: ReadonlyMap<string, Uint8Array>;
}
/** The first 8 hex digits of SHA-256. */
export const contentHash = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex').slice(0, 8);

export function writeOutput(folder: string, output: Output, stale: RegExp, checkpoint: (step: string) => void = () => undefined): void {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (/^\.ssmc-\d+-/.test(name)) rmSync(join(folder, name), { force: true });
  for (const [name, bytes] of output.assets) replace(folder, name, bytes, checkpoint);
  for (const [name, text] of output.entries) replace(folder, name, new TextEncoder().encode(text), checkpoint);
  const kept = new Set([...output.assets.keys(), ...output.entries.keys()]);
  for (const name of readdirSync(folder)) if (stale.test(name) && !kept.has(name)) rmSync(join(folder, name));
}
function replace(folder: string, name: string, bytes: Uint8Array, checkpoint: (step: string) => void): void {
  const temporary = join(folder, `.ssmc-${process.pid}-${name}`);
  const file = openSync(temporary, 'w');
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  checkpoint(`written ${name}`);
  renameSync(temporary, join(folder, name));
  checkpoint(`renamed ${name}`);
}
/** One file, replaced at once: whoever reads it sees the old text or the new. Its permissions stay; of a link, what it points at is replaced. */
export function replaceFile(path: string, text: string): void {
  const file = realpathSync(path);
  const temporary = join(dirname(file), `.ssmc-${process.pid}-${basename(file)}`);
  try {
    writeFileSync(temporary, text, { flush: true, mode: statSync(file).mode });
    chmodSync(temporary, statSync(file).mode);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
/** The folder holds just these files already. */
export function isCurrent(folder: string, output: Output): boolean {
  const equal = (name: string, want: Uint8Array): boolean => {
    try {
      return Buffer.compare(readFileSync(join(folder, name)), want) === 0;
    } catch {
      return false;
    }
  };
  return [...output.assets].every(([n, b]) => equal(n, b)) && [...output.entries].every(([n, t]) => equal(n, new TextEncoder().encode(t)));
}
