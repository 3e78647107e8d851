// The kernels of one instruction set.
#pragma once
#include "include/CKernels.h"

typedef struct {
    const char *name;
    void (*to_element)(lethe_kernel_element, const float *, void *, size_t);
    void (*from_element)(lethe_kernel_element, const void *, float *, size_t);
    void (*add)(float *, const float *, size_t);
    void (*pack_scaled)(float *, int, const float *, int, int, int, int, float);
    void (*rmsnorm_forward)(lethe_kernel_element, int, int, const float *, const float *, float, void *, float *, void *);
    void (*rmsnorm_apply)(lethe_kernel_element, int, int, const void *, const float *, const float *, void *);
    void (*rmsnorm_backward)(lethe_kernel_element, int, int, const float *, const void *, const float *, const float *,
                             float *);
    void (*swiglu_forward)(lethe_kernel_element, int, int, const float *, void *, void *);
    void (*swiglu_apply)(lethe_kernel_element, int, int, const void *, void *);
    void (*swiglu_backward)(lethe_kernel_element, int, int, const void *, const void *, void *);
    void (*projection_forward)(const lethe_projection *, int, float *, const int32_t *, void *, void *, void *);
    void (*projection_backward)(const lethe_projection *, int, const float *, const float *, const float *,
                                const int32_t *, const int32_t *, const int32_t *, float *, void *);
    void (*lowrank_down)(lethe_kernel_element, int, int, int, const void *, int, const float *, int, float *, int,
                         float *);
    void (*lowrank_up)(int, int, int, const float *, int, const float *, int, float *, int);
    void (*lowrank_outer)(lethe_kernel_element, int, int, int, const float *, int, const void *, int, float, float *, int,
                          float *);
    void (*mixture_scale)(int, int, int, int, const int32_t *, const float *, float *, int);
    size_t (*attention_workspace)(const lethe_attention *, int, int, int);
    void (*attention_forward)(const lethe_attention *, int, int, int, int, int, void *);
    void (*attention_backward)(const lethe_attention *, int, int, int, int, int, void *);
    void (*gather)(lethe_kernel_element, int, int, const void *, const int32_t *, float *);
    void (*answer_forward)(int, int, const float *, const float *, float *);
    void (*answer_backward)(int, int, const float *, const float *, float *);
    void (*adamw)(float *, float *, float *, const float *, size_t, float, float, float, float, float, float, float);
    void (*sparse_sum)(const lethe_sparse *, int, int, const float *, const float *, int, float *);
    void (*sparse_logistic)(const lethe_sparse *, int, int, const uint8_t *, const float *, float *);
    void (*sparse_terms)(const lethe_sparse *, int, int, const uint8_t *, const float *, float *, float *);
    void (*sparse_squares)(const lethe_sparse *, int, int, const float *, const float *, float *);
    void (*sparse_hessian)(const lethe_sparse *, int, int, const float *, const float *, const float *, const float *,
                           const float *, float *);
    void (*sparse_curved)(const lethe_sparse *, int, int, const float *, const float *, const float *, float *);
    void (*block_product)(int, int, int, const float *, const float *, float *);
} lethe_kernel_table;

extern const lethe_kernel_table lethe_kernels_baseline, lethe_kernels_avx2, lethe_kernels_avx512,
    lethe_kernels_avx512bf16;
