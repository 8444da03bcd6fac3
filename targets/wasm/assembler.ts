/** Writes the body of one function: instructions in order, with code lists that can still be appended to while an inner one is written. */
import { float32Bytes, float64Bytes, signed, unsigned, type ValueType } from './encoder.js';
import { op, type Op } from './opcodes.js';

/** An instruction on a local; which number it has in the end, and whether its value is wanted, is known when all is written. */
interface Local {
  access: 'get' | 'set' | 'tee';
  readonly local: number;
}
/** Bytes, instructions on locals, and inner lists in their place. */
export type Code = (number | Local | Code)[];

export class Assembler {
  readonly #locals: ValueType[] = [];
  readonly #parameters: number;
  /** Where instructions go now. */
  code: Code = [];
  readonly fma: boolean;

  constructor(parameters: number, fma: boolean) {
    this.#parameters = parameters;
    this.fma = fma;
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
    const last = this.code.at(-1);
    // Set and read at once: one instruction.
    if (typeof last === 'object' && !Array.isArray(last) && last.access === 'set' && last.local === local) last.access = 'tee';
    else this.code.push({ access: 'get', local });
  }
  set(local: number): void {
    this.code.push({ access: 'set', local });
  }
  tee(local: number): void {
    this.code.push({ access: 'tee', local });
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
  /** The whole, and the types of its locals: those that are used most have the shortest numbers, those that nothing reads are gone. */
  finish(): { readonly locals: readonly ValueType[]; readonly code: number[] } {
    const reads = new Map<number, number>();
    const uses = new Map<number, number>();
    const count = (c: Code): void => {
      for (const x of c) {
        if (Array.isArray(x)) count(x);
        else if (typeof x === 'object') {
          uses.set(x.local, (uses.get(x.local) ?? 0) + 1);
          if (x.access === 'get') reads.set(x.local, (reads.get(x.local) ?? 0) + 1);
        }
      }
    };
    count(this.code);
    const order = this.#order(uses, reads);
    const numbers = new Map(order.map((local, k) => [local, this.#parameters + k]));
    const code: number[] = [];
    const write = (c: Code): void => {
      for (const x of c) {
        if (typeof x === 'number') code.push(x);
        else if (Array.isArray(x)) write(x);
        else if (x.access !== 'get' && !reads.has(x.local)) code.push(...(x.access === 'set' ? op.drop : []));
        else code.push(...op[`local.${x.access}`], ...unsigned(numbers.get(x.local) ?? x.local));
      }
    };
    write(this.code);
    return { locals: order.map((local) => this.#typeOf(local)), code };
  }
  /** Locals of one type stand together: they are declared by type and count. */
  #order(uses: ReadonlyMap<number, number>, reads: ReadonlyMap<number, number>): number[] {
    const own = [...reads.keys()].filter((local) => local >= this.#parameters);
    const total = new Map<ValueType, number>();
    for (const local of own) total.set(this.#typeOf(local), (total.get(this.#typeOf(local)) ?? 0) + (uses.get(local) ?? 0));
    const weight = (local: number): number => total.get(this.#typeOf(local)) ?? 0;
    return own.toSorted((x, y) => weight(y) - weight(x) || this.#typeOf(x).localeCompare(this.#typeOf(y)) || (uses.get(y) ?? 0) - (uses.get(x) ?? 0) || x - y);
  }
  #typeOf(local: number): ValueType {
    return this.#locals[local - this.#parameters] as ValueType;
  }
}
