/** A sequence that is fed in pieces. Its state lies with the device. */
import { failure, kindOf } from './errors.js';
import { bytesOf } from './files.js';
import type { Manifest } from './manifest.js';
import type { Sequence } from './runner.js';
import { makeOutputs, nestOutputs, readInputs, type TensorInput, type TensorTree } from './tensors.js';

const MAGIC = 'ssmc1';

export interface Stream {
  /** Steps pushed so far. */
  readonly steps: number;
  /**
   * The next steps: outputs with time for these, outputs without as if the sequence ended now. Inputs without time count at the first push.
   * Pushes count in the order of the calls, also when they are not waited for.
   * @throws InputError SSM51xx, DeviceError SSM55xx, StreamError SSM5307 where its GPU is gone for good: another device can't take its state up; the stream stays as it was.
   */
  push(inputs: TensorTree<TensorInput>): Promise<TensorTree>;
  /**
   * All of its state as bytes, for this model, batch and kind of device. It, `restore` and `reset` count after every push that was called
   * before: on wasm that is done by then, on WebGPU it must have been waited for.
   * @throws StreamError SSM5306 where a push is under way.
   */
  save(): Uint8Array;
  /** @throws StreamError SSM5302 to SSM5306; the stream stays as it was. */
  restore(bytes: Uint8Array): void;
  /** Back to the beginning of a sequence. @throws StreamError SSM5306 as `save`. */
  reset(): void;
  dispose(): void;
}

export function makeStream(manifest: Manifest, sequence: Sequence, of: { readonly batch: number; readonly finite: boolean | undefined; readonly device: string }, modelAlive: () => void): Stream {
  const { spec } = manifest;
  const { batch, device } = of;
  let disposed = false;
  const alive = (): void => {
    modelAlive();
    if (disposed) throw failure(5401, { what: 'stream' });
  };
  return {
    get steps() {
      return sequence.steps;
    },
    async push(inputs) {
      alive();
      const given = readInputs(manifest.inputs, inputs, of);
      const outputs = makeOutputs(manifest.outputs, given);
      await sequence.push({ ...given, outputs });
      return nestOutputs(outputs, given);
    },
    save() {
      alive();
      const state = sequence.save();
      const { steps, started } = sequence;
      const head = new TextEncoder().encode(JSON.stringify({ magic: MAGIC, spec, device, batch, steps, started, sum: checksum(state) }) + '\n');
      const bytes = new Uint8Array(head.length + state.length);
      bytes.set(head);
      bytes.set(state, head.length);
      return bytes;
    },
    restore(bytes) {
      alive();
      const { head, state } = parse(bytes);
      const { keptBytes } = sequence;
      const damaged = (why: string): Error => failure(5303, { why });
      if (head.spec !== spec) throw failure(5304, { want: spec.slice(0, 12), got: String(head.spec).slice(0, 12) });
      if (head.device !== device) throw damaged(`expected the state of ${device}, got that of ${head.device}`);
      if (head.batch !== batch) throw failure(5305, { want: batch, got: String(head.batch) });
      if (state.length !== keptBytes) throw damaged(`expected ${keptBytes} bytes of state, got ${state.length}`);
      if (head.sum !== checksum(state)) throw damaged('its checksum is wrong');
      sequence.restore(state, Number(head.steps), !!head.started);
    },
    reset() {
      alive();
      sequence.reset();
    },
    dispose() {
      sequence.dispose();
      disposed = true;
    },
  };
}

/** One line of JSON, before the state itself. */
type Head = { readonly [Key in 'magic' | 'spec' | 'device' | 'batch' | 'steps' | 'started' | 'sum']?: unknown };
function parse(bytes: Uint8Array): { head: Head; state: Uint8Array } {
  try {
    const end = bytes.indexOf(10) + 1;
    const head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))) as Head;
    // A part of a Node's Buffer is plain bytes from here on: its own `slice` copies nothing, so that devices would keep what isn't theirs.
    if (head.magic === MAGIC) return { head, state: bytesOf(bytes.subarray(end)) };
  } catch {
    // Whatever it is, it has no such head.
  }
  throw failure(5302, { why: `expected the head that save() writes, found none in this ${kindOf(bytes)}` });
}
/** FNV-1a. */
function checksum(bytes: Uint8Array): number {
  let h = 0x811c9dc5;
  for (const b of bytes) h = Math.imul(h ^ b, 0x01000193);
  return h >>> 0;
}
