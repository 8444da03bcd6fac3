/** The scan as ONNX's Scan operator, modalities stacked, on ONNX Runtime: native, and compiled to WebAssembly. One thread. */
import type { Contestant } from '../contest.js';
import { onnxModel, type Graph } from '../onnx.js';
import { openSession, type OrtPackage } from '../ort.js';
import { normwiseError, type ScanProblem, type ScanShape } from './problem.js';

export function ortScan(problem: ScanProblem, name: OrtPackage): Contestant {
  return {
    name,
    prepare: async () => {
      const { session, ort } = await openSession(name, scanModel(problem));
      const { steps, channels, states, modalities } = problem.shape;
      const feeds = {
        dt: new ort.Tensor('float32', problem.dt, [steps, modalities, channels, 1]), u: new ort.Tensor('float32', problem.u, [steps, modalities, channels, 1]),
        B: new ort.Tensor('float32', problem.B, [steps, modalities, 1, states]), C: new ort.Tensor('float32', problem.C, [steps, modalities, states, 1]),
      };
      return {
        run: async () => void (await session.run(feeds)),
        error: async () => normwiseError((await session.run(feeds))['y']!.data as Float32Array, problem.y64),
        close: () => session.release?.(),
      };
    },
  };
}

/** The body keeps the mean alone; A is a constant of the model. */
function scanModel({ shape, aLog }: ScanProblem): Uint8Array {
  const { steps, channels, states, modalities } = shape;
  const sequence = (name: string, tail: readonly number[]): { name: string; shape: readonly number[] } => ({ name, shape: [steps, modalities, ...tail] });
  const state = [1, channels, states];
  return onnxModel({
    nodes: [{ op: 'Scan', inputs: ['zero', 'dt', 'u', 'B', 'C'], outputs: ['final', 'y'], attributes: { body: scanBody(shape), num_scan_inputs: 4 } }],
    constants: [
      { name: 'zero', shape: state, data: new Float32Array(channels * states) },
      { name: 'A', shape: [modalities, channels, states], data: Float32Array.from(aLog, (x) => -Math.exp(x)) },
    ],
    inputs: [sequence('dt', [channels, 1]), sequence('u', [channels, 1]), sequence('B', [1, states]), sequence('C', [states, 1])],
    outputs: [sequence('y', [channels, 1])],
  });
}

function scanBody({ channels, states, modalities }: ScanShape): Graph {
  return {
    nodes: [
      { op: 'Mul', inputs: ['dt_t', 'A'], outputs: ['exponent'] },
      { op: 'Exp', inputs: ['exponent'], outputs: ['decay'] },
      { op: 'Mul', inputs: ['dt_t', 'u_t'], outputs: ['du'] },
      { op: 'Mul', inputs: ['du', 'B_t'], outputs: ['drive'] },
      { op: 'Mul', inputs: ['decay', 'before'], outputs: ['kept'] },
      { op: 'Add', inputs: ['kept', 'drive'], outputs: ['h'] },
      { op: 'MatMul', inputs: ['h', 'C_t'], outputs: ['y_t'] },
      { op: 'ReduceMean', inputs: ['h'], outputs: ['after'], attributes: { axes: [0], keepdims: 1 } },
    ],
    constants: [],
    inputs: [
      { name: 'before', shape: [1, channels, states] }, { name: 'dt_t', shape: [modalities, channels, 1] }, { name: 'u_t', shape: [modalities, channels, 1] },
      { name: 'B_t', shape: [modalities, 1, states] }, { name: 'C_t', shape: [modalities, states, 1] },
    ],
    outputs: [{ name: 'after', shape: [1, channels, states] }, { name: 'y_t', shape: [modalities, channels, 1] }],
  };
}
