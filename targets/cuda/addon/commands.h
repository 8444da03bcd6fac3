// A list of commands as JavaScript writes it (src/runtime/cuda/commands.ts), checked against the buffers that it names before any of it
// reaches a driver, and what runs it again and again: its places in pinned memory, its graph.
#pragma once
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "arena.h"
#include "driver-api.h"

namespace ssmc {

// A piece of device memory. Its address is known to the session's thread only.
struct Buffer {
  uint64_t bytes = 0;
  // By JavaScript: no command may name it any more.
  bool freed = false;
  Arena::Block block;
};
using Buffers = std::unordered_map<uint32_t, std::shared_ptr<Buffer>>;

struct Argument {
  // Null: a number.
  std::shared_ptr<Buffer> buffer;
  uint64_t offset = 0;
  int32_t number = 0;
};
struct Command {
  enum class Kind { clear = 1, write, copy, read, launch } kind;
  // Of a copy where it comes from.
  std::shared_ptr<Buffer> buffer, to;
  uint64_t offset = 0, into = 0, bytes = 0;
  uint32_t function = 0, groups[3] = {1, 1, 1}, threads = 1;
  std::vector<Argument> arguments;
};
struct Commands {
  std::vector<Command> list;
  // Of the data that writes take, and that reads give.
  uint64_t in = 0, out = 0;

  bool usesFreed() const;
};

// Throws Failure refused, with the command's number, where anything lies outside.
Commands parseCommands(const double* words, size_t count, const Buffers& buffers, size_t functions);

}  // namespace ssmc
