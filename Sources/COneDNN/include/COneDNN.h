#pragma once
#include <stddef.h>
#include <stdint.h>

// One small interface for oneDNN 2.x and 3.x: matrix products [rows, inputs] · [inputs, outputs] with weights in the
// library's own packed layout. Every product is created and run on the calling thread alone.

typedef enum { lethe_float32 = 0, lethe_bfloat16 = 1 } lethe_element;

typedef struct lethe_matmul lethe_matmul;

/// What a product computes. Leading dimensions are in elements.
typedef struct {
    int64_t rows, inputs, outputs;
    int64_t source_stride, result_stride;
    lethe_element source, weights, result;
    /// 1: the product is added to what the result holds.
    int accumulate;
} lethe_matmul_shape;

/// Creates a product; 0 on success, else oneDNN's status (-1: out of memory).
/// With `like`, weights packed for that product fit this one too, else the library chooses the layout.
int lethe_matmul_create(const lethe_matmul_shape *shape, const lethe_matmul *like, lethe_matmul **result);
void lethe_matmul_destroy(lethe_matmul *product);

/// Bytes of the packed weights and of the scratch space that one execution needs.
size_t lethe_matmul_packed_size(const lethe_matmul *product);
size_t lethe_matmul_scratch_size(const lethe_matmul *product);
/// The library's name of the kernel, for reports.
const char *lethe_matmul_implementation(const lethe_matmul *product);
/// Describes the packed layout in words, so that files of packed weights can be keyed by it.
void lethe_matmul_layout(const lethe_matmul *product, char *text, size_t capacity);

/// Packs plain 32-bit weights; element (input i, output o) lies at plain[i * input_stride + o * output_stride].
int lethe_matmul_pack(const lethe_matmul *product, const float *plain, int64_t input_stride, int64_t output_stride,
                      void *packed);
/// Runs the product; may be called from several threads at once with different results and scratch spaces.
int lethe_matmul_execute(const lethe_matmul *product, const void *source, const void *packed, void *result,
                         void *scratch);

/// Version, build and instruction set of the library, for keys and reports.
void lethe_onednn_description(char *text, size_t capacity);
/// 1 when the CPU multiplies bfloat16 with 32-bit sums in hardware.
int lethe_has_bfloat16(void);
/// Makes OpenMP on the calling thread use that thread alone.
void lethe_single_thread(void);
