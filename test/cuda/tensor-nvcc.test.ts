/** Products of tiles by NVIDIA's compiler: what their kernels take of a chip, and that the machine code has the operations of tensor cores. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSpec } from '../../src/cli/io.js';
import { compile } from '../../src/compile.js';
import { groupMemoryBytes } from '../../src/ir/kernel.js';
import { visitStmts } from '../../src/ir/map-kernel.js';
import { operations, ptx, usage, version } from './nvcc.js';

const root = join(import.meta.dirname, '../..');
const io = { out: () => undefined, err: () => undefined, cwd: root, colour: false, terminal: false };
const known = '13.0';
/** Operations as compute capability 8.0 and later encode them: HMMA, LDSM, LDGSTS. */
const [MULTIPLY, LOAD_TILE, COPY] = [0x23c, 0x83b, 0xfae] as const;

describe.skipIf(version === undefined)(`products of tiles${version === undefined ? ' (skipped: nvcc is not on the path)' : ''}`, () => {
  // Of both types the machine code is the same but for what it multiplies.
  it.each([['f16', ['sm_80', 'sm_90', 'sm_100']], ['bf16', ['sm_80']]] as const)('of mosei, stored as %s: no warning, no spills, what the table says', async (storage, archs) => {
    const table = join(import.meta.dirname, 'tensor.txt');
    const opened = openSpec('examples/coupled-mamba/mosei.ssm', io);
    const made = compile(opened.entry, opened.host, { specHash: '', cuda: true, storage }).module?.cuda;
    if (!made) throw new Error('no kernels for CUDA');
    const multiplies = (k: (typeof made.kernels)[number]): boolean => { let found = false; visitStmts(k.body, (s) => { found ||= s.kind === 'multiply'; }); return found; };
    const entries = new Set(Object.values(made.manifest.gpu?.entries ?? {}).map((e) => e.entry));
    const kernels = made.kernels.filter((k) => multiplies(k) && entries.has(k.name));
    expect(kernels.length).toBeGreaterThan(4);
    const rows: string[] = [];
    for (const arch of archs) {
      const [taken, code, text] = [await usage(made.source, arch), await operations(made.source, arch), await ptx(made.source, arch)];
      for (const kernel of kernels) {
        const u = taken.get(kernel.name);
        const ops = code.get(kernel.name);
        const body = new RegExp(`\\.entry ${kernel.name}\\([\\s\\S]*?\\n}`).exec(text)?.[0] ?? '';
        const products = body.match(new RegExp(`mma\\.sync\\.aligned\\.m16n8k16\\.row\\.col\\.f32\\.${storage}\\.${storage}\\.f32`, 'g'))?.length ?? 0;
        expect([kernel.name, u?.spills, u?.stack, u?.shared]).toEqual([kernel.name, 0, 0, groupMemoryBytes(kernel)]);
        expect(products).toBeGreaterThanOrEqual(8);
        for (const op of [MULTIPLY, LOAD_TILE, COPY]) expect([kernel.name, arch, op, (ops?.get(op) ?? 0) > 0]).toEqual([kernel.name, arch, op, true]);
        rows.push(`${arch} ${kernel.name}: ${u?.registers} registers, ${u?.shared} bytes shared, ${products} mma.sync in the PTX; ${ops?.get(MULTIPLY)} HMMA, ${ops?.get(LOAD_TILE)} LDSM, ${ops?.get(COPY)} LDGSTS`);
      }
    }
    if (process.env['UPDATE'] !== undefined && storage === 'f16') writeFileSync(table, `nvcc ${known}\n${rows.join('\n')}\n`);
    // Other versions of nvcc give registers away otherwise.
    if (version === known) expect(rows).toEqual(readFileSync(table, 'utf8').trimEnd().split('\n').filter((l) => archs.some((a) => l.startsWith(`${a} `))));
  }, 600_000);
});
