/** Random specs are what they claim to be: valid, and of moderate finite values whatever the lengths. */
import { describe, expect, it } from 'vitest';
import { check } from '../../src/check/index.js';
import { Diagnostics } from '../../src/diagnostics/diagnostic.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { Builder } from '../../src/ir/builder.js';
import { randomInputs, std } from './agree.js';
import { makers } from './equations.js';
import { randomSpec } from './generate.js';
import { stateMakers } from './states.js';

const seed = Number(process.env['SEED'] ?? 0);
const count = Number(process.env['COUNT'] ?? 400);

/** What is wrong with the spec of a seed; nothing, if all is well. */
function faults(s: number): string[] {
  const { text } = randomSpec(s);
  const diagnostics = new Diagnostics();
  const { program } = check('spec.ssm', { std, read: (p) => (p === 'spec.ssm' ? text : undefined) }, new Builder(), diagnostics);
  const found = diagnostics.list.filter((d) => d.severity === 'error').map((d) => `${d.code} ${d.text}`);
  if (!program) return [...found, text];
  const steps = 6 + (s % 20);
  const { outputs } = interpret(program, initialise(program, s), randomInputs(program, 2, steps, s), { lengths: [1 + (s % steps), steps] });
  for (const [name, { data }] of outputs) {
    const wild = data.find((x) => !(Math.abs(x) < 1e4));
    if (wild !== undefined) found.push(`${name} holds ${wild}`, text);
  }
  return found;
}

describe(`random specs, seeds ${seed} to ${seed + count - 1}`, () => {
  it('check without errors and give finite values', () => {
    const failures = Array.from({ length: count }, (_, k) => faults(seed + k).map((f) => `seed ${seed + k}: ${f}`)).flat();
    expect(failures.join('\n')).toBe('');
  }, 120_000);
  it('are the same for the same seed, and differ between seeds', () => {
    expect(randomSpec(seed).text).toBe(randomSpec(seed).text);
    expect(new Set(Array.from({ length: 100 }, (_, k) => randomSpec(seed + k).text)).size).toBe(100);
  });
  it('hold every construct many times over', () => {
    const seen = new Map<string, number>();
    for (let s = seed; s < seed + 2000; s++) for (const f of randomSpec(s).features) seen.set(f, (seen.get(f) ?? 0) + 1);
    if (process.env['FEATURES']) console.log([...seen].toSorted((a, b) => a[1] - b[1]).map(([f, n]) => `${f} ${n}`).join('\n'));
    expect(seen.size).toBeGreaterThan(makers.length + stateMakers.length);
    expect([...seen].filter(([, n]) => n < 8)).toEqual([]);
  });
});
