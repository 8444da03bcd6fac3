/** The CUDA source of every example on the CPU, against the interpreter. */
import { readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSpec } from '../../src/cli/io.js';
import { normwise } from '../../src/cli/tensors.js';
import { compile } from '../../src/compile.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { randomInputs } from '../random/agree.js';
import { emulate } from './emulate.js';
import { buildLibrary, missing } from './library.js';

const root = join(import.meta.dirname, '../..');
const specs = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ssm')).sort();
const io = { out: () => undefined, err: () => undefined, cwd: root, colour: false, terminal: false };
/** One-step sequences where the paper has them. */
const steps: Readonly<Record<string, number>> = { 'coupled-mamba/brca.ssm': 1, 'coupled-mamba/mmimdb.ssm': 1 };

describe.skipIf(missing !== undefined)(`the CUDA source on the CPU${missing === undefined ? '' : ` (skipped: there is no ${missing})`}`, () => {
  it.each(specs)('%s', async (spec) => {
    const opened = openSpec(join('examples', spec), io);
    const { module, program } = compile(opened.entry, opened.host, { specHash: '', cuda: true });
    if (!module?.cuda || !program) throw new Error('no kernels for CUDA');
    const weights = new Map([...initialise(program, 0)].map(([n, t]) => [n, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }]));
    const inputs = randomInputs(program, 2, steps[spec] ?? 6, 1);
    const library = await buildLibrary([{ prefix: 'm_', source: module.cuda.source }]);
    try {
      const got = await emulate(library, 'm_', module.cuda, { weights, inputs, tile: 4 });
      for (const [name, t] of interpret(program, weights, inputs, {}).outputs) expect(normwise(got.get(name)?.data ?? [], t.data), name).toBeLessThan(1e-5);
    } finally {
      rmSync(dirname(library), { recursive: true, force: true });
    }
  }, 600_000);
});
