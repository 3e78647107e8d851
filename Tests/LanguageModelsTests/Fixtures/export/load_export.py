"""Loads what `lethe adapters export DIR --base-model-name MODEL` wrote with PEFT itself, and compares margins.

load_export.py DIR PROMPTS LETHE   (torch 2.13, transformers 5.23, peft 0.21.2; PROMPTS as `lethe prompts` prints them)
Every adapter: AutoPeftModelForCausalLM finds the base model by the name in adapter_config.json; its margins at the last token,
logit("Yes") - logit("No"), must be those of `lethe score --adapter` in f32. Then the mixture, as the model card says it. Ends with
1 where a margin is more than 2e-3 away.
"""
import json, pathlib, subprocess, sys
import torch
from peft import AutoPeftModelForCausalLM, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

directory, prompts, lethe = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
LIMIT = 2e-3
HEADER = ("Below is an instruction that describes a task, paired with an input that provides further context. "
          "Write a response that appropriately completes the request.\n\n")
with open(prompts, encoding="utf-8") as file:
    lines = [json.loads(line) for line in file][:12]
texts = [f"{HEADER}### Instruction:\n{line['instruction']}\n\n### Input:\n{line['input']}\n\n### Response:\n" for line in lines]
shards = sorted(directory.glob("shard-*"))
base_name = json.loads((shards[0] / "adapter_config.json").read_text())["base_model_name_or_path"]
tokenizer = AutoTokenizer.from_pretrained(base_name)
yes, no = (tokenizer(word, add_special_tokens=False)["input_ids"][-1] for word in ("Yes", "No"))


def margins(model):
    with torch.no_grad():
        rows = [model(input_ids=torch.tensor([tokenizer(text)["input_ids"]])).logits[0, -1].float() for text in texts]
    return [(row[yes] - row[no]).item() for row in rows]


def ours(adapter):
    few = directory / "few.jsonl"
    few.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    output = subprocess.run([lethe, "score", "--model", base_name, "--precision", "f32", "--weight-cache", "none",
                             "--prompts", str(few), *(["--adapter", str(adapter)] if adapter else [])],
                            check=True, capture_output=True, text=True).stdout
    few.unlink()
    scored = [json.loads(line) for line in output.splitlines()]
    return [line["margin"] for line in scored if "margin" in line]


worst, singles = 0.0, []
for shard in shards:
    model = AutoPeftModelForCausalLM.from_pretrained(str(shard), dtype=torch.float32).eval()
    theirs, mine = margins(model), ours(shard)
    away = max(abs(a - b) for a, b in zip(theirs, mine))
    moved = max(abs(a - b) for a, b in zip(mine, ours(None)))
    worst = max(worst, away)
    singles.append(theirs)
    print(f"{shard.name}: at most {away:.1e} away; the adapter itself moves margins by up to {moved:.2f}")

names = [shard.name for shard in shards]
base = AutoModelForCausalLM.from_pretrained(base_name, dtype=torch.float32)
model = PeftModel.from_pretrained(base, str(shards[0]), adapter_name=names[0])
for shard in shards[1:]:
    model.load_adapter(str(shard), adapter_name=shard.name)
model.add_weighted_adapter(names, [1 / len(names)] * len(names), "mixture", combination_type="cat")
model.set_adapter("mixture")
mixed, means = margins(model.eval()), [sum(row) / len(row) for row in zip(*singles)]
print(f"mixture: at most {max(abs(a - b) for a, b in zip(mixed, means)):.2f} from the mean of the adapters' margins")
sys.exit(worst > LIMIT)
