#include "session.h"

#include <cstring>
#include <utility>

namespace ssmc {

Worker::Worker() : thread_([this] { loop(); }) {}
bool Worker::post(std::function<void()> work) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (ending_) return false;
    queue_.push_back(std::move(work));
  }
  wake_.notify_one();
  return true;
}
void Worker::end() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
}
void Worker::stop(std::function<void()> last) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    queue_.clear();
    queue_.push_back(std::move(last));
    ending_ = true;
  }
  wake_.notify_one();
}
void Worker::join() {
  end();
  if (thread_.joinable()) thread_.join();
}
void Worker::loop() {
  for (;;) {
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const auto work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
  }
}

// A failure that lasts is every session's on this device.
template <typename Work>
auto Session::guarded(Work work) {
  context_->requireHealthy();
  try {
    return work();
  } catch (const Failure& failure) {
    if (failure.kind == Kind::lost) context_->poison(failure.why);
    throw;
  }
}

Session::Session(const std::string& driver, int device) : driver_(&Driver::open(driver)), context_(Context::retain(*driver_, device)) {
  const Driver& d = *driver_;
  try {
    guarded([&] {
      context_->makeCurrent();
      device_ = std::make_unique<Arena>(
          [&d](uint64_t bytes) {
            Address address = 0;
            d.check(d.cuMemAlloc_v2(&address, bytes), "cuMemAlloc", bytes);
            return address;
          },
          [&d](uint64_t address) { (void)d.cuMemFree_v2(address); });
      pinned_ = std::make_unique<Arena>(
          [&d](uint64_t bytes) {
            void* address = nullptr;
            d.check(d.cuMemHostAlloc(&address, bytes, kHostPortable), "cuMemHostAlloc", bytes);
            return reinterpret_cast<uint64_t>(address);
          },
          [&d](uint64_t address) { (void)d.cuMemFreeHost(reinterpret_cast<void*>(address)); });
      for (StreamHandle* stream : {&stream_, &up_, &down_}) d.check(d.cuStreamCreate(stream, kStreamNonBlocking), "cuStreamCreate");
      d.check(d.cuEventCreate(&began_, 0), "cuEventCreate");
      d.check(d.cuEventCreate(&ended_, kEventBlockingSync), "cuEventCreate");
    });
  } catch (...) {
    close();
    throw;
  }
}
Session::~Session() { close(); }

// There is nobody to tell of what fails here, and on a poisoned context all of it does.
void Session::close() {
  const Driver& d = *driver_;
  synchronize();
  while (!batches_.empty()) drop(std::shared_ptr<Batch>(*batches_.begin()));
  if (module_) (void)d.cuModuleUnload(module_);
  if (began_) (void)d.cuEventDestroy_v2(began_);
  if (ended_) (void)d.cuEventDestroy_v2(ended_);
  for (StreamHandle* stream : {&stream_, &up_, &down_}) {
    if (*stream) (void)d.cuStreamDestroy_v2(*stream);
    *stream = nullptr;
  }
  device_.reset();
  pinned_.reset();
  (void)d.cuCtxSetCurrent(nullptr);
  module_ = nullptr;
  began_ = ended_ = nullptr;
}

void Session::load(std::vector<char> image, const std::vector<std::string>& names) {
  const Driver& d = *driver_;
  guarded([&] {
    // PTX is text, which ends with a zero.
    image.push_back('\0');
    char log[4096] = {};
    int options[] = {kJitErrorLog, kJitErrorLogBytes};
    void* values[] = {log, reinterpret_cast<void*>(sizeof log - 1)};
    const Status status = d.cuModuleLoadDataEx(&module_, image.data(), 2, options, values);
    if (status != kSuccess) module_ = nullptr;
    try {
      d.check(status, "cuModuleLoadDataEx", image.size());
    } catch (const Failure& failure) {
      throw log[0] ? Failure(failure.kind, failure.why + ": " + log, failure.bytes) : failure;
    }
    for (const std::string& name : names) {
      FunctionHandle function = nullptr;
      d.check(d.cuModuleGetFunction(&function, module_, name.c_str()), ("cuModuleGetFunction of " + name).c_str());
      functions_.push_back(function);
    }
  });
}

void Session::allocate(Buffer& buffer) {
  guarded([&] { buffer.block = device_->allocate(buffer.bytes); });
}
void Session::free(Buffer& buffer) {
  device_->free(buffer.block);
  buffer.block = {};
}

void Session::prepare(const std::shared_ptr<Batch>& batch) {
  guarded([&] {
    batches_.insert(batch);
    const auto& [list, in, out] = batch->commands;
    try {
      if (in > 0) batch->in = pinned_->allocate(in);
      if (out > 0) batch->out = pinned_->allocate(out);
    } catch (...) {
      drop(batch);
      throw;
    }
    // What no command reads must not be what was there before.
    if (out > 0) std::memset(reinterpret_cast<void*>(batch->out.address), 0, out);
  });
}
void Session::drop(const std::shared_ptr<Batch>& batch) {
  if (batches_.erase(batch) == 0) return;
  if (batch->flight) {
    synchronize();
    land(*batch);
  }
  if (batch->exec) (void)driver_->cuGraphExecDestroy(batch->exec);
  if (batch->in.bytes > 0) pinned_->free(batch->in);
  if (batch->out.bytes > 0) pinned_->free(batch->out);
  batch->exec = nullptr;
  batch->in = batch->out = {};
}

float Session::run(Batch& batch) {
  const Driver& d = *driver_;
  return guarded([&] {
    if (batch.graph && !batch.exec) capture(batch);
    try {
      d.check(d.cuEventRecord(began_, stream_), "cuEventRecord");
      if (batch.exec) d.check(d.cuGraphLaunch(batch.exec, stream_), "cuGraphLaunch");
      else enqueue(batch);
      d.check(d.cuEventRecord(ended_, stream_), "cuEventRecord");
      d.check(d.cuEventSynchronize(ended_), "cuEventSynchronize");
    } catch (...) {
      // What has begun still uses this memory.
      (void)d.cuStreamSynchronize(stream_);
      throw;
    }
    float milliseconds = 0;
    d.check(d.cuEventElapsedTime(&milliseconds, began_, ended_), "cuEventElapsedTime");
    return milliseconds;
  });
}

void Session::start(Batch& batch) {
  const Driver& d = *driver_;
  guarded([&] {
    batch.flight = std::make_unique<Batch::Flight>();
    Batch::Flight& f = *batch.flight;
    try {
      const auto& [list, in, out] = batch.commands;
      if (in > 0) f.in = device_->allocate(in);
      if (out > 0) f.out = device_->allocate(out);
      for (EventHandle* event : {&f.uploaded, &f.began, &f.computed}) d.check(d.cuEventCreate(event, 0), "cuEventCreate");
      d.check(d.cuEventCreate(&f.ended, kEventBlockingSync), "cuEventCreate");
      enqueueAhead(batch);
    } catch (...) {
      // What has begun still uses this memory.
      synchronize();
      land(batch);
      throw;
    }
  });
}
float Session::finish(Batch& batch) {
  const Driver& d = *driver_;
  return guarded([&] {
    float milliseconds = 0;
    try {
      d.check(d.cuEventSynchronize(batch.flight->ended), "cuEventSynchronize");
      d.check(d.cuEventElapsedTime(&milliseconds, batch.flight->began, batch.flight->computed), "cuEventElapsedTime");
    } catch (...) {
      synchronize();
      land(batch);
      throw;
    }
    land(batch);
    return milliseconds;
  });
}
// Nothing uses it any more.
void Session::land(Batch& batch) {
  const Batch::Flight& f = *batch.flight;
  for (const EventHandle event : {f.uploaded, f.began, f.computed, f.ended}) if (event) (void)driver_->cuEventDestroy_v2(event);
  if (f.in.bytes > 0) device_->free(f.in);
  if (f.out.bytes > 0) device_->free(f.out);
  batch.flight.reset();
}
void Session::synchronize() {
  for (const StreamHandle stream : {up_, stream_, down_}) if (stream) (void)driver_->cuStreamSynchronize(stream);
}
// By way of memory of its own on the device: what kernels read and write there is the batch's before, until it has computed.
void Session::enqueueAhead(const Batch& batch) {
  const Driver& d = *driver_;
  const Batch::Flight& f = *batch.flight;
  const auto& [list, in, out] = batch.commands;
  if (in > 0) d.check(d.cuMemcpyHtoDAsync_v2(f.in.address, reinterpret_cast<const void*>(batch.in.address), in, up_), "cuMemcpyHtoDAsync");
  d.check(d.cuEventRecord(f.uploaded, up_), "cuEventRecord");
  d.check(d.cuStreamWaitEvent(stream_, f.uploaded, 0), "cuStreamWaitEvent");
  d.check(d.cuEventRecord(f.began, stream_), "cuEventRecord");
  enqueue(batch);
  d.check(d.cuEventRecord(f.computed, stream_), "cuEventRecord");
  d.check(d.cuStreamWaitEvent(down_, f.computed, 0), "cuStreamWaitEvent");
  for (const Command& c : list) {
    if (c.kind != Command::Kind::read || c.bytes == 0) continue;
    d.check(d.cuMemcpyDtoHAsync_v2(reinterpret_cast<void*>(batch.out.address + c.into), f.out.address + c.into, c.bytes, down_), "cuMemcpyDtoHAsync");
  }
  d.check(d.cuEventRecord(f.ended, down_), "cuEventRecord");
}

void Session::capture(Batch& batch) {
  const Driver& d = *driver_;
  d.check(d.cuStreamBeginCapture_v2(stream_, kCaptureThreadLocal), "cuStreamBeginCapture");
  GraphHandle graph = nullptr;
  try {
    enqueue(batch);
  } catch (...) {
    // The stream must be usable again.
    if (d.cuStreamEndCapture(stream_, &graph) == kSuccess && graph) (void)d.cuGraphDestroy(graph);
    throw;
  }
  d.check(d.cuStreamEndCapture(stream_, &graph), "cuStreamEndCapture");
  const Status status = d.cuGraphInstantiateWithFlags(&batch.exec, graph, 0);
  (void)d.cuGraphDestroy(graph);
  if (status != kSuccess) batch.exec = nullptr;
  d.check(status, "cuGraphInstantiateWithFlags");
}

void Session::enqueue(const Batch& batch) {
  const Driver& d = *driver_;
  for (const Command& c : batch.commands.list) {
    if (c.kind != Command::Kind::launch && c.bytes == 0) continue;
    switch (c.kind) {
      case Command::Kind::clear:
        d.check(d.cuMemsetD32Async(c.buffer->block.address, 0, c.bytes / 4, stream_), "cuMemsetD32Async");
        break;
      case Command::Kind::write:
        if (batch.flight) d.check(d.cuMemcpyDtoDAsync_v2(c.buffer->block.address + c.offset, batch.flight->in.address + c.into, c.bytes, stream_), "cuMemcpyDtoDAsync");
        else d.check(d.cuMemcpyHtoDAsync_v2(c.buffer->block.address + c.offset, reinterpret_cast<const void*>(batch.in.address + c.into), c.bytes, stream_), "cuMemcpyHtoDAsync");
        break;
      case Command::Kind::copy:
        d.check(d.cuMemcpyDtoDAsync_v2(c.to->block.address + c.into, c.buffer->block.address + c.offset, c.bytes, stream_), "cuMemcpyDtoDAsync");
        break;
      case Command::Kind::read:
        if (batch.flight) d.check(d.cuMemcpyDtoDAsync_v2(batch.flight->out.address + c.into, c.buffer->block.address + c.offset, c.bytes, stream_), "cuMemcpyDtoDAsync");
        else d.check(d.cuMemcpyDtoHAsync_v2(reinterpret_cast<void*>(batch.out.address + c.into), c.buffer->block.address + c.offset, c.bytes, stream_), "cuMemcpyDtoHAsync");
        break;
      case Command::Kind::launch: launch(c); break;
    }
  }
}

void Session::launch(const Command& c) {
  // The driver copies as many bytes of each as the kernel's parameter has.
  std::vector<uint64_t> values(c.arguments.size());
  std::vector<void*> pointers(c.arguments.size());
  for (size_t k = 0; k < values.size(); ++k) {
    const Argument& argument = c.arguments[k];
    if (argument.buffer) values[k] = argument.buffer->block.address + argument.offset;
    else std::memcpy(&values[k], &argument.number, sizeof argument.number);
    pointers[k] = &values[k];
  }
  driver_->check(driver_->cuLaunchKernel(functions_[c.function], c.groups[0], c.groups[1], c.groups[2], c.threads, 1, 1, 0, stream_, pointers.data(), nullptr), "cuLaunchKernel");
}

}  // namespace ssmc
