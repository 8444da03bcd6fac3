/**
 * An nvcc for tests, as a program: of CUDA source it makes the image of a CPU build, which the test driver loads. What it has built once lies in
 * the folder that SSMC_TEST_KERNELS names.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildLibrary, imageText } from '../library.js';

const given = process.argv.slice(2);
const after = (option: string): string => given[given.indexOf(option) + 1] ?? '';
if (given[0] === '--version') console.log('stand-in for nvcc, release 0.0');
else {
  const source = readFileSync(given.at(-1) as string, 'utf8');
  const folder = join(process.env['SSMC_TEST_KERNELS'] ?? '', createHash('sha256').update(source).digest('hex').slice(0, 16));
  const library = join(folder, 'kernels.so');
  if (!existsSync(library)) await buildLibrary([{ prefix: '', source }], folder);
  writeFileSync(after('-o'), imageText(/^-arch=(.*)$/.exec(given.find((g) => g.startsWith('-arch=')) ?? '')?.[1] ?? '', library, source));
}
