// The most that 128-bit vectors without fused multiply-add can do here: multiplications and additions on registers alone. Six chains of
// each hide the latency of both and leave nothing to be copied; a product is an addition's operand, as in a matrix product.
#include <cmath>
#include <smmintrin.h>
#include "peer.hpp"

typedef __m128 V;
static const int CHAINS = 6, FLOPS = 2 * CHAINS * 4;

static float work(int64_t turns) {
  V sums[CHAINS], products[CHAINS];
  const V one = _mm_set1_ps(1.0f);
  for (int i = 0; i < CHAINS; i++) {
    sums[i] = _mm_setzero_ps();
    products[i] = _mm_set1_ps(1e-3f * (i + 1));
  }
  for (int64_t turn = 0; turn < turns; turn++) {
#pragma GCC unroll 6
    for (int i = 0; i < CHAINS; i++) {
      asm volatile("mulps %1, %0" : "+x"(products[i]) : "x"(one)); // opaque: a product by 1 would be taken away
      sums[i] = _mm_add_ps(sums[i], products[i]);
    }
  }
  V total = sums[0];
  for (int i = 1; i < CHAINS; i++) total = _mm_add_ps(total, sums[i]);
  return _mm_cvtss_f32(total);
}

int main(int, char **argv) {
  FILE *file = std::fopen(argv[1], "rb");
  need(file, "no input file");
  int32_t thousands;
  need(std::fread(&thousands, sizeof thousands, 1, file) == 1, "input file too short");
  std::fclose(file);
  const int64_t turns = int64_t(thousands) * 1000 / FLOPS;
  std::vector<float> result(1);
  // How well the pipes are filled differs from one start of the loop to the next: the best of some short pieces is the peak.
  const int pieces = 8;
  return serve(result, argv[2], [&] {
    double best = 1e30;
    for (int piece = 0; piece < pieces; piece++) {
      const double start = milliseconds();
      result[0] = work(turns / pieces);
      best = std::fmin(best, milliseconds() - start);
    }
    return best * pieces;
  });
}
