// A library of kernels for the CPU, in plain C: what a fake driver calls.
#pragma once
#include <cstddef>

struct SsmKernel { const char* name; void (*run)(void**); };
extern "C" {
// Ends with a null name.
extern const SsmKernel ssm_kernels[];
// As cuLaunchKernel: a pointer to each argument. Not 0: something was wrong, which ssm_faults says.
int ssm_launch(const char* name, const unsigned grid[3], const unsigned block[3], unsigned shared, void** arguments);
const char* ssm_faults();
// Memory that kernels may access; what is not registered they may not.
void ssm_region(void* start, size_t bytes);
void ssm_forget(void* start);
}
