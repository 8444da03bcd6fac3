// CUDA's built-ins for g++, for tests: the source that ships is included after this header and compiled with -fsanitize=thread, whose calls
// at every access of memory come to runtime.cpp in place of that sanitizer's own library. Threads are fibres.
#pragma once
#define __global__
#define __device__ static
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
// All shared memory lies in one section, so that it can be told from the rest.
#define __shared__ static __attribute__((section("ssm_shared")))

struct SsmIndex { unsigned x, y, z; };
struct SsmPlace { SsmIndex thread, block, threads, blocks; };
extern "C" SsmPlace ssm_place;
#define threadIdx ssm_place.thread
#define blockIdx ssm_place.block
#define blockDim ssm_place.threads
#define gridDim ssm_place.blocks

extern "C" void ssm_barrier();
extern "C" unsigned ssm_exchange(unsigned value, unsigned mask);
extern "C" void ssm_copy(void* to, const void* from, unsigned bytes, unsigned there);
// What each thread of the warp gives, eight words of each.
extern "C" void ssm_gather(const unsigned (&mine)[8], unsigned (&all)[32][8]);
extern "C" void ssm_close();
extern "C" void ssm_wait(unsigned pending);

static inline void __syncthreads() { ssm_barrier(); }
static inline int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
static inline unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
static inline float __int_as_float(int x) { return __builtin_bit_cast(float, x); }
static inline float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }
static inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline float __shfl_xor_sync(unsigned, float x, int mask) { return __uint_as_float(ssm_exchange(__float_as_uint(x), (unsigned)mask)); }
static inline float sqrtf(float x) { return __builtin_sqrtf(x); }
static inline float fabsf(float x) { return __builtin_fabsf(x); }
static inline float floorf(float x) { return __builtin_floorf(x); }
static inline float ceilf(float x) { return __builtin_ceilf(x); }
static inline float rintf(float x) { return __builtin_rintf(x); }
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }

// In the place of the source's own block.
#define SSM_PRIMITIVES
static inline float ssm_max(float a, float b) { return a > b || a != a ? a : b; }
static inline float ssm_min(float a, float b) { return a < b || a != a ? a : b; }

static inline float ssm_from_f16(unsigned short bits) { return (float)__builtin_bit_cast(_Float16, bits); }
static inline unsigned short ssm_to_f16(float x) { return __builtin_bit_cast(unsigned short, (_Float16)x); }
static inline float ssm_from_bf16(unsigned short bits) { return __uint_as_float((unsigned)bits << 16); }
static inline unsigned short ssm_to_bf16(float x) {
  const unsigned bits = __float_as_uint(x);
  return x != x ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
static inline void ssm_copy_1(float* to, const float* from) { ssm_copy(to, from, 4, 4); }
static inline void ssm_copy_4(float* to, const float* from) { ssm_copy(to, from, 16, 16); }
static inline void ssm_copy_part_1(void* to, const void* from, unsigned bytes) { ssm_copy(to, from, 4, bytes); }
static inline void ssm_copy_part_4(void* to, const void* from, unsigned bytes) { ssm_copy(to, from, 16, bytes); }
static inline void ssm_commit() { ssm_close(); }
template <int pending> static inline void ssm_await() { ssm_wait(pending); }

// As the PTX ISA has ldmatrix and mma.m16n8k16: which thread gives the address of which line, and which elements of which matrix each has in its registers.
struct ssm_tile { unsigned a, b, c, d; };
static inline unsigned ssm_line(const unsigned (&given)[8], unsigned offset) {
  return ((const unsigned short*)(((unsigned long)given[1] << 32) | given[0]))[offset];
}
static inline ssm_tile ssm_load(const unsigned short* at, bool turned) {
  const unsigned lane = threadIdx.x % 32, g = lane / 4, q = lane % 4;
  const unsigned mine[8] = {(unsigned)(unsigned long)at, (unsigned)((unsigned long)at >> 32)};
  unsigned lines[32][8];
  ssm_gather(mine, lines);
  unsigned r[4];
  for (unsigned m = 0; m < 4; m++) {
    const unsigned low = turned ? ssm_line(lines[8 * m + 2 * q], g) : ssm_line(lines[8 * m + g], 2 * q);
    const unsigned high = turned ? ssm_line(lines[8 * m + 2 * q + 1], g) : ssm_line(lines[8 * m + g], 2 * q + 1);
    r[m] = low | high << 16;
  }
  return {r[0], r[1], r[2], r[3]};
}
static inline ssm_tile ssm_load_tile(const unsigned short* at) { return ssm_load(at, false); }
static inline ssm_tile ssm_load_turned(const unsigned short* at) { return ssm_load(at, true); }
template <float (*number)(unsigned short)> static inline void ssm_multiply(float& s0, float& s1, float& s2, float& s3, const ssm_tile& x, unsigned y0, unsigned y1) {
  const unsigned lane = threadIdx.x % 32, g = lane / 4, q = lane % 4;
  const unsigned mine[8] = {x.a, x.b, x.c, x.d, y0, y1};
  unsigned all[32][8];
  ssm_gather(mine, all);
  float* const sums[4] = {&s0, &s1, &s2, &s3};
  for (unsigned s = 0; s < 4; s++) for (unsigned k = 0; k < 16; k++) {
    const unsigned row = s / 2, column = 2 * q + s % 2;
    const unsigned a = all[4 * g + k % 8 / 2][row + 2 * (k / 8)], b = all[4 * column + k % 8 / 2][4 + k / 8];
    *sums[s] = __fmaf_rn(number(a >> 16 * (k % 2)), number(b >> 16 * (k % 2)), *sums[s]);
  }
}
static inline void ssm_multiply_f16(float& s0, float& s1, float& s2, float& s3, const ssm_tile& x, unsigned y0, unsigned y1) { ssm_multiply<ssm_from_f16>(s0, s1, s2, s3, x, y0, y1); }
static inline void ssm_multiply_bf16(float& s0, float& s1, float& s2, float& s3, const ssm_tile& x, unsigned y0, unsigned y1) { ssm_multiply<ssm_from_bf16>(s0, s1, s2, s3, x, y0, y1); }

// A kernel's arguments, as cuLaunchKernel takes them.
template <unsigned long...> struct SsmPositions {};
template <class... A, unsigned long... K> __attribute__((no_sanitize("thread"))) static void ssm_apply(void (*kernel)(A...), void** arguments, const SsmPositions<K...>*) { kernel(*(A*)arguments[K]...); }
template <class... A> __attribute__((no_sanitize("thread"))) static void ssm_unpack(void (*kernel)(A...), void** arguments) { ssm_apply(kernel, arguments, (const SsmPositions<__integer_pack(sizeof...(A))...>*)nullptr); }

