#include "driver.h"

#include <dlfcn.h>

#include <map>
#include <mutex>
#include <utility>

namespace ssmc {
namespace {

std::mutex registry;

std::string versionText(int version) { return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10); }

}  // namespace

const Driver& Driver::open(const std::string& path) {
  static auto& opened = *new std::map<std::string, std::unique_ptr<Driver>>();
  const std::lock_guard<std::mutex> lock(registry);
  auto& driver = opened[path];
  if (!driver) driver.reset(new Driver(path));
  return *driver;
}

Driver::Driver(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = dlerror();
    throw Failure(Kind::noDriver, why ? why : path + " can't be opened");
  }
  std::string missing;
#define SSMC_FIND(name, parameters)                                       \
  name = reinterpret_cast<Status(*) parameters>(dlsym(library, #name)); \
  if (name == nullptr && missing.empty()) missing = #name;
  SSMC_DRIVER_CALLS(SSMC_FIND)
#undef SSMC_FIND
  if (cuInit == nullptr || cuDriverGetVersion == nullptr || cuGetErrorName == nullptr || cuGetErrorString == nullptr) {
    throw Failure(Kind::noDriver, path + " is no CUDA driver: it lacks " + missing);
  }
  check(cuInit(0), "cuInit");
  check(cuDriverGetVersion(&version_), "cuDriverGetVersion");
  if (version_ < kOldestDriver) throw Failure(Kind::tooOld, "it is made for CUDA " + versionText(version_) + ", expected at least " + versionText(kOldestDriver));
  if (!missing.empty()) throw Failure(Kind::tooOld, "it lacks " + missing);
}

bool Driver::isSticky(Status status) {
  switch (status) {
    case 4:    // the driver is shutting down
    case 46:   // the device is unavailable
    case 201:  // no valid context
    case 214:  // uncorrectable ECC error
    case 220:  // uncorrectable NVLink error
    case 700:  // illegal address
    case 702:  // launch timeout
    case 709:  // the context is destroyed
    case 710:  // assertion
    case 714:  // hardware stack error
    case 715:  // illegal instruction
    case 716:  // misaligned address
    case 717:  // invalid address space
    case 718:  // invalid program counter
    case 719:  // launch failure
    case 999:  // unknown
      return true;
    default: return false;
  }
}

void Driver::fail(Status status, const char* call, uint64_t bytes) const {
  const char* name = nullptr;
  const char* text = nullptr;
  if (cuGetErrorName(status, &name) != kSuccess || name == nullptr) name = "an unknown error";
  if (cuGetErrorString(status, &text) != kSuccess) text = nullptr;
  const std::string why = std::string(call) + ": " + name + " (" + std::to_string(status) + ")" + (text ? std::string(", ") + text : "");
  if (isSticky(status)) throw Failure(Kind::lost, why);
  switch (status) {
    case kOutOfMemory: throw Failure(Kind::outOfMemory, why, bytes);
    case kStubLibrary: throw Failure(Kind::noDriver, why);
    case kNoDevice:
    case kInvalidDevice: throw Failure(Kind::noDevice, why);
    case kInsufficientDriver:
    case kSystemDriverMismatch:
    case kCompatNotSupported:
    case kUnsupportedPtxVersion: throw Failure(Kind::tooOld, why);
    case kNoBinaryForGpu: throw Failure(Kind::noKernels, why);
    default: throw Failure(Kind::refused, why);
  }
}

std::shared_ptr<Context> Context::retain(const Driver& driver, int ordinal) {
  static auto& known = *new std::map<std::pair<const Driver*, int>, std::weak_ptr<Context>>();
  int count = 0;
  driver.check(driver.cuDeviceGetCount(&count), "cuDeviceGetCount");
  if (count == 0) throw Failure(Kind::noDevice, "the driver finds no GPU");
  if (ordinal >= count) throw Failure(Kind::noDevice, "device " + std::to_string(ordinal) + " was asked for, there are " + std::to_string(count));
  DeviceId device = 0;
  driver.check(driver.cuDeviceGet(&device, ordinal), "cuDeviceGet");
  const std::lock_guard<std::mutex> lock(registry);
  auto& weak = known[{&driver, ordinal}];
  auto context = weak.lock();
  if (!context) {
    context.reset(new Context(driver, device));
    weak = context;
  }
  context->requireHealthy();
  return context;
}

Context::Context(const Driver& driver, DeviceId device) : driver_(driver), device_(device) {
  char name[256] = {};
  size_t bytes = 0;
  driver.check(driver.cuDeviceGetName(name, sizeof name - 1, device), "cuDeviceGetName");
  driver.check(driver.cuDeviceTotalMem_v2(&bytes, device), "cuDeviceTotalMem");
  info_.name = name;
  info_.bytes = bytes;
  const std::pair<int*, int> attributes[] = {
      {&info_.major, kCapabilityMajor}, {&info_.minor, kCapabilityMinor}, {&info_.multiprocessors, kMultiprocessorCount},
      {&info_.clock, kClockRate}, {&info_.memoryClock, kMemoryClockRate}, {&info_.memoryBus, kMemoryBusWidth},
  };
  for (const auto& [value, attribute] : attributes) driver.check(driver.cuDeviceGetAttribute(value, attribute, device), "cuDeviceGetAttribute");
  driver.check(driver.cuDevicePrimaryCtxRetain(&handle_, device), "cuDevicePrimaryCtxRetain");
}
Context::~Context() {
  // There is nobody left to tell.
  (void)driver_.cuDevicePrimaryCtxRelease_v2(device_);
}
void Context::makeCurrent() const { driver_.check(driver_.cuCtxSetCurrent(handle_), "cuCtxSetCurrent"); }
void Context::poison(const std::string& why) {
  const std::lock_guard<std::mutex> lock(registry);
  if (poisoned_) return;
  why_ = why;
  poisoned_ = true;
}
void Context::requireHealthy() const {
  if (poisoned_) throw Failure(Kind::lost, why_);
}

}  // namespace ssmc
