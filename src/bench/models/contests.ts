/**
 * Whole models: the trained mex model on one window, and the paper's Figures 3 and 4 again: the MOSEI model by length beside the same
 * model with cross attention, in time and peak memory.
 */
import { loadModel, writeSafetensors, type TensorInput, type TensorTree } from '../../runtime/index.js';
import type { Bench, Contest, Contestant, ContestResult, Figure, FigureSheet, Result } from '../contest.js';
import { Unavailable } from '../contest.js';
import { ownChild, peerSource, PeerProcess, pythonWithTorch, scratchFile } from '../peer-process.js';
import { measure, type RoundOptions } from '../rounds.js';
import { normwiseError } from '../scan/problem.js';
import { mexProblem, moseiProblem, peerInput, randomInputs, type ModelProblem } from './description.js';
import { ortAttention, ortAttentionName } from './ort.js';
import { attentionAnswer, coupledAnswers } from './reference.js';

export const ourName = 'ssmc, wasm simd128, run()';
export const attentionName = 'PyTorch, cross attention';
export const coupledName = 'PyTorch, coupled, best loop';

/** A batch of rows and what some of them must give. */
interface Task {
  readonly problem: ModelProblem;
  readonly batch: number;
  readonly steps: number;
  readonly inputs: readonly Float32Array[];
  readonly expected: Expected;
  /** The same of the model with cross attention. */
  readonly attention: Expected;
}
export type Expected = ReadonlyMap<number, Float64Array>;
/** The rows that have a reference, one after another, against it. */
function errorOf({ problem }: Task, expected: Expected, y: Float32Array): number {
  const { out } = problem.sizes;
  const rows = [...expected.keys()];
  return normwiseError(rows.flatMap((b) => [...y.subarray(b * out, (b + 1) * out)]), rows.flatMap((b) => [...(expected.get(b) as Float64Array)]));
}

function ourModel(task: Task): Contestant {
  return {
    name: ourName,
    prepare: async () => {
      const { manifest, wasm } = task.problem.module;
      const model = await loadModel(manifest, { wasm }, { weights: Object.fromEntries(task.problem.weights) });
      const inputs = modelInputs(task);
      return {
        run: async () => void (await model.run(inputs)),
        error: async () => errorOf(task, task.expected, (Object.values(await model.run(inputs))[0] as { data: Float32Array }).data),
        close: () => model.dispose(),
      };
    },
  };
}
function modelInputs({ problem, inputs, batch, steps }: Task): TensorTree<TensorInput> {
  return Object.fromEntries(problem.sizes.modalities.map(({ name, features }, m) => [name, { data: inputs[m] as Float32Array, shape: [batch, steps, features] }]));
}

function torchPeer(task: Task, kind: 'coupled' | 'attention'): PeerProcess {
  return new PeerProcess(pythonWithTorch(), [peerSource('models.py'), kind], peerInput(task.problem, task.inputs, task.batch, task.steps, kind));
}
function torchModel(task: Task, kind: 'coupled' | 'attention'): Contestant {
  return {
    name: kind === 'coupled' ? coupledName : attentionName,
    prepare: async () => {
      const peer = torchPeer(task, kind);
      return {
        run: () => peer.run(),
        error: async () => {
          await peer.run();
          return errorOf(task, kind === 'coupled' ? task.expected : task.attention, await peer.result());
        },
        close: () => peer.close(),
      };
    },
  };
}

export function modelContest(task: Task): Omit<Contest, 'name' | 'title'> {
  return {
    ours: ourName, goals: [], tolerance: 1e-4,
    contestants: [ourModel(task), ortAttention(task, (y) => errorOf(task, task.attention, y)), torchModel(task, 'attention'), torchModel(task, 'coupled')],
  };
}

const mex: Bench = {
  name: 'model/mex', title: 'examples/mex, one window of 64 frames',
  run: async (options) => {
    const { problem, inputs, logits } = mexProblem();
    const task: Task = { problem, inputs, batch: 1, steps: 64, expected: new Map([[0, logits]]), attention: new Map([[0, attentionAnswer(problem, inputs, 64)]]) };
    const notes = ['ours: run() with its checks and copies, trained weights, held against logits_f64; the attention: the same model with random cross attention in place of the coupled blocks'];
    return [await measure({ name: mex.name, title: mex.title, ...modelContest(task), notes }, options)];
  },
};

const lengths = [100, 200, 300, 400, 500] as const;
/** The paper's Figures 3 and 4, one V100: seconds and gigabytes, cross attention and coupled. */
const paper: { readonly [L in (typeof lengths)[number]]: { readonly s: readonly [number, number]; readonly gb: readonly [number, number] } } = {
  100: { s: [0.0587, 0.0306], gb: [1.36, 1.17] }, 200: { s: [0.0648, 0.0343], gb: [2.93, 1.39] }, 300: { s: [0.0726, 0.0363], gb: [5.27, 1.56] },
  400: { s: [0.0754, 0.0374], gb: [8.49, 1.75] }, 500: { s: [0.0791, 0.0396], gb: [12.61, 2.05] },
};
/** Percent of `whole` that `part` saves. */
const saving = (whole: number, part: number): number => 100 * (1 - part / whole);

function mosei(batch: number): Bench {
  const name = `model/mosei-b${batch}`;
  const title = `the MOSEI model, batch ${batch}`;
  return {
    name, title: `${title}, L = 100 to 500, beside cross attention: time and peak memory`,
    run: async (options) => {
      const problem = moseiProblem();
      const rows = [...new Set([0, batch - 1])];
      const all = randomInputs(problem.sizes, batch, 500);
      const alone = (b: number): Float32Array[] => all.map((x, m) => row(x, b, 500 * featuresOf(problem, m)));
      options.onProgress?.(`${name}: the answers in float64`);
      const answers = rows.map((b) => coupledAnswers(problem, alone(b), lengths));
      const results: ContestResult[] = [];
      const memories: Memory[] = [];
      for (const [k, steps] of lengths.entries()) {
        const task: Task = {
          problem, batch, steps, inputs: cut(problem, all, batch, steps), expected: new Map(rows.map((b, i) => [b, answers[i]?.[k] as Float64Array])),
          attention: new Map(rows.map((b) => [b, attentionAnswer(problem, alone(b), steps)])),
        };
        results.push(await measure({ name: `${name}/${steps}`, title: `${title}, L=${steps}`, ...modelContest(task) }, options));
        memories.push(await memoryOf(task, options));
      }
      return [...results, figures(name, title, results, memories)] satisfies Result[];
    },
  };
}
const featuresOf = (problem: ModelProblem, m: number): number => problem.sizes.modalities[m]?.features ?? 0;
const row = (x: Float32Array, b: number, size: number): Float32Array => x.subarray(b * size, (b + 1) * size);
/** The first steps of every row. */
function cut(problem: ModelProblem, all: readonly Float32Array[], batch: number, steps: number): Float32Array[] {
  return all.map((x, m) => {
    const size = x.length / batch;
    const kept = steps * featuresOf(problem, m);
    const out = new Float32Array(batch * kept);
    for (let b = 0; b < batch; b++) out.set(x.subarray(b * size, b * size + kept), b * kept);
    return out;
  });
}

interface Memory {
  readonly ours?: number;
  readonly attention?: number;
  readonly coupled?: number;
  /** Of ours: constants, states and a tile of activations, in WebAssembly memory while it runs. */
  readonly running: number;
  /** Of those that are missing. */
  readonly why?: string;
}
/** Each in a fresh process: the most that was resident above what the process had when its libraries were in. */
async function memoryOf(task: Task, options: RoundOptions): Promise<Memory> {
  options.onProgress?.(`memory at L=${task.steps}`);
  const ask = async (make: () => PeerProcess): Promise<number | string> => {
    try {
      const peer = make();
      try {
        await peer.run();
        return (await peer.memory()) ?? 'this system does not say what is resident';
      } finally {
        peer.close();
      }
    } catch (fault) {
      if (fault instanceof Unavailable) return fault.message;
      throw fault;
    }
  };
  const found = { ours: await ask(() => ourProcess(task)), attention: await ask(() => torchPeer(task, 'attention')), coupled: await ask(() => torchPeer(task, 'coupled')) };
  const why = Object.values(found).find((x) => typeof x === 'string');
  return { running: await runningBytes(task), ...Object.fromEntries(Object.entries(found).filter(([, x]) => typeof x === 'number')), ...(why === undefined ? {} : { why }) };
}
async function runningBytes(task: Task): Promise<number> {
  const { manifest, wasm } = task.problem.module;
  const model = await loadModel(manifest, { wasm }, { weights: Object.fromEntries(task.problem.weights) });
  await model.run(modelInputs(task));
  return model.memoryBytes;
}
/** What child.js needs to be a user of the compiled module: it compiles nothing. */
export function ourProcess({ problem, batch, steps }: Task): PeerProcess {
  const { command, args } = ownChild({ relaxed: false });
  const order = { manifest: problem.module.manifest, wasm: scratchFile(problem.module.wasm), weights: scratchFile(writeSafetensors(new Map(problem.weights))), sizes: problem.sizes, batch, steps };
  return new PeerProcess(command, [...args, 'model'], new TextEncoder().encode(JSON.stringify(order)));
}

function figures(name: string, title: string, results: readonly ContestResult[], memories: readonly Memory[]): FigureSheet {
  const ms = (k: number, who: string): number | undefined => results[k]?.rows.find((r) => r.name === who)?.ms;
  const times = [attentionName, ortAttentionName].flatMap((peer): Figure[] => {
    const each = lengths.map((L, k): Figure => {
      const [ours, attention] = [ms(k, ourName), ms(k, peer)];
      const [theirs, coupled] = paper[L].s;
      const said = `the paper ${saving(theirs, coupled).toFixed(1)} %`;
      const line = `time saved, L=${L}, against ${peer}`;
      if (ours === undefined || attention === undefined) return { name: line, unit: '%', remark: said };
      return { name: line, value: saving(attention, ours), unit: '%', remark: `${ours.toFixed(1)} ms, attention ${attention.toFixed(1)} ms; ${said}` };
    });
    const known = each.flatMap((f) => (f.value === undefined ? [] : [f.value]));
    return [...each, { name: `time saved, mean, against ${peer}`, unit: '%', remark: 'the paper 49 %', ...(known.length === 0 ? {} : { value: known.reduce((a, b) => a + b, 0) / known.length }) }];
  });
  const memory = lengths.map((L, k): Figure => {
    const { ours, attention, coupled, running, why } = memories[k] as Memory;
    const [theirs, best] = paper[L].gb;
    const said = `the paper ${saving(theirs, best).toFixed(1)} %`;
    if (ours === undefined || attention === undefined) return { name: `memory saved, L=${L}, against ${attentionName}`, unit: '%', remark: `${why ?? ''}; ${said}` };
    const mb = (bytes: number | undefined): string => (bytes === undefined ? 'unknown' : `${(bytes / 1e6).toFixed(1)} MB`);
    return { name: `memory saved, L=${L}, against ${attentionName}`, value: saving(attention, ours), unit: '%', remark: `${mb(ours)} (${mb(running)} of WebAssembly memory while it runs), attention ${mb(attention)}, PyTorch coupled ${mb(coupled)}; ${said}` };
  });
  return {
    kind: 'figures', name: `${name}/paper`, title: `${title}: savings against cross attention, beside Figures 3 and 4 of the paper`, figures: [...times, ...memory],
    notes: [
      'ours on WebAssembly against PyTorch (native, its widest vectors) and onnxruntime-web (WebAssembly, as ours) on the same processor, one thread each; the paper: both in PyTorch on one V100, batch and kind of attention not stated. Here: four heads, each modality attends to all steps of the other two',
      'memory: the most resident in a fresh process above what it had with its libraries loaded: weights, inputs, activations, and for ours what binding weights in float64 takes at load',
    ],
  };
}

export const modelBenches: readonly Bench[] = [mex, mosei(1), mosei(16)];
