// NVRTC, opened when it is first asked for: CUDA source to machine code of one architecture.
#pragma once
#include <string>
#include <vector>

namespace ssmc {

// Machine code where the library knows the architecture, else PTX for the newest one it knows below. Throws noKernels, with the
// compiler's words where it has any.
std::vector<char> compileSource(const std::vector<std::string>& libraries, const std::string& source, const std::vector<std::string>& options, int capability);

}  // namespace ssmc
