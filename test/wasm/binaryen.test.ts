/** Every emitted module is valid to another implementation of the format, and its optimiser finds little left to do. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import binaryen from 'binaryen';
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/compile.js';
import { compileText, std } from '../random/agree.js';
import { randomSpec } from '../random/generate.js';

const root = join(import.meta.dirname, '../../examples');
const examples = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ssm')).toSorted();
/** Share of the code that -O3 may find superfluous. Measured: 10 to 13 %, 20 to 24 % where most of it runs once, at load: locals that could share a number, mostly. */
const LEFT = 0.25;

function modules(file: string): Uint8Array[] {
  const read = (p: string): string | undefined => { try { return readFileSync(join(root, p), 'utf8'); } catch { return undefined; } };
  const { module, diagnostics } = compile(file, { std, read }, { specHash: '', relaxed: true });
  if (!module) throw new Error(diagnostics.map((d) => d.text).join('\n'));
  return [module.wasm, ...(module.relaxed ? [module.relaxed] : [])];
}
function parsed(bytes: Uint8Array): binaryen.Module {
  const m = binaryen.readBinary(bytes);
  m.setFeatures(binaryen.Features.SIMD128 | binaryen.Features.RelaxedSIMD | binaryen.Features.MutableGlobals);
  return m;
}

describe('binaryen', () => {
  it.each(examples)('validates %s, plain and relaxed, and makes it little smaller', (file) => {
    for (const bytes of modules(file)) {
      const m = parsed(bytes);
      expect(m.validate()).toBe(1);
      // Its own encoding first: names and the order of sections are no merit of the optimiser.
      const before = m.emitBinary().length;
      binaryen.setOptimizeLevel(3);
      binaryen.setShrinkLevel(0);
      m.optimize();
      const after = m.emitBinary().length;
      m.dispose();
      console.log(`${file}: ${bytes.length} bytes, ${before} as binaryen writes them, ${after} after -O3: ${(100 * (1 - after / before)).toFixed(1)} % less`);
      expect(1 - after / before).toBeLessThan(LEFT);
    }
  }, 120_000);
  it('validates the modules of 200 random programs', () => {
    for (let seed = 0; seed < 200; seed++) {
      const { module } = compileText(randomSpec(seed).text);
      if (!module) throw new Error(`seed ${seed} does not compile`);
      const m = parsed(module.wasm);
      expect(m.validate(), `seed ${seed}`).toBe(1);
      m.dispose();
    }
  }, 300_000);
});
