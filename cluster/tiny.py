"""A checkpoint of a tiny random Llama whose tokens are bytes: trained in a moment, and real in every other way."""

import json
import random
import struct

HIDDEN, LAYERS, HEADS, KEY_VALUE_HEADS, DIMENSION, INTERMEDIATE, VOCABULARY = 64, 2, 2, 1, 32, 128, 256


def write(folder, seed=1):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": VOCABULARY, "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": KEY_VALUE_HEADS,
        "head_dim": DIMENSION, "intermediate_size": INTERMEDIATE, "max_position_embeddings": 4096, "rope_theta": 10000.0,
        "rms_norm_eps": 1e-5, "hidden_act": "silu", "tie_word_embeddings": True, "attention_bias": False}))
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": level, "post_processor": None,
        "decoder": level, "model": {"type": "BPE", "vocab": symbols(), "merges": [], "fuse_unk": False,
                                    "byte_fallback": False, "ignore_merges": True}}))
    (folder / "model.safetensors").write_bytes(tensors(seed))


def symbols():
    """Byte-level BPE without a single merge: every byte has the character that GPT-2 gives it. The answers are tokens, in the places
    of two bytes that no text has."""
    found, spare = {}, 256
    for byte in range(256):
        if 33 <= byte <= 126 or 161 <= byte <= 172 or 174 <= byte <= 255:
            found[chr(byte)] = byte
        else:
            found[chr(spare)] = byte
            spare += 1
    del found[chr(0xF5)], found[chr(0xF6)]
    found["Yes"], found["No"] = 0xF5, 0xF6
    return found


def tensors(seed):
    shapes = {"model.embed_tokens.weight": [VOCABULARY, HIDDEN], "model.norm.weight": [HIDDEN]}
    for layer in range(LAYERS):
        for name, shape in {
                "input_layernorm": [HIDDEN], "post_attention_layernorm": [HIDDEN],
                "self_attn.q_proj": [HEADS * DIMENSION, HIDDEN], "self_attn.k_proj": [KEY_VALUE_HEADS * DIMENSION, HIDDEN],
                "self_attn.v_proj": [KEY_VALUE_HEADS * DIMENSION, HIDDEN], "self_attn.o_proj": [HIDDEN, HEADS * DIMENSION],
                "mlp.gate_proj": [INTERMEDIATE, HIDDEN], "mlp.up_proj": [INTERMEDIATE, HIDDEN],
                "mlp.down_proj": [HIDDEN, INTERMEDIATE]}.items():
            shapes[f"model.layers.{layer}.{name}.weight"] = shape
    draw, header, content = random.Random(seed), {}, bytearray()
    for name, shape in shapes.items():
        count, start = shape[0] * (shape[1] if len(shape) > 1 else 1), len(content)
        middle, width = (1, 0.1) if len(shape) == 1 else (0, 0.2)
        content += struct.pack(f"<{count}f", *(middle + width * draw.uniform(-1, 1) for _ in range(count)))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, len(content)]}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(content)
