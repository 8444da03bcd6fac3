/**
 * `compile --watch`: compiles when the spec, or anything that it read or looked for, changes. Files are looked at a few times a second
 * rather than watched by the system: editors replace files, folders come and go, and a file that is missing now may appear.
 */
import { statSync } from 'node:fs';
import type { Io } from './io.js';

const period = 150;

/** Runs until `io.stop` is signalled, if ever. `once` compiles and gives the absolute paths that it depends on; it doesn't throw. */
export function watching(once: () => readonly string[], io: Io): Promise<number> {
  let files = once();
  let before = files.map(stamp);
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (files.every((f, k) => stamp(f) === before[k])) return;
      files = once();
      before = files.map(stamp);
    }, period);
    io.stop?.addEventListener('abort', () => {
      clearInterval(timer);
      resolve(0);
    });
  });
}
function stamp(file: string): string {
  const s = statSync(file, { bigint: true, throwIfNoEntry: false });
  return s ? `${s.ino}:${s.size}:${s.mtimeNs}` : '';
}
