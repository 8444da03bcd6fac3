/**
 * What the addon's tests stand on, made by g++ from what lies here: the addon as it ships, a CUDA driver and an NVRTC for tests, and images of
 * kernels that were built for the CPU.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import type { Native } from '../../../src/runtime/cuda/native.js';
import { buildLibrary, imageText, missing as withoutLibrary } from '../library.js';

export const missing: string | undefined = withoutLibrary ?? (process.platform === 'linux' ? undefined : 'Linux');
const require = createRequire(import.meta.url);
export const root = join(import.meta.dirname, '../../..');

export interface Look {
  readonly calls: Readonly<Record<string, number>>;
  readonly misuses: readonly string[];
  /** What was enqueued and waited for, a letter each: u, data up; k, a kernel; d, data down; w, an event. */
  readonly order: string;
  readonly loaded: readonly string[];
  readonly contexts: number;
  readonly device: number;
  readonly host: number;
  readonly modules: number;
  readonly streams: number;
  readonly events: number;
  readonly graphs: number;
  readonly rules: number;
}
export interface Control {
  /** The call fails with the status, once, after so many that don't. */
  fail(call: string, after: number, status: number): void;
  set(what: 'devices' | 'capability' | 'version' | 'limit' | 'total' | 'held', value: number): void;
  reset(): void;
  look(): Look;
}
export interface Tools {
  readonly addonPath: string;
  readonly native: Native;
  readonly driver: string;
  readonly nvrtc: string;
  readonly control: Control;
}
export interface Files {
  readonly addon: string;
  readonly driver: string;
  readonly nvrtc: string;
}
interface Build {
  readonly addonFile: () => string;
  readonly buildAddon: (output?: string, options?: readonly string[]) => Promise<boolean>;
}

/** A shared library of sources that lie here; made once for each of their contents. */
export function libraryOf(name: string, sources: readonly string[], options: readonly string[]): string {
  const hash = createHash('sha256').update(JSON.stringify(options));
  for (const f of [...sources, 'state.h']) hash.update(readFileSync(join(import.meta.dirname, f)));
  const output = join(root, '.cache', 'cuda', `${name}-${hash.digest('hex').slice(0, 12)}.node`);
  if (existsSync(output)) return output;
  mkdirSync(dirname(output), { recursive: true });
  const made = `${output}.${process.pid}`;
  const { include_dir: include } = require('node-api-headers') as { include_dir: string };
  execFileSync('g++', ['-std=c++17', '-O1', '-Wall', '-Wextra', '-Werror', '-fPIC', '-shared', '-fvisibility=hidden', '-DNAPI_VERSION=8', '-DNODE_GYP_MODULE_NAME=driver', `-I${include}`, ...options, '-o', made, ...sources.map((f) => join(import.meta.dirname, f)), '-ldl'], { stdio: ['ignore', 'ignore', 'pipe'] });
  renameSync(made, output);
  return output;
}
export async function buildFiles(sanitize: readonly string[] = []): Promise<Files> {
  const { addonFile, buildAddon } = (await import(join(root, 'targets/cuda/addon/build.mjs'))) as Build;
  const addon = sanitize.length === 0 ? addonFile() : join(root, '.cache', 'cuda', 'sanitized.node');
  await buildAddon(addon, sanitize.length === 0 ? undefined : sanitize);
  return { addon, driver: libraryOf('driver', ['driver.cpp', 'control.cpp'], sanitize), nvrtc: libraryOf('nvrtc', ['nvrtc.cpp'], sanitize) };
}
export async function tools(): Promise<Tools> {
  const files = await buildFiles();
  return { ...files, addonPath: files.addon, native: require(files.addon) as Native, control: require(files.driver) as Control };
}

/** The image of a source as the test driver takes it, under this architecture's name. */
export interface BuiltKernels {
  readonly image: (arch: string) => Uint8Array;
  readonly dispose: () => void;
}
export async function buildKernels(source: string): Promise<BuiltKernels> {
  const library = await buildLibrary([{ prefix: '', source }], mkdtempSync(join(process.env['TMPDIR'] ?? '/tmp', 'ssmc-kernels-')));
  return { image: (arch) => new TextEncoder().encode(imageText(arch, library, source)), dispose: () => rmSync(dirname(library), { recursive: true, force: true }) };
}
/** A file with it, for the test NVRTC. */
export function imageFile(image: Uint8Array): string {
  const path = join(mkdtempSync(join(process.env['TMPDIR'] ?? '/tmp', 'ssmc-image-')), 'image');
  writeFileSync(path, image);
  return path;
}
/** Waits for what was disposed of, since sessions end on threads of their own; what is left then shouldn't be. */
export async function ended({ control }: Tools): Promise<void> {
  for (let k = 0; k < 4000 && control.look().contexts > 0; k++) await new Promise((resolve) => { setTimeout(resolve, 5); });
  const { contexts, device, host, modules, streams, events, graphs } = control.look();
  expect({ contexts, device, host, modules, streams, events, graphs }).toEqual({ contexts: 0, device: 0, host: 0, modules: 0, streams: 0, events: 0, graphs: 0 });
}
