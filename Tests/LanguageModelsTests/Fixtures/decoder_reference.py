"""Makes decoder_reference_*.json: margins and adapter gradients of tiny models of each family by Transformers and PEFT.

Needs torch, transformers and peft:  python decoder_reference.py
The weights are a hash of tensor name and element number, which TinyModel.swift computes too, so that they need not be
stored.
"""
import contextlib
import json
import pathlib

import numpy
import torch
from peft import LoraConfig, get_peft_model
from transformers import (LlamaConfig, LlamaForCausalLM, Phi3Config, Phi3ForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config,
                          Qwen3ForCausalLM, SmolLM3Config, SmolLM3ForCausalLM)

SITES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SHAPE = dict(vocab_size=96, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
             intermediate_size=48, max_position_embeddings=256, rms_norm_eps=1e-5)
YES, NO = 11, 12


def values(name, count):
    """Uniform in [-1, 1): SplitMix64 of the FNV-1a hash of the name plus the element number."""
    key = 0xCBF29CE484222325
    for byte in name.encode():
        key = ((key ^ byte) * 0x100000001B3) % 2**64
    with numpy.errstate(over="ignore"):
        z = numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15) + numpy.uint64(key)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = z ^ (z >> numpy.uint64(31))
    return (z >> numpy.uint64(40)).astype(numpy.float32) / numpy.float32(2**23) - numpy.float32(1)


def tensor(name, shape):
    uniform = torch.from_numpy(values(name, int(numpy.prod(shape)))).reshape(shape)
    if "norm" in name:
        return 1 + 0.2 * uniform
    return 0.3 * uniform


def prompts():
    rows = [(values(f"prompt{i}", length) + 1) * 48 for i, length in enumerate([5, 37, 21, 64, 1, 18])]
    rows = [numpy.floor(row).astype(int).tolist() for row in rows]
    shared = numpy.floor((values("shared", 40) + 1) * 48).astype(int).tolist()
    # Shared beginnings of several lengths, a prompt that is the beginning of others, and a repetition.
    return rows + [shared, shared[:24] + rows[0], shared[:24] + rows[5], shared + rows[2], shared[:3] + rows[4], shared]


class FusedLowRank(torch.nn.Module):
    """Phi 3's products of several sites in one, with an adapter for each site: PEFT knows the product as a whole only."""

    def __init__(self, product, prefix, sites, widths, parameters):
        super().__init__()
        self.product, self.adapts = product, True
        self.factors = []
        for site, width in zip(sites, widths):
            pair = []
            for factor, shape in (("A", (4, product.in_features)), ("B", (width, 4))):
                key = f"{prefix}.{site}.lora_{factor}.weight"
                parameters[key] = torch.nn.Parameter(0.5 * tensor(key, shape))
                pair.append(parameters[key])
            self.factors.append(pair)

    def forward(self, x):
        result = self.product(x)
        if not self.adapts:
            return result
        return result + torch.cat([2 * (x @ a.T @ b.T) for a, b in self.factors], dim=-1)


def split_state(model):
    """Values of Phi 3's fused products: those of their parts, one above the other."""
    config = model.config
    d = config.hidden_size // config.num_attention_heads
    widths = {"qkv_proj": [d * config.num_attention_heads] + 2 * [d * config.num_key_value_heads],
              "gate_up_proj": 2 * [config.intermediate_size]}
    parts = {"qkv_proj": SITES[:3], "gate_up_proj": SITES[4:6]}
    state, parameters, layers = {}, {}, []
    for key, value in model.state_dict().items():
        fused = next((name for name in parts if name in key), None)
        if "lm_head" in key:
            continue
        if fused is None:
            state[key] = tensor(key, value.shape)
        else:
            state[key] = torch.cat([tensor(key.replace(fused, site), (width, value.shape[1]))
                                    for site, width in zip(parts[fused], widths[fused])])
    for index, layer in enumerate(model.model.layers):
        for block, name in ((layer.self_attn, "self_attn"), (layer.mlp, "mlp")):
            prefix = f"model.layers.{index}.{name}"
            fused = "qkv_proj" if name == "self_attn" else "gate_up_proj"
            last = "o_proj" if name == "self_attn" else "down_proj"
            for site, sites, all_widths in ((fused, parts[fused], widths[fused]), (last, [last], [config.hidden_size])):
                layers.append(FusedLowRank(getattr(block, site), prefix, sites, all_widths, parameters))
                setattr(block, site, layers[-1])
    return state, parameters, layers


@contextlib.contextmanager
def without(layers):
    for layer in layers:
        layer.adapts = False
    yield
    for layer in layers:
        layer.adapts = True


def reference(name, model):
    parameters = {}
    if name == "phi3":
        model = model.float().eval()
        state, parameters, layers = split_state(model)
        model.load_state_dict({key if key in model.state_dict() else key.replace("_proj.weight", "_proj.product.weight"): value
                               for key, value in state.items()}, strict=False)
        model.tie_weights()
        disabled = lambda: without(layers)
    else:
        state = {key: tensor(key, value.shape) for key, value in model.state_dict().items() if "lm_head" not in key}
        model.load_state_dict(state, strict=False)
        model.tie_weights()
        model = get_peft_model(model.float().eval(), LoraConfig(r=4, lora_alpha=8, target_modules=SITES, lora_dropout=0.0))
        for key, parameter in model.named_parameters():
            if "lora_" in key:
                short = key.removeprefix("base_model.model.").replace(".default", "")
                parameter.data = 0.5 * tensor(short, parameter.shape)
                parameters[short] = parameter
        disabled = model.disable_adapter
    margins, base, total = [], [], 0
    for index, prompt in enumerate(prompts()):
        logits = model(input_ids=torch.tensor([prompt])).logits[0, -1]
        margins.append([logits[YES].item(), logits[NO].item()])
        target = float(index % 2)
        total = total + torch.nn.functional.binary_cross_entropy_with_logits(
            logits[YES] - logits[NO], torch.tensor(target), reduction="sum")
        with disabled(), torch.no_grad():
            states = model(input_ids=torch.tensor([prompt]), output_hidden_states=True)
            base.append([states.logits[0, -1, YES].item(), states.logits[0, -1, NO].item()])
            if index == 1:
                hidden = states.hidden_states[2][0]
                embedding = {"layer": 2, "last": hidden[-1].tolist(), "mean": hidden.mean(0).tolist()}
    total.backward()
    gradient = []
    for layer in range(SHAPE["num_hidden_layers"]):
        for site in SITES:
            block = "self_attn" if site in SITES[:4] else "mlp"
            for factor in "AB":
                key = f"model.layers.{layer}.{block}.{site}.lora_{factor}.weight"
                gradient += parameters[key].grad.flatten().tolist()
    output = pathlib.Path(__file__).parent / f"decoder_reference_{name}.json"
    short = lambda rows: json.loads(json.dumps(rows), parse_float=lambda text: float(f"{float(text):.8g}"))
    output.write_text(json.dumps({
        "prompts": prompts(), "logits": short(margins), "base": short(base), "loss": total.item(),
        "embedding": short(embedding), "gradient": short(gradient)}))


if __name__ == "__main__":
    tied = dict(tie_word_embeddings=True)
    reference("llama", LlamaForCausalLM(LlamaConfig(**SHAPE, rope_theta=10000.0, **tied)))
    reference("qwen2", Qwen2ForCausalLM(Qwen2Config(**SHAPE, rope_theta=1000000.0, **tied)))
    # Heads wider than hidden ÷ heads, as those of Qwen3-0.6B.
    reference("qwen3", Qwen3ForCausalLM(Qwen3Config(**SHAPE, head_dim=12, rope_theta=1000000.0, **tied)))
    reference("smollm3", SmolLM3ForCausalLM(SmolLM3Config(**SHAPE, no_rope_layers=[1, 0, 1], rope_theta=2000000.0, pad_token_id=0,
                                                          bos_token_id=1, eos_token_id=2, **tied)))
    reference("phi3", Phi3ForCausalLM(Phi3Config(**SHAPE, pad_token_id=0, bos_token_id=1, eos_token_id=2, **tied)))
