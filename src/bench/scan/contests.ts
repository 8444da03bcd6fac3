/** The scan's contests: the two M = 3 shapes and one chain alone, selective against time-invariant, and states that become subnormal. */
import type { Bench, Contest, Goal } from '../contest.js';
import { race } from '../rounds.js';
import { ortScan } from './ort.js';
import { invariantName, ourInvariantScan, ourName, ourScan, ourWholeRun, relaxedName, wholeRunName } from './ours.js';
import { plainLoop, plainName } from './plain.js';
import { scanProblem, type ScanProblem, type ScanShape } from './problem.js';
import { launchedScan, launchesName, onCuda, scanWork } from './cuda.js';
import { ourGpuScan, separateScans, type OnGpu } from './gpu.js';
import { onWebgpu, perStateName, perStateScan } from './webgpu.js';
import { cudaNames, mambaScan, nativeNames, nativeScan, relaxedScan, torchNames, torchOnCuda, torchScan } from './processes.js';

export const shapes = {
  r1: { steps: 2048, channels: 256, states: 16, modalities: 3 },
  r2: { steps: 500, channels: 256, states: 64, modalities: 3 },
  m1: { steps: 2048, channels: 256, states: 16, modalities: 1 },
  short: { steps: 64, channels: 64, states: 16, modalities: 3 },
} as const satisfies Readonly<Record<string, ScanShape>>;

const timed = [
  'ours: begin and step launches through the runtime\'s engine, the sequence as one tile, inputs in its memory; C, PyTorch, TypeScript: the loop over inputs in memory; ONNX Runtime: a session\'s run over tensors made before',
  `${wholeRunName}: checks, copies in, tiles of steps and copies out as well`,
];
/** One thread each. The chains of `reference` are not coupled, and what it should be is computed without coupling too. */
export function scanContest(problem: ScanProblem, goals: readonly Goal[]): Omit<Contest, 'name' | 'title'> {
  return {
    ours: ourName,
    contestants: [
      ourScan(problem), ourWholeRun(problem), relaxedScan(problem),
      nativeScan(problem, 'vector'), nativeScan(problem, 'scalar'), nativeScan(problem, 'fast-math'),
      plainLoop(problem),
      torchScan(problem, 'loop'), torchScan(problem, 'reference'), torchScan(problem, 'coupled-reference'),
      ortScan(problem, 'onnxruntime-web'), ortScan(problem, 'onnxruntime-node'),
    ],
    goals, notes: timed,
  };
}
interface Wanted {
  readonly scalar: number;
  readonly loop: number;
  readonly reference: number;
  readonly web: number;
  readonly node: number;
}
function goalsOf(w: Wanted): Goal[] {
  const goal = (peer: string, atLeast: number): Goal => ({ peer, ours: ourName, atLeast });
  return [
    goal(nativeNames.vector, 1 / 1.1), goal(nativeNames.scalar, w.scalar), goal(plainName, 11), goal(torchNames.loop, w.loop), goal(torchNames.reference, w.reference),
    goal('onnxruntime-web', w.web), goal('onnxruntime-node', w.node), { peer: ourName, ours: relaxedName, atLeast: 1.3 },
  ];
}
const text = ({ steps, channels, states, modalities }: ScanShape): string => `L=${steps}, D=${channels}, N=${states}, M=${modalities}`;

function invariantContest(shape: ScanShape): Omit<Contest, 'name' | 'title'> {
  const problem = scanProblem(shape);
  return {
    ours: invariantName, contestants: [ourScan(problem), ourInvariantScan(problem)],
    goals: [{ peer: ourName, ours: invariantName, atLeast: 4.5 }], notes: ['both: launches over inputs in memory; the time-invariant one reads u alone, its dt, B and C are parameters'],
  };
}
const apart = (on: OnGpu): Goal => ({ peer: on.separate, ours: on.ours, atLeast: 1 });
function webgpuContest(shape: ScanShape): Omit<Contest, 'name' | 'title'> {
  const problem = scanProblem(shape);
  return {
    ours: onWebgpu.ours, contestants: [ourGpuScan(problem, onWebgpu), separateScans(problem, onWebgpu), perStateScan(problem)],
    goals: [{ peer: perStateName, ours: onWebgpu.ours, atLeast: 20 }, apart(onWebgpu)],
    notes: ['ours: run() with its copies; the kernel of the peer alone, over buffers that are filled already; in Node, on whatever adapter Dawn finds (the README says which ran)'],
  };
}
export function cudaContest(problem: ScanProblem): Omit<Contest, 'name' | 'title'> {
  return {
    ours: launchesName,
    contestants: [launchedScan(problem), ourGpuScan(problem, onCuda), separateScans(problem, onCuda), torchOnCuda(problem), mambaScan(problem, 'cuda')],
    goals: [apart(onCuda), { peer: cudaNames.loop, ours: launchesName, atLeast: 1 }, { peer: cudaNames.mamba, ours: launchesName, atLeast: 1 }], work: scanWork(problem.shape),
    notes: [
      'launches, PyTorch and mamba_ssm: between events on the device, everything in its memory; run(): its copies as well, by the host\'s clock',
      'bytes: inputs, outputs and weights once; exponentials: one for each modality, step, channel and state, against 16 a clock and multiprocessor, which the units for approximate ones begin (ours are polynomials)',
    ],
  };
}
/** From this step on, u is 0. */
const quiet = 200;
const quietName = `${ourName}, u = 0 from step ${quiet}`;
function subnormalContest(shape: ScanShape): Omit<Contest, 'name' | 'title'> {
  return {
    ours: quietName, contestants: [ourScan(scanProblem(shape)), ourScan(scanProblem(shape, quiet), quietName)],
    goals: [{ peer: ourName, ours: quietName, atLeast: 1 / 1.1 }], notes: ['a state that decays becomes subnormal and stays so: nothing flushes it to zero'],
  };
}

export const scanBenches: readonly Bench[] = [
  race('scan/r1', `coupled scan, ${text(shapes.r1)}`, () => scanContest(scanProblem(shapes.r1), goalsOf({ scalar: 4, loop: 4.5, reference: 25, web: 8, node: 4 }))),
  race('scan/r2', `coupled scan, ${text(shapes.r2)}`, () => scanContest(scanProblem(shapes.r2), goalsOf({ scalar: 4.5, loop: 2.2, reference: 7, web: 6, node: 2.4 }))),
  race('scan/m1', `one chain, ${text(shapes.m1)}`, () => scanContest(scanProblem(shapes.m1), [])),
  { ...race('scan/webgpu-r1', `coupled scan on WebGPU, ${text(shapes.r1)}`, () => webgpuContest(shapes.r1)), device: 'webgpu' },
  ...(['short', 'r1', 'r2'] as const).map((s): Bench => ({ ...race(`scan/cuda-${s}`, `coupled scan on CUDA, ${text(shapes[s])}`, () => cudaContest(scanProblem(shapes[s]))), device: 'cuda' })),
  ...(['r1', 'r2'] as const).map((s) => race(`scan/invariant-${s}`, `time-invariant against selective, ${text(shapes[s])}`, () => invariantContest(shapes[s]))),
  ...(['r1', 'r2'] as const).map((s) => race(`scan/subnormal-${s}`, `states that become subnormal, ${text(shapes[s])}`, () => subnormalContest(shapes[s]))),
];
