// The part of the CUDA driver's interface that is used, declared here from its documented ABI, so that nothing of CUDA is needed to
// build. Handles are opaque pointers, device addresses 64-bit integers, everything else C's own types.
#pragma once
#include <cstddef>
#include <cstdint>

namespace ssmc {

using Status = int;
using DeviceId = int;
using Address = uint64_t;
using ContextHandle = struct ContextTag*;
using ModuleHandle = struct ModuleTag*;
using FunctionHandle = struct FunctionTag*;
using StreamHandle = struct StreamTag*;
using EventHandle = struct EventTag*;
using GraphHandle = struct GraphTag*;
using GraphExecHandle = struct GraphExecTag*;

constexpr Status kSuccess = 0, kInvalidValue = 1, kOutOfMemory = 2, kStubLibrary = 34, kInsufficientDriver = 35, kNoDevice = 100,
                 kInvalidDevice = 101, kNoBinaryForGpu = 209, kInvalidPtx = 218, kUnsupportedPtxVersion = 222, kSystemDriverMismatch = 803,
                 kCompatNotSupported = 804;
constexpr int kClockRate = 13, kMultiprocessorCount = 16, kMemoryClockRate = 36, kMemoryBusWidth = 37, kCapabilityMajor = 75, kCapabilityMinor = 76;
constexpr int kJitErrorLog = 5, kJitErrorLogBytes = 6;
constexpr unsigned kStreamNonBlocking = 1, kEventBlockingSync = 1, kHostPortable = 1;
constexpr int kCaptureThreadLocal = 1;
// Graphs that are instantiated with flags came with CUDA 11.4.
constexpr int kOldestDriver = 11040;

// Name in the library (functions that changed have a suffix), then what it takes.
#define SSMC_DRIVER_CALLS(call)                                                                                            \
  call(cuInit, (unsigned flags))                                                                                           \
  call(cuDriverGetVersion, (int* version))                                                                                 \
  call(cuGetErrorName, (Status status, const char** name))                                                                 \
  call(cuGetErrorString, (Status status, const char** text))                                                               \
  call(cuDeviceGetCount, (int* count))                                                                                     \
  call(cuDeviceGet, (DeviceId* device, int ordinal))                                                                       \
  call(cuDeviceGetName, (char* name, int size, DeviceId device))                                                           \
  call(cuDeviceGetAttribute, (int* value, int attribute, DeviceId device))                                                 \
  call(cuDeviceTotalMem_v2, (size_t* bytes, DeviceId device))                                                              \
  call(cuDevicePrimaryCtxRetain, (ContextHandle* context, DeviceId device))                                                \
  call(cuDevicePrimaryCtxRelease_v2, (DeviceId device))                                                                    \
  call(cuCtxSetCurrent, (ContextHandle context))                                                                           \
  call(cuMemAlloc_v2, (Address* address, size_t bytes))                                                                    \
  call(cuMemFree_v2, (Address address))                                                                                    \
  call(cuMemHostAlloc, (void** address, size_t bytes, unsigned flags))                                                     \
  call(cuMemFreeHost, (void* address))                                                                                     \
  call(cuMemcpyHtoDAsync_v2, (Address to, const void* from, size_t bytes, StreamHandle stream))                            \
  call(cuMemcpyDtoHAsync_v2, (void* to, Address from, size_t bytes, StreamHandle stream))                                  \
  call(cuMemcpyDtoDAsync_v2, (Address to, Address from, size_t bytes, StreamHandle stream))                                \
  call(cuMemsetD32Async, (Address to, unsigned value, size_t count, StreamHandle stream))                                  \
  call(cuModuleLoadDataEx, (ModuleHandle* module, const void* image, unsigned options, int* names, void** values))         \
  call(cuModuleUnload, (ModuleHandle module))                                                                              \
  call(cuModuleGetFunction, (FunctionHandle* function, ModuleHandle module, const char* name))                             \
  call(cuLaunchKernel, (FunctionHandle function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,          \
                        unsigned blockY, unsigned blockZ, unsigned sharedBytes, StreamHandle stream, void** arguments,      \
                        void** extra))                                                                                     \
  call(cuStreamCreate, (StreamHandle* stream, unsigned flags))                                                             \
  call(cuStreamDestroy_v2, (StreamHandle stream))                                                                          \
  call(cuStreamSynchronize, (StreamHandle stream))                                                                         \
  call(cuStreamWaitEvent, (StreamHandle stream, EventHandle event, unsigned flags))                                        \
  call(cuStreamBeginCapture_v2, (StreamHandle stream, int mode))                                                           \
  call(cuStreamEndCapture, (StreamHandle stream, GraphHandle* graph))                                                      \
  call(cuEventCreate, (EventHandle* event, unsigned flags))                                                                \
  call(cuEventDestroy_v2, (EventHandle event))                                                                             \
  call(cuEventRecord, (EventHandle event, StreamHandle stream))                                                            \
  call(cuEventSynchronize, (EventHandle event))                                                                            \
  call(cuEventElapsedTime, (float* milliseconds, EventHandle from, EventHandle to))                                        \
  call(cuGraphInstantiateWithFlags, (GraphExecHandle* exec, GraphHandle graph, unsigned long long flags))                  \
  call(cuGraphDestroy, (GraphHandle graph))                                                                                \
  call(cuGraphExecDestroy, (GraphExecHandle exec))                                                                         \
  call(cuGraphLaunch, (GraphExecHandle exec, StreamHandle stream))

}  // namespace ssmc
