// Runs kernels compiled for the CPU: blocks one after another, their threads as fibres that switch at barriers and exchanges. Every access of
// memory is seen (the calls of -fsanitize=thread): reads of shared memory that was not written, accesses outside buffers, and accesses of two
// threads with no barrier between them are faults. A test's own: it ships nowhere.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>
#include "runtime.hpp"

struct Index { unsigned x, y, z; };
extern "C" { struct { Index thread, block, threads, blocks; } ssm_place; }
extern "C" char __start_ssm_shared[] __attribute__((weak)), __stop_ssm_shared[] __attribute__((weak));

namespace {
constexpr size_t STACK = 256 * 1024;
constexpr uint32_t POISON = 0x7fc07fc0;
constexpr unsigned WARP = 32;
// Bytes of the smallest element of a buffer, and of shared memory.
constexpr size_t ELEMENT = 2;
enum class State { ready, atBarrier, atExchange, done };
struct Copy { void* to; const void* from; unsigned bytes, there; };
struct Fibre {
  void* stack = nullptr;
  char* memory = nullptr;
  State state = State::done;
  unsigned thread = 0, exchanges = 0;
  std::vector<Copy> open;
  std::vector<std::vector<Copy>> groups;
};
// What is known of an element of shared memory. Intervals are the times between barriers, numbered through.
struct Word { uint32_t written = 0, writer = 0, read = 0, reader = 0; };
constexpr uint32_t MANY = ~0u;
struct Region { size_t bytes; std::vector<uint32_t> launch, writer; };

std::vector<Fibre> fibres;
Fibre* current = nullptr;
void* scheduler = nullptr;
void (*kernel)(void**) = nullptr;
void** kernelArguments = nullptr;
uint32_t interval = 1, blockBegan = 1, launchNumber = 0;
std::vector<Word> words;
std::vector<uint32_t> exchanged[2];
struct Given { uint32_t words[8]; };
std::vector<Given> gathered[2];
std::map<uintptr_t, Region> regions;
std::string faults;
const char* kernelName = "";
int faultCount = 0;

void fault(const char* what, const void* at) {
  if (faultCount++ >= 8) return;
  char text[256];
  std::snprintf(text, sizeof text, "%s: block %u,%u thread %u: %s at %p\n", kernelName, ssm_place.block.x, ssm_place.block.y, current ? current->thread : 0, what, at);
  faults += text;
}

// The stack pointers of the two sides are exchanged; what a call must keep is on the stack.
extern "C" void ssm_switch(void** from, void* to);
asm(R"(
.text
.globl ssm_switch
ssm_switch:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
)");
void rest(State state) {
  current->state = state;
  ssm_switch(&current->stack, scheduler);
}
void begin() {
  kernel(kernelArguments);
  bool pending = !current->open.empty();
  for (const auto& group : current->groups) pending |= !group.empty();
  if (pending) fault("a kernel ends with a copy that nothing waited for", nullptr);
  current->open.clear();
  current->groups.clear();
  rest(State::done);
}
void prepare(Fibre& f, unsigned thread) {
  if (!f.memory) f.memory = static_cast<char*>(std::malloc(STACK));
  auto top = reinterpret_cast<uintptr_t>(f.memory + STACK) & ~uintptr_t{15};
  auto* stack = reinterpret_cast<void**>(top - 16);
  *stack = nullptr;
  *--stack = reinterpret_cast<void*>(begin);
  stack -= 6;
  std::memset(stack, 0, 6 * sizeof(void*));
  f.stack = stack;
  f.state = State::ready;
  f.thread = thread;
  f.exchanges = 0;
}
void resume(Fibre& f) {
  current = &f;
  ssm_place.thread = {f.thread, 0, 0};
  ssm_switch(&scheduler, f.stack);
  current = nullptr;
}

// The threads of a block to their end. Their order turns round from one interval to the next: nothing may depend on it.
void runBlock(unsigned count) {
  blockBegan = ++interval;
  for (unsigned k = 0; k < count; k++) prepare(fibres[k], k);
  for (;;) {
    const bool back = interval % 2 == 0;
    for (unsigned k = 0; k < count; k++) {
      Fibre& f = fibres[back ? count - 1 - k : k];
      if (f.state == State::ready) resume(f);
    }
    bool moved = false;
    unsigned done = 0, atBarrier = 0;
    for (unsigned w = 0; w < count; w += WARP) {
      unsigned exchanging = 0, size = 0;
      for (unsigned k = w; k < count && k < w + WARP; k++) {
        size++;
        exchanging += fibres[k].state == State::atExchange;
        done += fibres[k].state == State::done;
        atBarrier += fibres[k].state == State::atBarrier;
      }
      if (exchanging == 0) continue;
      if (exchanging == size) {
        for (unsigned k = w; k < w + size; k++) fibres[k].state = State::ready;
        moved = true;
      }
    }
    if (moved) continue;
    if (done == count) return;
    if (atBarrier == count) {
      interval++;
      for (unsigned k = 0; k < count; k++) fibres[k].state = State::ready;
      continue;
    }
    fault("threads wait at a barrier or an exchange that others do not come to", nullptr);
    return;
  }
}

Word& wordAt(const char* at) { return words[static_cast<size_t>(at - __start_ssm_shared) / ELEMENT]; }
void readShared(char* at) {
  Word& w = wordAt(at);
  if (w.written < blockBegan) {
    fault("shared memory is read that was not written", at);
    std::memcpy(at, &POISON, ELEMENT);
  } else if (w.written == interval && w.writer != current->thread) fault("shared memory is read that another thread wrote, with no barrier between", at);
  w.reader = w.read == interval && w.reader != current->thread ? MANY : current->thread;
  w.read = interval;
}
void writeShared(char* at) {
  Word& w = wordAt(at);
  if (w.written == interval && w.writer != current->thread) fault("two threads write to shared memory, with no barrier between", at);
  if (w.read == interval && w.reader != current->thread) fault("shared memory is written that another thread reads, with no barrier between", at);
  w.written = interval;
  w.writer = current->thread;
}
void access(const void* address, unsigned bytes, bool writes) {
  if (!current) return;
  auto* at = const_cast<char*>(static_cast<const char*>(address));
  if (at >= __start_ssm_shared && at < __stop_ssm_shared) {
    for (unsigned k = 0; k < bytes; k += ELEMENT) writes ? writeShared(at + k) : readShared(at + k);
    return;
  }
  if (at >= current->memory && at < current->memory + STACK) return;
  if (at >= reinterpret_cast<char*>(&ssm_place) && at < reinterpret_cast<char*>(&ssm_place + 1)) return;
  const auto value = reinterpret_cast<uintptr_t>(at);
  auto next = regions.upper_bound(value);
  if (next == regions.begin()) { fault(writes ? "a write outside every buffer" : "a read outside every buffer", at); std::abort(); }
  auto& [start, region] = *--next;
  if (value + bytes > start + region.bytes) {
    fault(writes ? "a write outside every buffer" : "a read outside every buffer", at);
    return;
  }
  if (!writes) return;
  const uint32_t thread = (ssm_place.block.y * ssm_place.blocks.x + ssm_place.block.x) * ssm_place.threads.x + current->thread;
  for (size_t k = (value - start) / ELEMENT; k < (value - start + bytes + ELEMENT - 1) / ELEMENT; k++) {
    if (region.launch[k] == launchNumber && region.writer[k] != thread) fault("two threads write to one element of a buffer", at);
    region.launch[k] = launchNumber;
    region.writer[k] = thread;
  }
}
} // namespace

extern "C" {
void ssm_barrier() { rest(State::atBarrier); }
unsigned ssm_exchange(unsigned value, unsigned mask) {
  auto& slots = exchanged[current->exchanges++ % 2];
  slots[current->thread] = value;
  const unsigned other = current->thread ^ mask;
  rest(State::atExchange);
  if (other >= ssm_place.threads.x) { fault("an exchange with a thread that is not there", nullptr); return POISON; }
  return slots[other];
}
void ssm_gather(const uint32_t (&mine)[8], uint32_t (&all)[WARP][8]) {
  auto& slots = gathered[current->exchanges++ % 2];
  std::memcpy(slots[current->thread].words, mine, sizeof mine);
  const unsigned first = current->thread / WARP * WARP;
  rest(State::atExchange);
  std::memcpy(all, &slots[first], sizeof all);
}
// Between its issue and its wait a copy may happen at any time: what is there is written now, and has no value until then.
void ssm_copy(void* to, const void* from, unsigned bytes, unsigned there) {
  if (there > 0) access(from, there, false);
  if (there > bytes) fault("a copy of more than there is room for", to);
  access(to, bytes, true);
  for (unsigned k = 0; k < bytes; k += ELEMENT) {
    std::memcpy(static_cast<char*>(to) + k, &POISON, ELEMENT);
    wordAt(static_cast<char*>(to) + k).written = 0;
  }
  if (reinterpret_cast<uintptr_t>(to) % bytes != 0 || reinterpret_cast<uintptr_t>(from) % bytes != 0) fault("a copy that is not aligned", to);
  current->open.push_back({to, from, bytes, there});
}
void ssm_close() {
  current->groups.push_back(std::move(current->open));
  current->open.clear();
}
void ssm_wait(unsigned pending) {
  auto& groups = current->groups;
  while (groups.size() > pending) {
    for (const Copy& c : groups.front()) {
      std::memcpy(c.to, c.from, c.there);
      std::memset(static_cast<char*>(c.to) + c.there, 0, c.bytes - c.there);
      for (unsigned k = 0; k < c.bytes; k += ELEMENT) writeShared(static_cast<char*>(c.to) + k);
    }
    groups.erase(groups.begin());
  }
}

void ssm_region(void* start, size_t bytes) {
  regions[reinterpret_cast<uintptr_t>(start)] = {bytes, std::vector<uint32_t>(bytes / ELEMENT + 1), std::vector<uint32_t>(bytes / ELEMENT + 1)};
}
void ssm_forget(void* start) { regions.erase(reinterpret_cast<uintptr_t>(start)); }
const char* ssm_faults() { return faults.c_str(); }

int ssm_launch(const char* name, const unsigned grid[3], const unsigned block[3], unsigned, void** arguments) {
  faults.clear();
  faultCount = 0;
  const SsmKernel* found = nullptr;
  for (const SsmKernel* k = ssm_kernels; k->name; k++) if (std::strcmp(k->name, name) == 0) found = k;
  if (!found) { faults = std::string("there is no kernel ") + name + "\n"; return 1; }
  kernelName = name;
  kernel = found->run;
  kernelArguments = arguments;
  launchNumber++;
  if (words.empty()) words.resize(static_cast<size_t>(__stop_ssm_shared - __start_ssm_shared) / ELEMENT + 1);
  if (fibres.size() < block[0]) fibres.resize(block[0]);
  for (auto& e : exchanged) e.resize(block[0]);
  for (auto& g : gathered) g.resize(block[0]);
  ssm_place.threads = {block[0], 1, 1};
  ssm_place.blocks = {grid[0], grid[1], grid[2]};
  // Blocks run in any order.
  const unsigned total = grid[0] * grid[1];
  for (unsigned k = 0; k < total && faultCount == 0; k++) {
    const unsigned b = launchNumber % 2 == 0 ? total - 1 - k : k;
    ssm_place.block = {b % grid[0], b / grid[0], 0};
    runBlock(block[0]);
  }
  return faultCount > 0 ? 1 : 0;
}

// What g++ -fsanitize=thread calls.
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
#define SEES(bytes) \
  void __tsan_read##bytes(void* at) { access(at, bytes, false); } \
  void __tsan_write##bytes(void* at) { access(at, bytes, true); } \
  void __tsan_unaligned_read##bytes(void* at) { access(at, bytes, false); } \
  void __tsan_unaligned_write##bytes(void* at) { access(at, bytes, true); }
SEES(1) SEES(2) SEES(4) SEES(8) SEES(16)
void __tsan_read_range(void* at, size_t bytes) { access(at, static_cast<unsigned>(bytes), false); }
void __tsan_write_range(void* at, size_t bytes) { access(at, static_cast<unsigned>(bytes), true); }
}
