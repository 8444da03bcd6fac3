/** The addon and the test driver under AddressSanitizer and UBSan, in a process of its own; and a fault that is planted is found. */
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildFiles, imageFile, libraryOf, missing, type Files } from './driver/tools.js';

const flags = ['-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer'];
const runtime = (name: string): string => execFileSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
const without = missing ?? (runtime('libasan.so').includes('/') && runtime('libubsan.so').includes('/') ? undefined : 'libasan and libubsan, which come with g++');

describe.skipIf(without !== undefined)(`the addon under AddressSanitizer and UBSan${without === undefined ? '' : ` (skipped: there is no ${without})`}`, () => {
  let files: Files;
  let image = '';
  beforeAll(async () => {
    files = await buildFiles(flags);
    image = `SSMC-FAKE sm_80\n${libraryOf('plain', ['plain.cpp'], flags)}\nscale ppii scale\n`;
  }, 600_000);
  const exercise = (plant: boolean): { status: number | null; stdout: string; stderr: string } => spawnSync(process.execPath, ['--expose-gc', join(import.meta.dirname, 'driver', 'exercise.cjs'), JSON.stringify({ ...files, image, plant })], {
    encoding: 'utf8', timeout: 300_000,
    env: {
      ...process.env, LD_PRELOAD: `${runtime('libasan.so')}:${runtime('libubsan.so')}`, SSMC_TEST_IMAGE: imageFile(new TextEncoder().encode(image)),
      // Node itself frees little when it ends.
      ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=0:exitcode=99', UBSAN_OPTIONS: 'print_stacktrace=1',
    },
  });
  it('does all that it can do without a fault', () => {
    const { status, stdout, stderr } = exercise(false);
    expect([status, stdout, stderr.slice(0, 4000)]).toEqual([0, 'fine\n', '']);
  }, 320_000);
  it('finds a fault that is planted', () => {
    const { status, stderr } = exercise(true);
    expect([status, stderr]).toEqual([99, expect.stringContaining('heap-buffer-overflow')]);
  }, 320_000);
});
