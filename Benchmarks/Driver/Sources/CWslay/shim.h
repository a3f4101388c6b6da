#ifndef BENCHMARK_WSLAY_SHIM_H
#define BENCHMARK_WSLAY_SHIM_H

#include <wslay/wslay.h>

#endif
