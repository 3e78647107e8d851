#define _GNU_SOURCE
#include "COneDNN.h"
#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t descriptor;
typedef const_dnnl_memory_desc_t constant_descriptor;
#else
typedef dnnl_memory_desc_t descriptor;
typedef const dnnl_memory_desc_t *constant_descriptor;
#endif

struct lethe_matmul {
    lethe_matmul_shape shape;
    descriptor source, weights, result, scratch;
    dnnl_primitive_t primitive;
    size_t packed_size, scratch_size;
    char implementation[96];
};

static dnnl_engine_t engine;
static pthread_once_t engine_once = PTHREAD_ONCE_INIT;
static int engine_status;

static void make_engine(void) { engine_status = dnnl_engine_create(&engine, dnnl_cpu, 0); }

static _Thread_local dnnl_stream_t thread_stream;
static pthread_key_t stream_key;
static pthread_once_t stream_once = PTHREAD_ONCE_INIT;

static void destroy_stream(void *stream) { dnnl_stream_destroy((dnnl_stream_t)stream); }
static void make_stream_key(void) { pthread_key_create(&stream_key, destroy_stream); }

/// The calling thread's stream, destroyed with the thread.
static dnnl_stream_t stream(void) {
    if (!thread_stream) {
        pthread_once(&stream_once, make_stream_key);
        if (dnnl_stream_create(&thread_stream, engine, dnnl_stream_default_flags) != dnnl_success) {
            thread_stream = NULL;
        } else {
            pthread_setspecific(stream_key, thread_stream);
        }
    }
    return thread_stream;
}

// OpenMP is looked up at run time: the library may have been built with another threading layer.
static void (*set_threads)(int);
static int (*get_threads)(void);
static pthread_once_t openmp_once = PTHREAD_ONCE_INIT;
static void find_openmp(void) {
    *(void **)&set_threads = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    *(void **)&get_threads = dlsym(RTLD_DEFAULT, "omp_get_max_threads");
}

void lethe_single_thread(void) {
    pthread_once(&openmp_once, find_openmp);
    if (set_threads) set_threads(1);
}

static int swap_threads(int count) {
    pthread_once(&openmp_once, find_openmp);
    int before = get_threads ? get_threads() : 1;
    if (set_threads) set_threads(count);
    return before;
}

static dnnl_data_type_t data_type(lethe_element element) { return element == lethe_bfloat16 ? dnnl_bf16 : dnnl_f32; }

// The two generations of the descriptor API.
#if DNNL_VERSION_MAJOR >= 3
static dnnl_status_t make_strided(descriptor *d, int64_t rows, int64_t columns, lethe_element e, int64_t rs, int64_t cs) {
    dnnl_dims_t dims = {rows, columns}, strides = {rs, cs};
    return dnnl_memory_desc_create_with_strides(d, 2, dims, data_type(e), strides);
}
static dnnl_status_t make_any(descriptor *d, int64_t rows, int64_t columns, lethe_element e) {
    dnnl_dims_t dims = {rows, columns};
    return dnnl_memory_desc_create_with_tag(d, 2, dims, data_type(e), dnnl_format_tag_any);
}
static dnnl_status_t copy_descriptor(descriptor *d, constant_descriptor from) { return dnnl_memory_desc_clone(d, from); }
static void release(descriptor *d) {
    if (*d) dnnl_memory_desc_destroy(*d);
    *d = NULL;
}
static constant_descriptor constant(const descriptor *d) { return *d; }
static dnnl_status_t make_primitive_descriptor(dnnl_primitive_desc_t *pd, const descriptor *s, const descriptor *w,
                                               const descriptor *r, dnnl_primitive_attr_t attributes) {
    return dnnl_matmul_primitive_desc_create(pd, engine, *s, *w, NULL, *r, attributes);
}
static dnnl_status_t append_sum(dnnl_post_ops_t ops) { return dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef); }
static dnnl_status_t make_reorder(dnnl_primitive_desc_t *pd, const descriptor *from, const descriptor *to) {
    return dnnl_reorder_primitive_desc_create(pd, *from, engine, *to, engine, NULL);
}
#else
static dnnl_status_t make_strided(descriptor *d, int64_t rows, int64_t columns, lethe_element e, int64_t rs, int64_t cs) {
    dnnl_dims_t dims = {rows, columns}, strides = {rs, cs};
    return dnnl_memory_desc_init_by_strides(d, 2, dims, data_type(e), strides);
}
static dnnl_status_t make_any(descriptor *d, int64_t rows, int64_t columns, lethe_element e) {
    dnnl_dims_t dims = {rows, columns};
    return dnnl_memory_desc_init_by_tag(d, 2, dims, data_type(e), dnnl_format_tag_any);
}
static dnnl_status_t copy_descriptor(descriptor *d, constant_descriptor from) {
    if (!from) return dnnl_invalid_arguments;
    *d = *from;
    return dnnl_success;
}
static void release(descriptor *d) { (void)d; }
static constant_descriptor constant(const descriptor *d) { return d; }
static dnnl_status_t make_primitive_descriptor(dnnl_primitive_desc_t *pd, const descriptor *s, const descriptor *w,
                                               const descriptor *r, dnnl_primitive_attr_t attributes) {
    dnnl_matmul_desc_t operation;
    dnnl_status_t status = dnnl_matmul_desc_init(&operation, s, w, NULL, r);
    if (status != dnnl_success) return status;
    return dnnl_primitive_desc_create(pd, &operation, attributes, engine, NULL);
}
static dnnl_status_t append_sum(dnnl_post_ops_t ops) { return dnnl_post_ops_append_sum(ops, 1.0f); }
static dnnl_status_t make_reorder(dnnl_primitive_desc_t *pd, const descriptor *from, const descriptor *to) {
    return dnnl_reorder_primitive_desc_create(pd, from, engine, to, engine, NULL);
}
#endif

static dnnl_status_t configure(lethe_matmul *m, const lethe_matmul *like) {
    const lethe_matmul_shape *s = &m->shape;
    dnnl_status_t status;
    descriptor any;
    memset(&any, 0, sizeof any);
    if ((status = make_strided(&m->source, s->rows, s->inputs, s->source, s->source_stride, 1))) return status;
    if ((status = make_strided(&m->result, s->rows, s->outputs, s->result, s->result_stride, 1))) return status;
    status = like ? copy_descriptor(&any, constant(&like->weights)) : make_any(&any, s->inputs, s->outputs, s->weights);
    if (status) return status;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_post_ops_t operations = NULL;
    dnnl_primitive_desc_t pd = NULL;
    status = dnnl_primitive_attr_create(&attributes);
    if (!status) status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    if (!status && s->accumulate) {
        status = dnnl_post_ops_create(&operations);
        if (!status) status = append_sum(operations);
        if (!status) status = dnnl_primitive_attr_set_post_ops(attributes, operations);
    }
    if (!status) status = make_primitive_descriptor(&pd, &m->source, &any, &m->result, attributes);
    if (!status) status = copy_descriptor(&m->weights, dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0));
    if (!status) {
        m->packed_size = dnnl_memory_desc_get_size(constant(&m->weights));
        constant_descriptor scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
        m->scratch_size = scratch ? dnnl_memory_desc_get_size(scratch) : 0;
        if (m->scratch_size) status = copy_descriptor(&m->scratch, scratch);
        const char *name = NULL;
        if (dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) == dnnl_success && name) {
            snprintf(m->implementation, sizeof m->implementation, "%s", name);
        }
    }
    if (!status) status = dnnl_primitive_create(&m->primitive, pd);
    if (pd) dnnl_primitive_desc_destroy(pd);
    if (operations) dnnl_post_ops_destroy(operations);
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    release(&any);
    return status;
}

int lethe_matmul_create(const lethe_matmul_shape *shape, const lethe_matmul *like, lethe_matmul **result) {
    *result = NULL;
    pthread_once(&engine_once, make_engine);
    if (engine_status) return engine_status;
    lethe_matmul *m = calloc(1, sizeof *m);
    if (!m) return -1;
    m->shape = *shape;
    // A primitive remembers the number of threads at its creation.
    int before = swap_threads(1);
    dnnl_status_t status = configure(m, like);
    swap_threads(before);
    if (status) {
        lethe_matmul_destroy(m);
        return status;
    }
    *result = m;
    return 0;
}

void lethe_matmul_destroy(lethe_matmul *m) {
    if (!m) return;
    if (m->primitive) dnnl_primitive_destroy(m->primitive);
    release(&m->source);
    release(&m->weights);
    release(&m->result);
    release(&m->scratch);
    free(m);
}

size_t lethe_matmul_packed_size(const lethe_matmul *m) { return m->packed_size; }
size_t lethe_matmul_scratch_size(const lethe_matmul *m) { return m->scratch_size; }
const char *lethe_matmul_implementation(const lethe_matmul *m) { return m->implementation; }

void lethe_matmul_layout(const lethe_matmul *m, char *text, size_t capacity) {
    int used = snprintf(text, capacity, "%zu", m->packed_size);
#if DNNL_VERSION_MAJOR >= 3
    int blocks = 0;
    dnnl_dims_t *sizes = NULL, *indices = NULL, *strides = NULL;
    dnnl_memory_desc_query(m->weights, dnnl_query_inner_nblks_s32, &blocks);
    dnnl_memory_desc_query(m->weights, dnnl_query_inner_blks, &sizes);
    dnnl_memory_desc_query(m->weights, dnnl_query_inner_idxs, &indices);
    dnnl_memory_desc_query(m->weights, dnnl_query_strides, &strides);
    if (!sizes || !indices || !strides) return;
    const dnnl_dim_t *block = *sizes, *index = *indices, *stride = *strides;
#else
    const dnnl_blocking_desc_t *b = &m->weights.format_desc.blocking;
    int blocks = b->inner_nblks;
    const dnnl_dim_t *block = b->inner_blks, *index = b->inner_idxs, *stride = b->strides;
#endif
    for (int i = 0; i < 2 && used > 0 && (size_t)used < capacity; i++) {
        used += snprintf(text + used, capacity - (size_t)used, "/%lld", (long long)stride[i]);
    }
    for (int i = 0; i < blocks && used > 0 && (size_t)used < capacity; i++) {
        used += snprintf(text + used, capacity - (size_t)used, ",%lld@%lld", (long long)block[i], (long long)index[i]);
    }
}

static int run(const_dnnl_primitive_t primitive, int count, const int *roles, const descriptor **descriptors,
               void *const *data) {
    dnnl_exec_arg_t arguments[4];
    dnnl_stream_t s = stream();
    if (!s) return dnnl_out_of_memory;
    dnnl_status_t status = dnnl_success;
    int made = 0;
    for (; made < count; made++) {
        arguments[made].arg = roles[made];
        arguments[made].memory = NULL;
        status = dnnl_memory_create(&arguments[made].memory, constant(descriptors[made]), engine, data[made]);
        if (status) break;
    }
    if (!status) status = dnnl_primitive_execute(primitive, s, count, arguments);
    if (!status) status = dnnl_stream_wait(s);
    for (int i = 0; i < made; i++) dnnl_memory_destroy(arguments[i].memory);
    return status;
}

int lethe_matmul_pack(const lethe_matmul *m, const float *plain, int64_t input_stride, int64_t output_stride,
                      void *packed) {
    descriptor from;
    memset(&from, 0, sizeof from);
    dnnl_status_t status =
        make_strided(&from, m->shape.inputs, m->shape.outputs, lethe_float32, input_stride, output_stride);
    if (status) return status;
    int before = swap_threads(1);
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t reorder = NULL;
    status = make_reorder(&pd, &from, &m->weights);
    if (!status) status = dnnl_primitive_create(&reorder, pd);
    if (!status) {
        memset(packed, 0, m->packed_size);
        const int roles[] = {DNNL_ARG_FROM, DNNL_ARG_TO};
        const descriptor *descriptors[] = {&from, &m->weights};
        void *const data[] = {(void *)plain, packed};
        status = run(reorder, 2, roles, descriptors, data);
    }
    if (reorder) dnnl_primitive_destroy(reorder);
    if (pd) dnnl_primitive_desc_destroy(pd);
    swap_threads(before);
    release(&from);
    return status;
}

int lethe_matmul_execute(const lethe_matmul *m, const void *source, const void *packed, void *result, void *scratch) {
    const int roles[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_SCRATCHPAD};
    const descriptor *descriptors[] = {&m->source, &m->weights, &m->result, &m->scratch};
    void *const data[] = {(void *)source, (void *)packed, result, scratch};
    return run(m->primitive, m->scratch_size ? 4 : 3, roles, descriptors, data);
}

void lethe_onednn_description(char *text, size_t capacity) {
    const dnnl_version_t *version = dnnl_version();
    snprintf(text, capacity, "oneDNN %d.%d.%d %s isa %x", version->major, version->minor, version->patch, version->hash,
             (unsigned)dnnl_get_effective_cpu_isa());
}

int lethe_has_bfloat16(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512bf16") != 0;
#else
    return 0;
#endif
}
