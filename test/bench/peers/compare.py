"""The same work by Waggle and by others, side by side: same weights, threads, shapes; alternating in one run.

    train    one LoRA step (transformers + peft)
    decode   a batch of completions (transformers; llama.cpp too, where --llama-gguf and --llama-modules are given)
    round    a GRPO round: 8 prompts x 8 completions of 128 tokens, then one step (TRL's GRPOTrainer)

Prints a line a side: seconds (the least of all repetitions, for other work on the machine only ever adds), tokens/s, the most memory its process
held; and a line a peer with the ratios. Every side is a process of its own. MODEL_DIR is any Hugging Face folder; `--make-random` writes
one of SmolLM2-135M's shape with random weights there first. What to install: README.md beside this file.
Run: python test/bench/peers/compare.py MODEL_DIR [--works train,decode] [--threads 2] [--repetitions 5] [--rows 4] [--length 128]
"""
import argparse
import json
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


def pytorch_peer(directory, threads):
    """PyTorch's side: answers the same lines as ours.ts."""
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

    answer(lambda work: timed({"train": train, "decode": decode}[work["work"]], work))


def timed(does, work):
    start = time.perf_counter()
    tokens = does(work)
    return tokens, time.perf_counter() - start


def answer(does):
    """Answers each line of standard input; `does` gives tokens and seconds."""
    print("ready", flush=True)
    for line in sys.stdin:
        tokens, seconds = does(json.loads(line))
        print(json.dumps({"tokens": tokens, "seconds": seconds, "rssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)


def trl_peer(directory, threads):
    """TRL's side: each `round` line is one optimiser step of a GRPOTrainer, generation included."""
    import contextlib
    import tempfile

    import datasets
    import peft
    import torch
    import transformers
    import trl
    transformers.utils.logging.set_verbosity_error()
    torch.set_num_threads(threads)
    took = []

    class Clock(transformers.TrainerCallback):
        def on_step_begin(self, *_arguments, **_named):
            self.start = time.perf_counter()

        def on_step_end(self, *_arguments, **_named):
            took.append(time.perf_counter() - self.start)

    def reward(completions, **_named):
        # Any spread will do: what is measured does not depend on who is right.
        return [float(i % 2) for i in range(len(completions))]

    def one_round(work):
        prompts, group, tokens = work["prompts"], work["rows"], work["tokens"]
        rows = [{"prompt": " ".join(["one two three four"] * (work["promptTokens"] // 4)) + f" {i}"} for i in range(prompts)]
        config = trl.GRPOConfig(output_dir=tempfile.mkdtemp(), use_cpu=True, bf16=False, per_device_train_batch_size=group, gradient_accumulation_steps=prompts,
                                num_generations=group, max_completion_length=tokens, beta=0.0, temperature=1.0, learning_rate=1e-5, max_steps=1,
                                gradient_checkpointing=False, report_to=[], logging_strategy="no", save_strategy="no", disable_tqdm=True,
                                generation_kwargs={"min_new_tokens": tokens}, model_init_kwargs={"dtype": torch.float32})
        with contextlib.redirect_stdout(sys.stderr):
            trainer = trl.GRPOTrainer(model=directory, reward_funcs=reward, args=config, train_dataset=datasets.Dataset.from_list(rows), callbacks=[Clock()],
                                      peft_config=peft.LoraConfig(r=16, lora_alpha=32, target_modules=ALL, lora_dropout=0.0, task_type="CAUSAL_LM"))
            trainer.train()
        return prompts * group * tokens, took[-1]

    answer(one_round)


class Side:
    def __init__(self, command):
        self.process = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().strip() == "ready"

    def ask(self, work):
        self.process.stdin.write(json.dumps(work) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def sides_of(work, arguments):
    threads = str(arguments.threads)
    python = [sys.executable, __file__, arguments.model, "--threads", threads]
    sides = {"waggle": ["node", str(root / "test/bench/peers/ours.ts"), arguments.model, threads]}
    sides.update({"TRL": [*python, "--as", "trl"]} if work == "round" else {"PyTorch": [*python, "--as", "pytorch"]})
    if work == "decode" and arguments.llama_gguf:
        sides["llama.cpp"] = ["node", str(root / "test/bench/peers/llama-cpp.ts"), arguments.llama_gguf, threads, arguments.llama_modules]
    return sides


def compare(arguments):
    works = {"train": (f"LoRA step, {arguments.rows} x {arguments.length}", {"rows": arguments.rows, "length": arguments.length}),
             "decode": ("decode, batch 8 x 32", {"rows": 8, "tokens": 32, "promptTokens": 32}),
             "round": (f"GRPO round, 8 x 8 x {arguments.tokens}", {"prompts": 8, "rows": 8, "tokens": arguments.tokens, "promptTokens": 32})}
    for name in arguments.works.split(","):
        label, shape = works[name]
        measure(label, {"work": name, **shape}, sides_of(name, arguments), arguments.repetitions)


def measure(label, work, sides, repetitions):
    # Fresh processes for each work, so that the memory is this work's own.
    running = {name: Side(command) for name, command in sides.items()}
    answers = {name: [] for name in sides}
    warm_ups = 0 if work["work"] == "round" else 1
    for repetition in range(repetitions + warm_ups):
        for name, side in running.items():
            given = side.ask(work)
            if repetition >= warm_ups:
                answers[name].append(given)
    for side in running.values():
        side.close()
    best = {name: min(rows, key=lambda row: row["seconds"]) for name, rows in answers.items()}
    rate = {name: row["tokens"] / row["seconds"] for name, row in best.items()}
    memory = {name: rows[-1]["rssBytes"] / 2**30 for name, rows in answers.items()}
    for name in sides:
        print(f"{label}: {name} {best[name]['seconds']:.2f} s, {rate[name]:.0f} tokens/s, {memory[name]:.2f} GiB")
    for name in sides:
        if name != "waggle":
            print(f"{label}: waggle is {rate['waggle'] / rate[name]:.2f} x the speed of {name} in {memory['waggle'] / memory[name]:.2f} x its memory", flush=True)


parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--repetitions", type=int, default=5)
parser.add_argument("--rows", type=int, default=4)
parser.add_argument("--length", type=int, default=128)
parser.add_argument("--make-random", action="store_true")
parser.add_argument("--tokens", type=int, default=128, help="of each completion of a round")
parser.add_argument("--works", default="train,decode")
parser.add_argument("--llama-gguf", help="the same weights for llama.cpp, see f32-gguf.py")
parser.add_argument("--llama-modules", default=".", help="folder with node_modules/node-llama-cpp")
parser.add_argument("--as", dest="role", choices=["pytorch", "trl"], help=argparse.SUPPRESS)
arguments = parser.parse_args()
if arguments.make_random:
    make_random(arguments.model)
if arguments.role:
    {"pytorch": pytorch_peer, "trl": trl_peer}[arguments.role](arguments.model, arguments.threads)
else:
    compare(arguments)
