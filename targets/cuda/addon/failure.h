// What went wrong, for JavaScript to word: thrown by whatever talks to a driver, and by the addon for what it refuses itself.
#pragma once
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

namespace ssmc {

enum class Kind { noDriver, noDevice, tooOld, noKernels, outOfMemory, lost, refused, disposed };

struct Failure : std::exception {
  Kind kind;
  std::string why;
  // Bytes that were asked for, where there were not as many.
  uint64_t bytes = 0;

  Failure(Kind k, std::string text, uint64_t n = 0) : kind(k), why(std::move(text)), bytes(n) {}
  const char* what() const noexcept override { return why.c_str(); }
};

inline const char* kindName(Kind kind) {
  switch (kind) {
    case Kind::noDriver: return "no-driver";
    case Kind::noDevice: return "no-device";
    case Kind::tooOld: return "too-old";
    case Kind::noKernels: return "no-kernels";
    case Kind::outOfMemory: return "out-of-memory";
    case Kind::lost: return "lost";
    case Kind::refused: return "refused";
    case Kind::disposed: return "disposed";
  }
  return "refused";
}

}  // namespace ssmc
