#include "nvrtc.h"

#include <dlfcn.h>

#include <algorithm>

#include "failure.h"

namespace ssmc {
namespace {

using Result = int;
using Program = struct ProgramTag*;
#define SSMC_NVRTC_CALLS(call)                                                                                                     \
  call(nvrtcCreateProgram, (Program* program, const char* source, const char* name, int headers, const char* const* texts,         \
                            const char* const* names))                                                                             \
  call(nvrtcDestroyProgram, (Program* program))                                                                                    \
  call(nvrtcCompileProgram, (Program program, int count, const char* const* options))                                              \
  call(nvrtcGetProgramLogSize, (Program program, size_t* bytes))                                                                   \
  call(nvrtcGetProgramLog, (Program program, char* log))                                                                           \
  call(nvrtcGetPTXSize, (Program program, size_t* bytes))                                                                          \
  call(nvrtcGetPTX, (Program program, char* text))                                                                                 \
  call(nvrtcGetCUBINSize, (Program program, size_t* bytes))                                                                        \
  call(nvrtcGetCUBIN, (Program program, char* code))                                                                               \
  call(nvrtcGetNumSupportedArchs, (int* count))                                                                                    \
  call(nvrtcGetSupportedArchs, (int* architectures))                                                                               \
  call(nvrtcVersion, (int* major, int* minor))

struct Library {
#define SSMC_MEMBER(name, parameters) Result(*name) parameters = nullptr;
  SSMC_NVRTC_CALLS(SSMC_MEMBER)
#undef SSMC_MEMBER

  explicit Library(const std::vector<std::string>& names) {
    void* handle = nullptr;
    std::string why;
    for (const std::string& name : names) {
      handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (handle) break;
      const char* error = dlerror();
      if (why.empty()) why = error ? error : name;
    }
    if (!handle) throw Failure(Kind::noKernels, "NVRTC is not here to compile them: " + why);
#define SSMC_FIND(name, parameters)                                     \
  name = reinterpret_cast<Result(*) parameters>(dlsym(handle, #name)); \
  if (!name) throw Failure(Kind::noKernels, "NVRTC is older than 11.2: it lacks " #name);
    SSMC_NVRTC_CALLS(SSMC_FIND)
#undef SSMC_FIND
    openBuiltins();
  }

  // NVRTC asks the loader for a second library by its name alone, and the loader doesn't look beside it (pip's package). It takes one that is
  // open already. Where there is none beside, the loader's own paths are left.
  void openBuiltins() const {
    int major = 0, minor = 0;
    Dl_info self{};
    if (nvrtcVersion(&major, &minor) != 0 || dladdr(reinterpret_cast<const void*>(nvrtcVersion), &self) == 0 || !self.dli_fname) return;
    const std::string path = self.dli_fname;
    const size_t end = path.rfind('/');
    if (end == std::string::npos) return;
    (void)dlopen((path.substr(0, end) + "/libnvrtc-builtins.so." + std::to_string(major) + "." + std::to_string(minor)).c_str(), RTLD_NOW | RTLD_LOCAL);
  }
};

void check(Result result, const char* call) {
  if (result != 0) throw Failure(Kind::noKernels, std::string(call) + " failed (" + std::to_string(result) + ")");
}

}  // namespace

std::vector<char> compileSource(const std::vector<std::string>& libraries, const std::string& source, const std::vector<std::string>& options, int capability) {
  const Library n(libraries);
  int count = 0;
  check(n.nvrtcGetNumSupportedArchs(&count), "nvrtcGetNumSupportedArchs");
  std::vector<int> known(static_cast<size_t>(std::max(count, 0)));
  if (count > 0) check(n.nvrtcGetSupportedArchs(known.data()), "nvrtcGetSupportedArchs");
  int newest = 0;
  for (const int k : known) if (k <= capability) newest = std::max(newest, k);
  if (newest == 0) throw Failure(Kind::noKernels, "NVRTC knows no architecture up to sm_" + std::to_string(capability));
  const bool exact = newest == capability;
  std::vector<std::string> all = options;
  all.push_back(std::string("--gpu-architecture=") + (exact ? "sm_" : "compute_") + std::to_string(newest));
  std::vector<const char*> texts;
  for (const std::string& option : all) texts.push_back(option.c_str());

  struct Owner {
    const Library& library;
    Program program = nullptr;
    ~Owner() { if (program) (void)library.nvrtcDestroyProgram(&program); }
  } owner{n};
  check(n.nvrtcCreateProgram(&owner.program, source.c_str(), "model.cu", 0, nullptr, nullptr), "nvrtcCreateProgram");
  const Result result = n.nvrtcCompileProgram(owner.program, static_cast<int>(texts.size()), texts.data());
  size_t bytes = 0;
  if (result != 0) {
    std::string log;
    if (n.nvrtcGetProgramLogSize(owner.program, &bytes) == 0 && bytes > 1) {
      log.resize(bytes);
      if (n.nvrtcGetProgramLog(owner.program, log.data()) != 0) log.clear();
      log = log.c_str();
    }
    throw Failure(Kind::noKernels, "NVRTC refuses the source (" + std::to_string(result) + ")" + (log.empty() ? "" : ": " + log));
  }
  check((exact ? n.nvrtcGetCUBINSize : n.nvrtcGetPTXSize)(owner.program, &bytes), exact ? "nvrtcGetCUBINSize" : "nvrtcGetPTXSize");
  std::vector<char> image(bytes);
  check((exact ? n.nvrtcGetCUBIN : n.nvrtcGetPTX)(owner.program, image.data()), exact ? "nvrtcGetCUBIN" : "nvrtcGetPTX");
  return image;
}

}  // namespace ssmc
