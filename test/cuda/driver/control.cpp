// The test driver as a Node addon: tests tell it what shall fail, and look at what it holds.
#include <node_api.h>

#include <cstdlib>

#include "state.h"

namespace fake {

State& state() {
  static State& made = *new State();
  return made;
}
bool isSticky(int status) { return status >= 700 || status == 214; }
int misuse(const std::string& what, int status) {
  const Lock lock(state().mutex);
  state().misuses.push_back(what);
  return status;
}
void abandon() {
  State& s = state();
  for (const auto& [start, size] : s.device) {
    for (const auto& [handle, library] : s.libraries) {
      const std::lock_guard<std::mutex> alone(library->one);
      library->forget(reinterpret_cast<void*>(start));
    }
    std::free(reinterpret_cast<void*>(start));
  }
  for (const auto& [start, size] : s.host) std::free(reinterpret_cast<void*>(start));
  for (Module* x : s.modules) delete x;
  for (Stream* x : s.streams) delete x;
  for (Event* x : s.events) delete x;
  for (Graph* x : s.graphs) delete x;
  for (GraphExec* x : s.execs) delete x;
  s.device.clear();
  s.host.clear();
  s.modules.clear();
  s.streams.clear();
  s.events.clear();
  s.graphs.clear();
  s.execs.clear();
}

namespace {

std::string text(napi_env env, napi_value value) {
  char buffer[256] = {};
  size_t length = 0;
  napi_get_value_string_utf8(env, value, buffer, sizeof buffer, &length);
  return std::string(buffer, length);
}
int64_t number(napi_env env, napi_value value) {
  int64_t made = 0;
  napi_get_value_int64(env, value, &made);
  return made;
}
napi_value of(napi_env env, double value) {
  napi_value made;
  napi_create_double(env, value, &made);
  return made;
}
napi_value of(napi_env env, const std::vector<std::string>& list) {
  napi_value made;
  napi_create_array(env, &made);
  for (uint32_t k = 0; k < list.size(); ++k) {
    napi_value entry;
    napi_create_string_utf8(env, list[k].c_str(), list[k].size(), &entry);
    napi_set_element(env, made, k, entry);
  }
  return made;
}
void arguments(napi_env env, napi_callback_info info, size_t count, napi_value* values) { napi_get_cb_info(env, info, &count, values, nullptr, nullptr); }

// fail(call, after, status)
napi_value fail(napi_env env, napi_callback_info info) {
  napi_value given[3];
  arguments(env, info, 3, given);
  const Lock lock(state().mutex);
  state().rules.push_back({text(env, given[0]), static_cast<long>(number(env, given[1])), static_cast<int>(number(env, given[2]))});
  return nullptr;
}
// set(what, value)
napi_value set(napi_env env, napi_callback_info info) {
  napi_value given[2];
  arguments(env, info, 2, given);
  const std::string what = text(env, given[0]);
  const int64_t value = number(env, given[1]);
  const Lock lock(state().mutex);
  State& s = state();
  if (what == "devices") s.devices = static_cast<int>(value);
  else if (what == "capability") s.capability = static_cast<int>(value);
  else if (what == "version") s.version = static_cast<int>(value);
  else if (what == "limit") s.limit = static_cast<uint64_t>(value);
  else if (what == "total") s.total = static_cast<uint64_t>(value);
  else if (what == "held") s.held = value != 0;
  else napi_throw_error(env, nullptr, "there is no such setting");
  s.wake.notify_all();
  return nullptr;
}
// A fresh driver, but for what is in use.
napi_value reset(napi_env, napi_callback_info) {
  const Lock lock(state().mutex);
  State& s = state();
  s.devices = 1;
  s.capability = 90;
  s.version = 13000;
  s.limit = uint64_t{1} << 32;
  s.total = 0;
  s.held = false;
  s.rules.clear();
  s.calls.clear();
  s.misuses.clear();
  s.order.clear();
  s.loaded.clear();
  s.wake.notify_all();
  return nullptr;
}
// A fault of the kind that a sanitizer must find.
napi_value overrun(napi_env, napi_callback_info) {
  const std::vector<char> small(static_cast<size_t>(state().devices));
  volatile const char* past = small.data() + small.size();
  state().version += *past;
  return nullptr;
}
napi_value look(napi_env env, napi_callback_info) {
  const Lock lock(state().mutex);
  State& s = state();
  napi_value made, calls;
  napi_create_object(env, &made);
  napi_create_object(env, &calls);
  for (const auto& [name, count] : s.calls) napi_set_named_property(env, calls, name.c_str(), of(env, static_cast<double>(count)));
  napi_set_named_property(env, made, "calls", calls);
  napi_set_named_property(env, made, "misuses", of(env, s.misuses));
  napi_set_named_property(env, made, "loaded", of(env, s.loaded));
  napi_value order;
  napi_create_string_utf8(env, s.order.c_str(), s.order.size(), &order);
  napi_set_named_property(env, made, "order", order);
  const auto total = [](const std::map<uint64_t, uint64_t>& pieces) {
    uint64_t bytes = 0;
    for (const auto& [start, size] : pieces) bytes += size;
    return static_cast<double>(bytes);
  };
  const std::pair<const char*, double> live[] = {
      {"contexts", static_cast<double>(s.contexts.size())}, {"device", total(s.device)}, {"host", total(s.host)}, {"modules", static_cast<double>(s.modules.size())},
      {"streams", static_cast<double>(s.streams.size())}, {"events", static_cast<double>(s.events.size())}, {"graphs", static_cast<double>(s.graphs.size() + s.execs.size())}, {"rules", static_cast<double>(s.rules.size())},
  };
  for (const auto& [name, value] : live) napi_set_named_property(env, made, name, of(env, value));
  return made;
}

}  // namespace
}  // namespace fake

NAPI_MODULE_INIT() {
  const std::pair<const char*, napi_callback> functions[] = {{"fail", fake::fail}, {"set", fake::set}, {"reset", fake::reset}, {"look", fake::look}, {"overrun", fake::overrun}};
  for (const auto& [name, call] : functions) {
    napi_value made;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, call, nullptr, &made);
    napi_set_named_property(env, exports, name, made);
  }
  return exports;
}
