#include "table.h"
#include "vector.h"

#define LETHE_NAME "baseline"
#define LETHE_TABLE lethe_kernels_baseline
#define LETHE_FMA 0
#define LETHE_WIDE 0
#define LETHE_BFLOAT16 0

#include "elementwise.inc"
#include "product.inc"
#include "variant.h"
