// A model's place on a device: its kernels, its memory, its stream. Everything here runs on one thread of its own, since a driver's calls
// may block and JavaScript's thread must not.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "arena.h"
#include "commands.h"
#include "driver.h"

namespace ssmc {

// Runs what it is given, in order.
class Worker {
 public:
  Worker();
  ~Worker() { join(); }
  // False once it ends: then nothing will run it.
  bool post(std::function<void()> work);
  // Runs what was posted before, then no more.
  void end();
  // Runs what is under way, drops the rest, then `last`.
  void stop(std::function<void()> last);
  void join();

 private:
  void loop();
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool ending_ = false;
  std::thread thread_;
};

// Commands with what it takes to run them.
struct Batch {
  Commands commands;
  // The same again and again: recorded once, launched as one.
  bool graph = false;
  // Pinned: JavaScript's thread writes `in` before a run, and reads `out` after it.
  Arena::Block in, out;
  GraphExecHandle exec = nullptr;
  // While it has been started and not finished: the same on the device, and what tells how far it is.
  struct Flight {
    Arena::Block in, out;
    EventHandle uploaded = nullptr, began = nullptr, computed = nullptr, ended = nullptr;
  };
  std::unique_ptr<Flight> flight;
};

class Session {
 public:
  Session(const std::string& driver, int device);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const DeviceInfo& info() const { return context_->info(); }
  int driverVersion() const { return driver_->version(); }

  // A cubin, or PTX as text; then its kernels go by their numbers in `names`.
  void load(std::vector<char> image, const std::vector<std::string>& names);
  void allocate(Buffer& buffer);
  void free(Buffer& buffer);
  void prepare(const std::shared_ptr<Batch>& batch);
  // Milliseconds on the device.
  float run(Batch& batch);
  // The same in two: handed over, so that its data goes up while earlier ones compute and comes down while later ones do; and waited for. Batches
  // compute in the order in which they are started.
  void start(Batch& batch);
  float finish(Batch& batch);
  void drop(const std::shared_ptr<Batch>& batch);

 private:
  template <typename Work>
  auto guarded(Work work);
  void close();
  void enqueue(const Batch& batch);
  void enqueueAhead(const Batch& batch);
  void land(Batch& batch);
  void synchronize();
  void launch(const Command& command);
  void capture(Batch& batch);

  const Driver* driver_ = nullptr;
  std::shared_ptr<Context> context_;
  std::unique_ptr<Arena> device_, pinned_;
  // Kernels, and copies on the device; data on its way up and down.
  StreamHandle stream_ = nullptr, up_ = nullptr, down_ = nullptr;
  EventHandle began_ = nullptr, ended_ = nullptr;
  ModuleHandle module_ = nullptr;
  std::vector<FunctionHandle> functions_;
  std::set<std::shared_ptr<Batch>> batches_;
};

}  // namespace ssmc
