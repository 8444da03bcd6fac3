/** The scan's peers in C++ and PyTorch. */
import type { Contestant, Ready } from '../contest.js';
import { buildNative, packed, peerSource, PeerProcess, pythonWithTorch } from '../peer-process.js';
import { normwiseError, type ScanProblem } from './problem.js';

/** `./a.out` reads its input file: five int32 (steps, channels, states, modalities, 0), then dt, u, B, C, A. */
function scanInput({ shape, dt, u, B, C, aLog }: ScanProblem): Uint8Array {
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
