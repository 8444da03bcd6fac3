// The driver's library, opened when it is first asked for, and the one primary context of a device that all sessions of a process share.
#pragma once
#include <atomic>
#include <memory>
#include <string>

#include "driver-api.h"
#include "failure.h"

namespace ssmc {

class Driver {
 public:
  // Opened once per process and never closed: a driver has threads and handlers of its own. Throws noDriver, tooOld, noDevice.
  static const Driver& open(const std::string& path);

#define SSMC_MEMBER(name, parameters) Status(*name) parameters = nullptr;
  SSMC_DRIVER_CALLS(SSMC_MEMBER)
#undef SSMC_MEMBER

  // Throws what a failed call means. `bytes`: what it was asked for.
  void check(Status status, const char* call, uint64_t bytes = 0) const {
    if (status != kSuccess) fail(status, call, bytes);
  }
  int version() const { return version_; }
  // After such a status every further call fails, until the context is gone.
  static bool isSticky(Status status);

 private:
  explicit Driver(const std::string& path);
  [[noreturn]] void fail(Status status, const char* call, uint64_t bytes) const;
  int version_ = 0;
};

struct DeviceInfo {
  std::string name;
  int major = 0, minor = 0, multiprocessors = 0;
  // Clocks in kHz, the bus of its memory in bits.
  int clock = 0, memoryClock = 0, memoryBus = 0;
  uint64_t bytes = 0;
};

// Retained while a session lives. What poisons it poisons every session on it; when the last has gone the next one gets it anew.
class Context {
 public:
  static std::shared_ptr<Context> retain(const Driver& driver, int ordinal);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const Driver& driver() const { return driver_; }
  const DeviceInfo& info() const { return info_; }
  void makeCurrent() const;
  // Remembers what was sticky, and throws it again for whoever comes later.
  void poison(const std::string& why);
  void requireHealthy() const;

 private:
  Context(const Driver& driver, DeviceId device);
  const Driver& driver_;
  DeviceId device_;
  ContextHandle handle_ = nullptr;
  DeviceInfo info_;
  std::atomic<bool> poisoned_{false};
  std::string why_;
};

}  // namespace ssmc
