// A CUDA driver for tests: the calls that the addon makes, over memory of the host and kernels that were built for the CPU. It is strict where
// a real one would do anything at all: what is enqueued runs only when it is waited for, memory begins as NaN, handles that are gone,
// threads without a context and addresses outside of allocations are noted as misuse. Any call can be told to fail. It is also a Node
// addon, by which tests tell it so and look inside.
#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <utility>

#include "state.h"

using namespace fake;

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

thread_local Context* current = nullptr;

// Counts a call, and tells whether it was asked to fail.
int begins(const char* name) {
  const Lock lock(state().mutex);
  state().calls[name]++;
  for (auto rule = state().rules.begin(); rule != state().rules.end(); ++rule) {
    if (rule->call != name || rule->after-- > 0) continue;
    const int status = rule->status;
    state().rules.erase(rule);
    if (isSticky(status) && current) current->sticky = status;
    return status;
  }
  return 0;
}
// Whether a call that needs a context can go on.
int inside(const char* name) {
  if (!current) return misuse(std::string(name) + " on a thread without a context", 201);
  const Lock lock(state().mutex);
  if (!state().contexts.count(current)) return misuse(std::string(name) + " on a context that is gone", 709);
  return current->sticky;
}
#define BEGIN(name)                          \
  if (const int status = begins(name)) return status
#define INSIDE(name)                             \
  if (const int status = begins(name)) return status; \
  if (const int status = inside(name)) return status
// What gives something back does so even where it then fails.
#define ENDING(name)               \
  const int told = begins(name);   \
  if (told == 0)                   \
    if (const int status = inside(name)) return status

// Kernels run one after another, whatever stream they are on.
int perform(Operation& operation) {
  if (current && current->sticky) return current->sticky;
  switch (operation.kind) {
    case Operation::set: {
      auto* words = reinterpret_cast<uint32_t*>(operation.to);
      std::fill(words, words + operation.bytes / 4, operation.value);
      return 0;
    }
    case Operation::copy: std::memcpy(reinterpret_cast<void*>(operation.to), reinterpret_cast<const void*>(operation.from), operation.bytes); return 0;
    case Operation::launch: {
      std::vector<void*> arguments;
      for (uint64_t& value : operation.arguments) arguments.push_back(&value);
      Library& library = *operation.function->module->library;
      std::string faults;
      {
        const std::lock_guard<std::mutex> lock(library.one);
        if (library.launch(operation.function->name.c_str(), operation.grid, operation.block, 0, arguments.data()) == 0) return 0;
        faults = library.faults();
      }
      misuse("a fault in " + operation.function->name + ": " + faults, 0);
      if (current) current->sticky = 700;
      return 700;
    }
    case Operation::record: {
      const Lock lock(state().mutex);
      if (state().events.count(operation.event)) operation.event->milliseconds = ++state().clock;
      return 0;
    }
    case Operation::wait: break;
  }
  return 1;
}
int drain(Stream* stream, Event* until = nullptr);
// What another stream does before an event, and no more.
int await(Event* event) {
  if (!event->stream) return misuse("an event is waited for that nobody records", 400);
  {
    const Lock lock(state().mutex);
    if (event->milliseconds > 0 || !state().streams.count(event->stream)) return 0;
  }
  return drain(event->stream, event);
}
int drain(Stream* stream, Event* until) {
  {
    std::unique_lock<std::recursive_mutex> lock(state().mutex);
    state().wake.wait(lock, [] { return !state().held; });
  }
  for (;;) {
    Operation operation;
    {
      const Lock lock(state().mutex);
      if (stream->queue.empty()) return 0;
      operation = stream->queue.front();
      stream->queue.erase(stream->queue.begin());
    }
    if (const int status = operation.kind == Operation::wait ? await(operation.event) : perform(operation)) {
      const Lock lock(state().mutex);
      stream->queue.clear();
      return status;
    }
    if (until && operation.kind == Operation::record && operation.event == until) return 0;
  }
}
int enqueue(Stream* stream, Operation operation) {
  const Lock lock(state().mutex);
  if (!state().streams.count(stream)) return misuse("work for a stream that is gone", 400);
  (stream->capturing ? stream->captured : stream->queue).push_back(std::move(operation));
  return 0;
}
void noted(char what) {
  const Lock lock(state().mutex);
  state().order.push_back(what);
}
bool onDevice(uint64_t address, uint64_t bytes) {
  const Lock lock(state().mutex);
  for (const auto& [start, size] : state().device) if (address >= start && address + bytes <= start + size) return true;
  return false;
}
bool pinned(const void* address, uint64_t bytes) {
  const Lock lock(state().mutex);
  const auto at = reinterpret_cast<uint64_t>(address);
  for (const auto& [start, size] : state().host) if (at >= start && at + bytes <= start + size) return true;
  return false;
}

}  // namespace

EXPORT int cuInit(unsigned flags) {
  BEGIN("cuInit");
  if (flags != 0) return 1;
  state().initialised = true;
  return 0;
}
EXPORT int cuDriverGetVersion(int* version) {
  BEGIN("cuDriverGetVersion");
  *version = state().version;
  return 0;
}
EXPORT int cuGetErrorName(int status, const char** name) {
  static const std::map<int, const char*> names = {{1, "CUDA_ERROR_INVALID_VALUE"}, {2, "CUDA_ERROR_OUT_OF_MEMORY"}, {34, "CUDA_ERROR_STUB_LIBRARY"}, {35, "CUDA_ERROR_INSUFFICIENT_DRIVER"}, {100, "CUDA_ERROR_NO_DEVICE"}, {209, "CUDA_ERROR_NO_BINARY_FOR_GPU"}, {218, "CUDA_ERROR_INVALID_PTX"}, {500, "CUDA_ERROR_NOT_FOUND"}, {700, "CUDA_ERROR_ILLEGAL_ADDRESS"}, {719, "CUDA_ERROR_LAUNCH_FAILED"}};
  const auto found = names.find(status);
  *name = found == names.end() ? nullptr : found->second;
  return found == names.end() ? 1 : 0;
}
EXPORT int cuGetErrorString(int status, const char** text) {
  *text = status == 2 ? "out of memory" : nullptr;
  return *text ? 0 : 1;
}
EXPORT int cuDeviceGetCount(int* count) {
  BEGIN("cuDeviceGetCount");
  *count = state().devices;
  return 0;
}
EXPORT int cuDeviceGet(int* device, int ordinal) {
  BEGIN("cuDeviceGet");
  if (ordinal < 0 || ordinal >= state().devices) return 101;
  *device = ordinal;
  return 0;
}
EXPORT int cuDeviceGetName(char* name, int size, int device) {
  BEGIN("cuDeviceGetName");
  std::strncpy(name, ("Test device " + std::to_string(device)).c_str(), static_cast<size_t>(size));
  return 0;
}
EXPORT int cuDeviceGetAttribute(int* value, int attribute, int) {
  BEGIN("cuDeviceGetAttribute");
  // Two multiprocessors at 1 GHz, and 64 bits of memory at 1 GHz.
  const std::map<int, int> known = {{13, 1000000}, {16, 2}, {36, 1000000}, {37, 64}, {75, state().capability / 10}, {76, state().capability % 10}};
  const auto found = known.find(attribute);
  if (found == known.end()) return 1;
  *value = found->second;
  return 0;
}
EXPORT int cuDeviceTotalMem_v2(size_t* bytes, int) {
  BEGIN("cuDeviceTotalMem_v2");
  *bytes = state().total > 0 ? state().total : state().limit;
  return 0;
}
EXPORT int cuDevicePrimaryCtxRetain(Context** context, int device) {
  BEGIN("cuDevicePrimaryCtxRetain");
  const Lock lock(state().mutex);
  Context*& primary = state().primary[device];
  if (!primary) {
    primary = new Context();
    state().contexts.insert(primary);
  }
  primary->retained++;
  *context = primary;
  return 0;
}
EXPORT int cuDevicePrimaryCtxRelease_v2(int device) {
  const int told = begins("cuDevicePrimaryCtxRelease_v2");
  const Lock lock(state().mutex);
  Context*& primary = state().primary[device];
  if (!primary) return misuse("a context is released that nobody holds", 201);
  if (--primary->retained > 0) return told;
  // Real ones free what was left; here it is a leak to be told of.
  if (!state().device.empty() || !state().host.empty() || !state().modules.empty() || !state().streams.empty() || !state().events.empty() || !state().execs.empty()) {
    if (primary->sticky == 0) misuse("a context ends with things left in it", 0);
    abandon();
  }
  state().gone.clear();
  state().contexts.erase(primary);
  delete primary;
  primary = nullptr;
  return told;
}
EXPORT int cuCtxSetCurrent(Context* context) {
  BEGIN("cuCtxSetCurrent");
  const Lock lock(state().mutex);
  if (context && !state().contexts.count(context)) return misuse("a context that is gone is made current", 709);
  current = context;
  return 0;
}
EXPORT int cuMemAlloc_v2(uint64_t* address, size_t bytes) {
  INSIDE("cuMemAlloc_v2");
  const Lock lock(state().mutex);
  uint64_t used = bytes;
  for (const auto& [start, size] : state().device) used += size;
  if (used > state().limit) return 2;
  void* memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (!memory) return 2;
  auto* words = static_cast<uint32_t*>(memory);
  std::fill(words, words + bytes / 4, 0x7fc0beefu);
  *address = reinterpret_cast<uint64_t>(memory);
  state().device[*address] = bytes;
  for (const auto& [handle, library] : state().libraries) {
    const std::lock_guard<std::mutex> alone(library->one);
    library->region(memory, bytes);
  }
  return 0;
}
EXPORT int cuMemFree_v2(uint64_t address) {
  ENDING("cuMemFree_v2");
  const Lock lock(state().mutex);
  if (!state().device.erase(address)) return misuse("device memory is freed that isn't there", 1);
  for (const auto& [handle, library] : state().libraries) {
    const std::lock_guard<std::mutex> alone(library->one);
    library->forget(reinterpret_cast<void*>(address));
  }
  std::free(reinterpret_cast<void*>(address));
  return told;
}
EXPORT int cuMemHostAlloc(void** address, size_t bytes, unsigned) {
  INSIDE("cuMemHostAlloc");
  const Lock lock(state().mutex);
  if (bytes > state().limit) return 2;
  *address = std::malloc(bytes);
  if (!*address) return 2;
  std::memset(*address, 0xff, bytes);
  state().host[reinterpret_cast<uint64_t>(*address)] = bytes;
  return 0;
}
EXPORT int cuMemFreeHost(void* address) {
  ENDING("cuMemFreeHost");
  const Lock lock(state().mutex);
  if (!state().host.erase(reinterpret_cast<uint64_t>(address))) return misuse("pinned memory is freed that isn't there", 1);
  std::free(address);
  return told;
}
EXPORT int cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, Stream* stream) {
  INSIDE("cuMemcpyHtoDAsync_v2");
  if (!onDevice(to, bytes) || !pinned(from, bytes)) return misuse("a copy to the device outside of memory", 1);
  noted('u');
  return enqueue(stream, Operation::copied(to, reinterpret_cast<uint64_t>(from), bytes));
}
EXPORT int cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, Stream* stream) {
  INSIDE("cuMemcpyDtoHAsync_v2");
  if (!onDevice(from, bytes) || !pinned(to, bytes)) return misuse("a copy from the device outside of memory", 1);
  noted('d');
  return enqueue(stream, Operation::copied(reinterpret_cast<uint64_t>(to), from, bytes));
}
EXPORT int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, Stream* stream) {
  INSIDE("cuMemcpyDtoDAsync_v2");
  if (!onDevice(from, bytes) || !onDevice(to, bytes)) return misuse("a copy on the device outside of memory", 1);
  if (from < to + bytes && to < from + bytes) return misuse("a copy onto itself", 1);
  return enqueue(stream, Operation::copied(to, from, bytes));
}
EXPORT int cuMemsetD32Async(uint64_t to, unsigned value, size_t count, Stream* stream) {
  INSIDE("cuMemsetD32Async");
  if (!onDevice(to, 4 * count)) return misuse("memory is set outside of any", 1);
  Operation operation;
  operation.kind = Operation::set;
  operation.to = to;
  operation.value = value;
  operation.bytes = 4 * count;
  return enqueue(stream, operation);
}
// An image is text: `SSMC-FAKE kind`, the library of kernels, then a line for each kernel: its name, of each
// parameter p or i, and its name in the library.
EXPORT int cuModuleLoadDataEx(Module** module, const void* image, unsigned count, int* names, void** values) {
  INSIDE("cuModuleLoadDataEx");
  std::istringstream lines(static_cast<const char*>(image));
  std::string magic, kind, path;
  lines >> magic >> kind >> path;
  const auto complain = [&](const std::string& why) {
    for (unsigned k = 0; k < count; ++k) if (names[k] == 5) std::strncpy(static_cast<char*>(values[k]), why.c_str(), 1000);
    return 218;
  };
  if (magic != "SSMC-FAKE") return complain("line 1: that is no image");
  if (kind == "sm_99") return 209;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return complain(dlerror());
  const Lock lock(state().mutex);
  auto& known = state().libraries[library];
  if (!known) {
    auto opened = std::make_unique<Library>();
    opened->launch = reinterpret_cast<decltype(opened->launch)>(dlsym(library, "ssm_launch"));
    opened->faults = reinterpret_cast<decltype(opened->faults)>(dlsym(library, "ssm_faults"));
    opened->region = reinterpret_cast<decltype(opened->region)>(dlsym(library, "ssm_region"));
    opened->forget = reinterpret_cast<decltype(opened->forget)>(dlsym(library, "ssm_forget"));
    if (!opened->launch || !opened->faults || !opened->region || !opened->forget) {
      state().libraries.erase(library);
      return complain("a library without kernels");
    }
    for (const auto& [start, size] : state().device) opened->region(reinterpret_cast<void*>(start), size);
    known = std::move(opened);
  }
  auto made = std::make_unique<Module>();
  made->library = known.get();
  for (std::string name, parameters, symbol; lines >> name >> parameters >> symbol;) made->functions[name] = {made.get(), symbol, parameters == "-" ? "" : parameters};
  state().loaded.push_back(kind);
  *module = made.release();
  state().modules.insert(*module);
  return 0;
}
EXPORT int cuModuleUnload(Module* module) {
  ENDING("cuModuleUnload");
  const Lock lock(state().mutex);
  if (!state().modules.erase(module)) return misuse("a module is unloaded that isn't there", 1);
  delete module;
  return told;
}
EXPORT int cuModuleGetFunction(Function** function, Module* module, const char* name) {
  INSIDE("cuModuleGetFunction");
  const auto found = module->functions.find(name);
  if (found == module->functions.end()) return 500;
  *function = &found->second;
  return 0;
}
EXPORT int cuLaunchKernel(Function* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned, Stream* stream, void** arguments, void** extra) {
  INSIDE("cuLaunchKernel");
  if (gx == 0 || gy == 0 || gz == 0 || bx * by * bz == 0 || bx * by * bz > 1024 || gy > 65535 || gz > 65535 || extra) return misuse("a launch of " + function->name + " with a grid that no device has", 1);
  Operation operation;
  operation.kind = Operation::launch;
  operation.function = function;
  const unsigned grid[] = {gx, gy, gz}, block[] = {bx, by, bz};
  std::copy_n(grid, 3, operation.grid);
  std::copy_n(block, 3, operation.block);
  // A driver copies arguments at once, as many bytes as each parameter has.
  for (size_t k = 0; k < function->parameters.size(); ++k) {
    uint64_t value = 0;
    const bool pointer = function->parameters[k] == 'p';
    std::memcpy(&value, arguments[k], pointer ? 8 : 4);
    if (pointer && !onDevice(value, 4)) return misuse("argument " + std::to_string(k) + " of " + function->name + " points to no memory of the device", 1);
    operation.arguments.push_back(value);
  }
  noted('k');
  return enqueue(stream, operation);
}
EXPORT int cuStreamCreate(Stream** stream, unsigned) {
  INSIDE("cuStreamCreate");
  const Lock lock(state().mutex);
  *stream = new Stream();
  state().streams.insert(*stream);
  return 0;
}
EXPORT int cuStreamDestroy_v2(Stream* stream) {
  ENDING("cuStreamDestroy_v2");
  const Lock lock(state().mutex);
  if (!state().streams.erase(stream)) return misuse("a stream is destroyed that isn't there", 400);
  if (stream->capturing || !stream->queue.empty()) misuse("a stream is destroyed with work left in it", 0);
  delete stream;
  return told;
}
EXPORT int cuStreamSynchronize(Stream* stream) {
  INSIDE("cuStreamSynchronize");
  if (stream->capturing) return misuse("a stream is waited for while it records", 900);
  return drain(stream);
}
EXPORT int cuStreamBeginCapture_v2(Stream* stream, int mode) {
  INSIDE("cuStreamBeginCapture_v2");
  if (mode != 1) misuse("a capture that other threads' calls can break", 0);
  stream->capturing = true;
  stream->captured.clear();
  return 0;
}
EXPORT int cuStreamEndCapture(Stream* stream, Graph** graph) {
  // It is over, whatever comes of it.
  const bool capturing = std::exchange(stream->capturing, false);
  INSIDE("cuStreamEndCapture");
  if (!capturing) return misuse("a capture ends that has not begun", 1);
  const Lock lock(state().mutex);
  *graph = new Graph{std::move(stream->captured)};
  state().graphs.insert(*graph);
  return 0;
}
EXPORT int cuEventCreate(Event** event, unsigned) {
  INSIDE("cuEventCreate");
  const Lock lock(state().mutex);
  *event = new Event();
  state().events.insert(*event);
  return 0;
}
EXPORT int cuEventDestroy_v2(Event* event) {
  ENDING("cuEventDestroy_v2");
  const Lock lock(state().mutex);
  if (!state().events.erase(event)) return misuse("an event is destroyed that isn't there", 400);
  state().gone.emplace_back(event);
  return told;
}
EXPORT int cuEventRecord(Event* event, Stream* stream) {
  INSIDE("cuEventRecord");
  event->stream = stream;
  event->milliseconds = 0;
  Operation operation;
  operation.kind = Operation::record;
  operation.event = event;
  return enqueue(stream, operation);
}
EXPORT int cuEventSynchronize(Event* event) {
  INSIDE("cuEventSynchronize");
  noted('w');
  return event->stream ? drain(event->stream, event) : 0;
}
EXPORT int cuStreamWaitEvent(Stream* stream, Event* event, unsigned flags) {
  INSIDE("cuStreamWaitEvent");
  if (flags != 0) return 1;
  Operation operation;
  operation.kind = Operation::wait;
  operation.event = event;
  return enqueue(stream, operation);
}
EXPORT int cuEventElapsedTime(float* milliseconds, Event* from, Event* to) {
  INSIDE("cuEventElapsedTime");
  if (from->milliseconds == 0 || to->milliseconds == 0) return misuse("the time of an event that has not come", 600);
  *milliseconds = static_cast<float>(to->milliseconds - from->milliseconds);
  return 0;
}
EXPORT int cuGraphInstantiateWithFlags(GraphExec** exec, Graph* graph, unsigned long long) {
  INSIDE("cuGraphInstantiateWithFlags");
  const Lock lock(state().mutex);
  if (!state().graphs.count(graph)) return misuse("a graph is instantiated that isn't there", 400);
  *exec = new GraphExec{graph->operations};
  state().execs.insert(*exec);
  return 0;
}
EXPORT int cuGraphDestroy(Graph* graph) {
  ENDING("cuGraphDestroy");
  const Lock lock(state().mutex);
  if (!state().graphs.erase(graph)) return misuse("a graph is destroyed that isn't there", 400);
  delete graph;
  return told;
}
EXPORT int cuGraphExecDestroy(GraphExec* exec) {
  ENDING("cuGraphExecDestroy");
  const Lock lock(state().mutex);
  if (!state().execs.erase(exec)) return misuse("a graph is destroyed that isn't there", 400);
  delete exec;
  return told;
}
EXPORT int cuGraphLaunch(GraphExec* exec, Stream* stream) {
  INSIDE("cuGraphLaunch");
  const Lock lock(state().mutex);
  if (!state().execs.count(exec)) return misuse("a graph is launched that isn't there", 400);
  for (const Operation& operation : exec->operations) stream->queue.push_back(operation);
  return 0;
}
