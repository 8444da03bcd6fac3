import { describe, expect, it } from 'vitest';
import { disagreements } from './agree.js';
import { randomSpec } from './generate.js';

const seed = Number(process.env['SEED'] ?? 0);
const count = Number(process.env['COUNT'] ?? 2000);

describe(`random programs, seeds ${seed} to ${seed + count - 1}, on wasm and the interpreter`, () => {
  const share = 100;
  for (let from = seed; from < seed + count; from += share) {
    it(`seeds ${from} to ${Math.min(from + share, seed + count) - 1}`, async () => {
      const failures: string[] = [];
      let strategies = 0;
      let chunked = 0;
      for (let s = from; s < Math.min(from + share, seed + count); s++) {
        const { text } = randomSpec(s);
        const result = await disagreements(text, s).catch((error: unknown) => error);
        if (result instanceof Error) failures.push(`seed ${s}: ${result.message}\n${text}`);
        else {
          const r = result as Awaited<ReturnType<typeof disagreements>>;
          strategies += r.strategies.length;
          if (r.strategies.includes('chunked')) chunked++;
          if (r.found.length > 0) failures.push(`seed ${s}: ${JSON.stringify(r.found)}\n${text}`);
        }
      }
      expect(failures.join('\n')).toBe('');
      // auto, other tiles, serial and step run of every program, chunks where they are legal.
      expect(chunked).toBeGreaterThan(0.7 * (Math.min(from + share, seed + count) - from));
      expect(strategies).toBeGreaterThanOrEqual(4 * (Math.min(from + share, seed + count) - from));
    }, 600_000);
  }
});
