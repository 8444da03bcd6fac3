#include "commands.h"

#include <cmath>
#include <string>

#include "failure.h"

namespace ssmc {
namespace {

constexpr double kMost = 9007199254740991.0;  // whole numbers beyond it are not exact

class Reader {
 public:
  Reader(const double* words, size_t count, const Buffers& buffers) : words_(words), count_(count), buffers_(buffers) {}
  bool done() const { return at_ == count_; }
  [[noreturn]] void refuse(const std::string& why) const { throw Failure(Kind::refused, "command " + std::to_string(command_) + ": " + why); }
  void next() { ++command_; }

  uint64_t whole(double most = kMost) {
    if (at_ == count_) refuse("it ends too early");
    const double value = words_[at_++];
    if (!(value >= 0 && value <= most) || value != std::floor(value)) refuse("expected a whole number up to " + std::to_string(static_cast<uint64_t>(most)));
    return static_cast<uint64_t>(value);
  }
  int32_t integer() {
    if (at_ == count_) refuse("it ends too early");
    const double value = words_[at_++];
    if (!(value >= INT32_MIN && value <= INT32_MAX) || value != std::floor(value)) refuse("expected an integer of 32 bits");
    return static_cast<int32_t>(value);
  }
  std::shared_ptr<Buffer> buffer() {
    const auto found = buffers_.find(static_cast<uint32_t>(whole(UINT32_MAX)));
    if (found == buffers_.end() || found->second->freed) refuse("there is no such buffer");
    return found->second;
  }
  // Four bytes are what everything is made of.
  uint64_t words4() {
    const uint64_t value = whole();
    if (value % 4 != 0) refuse("expected a multiple of 4 bytes");
    return value;
  }
  void inside(const Buffer& buffer, uint64_t offset, uint64_t bytes) const {
    if (offset > buffer.bytes || bytes > buffer.bytes - offset) {
      refuse("bytes " + std::to_string(offset) + " to " + std::to_string(offset + bytes) + " of a buffer of " + std::to_string(buffer.bytes));
    }
  }

 private:
  const double* words_;
  size_t count_, at_ = 0, command_ = 0;
  const Buffers& buffers_;
};

void readLaunch(Reader& reader, Command& command, size_t functions) {
  command.function = static_cast<uint32_t>(reader.whole(UINT32_MAX));
  if (command.function >= functions) reader.refuse("there is no such kernel");
  // What every device grants.
  const double most[3] = {2147483647.0, 65535.0, 65535.0};
  for (int axis = 0; axis < 3; ++axis) {
    command.groups[axis] = static_cast<uint32_t>(reader.whole(most[axis]));
    if (command.groups[axis] == 0) reader.refuse("a grid of no groups");
  }
  command.threads = static_cast<uint32_t>(reader.whole(1024));
  if (command.threads == 0) reader.refuse("groups of no threads");
  const uint64_t count = reader.whole(1024);
  for (uint64_t k = 0; k < count; ++k) {
    Argument argument;
    if (reader.whole(1) == 1) {
      argument.buffer = reader.buffer();
      argument.offset = reader.words4();
      reader.inside(*argument.buffer, argument.offset, 0);
    } else {
      argument.number = reader.integer();
    }
    command.arguments.push_back(std::move(argument));
  }
}

}  // namespace

bool Commands::usesFreed() const {
  for (const Command& c : list) {
    if ((c.buffer && c.buffer->freed) || (c.to && c.to->freed)) return true;
    for (const Argument& a : c.arguments) if (a.buffer && a.buffer->freed) return true;
  }
  return false;
}

Commands parseCommands(const double* words, size_t count, const Buffers& buffers, size_t functions) {
  Reader reader(words, count, buffers);
  Commands commands;
  for (; !reader.done(); reader.next()) {
    Command command{};
    command.kind = static_cast<Command::Kind>(reader.whole(5));
    switch (command.kind) {
      case Command::Kind::clear:
        command.buffer = reader.buffer();
        command.bytes = reader.words4();
        reader.inside(*command.buffer, 0, command.bytes);
        break;
      case Command::Kind::write:
      case Command::Kind::read: {
        command.buffer = reader.buffer();
        command.offset = reader.words4();
        command.bytes = reader.words4();
        // Where it lies in the data.
        command.into = reader.words4();
        reader.inside(*command.buffer, command.offset, command.bytes);
        uint64_t& total = command.kind == Command::Kind::write ? commands.in : commands.out;
        if (command.into + command.bytes > total) total = command.into + command.bytes;
        break;
      }
      case Command::Kind::copy:
        command.buffer = reader.buffer();
        command.offset = reader.words4();
        command.to = reader.buffer();
        command.into = reader.words4();
        command.bytes = reader.words4();
        reader.inside(*command.buffer, command.offset, command.bytes);
        reader.inside(*command.to, command.into, command.bytes);
        break;
      case Command::Kind::launch: readLaunch(reader, command, functions); break;
      default: reader.refuse("there is no such command");
    }
    commands.list.push_back(std::move(command));
  }
  return commands;
}

}  // namespace ssmc
