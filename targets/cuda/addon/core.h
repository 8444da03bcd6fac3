// A session as JavaScript's thread sees it: what it is asked is done by the session's thread, and answered by a promise. Belongs to one
// environment (a worker thread of Node has its own), and ends with it at the latest.
#pragma once
#include <napi.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "session.h"

namespace ssmc {

// What is thrown, or what a promise is rejected with: an Error with `kind`, and `bytes` where that says something.
Napi::Error errorOf(Napi::Env env, const Failure& failure);

class Core : public std::enable_shared_from_this<Core> {
 public:
  using Work = std::function<void()>;
  using Result = std::function<Napi::Value(Napi::Env)>;
  using After = std::function<void(Napi::Env, bool failed)>;

  static std::shared_ptr<Core> make(Napi::Env env);
  ~Core();

  // `work` on the session's thread, then `result` on JavaScript's; last `after`, whatever came of it. Work refers to nothing of JavaScript's.
  Napi::Promise ask(Napi::Env env, Work work, Result result, After after = nullptr);
  // Work whose end nobody waits for, and which can't fail.
  void tell(Work work);
  // What is under way still ends; what is asked later is refused. `closed` is resolved when nothing is left.
  void dispose(Napi::Env env, std::optional<Napi::Promise::Deferred> closed = std::nullopt);
  // Throws Failure disposed.
  void require() const;

  // Of the session's thread.
  std::unique_ptr<Session> session;
  // Of JavaScript's thread.
  Buffers buffers;
  uint32_t lastBuffer = 0;
  size_t functions = 0;
  uint64_t bytes = 0;

 private:
  struct Task {
    Work work;
    std::function<void(Napi::Env, const Failure*)> settle;
    std::optional<Failure> failure;
  };
  static void settle(Napi::Env env, Napi::Function, Core* core, std::shared_ptr<Task>* task);
  using Channel = Napi::TypedThreadSafeFunction<Core, std::shared_ptr<Task>, Core::settle>;

  Core() = default;
  void post(Napi::Env env, std::shared_ptr<Task> task);
  void finish(Napi::Env env);
  // The environment ends.
  static void teardown(void* core);

  Worker worker_;
  Channel channel_;
  // Keeps itself until it is finished.
  std::shared_ptr<Core> self_;
  std::vector<Napi::Promise::Deferred> closed_;
  size_t pending_ = 0;
  bool disposed_ = false, finished_ = false;
};

}  // namespace ssmc
