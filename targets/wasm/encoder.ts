/**
 * The WebAssembly binary format, as far as kernels need it: https://webassembly.github.io/spec/core/binary/ and the SIMD and relaxed
 * SIMD proposals. Knows bytes, not kernels.
 */
export const valueType = { i32: 0x7f, f64: 0x7c, v128: 0x7b } as const;
export type ValueType = keyof typeof valueType;

export function unsigned(value: number): number[] {
  const out: number[] = [];
  let v = value;
  do {
    const byte = v % 128;
    v = Math.floor(v / 128);
    out.push(v > 0 ? byte | 0x80 : byte);
  } while (v > 0);
  return out;
}
/** A signed 32-bit integer. */
export function signed(value: number): number[] {
  const out: number[] = [];
  let v = value | 0;
  for (;;) {
    const byte = v & 0x7f;
    v >>= 7;
    const done = (v === 0 && (byte & 0x40) === 0) || (v === -1 && (byte & 0x40) !== 0);
    out.push(done ? byte : byte | 0x80);
    if (done) return out;
  }
}
export function float32Bytes(value: number): number[] {
  return [...new Uint8Array(new Float32Array([value]).buffer)];
}
export function float64Bytes(value: number): number[] {
  return [...new Uint8Array(new Float64Array([value]).buffer)];
}
const text = (s: string): number[] => {
  const bytes = [...new TextEncoder().encode(s)];
  return [...unsigned(bytes.length), ...bytes];
};

export interface FunctionType {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}
export interface FunctionBody {
  readonly type: FunctionType;
  /** Types of the locals after the parameters. */
  readonly locals: readonly ValueType[];
  readonly code: readonly number[];
  /** Exported under this name. */
  readonly name?: string;
}
export interface ModuleParts {
  readonly imports: readonly { readonly name: string; readonly type: FunctionType }[];
  /** Numbered after the imports. */
  readonly functions: readonly FunctionBody[];
}

/** A module with its memory imported as env.memory. */
export function encodeModule(parts: ModuleParts): Uint8Array {
  const types: string[] = [];
  const typeIndex = (t: FunctionType): number => {
    const key = `${t.parameters.join(' ')}>${t.results.join(' ')}`;
    const found = types.indexOf(key);
    return found >= 0 ? found : types.push(key) - 1;
  };
  const importTypes = parts.imports.map((i) => typeIndex(i.type));
  const functionTypes = parts.functions.map((f) => typeIndex(f.type));
  const list = (s: string | undefined): number[] => {
    const names = (s ?? '').split(' ').filter((n) => n !== '') as ValueType[];
    return [...unsigned(names.length), ...names.map((n) => valueType[n])];
  };
  const sections: number[][] = [
    section(1, types.map((t) => [0x60, ...list(t.split('>')[0]), ...list(t.split('>')[1])])),
    section(2, [
      ...parts.imports.map((i, k) => [...text('env'), ...text(i.name), 0x00, ...unsigned(importTypes[k] as number)]),
      [...text('env'), ...text('memory'), 0x02, 0x00, 0x01],
    ]),
    section(3, functionTypes.map(unsigned)),
    section(7, parts.functions.flatMap((f, k) => (f.name === undefined ? [] : [[...text(f.name), 0x00, ...unsigned(parts.imports.length + k)]]))),
    section(10, parts.functions.map(encodeBody)),
  ];
  const size = sections.reduce((n, s) => n + s.length, 8);
  const bytes = new Uint8Array(size);
  bytes.set([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
  let at = 8;
  for (const s of sections) {
    bytes.set(s, at);
    at += s.length;
  }
  return bytes;
}
function section(id: number, entries: readonly (readonly number[])[]): number[] {
  const body = unsigned(entries.length);
  for (const e of entries) for (const b of e) body.push(b);
  return [id, ...unsigned(body.length), ...body];
}
function encodeBody(f: FunctionBody): number[] {
  const groups: { type: ValueType; count: number }[] = [];
  for (const type of f.locals) {
    const last = groups.at(-1);
    if (last?.type === type) last.count++;
    else groups.push({ type, count: 1 });
  }
  const head = [...unsigned(groups.length), ...groups.flatMap((g) => [...unsigned(g.count), valueType[g.type]])];
  const out = unsigned(head.length + f.code.length + 1);
  for (const b of head) out.push(b);
  for (const b of f.code) out.push(b);
  out.push(0x0b);
  return out;
}
