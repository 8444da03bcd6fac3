import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { selectiveSpec } from '../../src/bench/scan/ours.js';
import { openSpec } from '../../src/cli/io.js';
import { compile } from '../../src/compile.js';
import type { Grid } from '../../src/ir/kernel.js';
import { compileText } from '../random/agree.js';
import { randomSpec } from '../random/generate.js';
import { kernelsOf, together, type Unit } from './library.js';
import { accesses, ptx, stepCounts, usage, version, type StepCounts, type Usage } from './nvcc.js';

const root = join(import.meta.dirname, '../..');
const specs = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ssm')).sort();
const io = { out: () => undefined, err: () => undefined, cwd: root, colour: false, terminal: false };
const count = Number(process.env['COUNT'] ?? 100);
const known = '13.0';

function sourceOf(spec: string): string {
  const opened = openSpec(join('examples', spec), io);
  return compile(opened.entry, opened.host, { specHash: '', cuda: true }).module?.cuda?.source ?? '';
}
const kernelCount = (units: readonly Unit[]): number => units.reduce((n, u) => n + kernelsOf(u.source).length, 0);

describe.skipIf(version === undefined)(`nvcc${version === undefined ? ' (skipped: it is not on the path)' : ''}`, () => {
  it.each(['sm_80', 'sm_90', 'sm_100'])('takes every kernel of every example for %s, without a warning', async (arch) => {
    const units = specs.map((spec, k): Unit => ({ prefix: `e${k}_`, source: sourceOf(spec) }));
    const made = await usage(together(units), arch);
    expect(made.size).toBe(kernelCount(units));
    expect(made.size).toBeGreaterThan(100);
    expect([...made].filter(([, u]) => u.spills > 0).map(([name]) => name)).toEqual([]);
  }, 600_000);
  it(`takes every kernel of ${count} random programs for sm_90, without a warning`, async () => {
    const units = Array.from({ length: count }, (_, s) => (['auto', 'serial'] as const).flatMap((strategy): Unit[] => {
      const { module } = compileText(randomSpec(s).text, strategy, { cuda: true });
      return module?.cuda ? [{ prefix: `s${s}${strategy === 'auto' ? '' : 's'}_`, source: module.cuda.source }] : [];
    })).flat();
    expect(units.length).toBeGreaterThanOrEqual(count);
    const share = Math.ceil(units.length / 4);
    for (let k = 0; k < units.length; k += share) {
      const mine = units.slice(k, k + share);
      expect((await usage(together(mine), 'sm_90')).size).toBe(kernelCount(mine));
    }
  }, 1_200_000);
  it('refuses what is no CUDA', async () => {
    await expect(usage('extern "C" __global__ void f(int n) { int unused; }', 'sm_90')).rejects.toThrow(/unused/);
  }, 120_000);
});

/** The coupled selective scan: what its kernel takes of an H100's multiprocessor, and what a step of one thread does, in a table. */
const alone = (states: number, modalities: number): readonly [name: string, text: string, each: number] =>
  [`N=${states}, M=${modalities}`, selectiveSpec({ steps: 512, channels: 256, states, modalities }), states * modalities];
/** A dense transition: no exponential, and rows of the matrix in registers. */
const dense = (states: number): readonly [name: string, text: string, each: number] =>
  [`LSSL, N=${states}`, `import LSSL from "std"\nmodel L {\n  axis c = 64\n  input x[t, c]\n  output y = LSSL(x, state = ${states})\n}\n`, 0];
/** By themselves, and in the paper's model, whose B and C are parts of a longer row. */
const selective = [alone(16, 3), alone(16, 1), alone(64, 1), alone(64, 3), ['mosei', readFileSync(join(root, 'examples/coupled-mamba/mosei.ssm'), 'utf8'), 64 * 3] as const];
/** A dense transition of so many states has no chunks. */
const scans = [...[...selective, dense(32), dense(64)].map((s) => ['serial', s] as const), ...selective.map((s) => ['chunked', s] as const)];

describe.skipIf(version === undefined)(`the scan's kernel${version === undefined ? ' (skipped: nvcc is not on the path)' : ''}`, () => {
  const table = join(import.meta.dirname, 'scan.txt');
  const row = (name: string, u: Usage, s: StepCounts, lanes: number, each: number): string => [
    name, `${lanes} lanes a point`, `${u.registers} registers`, `${u.shared} bytes shared`, `${s.instructions} PTX instructions a step`,
    ...(each === 0 ? [] : [`${(s.exponentials * lanes) / each} exponentials a modality, step, channel and state`]),
    `${s.globalBytes} global bytes a step and thread`, `copies of ${s.copies} bytes`, `shared loads: ${Object.entries(s.sharedLoads).map(([w, n]) => `${n} of ${w}`).join(', ') || 'none'}`,
  ].join('; ');
  // All that run in chunks have 256 points.
  const lanesOf = ({ threads, groups }: Grid): number => (groups.of === 'T' ? (threads * groups.times) / 256 : threads / groups.per);
  it('spills nothing, and takes what the table says', async () => {
    const rows: string[] = [];
    for (const [strategy, [name, text, each]] of scans) {
      const made = compileText(text, strategy, { cuda: true }).module?.cuda;
      if (!made) throw new Error('no kernels for CUDA');
      const scan = [...made.schedule.kernelsOf].find(([stage]) => stage.anchor === 'scan')?.[1] ?? [];
      const [all, code] = [await usage(made.source, 'sm_90'), await ptx(made.source, 'sm_90')];
      // Of chunks the summary and the second pass; from chunk to chunk there is nothing to count.
      const parts = strategy === 'serial' ? [[name, scan[0]] as const] : [[`${name}, summary`, scan[0]] as const, [`${name}, second pass`, scan[2]] as const];
      for (const [part, kernel] of parts) {
        const taken = all.get(kernel?.name ?? '');
        if (!kernel?.grid || !taken) throw new Error('nvcc made no kernel of the scan');
        expect([part, taken.spills, taken.stack]).toEqual([part, 0, 0]);
        rows.push(row(part, taken, stepCounts(code, kernel.name), lanesOf(kernel.grid), each));
      }
    }
    const text = `nvcc ${known}, sm_90\n${rows.join('\n')}\n`;
    if (process.env['UPDATE'] !== undefined) writeFileSync(table, text);
    // Other versions of nvcc give registers away otherwise.
    if (version === known) expect(text).toBe(readFileSync(table, 'utf8'));
  }, 600_000);
});

/** The kernels of one layer of the paper's model: how wide what they move is. */
describe.skipIf(version === undefined)(`the kernels of a layer${version === undefined ? ' (skipped: nvcc is not on the path)' : ''}`, () => {
  const table = join(import.meta.dirname, 'layer.txt');
  it('spill nothing, and take what the table says', async () => {
    const source = sourceOf('coupled-mamba/mosei.ssm');
    const [taken, text] = [await usage(source, 'sm_90'), await ptx(source, 'sm_90')];
    const kernels = kernelsOf(source).filter((k) => /_(?:embed|layers_0)_/.test(k));
    expect(kernels.map((k) => taken.get(k)?.spills)).toEqual(kernels.map(() => 0));
    const rows = kernels.map((k) => {
      const { loads, stores, shared, copies } = accesses(text, k);
      const u = taken.get(k) as Usage;
      return [k.replace(/^k\d+_/, ''), `${u.registers} registers`, `${u.shared} bytes shared`, `global loads: ${loads}`, `stores: ${stores}`, `shared loads: ${shared}`, `copies by bytes: ${copies}`].join('; ');
    });
    const made = `nvcc ${known}, sm_90\n${rows.join('\n')}\n`;
    if (process.env['UPDATE'] !== undefined) writeFileSync(table, made);
    if (version === known) expect(made).toBe(readFileSync(table, 'utf8'));
  }, 600_000);
});
