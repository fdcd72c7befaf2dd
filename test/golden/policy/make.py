"""Makes tied/ and untied/: tiny random Llama policies in transformers' own folder layout, with what transformers computes from them.

Each folder: config.json, model.safetensors, tokenizer files (save_pretrained), gradients.safetensors (of the mean completion loss), vectors.json
(rows with token log-probs, the loss, greedy completions). All in float32 on the CPU.
Run: python test/golden/policy/make.py
"""
import json
import pathlib

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders
from tokenizers.models import BPE
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

here = pathlib.Path(__file__).parent
short = lambda values: [float(f"{v:.8g}") for v in values]


def make_tokenizer(folder):
    """One token a character, 50 in all."""
    symbols = list("0123456789abcdefghijklmnopqrstuvwxyz .,:?!+-*=()/")
    symbols.insert(3, "<end>")
    inner = Tokenizer(BPE({symbol: i for i, symbol in enumerate(symbols)}, []))
    inner.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<end>")
    assert len(tokenizer) == 50, len(tokenizer)
    tokenizer.save_pretrained(folder)
    return tokenizer


def make(name, seed, **sizes):
    torch.manual_seed(seed)
    config = LlamaConfig(vocab_size=50, num_hidden_layers=2, max_position_embeddings=64, eos_token_id=3, bos_token_id=None, pad_token_id=None,
                         rms_norm_eps=1e-5, attn_implementation="eager", **sizes)
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.25 + (1 if parameter.dim() == 1 else 0))
    folder = here / name
    model.save_pretrained(folder)
    for extra in folder.glob("generation_config.json"):
        extra.unlink()

    rows = []
    for prompt, completion in [(5, 7), (1, 4), (9, 1), (3, 12), (6, 6), (2, 21)]:
        rows.append({"tokens": torch.randint(0, 50, (prompt + completion,)).tolist(), "promptLength": prompt})
    total = sum(len(row["tokens"]) - row["promptLength"] for row in rows)
    loss = 0
    for row in rows:
        tokens = torch.tensor([row["tokens"]])
        logprobs = model(tokens).logits.log_softmax(-1)[0, :-1].gather(-1, tokens[0, 1:, None])[:, 0][row["promptLength"] - 1:]
        row["logprobs"] = short(logprobs.tolist())
        loss = loss - logprobs.sum() / total
    loss.backward()
    save_file({key: parameter.grad for key, parameter in model.named_parameters()}, folder / "gradients.safetensors")

    greedy = []
    with torch.no_grad():
        for length in (4, 1, 7):
            prompt = torch.randint(4, 50, (length,)).tolist()
            tokens, logprobs, margin = list(prompt), [], 9.0
            for _ in range(10):
                scores = model(torch.tensor([tokens])).logits[0, -1].log_softmax(-1)
                best = scores.topk(2).values
                margin = min(margin, (best[0] - best[1]).item())
                tokens.append(scores.argmax().item())
                logprobs.append(scores.max().item())
                if tokens[-1] == 3:
                    break
            assert margin > 1e-3, f"{name}: two tokens nearly equal, choose another seed"
            greedy.append({"prompt": prompt, "tokens": tokens[length:], "logprobs": short(logprobs)})
    tokenizer = make_tokenizer(folder)
    prompt, completion = tokenizer("3 + 14 = ?").input_ids, tokenizer("it is 17.").input_ids + [3]
    with torch.no_grad():
        tokens = torch.tensor([prompt + completion])
        logprobs = model(tokens).logits.log_softmax(-1)[0, :-1].gather(-1, tokens[0, 1:, None])[len(prompt) - 1:, 0]
    text = {"prompt": "3 + 14 = ?", "completion": "it is 17.", "promptTokenIds": prompt, "tokenIds": completion, "logprobs": short(logprobs.tolist())}
    made_by = f"torch {torch.__version__}, transformers {transformers.__version__}, python test/golden/policy/make.py"
    (folder / "vectors.json").write_text(json.dumps({"madeBy": made_by, "rows": rows, "loss": loss.item(), "greedy": greedy, "text": text}, indent=1) + "\n")
    print(name, sum(p.numel() for p in model.parameters()), "weights, loss", loss.item())


make("untied", 1, hidden_size=24, intermediate_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=16, tie_word_embeddings=False)
make("tied", 2, hidden_size=32, intermediate_size=40, num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=True, rope_theta=500.0)
