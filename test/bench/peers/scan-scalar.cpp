// The mean-coupled scan in scalar C: token, then channel, then state, expf from the library, as CPU runtimes for Mamba do it.
#include <cmath>
#include "peer.hpp"

static void scan(Problem &p, std::vector<float> &mean) {
  const int D = p.channels, N = p.states, M = p.modalities;
  float next[1024];
  std::memset(mean.data(), 0, mean.size() * sizeof(float));
  for (int t = 0; t < p.steps; t++)
    for (int d = 0; d < D; d++) {
      float *s = &mean[size_t(d) * N];
      for (int n = 0; n < N; n++) next[n] = 0;
      for (int m = 0; m < M; m++) {
        const size_t row = size_t(t) * M + m;
        const float dt = p.dt[row * D + d], drive = dt * p.u[row * D + d];
        const float *A = &p.A[(size_t(m) * D + d) * N], *B = &p.B[row * N], *C = &p.C[row * N];
        float y = 0;
        for (int n = 0; n < N; n++) {
          const float h = expf(dt * A[n]) * s[n] + drive * B[n];
          y += h * C[n];
          next[n] += h;
        }
        p.y[row * D + d] = y;
      }
      for (int n = 0; n < N; n++) s[n] = next[n] * (1.0f / M);
    }
}

int main(int, char **argv) {
  Problem p = readProblem(argv[1]);
  need(p.states <= 1024, "too many states");
  std::vector<float> mean(size_t(p.channels) * p.states);
  return serve(p.y, argv[2], [&] { scan(p, mean); });
}
