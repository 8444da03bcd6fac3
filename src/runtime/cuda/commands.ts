/** Commands as the addon reads them (targets/cuda/addon/commands.cpp): numbers, one after another; and the data of their writes. */
import { groupsOf } from '../gpu/arrangement.js';
import type { Command } from '../gpu/machine.js';
import type { GpuPlan } from '../manifest.js';

const CLEAR = 1;
const WRITE = 2;
const COPY = 3;
const READ = 4;
const LAUNCH = 5;
const NUMBER = 0;
const POINTER = 1;

export interface Encoded {
  readonly words: Float64Array<ArrayBuffer>;
  readonly data: ArrayBuffer;
  /** Where the first byte that is read goes: what comes back begins with it. */
  readonly readFrom: number;
}
/** `functions`: the entry points, by their numbers. Buffers are numbers already. */
export function encode(commands: readonly Command<number>[], plan: GpuPlan, functions: ReadonlyMap<string, number>): Encoded {
  const words: number[] = [];
  const { data, places } = gather(commands);
  const readFrom = commands.reduce((least, c) => (c.kind === 'read' ? Math.min(least, c.into) : least), Infinity);
  commands.forEach((c, k) => {
    switch (c.kind) {
      case 'clear': words.push(CLEAR, c.buffer, c.bytes); break;
      case 'write': words.push(WRITE, c.buffer, c.offset, c.data.byteLength, places[k] as number); break;
      case 'copy': words.push(COPY, c.from, c.offset, c.to, c.into, c.bytes); break;
      case 'read': words.push(READ, c.from, c.offset, c.bytes, c.into - readFrom); break;
      case 'launch': launch(words, c, plan, functions); break;
    }
  });
  return { words: Float64Array.from(words), data, readFrom: Number.isFinite(readFrom) ? readFrom : 0 };
}
/** The data of writes one after another, and of each command where its own begins. */
export function gather(commands: readonly Command<number>[]): { readonly data: ArrayBuffer; readonly places: readonly number[] } {
  let size = 0;
  const places = commands.map((c) => {
    const at = size;
    if (c.kind === 'write') size += c.data.byteLength;
    return at;
  });
  const data = new ArrayBuffer(size);
  commands.forEach((c, k) => {
    if (c.kind === 'write') new Uint8Array(data).set(new Uint8Array(c.data.buffer, c.data.byteOffset, c.data.byteLength), places[k]);
  });
  return { data, places };
}
/** A pointer for each buffer and for the lengths, an integer for each other scalar, in the order of the launch's arguments. */
function launch(words: number[], { frame, launch: l, steps, half }: Extract<Command<number>, { kind: 'launch' }>, plan: GpuPlan, functions: ReadonlyMap<string, number>): void {
  const { batch } = frame;
  // Kernels with threads ask neither for the steps before a tile nor for its place in a run: state comes from carries.
  const scalars = { B: batch, T: steps, R: batch * steps, t0: 0, part: 2 };
  const { entry, threads = 1 } = plan.entries[l.entry] as GpuPlan['entries'][string];
  words.push(LAUNCH, functions.get(entry) as number, groupsOf(l, batch, steps), l.grid?.batches === 'B' ? batch : 1, 1, threads, l.arguments.length);
  for (const a of l.arguments) {
    if ('buffer' in a) {
      const { buffer, offset } = frame.place(a.buffer, half);
      words.push(POINTER, buffer, offset);
    } else if (a.scalar === 'lengths') words.push(POINTER, frame.lengths, 0);
    else words.push(NUMBER, scalars[a.scalar]);
  }
}
