"""Makes rope_scaling.json: frequencies and margins under rope scaling by Transformers.

Needs torch, transformers and peft:  python rope_scaling.py
The tiny model is that of decoder_reference.py.
"""
import json
import pathlib

import torch
from transformers import LlamaConfig, LlamaForCausalLM

import decoder_reference as tiny

LLAMA3 = dict(rope_type="llama3", low_freq_factor=1.0, high_freq_factor=4.0)
CASES = [
    # Llama 3.1, Llama 3.2 1B, a linear one, and small ones that scale within the tiny model's prompts.
    (128, 500000.0, dict(LLAMA3, factor=8.0, original_max_position_embeddings=8192)),
    (64, 500000.0, dict(LLAMA3, factor=32.0, original_max_position_embeddings=8192)),
    (128, 10000.0, dict(rope_type="linear", factor=4.0)),
    (8, 10000.0, dict(LLAMA3, factor=8.0, original_max_position_embeddings=24)),
    (8, 10000.0, dict(rope_type="linear", factor=2.0)),
]


def case(head, theta, scaling):
    shape = dict(tiny.SHAPE) if head == 8 else dict(tiny.SHAPE, hidden_size=4 * head)
    config = LlamaConfig(**shape, rope_parameters=dict(scaling, rope_theta=theta), tie_word_embeddings=True)
    model = LlamaForCausalLM(config).float().eval()
    row = dict(head=head, theta=theta, scaling=scaling, frequencies=model.model.rotary_emb.inv_freq.tolist(), logits=[])
    if head != 8:
        return row
    state = {key: tiny.tensor(key, value.shape) for key, value in model.state_dict().items() if "lm_head" not in key}
    model.load_state_dict(state, strict=False)
    model.tie_weights()
    with torch.no_grad():
        for prompt in tiny.prompts():
            logits = model(input_ids=torch.tensor([prompt])).logits[0, -1]
            row["logits"].append([logits[tiny.YES].item(), logits[tiny.NO].item()])
    return row


output = pathlib.Path(__file__).parent / "rope_scaling.json"
output.write_text(json.dumps({"prompts": tiny.prompts(), "cases": [case(*row) for row in CASES]}) + "\n")
