// Follows a script from stdin on a library of kernels (its path is the argument): buffers are made and filled, kernels launched, pasts moved on, buffers
// read to stdout. A fault ends it with status 1 and words on stderr.
#include <dlfcn.h>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>
#include "runtime.hpp"

namespace {
struct Buffer { std::vector<char> memory; char* data; size_t bytes; };
std::vector<char> input;
size_t at = 0;
int32_t number() { int32_t n; std::memcpy(&n, &input[at], 4); at += 4; return n; }
std::string word() { const auto n = static_cast<size_t>(number()); std::string s(&input[at], n); at += n; return s; }
[[noreturn]] void fail(const char* what) { std::fprintf(stderr, "%s\n", what); std::exit(1); }
} // namespace

int main(int, char** arguments) {
  void* library = dlopen(arguments[1], RTLD_NOW);
  if (!library) fail(dlerror());
  auto launch = reinterpret_cast<decltype(&ssm_launch)>(dlsym(library, "ssm_launch"));
  auto faults = reinterpret_cast<decltype(&ssm_faults)>(dlsym(library, "ssm_faults"));
  auto region = reinterpret_cast<decltype(&ssm_region)>(dlsym(library, "ssm_region"));
  for (int c; (c = std::getchar()) != EOF;) input.push_back(static_cast<char>(c));
  std::unordered_map<int32_t, Buffer> buffers;
  while (at < input.size()) switch (input[at++]) {
    case 'A': { // id, bytes: uninitialised memory is NaN, and so is what lies around it.
      Buffer& b = buffers[number()];
      b.bytes = static_cast<size_t>(number());
      b.memory.resize(b.bytes + 512);
      for (size_t k = 0; k + 4 <= b.memory.size(); k += 4) { const uint32_t nan = 0x7fc0beef; std::memcpy(&b.memory[k], &nan, 4); }
      b.data = reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(b.memory.data()) + 255) & ~uintptr_t{255});
      region(b.data, b.bytes);
      break;
    }
    case 'W': { // id, offset, bytes, data
      Buffer& b = buffers.at(number());
      const auto offset = static_cast<size_t>(number()), bytes = static_cast<size_t>(number());
      if (offset + bytes > b.bytes) fail("a script writes outside a buffer");
      std::memcpy(b.data + offset, &input[at], bytes);
      at += bytes;
      break;
    }
    case 'L': { // name, blocks, batches, threads, then of each argument its kind and value
      const std::string name = word();
      const unsigned grid[3] = {static_cast<unsigned>(number()), static_cast<unsigned>(number()), 1};
      const unsigned block[3] = {static_cast<unsigned>(number()), 1, 1};
      const auto count = static_cast<size_t>(number());
      std::vector<uint64_t> values(count);
      std::vector<void*> pointers(count);
      for (size_t k = 0; k < count; k++) {
        const bool isBuffer = number() == 1;
        const int32_t value = number();
        if (isBuffer) values[k] = reinterpret_cast<uint64_t>(buffers.at(value).data);
        else std::memcpy(&values[k], &value, 4);
        pointers[k] = &values[k];
      }
      if (launch(name.c_str(), grid, block, 0, pointers.data()) != 0) fail(faults());
      break;
    }
    case 'H': { // rows, carry, bytes of a row, depth, steps, batch, lengths: carry[b] = the last rows of (carry[b] ++ rows[b])
      const Buffer& rows = buffers.at(number());
      Buffer& carry = buffers.at(number());
      const auto width = static_cast<size_t>(number()), depth = static_cast<size_t>(number()), steps = static_cast<size_t>(number()), batch = static_cast<size_t>(number());
      for (size_t b = 0; b < batch; b++) {
        const auto length = static_cast<size_t>(number());
        std::vector<char> all(carry.data + b * depth * width, carry.data + (b + 1) * depth * width);
        all.insert(all.end(), rows.data + b * steps * width, rows.data + (b * steps + length) * width);
        std::memcpy(carry.data + b * depth * width, &all[all.size() - depth * width], depth * width);
      }
      break;
    }
    case 'R': { // id
      const Buffer& b = buffers.at(number());
      std::fwrite(b.data, 1, b.bytes, stdout);
      break;
    }
    default: fail("no script");
  }
  return 0;
}
