"""A tiny Llama in GGUF whose tensors have ggml's finer encodings, and what the `gguf` package decodes them to.

make_quantised.py   (made with gguf 0.19; writes quantised.gguf and quantised.hashes beside itself)
Nothing in Python encodes k-quants, so the blocks are random bytes whose halves are numbers. quantised.hashes is as in
make_checkpoints.py.
"""
import hashlib, os
import gguf, numpy

here = os.path.dirname(os.path.abspath(__file__))
random = numpy.random.default_rng(7)
T = gguf.GGMLQuantizationType
HALVES = {T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208], T.Q5_0: [0], T.Q5_1: [0, 2],
          T.IQ4_NL: [0], T.IQ4_XS: [0]}
TOKENS = ["s", "o", "Y", "N", "e", "Ye", "Yes", "No"]
writer = gguf.GGUFWriter(f"{here}/quantised.gguf", "llama")
for key, value in [("context_length", 16), ("embedding_length", 256), ("block_count", 3), ("feed_forward_length", 32),
                   ("attention.head_count", 2), ("attention.head_count_kv", 1), ("attention.key_length", 4),
                   ("attention.value_length", 4), ("rope.dimension_count", 4)]:
    writer.add_uint32(f"llama.{key}", value)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("gpt-2")
writer.add_token_list(TOKENS)
writer.add_token_merges(["Y e", "Ye s", "N o"])
hashes = {}


def unpermute(rows, heads):
    return rows.reshape(heads, rows.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(rows.shape)


def add(name, translated, shape, kind, heads=None):
    if kind is None:
        value = random.standard_normal(shape, dtype=numpy.float32)
        writer.add_tensor(translated, value)
    else:
        values, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = random.integers(0, 256, (shape[0] * shape[1] // values, size), dtype=numpy.uint8)
        for offset in HALVES[kind]:
            half = random.standard_normal(len(blocks)).astype(numpy.float16)
            blocks[:, offset:offset + 2] = half.view(numpy.uint8).reshape(-1, 2)
        raw = blocks.reshape(shape[0], -1)
        writer.add_tensor(translated, raw, raw_dtype=kind)
        value = gguf.quants.dequantize(raw, kind).reshape(shape)
        value = unpermute(value, heads) if heads else value
    hashes[name] = hashlib.sha256(value.astype("<f4").tobytes()).hexdigest()


add("model.embed_tokens.weight", "token_embd.weight", (8, 256), T.Q6_K)
add("model.norm.weight", "output_norm.weight", (256,), None)
KINDS = [dict(q=T.Q2_K, k=T.Q3_K, v=T.Q4_K, gate=T.Q5_K, up=T.Q6_K, down=T.Q5_0),
         dict(q=T.IQ4_XS, k=T.Q4_K, v=T.Q6_K, gate=T.Q2_K, up=T.Q3_K, down=T.Q5_1),
         dict(q=T.Q5_K, k=T.Q6_K, v=T.IQ4_XS, gate=T.Q4_K, up=T.IQ4_XS, down=T.IQ4_NL)]
for layer, kinds in enumerate(KINDS):
    block, stored = f"model.layers.{layer}", f"blk.{layer}"
    add(f"{block}.input_layernorm.weight", f"{stored}.attn_norm.weight", (256,), None)
    add(f"{block}.post_attention_layernorm.weight", f"{stored}.ffn_norm.weight", (256,), None)
    for site, rows, heads in [("q", 8, 2), ("k", 4, 1), ("v", 4, None)]:
        add(f"{block}.self_attn.{site}_proj.weight", f"{stored}.attn_{site}.weight", (rows, 256), kinds[site], heads)
    add(f"{block}.self_attn.o_proj.weight", f"{stored}.attn_output.weight", (256, 8), None)
    for site in ("gate", "up"):
        add(f"{block}.mlp.{site}_proj.weight", f"{stored}.ffn_{site}.weight", (32, 256), kinds[site])
    add(f"{block}.mlp.down_proj.weight", f"{stored}.ffn_down.weight", (256, 32), kinds["down"])
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
with open(f"{here}/quantised.hashes", "w") as file:
    for name, value in sorted(hashes.items()):
        file.write(f"{name} {value}\n")
