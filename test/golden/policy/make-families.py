"""Makes families/NAME/: tiny random policies of every family and rope scaling, in transformers' own folder layout, with what
transformers (and peft, for those with an adapter) computes from them.

Each folder: config.json, model.safetensors or shards, tokenizer files, vectors.json (rows with token log-probs, the loss, greedy completions),
gradients.safetensors (of the mean completion loss) where the family's gradients are checked, and adapter/ (a PEFT folder with random matrices),
adapter-vectors.json and adapter-gradients.safetensors for LoRA. All in float32 on the CPU; weights stored as bf16 or f16 are rounded first.
Run: python test/golden/policy/make-families.py
"""
import copy
import json
import pathlib
import shutil

import peft
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders
from tokenizers.models import BPE
from transformers import (LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)

here = pathlib.Path(__file__).parent / "families"
short = lambda values: [float(f"{v:.8g}") for v in values]
made_by = f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}, python test/golden/policy/make-families.py"


def make_tokenizer(folder):
    """One token a character, 50 in all."""
    symbols = list("0123456789abcdefghijklmnopqrstuvwxyz .,:?!+-*=()/")
    symbols.insert(3, "<end>")
    inner = Tokenizer(BPE({symbol: i for i, symbol in enumerate(symbols)}, []))
    inner.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<end>")
    tokenizer.save_pretrained(folder)
    return tokenizer


def completion_logprobs(model, row):
    tokens = torch.tensor([row["tokens"]])
    return model(tokens).logits.log_softmax(-1)[0, :-1].gather(-1, tokens[0, 1:, None])[:, 0][row["promptLength"] - 1:]


def measure(model, rows):
    total = sum(len(row["tokens"]) - row["promptLength"] for row in rows)
    measured, loss = [], 0
    for row in rows:
        logprobs = completion_logprobs(model, row)
        measured.append({**row, "logprobs": short(logprobs.tolist())})
        loss = loss - logprobs.sum() / total
    loss.backward()
    return measured, loss.item()


def greedy_rows(name, model, vocabulary):
    result = []
    with torch.no_grad():
        for length in (4, 1, 7):
            prompt = torch.randint(4, vocabulary, (length,)).tolist()
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
            result.append({"prompt": prompt, "tokens": tokens[length:], "logprobs": short(logprobs)})
    return result


def text_score(model, tokenizer):
    prompt, completion = tokenizer("3 + 14 = ?").input_ids, tokenizer("it is 17.").input_ids + [3]
    with torch.no_grad():
        logprobs = completion_logprobs(model, {"tokens": prompt + completion, "promptLength": len(prompt)})
    return {"prompt": "3 + 14 = ?", "completion": "it is 17.", "promptTokenIds": prompt, "tokenIds": completion, "logprobs": short(logprobs.tolist())}


def make(name, seed, model_class, config_class, dtype=torch.float32, shard=None, gradients=True, adapter=None, vocabulary=50, **options):
    torch.manual_seed(seed)
    sizes = {"hidden_size": 32, "intermediate_size": 40, "num_attention_heads": 2, "num_key_value_heads": 1, "num_hidden_layers": 2,
             "max_position_embeddings": 64, "rms_norm_eps": 1e-5, **options}
    config = config_class(vocab_size=vocabulary, eos_token_id=3, bos_token_id=None, pad_token_id=None, attn_implementation="eager", **sizes)
    model = model_class(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            values = torch.randn_like(parameter) * 0.25 + (1 if parameter.dim() == 1 and parameter.mean() == 1 else 0)
            parameter.copy_(values.to(dtype).float())
    folder = here / name
    shutil.rmtree(folder, ignore_errors=True)
    # A copy: `to` would round the rotary frequencies of the model as well.
    copy.deepcopy(model).to(dtype).save_pretrained(folder, **({"max_shard_size": shard} if shard else {}))
    (folder / "generation_config.json").unlink(missing_ok=True)
    tokenizer = make_tokenizer(folder)

    rows = [{"tokens": torch.randint(0, vocabulary, (prompt + completion,)).tolist(), "promptLength": prompt}
            for prompt, completion in [(5, 7), (1, 4), (9, 1), (3, 12), (6, 6), (2, 40 if vocabulary == 50 else 21)]]
    measured, loss = measure(model, rows)
    if gradients:
        save_file({key: parameter.grad for key, parameter in model.named_parameters()}, folder / "gradients.safetensors")
    vectors = {"madeBy": made_by, "rows": measured, "loss": loss, "greedy": greedy_rows(name, model, vocabulary), "text": text_score(model, tokenizer)}
    (folder / "vectors.json").write_text(json.dumps(vectors) + "\n")
    if adapter:
        make_adapter(name, model, folder, rows, vocabulary, **adapter)
    print(name, sum(p.numel() for p in model.parameters()), "weights, loss", loss)


def make_adapter(name, model, folder, rows, vocabulary, rank, alpha, targets):
    for parameter in model.parameters():
        parameter.grad = None
    model.name_or_path = ""
    wrapped = peft.get_peft_model(model, peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets, lora_dropout=0.0, bias="none", task_type="CAUSAL_LM"))
    with torch.no_grad():
        for key, parameter in wrapped.named_parameters():
            if "lora_" in key:
                parameter.copy_(torch.randn_like(parameter) * 0.2)
    wrapped.save_pretrained(folder / "adapter")
    (folder / "adapter" / "README.md").unlink(missing_ok=True)
    measured, loss = measure(wrapped, rows)
    short_name = lambda key: key.removeprefix("base_model.model.").replace(".default", "")
    save_file({short_name(key): p.grad for key, p in wrapped.named_parameters() if p.requires_grad}, folder / "adapter-gradients.safetensors")
    vectors = {"madeBy": made_by, "rows": measured, "loss": loss, "greedy": greedy_rows(name, wrapped, vocabulary)}
    (folder / "adapter-vectors.json").write_text(json.dumps(vectors) + "\n")


ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
make("llama-biased", 11, LlamaForCausalLM, LlamaConfig, attention_bias=True, mlp_bias=True, tie_word_embeddings=False,
     adapter={"rank": 4, "alpha": 8, "targets": ALL})
make("qwen2", 12, Qwen2ForCausalLM, Qwen2Config, tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": 1e6}, adapter={"rank": 3, "alpha": 7, "targets": ["q_proj", "v_proj"]})
make("qwen3", 13, Qwen3ForCausalLM, Qwen3Config, head_dim=32, num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": 1e6},
     adapter={"rank": 4, "alpha": 4, "targets": ALL})
make("qwen3-untied-sharded-bf16", 14, Qwen3ForCausalLM, Qwen3Config, head_dim=16, tie_word_embeddings=False, attention_bias=True, dtype=torch.bfloat16, shard="12KB", gradients=False)
make("llama-f16-linear", 15, LlamaForCausalLM, LlamaConfig, dtype=torch.float16, gradients=False, rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 100.0})
make("llama-dynamic", 16, LlamaForCausalLM, LlamaConfig, gradients=False, rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 100.0})
make("llama-llama3", 37, LlamaForCausalLM, LlamaConfig, tie_word_embeddings=True,
     rope_parameters={"rope_type": "llama3", "rope_theta": 100.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32})
make("qwen2-yarn", 18, Qwen2ForCausalLM, Qwen2Config, gradients=False, head_dim=32,
     rope_parameters={"rope_type": "yarn", "rope_theta": 100.0, "factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 4.0, "beta_slow": 0.5})
# A vocabulary large enough for the compact graphs.
make("qwen2-compact", 19, Qwen2ForCausalLM, Qwen2Config, vocabulary=4100, hidden_size=16, num_attention_heads=1, num_hidden_layers=1, tie_word_embeddings=True,
     adapter={"rank": 2, "alpha": 4, "targets": ALL})
make("llama-compact-untied", 20, LlamaForCausalLM, LlamaConfig, vocabulary=4100, hidden_size=16, num_attention_heads=1, num_hidden_layers=1, tie_word_embeddings=False)
