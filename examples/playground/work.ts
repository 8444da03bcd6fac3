/** The worker's side: check, compile, interpret. Pure but for the last program, which is kept. */
import { compile, type Compilation, type CompiledModule } from '../../src/compile.js';
import type { Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { initialise } from '../../src/interpreter/initialise.js';
import { interpret } from '../../src/interpreter/interpret.js';
import { printKernel } from '../../src/ir/print-kernel.js';
import type { Definition, Program } from '../../src/ir/program.js';
import type { Stage } from '../../src/ir/stages.js';
import { explain, type StageReport } from '../../src/explain/explain.js';
import { stabilityText } from '../../src/explain/stability.js';
import { examples, std } from './files.js';
import { complete, fixesFor, hover, problemsIn } from './service.js';
import type { Built, Kind, Numbers, Problem, Requests, Source, StageView, StateLines } from './protocol.js';

type Handlers = { readonly [K in Kind]: (given: Requests[K]['given']) => Requests[K]['answer'] };
export const handlers: Handlers = {
  check: (source) => problemsOf(problemsIn(source), source),
  complete,
  hover,
  build(source) {
    const made = compile(source.path, hostOf(source), { specHash: '', webgpu: 'where-it-fits' });
    const problems = problemsOf(made.diagnostics, source);
    const { module, program } = made;
    return module && program ? { problems, built: builtOf(module, program, source) } : { problems };
  },
  trace({ weights, inputs, also, ...source }) {
    const { program } = compiled(source);
    if (!program) throw new Error('the spec has errors');
    const states = program.definitions.filter(isState);
    const present = also.filter((name) => program.definitions.some((d) => d.name === name));
    const { traces } = interpret(program, weights, inputs, { trace: [...states.map((d) => d.name), ...present] });
    return { states: states.map((d) => linesOf(d, traces.get(d.name) as Numbers)), also: new Map(present.map((name) => [name, traces.get(name) as Numbers])) };
  },
};

const hostOf = ({ path, text }: Source): { readonly read: (p: string) => string | undefined; readonly std: typeof std } => ({ std, read: (p) => (p === path ? text : examples.get(p)) });
function compiled(source: Source): Compilation {
  return compile(source.path, hostOf(source), { specHash: '' });
}
function problemsOf(list: readonly Diagnostic[], source: Source): Problem[] {
  return list.map((d) => {
    const here = d.span.file === source.path;
    return { code: d.code, severity: d.severity, text: d.text, from: here ? d.span.start : 0, to: here ? d.span.end : 0, ...(here ? {} : { file: d.span.file }), notes: [...d.notes.map((n) => n.text), ...(d.fix ? [`fix: ${d.fix.text}`] : [])], fixes: here ? fixesFor(source, d) : [] };
  });
}
const isState = (d: Definition): boolean => d.kind === 'equation' && d.state !== undefined && d.type === 'real';

function builtOf(module: CompiledModule, program: Program, source: Source): Built {
  const { webgpu } = module;
  return {
    manifest: module.manifest, wasm: module.wasm,
    ...(webgpu ? { webgpu: { plan: { manifest: webgpu.manifest, load: webgpu.load }, wgsl: webgpu.wgsl, variants: webgpu.variants.map(({ features, wgsl }) => ({ features, wgsl })) } } : {}),
    stages: stagesOf(module, source), stability: module.stability.map(stabilityText),
    states: program.definitions.filter(isState).map((d) => ({ name: d.name, labels: labelsOf(d) })),
    initial: new Map([...initialise(program, 0)].map(([name, t]) => [name, { shape: t.shape, data: Float64Array.from(t.data, Math.fround) }])),
  };
}
function stagesOf(module: CompiledModule, source: Source): StageView[] {
  const { graph, kernelOf } = module.webgpu ?? module;
  const reports = new Map(explain(module, { batch: 1, length: 64 }).stages.map((s) => [s.name, s]));
  return graph.stages.filter((s) => s.phase !== 'load').map((s) => {
    const kernel = kernelOf.get(s);
    return {
      name: s.name, anchor: s.anchor, domain: reports.get(s.name)?.domain ?? '', about: aboutOf(reports.get(s.name)), equations: equationsOf(s, graph.program, source),
      wgsl: module.webgpu && kernel ? functionOf(module.webgpu.wgsl, kernel.name) : undefined, kernel: kernel ? printKernel(kernel) : '',
    };
  });
}
function aboutOf(s: StageReport | undefined): string {
  const scans = s?.scans ? `${s.scans.chains === 1 ? 'one chain' : `${s.scans.chains} chains`} in ${s.scans.run === 1 ? 'one scan' : `${s.scans.run} scans`}; ${s.strategy ?? ''}` : '';
  return scans;
}
/** What the stage's definitions were written as; several definitions can come from one equation. */
function equationsOf(stage: Stage, program: Program, source: Source): string[] {
  const texts = stage.items.flatMap((item) => {
    const span = program.definitions[item.def]?.span;
    const text = span && (span.file === source.path ? source.text : (std.get(span.file) ?? examples.get(span.file)));
    return span && text ? [text.slice(span.start, span.end).replace(/^\s+/gm, '  ').trim()] : [];
  });
  return [...new Set(texts)];
}
/** A kernel's entry point in the text of its module. */
function functionOf(wgsl: string, name: string): string | undefined {
  const at = wgsl.indexOf(`fn ${name}(`);
  if (at < 0) return undefined;
  const from = wgsl.lastIndexOf('@compute', at);
  return wgsl.slice(from, wgsl.indexOf('\n}', at) + 2);
}

function labelsOf(d: Definition): readonly string[] {
  return d.indices.find((i) => i.axis.labels)?.axis.labels ?? [];
}
function linesOf(d: Definition, { shape, data }: Numbers): StateLines {
  const labels = labelsOf(d);
  const at = d.indices.findIndex((i) => i.axis.labels);
  const steps = shape[1] ?? 1;
  const sizes = shape.slice(2);
  const inner = sizes.slice(at + 1).reduce((a, b) => a * b, 1);
  const members = at < 0 ? 1 : (sizes[at] as number);
  const perStep = sizes.reduce((a, b) => a * b, 1);
  const lines = Array.from({ length: members }, (_, m) => Array.from({ length: steps }, (_, t) => {
    let sum = 0;
    for (let k = 0; k < perStep; k++) if (at < 0 || Math.floor(k / inner) % members === m) sum += (data[t * perStep + k] as number) ** 2;
    return Math.sqrt((sum * members) / perStep);
  }));
  return { name: d.name, labels: labels.length > 0 ? labels : [d.name], lines };
}
