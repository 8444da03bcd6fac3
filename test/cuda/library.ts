/** Kernels of CUDA as a library for the CPU, made by g++ from the source that ships (emulation/), and of many models at once. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const here = join(import.meta.dirname, 'emulation');
/** Undefined where all is there; else what is not. */
export const missing: string | undefined = spawnSync('g++', ['--version']).status === 0 && process.arch === 'x64' ? undefined : 'g++ on x86-64';

/** A model's source, its kernels under names that no other has. */
export interface Unit {
  /** Before each kernel's name. */
  readonly prefix: string;
  readonly source: string;
}
export const kernelsOf = (source: string): string[] => [...source.matchAll(/^extern "C" __global__ void __launch_bounds__\([^)]*\) (\w+)\(/gm)].map((m) => m[1] as string);

/** One source of all units: a namespace each, kernels renamed. The block of primitives is the first one's. */
export function together(units: readonly Unit[]): string {
  return units.map(({ prefix, source }) => {
    const names = new Set(kernelsOf(source));
    return `namespace ${prefix}n {\n#undef SSM_PRIMITIVES\n${source.replace(/\b\w+\b/g, (word) => (names.has(word) ? prefix + word : word))}}\n`;
  }).join('\n');
}
/** The library's path, in a folder of its own. */
export async function buildLibrary(units: readonly Unit[], folder = mkdtempSync(join(tmpdir(), 'ssmc-cuda-'))): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const compiled: string[] = [];
  const share = Math.ceil(units.length / 4);
  const names = units.flatMap(({ prefix, source }) => kernelsOf(source).map((k) => prefix + k));
  for (let k = 0; k < units.length; k += share) {
    const mine = units.slice(k, k + share);
    const source = join(folder, `part${k}.cpp`);
    const text = together(mine).replaceAll('#undef SSM_PRIMITIVES\n', '');
    const wrappers = mine.flatMap(({ prefix, source: s }) => kernelsOf(s).map((name) => `extern "C" __attribute__((no_sanitize("thread"))) void run_${prefix}${name}(void** a) { ssm_unpack(${prefix}n::${prefix}${name}, a); }`));
    writeFileSync(source, `#include "${here}/cuda.hpp"\n${text}\n${wrappers.join('\n')}\n`);
    await compile(['-fsanitize=thread', '-c', '-o', `${source}.o`, source]);
    compiled.push(`${source}.o`);
  }
  const table = join(folder, 'table.cpp');
  writeFileSync(table, `#include "${here}/runtime.hpp"\nextern "C" {\n${names.map((n) => `void run_${n}(void**);`).join('\n')}\nconst SsmKernel ssm_kernels[] = {\n${names.map((n) => `{"${n}", run_${n}},`).join('\n')}\n{nullptr, nullptr}};\n}\n`);
  const library = join(folder, 'kernels.so');
  await compile(['-shared', '-o', library, table, join(here, 'runtime.cpp'), ...compiled]);
  await compile(['-o', runner(library), join(here, 'run.cpp'), '-ldl']);
  return library;
}
/** The program that follows scripts, beside its library. */
export const runner = (library: string): string => `${library}.run`;

/** A library as the test driver takes it for the image of a source. `prefix`: before its kernels' names. */
export function imageText(arch: string, library: string, source: string, prefix = ''): string {
  const kernels = [...source.matchAll(/__launch_bounds__\([^)]*\) (\w+)\(([^)]*)\)/g)].map(([, name, parameters = '']) => {
    const letters = parameters.split(',').filter((p) => p.trim() !== '').map((p) => (p.includes('*') ? 'p' : 'i')).join('');
    return `${name} ${letters === '' ? '-' : letters} ${prefix}${name}`;
  });
  return `SSMC-FAKE ${arch}\n${library}\n${kernels.join('\n')}\n`;
}
/** Products and sums are contracted where the source says so, as on the GPU. */
const flags = ['-std=c++17', '-O1', '-fPIC', '-ffp-contract=off', '-fno-math-errno', '-fno-strict-aliasing', '-w', ...(hasFma() ? ['-mfma'] : [])];
function hasFma(): boolean {
  return existsSync('/proc/cpuinfo') && /\bfma\b/.test(readFileSync('/proc/cpuinfo', 'utf8'));
}
function compile(arguments_: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('g++', [...flags, ...arguments_], { stdio: ['ignore', 'ignore', 'pipe'] });
    let words = '';
    child.stderr.on('data', (d: Buffer) => { words += d.toString(); });
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(words.slice(0, 4000)))));
  });
}
