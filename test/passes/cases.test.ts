import { describe, expect, it } from 'vitest';
import { passes } from '../../src/compile.js';
import { Diagnostics } from '../../src/diagnostics/diagnostic.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { initialise } from '../../src/interpreter/initialise.js';
import type { Builder } from '../../src/ir/builder.js';
import { printProgram } from '../../src/ir/print-program.js';
import { printStages } from '../../src/ir/print-stages.js';
import type { Program } from '../../src/ir/program.js';
import { verifyProgram } from '../../src/ir/verify-program.js';
import { chooseStrategies } from '../../src/passes/choose-strategy.js';
import { wasm } from '../../targets/wasm/index.js';
import { fuse } from '../../src/passes/fuse.js';
import { withoutInitialisers } from '../../src/passes/pass.js';
import { normwise } from '../../src/cli/tensors.js';
import { compileText, randomInputs } from '../random/agree.js';
import { randomSpec } from '../random/generate.js';
import { readCases, writeCases, type Case } from './cases.js';

const named = new Map(passes.map((p) => [p.name, p]));

interface Outcome {
  readonly text: string;
  readonly again: string;
  /** As it was checked. */
  readonly program: Program;
  readonly before: Program;
  readonly after: Program;
}
function outcome(c: Case): Outcome {
  const { program, builder, diagnostics } = compileText(`model M {\n${c.before}}\n`);
  if (!program) throw new Error(diagnostics.map((d) => `${d.code} ${d.text}`).join('\n'));
  let before = withoutInitialisers(program, builder);
  for (const name of c.passes.slice(0, -1)) before = runPass(name, before, builder);
  const last = c.passes.at(-1) ?? '';
  if (last === 'fuse' || last === 'strategies') {
    const fused = fuse(before, builder);
    const graph = last === 'fuse' ? fused : chooseStrategies(fused, wasm.caps, builder, 'auto', new Diagnostics());
    verifyProgram(graph.program);
    const text = printStages(graph);
    return { text, again: text, program, before, after: graph.program };
  }
  const after = runPass(last, before, builder);
  const show = (x: Program, y: Program): string => (printProgram(x) === printProgram(y) ? 'unchanged\n' : printProgram(y));
  return { text: show(before, after), again: show(after, runPass(last, after, builder)), program, before, after };
}
function runPass(name: string, program: Program, builder: Builder): Program {
  const pass = named.get(name);
  if (!pass) throw new Error(`no pass ${name}`);
  const result = pass.run(program, builder);
  verifyProgram(result);
  return result;
}
/** The largest normwise difference between the outputs of two programs on the same inputs, with weights as the checked program says. */
function difference(checked: Program, x: Program, y: Program, seed: number): number {
  const weights = initialise(checked, seed);
  const inputs = randomInputs(x, 2, 5, seed);
  const lengths = [5, 3];
  const a = interpret(x, weights, inputs, { lengths }).outputs;
  const b = interpret(y, weights, inputs, { lengths }).outputs;
  return Math.max(0, ...[...a].map(([name, t]) => {
    const other = b.get(name);
    if (!other) throw new Error(`no output ${name}`);
    if (t.data.every((v) => Math.abs(v) < 1e-12)) return Math.max(...other.data.map(Math.abs));
    return normwise(Float64Array.from(other.data) as never, t.data);
  }));
}

const cases = readCases();
const results = new Map<Case, string>();
describe('cases of passes', () => {
  for (const c of cases) {
    it(`${c.passes.at(-1)}: ${c.title}`, () => {
      const { text, again, program, before, after } = outcome(c);
      results.set(c, text);
      for (const seed of [1, 2]) expect(difference(program, before, after, seed)).toBeLessThan(1e-12);
      if (!process.env['UPDATE']) expect(text.trimEnd()).toBe(c.after.trimEnd());
      // A second run changes nothing.
      if (!['fuse', 'strategies'].includes(c.passes.at(-1) ?? '')) expect(again).toBe('unchanged\n');
    });
  }
  it('there is a case of every pass that fires, and one that does not', () => {
    if (process.env['UPDATE']) { writeCases(cases, results); return; }
    for (const pass of passes) {
      const own = cases.filter((c) => c.passes.at(-1) === pass.name);
      expect(own.filter((c) => c.after.trim() !== 'unchanged').length, pass.name).toBeGreaterThan(0);
      expect(own.filter((c) => c.after.trim() === 'unchanged').length, pass.name).toBeGreaterThan(0);
    }
  });
});

describe('every pass keeps the meaning', () => {
  const count = Math.min(300, Number(process.env['COUNT'] ?? 300));
  it(`${count} random programs`, () => {
    const failures: string[] = [];
    for (let seed = 0; seed < count; seed++) {
      const { text } = randomSpec(seed);
      const { program: first, builder } = compileText(text);
      if (!first) throw new Error(`seed ${seed} is not valid`);
      let program = withoutInitialisers(first, builder);
      for (const pass of passes) {
        const next = pass.run(program, builder);
        verifyProgram(next);
        if (next !== program) {
          const error = difference(first, program, next, seed);
          if (!(error < 1e-9)) failures.push(`seed ${seed}, ${pass.name}: ${error}\n${text}`);
        }
        program = next;
      }
      const error = difference(first, first, fuse(program, builder).program, seed);
      if (!(error < 1e-9)) failures.push(`seed ${seed}, in all: ${error}\n${text}`);
    }
    expect(failures.join('\n')).toBe('');
  }, 600_000);
});
