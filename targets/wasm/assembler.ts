/** Writes the body of one function: instructions in order, with code lists that can still be appended to while an inner one is written. */
import { float32Bytes, float64Bytes, signed, unsigned, type ValueType } from './encoder.js';
import { op, type Op } from './opcodes.js';

/** Bytes, and inner lists in their place. */
export type Code = (number | Code)[];

export class Assembler {
  readonly #locals: ValueType[] = [];
  readonly #parameters: number;
  #lastSet: { readonly code: Code; readonly at: number; readonly end: number; readonly local: number } | undefined;
  /** Where instructions go now. */
  code: Code = [];
  readonly fma: boolean;

  constructor(parameters: number, fma: boolean) {
    this.#parameters = parameters;
    this.fma = fma;
  }
  get locals(): readonly ValueType[] {
    return this.#locals;
  }
  local(type: ValueType): number {
    this.#locals.push(type);
    return this.#parameters + this.#locals.length - 1;
  }
  emit(...ops: readonly Op[]): void {
    for (const o of ops) this.bytes(op[o]);
  }
  bytes(list: readonly number[]): void {
    for (const b of list) this.code.push(b);
  }
  get(local: number): void {
    const last = this.#lastSet;
    if (last?.code === this.code && last.local === local && last.end === this.code.length) {
      // Set and read at once: one instruction.
      this.code[last.at] = op['local.tee'][0];
      this.#lastSet = undefined;
      return;
    }
    this.emit('local.get');
    this.bytes(unsigned(local));
  }
  set(local: number): void {
    const at = this.code.length;
    this.emit('local.set');
    this.bytes(unsigned(local));
    this.#lastSet = { code: this.code, at, end: this.code.length, local };
  }
  tee(local: number): void {
    this.emit('local.tee');
    this.bytes(unsigned(local));
  }
  /** Pops into a new local. */
  keep(type: ValueType): number {
    const l = this.local(type);
    this.set(l);
    return l;
  }
  i32(value: number): void {
    this.emit('i32.const');
    this.bytes(signed(value));
  }
  f64(value: number): void {
    this.emit('f64.const');
    this.bytes(float64Bytes(value));
  }
  /** The same float32 in all lanes. */
  splat(value: number): void {
    const b = float32Bytes(value);
    this.emit('v128.const');
    this.bytes([...b, ...b, ...b, ...b]);
  }
  /** The same 32 bits in all lanes. */
  splatBits(value: number): void {
    const b = [...new Uint8Array(new Int32Array([value]).buffer)];
    this.emit('v128.const');
    this.bytes([...b, ...b, ...b, ...b]);
  }
  memory(o: Op, offset: number, align: number): void {
    this.emit(o);
    this.bytes([...unsigned(align), ...unsigned(offset)]);
  }
  call(index: number): void {
    this.emit('call');
    this.bytes(unsigned(index));
  }
  /** Pops c, b, a; pushes a·b + c, fused where the module may. */
  madd(): void {
    if (this.fma) this.emit('f32x4.relaxed_madd');
    else {
      const c = this.keep('v128');
      this.emit('f32x4.mul');
      this.get(c);
      this.emit('f32x4.add');
    }
  }
  flat(): number[] {
    const out: number[] = [];
    const walk = (c: Code): void => { for (const x of c) if (typeof x === 'number') out.push(x); else walk(x); };
    walk(this.code);
    return out;
  }
}
