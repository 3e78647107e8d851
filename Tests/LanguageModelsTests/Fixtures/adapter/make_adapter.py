"""A tiny adapter saved by PEFT (0.21.2), and its values in the order in which Lethe stores them (values.f32)."""
import os, random
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

here = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(3)
model = LlamaForCausalLM(LlamaConfig(vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
                                     num_attention_heads=4, num_key_value_heads=2))
model = get_peft_model(model, LoraConfig(r=2, lora_alpha=6, target_modules=["v_proj", "q_proj", "down_proj"], task_type="CAUSAL_LM"))
for name, parameter in model.named_parameters():
    if "lora_" in name:
        torch.nn.init.normal_(parameter)
model.save_pretrained(here)
os.remove(f"{here}/README.md")
state = model.state_dict()
with open(f"{here}/values.f32", "wb") as file:
    for layer in range(2):
        for module in ["self_attn.q_proj", "self_attn.v_proj", "mlp.down_proj"]:
            for factor in "AB":
                tensor = state[f"base_model.model.model.layers.{layer}.{module}.lora_{factor}.default.weight"]
                file.write(tensor.contiguous().numpy().tobytes())
