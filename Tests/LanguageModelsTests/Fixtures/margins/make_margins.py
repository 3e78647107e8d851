"""Margins of the default base model in PyTorch f32, without and with an adapter trained in PEFT.

make_margins.py CHECKPOINT   (a Hugging Face directory with the GGUF's weights in f32; torch 2.13, transformers 5.23, peft 0.21.2)
margins.json: prompts, margin = logit("Yes") - logit("No") at the last token under the base and under the adapter beside it,
which has rank 1 on v_proj and is stored in bf16 (its values are rounded before the margins are computed). "bf16": the base's
margins when PyTorch itself computes in bf16, to know how far that format leads away.
"""
import json, os, sys
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

here = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(11)
torch.set_num_threads(1)
HEADER = ("Below is an instruction that describes a task, paired with an input that provides further context. "
          "Write a response that appropriately completes the request.\n\n")
INSTRUCTION = ("Given the user's preference and unpreference, identify whether the user will like the target movie by "
               "answering \"Yes.\" or \"No.\".")
HISTORIES = [
    (["Toy Story (1995)"], ["Se7en (1995)"], "Alien (1979)"),
    (["Amélie (2001)", "Les Misérables (1998)"], [], "Łódź – Брат 2 (2000)"),
    (["千と千尋の神隠し", "アキラ"], ["기생충 (2019)"], "Crouching Tiger, Hidden Dragon (Wo hu cang long) (2000)"),
    (["👩‍👩‍👧‍👦 Family", "🏳️‍🌈"], ["🤖 Robots 🇫🇷"], "1️⃣ Number One ❤️"),
    (["2001:  A   Space\tOdyssey", " leading", "trailing "], ["\u00a0\u2003wide\u3000spaces"], "line\r\nbreak\n\n\nin title"),
    ([], ["It's a Wonderful Life (1946)", "I'LL BE BACK", "don't LOOK now"], "M*A*S*H (1970)"),
    (["", "?!...--", "\"quoted\" & <b>tags</b>"], [], "x=1; y=[2,3]"),
    (["e\u0308\u0301 combining a\u0301", "Ångström"], ["\u200bzero\ufeffwidth", "\x01\x7f control"], "पथेर पांचाली ٣ ฟ้า"),
]
prompts = ["Yes", "The answer is", " ", "1234567890 0.5 1,000,000", "<|im_start|>user\nDo you like films?<|im_end|>\n<|im_start|>assistant\n",
           "naïve façade\n", "日本語", "🙂"]
for liked, disliked, target in HISTORIES:
    text = ""
    if liked:
        text += "User Preference: " + ", ".join(f'"{t}"' for t in liked) + "\n"
    if disliked:
        text += "User Unpreference: " + ", ".join(f'"{t}"' for t in disliked) + "\n"
    text += f'Whether the user will like the target movie "{target}"?'
    prompts.append(f"{HEADER}### Instruction:\n{INSTRUCTION}\n\n### Input:\n{text}\n\n### Response:\n")
    prompts.append(f"{text}\nAnswer:")

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
yes, no = (tokenizer(word)["input_ids"][-1] for word in ("Yes", "No"))
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)
ids = [torch.tensor([tokenizer(prompt)["input_ids"]]) for prompt in prompts]


def margin(tokens):
    logits = model(input_ids=tokens, logits_to_keep=1).logits[0, -1].float()
    return logits[yes] - logits[no]


with torch.no_grad():
    base = [margin(tokens).item() for tokens in ids]
model = get_peft_model(model, LoraConfig(r=1, lora_alpha=4, target_modules=["v_proj"], task_type="CAUSAL_LM"))
factors = [parameter for parameter in model.parameters() if parameter.requires_grad]
optimiser = torch.optim.AdamW(factors, lr=1e-2, weight_decay=0.0)
for step in range(3):
    for index in range(step % 2, len(ids), 2):
        label = torch.tensor(float(index % 3 == 0))
        (torch.nn.functional.binary_cross_entropy_with_logits(margin(ids[index]), label) / 12).backward()
    optimiser.step()
    optimiser.zero_grad()
with torch.no_grad():
    for factor in factors:
        factor.copy_(factor.bfloat16().float())
    adapted = [margin(tokens).item() for tokens in ids]
model.save_pretrained(here)
os.remove(f"{here}/README.md")
path = f"{here}/adapter_model.safetensors"
save_file({name: tensor.bfloat16() for name, tensor in load_file(path).items()}, path, metadata={"format": "pt"})
with open(f"{here}/adapter_config.json", encoding="utf-8") as file:
    content = json.load(file)
content["base_model_name_or_path"] = "SmolLM2-135M-Instruct"
with open(f"{here}/adapter_config.json", "w", encoding="utf-8") as file:
    json.dump(content, file, indent=2)
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.bfloat16)
with torch.no_grad():
    half = [margin(tokens).item() for tokens in ids]
with open(f"{here}/margins.json", "w", encoding="utf-8") as file:
    json.dump({"prompts": prompts, "answerTokens": [yes, no], "base": base, "adapted": adapted, "bf16": half}, file, indent=1)
