/** Peers of a product in processes of their own: the peak of the machine, and PyTorch's library. */
import type { Contestant } from '../contest.js';
import { buildNative, packed, peerSource, PeerProcess, pythonWithTorch } from '../peer-process.js';
import { normwiseError } from '../scan/problem.js';
import { flopsOf, type ProductProblem } from './problem.js';

export const peakName = 'multiply-add peak, 128-bit, no FMA (C)';
/** As many operations as the product has, on registers alone: no answer to check. */
export function peak(problem: ProductProblem): Contestant {
  return {
    name: peakName,
    prepare: async () => {
      const peer = new PeerProcess(buildNative('peak-sse.cpp', ['-msse4.1']), [], packed([Math.round(flopsOf(problem.shape) / 1000)], []));
      return { run: () => peer.run(), close: () => peer.close() };
    },
  };
}

export const torchName = 'PyTorch (native BLAS, widest vectors)';
export function torchProduct({ shape, x, weight, y64 }: ProductProblem): Contestant {
  return {
    name: torchName,
    prepare: async () => {
      const peer = new PeerProcess(pythonWithTorch(), [peerSource('matmul.py')], packed([shape.rows, shape.from, shape.to], [x, weight]));
      return {
        run: () => peer.run(),
        error: async () => {
          await peer.run();
          return normwiseError(await peer.result(), y64);
        },
        close: () => peer.close(),
      };
    },
  };
}
