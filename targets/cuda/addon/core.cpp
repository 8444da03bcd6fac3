#include "core.h"

#include <utility>

namespace ssmc {

Napi::Error errorOf(Napi::Env env, const Failure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.why);
  error.Set("kind", Napi::String::New(env, kindName(failure.kind)));
  if (failure.bytes > 0) error.Set("bytes", Napi::Number::New(env, static_cast<double>(failure.bytes)));
  return error;
}

std::shared_ptr<Core> Core::make(Napi::Env env) {
  const std::shared_ptr<Core> core(new Core());
  core->channel_ = Channel::New(env, "ssmc-cuda", 0, 1, core.get());
  // An idle session keeps no process alive.
  core->channel_.Unref(env);
  // Registered after the channel's own hook, so run before it.
  if (napi_add_env_cleanup_hook(env, teardown, core.get()) != napi_ok) throw Napi::Error::New(env, "no cleanup hook can be added");
  core->self_ = core;
  return core;
}
Core::~Core() { worker_.join(); }

void Core::require() const {
  if (disposed_) throw Failure(Kind::disposed, "the session has been disposed of");
}

void Core::settle(Napi::Env env, Napi::Function, Core* core, std::shared_ptr<Task>* data) {
  const std::shared_ptr<Task> task = std::move(*data);
  delete data;
  // The environment has ended: nobody waits.
  if (env == nullptr) return;
  const Napi::HandleScope scope(env);
  const std::shared_ptr<Core> alive = core->self_;
  if (--core->pending_ == 0) core->channel_.Unref(env);
  try {
    task->settle(env, task->failure ? &*task->failure : nullptr);
  } catch (const Napi::Error&) {
    // A thread that is being terminated runs no more JavaScript: nobody waits there either.
  }
}

void Core::post(Napi::Env env, std::shared_ptr<Task> task) {
  if (pending_++ == 0) channel_.Ref(env);
  const bool accepted = worker_.post([this, task] {
    try {
      task->work();
    } catch (const Failure& failure) {
      task->failure = failure;
    } catch (const std::exception& error) {
      task->failure = Failure(Kind::refused, error.what());
    }
    auto* data = new std::shared_ptr<Task>(task);
    if (channel_.NonBlockingCall(data) != napi_ok) delete data;
  });
  if (!accepted && --pending_ == 0) channel_.Unref(env);
}

Napi::Promise Core::ask(Napi::Env env, Work work, Result result, After after) {
  const auto deferred = Napi::Promise::Deferred::New(env);
  const auto task = std::make_shared<Task>();
  task->work = std::move(work);
  task->settle = [deferred, result = std::move(result), after = std::move(after)](Napi::Env e, const Failure* failure) {
    try {
      if (failure) deferred.Reject(errorOf(e, *failure).Value());
      else deferred.Resolve(result(e));
    } catch (const Napi::Error& error) {
      deferred.Reject(error.Value());
    }
    if (after) after(e, failure != nullptr);
  };
  post(env, task);
  return deferred.Promise();
}
void Core::tell(Work work) {
  (void)worker_.post([work = std::move(work)] {
    try {
      work();
    } catch (const std::exception&) {
      // What was to be given back is gone with its context.
    }
  });
}

// First whatever was asked before is answered: its memory must be there when it is. Then the session ends.
void Core::dispose(Napi::Env env, std::optional<Napi::Promise::Deferred> closed) {
  if (closed && finished_) closed->Resolve(env.Undefined());
  else if (closed) closed_.push_back(*closed);
  if (disposed_) return;
  disposed_ = true;
  const auto last = std::make_shared<Task>();
  last->work = [] {};
  last->settle = [this](Napi::Env e, const Failure*) {
    const auto close = std::make_shared<Task>();
    close->work = [this] { session.reset(); };
    close->settle = [this](Napi::Env inner, const Failure*) { finish(inner); };
    post(e, close);
  };
  post(env, last);
}
void Core::finish(Napi::Env env) {
  if (std::exchange(finished_, true)) return;
  worker_.join();
  (void)napi_remove_env_cleanup_hook(env, teardown, this);
  (void)channel_.Release();
  buffers.clear();
  for (const auto& deferred : closed_) deferred.Resolve(env.Undefined());
  closed_.clear();
  self_.reset();
}
void Core::teardown(void* data) {
  Core* core = static_cast<Core*>(data);
  if (std::exchange(core->finished_, true)) return;
  core->disposed_ = true;
  core->worker_.stop([core] { core->session.reset(); });
  core->worker_.join();
  core->buffers.clear();
  // The channel ends with the environment.
  core->self_.reset();
}

}  // namespace ssmc
