// NVRTC for tests: it knows sm_80, sm_86 and sm_90, refuses sources with an #error in them, and makes of any other the image that the
// environment names, marked with the architecture that was asked for.
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#define EXPORT extern "C" __attribute__((visibility("default")))

struct Program {
  std::string source, log, image;
};

EXPORT int nvrtcVersion(int* major, int* minor) {
  *major = 13;
  *minor = 0;
  return 0;
}
EXPORT int nvrtcGetNumSupportedArchs(int* count) {
  *count = 3;
  return 0;
}
EXPORT int nvrtcGetSupportedArchs(int* architectures) {
  const int known[] = {80, 86, 90};
  std::memcpy(architectures, known, sizeof known);
  return 0;
}
EXPORT int nvrtcCreateProgram(Program** program, const char* source, const char*, int, const char* const*, const char* const*) {
  *program = new Program{source, "", ""};
  return 0;
}
EXPORT int nvrtcDestroyProgram(Program** program) {
  delete *program;
  *program = nullptr;
  return 0;
}
EXPORT int nvrtcCompileProgram(Program* program, int count, const char* const* options) {
  if (program->source.find("#error") != std::string::npos) {
    program->log = "model.cu(1): error: #error directive";
    return 6;
  }
  std::string architecture;
  for (int k = 0; k < count; ++k) if (std::strncmp(options[k], "--gpu-architecture=", 19) == 0) architecture = options[k] + 19;
  const char* path = std::getenv("SSMC_TEST_IMAGE");
  std::ifstream file(path ? path : "");
  std::string magic, kind;
  std::stringstream rest;
  if (!(file >> magic >> kind) || architecture.empty()) return 1;
  rest << file.rdbuf();
  program->image = magic + " nvrtc:" + architecture + rest.str();
  return 0;
}
EXPORT int nvrtcGetProgramLogSize(Program* program, size_t* bytes) {
  *bytes = program->log.size() + 1;
  return 0;
}
EXPORT int nvrtcGetProgramLog(Program* program, char* log) {
  std::strcpy(log, program->log.c_str());
  return 0;
}
EXPORT int nvrtcGetCUBINSize(Program* program, size_t* bytes) {
  *bytes = program->image.size() + 1;
  return 0;
}
EXPORT int nvrtcGetCUBIN(Program* program, char* code) {
  std::strcpy(code, program->image.c_str());
  return 0;
}
EXPORT int nvrtcGetPTXSize(Program* program, size_t* bytes) { return nvrtcGetCUBINSize(program, bytes); }
EXPORT int nvrtcGetPTX(Program* program, char* text) { return nvrtcGetCUBIN(program, text); }
