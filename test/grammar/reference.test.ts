import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { disagreements } from '../random/agree.js';

const text = readFileSync(new URL('../../grammar/README.md', import.meta.url), 'utf8');
const examples = [...text.matchAll(/```ssm\n([\s\S]*?)```/g)].map((m) => m[1] as string);

describe('the language reference', () => {
  it('has examples', () => expect(examples.length).toBeGreaterThan(7));
  it.each(examples.map((e) => [/model (\w+)/.exec(e)?.[1] ?? '', e] as const))('%s compiles, and wasm agrees with the interpreter', async (_, spec) => {
    const { found, strategies } = await disagreements(spec, 1);
    expect(found).toEqual([]);
    expect(strategies.length).toBeGreaterThan(3);
  });
});
