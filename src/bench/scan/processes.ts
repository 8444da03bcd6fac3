/** The scan's contestants in processes of their own: C++, PyTorch, and ours with relaxed SIMD. */
import type { Contestant, Ready } from '../contest.js';
import { buildNative, ownChild, packed, peerSource, PeerProcess, pythonWith, pythonWithTorch } from '../peer-process.js';
import { relaxedName } from './ours.js';
import { normwiseError, type ScanInputs, type ScanProblem } from './problem.js';

/** What peers read: four int32 (steps, channels, states, modalities), then dt, u, B, C and A. */
function scanInput({ shape, dt, u, B, C, aLog }: ScanInputs): Uint8Array {
  const A = Float32Array.from(aLog, (x) => -Math.exp(x));
  return packed([shape.steps, shape.channels, shape.states, shape.modalities], [dt, u, B, C, A]);
}

function ready(peer: PeerProcess, expected: Float64Array): Ready {
  return {
    run: () => peer.run(),
    error: async () => {
      await peer.run();
      return normwiseError(await peer.result(), expected);
    },
    close: () => peer.close(),
  };
}

export type NativeKind = 'scalar' | 'vector' | 'fast-math';
export const nativeNames: { readonly [K in NativeKind]: string } = {
  scalar: 'C, scalar, expf',
  vector: 'C, 128-bit, no FMA',
  'fast-math': 'C, scalar source, -march=native -ffast-math',
};
const builds: { readonly [K in NativeKind]: readonly [string, readonly string[]] } = {
  scalar: ['scan-scalar.cpp', ['-msse4.1']],
  vector: ['scan-sse.cpp', ['-msse4.1']],
  'fast-math': ['scan-scalar.cpp', ['-march=native', '-ffast-math']],
};

export function nativeScan(problem: ScanProblem, kind: NativeKind): Contestant {
  const [source, flags] = builds[kind];
  return {
    name: nativeNames[kind],
    prepare: async () => ready(new PeerProcess(buildNative(source, flags), [], scanInput(problem)), problem.y64),
  };
}

export type TorchKind = 'reference' | 'coupled-reference' | 'loop';
export const torchNames: { readonly [K in TorchKind]: string } = {
  reference: 'PyTorch, selective_scan_ref per modality (uncoupled)',
  'coupled-reference': 'PyTorch, coupled, in the style of selective_scan_ref',
  loop: 'PyTorch, best loop',
};
export function torchScan(problem: ScanProblem, kind: TorchKind): Contestant {
  return {
    name: torchNames[kind],
    prepare: async () => {
      const peer = new PeerProcess(pythonWithTorch(), [peerSource('scan.py'), kind], scanInput(problem));
      return ready(peer, kind === 'reference' ? problem.uncoupled64 : problem.y64);
    },
  };
}
/** On the GPU: its own events are the clock. */
export const cudaNames = { loop: `${torchNames.loop}, on CUDA`, mamba: 'mamba_ssm, selective_scan_cuda per modality (uncoupled)' } as const;
export function torchOnCuda(problem: ScanProblem): Contestant {
  return {
    name: cudaNames.loop,
    prepare: async () => {
      const python = pythonWith(pythonWithTorch(), 'import torch, sys; sys.exit(not torch.cuda.is_available())', 'PyTorch here finds no CUDA device');
      return ready(new PeerProcess(python, [peerSource('scan.py'), 'loop@cuda'], scanInput(problem)), problem.y64);
    },
  };
}
/** As people run it on several modalities: a call for each. */
export function mambaScan(problem: ScanProblem, device: 'cuda' | 'cpu'): Contestant {
  return {
    name: cudaNames.mamba,
    prepare: async () => {
      const python = pythonWith(pythonWithTorch(), 'import mamba_ssm.ops.selective_scan_interface', 'the python3 that imports torch here does not import mamba_ssm');
      return ready(new PeerProcess(python, [peerSource('scan.py'), `mamba@${device}`], scanInput(problem)), problem.uncoupled64);
    },
  };
}

/** In a child, since Node 20 has relaxed SIMD behind a flag. */
export function relaxedScan(problem: ScanProblem): Contestant {
  return {
    name: relaxedName,
    prepare: async () => {
      const { command, args } = ownChild({ relaxed: true });
      return ready(new PeerProcess(command, [...args, 'scan'], new TextEncoder().encode(JSON.stringify({ shape: problem.shape }))), problem.y64);
    },
  };
}
