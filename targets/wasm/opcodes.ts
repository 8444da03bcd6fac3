/** Instruction codes by their names in the specification; those above 0xff have the SIMD prefix 0xfd. */
const simd = (code: number): readonly number[] => {
  const leb: number[] = [];
  let v = code;
  do { leb.push(v > 127 ? (v % 128) | 0x80 : v); v = Math.floor(v / 128); } while (v > 0);
  return [0xfd, ...leb];
};

export const op = {
  block: [0x02, 0x40], loop: [0x03, 0x40], if: [0x04, 0x40], else: [0x05], end: [0x0b], br: [0x0c], br_if: [0x0d], call: [0x10],
  drop: [0x1a], select: [0x1b], 'local.get': [0x20], 'local.set': [0x21], 'local.tee': [0x22],
  'i32.load': [0x28], 'f32.load': [0x2a], 'f64.load': [0x2b], 'f32.store': [0x38], 'f64.store': [0x39],
  'i32.const': [0x41], 'f64.const': [0x44], 'i32.eqz': [0x45], 'i32.eq': [0x46], 'i32.ne': [0x47], 'i32.lt_s': [0x48], 'i32.gt_s': [0x4a], 'i32.le_s': [0x4c], 'i32.ge_s': [0x4e],
  'f64.eq': [0x61], 'f64.ne': [0x62], 'f64.lt': [0x63], 'f64.gt': [0x64], 'f64.le': [0x65], 'f64.ge': [0x66],
  'i32.add': [0x6a], 'i32.sub': [0x6b], 'i32.mul': [0x6c], 'i32.div_s': [0x6d], 'i32.rem_s': [0x6f], 'i32.and': [0x71], 'i32.or': [0x72], 'i32.shl': [0x74], 'i32.shr_s': [0x75],
  'f64.abs': [0x99], 'f64.neg': [0x9a], 'f64.ceil': [0x9b], 'f64.floor': [0x9c], 'f64.sqrt': [0x9f], 'f64.add': [0xa0], 'f64.sub': [0xa1], 'f64.mul': [0xa2], 'f64.div': [0xa3], 'f64.min': [0xa4], 'f64.max': [0xa5],
  'f32.demote_f64': [0xb6], 'f64.convert_i32_s': [0xb7], 'f64.promote_f32': [0xbb], 'f32.convert_i32_s': [0xb2],
  'v128.load': simd(0x00), 'v128.load32_splat': simd(0x09), 'v128.store': simd(0x0b), 'v128.const': simd(0x0c), 'i8x16.shuffle': simd(0x0d), 'i32x4.splat': simd(0x11), 'f32x4.splat': simd(0x13),
  'v128.load32_lane': simd(0x54 + 2), 'v128.store32_lane': simd(0x58 + 2), 'v128.load32_zero': simd(0x5c),
  'i32x4.eq': simd(0x37), 'i32x4.gt_s': simd(0x3b), 'f32x4.eq': simd(0x41), 'f32x4.ne': simd(0x42), 'f32x4.lt': simd(0x43), 'f32x4.gt': simd(0x44), 'f32x4.le': simd(0x45), 'f32x4.ge': simd(0x46),
  'v128.not': simd(0x4d), 'v128.and': simd(0x4e), 'v128.andnot': simd(0x4f), 'v128.or': simd(0x50), 'v128.xor': simd(0x51), 'v128.bitselect': simd(0x52),
  'f32x4.ceil': simd(0x67), 'f32x4.floor': simd(0x68), 'f32x4.nearest': simd(0x6a),
  'i32x4.all_true': simd(0xa3), 'i32x4.shl': simd(0xab), 'i32x4.shr_s': simd(0xac), 'i32x4.shr_u': simd(0xad), 'i32x4.add': simd(0xae), 'i32x4.sub': simd(0xb1),
  'f32x4.abs': simd(0xe0), 'f32x4.neg': simd(0xe1), 'f32x4.sqrt': simd(0xe3), 'f32x4.add': simd(0xe4), 'f32x4.sub': simd(0xe5), 'f32x4.mul': simd(0xe6), 'f32x4.div': simd(0xe7),
  'f32x4.pmin': simd(0xea), 'f32x4.pmax': simd(0xeb), 'i32x4.trunc_sat_f32x4_s': simd(0xf8), 'f32x4.convert_i32x4_s': simd(0xfa), 'f32x4.relaxed_madd': simd(0x105),
} as const satisfies Record<string, readonly number[]>;
export type Op = keyof typeof op;
