// Vectors of sixteen floats in clang's portable vector types: one 512-bit register, two of 256 or four of 128 bits.
#pragma once
#include "include/CKernels.h"
#include <math.h>
#include <string.h>

// Every function that takes or returns a vector is inlined, so that their calling convention does not matter.
#pragma clang diagnostic ignored "-Wpsabi"

#define INLINE static inline __attribute__((always_inline))

typedef float v16 __attribute__((ext_vector_type(16)));
typedef uint32_t u16x32 __attribute__((ext_vector_type(16)));
typedef uint16_t h16 __attribute__((ext_vector_type(16)));
