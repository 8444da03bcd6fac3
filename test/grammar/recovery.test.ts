/** Damaged specs: whatever is cut, doubled or swapped, checking ends, throws nothing, and every diagnostic lies inside its file. */
import { describe, expect, it } from 'vitest';
import { lex } from '../../grammar/tokens.js';
import { check } from '../../src/check/index.js';
import { Diagnostics } from '../../src/diagnostics/diagnostic.js';
import { Random } from '../../src/interpreter/random.js';
import { Builder } from '../../src/ir/builder.js';
import { std } from '../random/agree.js';
import { randomSpec } from '../random/generate.js';

const count = Number(process.env['COUNT'] ?? 1000);
const strays = ['(', ')', '[', ']', '{', '}', '=', '=>', ',', ':', '|', '"', '§', '1e', 'match', 'repeat', 'model', 'block', 'import', 'state', 'axis', 't', '.', '///'];

function damaged(text: string, random: Random): string {
  const spans = lex(text, '').tokens.map((t) => [t.startOffset, (t.endOffset as number) + 1] as const);
  let result = text;
  // From behind, so that earlier places stay what they are.
  const places = Array.from({ length: random.integer(1, 4) }, () => random.integer(0, spans.length - 1)).toSorted((a, b) => b - a);
  for (const place of places) {
    const [start, end] = spans[place] as readonly [number, number];
    const token = text.slice(start, end);
    const into = [() => '', () => `${token} ${token}`, () => `${token} ${strays[random.integer(0, strays.length - 1)] ?? ''}`, () => strays[random.integer(0, strays.length - 1)] ?? ''][random.integer(0, 3)];
    result = result.slice(0, start) + (into?.() ?? '') + result.slice(end);
  }
  return result;
}

describe('recovery', () => {
  const sources = [...std.values()];
  it(`${count} damaged specs`, () => {
    let faulty = 0;
    for (let seed = 0; seed < count; seed++) {
      const random = new Random(seed, 'damage');
      const whole = random.integer(0, 2) === 0 ? sources[random.integer(0, sources.length - 1)] as string : randomSpec(seed).text;
      const text = damaged(whole, random);
      const diagnostics = new Diagnostics();
      try {
        const { program } = check('spec.ssm', { std, read: (p) => (p === 'spec.ssm' ? text : undefined) }, new Builder(), diagnostics);
        expect(program === undefined).toBe(diagnostics.hasErrors);
      } catch (error) {
        throw new Error(`seed ${seed}: ${String(error)}\n${text}`, { cause: error });
      }
      for (const { span } of diagnostics.list) {
        const file = span.file === 'spec.ssm' ? text : std.get(span.file) ?? '';
        expect(span.start >= 0 && span.start <= span.end && span.end <= file.length, `seed ${seed}`).toBe(true);
      }
      if (diagnostics.hasErrors) faulty++;
    }
    expect(faulty).toBeGreaterThan(count / 2);
  });
});
