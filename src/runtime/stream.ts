/** A sequence that is fed in pieces. Its state lies with the device. */
import { failure } from './errors.js';
import type { Manifest } from './manifest.js';
import type { Sequence } from './runner.js';
import { makeOutputs, nestOutputs, readInputs, type TensorInput, type TensorTree } from './tensors.js';

const MAGIC = 'ssmc1';

export class Stream {
  readonly #manifest: Manifest;
  readonly #sequence: Sequence;
  readonly #of: { readonly batch: number; readonly finite: boolean; readonly device: string };
  readonly #modelAlive: () => void;
  #disposed = false;
  /** Pushes wait for each other: steps are in the order of the calls. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(manifest: Manifest, sequence: Sequence, of: { readonly batch: number; readonly finite: boolean; readonly device: string }, modelAlive: () => void) {
    this.#manifest = manifest;
    this.#sequence = sequence;
    this.#of = of;
    this.#modelAlive = modelAlive;
  }
  #alive(): void {
    this.#modelAlive();
    if (this.#disposed) throw failure('SSM5401', { what: 'stream' });
  }
  /** Steps pushed so far. */
  get steps(): number {
    return this.#sequence.steps;
  }

  /**
   * The next steps: outputs with time for these, outputs without as if the sequence ended now. Inputs without time count at the first push.
   * @throws InputError SSM51xx, DeviceError SSM55xx; the stream stays as it was.
   */
  async push(inputs: TensorTree<TensorInput>): Promise<TensorTree> {
    this.#alive();
    const given = readInputs(this.#manifest.inputs, inputs, { finite: this.#of.finite, batch: this.#of.batch });
    const outputs = makeOutputs(this.#manifest.outputs, this.#of.batch, given.time);
    const mine = this.#last.then(() => this.#sequence.push({ ...given, outputs }));
    this.#last = mine.catch(() => undefined);
    await mine;
    return nestOutputs(outputs, this.#of.batch, given.time);
  }

  /** All of its state as bytes, for this model, batch and kind of device. */
  save(): Uint8Array {
    this.#alive();
    const state = this.#sequence.save();
    const { steps, started } = this.#sequence;
    const head = new TextEncoder().encode(JSON.stringify({ magic: MAGIC, spec: this.#manifest.spec, device: this.#of.device, batch: this.#of.batch, steps, started, bytes: state.length, sum: checksum(state) }));
    const out = new Uint8Array(4 + head.length + state.length);
    new DataView(out.buffer).setUint32(0, head.length, true);
    out.set(head, 4);
    out.set(state, 4 + head.length);
    return out;
  }
  /** @throws StreamError SSM5302 to SSM5305; the stream stays as it was. */
  restore(bytes: Uint8Array): void {
    this.#alive();
    const { head, state } = parse(bytes);
    if (head.spec !== this.#manifest.spec) throw failure('SSM5304', { want: this.#manifest.spec.slice(0, 12), got: String(head.spec).slice(0, 12) });
    if (head.device !== this.#of.device) throw failure('SSM5303', { why: `expected the state of ${this.#of.device}, got that of ${String(head.device)}` });
    if (head.batch !== this.#of.batch) throw failure('SSM5305', { want: this.#of.batch, got: Number(head.batch) });
    const want = this.#sequence.keptBytes;
    if (head.bytes !== state.length || state.length !== want) throw failure('SSM5303', { why: `expected ${want} bytes of state, got ${state.length}` });
    if (head.sum !== checksum(state)) throw failure('SSM5303', { why: 'its checksum is wrong' });
    this.#sequence.restore(state, Number(head.steps), head.started === true);
  }
  /** Back to the beginning of a sequence. */
  reset(): void {
    this.#alive();
    this.#sequence.reset();
  }
  dispose(): void {
    this.#sequence.dispose();
    this.#disposed = true;
  }
}

interface Head {
  readonly spec?: unknown;
  readonly device?: unknown;
  readonly batch?: unknown;
  readonly steps?: unknown;
  readonly started?: unknown;
  readonly bytes?: unknown;
  readonly sum?: unknown;
}
function parse(bytes: Uint8Array): { head: Head; state: Uint8Array } {
  if (!ArrayBuffer.isView(bytes) || bytes.length < 4) throw failure('SSM5302', { why: 'it is too short' });
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  let head: (Head & { magic?: unknown }) | undefined;
  try {
    head = length <= bytes.length - 4 ? (JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as Head & { magic?: unknown }) : undefined;
  } catch {
    head = undefined;
  }
  if (head?.magic !== MAGIC) throw failure('SSM5302', { why: 'its head is not one' });
  return { head, state: bytes.subarray(4 + length) };
}
/** FNV-1a. */
function checksum(bytes: Uint8Array): number {
  let h = 0x811c9dc5;
  for (const b of bytes) h = Math.imul(h ^ b, 0x01000193);
  return h >>> 0;
}
