"""The same work by Waggle and by PyTorch (transformers + peft), side by side: same weights, threads, shapes; alternating in one run.

Prints one line a work: seconds of each (the least of all repetitions, for other work on the machine only ever adds), tokens/s, ratio, and the
most memory each process held. PyTorch runs in a process of its own, as Waggle does. MODEL_DIR is any Hugging Face folder; `--make-random DIR`
writes one of SmolLM2-135M's shape with random weights first.
Run: python test/bench/peers/compare.py MODEL_DIR [--threads 2] [--repetitions 5] [--rows 4] [--length 128]
"""
import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import time

root = pathlib.Path(__file__).resolve().parents[3]
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def make_random(folder):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
                         max_position_embeddings=8192, rms_norm_eps=1e-5, tie_word_embeddings=True, rope_theta=100000.0, bos_token_id=1, eos_token_id=2)
    LlamaForCausalLM(config).save_pretrained(folder)


def peer(directory, threads):
    """The other process: PyTorch answering the same lines as ours.ts."""
    import peft
    import torch
    import transformers
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(threads)
    model = transformers.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    model.generation_config.eos_token_id = None
    model = peft.get_peft_model(model, peft.LoraConfig(r=16, lora_alpha=32, target_modules=ALL, lora_dropout=0.0, task_type="CAUSAL_LM"))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4, weight_decay=0)
    vocabulary = model.config.vocab_size

    def train(work):
        tokens = torch.randint(0, vocabulary, (work["rows"], work["length"]))
        labels = tokens.clone()
        labels[:, :work["length"] // 4] = -100
        model.train()
        model(input_ids=tokens, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return tokens.numel()

    def decode(work):
        model.eval()
        prompt = torch.randint(0, vocabulary, (1, work["promptTokens"])).repeat(work["rows"], 1)
        with torch.no_grad():
            out = model.generate(input_ids=prompt, attention_mask=torch.ones_like(prompt), do_sample=True, temperature=1.0, top_k=0, top_p=1.0,
                                 max_new_tokens=work["tokens"], min_new_tokens=work["tokens"], pad_token_id=0)
        return (out.shape[1] - work["promptTokens"]) * work["rows"]

    print("ready", flush=True)
    for line in sys.stdin:
        work = json.loads(line)
        start = time.perf_counter()
        tokens = {"train": train, "decode": decode}[work["work"]](work)
        seconds = time.perf_counter() - start
        print(json.dumps({"tokens": tokens, "seconds": seconds, "rssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)


class Side:
    def __init__(self, command):
        # Waggle's threads sleep while they wait; PyTorch's would spin and lose to whatever else runs on the machine.
        environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
        self.process = subprocess.Popen(command, cwd=root, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().strip() == "ready"

    def ask(self, work):
        self.process.stdin.write(json.dumps(work) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare(arguments):
    threads = str(arguments.threads)
    sides = {"waggle": ["node", str(root / "test/bench/peers/ours.ts"), arguments.model, threads],
             "pytorch": [sys.executable, __file__, arguments.model, "--threads", threads, "--peer"]}
    works = {f"LoRA step, {arguments.rows} x {arguments.length}": {"work": "train", "rows": arguments.rows, "length": arguments.length},
             "decode, batch 8 x 32": {"work": "decode", "rows": 8, "tokens": 32, "promptTokens": 32}}
    for label, work in works.items():
        # A fresh pair for each work, so that the memory is this work's own.
        running = {name: Side(command) for name, command in sides.items()}
        answers = {name: [] for name in sides}
        for repetition in range(arguments.repetitions + 1):
            for name, side in running.items():
                answer = side.ask(work)
                if repetition > 0:
                    answers[name].append(answer)
        for side in running.values():
            side.close()
        best = {name: min(rows, key=lambda row: row["seconds"]) for name, rows in answers.items()}
        rate = {name: row["tokens"] / row["seconds"] for name, row in best.items()}
        memory = {name: rows[-1]["rssBytes"] / 2**30 for name, rows in answers.items()}
        for name in sides:
            print(f"{label}: {name} {best[name]['seconds']:.2f} s, {rate[name]:.0f} tokens/s, {memory[name]:.2f} GiB")
        print(f"{label}: waggle is {rate['waggle'] / rate['pytorch']:.2f} x PyTorch's speed in {memory['waggle'] / memory['pytorch']:.2f} x its memory", flush=True)


parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--repetitions", type=int, default=5)
parser.add_argument("--rows", type=int, default=4)
parser.add_argument("--length", type=int, default=128)
parser.add_argument("--make-random", action="store_true")
parser.add_argument("--peer", action="store_true")
arguments = parser.parse_args()
if arguments.make_random:
    make_random(arguments.model)
if arguments.peer:
    peer(arguments.model, arguments.threads)
else:
    compare(arguments)
