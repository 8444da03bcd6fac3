// One kernel in plain C++, for runs under AddressSanitizer, which doesn't follow the fibres of test/cuda/emulation: y[k] = x[k] · by for k below n.
#include <cstddef>
#include <cstring>

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT int ssm_launch(const char*, const unsigned* grid, const unsigned* block, unsigned, void** arguments) {
  const float* x;
  float* y;
  int n, by;
  std::memcpy(&x, arguments[0], sizeof x);
  std::memcpy(&y, arguments[1], sizeof y);
  std::memcpy(&n, arguments[2], sizeof n);
  std::memcpy(&by, arguments[3], sizeof by);
  for (int k = 0; k < n && k < static_cast<int>(grid[0] * block[0]); ++k) y[k] = x[k] * static_cast<float>(by);
  return 0;
}
EXPORT const char* ssm_faults() { return ""; }
EXPORT void ssm_region(void*, size_t) {}
EXPORT void ssm_forget(void*) {}
