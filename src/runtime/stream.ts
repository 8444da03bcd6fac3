/** A sequence that is fed in pieces. Its state lies in the model's memory while no one else runs there, else with the stream. */
import type { Engine, Occupant } from './engine.js';
import { failure } from './errors.js';
import type { Manifest } from './manifest.js';
import { makeOutputs, nestOutputs, readInputs, type TensorInput, type TensorTree } from './tensors.js';

const MAGIC = 'ssmc1';

export class Stream {
  readonly #manifest: Manifest;
  readonly #engine: Engine;
  readonly #batch: number;
  readonly #finite: boolean;
  readonly #modelAlive: () => void;
  #steps = 0;
  /** Its kept bytes, when they aren't in the memory; undefined there before the first push. */
  #saved: Uint8Array | undefined;
  #started = false;
  #disposed = false;
  readonly #occupant: Occupant = { evict: (bytes) => { this.#saved = bytes; } };

  constructor(manifest: Manifest, engine: Engine, batch: number, finite: boolean, modelAlive: () => void) {
    this.#manifest = manifest;
    this.#engine = engine;
    this.#batch = batch;
    this.#finite = finite;
    this.#modelAlive = modelAlive;
  }
  #alive(): void {
    this.#modelAlive();
    if (this.#disposed) throw failure('SSM5401', { what: 'stream' });
  }
  /** Steps pushed so far. */
  get steps(): number {
    return this.#steps;
  }

  /**
   * The next steps: outputs with time for these, outputs without as if the sequence ended now. Inputs without time count at the first push.
   * @throws InputError SSM51xx; the stream stays as it was.
   */
  async push(inputs: TensorTree<TensorInput>): Promise<TensorTree> {
    this.#alive();
    const given = readInputs(this.#manifest.inputs, inputs, { finite: this.#finite, batch: this.#batch });
    const outputs = makeOutputs(this.#manifest.outputs, this.#batch, given.time);
    const rows = { from: 0, count: this.#batch };
    const tile = Math.max(1, Math.min(given.time, this.#manifest.tile));
    this.#enter(tile);
    if (!this.#started) this.#engine.begin(given.inputs, rows);
    this.#started = true;
    for (let at = 0; at < given.time; at += tile) {
      this.#engine.step({ inputs: given.inputs, outputs, rows, time: given.time, at, steps: Math.min(tile, given.time - at), t0: this.#steps + at, lengths: given.lengths });
    }
    this.#steps += given.time;
    this.#engine.finish(outputs, rows);
    return nestOutputs(outputs, this.#batch, given.time);
  }
  #enter(steps: number): void {
    const away = !this.#engine.holds(this.#occupant);
    this.#engine.enter(this.#occupant, this.#batch, steps);
    if (away && this.#saved) this.#engine.restore(this.#saved);
    this.#saved = undefined;
  }

  /** All of its state as bytes, for this model and batch. */
  save(): Uint8Array {
    this.#alive();
    const state = this.#saved ?? (this.#started && this.#engine.holds(this.#occupant) ? this.#engine.keep() : new Uint8Array(this.#engine.keptBytes(this.#batch)));
    const head = new TextEncoder().encode(JSON.stringify({ magic: MAGIC, spec: this.#manifest.spec, batch: this.#batch, steps: this.#steps, started: this.#started, bytes: state.length, sum: checksum(state) }));
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
    if (head.batch !== this.#batch) throw failure('SSM5305', { want: this.#batch, got: Number(head.batch) });
    if (head.bytes !== state.length || state.length !== this.#engine.keptBytes(this.#batch)) throw failure('SSM5303', { why: `expected ${this.#engine.keptBytes(this.#batch)} bytes of state, got ${state.length}` });
    if (head.sum !== checksum(state)) throw failure('SSM5303', { why: 'its checksum is wrong' });
    this.#engine.leave(this.#occupant);
    this.#saved = state.slice();
    this.#started = head.started === true;
    this.#steps = Number(head.steps);
  }
  /** Back to the beginning of a sequence. */
  reset(): void {
    this.#alive();
    this.#engine.leave(this.#occupant);
    this.#saved = undefined;
    this.#started = false;
    this.#steps = 0;
  }
  dispose(): void {
    this.#engine.leave(this.#occupant);
    this.#saved = undefined;
    this.#disposed = true;
  }
}

interface Head {
  readonly spec?: unknown;
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
