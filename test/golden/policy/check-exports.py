"""Loads what export-folders.ts wrote with transformers (merged folder) and peft (adapter folder on the base) and compares log-probs with ours.

Writes exports-checked.json: versions and the largest difference per family. Run:
node test/golden/policy/export-folders.ts OUT && python test/golden/policy/check-exports.py OUT
"""
import json
import pathlib
import sys

import peft
import torch
import transformers

here = pathlib.Path(__file__).parent
out = pathlib.Path(sys.argv[1])


def largest_difference(model, rows):
    worst = 0.0
    with torch.no_grad():
        for row in rows:
            tokens = torch.tensor([row["tokens"]])
            logprobs = model(tokens).logits.log_softmax(-1)[0, :-1].gather(-1, tokens[0, 1:, None])[:, 0][row["promptLength"] - 1:]
            worst = max(worst, (logprobs - torch.tensor(row["logprobs"])).abs().max().item())
    return worst


result = {"madeBy": f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}, python test/golden/policy/check-exports.py",
          "largestDifferenceNats": {}}
for folder in sorted(path for path in out.iterdir() if path.is_dir()):
    rows = json.loads((folder / "ours.json").read_text())
    load = lambda path: transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()
    merged, report = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"], report
    adapted = peft.PeftModel.from_pretrained(load(here / "families" / folder.name), folder / "adapter").eval()
    differences = {"merged": largest_difference(merged.eval(), rows), "adapter": largest_difference(adapted, rows),
                   "base (must differ)": largest_difference(load(here / "families" / folder.name), rows)}
    assert differences["merged"] < 1e-4 and differences["adapter"] < 1e-4 and differences["base (must differ)"] > 1e-2, differences
    result["largestDifferenceNats"][folder.name] = {key: float(f"{value:.2g}") for key, value in differences.items()}
(here / "exports-checked.json").write_text(json.dumps(result, indent=1) + "\n")
print(json.dumps(result, indent=1))
