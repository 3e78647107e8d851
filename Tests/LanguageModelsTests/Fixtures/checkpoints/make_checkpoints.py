"""A tiny Llama in Hugging Face's layout (two shards, made with Transformers) and the same shape as a quantised GGUF.

tiny-llama/: BF16 in two shards, tokenizer of ../tokenizers/llama3.json. tiny.gguf: every encoding that Lethe reads.
NAME.hashes: "tensor SHA-256" of the little-endian f32 values in Hugging Face's names and row order.
"""
import hashlib, json, os, shutil
import gguf, numpy, torch
from transformers import LlamaConfig, LlamaForCausalLM

here = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(5)
config = LlamaConfig(vocab_size=600, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
                     num_key_value_heads=2, max_position_embeddings=128, rope_theta=5000.0, rms_norm_eps=1e-5,
                     tie_word_embeddings=True)
model = LlamaForCausalLM(config).to(torch.bfloat16)
target = f"{here}/tiny-llama"
shutil.rmtree(target, ignore_errors=True)
model.save_pretrained(target, max_shard_size="150KB")
os.remove(f"{target}/generation_config.json")
shutil.copy(f"{here}/../tokenizers/llama3.json", f"{target}/tokenizer.json")
state = {n: t.float().numpy() for n, t in model.state_dict().items() if n != "lm_head.weight"}


def write_hashes(name, tensors):
    with open(f"{here}/{name}.hashes", "w") as file:
        for key, value in sorted(tensors.items()):
            file.write(f"{key} {hashlib.sha256(value.astype('<f4').tobytes()).hexdigest()}\n")


write_hashes("tiny-llama", state)

T = gguf.GGMLQuantizationType
kinds = [T.F32, T.F16, T.BF16, T.Q8_0, T.Q4_0, T.Q4_1]
modules = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
           "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
           "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
writer = gguf.GGUFWriter(f"{here}/tiny.gguf", "llama")
writer.add_context_length(128)
writer.add_embedding_length(64)
writer.add_block_count(2)
writer.add_feed_forward_length(96)
writer.add_head_count(4)
writer.add_head_count_kv(2)
writer.add_rope_dimension_count(16)
writer.add_rope_freq_base(5000.0)
writer.add_layer_norm_rms_eps(1e-5)
with open(f"{here}/../tokenizers/digits.json", encoding="utf-8") as file:
    content = json.load(file)
vocabulary = sorted(content["model"]["vocab"], key=content["model"]["vocab"].get)
special = {token["content"] for token in content["added_tokens"]}
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("smollm")
writer.add_token_list(vocabulary)
writer.add_token_types([3 if token in special else 1 for token in vocabulary])
writer.add_token_merges([" ".join(pair) for pair in content["model"]["merges"]])


def permute(rows, heads):  # llama.cpp's conversion
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def unpermute(rows, heads):
    return rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


decoded = {}
for index, (name, value) in enumerate(state.items()):
    parts = name.split(".")
    if name == "model.embed_tokens.weight":
        value, translated = value[:len(vocabulary)], "token_embd.weight"
    elif name == "model.norm.weight":
        translated = "output_norm.weight"
    else:
        translated = f"blk.{parts[2]}.{modules['.'.join(parts[3:-1])]}.weight"
    kind = T.F32 if value.ndim == 1 else T.Q8_0 if "embed" in name else kinds[index % len(kinds)]
    heads = 4 if "q_proj" in name else 2 if "k_proj" in name else None
    stored = gguf.quants.quantize(permute(value, heads) if heads else value, kind)
    writer.add_tensor(translated, stored, raw_dtype=kind)
    back = gguf.quants.dequantize(stored, kind).reshape(value.shape)
    decoded[name] = unpermute(back, heads) if heads else back
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
print(sorted({tensor.tensor_type.name for tensor in gguf.GGUFReader(f"{here}/tiny.gguf").tensors}))
write_hashes("tiny", decoded)
