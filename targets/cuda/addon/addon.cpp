// What JavaScript sees (src/runtime/cuda/native.ts has its types): open() gives a session, a session gives buffers by number and batches of
// commands, NVRTC compiles. Memory of a driver never becomes JavaScript's: what goes in and out is copied.
#include <napi.h>

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "core.h"
#include "nvrtc.h"

namespace ssmc {
namespace {

// Failures thrown in `work` become JavaScript's.
template <typename Work>
auto throwing(Napi::Env env, Work work) {
  try {
    return work();
  } catch (const Failure& failure) {
    throw errorOf(env, failure);
  }
}
std::string textOf(const Napi::Value& value, const char* what) {
  if (!value.IsString()) throw Napi::TypeError::New(value.Env(), std::string(what) + ": expected a string");
  return value.As<Napi::String>().Utf8Value();
}
std::vector<std::string> textsOf(const Napi::Value& value, const char* what) {
  if (!value.IsArray()) throw Napi::TypeError::New(value.Env(), std::string(what) + ": expected an array of strings");
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> texts;
  for (uint32_t k = 0; k < array.Length(); ++k) texts.push_back(textOf(array.Get(k), what));
  return texts;
}
uint64_t wholeOf(const Napi::Value& value, const char* what, double most) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= most) || number != static_cast<double>(static_cast<uint64_t>(number))) {
    throw Napi::TypeError::New(value.Env(), std::string(what) + ": expected a whole number");
  }
  return static_cast<uint64_t>(number);
}
constexpr double kMostBytes = 9007199254740991.0;

struct Shared {
  std::shared_ptr<Core> core;
  std::shared_ptr<Batch> batch;
};
// Only the addon makes handles: JavaScript has no way to make what their constructors want.
Shared given(const Napi::CallbackInfo& info) {
  if (info.Length() != 1 || !info[0].IsExternal()) throw Napi::TypeError::New(info.Env(), "it is made by open() and prepare()");
  return *info[0].As<Napi::External<Shared>>().Data();
}
Napi::Object handle(Napi::Env env, const Napi::FunctionReference& constructor, Shared shared) {
  return constructor.New({Napi::External<Shared>::New(env, &shared)});
}

class BatchHandle : public Napi::ObjectWrap<BatchHandle> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Batch", {InstanceMethod<&BatchHandle::run>("run"), InstanceMethod<&BatchHandle::start>("start"), InstanceMethod<&BatchHandle::result>("result"), InstanceMethod<&BatchHandle::dispose>("dispose")});
  }
  explicit BatchHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<BatchHandle>(info), shared_(given(info)) {}
  ~BatchHandle() override { drop(); }

 private:
  // run(data): the writes' data → { data, milliseconds }: what was read.
  Napi::Value run(const Napi::CallbackInfo& info) {
    return throwing(info.Env(), [&] {
      const std::shared_ptr<Batch> batch = begin(info);
      return answered(info.Env(), batch, [core = shared_.core.get(), batch] { return core->session->run(*batch); });
    });
  }
  // start(data): handed over; result(): what run() gives, when it is there.
  Napi::Value start(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return throwing(env, [&]() -> Napi::Value {
      const std::shared_ptr<Batch> batch = begin(info);
      Core* core = shared_.core.get();
      return core->ask(
          env, [core, batch] { core->session->start(*batch); }, [](Napi::Env e) -> Napi::Value { return e.Undefined(); },
          [core, batch, use = use_](Napi::Env, bool failed) {
            if (failed || use->dropped) end(core, batch, *use);
            else use->started = true;
          });
    });
  }
  Napi::Value result(const Napi::CallbackInfo& info) {
    return throwing(info.Env(), [&]() -> Napi::Value {
      const std::shared_ptr<Batch> batch = alive();
      if (!use_->started) throw Failure(Kind::refused, "the batch has not been started");
      use_->started = false;
      return answered(info.Env(), batch, [core = shared_.core.get(), batch] { return core->session->finish(*batch); });
    });
  }
  std::shared_ptr<Batch> alive() const {
    shared_.core->require();
    if (!shared_.batch) throw Failure(Kind::disposed, "the batch has been disposed of");
    return shared_.batch;
  }
  // Whatever begins: with the data of its writes.
  std::shared_ptr<Batch> begin(const Napi::CallbackInfo& info) {
    const std::shared_ptr<Batch> batch = alive();
    if (use_->running) throw Failure(Kind::refused, "the batch is under way");
    if (batch->commands.usesFreed()) throw Failure(Kind::disposed, "the batch names a buffer that has been freed");
    const uint64_t in = batch->commands.in;
    if (!info[0].IsArrayBuffer()) throw Napi::TypeError::New(info.Env(), "data: expected an ArrayBuffer");
    auto data = info[0].As<Napi::ArrayBuffer>();
    if (data.ByteLength() != in) throw Failure(Kind::refused, "data: expected " + std::to_string(in) + " bytes, got " + std::to_string(data.ByteLength()));
    if (in > 0) std::memcpy(reinterpret_cast<void*>(batch->in.address), data.Data(), in);
    use_->running = true;
    return batch;
  }
  // `work` gives milliseconds.
  Napi::Value answered(Napi::Env env, const std::shared_ptr<Batch>& batch, std::function<float()> work) {
    const auto milliseconds = std::make_shared<float>(0.0f);
    Core* core = shared_.core.get();
    return core->ask(
        env, [work = std::move(work), milliseconds] { *milliseconds = work(); },
        [batch, milliseconds](Napi::Env e) -> Napi::Value {
          auto out = Napi::ArrayBuffer::New(e, batch->commands.out);
          if (batch->commands.out > 0) std::memcpy(out.Data(), reinterpret_cast<const void*>(batch->out.address), batch->commands.out);
          auto result = Napi::Object::New(e);
          result.Set("data", out);
          result.Set("milliseconds", Napi::Number::New(e, *milliseconds));
          return result;
        },
        // Only now: until then what was read was still to be copied.
        [core, batch, use = use_](Napi::Env, bool) { end(core, batch, *use); });
  }
  void dispose(const Napi::CallbackInfo&) { drop(); }
  void drop() {
    if (!shared_.batch) return;
    if (use_->running && !use_->started) use_->dropped = true;
    else tellDrop(shared_.core.get(), shared_.batch);
    shared_.batch = nullptr;
  }
  static void tellDrop(Core* core, const std::shared_ptr<Batch>& batch) {
    core->tell([core, batch] { if (core->session) core->session->drop(batch); });
  }

  struct Use {
    bool running = false, started = false, dropped = false;
  };
  static void end(Core* core, const std::shared_ptr<Batch>& batch, Use& use) {
    use.running = false;
    if (use.dropped) tellDrop(core, batch);
  }
  Shared shared_;
  std::shared_ptr<Use> use_ = std::make_shared<Use>();
};

struct Constructors {
  Napi::FunctionReference session, batch;
};

class SessionHandle : public Napi::ObjectWrap<SessionHandle> {
 public:
  static Napi::Function define(Napi::Env env, Constructors* constructors) {
    return DefineClass(env, "Session",
                       {
                           InstanceMethod<&SessionHandle::load>("load"), InstanceMethod<&SessionHandle::allocate>("allocate"),
                           InstanceMethod<&SessionHandle::free>("free"), InstanceMethod<&SessionHandle::prepare>("prepare", napi_default_method, constructors),
                           InstanceMethod<&SessionHandle::dispose>("dispose"), InstanceAccessor<&SessionHandle::bytes>("bytes"),
                       });
  }
  explicit SessionHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SessionHandle>(info), core_(given(info).core) {}
  ~SessionHandle() override { core_->dispose(Env()); }

 private:
  // load(image, names): its kernels, in the order of their names.
  Napi::Value load(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return throwing(env, [&]() -> Napi::Value {
      core_->require();
      if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) throw Napi::TypeError::New(env, "image: expected a Uint8Array");
      if (core_->functions > 0) throw Failure(Kind::refused, "kernels are loaded already");
      const auto bytes = info[0].As<Napi::Uint8Array>();
      std::vector<char> image(bytes.Data(), bytes.Data() + bytes.ByteLength());
      const std::vector<std::string> names = textsOf(info[1], "names");
      const auto count = names.size();
      Core* core = core_.get();
      return core->ask(
          env, [core, image = std::move(image), names] { core->session->load(image, names); },
          [core, count](Napi::Env e) -> Napi::Value {
            core->functions = count;
            return e.Undefined();
          });
    });
  }
  // allocate(bytes): a buffer's number.
  Napi::Value allocate(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return throwing(env, [&]() -> Napi::Value {
      core_->require();
      const auto buffer = std::make_shared<Buffer>();
      buffer->bytes = wholeOf(info[0], "bytes", kMostBytes);
      Core* core = core_.get();
      return core->ask(
          env, [core, buffer] { core->session->allocate(*buffer); },
          [core, buffer](Napi::Env e) -> Napi::Value {
            core->buffers[++core->lastBuffer] = buffer;
            core->bytes += buffer->bytes;
            return Napi::Number::New(e, core->lastBuffer);
          });
    });
  }
  void free(const Napi::CallbackInfo& info) {
    const auto found = core_->buffers.find(static_cast<uint32_t>(wholeOf(info[0], "buffer", UINT32_MAX)));
    if (found == core_->buffers.end()) return;
    const std::shared_ptr<Buffer> buffer = found->second;
    buffer->freed = true;
    core_->bytes -= buffer->bytes;
    core_->buffers.erase(found);
    Core* core = core_.get();
    core->tell([core, buffer] { if (core->session) core->session->free(*buffer); });
  }
  // prepare(commands, graph): a batch.
  Napi::Value prepare(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const auto* constructors = static_cast<const Constructors*>(info.Data());
    return throwing(env, [&]() -> Napi::Value {
      core_->require();
      if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) throw Napi::TypeError::New(env, "commands: expected a Float64Array");
      const auto words = info[0].As<Napi::Float64Array>();
      const auto batch = std::make_shared<Batch>();
      batch->commands = parseCommands(words.Data(), words.ElementLength(), core_->buffers, core_->functions);
      batch->graph = info[1].ToBoolean().Value();
      const std::shared_ptr<Core> core = core_;
      return core->ask(
          env, [raw = core.get(), batch] { raw->session->prepare(batch); },
          [core, batch, constructors](Napi::Env e) -> Napi::Value { return handle(e, constructors->batch, {core, batch}); });
    });
  }
  // dispose(): a promise of the end, for whoever wants the device's context gone.
  Napi::Value dispose(const Napi::CallbackInfo& info) {
    const auto closed = Napi::Promise::Deferred::New(info.Env());
    core_->dispose(info.Env(), closed);
    return closed.Promise();
  }
  Napi::Value bytes(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), static_cast<double>(core_->bytes)); }

  std::shared_ptr<Core> core_;
};

class Compile : public Napi::AsyncWorker {
 public:
  Compile(Napi::Env env, std::vector<std::string> libraries, std::string source, std::vector<std::string> options, int capability)
      : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)), libraries_(std::move(libraries)), source_(std::move(source)), options_(std::move(options)), capability_(capability) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    try {
      image_ = compileSource(libraries_, source_, options_, capability_);
    } catch (const Failure& failure) {
      failure_ = failure;
    }
  }
  void OnOK() override {
    if (failure_) {
      deferred_.Reject(errorOf(Env(), *failure_).Value());
      return;
    }
    auto image = Napi::Uint8Array::New(Env(), image_.size());
    if (!image_.empty()) std::memcpy(image.Data(), image_.data(), image_.size());
    deferred_.Resolve(image);
  }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  std::vector<std::string> libraries_;
  std::string source_;
  std::vector<std::string> options_;
  int capability_;
  std::vector<char> image_;
  std::optional<Failure> failure_;
};

class Addon : public Napi::Addon<Addon> {
 public:
  Addon(Napi::Env env, Napi::Object exports) {
    constructors_.batch = Napi::Persistent(BatchHandle::define(env));
    constructors_.session = Napi::Persistent(SessionHandle::define(env, &constructors_));
    DefineAddon(exports, {InstanceMethod("open", &Addon::open), InstanceMethod("compile", &Addon::compile)});
  }

 private:
  // open(driver, device): the session, and what DeviceInfo has of the device
  Napi::Value open(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const std::string driver = textOf(info[0], "driver");
    const int device = static_cast<int>(wholeOf(info[1], "device", 1024));
    const std::shared_ptr<Core> core = Core::make(env);
    return core->ask(
        env, [raw = core.get(), driver, device] { raw->session = std::make_unique<Session>(driver, device); },
        [this, core](Napi::Env e) -> Napi::Value {
          const DeviceInfo& device = core->session->info();
          auto result = Napi::Object::New(e);
          result.Set("session", handle(e, constructors_.session, {core, nullptr}));
          result.Set("name", device.name);
          result.Set("capability", device.major * 10 + device.minor);
          result.Set("bytes", static_cast<double>(device.bytes));
          result.Set("multiprocessors", device.multiprocessors);
          result.Set("clock", device.clock);
          result.Set("memoryClock", device.memoryClock);
          result.Set("memoryBus", device.memoryBus);
          result.Set("driverVersion", core->session->driverVersion());
          return result;
        },
        [raw = core.get()](Napi::Env e, bool failed) { if (failed) raw->dispose(e); });
  }
  // compile(libraries, source, options, capability): an image.
  Napi::Value compile(const Napi::CallbackInfo& info) {
    auto* work = new Compile(info.Env(), textsOf(info[0], "libraries"), textOf(info[1], "source"), textsOf(info[2], "options"), static_cast<int>(wholeOf(info[3], "capability", 10000)));
    work->Queue();
    return work->promise();
  }

  Constructors constructors_;
};

}  // namespace
}  // namespace ssmc

using ssmc::Addon;
NODE_API_ADDON(Addon)
