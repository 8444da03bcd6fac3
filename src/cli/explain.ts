/** `ssmc explain`: what the compiler did, and what it costs. */
import { explain, type Explanation, type StageReport } from '../explain/explain.js';
import { recurrenceReports, recurrenceText } from '../explain/recurrences.js';
import { printKernel } from '../ir/print-kernel.js';
import { printProgram } from '../ir/print-program.js';
import { printStages } from '../ir/print-stages.js';
import { build } from './build.js';
import { help, json, model, strategy, weights, type Command } from './command.js';
import { UsageError } from './io.js';
import { stabilityJson, stabilityText } from './stability.js';

export const explainCommand: Command = {
  name: 'explain', usage: 'explain SPEC',
  help: 'Shows the stages, what each moves and computes, how each recurrence is run and why, and what is proved about stability.',
  options: {
    after: { type: 'string', multiple: true, value: 'PASS', help: 'print the program after this pass (`check` is before the first)' },
    kernels: { type: 'boolean', help: 'print the kernels' },
    batch: { type: 'string', value: 'N', help: 'for the figures (default 1)' },
    length: { type: 'string', value: 'N', help: 'for the figures (default 1024)' },
    weights, strategy, model, json, help,
  },
  run: (args, io) => {
    const wanted = args.texts('after');
    const texts: { name: string; why: string; text: string; changed: boolean }[] = [];
    let before = '';
    const figures = { batch: args.count('batch', 1), length: args.count('length', 1024) };
    const built = build(args, io, { quiet: true, bounds: true, onPass: (name, why, program) => {
      const text = printProgram(program);
      texts.push({ name, why, text, changed: text !== before });
      before = text;
    } });
    if (!built) return 1;
    const { graph } = built.module;
    const bare = { ...graph, stages: graph.stages.map(({ strategy: _, ...s }) => s) };
    const add = (name: string, why: string, text: string): void => { texts.push({ name, why, text, changed: true }); };
    add('fuse', 'stages: what is computed together, in one pass over memory', printStages(bare));
    add('strategies', 'how each recurrence is run', printStages(graph));
    const shown = wanted.map((w) => {
      const found = texts.find((t) => t.name === w);
      if (!found) throw new UsageError(`there is no pass \`${w}\`: ${[...new Set(texts.map((t) => t.name))].join(', ')}`);
      return found;
    });
    const kernels = args.flag('kernels') ? built.module.kernels.map(printKernel) : [];
    if (wanted.length > 0 || args.flag('kernels')) {
      if (args.flag('json')) io.out(`${JSON.stringify({ passes: shown, kernels })}\n`);
      else {
        for (const p of shown) io.out(`after ${p.name}: ${p.why}\n${p.changed ? p.text : 'unchanged\n'}\n`);
        for (const k of kernels) io.out(`${k}\n`);
      }
      return 0;
    }
    const recurrences = recurrenceReports(built.module.recurrences, built.compilation.builder);
    const e = explain(built.module, figures);
    if (args.flag('json')) io.out(`${JSON.stringify({ ...e, recurrences, stability: built.module.stability.map(stabilityJson), passes: texts.map((t) => ({ name: t.name, changed: t.changed })) })}\n`);
    else {
      io.out(explanationText(e));
      for (const r of recurrences) io.out(`${recurrenceText(r).join('\n')}\n\n`);
      for (const s of built.module.stability) io.out(`stability  ${stabilityText(s)}\n`);
      io.out(`passes     ${texts.slice(1).map((t) => `${t.name}${t.changed ? '' : ' (unchanged)'}`).join(', ')}\n`);
    }
    return 0;
  },
};
export function explanationText(e: Explanation): string {
  const lines = [
    `${e.model}: ${e.stages.length} stages in ${e.kernels} kernels, ${e.loadStages} stages at load; ${e.wasmBytes} bytes of WebAssembly`,
    `figures for batch ${e.batch}, length ${e.length}; tiles of ${e.tile} steps`,
    `memory     ${size(e.memory.rows)} activations per tile, ${size(e.memory.carry)} states, ${size(e.memory.constants)} constants`,
    '',
    ...e.stages.flatMap(stageText),
    '',
  ];
  return `${lines.join('\n')}\n`;
}
function stageText(s: StageReport): string[] {
  return [
    `${s.anchor.padEnd(14)} ${s.name}  over ${s.domain}`,
    `  ${size(s.bytes)} moved, at least ${size(s.must)}${s.materialised > s.must ? ` (${size(s.materialised)} with its intermediates in memory)` : ''}; ${count(s.arithmetic)} operations, ${count(s.exponentials)} exponentials`,
    ...(s.scans ? [`  ${s.scans.run === 1 ? 'one scan' : `${s.scans.run} scans`} for ${s.scans.chains === 1 ? 'one chain' : `${s.scans.chains} chains`}; ${s.strategy ?? ''}: ${s.why ?? ''}`] : []),
    ...(s.weighed ?? []).map((o) => `  weighed: ${o.name}${o.possible ? '' : ', not possible'}: ${o.why}`),
  ];
}
function size(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : bytes >= 1e6 ? `${(bytes / 1e6).toFixed(2)} MB` : bytes >= 1e3 ? `${(bytes / 1e3).toFixed(1)} kB` : `${bytes} B`;
}
function count(n: number): string {
  return n >= 1e9 ? `${(n / 1e9).toFixed(2)} G` : n >= 1e6 ? `${(n / 1e6).toFixed(1)} M` : n >= 1e3 ? `${(n / 1e3).toFixed(1)} k` : `${n}`;
}
