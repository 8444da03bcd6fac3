/** `ssmc explain`: what the compiler did, and what it costs. */
import { explain } from '../explain/explain.js';
import { explainGpu } from '../explain/gpu.js';
import { recurrenceReports, recurrenceText } from '../explain/recurrences.js';
import { machines } from '../explain/roofline.js';
import { printKernel } from '../ir/print-kernel.js';
import { printProgram } from '../ir/print-program.js';
import { printStages } from '../ir/print-stages.js';
import { build } from './build.js';
import { help, json, model, storage, storedOf, strategy, weights, type Command } from './command.js';
import { writePage } from './explain-page.js';
import { explanationText, gpuText } from './explain-text.js';
import { UsageError } from './io.js';
import { stabilityJson, stabilityText } from '../explain/stability.js';

export const explainCommand: Command = {
  name: 'explain', usage: 'explain SPEC [--html FILE]',
  help: 'Shows the stages, what each moves and computes, how each recurrence is run and why, and what is proved about stability.',
  options: {
    after: { type: 'string', multiple: true, value: 'PASS', help: 'print the program after this pass (`check` is before the first)' },
    target: { type: 'string', value: 'NAME', help: 'wasm (default), or wgsl or cuda: dispatches, bytes and barriers of each kernel on WebGPU or CUDA', choices: ['wasm', 'wgsl', 'cuda'] },
    kernels: { type: 'boolean', help: 'print the kernels; with --target wgsl or cuda also their source' },
    html: { type: 'string', value: 'FILE', help: 'write a page that shows all of it, with the source beside what each pass made of it' },
    run: { type: 'boolean', help: 'with --html: also run the model on WebAssembly here, and show how long each stage takes' },
    machine: { type: 'string', value: 'NAME', help: `whose roofline the page shows: ${machines.map((m) => m.name).join(', ')} (default: core, with --target wgsl laptop)`, choices: machines.map((m) => m.name) },
    batch: { type: 'string', value: 'N', help: 'for the figures (default 1)' },
    length: { type: 'string', value: 'N', help: 'for the figures (default 1024)' },
    weights, strategy, storage, model, json, help,
  },
  run: async (args, io) => {
    const wanted = args.texts('after');
    const texts: { name: string; why: string; text: string; changed: boolean }[] = [];
    let before = '';
    const figures = { batch: args.count('batch', 1), length: args.count('length', 1024) };
    const target = args.text('target');
    const onGpu = target === 'wgsl';
    const stored = storedOf(args);
    if (stored && target !== 'wgsl' && target !== 'cuda') throw new UsageError(`--storage ${stored} is for --target wgsl or cuda`);
    const html = args.text('html');
    if (html !== undefined && target === 'cuda') throw new UsageError('--html shows WebAssembly or WebGPU: leave out --target cuda');
    if (args.flag('run') && (html === undefined || onGpu)) throw new UsageError(html === undefined ? '--run is for --html FILE' : '--run measures WebAssembly: leave out --target wgsl');
    if (args.text('machine') !== undefined && html === undefined) throw new UsageError('--machine is for --html FILE');
    const built = build(args, io, { quiet: true, bounds: true, webgpu: onGpu, cuda: target === 'cuda', onPass: (name, why, program) => {
      const text = printProgram(program);
      texts.push({ name, why, text, changed: text !== before });
      before = text;
    } });
    if (!built) return 1;
    const { webgpu, cuda } = built.module;
    const gpu = webgpu ?? cuda;
    const { graph, kernels: emitted } = gpu ?? built.module;
    const bare = { ...graph, stages: graph.stages.map(({ strategy: _, ...s }) => s) };
    const add = (name: string, why: string, text: string): void => { texts.push({ name, why, text, changed: true }); };
    add('fuse', 'stages: what is computed together, in one pass over memory', printStages(bare));
    add('strategies', 'how each recurrence is run', printStages(graph));
    const shown = wanted.map((w) => {
      const found = texts.find((t) => t.name === w);
      if (!found) throw new UsageError(`there is no pass \`${w}\`: ${[...new Set(texts.map((t) => t.name))].join(', ')}`);
      return found;
    });
    const kernels = args.flag('kernels') ? emitted.map(printKernel) : [];
    const code = args.flag('kernels') ? (webgpu?.wgsl ?? cuda?.source) : undefined;
    if (wanted.length > 0 || args.flag('kernels')) {
      if (args.flag('json')) io.out(`${JSON.stringify({ passes: shown, kernels, ...(webgpu && code !== undefined ? { wgsl: code } : cuda && code !== undefined ? { cuda: code } : {}) })}\n`);
      else {
        for (const p of shown) io.out(`after ${p.name}: ${p.why}\n${p.changed ? p.text : 'unchanged\n'}\n`);
        for (const k of kernels) io.out(`${k}\n`);
        if (code !== undefined) io.out(code);
      }
      return 0;
    }
    const recurrences = recurrenceReports(built.module.recurrences, built.compilation.builder);
    if (html !== undefined) return writePage(html, built, args, io, { ...figures, recurrences, representations: texts });
    const e = gpu ? explainGpu(gpu, figures) : explain(built.module, figures);
    if (args.flag('json')) io.out(`${JSON.stringify({ ...e, recurrences, stability: built.module.stability.map(stabilityJson), passes: texts.map((t) => ({ name: t.name, changed: t.changed })) })}\n`);
    else {
      io.out('slices' in e ? gpuText(e) : explanationText(e));
      for (const r of recurrences) io.out(`${recurrenceText(r).join('\n')}\n\n`);
      for (const s of built.module.stability) io.out(`stability  ${stabilityText(s)}\n`);
      io.out(`passes     ${texts.slice(1).map((t) => `${t.name}${t.changed ? '' : ' (unchanged)'}`).join(', ')}\n`);
    }
    return 0;
  },
};
