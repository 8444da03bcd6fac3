/** The format's rules, one by one, on files made by hand; and that nothing makes the reader throw anything but a WeightsError. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSafetensors, WeightsError, writeSafetensors } from '../../src/runtime/index.js';

/** A file with this header and as many bytes of data, 0, 1, 2, … */
function file(header: string | Uint8Array, bytes = 0, length?: bigint): Uint8Array {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const out = new Uint8Array(8 + text.length + bytes);
  new DataView(out.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  out.set(text, 8);
  for (let i = 0; i < bytes; i++) out[8 + text.length + i] = i;
  return out;
}
const entry = (dtype: string, shape: string, from: number, to: number): string => `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${from},${to}]}`;
function thrown(bytes: Uint8Array): WeightsError {
  try {
    readSafetensors(bytes);
  } catch (error) {
    if (error instanceof WeightsError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('safetensors: what breaks a rule is refused', () => {
  const f32 = entry('F32', '[1]', 0, 4);
  const cases: readonly (readonly [rule: string, bytes: Uint8Array, code: string, says: RegExp])[] = [
    ['an empty file', new Uint8Array(), 'SSM5002', /at least 8 bytes, got 0/],
    ['7 bytes', new Uint8Array(7), 'SSM5002', /at least 8 bytes, got 7/],
    ['a header of no bytes', file(''), 'SSM5002', /header/],
    ['a header past the end', file('{}', 0, 3n), 'SSM5002', /has 3 bytes, but the file ends after 2/],
    ['a header of 2^64 - 1 bytes', file('{}', 0, 2n ** 64n - 1n), 'SSM5002', /more than 100000000/],
    ['a header just over the limit', file('{}', 0, 100_000_001n), 'SSM5002', /100000001 bytes, more than 100000000/],
    ['a header that begins with a space', file(' {}'), 'SSM5002', /\{/],
    ['a byte order mark', file('\ufeff{}'), 'SSM5002', /\{/],
    ['a header that ends in a line feed', file('{}\n'), 'SSM5002', /spaces/],
    ['an array as header', file('[]'), 'SSM5002', /\{/],
    ['a header that is not UTF-8', file(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x30, 0x7d])), 'SSM5002', /UTF-8/],
    ['a header that is not JSON', file('{"a":}'), 'SSM5002', /not JSON/],
    ['two objects', file('{}{}'), 'SSM5002', /not JSON/],
    ['a name twice', file(`{"a":${f32},"a":${entry('F32', '[1]', 4, 8)}}`, 8), 'SSM5002', /"a" twice/],
    ['a name twice, once in escapes', file(`{"a":${f32},"\\u0061" :${entry('F32', '[1]', 4, 8)}}`, 8), 'SSM5002', /"a" twice/],
    ['a key twice inside an entry', file('{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}', 4), 'SSM5002', /"shape" twice/],
    ['metadata that is no object', file('{"__metadata__":[]}'), 'SSM5002', /__metadata__: expected an object of strings, got Array/],
    ['metadata that is not text', file('{"__metadata__":{"k":1}}'), 'SSM5002', /__metadata__: .* number 1 for "k"/],
    ['an entry that is no object', file('{"a":3}'), 'SSM5003', /`a`: expected an object .* the number 3/],
    ['an unknown dtype', file(`{"a":${entry('F33', '[1]', 0, 4)}}`, 4), 'SSM5003', /unknown dtype "F33", expected one of F64/],
    ['a dtype of the prototype', file(`{"a":${entry('toString', '[1]', 0, 4)}}`, 4), 'SSM5003', /unknown dtype/],
    ['no shape', file('{"a":{"dtype":"F32","data_offsets":[0,4]}}', 4), 'SSM5003', /shape, got undefined/],
    ['a negative size', file(`{"a":${entry('F32', '[-1]', 0, 4)}}`, 4), 'SSM5003', /shape, got \[-1\]/],
    ['half a size', file(`{"a":${entry('F32', '[0.5]', 0, 4)}}`, 4), 'SSM5003', /shape, got \[0.5\]/],
    ['sizes whose product overflows', file(`{"a":${entry('F32', '[4294967296,4294967296,4294967296]', 0, 4)}}`, 4), 'SSM5003', /takes too many bytes/],
    ['sizes whose product overflows before a 0', file(`{"a":${entry('F32', '[4294967296,4294967296,0]', 0, 0)}}`), 'SSM5003', /takes too many bytes/],
    ['a size past 2^53', file(`{"a":${entry('F32', '[9007199254740993]', 0, 4)}}`, 4), 'SSM5003', /shape/],
    ['one offset', file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[4]}}', 4), 'SSM5003', /two whole numbers as data_offsets, got \[4\]/],
    ['offsets in reverse', file(`{"a":${entry('F32', '[1]', 4, 0)}}`, 4), 'SSM5003', /takes 4 bytes/],
    ['offsets that do not fit the shape', file(`{"a":${entry('F32', '[2]', 0, 4)}}`, 4), 'SSM5003', /F32 \[2\] takes 8 bytes, but data_offsets are \[0, 4\]/],
    ['a hole before', file(`{"a":${entry('F32', '[1]', 4, 8)}}`, 8), 'SSM5003', /hole: expected data_offsets from 0, got 4/],
    ['a hole between', file(`{"a":${f32},"b":${entry('F32', '[1]', 8, 12)}}`, 12), 'SSM5003', /`b`: leaves a hole: expected data_offsets from 4, got 8/],
    ['tensors that overlap', file(`{"a":${entry('F32', '[2]', 0, 8)},"b":${entry('F32', '[1]', 4, 8)}}`, 8), 'SSM5003', /`b`: overlaps/],
    ['two tensors in one place', file(`{"a":${f32},"b":${f32}}`, 4), 'SSM5003', /overlaps/],
    ['a byte too many', file(`{"a":${f32}}`, 5), 'SSM5002', /expected 4 bytes of data by the header, got 5/],
    ['a byte too few', file(`{"a":${f32}}`, 3), 'SSM5002', /expected 4 bytes of data by the header, got 3/],
  ];
  it.each(cases)('%s', (_, bytes, code, says) => {
    const error = thrown(bytes);
    expect(error).toMatchObject({ code, name: 'WeightsError' });
    expect(error.message).toMatch(says);
  });
});

describe('safetensors: what keeps the rules is read', () => {
  it('an empty object, spaces behind the header, empty tensors, numbers without axes', () => {
    expect(readSafetensors(file('{}  ')).names).toEqual([]);
    const f = readSafetensors(file(`{"b":${entry('F32', '[]', 0, 4)},"empty":${entry('F32', '[3,0]', 4, 4)},"a":${entry('F32', '[0]', 0, 0)}}`, 4));
    expect(f.names).toEqual(['a', 'b', 'empty']);
    expect(f.tensor('b').shape).toEqual([]);
    expect(f.tensor('empty').toFloat64()).toEqual(new Float64Array());
  });
  it('metadata, and names that objects have of their own', () => {
    const f = readSafetensors(file(`{"__metadata__":{"format":"pt"},"__proto__":${entry('U8', '[2]', 0, 2)},"toString":${entry('U8', '[1]', 2, 3)}}`, 3));
    expect([...f.metadata]).toEqual([['format', 'pt']]);
    expect([...f.tensor('__proto__').toFloat64()]).toEqual([0, 1]);
    expect(f.has('constructor')).toBe(false);
    expect(() => f.tensor('toStrin')).toThrow('SSM5007: there is no tensor `toStrin`; nearest: `toString`');
  });
  it('every dtype with a conversion, at every alignment of the file', () => {
    const bytes: number[] = [];
    const parts: string[] = [];
    const put = (name: string, dtype: string, data: ArrayBufferView, count: number): void => {
      const at = bytes.length;
      bytes.push(...new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      parts.push(`"${name}":${entry(dtype, `[${count}]`, at, bytes.length)}`);
    };
    put('u8', 'U8', new Uint8Array([255]), 1); // from here on nothing is aligned
    put('f32', 'F32', new Float32Array([1.5, -0, NaN, Infinity]), 4);
    put('f64', 'F64', new Float64Array([Math.PI, 1e-320]), 2);
    put('f16', 'F16', new Uint16Array([0x3c00, 0x8000, 0x0001, 0x7bff, 0x7c00, 0xfc00, 0x7e00, 0xc000]), 8);
    put('bf16', 'BF16', new Uint16Array([0x3f80, 0x8000, 0x0001, 0x7f80, 0xff80, 0x7fc0, 0xc000]), 7);
    put('i8', 'I8', new Int8Array([-128]), 1);
    put('i16', 'I16', new Int16Array([-32768]), 1);
    put('u16', 'U16', new Uint16Array([65535]), 1);
    put('i32', 'I32', new Int32Array([-(2 ** 31)]), 1);
    put('u32', 'U32', new Uint32Array([2 ** 32 - 1]), 1);
    put('i64', 'I64', new BigInt64Array([-(2n ** 40n)]), 1);
    put('u64', 'U64', new BigUint64Array([2n ** 52n]), 1);
    const plain = file(`{${parts.join(',')}}`, bytes.length);
    plain.set(bytes, plain.length - bytes.length);
    for (let shift = 0; shift < 8; shift++) {
      const moved = new Uint8Array(plain.length + shift).subarray(shift);
      moved.set(plain);
      // What Node reads a file to: its `slice` copies nothing, so what isn't aligned stays so.
      const f = readSafetensors(shift % 2 ? moved : Buffer.from(moved.buffer, shift));
      const values = (name: string): number[] => [...f.tensor(name).toFloat64()];
      expect(values('f32')).toEqual([1.5, -0, NaN, Infinity]);
      expect([...f.tensor('f32').toFloat32()]).toEqual([1.5, -0, NaN, Infinity]);
      expect(values('f64')).toEqual([Math.PI, 1e-320]);
      expect(values('f16')).toEqual([1, -0, 2 ** -24, 65504, Infinity, -Infinity, NaN, -2]);
      expect(values('bf16')).toEqual([1, -0, 2 ** -133, Infinity, -Infinity, NaN, -2]);
      expect(['u8', 'i8', 'i16', 'u16', 'i32', 'u32', 'i64', 'u64'].flatMap(values)).toEqual([255, -128, -32768, 65535, -(2 ** 31), 2 ** 32 - 1, -(2 ** 40), 2 ** 52]);
    }
  });
  it('what has no conversion is listed, and refused when it is asked for', () => {
    const f = readSafetensors(file(`{"a":${entry('BOOL', '[2]', 0, 2)}}`, 2));
    expect(f.tensor('a').dtype).toBe('BOOL');
    expect(() => f.tensor('a').toFloat32()).toThrow('SSM5006: tensor `a`: expected a dtype of numbers, got BOOL');
  });
  it('what it writes, bit for bit', () => {
    fc.assert(fc.property(fc.dictionary(fc.string(), fc.oneof(fc.float32Array(), fc.float64Array())), (record) => {
      const given = Object.entries(record).filter(([n]) => n !== '__metadata__');
      const f = readSafetensors(writeSafetensors(new Map(given.map(([n, data]) => [n, { data, shape: [data.length] }]))));
      expect(new Set(f.names)).toEqual(new Set(given.map(([n]) => n)));
      for (const [n, data] of given) expect([...f.tensor(n).toFloat64()]).toEqual([...data]);
    }));
  });
});

describe('safetensors: no input makes it throw anything but a WeightsError', () => {
  const reads = (bytes: Uint8Array): void => {
    try {
      const f = readSafetensors(bytes);
      for (const n of f.names) f.tensor(n).toFloat64();
    } catch (error) {
      if (!(error instanceof WeightsError)) throw error;
    }
  };
  it('random bytes', () => fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), reads), { numRuns: 2000 }));
  it('random JSON as header', () => fc.assert(fc.property(fc.json(), fc.nat(40), (json, bytes) => reads(file(`{"a":${json}}`, bytes))), { numRuns: 2000 }));
  it('a good file with a byte changed, or cut short', () => {
    const good = writeSafetensors({ 'a.b': { data: new Float32Array(6), shape: [2, 3] }, c: { data: new Float64Array(2), shape: [2] } }, { k: 'v' });
    fc.assert(fc.property(fc.nat(good.length - 1), fc.nat(255), fc.boolean(), (at, value, cut) => {
      const bytes = good.slice();
      bytes[at] = value;
      reads(cut ? bytes.subarray(0, at) : bytes);
    }), { numRuns: 3000 });
  });
  it('entries with random fields', () => {
    const size = fc.oneof(fc.nat(4), fc.maxSafeInteger(), fc.constant(2 ** 53), fc.double());
    const fields = fc.record({ dtype: fc.constantFrom('F32', 'F16', 'U8', 'BOOL', 'x'), shape: fc.array(size, { maxLength: 4 }), data_offsets: fc.array(size, { maxLength: 3 }) }, { requiredKeys: [] });
    fc.assert(fc.property(fc.dictionary(fc.string(), fields), fc.nat(20), (header, bytes) => reads(file(JSON.stringify(header), bytes))), { numRuns: 2000 });
  });
  it('a name of five million characters, and brackets as deep', () => {
    reads(file(`{"${'a'.repeat(5e6)}":1}`));
    reads(file(`{"a":${'['.repeat(5e6)}}`));
    reads(file(`{"a":${'{"b":'.repeat(1e5)}0${'}'.repeat(1e5)}}`));
  });
});
