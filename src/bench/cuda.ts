/**
 * Launches alone on a CUDA device, timed by its own events, over inputs that are in its memory already; and what the device could do at most, by
 * what its driver says of it.
 */
import type { CompiledModule } from '../compile.js';
import { cudaPlan } from '../cli/gpu.js';
import { move } from '../runtime/copies.js';
import { openCuda } from '../runtime/cuda/open.js';
import type { Command } from '../runtime/gpu/machine.js';
import { Session } from '../runtime/gpu/session.js';
import { SsmcError } from '../runtime/index.js';
import { openWeights, type Weights } from '../runtime/load.js';
import { Unavailable, type DeviceLimits } from './contest.js';
import type { Tensors } from './ours.js';

export interface OnDevice {
  /** Milliseconds between the device's events. */
  readonly run: () => Promise<number>;
  /** One more pass, and its first output. */
  readonly result: () => Promise<Float32Array>;
  readonly limits: DeviceLimits;
  readonly close: () => void;
}
/** No addon, no driver, no GPU, too old a driver, no kernels for it. */
export const unavailable = (error: unknown): unknown => (error instanceof SsmcError && /^SSM551[0-4]$/.test(error.code) ? new Unavailable(error.message) : error);

/** A model of one stage, its sequence as one tile. */
export async function launchesOnCuda({ cuda: made }: CompiledModule, weights: Weights, inputs: Tensors, steps: number): Promise<OnDevice> {
  if (!made) throw new Error('it was not compiled for CUDA');
  const opening = await openCuda(cudaPlan(made), await openWeights(weights), {}).catch((error: unknown) => { throw unavailable(error); });
  const { of } = opening;
  const { manifest } = of;
  try {
    const machine = await opening.open();
    const session = await Session.open(machine, of);
    const frame = await session.frame(1, steps);
    const rowOf = (buffer: number): number => { const b = manifest.buffers[buffer]; return b && 'row' in b ? b.row : 0; };
    const staged = new Map<number, Float32Array<ArrayBuffer>>();
    for (const { name, place, shape } of manifest.inputs) {
      const data = inputs[name];
      if (!data || data.length !== shape.reduce((a, b) => a * b, steps)) throw new Error(`no input ${name}, or not one of ${steps} steps`);
      const row = rowOf(place.buffer);
      const floats = staged.get(place.buffer) ?? new Float32Array(steps * row);
      staged.set(place.buffer, floats);
      move(false, floats, 0, row, place, data, 0, steps);
    }
    await machine.submit([
      { kind: 'write', buffer: frame.lengths, offset: 0, data: Int32Array.of(steps) },
      ...[...staged].map(([buffer, data]): Command<number> => ({ kind: 'write', ...frame.place(buffer), data })),
    ]);
    const pass = [...frame.clear(), ...(frame.equipment?.prepare(steps) ?? []), ...frame.launch(manifest.begin, steps), ...frame.launch(manifest.step, steps, 0), ...frame.launch(manifest.finish, steps, 0)];
    const run = async (): Promise<number> => {
      await machine.settle();
      await machine.submit(pass);
      const [milliseconds] = await machine.settle();
      if (milliseconds === undefined) throw new Error('the kernels failed');
      return milliseconds;
    };
    const result = async (): Promise<Float32Array> => {
      const [output] = manifest.outputs;
      if (!output) throw new Error('it has no output');
      const row = rowOf(output.place.buffer);
      const { buffer, offset } = frame.place(output.place.buffer);
      await machine.reserve(4 * steps * row);
      await machine.submit([...pass, { kind: 'read', from: buffer, offset, into: 0, bytes: 4 * steps * row }]);
      const data = new Float32Array(output.shape.reduce((a, b) => a * b, steps));
      move(true, await machine.fetch(4 * steps * row), 0, row, output.place, data, 0, steps);
      machine.release();
      return data;
    };
    return { run, result, limits: limitsOf(machine.adapter, machine.device), close: () => session.dispose() };
  } catch (error) {
    await opening.abandon();
    throw unavailable(error);
  }
}

/** Powers of two that a multiprocessor begins in a clock: compute capability 8.0 and later have 16 units for such functions. */
const EX2_PER_CLOCK = 16;
/** kHz and bits to what can be done in a second; memory moves at both edges of its clock. */
export function limitsOf(name: string, { multiprocessors, clock, memoryClock, memoryBus }: { readonly multiprocessors: number; readonly clock: number; readonly memoryClock: number; readonly memoryBus: number }): DeviceLimits {
  return { name, exponentialsPerSecond: multiprocessors * EX2_PER_CLOCK * clock * 1000, bytesPerSecond: 2 * memoryClock * 1000 * (memoryBus / 8) };
}
