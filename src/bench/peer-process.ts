/**
 * Peers that live in processes of their own (C, Python). The protocol is lines: we write "run", the peer runs once and answers the
 * milliseconds by its own clock; "memory" asks some for the bytes that they needed at most; "save" makes it write its last result, as raw float32, to the file it was given. An answer that
 * isn't a number is a complaint.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../cli/io.js';
import { Unavailable } from './contest.js';

/**
 * One thread for everyone. Memory that a peer frees stays with it (glibc): or PyTorch would pay for fresh pages at each large tensor,
 * which is the machine's time and not the loop's.
 */
const oneThread = {
  OMP_NUM_THREADS: '1', MKL_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', MALLOC_MMAP_MAX_: '0', MALLOC_TRIM_THRESHOLD_: '17179869184', MALLOC_TOP_PAD_: '268435456',
};
const environment = (): NodeJS.ProcessEnv => ({ ...process.env, ...oneThread });

export function peerSource(name: string): string {
  const path = join(packageRoot(), 'test/bench/peers', name);
  if (!existsSync(path)) throw new Unavailable(`the sources of the peers are not in this installation (${name})`);
  return path;
}

let scratch: string | undefined;
/** Removed when the process ends. */
export function scratchFolder(): string {
  if (scratch === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'ssmc-bench-'));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
    scratch = made;
  }
  return scratch;
}

/** Compiles a C++ peer into the scratch folder; the path of the program. */
export function buildNative(source: string, flags: readonly string[]): string {
  const program = join(scratchFolder(), [source, ...flags].join('').replaceAll(/[^a-zA-Z0-9.]/g, '_'));
  if (existsSync(program)) return program;
  const compiler = ['g++', 'clang++', 'c++'].find((name) => spawnSync(name, ['--version']).status === 0);
  if (compiler === undefined) throw new Unavailable('no C++ compiler here');
  const built = spawnSync(compiler, ['-O3', ...flags, '-o', program, peerSource(source), '-lm'], { encoding: 'utf8' });
  if (built.status !== 0) throw new Unavailable(`${compiler} ${flags.join(' ')} refuses: ${built.stderr.split('\n')[0] ?? ''}`);
  return program;
}

let python: string | null | undefined;
/** A Python that can import torch. */
export function pythonWithTorch(): string {
  python ??= ['python3', '/usr/bin/python3'].find((name) => spawnSync(name, ['-c', 'import torch'], { env: environment() }).status === 0) ?? null;
  if (python === null) throw new Unavailable('no python3 here that imports torch');
  return python;
}

/** The same Python, where this program of it ends well. */
export function pythonWith(command: string, program: string, otherwise: string): string {
  if (spawnSync(command, ['-c', program], { env: environment() }).status !== 0) throw new Unavailable(otherwise);
  return command;
}

/** A module of one function on relaxed SIMD: f32x4.relaxed_madd. */
const relaxedProbe = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0, 10, 13, 1, 11, 0, 32, 0, 32, 1, 32, 2, 253, 133, 2, 11,
);
/** Node on child.js of this folder; with relaxed SIMD, by the flag where this engine needs one. */
export function ownChild({ relaxed }: { readonly relaxed: boolean }): { readonly command: string; readonly args: readonly string[] } {
  const program = join(packageRoot(), 'dist/src/bench/child.js');
  if (!existsSync(program)) throw new Unavailable('our own child processes need the built package');
  const flags = !relaxed || WebAssembly.validate(relaxedProbe) ? [] : ['--experimental-wasm-relaxed-simd'];
  if (spawnSync(process.execPath, [...flags, '-e', '']).status !== 0) throw new Unavailable('this engine has no relaxed SIMD');
  return { command: process.execPath, args: [...flags, program] };
}

let files = 0;
export function scratchFile(contents?: Uint8Array): string {
  const path = join(scratchFolder(), `data-${files++}`);
  if (contents) writeFileSync(path, contents);
  return path;
}

/** int32 header, then float32 arrays: what peers read. */
export function packed(header: readonly number[], arrays: readonly Float32Array[]): Uint8Array {
  const parts = [new Uint8Array(Int32Array.from(header).buffer), ...arrays.map((a) => new Uint8Array(a.buffer, a.byteOffset, a.byteLength))];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export class PeerProcess {
  readonly #child: ChildProcess;
  readonly #result: string;
  readonly #lines: AsyncIterator<string>;
  #complaint = '';

  /** The peer is started with `args`, the input file and the file for results. */
  constructor(command: string, args: readonly string[], input: Uint8Array) {
    this.#result = scratchFile();
    const child = spawn(command, [...args, scratchFile(input), this.#result], { stdio: ['pipe', 'pipe', 'pipe'], env: environment() });
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#complaint = (this.#complaint + text).slice(-2000)));
    child.stdin.on('error', () => undefined); // a peer that died is noticed by its missing answer
    child.on('error', (fault) => (this.#complaint = fault.message));
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async #ask(order: string): Promise<string> {
    this.#child.stdin!.write(`${order}\n`);
    const answer = await this.#lines.next();
    if (answer.done) throw new Error(`the peer ended: ${this.#complaint.trim().split('\n').at(-1) ?? ''}`);
    return answer.value;
  }

  async run(): Promise<number> {
    const answer = await this.#ask('run');
    const ms = Number(answer);
    if (!Number.isFinite(ms)) throw new Error(answer);
    return ms;
  }

  /** Bytes resident at most, above what the peer had before its data; undefined where its system doesn't say. */
  async memory(): Promise<number | undefined> {
    const bytes = Number(await this.#ask('memory'));
    return Number.isFinite(bytes) ? bytes : undefined;
  }

  /** What the last run computed. */
  async result(): Promise<Float32Array> {
    await this.#ask('save');
    const bytes = readFileSync(this.#result);
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  }

  close(): void {
    this.#child.stdin!.end();
  }
}
