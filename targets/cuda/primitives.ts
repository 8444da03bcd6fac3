/**
 * What kernels ask of the chip beyond C++: the few instructions that have no name there. They stand in one block that a test can put
 * its own in the place of, so that all the rest of the source runs on a CPU as it is.
 */
export const primitives = `#ifndef SSM_PRIMITIVES
#define SSM_PRIMITIVES
// The larger and the smaller; NaN where one of them is.
__device__ __forceinline__ float ssm_max(float a, float b) {
  float y;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
  return y;
}
__device__ __forceinline__ float ssm_min(float a, float b) {
  float y;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
  return y;
}
// float16 and bfloat16 by their bits: to float32, and from it to the nearest, ties to even, past the range to infinity.
__device__ __forceinline__ float ssm_from_f16(unsigned short bits) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(bits));
  return y;
}
__device__ __forceinline__ unsigned short ssm_to_f16(float x) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}
__device__ __forceinline__ float ssm_from_bf16(unsigned short bits) {
  return __uint_as_float((unsigned)bits << 16);
}
__device__ __forceinline__ unsigned short ssm_to_bf16(float x) {
  unsigned short bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}
// Elements of memory to the block's, while the thread goes on: one, or four at an address that they divide.
__device__ __forceinline__ void ssm_copy_1(float* to, const float* from) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" : : "r"((unsigned)__cvta_generic_to_shared(to)), "l"(__cvta_generic_to_global(from)) : "memory");
}
__device__ __forceinline__ void ssm_copy_4(float* to, const float* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" : : "r"((unsigned)__cvta_generic_to_shared(to)), "l"(__cvta_generic_to_global(from)) : "memory");
}
// The same of 4 or 16 bytes of any kind, of which so many are there: the rest is 0.
__device__ __forceinline__ void ssm_copy_part_1(void* to, const void* from, unsigned bytes) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" : : "r"((unsigned)__cvta_generic_to_shared(to)), "l"(__cvta_generic_to_global(from)), "r"(bytes) : "memory");
}
__device__ __forceinline__ void ssm_copy_part_4(void* to, const void* from, unsigned bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" : : "r"((unsigned)__cvta_generic_to_shared(to)), "l"(__cvta_generic_to_global(from)), "r"(bytes) : "memory");
}
__device__ __forceinline__ void ssm_commit() {
  asm volatile("cp.async.commit_group;" : : : "memory");
}
// All copies of this thread are there but those of the last groups.
template <int pending> __device__ __forceinline__ void ssm_await() {
  asm volatile("cp.async.wait_group %0;" : : "n"(pending) : "memory");
}
// A tile of 16 lines of 16 elements, from the block's memory to a warp's registers: its quarters of 8 by 8 as they lie, lines below first, or each turned. A thread's
// address is that of line lid % 8 of quarter lid / 8.
struct ssm_tile { unsigned a, b, c, d; };
__device__ __forceinline__ ssm_tile ssm_load_tile(const unsigned short* at) {
  ssm_tile t;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(t.a), "=r"(t.b), "=r"(t.c), "=r"(t.d) : "r"((unsigned)__cvta_generic_to_shared(at)) : "memory");
  return t;
}
__device__ __forceinline__ ssm_tile ssm_load_turned(const unsigned short* at) {
  ssm_tile t;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(t.a), "=r"(t.b), "=r"(t.c), "=r"(t.d) : "r"((unsigned)__cvta_generic_to_shared(at)) : "memory");
  return t;
}
// Sums of 16 by 8 += a tile of 16 by 16 times one of 16 by 8, by a warp.
__device__ __forceinline__ void ssm_multiply_f16(float& s0, float& s1, float& s2, float& s3, const ssm_tile& x, unsigned y0, unsigned y1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
    : "+f"(s0), "+f"(s1), "+f"(s2), "+f"(s3) : "r"(x.a), "r"(x.b), "r"(x.c), "r"(x.d), "r"(y0), "r"(y1));
}
__device__ __forceinline__ void ssm_multiply_bf16(float& s0, float& s1, float& s2, float& s3, const ssm_tile& x, unsigned y0, unsigned y1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
    : "+f"(s0), "+f"(s1), "+f"(s2), "+f"(s3) : "r"(x.a), "r"(x.b), "r"(x.c), "r"(x.d), "r"(y0), "r"(y1));
}
#endif`;

/** Over all lanes of a group, pairwise in a fixed order; every thread has the result. */
export function reduction(name: string): string {
  const [op = 'sum', count = '1'] = name.split('_');
  const lanes = Number(count);
  const join = (a: string, b: string): string => (op === 'sum' ? `${a} + ${b}` : `ssm_${op}(${a}, ${b})`);
  // The lanes of a point lie as far apart as a warp allows.
  const apart = Math.max(1, 32 / lanes);
  const steps = [16, 8, 4, 2, 1].filter((k) => k < lanes).map((k) => `  x = ${join('x', `__shfl_xor_sync(0xffffffffu, x, ${k * apart})`)};`);
  const warps = lanes / 32;
  if (warps <= 1) return [`__device__ __forceinline__ float ssm_reduce_${name}(float x) {`, ...steps, '  return x;', '}'].join('\n');
  const parts = Array.from({ length: warps }, (_, k) => `parts[${k}]`);
  const tree = (list: readonly string[]): string => (list.length === 1 ? list[0] as string : join(`(${tree(list.slice(0, list.length / 2))})`, `(${tree(list.slice(list.length / 2))})`));
  return [
    `__device__ float ssm_reduce_${name}(float x) {`,
    `  __shared__ float parts[${warps}];`,
    ...steps,
    '  __syncthreads();',
    '  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;',
    '  __syncthreads();',
    `  return ${tree(parts)};`,
    '}',
  ].join('\n');
}
