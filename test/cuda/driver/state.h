// What the test driver keeps, for its calls and for the tests that look inside.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace fake {

using Lock = std::lock_guard<std::recursive_mutex>;

struct Context {
  int retained = 0;
  // Every call fails with it.
  int sticky = 0;
};
struct Module;
struct Function {
  Module* module = nullptr;
  // In the library.
  std::string name;
  // Of each a letter: p, a pointer; i, an integer of 32 bits.
  std::string parameters;
};
// Kernels that were built for the CPU. Modules may share one; it runs one kernel at a time, and knows what memory there is.
struct Library {
  int (*launch)(const char*, const unsigned*, const unsigned*, unsigned, void**) = nullptr;
  const char* (*faults)() = nullptr;
  void (*region)(void*, size_t) = nullptr;
  void (*forget)(void*) = nullptr;
  std::mutex one;
};
struct Module {
  Library* library = nullptr;
  std::map<std::string, Function> functions;
};
struct Stream;
struct Event {
  Stream* stream = nullptr;
  // A clock that counts events; 0: not yet.
  uint64_t milliseconds = 0;
};
struct Operation {
  enum Kind { set, copy, launch, record, wait } kind = set;
  uint64_t to = 0, from = 0, bytes = 0;
  uint32_t value = 0;
  Function* function = nullptr;
  unsigned grid[3] = {1, 1, 1}, block[3] = {1, 1, 1};
  std::vector<uint64_t> arguments;
  Event* event = nullptr;

  static Operation copied(uint64_t to, uint64_t from, uint64_t bytes) {
    Operation made;
    made.kind = copy;
    made.to = to;
    made.from = from;
    made.bytes = bytes;
    return made;
  }
};
struct Stream {
  std::vector<Operation> queue, captured;
  bool capturing = false;
};
struct Graph {
  std::vector<Operation> operations;
};
struct GraphExec {
  std::vector<Operation> operations;
};
// The call of this name fails with `status`, once, after so many that don't.
struct Rule {
  std::string call;
  long after = 0;
  int status = 0;
};

struct State {
  std::recursive_mutex mutex;
  std::condition_variable_any wake;
  bool initialised = false;
  int devices = 1, capability = 90, version = 13000;
  uint64_t limit = uint64_t{1} << 32, clock = 0;
  // What the device says that it has; 0: the limit.
  uint64_t total = 0;
  // Nothing that is waited for comes to an end.
  bool held = false;
  std::map<std::string, long> calls;
  std::vector<Rule> rules;
  std::vector<std::string> misuses;
  // What was enqueued and waited for: u, data up; k, a kernel; d, data down; w, an event is waited for.
  std::string order;
  // The kinds of images, in the order in which they were loaded.
  std::vector<std::string> loaded;
  std::map<int, Context*> primary;
  std::set<Context*> contexts;
  std::map<uint64_t, uint64_t> device, host;
  // By the handle that the system gave; they stay.
  std::map<void*, std::unique_ptr<Library>> libraries;
  std::set<Module*> modules;
  std::set<Stream*> streams;
  std::set<Event*> events;
  // Destroyed: what is enqueued still waits for them.
  std::vector<std::unique_ptr<Event>> gone;
  std::set<Graph*> graphs;
  std::set<GraphExec*> execs;
};
State& state();
bool isSticky(int status);
// Notes what no program should do, and gives the status back.
int misuse(const std::string& what, int status);
// Frees all that is left.
void abandon();

}  // namespace fake
