// What the C++ peers share: the input file, the clock and the protocol of lines (see src/bench/peer-process.ts).
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <type_traits>
#include <vector>

struct Problem {
  int32_t steps, channels, states, modalities;
  std::vector<float> dt, u, B, C, A, y;
};

inline void need(bool fine, const char *what) {
  if (!fine) { std::fprintf(stderr, "%s\n", what); std::exit(1); }
}

inline std::vector<float> floats(FILE *file, size_t count) {
  std::vector<float> values(count);
  need(std::fread(values.data(), sizeof(float), count, file) == count, "input file too short");
  return values;
}

inline Problem readProblem(const char *path) {
  FILE *file = std::fopen(path, "rb");
  need(file, "no input file");
  Problem p;
  need(std::fread(&p.steps, sizeof(int32_t), 4, file) == 4, "input file too short");
  const size_t rows = size_t(p.steps) * p.modalities;
  p.dt = floats(file, rows * p.channels);
  p.u = floats(file, rows * p.channels);
  p.B = floats(file, rows * p.states);
  p.C = floats(file, rows * p.states);
  p.A = floats(file, size_t(p.modalities) * p.channels * p.states);
  p.y.resize(rows * p.channels);
  std::fclose(file);
  return p;
}

// The clock that everyone is measured by (src/bench/clock.ts).
inline double milliseconds() {
  static const char *which = std::getenv("SSMC_BENCH_CLOCK");
  static const clockid_t clock = which && !std::strcmp(which, "processor") ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1e3 + now.tv_nsec * 1e-6;
}

// The time of a run: by the clock around it, or what it says itself.
template <class Run> auto timed(Run run) -> std::enable_if_t<std::is_void<decltype(run())>::value, double> {
  const double start = milliseconds();
  run();
  return milliseconds() - start;
}
template <class Run> auto timed(Run run) -> std::enable_if_t<!std::is_void<decltype(run())>::value, double> { return run(); }

template <class Run> int serve(const std::vector<float> &result, const char *path, Run run) {
  char line[64];
  while (std::fgets(line, sizeof line, stdin)) {
    if (!std::strncmp(line, "run", 3)) {
      std::printf("%.6f\n", timed(run));
    } else {
      FILE *file = std::fopen(path, "wb");
      need(file && std::fwrite(result.data(), sizeof(float), result.size(), file) == result.size() && !std::fclose(file), "can't write the result");
      std::puts("saved");
    }
    std::fflush(stdout);
  }
  return 0;
}
