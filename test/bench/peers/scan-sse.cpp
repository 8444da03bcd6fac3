// The mean-coupled scan over 128-bit vectors, without fused multiply-add: what a careful person would write by hand at the width
// that WebAssembly has. Lanes are channels, two vectors to a tile; the tile's states stay in the first-level cache; A is packed per
// tile and multiplied by log2 e beforehand; exponents are clamped only where a step is so long that a decay could leave the normal
// range of float32.
#include <cmath>
#include <smmintrin.h>
#include "peer.hpp"

typedef __m128 V;
static inline V set(float x) { return _mm_set1_ps(x); }

// 2^x, x in [-126, 0]: the nearest integer goes to the exponent, the rest, in [-1/2, 1/2], to a minimax polynomial of degree 5 with
// relative error 9.2e-8, in split form for a shorter chain.
static inline V exp2v(V x) {
  const V magic = set(12582912.0f);
  const V shifted = _mm_add_ps(x, magic);
  const V f = _mm_sub_ps(x, _mm_sub_ps(shifted, magic));
  const V f2 = _mm_mul_ps(f, f);
  const V low = _mm_add_ps(_mm_mul_ps(f, set(0.6931470036506653f)), set(1.0f));
  const V mid = _mm_add_ps(_mm_mul_ps(f, set(0.05550733581185341f)), set(0.24022242426872253f));
  const V high = _mm_add_ps(_mm_mul_ps(f, set(0.001326472731307149f)), set(0.009671512991189957f));
  const V p = _mm_add_ps(_mm_mul_ps(_mm_add_ps(_mm_mul_ps(high, f2), mid), f2), low);
  return _mm_castsi128_ps(_mm_add_epi32(_mm_castps_si128(p), _mm_slli_epi32(_mm_castps_si128(shifted), 23)));
}

static const int K = 2, W = 4 * K;

template <int M, bool clamp>
static inline void step(const Problem &p, size_t t, int tile, const float *A, float *state, float *out) {
  const int D = p.channels, N = p.states;
  V dt[M][K], drive[M][K], y[M][K];
  for (int m = 0; m < M; m++)
    for (int k = 0; k < K; k++) {
      const size_t at = (t * M + m) * D + tile + 4 * k;
      dt[m][k] = _mm_loadu_ps(&p.dt[at]);
      drive[m][k] = _mm_mul_ps(dt[m][k], _mm_loadu_ps(&p.u[at]));
      y[m][k] = _mm_setzero_ps();
    }
  const float *B = &p.B[t * M * N], *C = &p.C[t * M * N];
  for (int n = 0; n < N; n++) {
    V s[K], next[K];
    for (int k = 0; k < K; k++) s[k] = _mm_load_ps(state + n * W + 4 * k);
#pragma GCC unroll 4
    for (int m = 0; m < M; m++) {
      const V b = set(B[m * N + n]), c = set(C[m * N + n]);
#pragma GCC unroll 4
      for (int k = 0; k < K; k++) {
        V x = _mm_mul_ps(dt[m][k], _mm_load_ps(A + (n * M + m) * W + 4 * k));
        if (clamp) x = _mm_max_ps(x, set(-126.0f));
        const V h = _mm_add_ps(_mm_mul_ps(exp2v(x), s[k]), _mm_mul_ps(drive[m][k], b));
        y[m][k] = _mm_add_ps(y[m][k], _mm_mul_ps(h, c));
        next[k] = m == 0 ? h : _mm_add_ps(next[k], h);
      }
    }
    for (int k = 0; k < K; k++) _mm_store_ps(state + n * W + 4 * k, M == 1 ? next[k] : _mm_mul_ps(next[k], set(1.0f / M)));
  }
  for (int m = 0; m < M; m++)
    for (int k = 0; k < K; k++) _mm_storeu_ps(out + (t * M + m) * D + tile + 4 * k, y[m][k]);
}

struct Packed {
  float *A;       // [tile, state, modality, W], times log2 e
  float *longest; // [tile]: the longest step that needs no clamp
};

template <int M> static Packed pack(const Problem &p) {
  const int D = p.channels, N = p.states;
  Packed q = {(float *)aligned_alloc(64, size_t(M) * D * N * sizeof(float)), (float *)malloc(D / W * sizeof(float))};
  for (int tile = 0; tile < D / W; tile++) {
    float largest = 0;
    for (int n = 0; n < N; n++)
      for (int m = 0; m < M; m++)
        for (int l = 0; l < W; l++) {
          const float a = p.A[(size_t(m) * D + tile * W + l) * N + n] * 1.4426950408889634f;
          q.A[((size_t(tile) * N + n) * M + m) * W + l] = a;
          largest = fmaxf(largest, -a);
        }
    q.longest[tile] = 126.0f / largest;
  }
  return q;
}

template <int M> static void scan(Problem &p, const Packed &q) {
  const int D = p.channels, N = p.states;
  alignas(64) float state[256 * W];
  for (int tile = 0; tile < D / W; tile++) {
    std::memset(state, 0, sizeof(float) * N * W);
    const float *A = q.A + size_t(tile) * N * M * W;
    const V longest = set(q.longest[tile]);
    for (int t = 0; t < p.steps; t++) {
      V over = _mm_setzero_ps();
      for (int m = 0; m < M; m++)
        for (int k = 0; k < K; k++) over = _mm_or_ps(over, _mm_cmpgt_ps(_mm_loadu_ps(&p.dt[(size_t(t) * M + m) * D + tile * W + 4 * k]), longest));
      if (_mm_movemask_ps(over)) step<M, true>(p, t, tile * W, A, state, p.y.data());
      else step<M, false>(p, t, tile * W, A, state, p.y.data());
    }
  }
}

template <int M> static int main2(Problem &p, const char *path) {
  const Packed q = pack<M>(p);
  return serve(p.y, path, [&] { scan<M>(p, q); });
}

int main(int, char **argv) {
  Problem p = readProblem(argv[1]);
  need(p.states <= 256 && p.channels % W == 0, "unsupported shape");
  if (p.modalities == 1) return main2<1>(p, argv[2]);
  if (p.modalities == 2) return main2<2>(p, argv[2]);
  need(p.modalities == 3, "one to three modalities");
  return main2<3>(p, argv[2]);
}
