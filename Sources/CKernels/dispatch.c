#include "table.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const lethe_kernel_table *chosen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void choose(void) {
    chosen = &lethe_kernels_baseline;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) chosen = &lethe_kernels_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512dq")) {
        chosen = __builtin_cpu_supports("avx512bf16") ? &lethe_kernels_avx512bf16 : &lethe_kernels_avx512;
    }
#endif
    // For tests of the other variants.
    const char *wanted = getenv("LETHE_INSTRUCTION_SET");
    if (wanted && strcmp(wanted, "baseline") == 0) chosen = &lethe_kernels_baseline;
#if defined(__x86_64__)
    if (wanted && strcmp(wanted, "avx512") == 0 && chosen == &lethe_kernels_avx512bf16) chosen = &lethe_kernels_avx512;
    if (wanted && strcmp(wanted, "avx2") == 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        chosen = &lethe_kernels_avx2;
    }
#endif
}

static const lethe_kernel_table *table(void) {
    pthread_once(&once, choose);
    return chosen;
}

const char *lethe_kernel_instruction_set(void) { return table()->name; }
void lethe_to_element(lethe_kernel_element e, const float *from, void *to, size_t n) { table()->to_element(e, from, to, n); }
void lethe_from_element(lethe_kernel_element e, const void *from, float *to, size_t n) {
    table()->from_element(e, from, to, n);
}
void lethe_add(float *to, const float *from, size_t n) { table()->add(to, from, n); }
void lethe_add_transposed(float *to, const float *from, int rows, int columns, int stride) {
    for (int j = 0; j < columns; j++)
        for (int i = 0; i < rows; i++) to[(size_t)j * rows + i] += from[(size_t)i * stride + j];
}
void lethe_pack_scaled(float *to, int stride, const float *from, int rows, int columns, int from_row, int from_column,
                       float scale) {
    table()->pack_scaled(to, stride, from, rows, columns, from_row, from_column, scale);
}
void lethe_rmsnorm_forward(lethe_kernel_element e, int rows, int width, const float *x, const float *w, float epsilon,
                           void *saved, float *rstd, void *h) {
    table()->rmsnorm_forward(e, rows, width, x, w, epsilon, saved, rstd, h);
}
void lethe_rmsnorm_apply(lethe_kernel_element e, int rows, int width, const void *saved, const float *rstd, const float *w,
                         void *h) {
    table()->rmsnorm_apply(e, rows, width, saved, rstd, w, h);
}
void lethe_rmsnorm_backward(lethe_kernel_element e, int rows, int width, const float *dh, const void *saved,
                            const float *rstd, const float *w, float *dx) {
    table()->rmsnorm_backward(e, rows, width, dh, saved, rstd, w, dx);
}
void lethe_swiglu_forward(lethe_kernel_element e, int rows, int width, const float *gate_up, void *saved, void *act) {
    table()->swiglu_forward(e, rows, width, gate_up, saved, act);
}
void lethe_swiglu_apply(lethe_kernel_element e, int rows, int width, const void *saved, void *act) {
    table()->swiglu_apply(e, rows, width, saved, act);
}
void lethe_swiglu_backward(lethe_kernel_element e, int rows, int width, const void *gate_up, const void *dact,
                           void *dgate_up) {
    table()->swiglu_backward(e, rows, width, gate_up, dact, dgate_up);
}
void lethe_projection_forward(const lethe_projection *p, int rows, float *qkv, const int32_t *positions, void *q, void *k,
                              void *v) {
    table()->projection_forward(p, rows, qkv, positions, q, k, v);
}
void lethe_projection_backward(const lethe_projection *p, int rows, const float *dq, const float *dk, const float *dv,
                               const int32_t *slot_begin, const int32_t *slot_rows, const int32_t *positions, float *sum,
                               void *dqkv) {
    table()->projection_backward(p, rows, dq, dk, dv, slot_begin, slot_rows, positions, sum, dqkv);
}
size_t lethe_lowrank_scratch(int rows, int width) {
    int most = rows < 32 ? rows : 32;
    return (size_t)most * (size_t)width;
}
void lethe_lowrank_down(lethe_kernel_element e, int rows, int inner, int columns, const void *x, int x_stride,
                        const float *w, int w_stride, float *result, int result_stride, float *scratch) {
    table()->lowrank_down(e, rows, inner, columns, x, x_stride, w, w_stride, result, result_stride, scratch);
}
void lethe_lowrank_up(int rows, int rank, int columns, const float *u, int u_stride, const float *w, int w_stride,
                      float *result, int result_stride) {
    table()->lowrank_up(rows, rank, columns, u, u_stride, w, w_stride, result, result_stride);
}
void lethe_lowrank_outer(lethe_kernel_element e, int rows, int rank, int columns, const float *u, int u_stride,
                         const void *y, int y_stride, float scale, float *result, int result_stride, float *scratch) {
    table()->lowrank_outer(e, rows, rank, columns, u, u_stride, y, y_stride, scale, result, result_stride, scratch);
}
void lethe_mixture_scale(int rows, int adapters, int rank, int decomposed, const int32_t *group, const float *weights,
                         float *u, int u_stride) {
    table()->mixture_scale(rows, adapters, rank, decomposed, group, weights, u, u_stride);
}
size_t lethe_attention_workspace(const lethe_attention *a, int keys, int depth, int backward) {
    return table()->attention_workspace(a, keys, depth, backward);
}
void lethe_attention_forward(const lethe_attention *a, int head, int begin, int end, int keys, int depth,
                             void *workspace) {
    table()->attention_forward(a, head, begin, end, keys, depth, workspace);
}
void lethe_attention_backward(const lethe_attention *a, int head, int begin, int end, int keys, int depth,
                              void *workspace) {
    table()->attention_backward(a, head, begin, end, keys, depth, workspace);
}
void lethe_gather(lethe_kernel_element e, int rows, int width, const void *rows_of, const int32_t *tokens, float *x) {
    table()->gather(e, rows, width, rows_of, tokens, x);
}
void lethe_answer_forward(int rows, int width, const float *x, const float *w, float *out) {
    table()->answer_forward(rows, width, x, w, out);
}
void lethe_answer_backward(int rows, int width, const float *d, const float *w, float *dx) {
    table()->answer_backward(rows, width, d, w, dx);
}
void lethe_adamw(float *parameters, float *first, float *second, const float *gradient, size_t count, float rate,
                 float beta1, float beta2, float epsilon, float decay, float correction1, float correction2) {
    table()->adamw(parameters, first, second, gradient, count, rate, beta1, beta2, epsilon, decay, correction1,
                   correction2);
}
void lethe_sparse_sum(const lethe_sparse *s, int begin, int end, const float *weights, const float *rows, int accumulate,
                      float *out) {
    table()->sparse_sum(s, begin, end, weights, rows, accumulate, out);
}
void lethe_sparse_logistic(const lethe_sparse *s, int begin, int end, const uint8_t *labels, const float *z, float *out) {
    table()->sparse_logistic(s, begin, end, labels, z, out);
}
void lethe_sparse_terms(const lethe_sparse *s, int begin, int end, const uint8_t *labels, const float *z,
                        float *curvature, float *slope) {
    table()->sparse_terms(s, begin, end, labels, z, curvature, slope);
}
void lethe_sparse_squares(const lethe_sparse *s, int begin, int end, const float *weights, const float *z, float *out) {
    table()->sparse_squares(s, begin, end, weights, z, out);
}
void lethe_sparse_hessian(const lethe_sparse *s, int begin, int end, const float *blocks, const float *curvature,
                          const float *slope, const float *z, const float *x, float *out) {
    table()->sparse_hessian(s, begin, end, blocks, curvature, slope, z, x, out);
}
void lethe_sparse_curved(const lethe_sparse *s, int begin, int end, const float *weights, const float *z, const float *x,
                         float *out) {
    table()->sparse_curved(s, begin, end, weights, z, x, out);
}
void lethe_block_product(int width, int begin, int end, const float *blocks, const float *x, float *out) {
    table()->block_product(width, begin, end, blocks, x, out);
}
