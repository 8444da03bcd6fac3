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
extern "C" void ssm_copy(void* to, const void* from, unsigned bytes);
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
static inline void ssm_copy_1(float* to, const float* from) { ssm_copy(to, from, 4); }
static inline void ssm_copy_4(float* to, const float* from) { ssm_copy(to, from, 16); }
static inline void ssm_commit() { ssm_close(); }
template <int pending> static inline void ssm_await() { ssm_wait(pending); }

// A kernel's arguments, as cuLaunchKernel takes them.
template <unsigned long...> struct SsmPositions {};
template <class... A, unsigned long... K> __attribute__((no_sanitize("thread"))) static void ssm_apply(void (*kernel)(A...), void** arguments, const SsmPositions<K...>*) { kernel(*(A*)arguments[K]...); }
template <class... A> __attribute__((no_sanitize("thread"))) static void ssm_unpack(void (*kernel)(A...), void** arguments) { ssm_apply(kernel, arguments, (const SsmPositions<__integer_pack(sizeof...(A))...>*)nullptr); }

