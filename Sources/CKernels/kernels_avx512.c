#include "table.h"
#include "vector.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define LETHE_NAME "avx512"
#define LETHE_TABLE lethe_kernels_avx512
#define LETHE_FMA 1
#define LETHE_WIDE 1
#define LETHE_BFLOAT16 0

#pragma clang attribute push(__attribute__((target("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq"))), apply_to = function)
#include "elementwise.inc"
#include "product.inc"
#include "variant.h"
#pragma clang attribute pop
#endif
