/** The source that ships, by the real NVRTC through the addon: what a machine with a GPU and without nvcc does when a model is loaded. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openSpec } from '../../src/cli/io.js';
import { compile } from '../../src/compile.js';
import type { Native } from '../../src/runtime/cuda/native.js';
import { options } from '../../targets/cuda/index.js';
import { compileText } from '../random/agree.js';
import { randomSpec } from '../random/generate.js';
import { missing, root, tools } from './driver/tools.js';
import { kernelsOf } from './library.js';
import { ptx, version } from './nvcc.js';
import { nvrtc } from './nvrtc.js';

const specs = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ssm')).sort();
const io = { out: () => undefined, err: () => undefined, cwd: root, colour: false, terminal: false };
const count = Math.min(20, Number(process.env['COUNT'] ?? 20));
function sourceOf(spec: string, storage: 'f32' | 'f16' | 'bf16'): string {
  const opened = openSpec(join('examples', spec), io);
  return compile(opened.entry, opened.host, { specHash: '', cuda: true, storage }).module?.cuda?.source ?? '';
}

/** Of each kernel of PTX its floating-point instructions, how often each stands there. */
function arithmetic(text: string): Map<string, Record<string, number>> {
  return new Map(text.split(/^\.visible \.entry /m).slice(1).map((body) => {
    const counts: Record<string, number> = {};
    for (const [, name] of body.matchAll(/^\s*(?:@!?%p\d+\s+)?((?:add|sub|mul|fma|div|sqrt|rcp|ex2|lg2|min|max|cvt)\.[\w.]*(?:f16|bf16|f32)[\w.]*)\s/gm)) counts[name as string] = (counts[name as string] ?? 0) + 1;
    return [/^\w+/.exec(body)?.[0] ?? '', counts];
  }));
}

const absent = missing ?? (nvrtc === undefined ? 'libnvrtc here: SSMC_NVRTC names it' : undefined);
describe.skipIf(absent !== undefined)(`NVRTC${absent === undefined ? `, ${nvrtc ?? ''}` : ` (skipped: there is no ${absent})`}`, () => {
  let native: Native;
  beforeAll(async () => {
    ({ native } = await tools());
  }, 120_000);
  const made = (source: string, capability: number): Promise<Uint8Array> => native.compile([nvrtc ?? ''], source, options, capability);
  /** What is no machine code for the chip, or lacks a kernel. */
  const faults = async (source: string): Promise<string[]> => {
    const text = Buffer.from(await made(source, 90)).toString('latin1');
    return [...(text.startsWith('\x7fELF') ? [] : ['no machine code']), ...kernelsOf(source).filter((k) => !text.includes(`.text.${k}\0`))];
  };

  it.each(specs)('makes machine code of every kernel of %s, for sm_90', async (spec) => {
    const source = sourceOf(spec, 'f32');
    expect(kernelsOf(source).length).toBeGreaterThan(0);
    expect(await faults(source)).toEqual([]);
  }, 120_000);
  it.each(['f16', 'bf16'] as const)('of kernels that store %s', async (storage) => {
    expect(await faults(sourceOf('coupled-mamba/mosei.ssm', storage))).toEqual([]);
    expect(await faults(sourceOf('s4d/s4d.ssm', storage))).toEqual([]);
  }, 120_000);
  it(`of ${count} random programs`, async () => {
    for (let s = 0; s < count; s++) expect([s, await faults(compileText(randomSpec(s).text, 'auto', { cuda: true }).module?.cuda?.source ?? '')]).toEqual([s, []]);
  }, 600_000);
  it('gives PTX for a chip that it does not know, with the arithmetic of nvcc\'s where both are of one release', async () => {
    const source = sourceOf('coupled-mamba/mosei.ssm', 'f32');
    const text = Buffer.from(await made(source, 91)).toString('latin1');
    expect(text).toMatch(/^\.target sm_90$/m);
    const releaseOf = (t: string): string | undefined => /Cuda compilation tools, release ([\d.]+)/.exec(t)?.[1];
    if (version === undefined || version !== releaseOf(text)) return;
    // Addresses of shared memory have 32 bits in one and 64 in the other. What is rounded, and what is fused, is the same.
    const own = arithmetic(text);
    expect(own.size).toBe(kernelsOf(source).length);
    expect(own).toEqual(arithmetic(await ptx(source, 'sm_90')));
  }, 120_000);
  it('refuses with its own words what is no CUDA', async () => {
    await expect(made('extern "C" __global__ void f(int n) { nothing(n); }', 90)).rejects.toMatchObject({ kind: 'no-kernels', message: expect.stringContaining('model.cu(1): error: identifier "nothing" is undefined') as string });
  });
});
