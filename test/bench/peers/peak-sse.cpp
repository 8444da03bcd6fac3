// The most that 128-bit vectors without fused multiply-add can do here: independent multiplications and additions on registers.
// Chains of additions hide their latency behind one another; each product is an addition's operand, as in a matrix product.
#include <smmintrin.h>
#include "peer.hpp"

typedef __m128 V;

// 10 accumulators and 5 factors: sixteen registers, with one to hold a product.
static float work(int64_t turns) {
  V sums[10], factors[5];
  for (int i = 0; i < 10; i++) sums[i] = _mm_set1_ps(0.0f);
  for (int i = 0; i < 5; i++) factors[i] = _mm_set1_ps(1e-3f * (i + 1));
  for (int64_t turn = 0; turn < turns; turn++) {
#pragma GCC unroll 10
    for (int i = 0; i < 10; i++) {
      V product = factors[i % 5];
      // Opaque: or the compiler would see that every turn multiplies the same numbers.
      asm volatile("mulps %1, %0" : "+x"(product) : "x"(factors[(i + 1) % 5]));
      sums[i] = _mm_add_ps(sums[i], product);
    }
  }
  V total = sums[0];
  for (int i = 1; i < 10; i++) total = _mm_add_ps(total, sums[i]);
  return _mm_cvtss_f32(total);
}

int main(int, char **argv) {
  FILE *file = std::fopen(argv[1], "rb");
  need(file, "no input file");
  int32_t thousands;
  need(std::fread(&thousands, sizeof thousands, 1, file) == 1, "input file too short");
  std::fclose(file);
  const int64_t turns = int64_t(thousands) * 1000 / 80; // 10 products and 10 sums of four lanes
  std::vector<float> result(1);
  return serve(result, argv[2], [&] { result[0] = work(turns); });
}
