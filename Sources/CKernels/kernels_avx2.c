#include "table.h"
#include "vector.h"

#if defined(__x86_64__)
#define LETHE_NAME "avx2"
#define LETHE_TABLE lethe_kernels_avx2
#define LETHE_FMA 1
#define LETHE_WIDE 0
#define LETHE_BFLOAT16 0

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "elementwise.inc"
#include "product.inc"
#include "variant.h"
#pragma clang attribute pop
#endif
