/** NVIDIA's compiler, where it is on the path: CUDA source to PTX, which a driver compiles for its GPU, and to machine code for one chip. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from './io.js';

/** What one architecture is given. */
export interface Image {
  readonly arch: string;
  readonly ptx: Uint8Array;
  readonly cubin: Uint8Array;
}
/** Every GPU since 2020 takes PTX made for it. */
export const DEFAULT_ARCH = 'sm_80';

/** @throws UsageError where one is older than the kernels' instructions, or no architecture. */
export function checkArchitectures(named: readonly string[]): void {
  for (const arch of named) {
    const [, number] = /^sm_(\d{2,3})[af]?$/.exec(arch) ?? [];
    if (number === undefined) throw new UsageError(`--arch takes an architecture such as sm_80 or sm_90, not \`${arch}\``);
    if (Number(number) < 80) throw new UsageError(`--arch ${arch}: the kernels copy asynchronously, which needs sm_80 or later`);
  }
}
export function hasNvcc(): boolean {
  return spawnSync('nvcc', ['--version'], { stdio: 'ignore' }).status === 0;
}
/** @throws UsageError with the compiler's words, where it doesn't know the architecture. */
export function compileImages(source: string, architectures: readonly string[], options: readonly string[]): Image[] {
  return withNvcc(source, options, (make) => architectures.map((arch) => ({ arch, ptx: make('ptx', arch), cubin: make('cubin', arch) })));
}
/** Machine code alone, for one chip. @throws UsageError as above. */
export function compileCubin(source: string, arch: string, options: readonly string[]): Uint8Array {
  return withNvcc(source, options, (make) => make('cubin', arch));
}
function withNvcc<T>(source: string, options: readonly string[], work: (make: (kind: 'ptx' | 'cubin', arch: string) => Uint8Array) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'ssmc-'));
  try {
    const input = join(folder, 'model.cu');
    writeFileSync(input, source);
    return work((kind, arch) => {
      const output = join(folder, `model.${kind}`);
      const { status, stdout, stderr, error } = spawnSync('nvcc', [`-${kind}`, `-arch=${arch}`, ...options, '-o', output, input], { encoding: 'utf8' });
      if (status !== 0) throw new UsageError(`nvcc makes no ${kind} for ${arch}: ${(error?.message ?? `${stderr}${stdout}`).trim()}`);
      return readFileSync(output);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
