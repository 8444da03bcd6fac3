// Memory in few large pieces of a driver, handed out in small ones: on the device, or pinned on the host. Belongs to one thread.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace ssmc {

class Arena {
 public:
  struct Block {
    uint64_t address = 0;
    uint64_t bytes = 0;
  };
  // `take` throws what it can't have; `give` doesn't throw.
  Arena(std::function<uint64_t(uint64_t bytes)> take, std::function<void(uint64_t address)> give) : take_(std::move(take)), give_(std::move(give)) {}
  ~Arena() { clear(); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Throws Failure outOfMemory.
  Block allocate(uint64_t bytes);
  void free(const Block& block);
  // Gives everything back, whoever still has it.
  void clear();

 private:
  struct Slab {
    uint64_t address;
    uint64_t bytes;
    // Free ranges, by their offset.
    std::map<uint64_t, uint64_t> free;
  };
  std::function<uint64_t(uint64_t)> take_;
  std::function<void(uint64_t)> give_;
  std::vector<Slab> slabs_;
};

}  // namespace ssmc
