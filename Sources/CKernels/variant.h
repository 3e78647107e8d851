// Included by one file for each instruction set, which defines LETHE_NAME, LETHE_TABLE, LETHE_FMA, LETHE_WIDE
// and LETHE_BFLOAT16.
#include "attention.inc"
#include "sparse.inc"

const lethe_kernel_table LETHE_TABLE = {
    LETHE_NAME,          to_element,          from_element,       add,
    pack_scaled,         rmsnorm_forward,     rmsnorm_apply,      rmsnorm_backward,
    swiglu_forward,      swiglu_apply,        swiglu_backward,    projection_forward,
    projection_backward, lowrank_down,        lowrank_up,         lowrank_outer,
    mixture_scale,       attention_workspace, attention_forward,  attention_backward,
    gather,              answer_forward,      answer_backward,    adamw,
    sparse_sum,          sparse_logistic,     sparse_terms,       sparse_squares,
    sparse_hessian,      sparse_curved,       block_product,
};
