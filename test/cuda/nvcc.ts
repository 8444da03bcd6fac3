/** What NVIDIA's compiler says of kernels, where it is on the path: it takes them without a warning; registers, spills, memory; the PTX. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { options } from '../../targets/cuda/index.js';

const said = spawnSync('nvcc', ['--version'], { encoding: 'utf8' });
/** Such as 13.0; undefined where there is none. */
export const version: string | undefined = said.status === 0 ? /release (\d+\.\d+)/.exec(said.stdout)?.[1] : undefined;

export interface Usage {
  readonly registers: number;
  readonly spills: number;
  readonly stack: number;
  readonly shared: number;
}
/** What each kernel takes on a chip. @throws Error with the compiler's words, warnings included. */
export async function usage(source: string, arch: string): Promise<Map<string, Usage>> {
  const { words } = await run(source, ['-cubin', `-arch=${arch}`, '-Xptxas', '-v', '-Werror', 'all-warnings']);
  const found = [...words.matchAll(/Compiling entry function '(\w+)'[\s\S]*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads[\s\S]*?Used (\d+) registers([^\n]*)/g)];
  return new Map(found.map(([, name, stack, stores, loads, registers, rest]) => [name as string, {
    registers: Number(registers), spills: Number(stores) + Number(loads), stack: Number(stack), shared: Number(/(\d+) bytes smem/.exec(rest as string)?.[1] ?? 0),
  }]));
}
export async function ptx(source: string, arch: string): Promise<string> {
  return (await run(source, ['-ptx', `-arch=${arch}`])).output;
}
/** How often each kernel's machine code has each operation: the lowest twelve bits of an instruction's sixteen bytes. */
export async function operations(source: string, arch: string): Promise<Map<string, Map<number, number>>> {
  const elf = Buffer.from((await run(source, ['-cubin', `-arch=${arch}`])).output, 'latin1');
  const [table, size, count, names] = [Number(elf.readBigUInt64LE(40)), elf.readUInt16LE(58), elf.readUInt16LE(60), elf.readUInt16LE(62)];
  const section = (k: number): { name: number; from: number; bytes: number } => ({ name: elf.readUInt32LE(table + k * size), from: Number(elf.readBigUInt64LE(table + k * size + 24)), bytes: Number(elf.readBigUInt64LE(table + k * size + 32)) });
  const words = section(names).from;
  return new Map(Array.from({ length: count }, (_, k) => section(k)).flatMap(({ name, from, bytes }) => {
    const text = elf.toString('latin1', words + name, elf.indexOf(0, words + name));
    if (!text.startsWith('.text.')) return [];
    const found = new Map<number, number>();
    for (let at = from; at < from + bytes; at += 16) found.set(elf.readUInt16LE(at) & 0xfff, (found.get(elf.readUInt16LE(at) & 0xfff) ?? 0) + 1);
    return [[text.slice('.text.'.length), found] as const];
  }));
}
async function run(source: string, flags: readonly string[]): Promise<{ words: string; output: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'ssmc-nvcc-'));
  try {
    const [input, output] = [join(folder, 'model.cu'), join(folder, 'made')];
    writeFileSync(input, source);
    const words = await new Promise<string>((resolve, reject) => {
      const child = spawn('nvcc', [...options, ...flags, '-o', output, input], { stdio: ['ignore', 'pipe', 'pipe'] });
      let all = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (d: Buffer) => { all += d.toString(); });
      child.on('close', (code) => (code === 0 ? resolve(all) : reject(new Error(all.slice(0, 4000)))));
    });
    return { words, output: readFileSync(output, 'latin1') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of the innermost loop of a kernel that takes most exponentials: a scan's step. */
export interface StepCounts {
  readonly instructions: number;
  /** Powers of two made from bits: one for each exponential. */
  readonly exponentials: number;
  /** Bytes that a thread reads from global memory and writes to it. */
  readonly globalBytes: number;
  /** Of one asynchronous copy, anywhere in the kernel: the largest. */
  readonly copies: number;
  /** Loads of shared memory by how many numbers they bring. */
  readonly sharedLoads: Readonly<Record<string, number>>;
}
/** Reads and writes of a kernel's text by how many numbers of 32 bits each moves, and asynchronous copies by theirs. */
export function accesses(text: string, kernel: string): { readonly loads: string; readonly stores: string; readonly shared: string; readonly copies: string } {
  const body = bodyOf(text, kernel);
  const count = (pattern: RegExp): string => {
    const found = new Map<number, number>();
    for (const [, width = '1'] of body.matchAll(pattern)) found.set(Number(width), (found.get(Number(width)) ?? 0) + 1);
    return [...found].sort(([a], [b]) => b - a).map(([width, n]) => `${n} of ${width}`).join(', ') || 'none';
  };
  return {
    loads: count(/\bld\.global(?:\.nc)?(?:\.v(\d))?\.[fubs]32/g), stores: count(/\bst\.global(?:\.v(\d))?\.[fubs]32/g), shared: count(/\bld\.shared(?:\.v(\d))?\.[fubs]32/g),
    copies: count(/cp\.async\.\w+\.shared\.global \[[^\]]+\], \[[^\]]+\], (\d+)/g),
  };
}
const bodyOf = (text: string, kernel: string): string => new RegExp(`\\.entry ${kernel}\\([\\s\\S]*?\\n}`).exec(text)?.[0] ?? '';
export function stepCounts(text: string, kernel: string): StepCounts {
  const body = bodyOf(text, kernel);
  const lines = body.split('\n').map((l) => l.trim());
  const labels = new Map(lines.flatMap((l, k) => (/^\$\w+:$/.test(l) ? [[l.slice(0, -1), k] as const] : [])));
  const loops = lines.flatMap((l, k): (readonly [from: number, to: number])[] => {
    const from = labels.get(/\bbra(?:\.uni)? \t?(\$\w+);/.exec(l)?.[1] ?? '') ?? k;
    return from < k ? [[from, k]] : [];
  });
  const inner = loops.filter(([from, to]) => !loops.some(([f, t]) => (f > from && t <= to) || (f >= from && t < to)));
  // The states' loop is the one that takes most exponentials; what is put off to the end of a tile stands in another.
  const exponentials = ([from, to]: readonly [from: number, to: number]): number => lines.slice(from, to).filter((l) => /\bshl\.b32\s.*, 23;/.test(l)).length;
  const [from, to] = inner.reduce((best, l) => (exponentials(l) > exponentials(best) ? l : best), [0, 0] as const);
  const loop = lines.slice(from, to).filter((l) => /^(@!?%p\d+ )?[a-z]/.test(l));
  const width = (l: string): number => Number(/\.v(\d)\./.exec(l)?.[1] ?? 1);
  const bytes = (list: readonly string[]): number => list.reduce((n, l) => n + (width(l) * Number(/\.[fubs](\d+)\s/.exec(l)?.[1] ?? 32)) / 8, 0);
  const sharedLoads: Record<string, number> = {};
  for (const l of loop) if (/\bld\.shared/.test(l)) sharedLoads[width(l)] = (sharedLoads[width(l)] ?? 0) + 1;
  return {
    instructions: loop.length, sharedLoads, copies: Math.max(0, ...[...body.matchAll(/cp\.async\.\w+\.shared\.global \[[^\]]+\], \[[^\]]+\], (\d+)/g)].map((m) => Number(m[1]))), exponentials: exponentials([from, to]),
    globalBytes: bytes(loop.filter((l) => /\b(ld|st)\.global/.test(l))),
  };
}
