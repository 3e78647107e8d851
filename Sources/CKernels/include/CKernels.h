#pragma once
#include <stddef.h>
#include <stdint.h>

// Element-wise, low-rank and attention kernels. One source, compiled for several instruction sets; the best one that the
// CPU has is chosen at the first call. Sums run in a fixed order: the same input gives the same bits on one machine.
//
// "Element" says how activations are stored; arithmetic is 32-bit throughout. Matrices are row-major; a stride is the
// distance between rows in elements.

typedef enum { lethe_kernel_float32 = 0, lethe_kernel_bfloat16 = 1 } lethe_kernel_element;

/// Which instruction set was chosen: "avx512bf16", "avx512", "avx2" or "baseline".
const char *lethe_kernel_instruction_set(void);

// Conversions and sums.
void lethe_to_element(lethe_kernel_element element, const float *from, void *to, size_t count);
void lethe_from_element(lethe_kernel_element element, const void *from, float *to, size_t count);
/// to[i] += from[i]
void lethe_add(float *to, const float *from, size_t count);
/// to[j * rows + i] += from[i * stride + j]: adds the transpose of a [rows, columns] matrix.
void lethe_add_transposed(float *to, const float *from, int rows, int columns, int stride);
/// to[i * stride + j] = scale * from[i * from_row + j * from_column] for j below columns.
void lethe_pack_scaled(float *to, int stride, const float *from, int rows, int columns, int from_row, int from_column,
                       float scale);

// RMSNorm (arXiv 1910.07467): h = x · rstd · weight, rstd = 1/√(mean x² + ε).
/// `saved` (x as elements) and `rstd` may be NULL.
void lethe_rmsnorm_forward(lethe_kernel_element element, int rows, int width, const float *x, const float *weight,
                           float epsilon, void *saved, float *rstd, void *h);
/// h again from what was saved.
void lethe_rmsnorm_apply(lethe_kernel_element element, int rows, int width, const void *saved, const float *rstd,
                         const float *weight, void *h);
/// dx += rstd · (w·dh − x̂ · mean(w·dh·x̂)), x̂ = x · rstd.
void lethe_rmsnorm_backward(lethe_kernel_element element, int rows, int width, const float *dh, const void *saved,
                            const float *rstd, const float *weight, float *dx);

// SwiGLU (arXiv 2002.05202): act = silu(gate) · up; gate and up lie beside each other in one row [2 · width].
// The forward takes 32-bit sums: rounding them first would cost as much accuracy as rounding all weights.
void lethe_swiglu_forward(lethe_kernel_element element, int rows, int width, const float *gate_up, void *saved, void *act);
/// act again from what was saved.
void lethe_swiglu_apply(lethe_kernel_element element, int rows, int width, const void *saved, void *act);
void lethe_swiglu_backward(lethe_kernel_element element, int rows, int width, const void *saved, const void *dact,
                           void *dgate_up);

// Bias, rotary embedding (arXiv 2104.09864, halves rotated) and storage of the projections.
typedef struct {
    lethe_kernel_element element;
    int heads, key_value_heads, head_dimension;
    /// [positions, head_dimension / 2]
    const float *cosine, *sine;
    /// [(heads + 2 · key_value_heads) · head_dimension] or NULL
    const float *bias;
} lethe_projection;
/// qkv [rows, (heads + 2 kv) · d] (the bias is added in place) to q [rows, heads · d], k and v [rows, kv · d].
void lethe_projection_forward(const lethe_projection *p, int rows, float *qkv, const int32_t *positions, void *q,
                              void *k, void *v);
/// dq [rows, heads · d]; dk and dv are sums over the slots slot_rows[slot_begin[row] ..< slot_begin[row + 1]], added in
/// that order. Result: dqkv as elements. `sum` holds kv · d floats of scratch.
void lethe_projection_backward(const lethe_projection *p, int rows, const float *dq, const float *dk, const float *dv,
                               const int32_t *slot_begin, const int32_t *slot_rows, const int32_t *positions, float *sum,
                               void *dqkv);

// Low-rank products.
/// result[rows, columns] = x[rows, inner] · w[inner, columns], x as elements.
void lethe_lowrank_down(lethe_kernel_element element, int rows, int inner, int columns, const void *x, int x_stride,
                        const float *w, int w_stride, float *result, int result_stride, float *scratch);
/// result[rows, columns] += u[rows, rank] · w[rank, columns]
void lethe_lowrank_up(int rows, int rank, int columns, const float *u, int u_stride, const float *w, int w_stride,
                      float *result, int result_stride);
/// result[rank, columns] = scale · Σ_rows u[row, rank] · y[row, columns], y as elements.
void lethe_lowrank_outer(lethe_kernel_element element, int rows, int rank, int columns, const float *u, int u_stride,
                         const void *y, int y_stride, float scale, float *result, int result_stride, float *scratch);
/// Floats that `scratch` of the two must hold.
size_t lethe_lowrank_scratch(int rows, int width);
/// Applies mixture weights to u[row, site_columns] of one site: K blocks of `rank` columns.
/// decomposed 0: block k is scaled by ω_k; 1: all blocks become ω_k · Σ_j ω_j · block j.
void lethe_mixture_scale(int rows, int adapters, int rank, int decomposed, const int32_t *group, const float *weights,
                         float *u, int u_stride);

// Causal attention over a token tree, grouped queries (arXiv 2305.13245). A query sees the tokens of its segment's
// ancestors and those of its own segment up to itself.
typedef struct {
    /// First row and number of rows of one segment, and where the gradient of its keys goes in `dk` and `dv`.
    int32_t start, count, slot;
} lethe_span;
typedef struct {
    /// The path from the root to the segment, in `spans`.
    int32_t span_begin, span_count;
    /// Its queries, in `q_rows`, `o_rows` and `limits`.
    int32_t query_begin, query_count;
} lethe_attention_item;
typedef struct {
    lethe_kernel_element element;
    int heads, key_value_heads, head_dimension;
    float scale;
    /// q [tokens, heads · d]; k, v [tokens, kv · d]
    const void *q, *k, *v;
    /// o [outputs, heads · d]; lse [outputs, heads]
    void *o;
    float *lse;
    /// Gradients: d_o like o; dq like q in 32 bits; dk, dv [slots, kv · d] in 32 bits.
    const void *d_o;
    float *dq, *dk, *dv;
    const lethe_span *spans;
    const lethe_attention_item *items;
    /// Row of the query in q, of its result in o, and how many keys of the path it sees.
    const int32_t *q_rows, *o_rows, *limits;
} lethe_attention;
/// Bytes of the workspace of one call; `keys` is the longest path, `depth` the most spans of a path.
size_t lethe_attention_workspace(const lethe_attention *a, int keys, int depth, int backward);
/// Items item_begin ..< item_end for one key/value head.
void lethe_attention_forward(const lethe_attention *a, int key_value_head, int item_begin, int item_end, int keys,
                             int depth, void *workspace);
void lethe_attention_backward(const lethe_attention *a, int key_value_head, int item_begin, int item_end, int keys,
                              int depth, void *workspace);

// Ends of the model.
/// x[row] = table[token[row]] in 32 bits.
void lethe_gather(lethe_kernel_element element, int rows, int width, const void *table, const int32_t *tokens, float *x);
/// out[row, j] = x[row] · w[j] for two rows of w; x in 32 bits.
void lethe_answer_forward(int rows, int width, const float *x, const float *w, float *out);
/// dx[row] = d[row, 0] · w[0] + d[row, 1] · w[1]
void lethe_answer_backward(int rows, int width, const float *d, const float *w, float *dx);

/// One AdamW step; correction1 and correction2 are 1/(1 − β^t).
void lethe_adamw(float *parameters, float *first, float *second, const float *gradient, size_t count, float rate,
                 float beta1, float beta2, float epsilon, float decay, float correction1, float correction2);

// Sparse rows over embedding tables. Row r of a table [rows, width] begins at r · width; `width` is at most
// LETHE_SPARSE_WIDTH. All functions work on the rows begin ..< end of the result; a row's sum runs in the order of its entries.
#define LETHE_SPARSE_WIDTH 256
typedef struct {
    /// Entries of row r: starts[r] ..< starts[r + 1]; every entry names another row.
    const int64_t *starts;
    const int32_t *columns;
    int width;
} lethe_sparse;
/// out[r] = Σ_e weights[e] · table[columns[e]], added to out[r] if `accumulate`.
void lethe_sparse_sum(const lethe_sparse *s, int begin, int end, const float *weights, const float *table, int accumulate,
                      float *out);
/// out[r] = Σ_e (σ(z[r] · z[n]) − labels[e]) · z[n], n = columns[e]: the gradient of the logistic loss.
void lethe_sparse_logistic(const lethe_sparse *s, int begin, int end, const uint8_t *labels, const float *z, float *out);
/// curvature[e] = p(1 − p) and slope[e] = p − labels[e] with p = σ(z[r] · z[n]).
void lethe_sparse_terms(const lethe_sparse *s, int begin, int end, const uint8_t *labels, const float *z,
                        float *curvature, float *slope);
/// out[r] = Σ_e weights[e] · z[n] · z[n]ᵀ, blocks of width · width.
void lethe_sparse_squares(const lethe_sparse *s, int begin, int end, const float *weights, const float *z, float *out);
/// out[r] = blocks[r] · x[r] + Σ_e (curvature[e] · (z[r] · x[n]) · z[n] + slope[e] · x[n]); `slope` may be NULL.
void lethe_sparse_hessian(const lethe_sparse *s, int begin, int end, const float *blocks, const float *curvature,
                          const float *slope, const float *z, const float *x, float *out);
/// out[r] = Σ_e weights[e] · (x[r] · z[n]) · z[n]
void lethe_sparse_curved(const lethe_sparse *s, int begin, int end, const float *weights, const float *z, const float *x,
                         float *out);
/// out[r] = blocks[r] · x[r] for symmetric blocks.
void lethe_block_product(int width, int begin, int end, const float *blocks, const float *x, float *out);
