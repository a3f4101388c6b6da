#ifndef BENCHMARK_ALLOCATIONS_H
#define BENCHMARK_ALLOCATIONS_H

#include <stddef.h>

// How often memory was asked for since the start of the process, by whatever function.
unsigned long allocations_count(void);

// Bytes that are allocated now, the allocator's own words included.
size_t allocations_live_bytes(void);

#endif
